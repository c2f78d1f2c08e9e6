"""Small widgets that several panels use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme

Action = tuple[str, str, Callable[[], object]]
"""Text, icon (or ""), what to do."""


def name(widget: QWidget, accessible: str, object_name: str = "") -> None:
    """Every widget can be found and read aloud by its name."""
    widget.setAccessibleName(accessible)
    widget.setObjectName(object_name or accessible)


def paint_apart(widget: QWidget) -> None:
    """Make a widget a native window of its own, so that its repaints concern it alone.

    With a 3D view in it, Qt puts a whole window together with OpenGL anew for every repaint of any label or curve:
    up to 60 ms of a core in software GL. In a part that is native only that part is. What is to lie over it must be
    native too. X11 only: elsewhere native children have quirks of their own, and graphics cards.
    """
    if QGuiApplication.platformName() == "xcb":
        widget.setAttribute(Qt.WidgetAttribute.WA_DontCreateNativeAncestors)
        widget.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)


def tool_button(icon: str, tip: str, act: Callable[[], object] | None = None, *, size: int = 16) -> QToolButton:
    button = QToolButton()
    button.setIcon(theme.icon(icon))
    button.setIconSize(QSize(size, size))
    button.setToolTip(tip)
    button.setAutoRaise(True)
    name(button, tip.split(" (")[0])
    if act is not None:
        button.clicked.connect(lambda _=False: act())
    return button


def push_button(
    text: str, act: Callable[[], object] | None = None, *, icon: str = "", kind: str = "", object_name: str = ""
) -> QPushButton:
    button = QPushButton(text)
    name(button, text.rstrip("…"), object_name or text.rstrip("…"))
    if kind:
        button.setProperty("kind", kind)
    if icon:
        role = {"primary": "on_accent", "link": "accent"}.get(kind, "muted")
        button.setIcon(theme.icon(icon, role))
    button.setAutoDefault(False)
    if act is not None:
        button.clicked.connect(lambda _=False: act())
    return button


def label(text: str = "", *, tone: str = "", kind: str = "", scale: float = 1.0, wrap: bool = False) -> QLabel:
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if tone:
        made.setProperty("tone", tone)
    if kind:
        made.setProperty("kind", kind)
    if scale != 1.0 or kind == "heading":
        made.setFont(theme.font(scale, bold=kind == "heading"))
    return made


def chip(text: str, tone: str = "") -> QLabel:
    """A small word on a coloured ground."""
    made = label(text, tone=tone, kind="chip", scale=0.94)
    made.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
    return made


def line() -> QFrame:
    made = QFrame()
    made.setProperty("kind", "line")
    return made


class ElidedLabel(QLabel):
    """One line that ends in "…" where the room ends; the whole text is its tooltip."""

    def __init__(self, text: str = "", *, tone: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__(text)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(24)
        if tone:
            self.setProperty("tone", tone)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shown = QFontMetrics(self.font()).elidedText(self.text(), self._mode, self.contentsRect().width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            cut = self.fontMetrics().horizontalAdvance(self.text()) > self.width()
            self.setToolTip(self.text() if cut else "")
        return super().event(event)


class Glyph(QLabel):
    """An icon that follows the theme."""

    def __init__(self, icon: str, size: int = 16, role: str = "muted") -> None:
        super().__init__()
        self._size = size
        self.setFixedSize(size, size)
        self.show_icon(icon, role)
        theme.signals.changed.connect(self._paint)

    def show_icon(self, icon: str, role: str = "muted") -> None:
        self._icon, self._role = icon, role
        self._paint()

    def _paint(self) -> None:
        self.setPixmap(theme.pixmap(self._icon, self._size, self._role))


class EmptyState(QWidget):
    """Says what a place is for while nothing is there, and what to do next."""

    def __init__(
        self, icon: str, title: str, text: str, actions: Sequence[Action] = (), *, compact: bool = False
    ) -> None:
        super().__init__()
        name(self, title, "empty")
        outer = QVBoxLayout(self)
        margin = 16 if compact else 32
        outer.setContentsMargins(margin, margin, margin, margin)
        outer.setSpacing(6)
        outer.addStretch(1)
        outer.addWidget(Glyph(icon, 24 if compact else 36, "faint"), 0, Qt.AlignmentFlag.AlignHCenter)
        outer.addSpacing(4)
        self.title = label(title, kind="heading", wrap=True)
        self.text = label(text, tone="muted", wrap=True)
        for words in (self.title, self.text):
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            outer.addWidget(words)
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        row.addStretch(1)
        for words, symbol, act in actions:
            row.addWidget(push_button(words, act, icon=symbol))
        row.addStretch(1)
        if actions:
            outer.addSpacing(8)
            outer.addLayout(row)
        outer.addStretch(2 if not compact else 1)


class Busy(QWidget):
    """A quiet sign that something is being fetched; it shows only when that takes a while."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        name(self, "Busy")
        outer = QVBoxLayout(self)
        outer.addStretch(1)
        self.text = label(text, tone="muted")
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setFixedWidth(160)
        name(self.bar, "Loading")
        outer.addWidget(self.text)
        outer.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignHCenter)
        outer.addStretch(1)


class Card(QFrame):
    """A raised box that is pressed as a whole, by mouse or keyboard."""

    clicked = Signal()

    def __init__(self, accessible: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setProperty("clickable", "true")
        name(self, accessible)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)


def clear_layout(layout) -> None:  # type: ignore[no-untyped-def]
    """Take out and delete every widget of a layout, nested layouts included."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear_layout(inner)
