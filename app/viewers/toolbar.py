"""The quiet bar of buttons above a view, and what a view says when it has nothing to show."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import theme


class ViewBar(QWidget):
    """Actions in a row. Their shortcuts work while the view (``host``) or something in it has the focus."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.host = host
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="bar")
        self.setObjectName("view-bar")
        self.setAccessibleName("Tools of this view")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(6, 3, 6, 3)
        self._row.setSpacing(2)

    def action(
        self,
        name: str,
        title: str,
        icon: str,
        run: Callable[..., object],
        key: str = "",
        *,
        checkable: bool = False,
        checked: bool = False,
        button: bool = True,
        help: str = "",
        words: str = "",
    ) -> QAction:
        """``run`` gets the checked state when ``checkable``. The tooltip names the key.

        ``words`` are written on the button instead of the icon.
        """
        action = QAction(theme.icon(icon), title, self.host)
        action.setObjectName(name)
        action.setCheckable(checkable)
        action.setChecked(checked)
        tip = f"{title} ({QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)})" if key else title
        action.setToolTip(f"{tip}\n{help}" if help else tip)
        if key:
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if checkable:
            action.toggled.connect(lambda on: run(on))
        else:
            action.triggered.connect(lambda *_: run())
        self.host.addAction(action)
        if button:
            self.add(self._button(action, words))
        return action

    def _button(self, action: QAction, words: str) -> QToolButton:
        made = QToolButton(self)
        if words:
            action.setIconText(words)
            made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        made.setDefaultAction(action)
        action.visibleChanged.connect(lambda: made.setVisible(action.isVisible()))
        made.setIconSize(QSize(18, 18))
        made.setAutoRaise(True)
        made.setAccessibleName(action.text())
        made.setObjectName(f"{action.objectName()}-button")
        return made

    def menu(self, name: str, title: str, icon: str, actions: list[QAction]) -> QToolButton:
        made = QToolButton(self)
        made.setIcon(theme.icon(icon))
        made.setIconSize(QSize(18, 18))
        made.setToolTip(title)
        made.setAccessibleName(title)
        made.setObjectName(name)
        made.setAutoRaise(True)
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(made)
        menu.addActions(actions)
        made.setMenu(menu)
        self.add(made)
        return made

    def add(self, widget: QWidget) -> QWidget:
        self._row.addWidget(widget)
        return widget

    def label(self, text: str) -> QLabel:
        made = QLabel(text, self)
        theme.mark(made, tone="muted")
        made.setContentsMargins(6, 0, 6, 0)
        self.add(made)
        return made

    def gap(self, width: int = 8) -> None:
        self._row.addSpacing(width)

    def stretch(self) -> None:
        self._row.addStretch(1)


def on_key(widget: QWidget, key: str, run: Callable[[], object]) -> None:
    """A key that works while this very widget has the focus: arrows must stay with sliders and lists."""
    action = QAction(widget)
    action.setShortcut(QKeySequence(key))
    action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    action.triggered.connect(lambda *_: run())
    widget.addAction(action)


class EmptyState(QWidget):
    """What to do next, in the middle of a view that has nothing to show."""

    def __init__(self, parent: QWidget, icon: str, title: str, text: str) -> None:
        super().__init__(parent)
        self.setObjectName("empty-state")
        self.setAccessibleName(f"{title}. {text}")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        heading = QLabel(title, self)
        heading.setFont(theme.font(1.15, bold=True))
        heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel(text, self)
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        words.setMaximumWidth(360)
        words.setMinimumWidth(min(300, 360))
        words.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        theme.mark(words, tone="muted")
        column.addStretch(1)
        column.addWidget(self._icon)
        column.addWidget(heading)
        column.addWidget(words, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        theme.signals.changed.connect(self._paint_icon)
        self._paint_icon()

    def _paint_icon(self) -> None:
        self._icon.setPixmap(theme.pixmap(self._icon_name, 40, "faint"))
