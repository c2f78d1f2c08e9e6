"""The quiet bar of buttons above a view. It fits from about 200 pixels up.

What does not fit takes a smaller form, in this order: texts go, words become icons, groups of fields become a button
that opens them, and what is left of the least needed goes into the menu behind "…".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from app import theme

ICON = QSize(18, 18)
MARGIN, SPACE, HEIGHT = 6, 2, 36


@dataclass(eq=False)
class _Item:
    """One thing on the bar. ``keep``: of two that compete for room, the larger stays longer."""

    kind: str  # "tool", "group", "widget", "text", "gap", "stretch"
    keep: int = 50
    widget: QWidget | None = None
    action: QAction | None = None
    words: bool = False  # written words that an icon can stand for
    button: QToolButton | None = None  # opens a group that has no room; as wide as an icon
    width: int = 0  # of a gap, or of the words
    wanted: bool = True
    form: str = "full"  # "small": an icon or a button instead; "away": in the menu

    def face(self, form: str) -> QWidget | None:
        """What stands on the bar in a form."""
        if form == "away":
            return None
        return self.button if self.kind == "group" and form == "small" else self.widget

    def room(self, form: str) -> int:
        """Pixels taken in a form, with the space to the next."""
        if self.kind == "gap":
            return self.width
        face = self.face(form)
        if face is None or not self.wanted:
            return 0
        if self.words and form == "small":
            return 0 if self.button is None else self.button.sizeHint().width() + SPACE
        if self.words and self.form != "full":
            return self.width + SPACE  # of the words, as they were when they stood there
        face.ensurePolished()
        hint = min(max(face.sizeHint().width(), face.minimumWidth()), face.maximumWidth())
        if self.words:
            self.width = hint
        return hint + SPACE


class Popup(QFrame):
    """A small panel that a button opens; a click beside it closes it."""

    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        theme.mark(self, kind="box")
        self.setAccessibleName(title)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(10, 8, 10, 10)
        self.column.setSpacing(6)
        heading = QLabel(title, self)
        theme.mark(heading, kind="heading")
        self.column.addWidget(heading)

    def open_below(self, anchor: QWidget) -> None:
        self.adjustSize()
        corner = anchor.mapToGlobal(QPoint(anchor.width(), anchor.height() + 2)) - QPoint(self.width(), 0)
        screen = anchor.screen().availableGeometry()
        self.move(max(screen.left(), min(corner.x(), screen.right() - self.width())), corner.y())
        self.show()


class ViewBar(QWidget):
    """Actions in a row. Their shortcuts work while the view (``host``) or something in it has the focus."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.host = host
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="bar")
        self.setObjectName("view-bar")
        self.setAccessibleName("Tools of this view")
        self.setFixedHeight(HEIGHT)
        self._items: list[_Item] = []
        self._popups: dict[_Item, Popup] = {}
        self._arranging = False
        self.more = self._plain_button("more", "More tools", "more")
        self._menu = QMenu(self.more)
        self._menu.setAccessibleName("More tools")
        self._menu.setToolTipsVisible(True)
        self.more.clicked.connect(self._open_more)
        self.more.hide()

    # ---- content ------------------------------------------------------------------------------------------
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
        keep: int = 50,
        shrinks: bool = False,
    ) -> QAction:
        """``run`` gets the checked state when ``checkable``. The tooltip names the key.

        ``words`` are written on the button instead of the icon; with ``shrinks`` only where there is room for them.
        """
        action = QAction(theme.icon(icon), title, self.host)
        action.setObjectName(name)
        action.setCheckable(checkable)
        action.setIconVisibleInMenu(not checkable)  # an icon would stand where the check mark belongs
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
            made = QToolButton(self)
            if words:
                action.setIconText(words)
                made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            made.setDefaultAction(action)
            made.setIconSize(ICON)
            made.setAutoRaise(True)
            made.setAccessibleName(action.text())
            made.setObjectName(f"{action.objectName()}-button")
            item = _Item("tool", keep, made, action, words=bool(words) and shrinks)
            item.button = self.more if item.words else None
            self._items.append(item)
            action.visibleChanged.connect(lambda: self.set_shown(made, action.isVisible()))
            self._arrange()
        return action

    def _plain_button(self, name: str, title: str, icon: str) -> QToolButton:
        made = QToolButton(self)
        made.setIcon(theme.icon(icon))
        made.setIconSize(ICON)
        made.setToolTip(title)
        made.setAccessibleName(title)
        made.setObjectName(name)
        made.setAutoRaise(True)
        return made

    def menu(self, name: str, title: str, icon: str, actions: list[QAction], keep: int = 50) -> QToolButton:
        made = self._plain_button(name, title, icon)
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(title, made)
        menu.setIcon(theme.icon(icon))
        menu.addActions(actions)
        made.setMenu(menu)
        self._items.append(_Item("tool", keep, made))
        return made

    def group(self, name: str, title: str, icon: str, keep: int = 40) -> QHBoxLayout:
        """A row for fields, which moves behind a button where it has no room. Add them to the layout."""
        holder = QWidget(self)
        holder.setObjectName(name)
        holder.setAccessibleName(title)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        item = _Item("group", keep, holder)
        item.button = self._plain_button(f"{name}-button", title, icon)
        item.button.clicked.connect(lambda: self._open_group(item, item.button))
        item.button.hide()
        popup = Popup(self, title)
        popup.setObjectName(f"{name}-popup")
        self._popups[item] = popup
        self._items.append(item)
        return row

    def choice(self, name: str, title: str, icon: str, keep: int = 45) -> QComboBox:
        """A list to choose from; show and hide its parent by :meth:`set_shown`."""
        made = QComboBox()
        made.setObjectName(name)
        made.setAccessibleName(title)
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        made.setMaximumWidth(200)
        made.currentTextChanged.connect(made.setToolTip)  # a long name is cut
        self.group(f"{name}-group", title, icon, keep).addWidget(made)
        return made

    def add(self, widget: QWidget, keep: int = 70) -> QWidget:
        """Any other widget. Show and hide it by :meth:`set_shown`; without room it is gone."""
        widget.setParent(self)
        self._items.append(_Item("widget", keep, widget))
        return widget

    def text(self, name: str, accessible: str) -> QLabel:
        """A line that informs, where there is room for it."""
        made = QLabel(self)
        made.setObjectName(name)
        made.setAccessibleName(accessible)
        made.setFont(theme.tabular(made.font()))
        made.setContentsMargins(6, 0, 6, 0)
        theme.mark(made, tone="muted")
        self._items.append(_Item("text", 0, made))
        return made

    def gap(self, width: int = 8) -> None:
        self._items.append(_Item("gap", width=width))

    def stretch(self) -> None:
        self._items.append(_Item("stretch"))

    def set_shown(self, widget: QWidget, on: bool) -> None:
        """Offer a widget or not; it may stand in the menu for want of room."""
        for item in self._items:
            if item.widget is widget and item.wanted != on:
                item.wanted = on
                widget.setVisible(on and widget.parentWidget() is not self)  # on the bar, what has room is shown
                self._arrange()

    def offers(self, widget: QWidget) -> bool:
        """Whether a widget is to be had, on the bar or behind a button."""
        return any(item.widget is widget and item.wanted for item in self._items)

    # ---- room ---------------------------------------------------------------------------------------------
    def sizeHint(self) -> QSize:
        return QSize(260, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, HEIGHT)

    def resizeEvent(self, event) -> None:
        self._arrange()

    def showEvent(self, event) -> None:
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._arrange()
        return super().event(event)

    def _arrange(self) -> None:
        if self._arranging or not self.isVisible():
            return
        self._arranging = True
        try:
            for item, form in self._plan(self.width() - 2 * MARGIN + SPACE).items():
                if form != item.form:
                    self._shape(item, form)
            self._place()
        finally:
            self._arranging = False

    def _plan(self, room: int) -> dict[_Item, str]:
        """The form of each item with which all fit."""
        plan = dict.fromkeys(self._items, "full")

        def fits() -> bool:
            more = any(form == "away" and item.kind != "text" for item, form in plan.items())
            needed = sum(item.room(form) for item, form in plan.items())
            return needed + (self.more.sizeHint().width() + SPACE if more else 0) <= room

        on = [item for item in self._items if item.wanted and item.widget is not None]
        by_need = sorted(on, key=lambda item: (item.keep, -on.index(item)))
        steps = [(item, "away") for item in on if item.kind == "text"]
        steps += [(item, "small") for item in by_need if item.words]
        steps += [(item, "small") for item in by_need if item.kind == "group"]
        steps += [(item, "away") for item in by_need if item.kind != "text"]
        for item, form in steps:
            if fits():
                break
            plan[item] = form
        return plan

    def _shape(self, item: _Item, form: str) -> None:
        item.form = form
        if item.words and isinstance(item.widget, QToolButton):
            style = Qt.ToolButtonStyle.ToolButtonTextOnly if form == "full" else Qt.ToolButtonStyle.ToolButtonIconOnly
            item.widget.setToolButtonStyle(style)
        if item.kind == "group" and item.widget is not None:
            popup = self._popups[item]
            if form == "full" and item.widget.parentWidget() is not self:
                popup.hide()
                item.widget.setParent(self)
            elif form != "full" and item.widget.parentWidget() is not popup:
                popup.column.addWidget(item.widget)
                item.widget.show()

    def left_over(self) -> list[_Item]:
        """What stands in the menu."""
        return [item for item in self._items if item.wanted and item.form == "away" and item.kind in ("tool", "group")]

    def _place(self) -> None:
        more = bool(self.left_over())
        rooms = [item.room(item.form) for item in self._items]
        free = self.width() - 2 * MARGIN + SPACE - sum(rooms) - (self.more.sizeHint().width() + SPACE if more else 0)
        stretches = sum(item.kind == "stretch" for item in self._items)
        x = MARGIN
        for item, room in zip(self._items, rooms, strict=True):
            if item.kind == "stretch":
                x += max(0, free) // stretches
                continue
            face = item.face(item.form) if item.wanted else None
            if face is not None:
                height = min(face.sizeHint().height(), HEIGHT - 5)
                face.setGeometry(x, (HEIGHT - 1 - height) // 2, room - SPACE, height)
            for part in (item.widget, item.button if item.kind == "group" else None):
                if part is not None and part.parentWidget() is self:
                    part.setVisible(part is face)
            x += room
        size = self.more.sizeHint()
        self.more.setGeometry(self.width() - MARGIN - size.width(), (HEIGHT - 1 - size.height()) // 2, *size.toTuple())
        self.more.setVisible(more)

    # ---- the menu -----------------------------------------------------------------------------------------
    def _open_more(self) -> None:
        self._menu.clear()
        for item in self.left_over():
            if item.action is not None:
                self._menu.addAction(item.action)
            elif item.kind == "group":
                button = item.button
                entry = self._menu.addAction(button.icon(), f"{button.toolTip()}…")
                entry.triggered.connect(lambda _=False, item=item: self._open_group(item, self.more))
            elif isinstance(item.widget, QToolButton) and item.widget.menu() is not None:
                self._menu.addMenu(item.widget.menu())
        corner = self.more.mapToGlobal(QPoint(self.more.width() - self._menu.sizeHint().width(), self.more.height()))
        self._menu.popup(corner)

    def _open_group(self, item: _Item, anchor: QWidget | None) -> None:
        if anchor is not None:
            self._popups[item].open_below(anchor)


def on_key(widget: QWidget, key: str, run: Callable[[], object]) -> QAction:
    """A key that works while this very widget has the focus: arrows must stay with sliders and lists."""
    action = QAction(widget)
    action.setShortcut(QKeySequence(key))
    action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    action.triggered.connect(lambda *_: run())
    widget.addAction(action)
    return action
