"""The gallery: all methods, those that fit the selected data first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.window.widgets import Busy, EmptyState, name
from app.window.wording import in_sentence, with_article
from app.window.workbench import Workbench
from engines.core import FAMILIES, Artifact, Catalog, Method

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
ROLE_WORDS = {"method": "", "baseline": "Baseline", "source": "Source", "preparation": "Preparation"}
ROLE_ICONS = {"method": "method", "baseline": "baseline", "source": "source", "preparation": "preparation"}
ROLE_ORDER = {"method": 0, "preparation": 1, "baseline": 2, "source": 3}


@dataclass(frozen=True)
class Row:
    """A heading (no method), or a method with the reason why it does not fit ("" when it does)."""

    heading: str = ""
    method: Method | None = None
    reason: str = ""


def missing_input(method: Method, chosen: Sequence[type[Artifact]], others: Sequence[type[Artifact]]) -> str:
    """Why a method cannot take what is selected, or "".

    What is selected must be used; the other inputs may come from ``others``.
    """
    if not method.inputs:
        return ""
    if chosen and not any(method.accepts(kind) for kind in chosen):
        return f"Takes {wanted_inputs(method)}, not {in_sentence(chosen[0].title)}"
    have = (*chosen, *others)
    if all(s.optional for s in method.inputs) and not any(method.accepts(kind) for kind in have):
        return f"Needs {wanted_inputs(method)}"  # one of them, whichever
    for spec in method.inputs:
        if not spec.optional and not any(issubclass(kind, spec.type) for kind in have):
            return f"Needs {with_article(spec.type.title)}"
    return ""


def wanted_inputs(method: Method) -> str:
    """What it must have, in words; any one of its inputs where none is a must."""
    needed = [s for s in method.inputs if not s.optional] or list(method.inputs)
    return " or ".join(dict.fromkeys(with_article(s.type.title) for s in needed))


def gallery_rows(
    catalog: Catalog,
    chosen: Sequence[type[Artifact]],
    others: Sequence[type[Artifact]],
    text: str = "",
    family: str = "",
) -> list[Row]:
    """Headings and methods in the order of the gallery."""
    found = [m for m in catalog.search(text) if not family or m.family == family]
    found.sort(key=lambda m: (ROLE_ORDER[m.role], m.title.lower()))
    reasons = {m.key: missing_input(m, chosen, others) for m in found}
    groups = (
        (
            "Fits the selection" if chosen else "Fits this project",
            [m for m in found if m.inputs and not reasons[m.key]],
        ),
        ("Makes a new dataset", [m for m in found if not m.inputs]),
        ("Needs other data", [m for m in found if reasons[m.key]]),
    )
    rows: list[Row] = []
    for heading, members in groups:
        if members:
            rows.append(Row(heading=heading))
            rows += [Row(method=m, reason=reasons[m.key]) for m in members]
    return rows


class GalleryModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def set_rows(self, rows: list[Row]) -> None:
        if rows != self.rows:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.rows[index.row()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.method.title if row.method is not None else row.heading
        if role == Qt.ItemDataRole.ToolTipRole and row.method is not None:
            return f"{row.method.job}\n{row.reason}".strip()
        if role == Qt.ItemDataRole.AccessibleTextRole and row.method is not None:
            return f"{row.method.title}. {row.method.job} {row.reason}".strip()
        return None

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        if self.rows[index.row()].method is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _MethodDelegate(QStyledItemDelegate):
    """Title, role and one or two lines of what it does; the reason instead where it does not fit."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # type: ignore[override]
        row: Row = index.data(ROW_ROLE)
        line = QFontMetrics(option.font).height()
        if row.method is None:
            return QSize(120, line + 18)
        view = self.parent()
        width = view.viewport().width() - 58 if isinstance(view, QAbstractItemView) else 240
        words = row.reason or row.method.job
        box = QFontMetrics(theme.font(0.96)).boundingRect(0, 0, max(width, 80), 999, Qt.TextFlag.TextWordWrap, words)
        return QSize(120, line + min(box.height(), 2 * line + 2) + 20)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # type: ignore[override]
        row: Row = index.data(ROW_ROLE)
        c = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect
        if row.method is None:
            font = theme.font(0.92, bold=True)
            painter.setFont(font)
            painter.setPen(QColor(c.muted))
            painter.drawText(box.adjusted(12, 8, -8, -2), Qt.AlignmentFlag.AlignBottom, row.heading)
            painter.restore()
            return
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.accent_soft if selected else c.hover))
            painter.drawRoundedRect(box.adjusted(4, 1, -4, -1), 6, 6)
        self._paint_method(painter, box, option, row, row.method)
        painter.restore()

    def _paint_method(
        self, painter: QPainter, box: QRect, option: QStyleOptionViewItem, row: Row, method: Method
    ) -> None:
        c = theme.colors()
        fits = not row.reason
        line = QFontMetrics(option.font).height()
        theme.icon(ROLE_ICONS[method.role], "accent" if fits else "faint").paint(
            painter, QRect(box.left() + 14, box.top() + 9, 18, 18)
        )
        inner = box.adjusted(42, 8, -14, -8)
        tag = ROLE_WORDS[method.role] or (str(method.paper.year) if method.paper else "")
        painter.setFont(theme.font(0.9, numbers=True))
        painter.setPen(QColor(c.muted if fits else c.faint))
        width = painter.fontMetrics().horizontalAdvance(tag)
        painter.drawText(QRect(inner.right() - width, inner.top(), width + 1, line), Qt.AlignmentFlag.AlignVCenter, tag)
        title = QRect(inner.left(), inner.top(), inner.width() - width - 8, line)
        painter.setFont(theme.font(bold=True))
        painter.setPen(QColor(c.text if fits else c.muted))
        shown = painter.fontMetrics().elidedText(method.title, Qt.TextElideMode.ElideRight, title.width())
        painter.drawText(title, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.setFont(theme.font(0.96))
        painter.setPen(QColor(c.muted))
        words = QRect(inner.left(), inner.top() + line + 2, inner.width(), 2 * line + 2)
        flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
        text = shortened(method.job if fits else row.reason, painter.fontMetrics(), words.width(), 2)
        painter.setClipRect(words)
        painter.drawText(words, int(flags), text)


def shortened(text: str, metrics: QFontMetrics, width: int, lines: int) -> str:
    """As many whole words as fit in ``lines`` lines, and an ellipsis where some do not."""
    room = QRect(0, 0, width, 1_000_000)
    words = text.split(" ")
    for count in range(len(words), 0, -1):
        shown = text if count == len(words) else " ".join(words[:count]).rstrip(",;") + " …"
        if metrics.boundingRect(room, int(Qt.TextFlag.TextWordWrap), shown).height() <= lines * metrics.lineSpacing():
            return shown
    return ""


class _List(QListView):
    chosen = Signal(object)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class Gallery(QWidget):
    """Search, family, and the list of methods."""

    chosen = Signal(str)

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Method gallery")
        self.bench = bench
        self._chosen_ids: list[str] = []
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search methods")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        name(self.search, "Search methods")
        self.family = QComboBox()
        name(self.family, "Family")
        self.family.addItem("All families", "")
        self.model = GalleryModel()
        self.list = _List()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_MethodDelegate(self.list))
        self.list.setProperty("kind", "page")
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        name(self.list, "Methods")
        self._busy = Busy("Loading the methods")
        self._none = EmptyState(
            "search", "No method matches", "Search for another word or choose all families.", compact=True
        )
        self._stack = QStackedWidget()
        for page in (self._busy, self.list, self._none):
            self._stack.addWidget(page)
        row = QHBoxLayout()
        row.setContentsMargins(8, 8, 8, 4)
        row.setSpacing(6)
        row.addWidget(self.search, 1)
        row.addWidget(self.family)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self._stack, 1)
        self.search.textChanged.connect(self.refresh)
        self.search.returnPressed.connect(self._open_first)
        self.family.currentIndexChanged.connect(self.refresh)
        self.list.clicked.connect(self._choose)
        self.list.chosen.connect(self._choose)
        bench.catalog_loaded.connect(self._loaded)
        bench.project_changed.connect(lambda kind, _: self.refresh() if kind == "artifacts" else None)
        bench.project_replaced.connect(self.refresh)
        theme.signals.changed.connect(self.list.viewport().update)
        if bench.catalog is not None:
            self._loaded()

    def _loaded(self) -> None:
        assert self.bench.catalog is not None
        families = {m.family for m in self.bench.catalog}
        self.family.blockSignals(True)
        for key, title in FAMILIES.items():
            if key in families and self.family.findData(key) < 0:
                self.family.addItem(title, key)
        self.family.blockSignals(False)
        self.family.setVisible(len(families) > 1)
        self.refresh()

    def set_selection(self, ids: Iterable[str]) -> None:
        """The artifacts that a method should fit."""
        self._chosen_ids = list(ids)
        self.refresh()

    def _types(self, ids: Iterable[str]) -> list[type[Artifact]]:
        entries = [self.bench.entry(i) for i in ids]
        kinds = [Artifact.registry[e.type] for e in entries if e is not None and e.type in Artifact.registry]
        return list(dict.fromkeys(kinds))

    def refresh(self) -> None:
        catalog = self.bench.catalog
        if catalog is None:
            return
        everything = self._types(self.bench.project.entries)
        rows = gallery_rows(
            catalog, self._types(self._chosen_ids), everything, self.search.text(), self.family.currentData() or ""
        )
        self.model.set_rows(rows)
        self._stack.setCurrentWidget(self.list if rows else self._none)

    def _choose(self, index: QModelIndex) -> None:
        row: Row = index.data(ROW_ROLE)
        if row.method is not None:
            self.chosen.emit(row.method.key)

    def _open_first(self) -> None:
        first = next((r.method for r in self.model.rows if r.method is not None), None)
        if first is not None:
            self.chosen.emit(first.key)
