"""The command palette: every action, method and artifact by a few letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QAction, QColor, QIcon, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.window.widgets import label, name

ITEM_ROLE = Qt.ItemDataRole.UserRole + 1
SHOWN = 60


@dataclass(frozen=True)
class Command:
    """Something that can be done: ``group`` says what kind of thing it is."""

    title: str
    group: str
    act: Callable[[], object] = field(compare=False)
    icon: QIcon | None = field(default=None, compare=False)
    keys: str = ""
    enabled: bool = True


def fuzzy_score(query: str, text: str) -> float | None:
    """How well a query fits: higher is better, None when its letters don't stand in the text in this order."""
    query, text = query.lower().replace(" ", ""), text.lower()
    if not query:
        return 0.0
    at = text.find(query)
    if at >= 0:
        starts = at == 0 or not text[at - 1].isalnum()
        return 100.0 + (40.0 if starts else 0.0) - 0.2 * at - 0.1 * len(text)
    score, position, run = 0.0, -1, 0
    for letter in query:
        found = text.find(letter, position + 1)
        if found < 0:
            return None
        run = run + 1 if found == position + 1 else 0
        begins = found == 0 or not text[found - 1].isalnum()
        score += 1.0 + 2.0 * run + (6.0 if begins else 0.0) - 0.05 * (found - position)
        position = found
    return score - 0.05 * len(text)


def matches(query: str, commands: Iterable[Command]) -> list[Command]:
    """The commands that fit, the best first; what cannot be done now comes last."""
    scored = []
    for order, command in enumerate(commands):
        score = fuzzy_score(query, command.title)
        if score is None:
            wider = fuzzy_score(query, f"{command.title} {command.group}")
            score = wider - 20.0 if wider is not None else None
        if score is not None:
            scored.append((not command.enabled, -score, order, command))
    return [c for *_, c in sorted(scored, key=lambda row: row[:3])]


def commands_of(actions: Iterable[tuple[str, QAction]]) -> list[Command]:
    """The actions of menus as commands."""
    found = []
    for group, action in actions:
        title = action.text().replace("&", "").rstrip("…")
        if title and action.isVisible() and not action.isSeparator():
            keys = action.shortcut().toString()
            found.append(Command(title, group, action.trigger, action.icon(), keys, action.isEnabled()))
    return found


class _Model(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.items: list[Command] = []

    def set_items(self, items: list[Command]) -> None:
        self.beginResetModel()
        self.items = items[:SHOWN]
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        item = self.items[index.row()]
        if role == ITEM_ROLE:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{item.title}, {item.group}" if role != Qt.ItemDataRole.DisplayRole else item.title
        return None


class _Delegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # type: ignore[override]
        return QSize(200, 34)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # type: ignore[override]
        item: Command = index.data(ITEM_ROLE)
        c = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box: QRect = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.accent_soft))
            painter.drawRoundedRect(box.adjusted(6, 1, -6, -1), 6, 6)
        if item.icon is not None:
            mode = QIcon.Mode.Normal if item.enabled else QIcon.Mode.Disabled
            item.icon.paint(
                painter, QRect(box.left() + 18, box.center().y() - 8, 17, 17), Qt.AlignmentFlag.AlignCenter, mode
            )
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(0.92, numbers=True))
        painter.setPen(QColor(c.muted if item.enabled else c.faint))
        right = item.keys or item.group
        width = painter.fontMetrics().horizontalAdvance(right)
        painter.drawText(QRect(box.right() - width - 20, box.top(), width + 2, box.height()), flags, right)
        painter.setFont(theme.font())
        painter.setPen(QColor(c.text if item.enabled else c.faint))
        room = QRect(box.left() + 46, box.top(), box.width() - width - 84, box.height())
        title = painter.fontMetrics().elidedText(item.title, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, flags, title)
        painter.restore()


class CommandPalette(QDialog):
    """Type, choose with the arrows, Enter does it, Escape leaves."""

    def __init__(self, commands: list[Command], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        name(self, "Command palette")
        self._commands = commands
        self.search = QLineEdit()
        self.search.setPlaceholderText("Type a command, a method or the name of a result")
        self.search.addAction(theme.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.setFont(theme.font(1.1))
        self.search.setMinimumHeight(36)
        name(self.search, "Search commands")
        self.model = _Model()
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setProperty("kind", "page")
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        name(self.list, "Commands")
        self._none = label("Nothing matches", tone="muted")
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._none.setMinimumHeight(60)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(8)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._none)
        self.setStyleSheet(
            f"CommandPalette {{ border: 1px solid {theme.colors().strong}; background: {theme.colors().panel}; }}"
        )
        self.search.textChanged.connect(self._filter)
        self.search.installEventFilter(self)
        self.list.clicked.connect(lambda _: self._run())
        self._room = parent.height() - 240
        self._filter("")
        width = min(640, parent.width() - 80)
        self.setFixedWidth(width)
        self._fit(self.model.rowCount())
        corner = parent.mapToGlobal(parent.rect().topLeft())
        self.move(corner.x() + (parent.width() - width) // 2, corner.y() + 88)

    def _filter(self, text: str) -> None:
        found = matches(text, self._commands)
        self.model.set_items(found)
        self.list.setVisible(bool(found))
        self._fit(len(found))
        self._none.setVisible(not found)
        if found:
            self.list.setCurrentIndex(self.model.index(0))

    def _fit(self, rows: int) -> None:
        """As tall as what was found, within the window."""
        self.list.setFixedHeight(max(34, min(rows * 34 + 4, 12 * 34 + 17, self._room)))
        self.adjustSize()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}
            step = steps.get(Qt.Key(event.key()))
            if step is not None and self.model.rowCount():
                row = max(0, min(self.list.currentIndex().row() + step, self.model.rowCount() - 1))
                self.list.setCurrentIndex(self.model.index(row))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().showEvent(event)
        self.search.setFocus()

    def _run(self) -> None:
        index = self.list.currentIndex()
        if not index.isValid():
            return
        command: Command = index.data(ITEM_ROLE)
        if command.enabled:
            self.accept()
            command.act()
