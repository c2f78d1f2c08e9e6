"""Tables: sort, copy, numbers in columns, export. A model is shown as the table of its weights."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QImage, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.viewers import plotting
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.data import GaussianFeatures, Model, Table


def weights_table(model: Model) -> Table:
    """Name, shape, count, mean and spread of each weight."""
    arrays = list(model.weights.values())
    numbers = [a.astype(float) if a.dtype.kind in "fiub" and a.size else np.zeros(1) for a in arrays]
    return Table(
        columns={
            "weight": np.array(list(model.weights), dtype=str),
            "shape": np.array([" × ".join(map(str, a.shape)) or "1" for a in arrays], dtype=str),
            "count": np.array([a.size for a in arrays], np.int64),
            "mean": np.array([float(a.mean()) for a in numbers]),
            "standard deviation": np.array([float(a.std()) for a in numbers]),
            "smallest": np.array([float(a.min()) for a in numbers]),
            "largest": np.array([float(a.max()) for a in numbers]),
        },
        name=model.name,
    )


def cell_text(value: Any) -> str:
    """As it is written in a cell: 5 figures, thousands apart, a true minus sign."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        return "–" if np.isnan(value) else number(value, 5)
    return str(value)


class _Rows(QAbstractTableModel):
    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table
        self.names = list(table.columns)
        self.columns = [table.columns[name] for name in self.names]
        self.order = np.arange(table.rows)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.names)

    def is_number(self, column: int) -> bool:
        return self.columns[column].dtype.kind in "fiu"

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = self.columns[index.column()][self.order[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(value)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self.is_number(index.column()) else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return str(section + 1) if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self.is_number(section) else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        name = self.names[section]
        unit = self.table.units.get(name, "")
        return f"{name} ({unit})" if unit else name

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        if 0 <= column < len(self.columns):
            values = self.columns[column]
            place = np.argsort(values, kind="stable")
            if order == Qt.SortOrder.DescendingOrder:
                # What was not measured stays at the end either way.
                missing = np.isnan(values[place]) if values.dtype.kind == "f" else np.zeros(len(place), bool)
                place = np.concatenate([place[~missing][::-1], place[missing]])
            self.order = place
        else:
            self.order = np.arange(self.table.rows)
        self.layoutChanged.emit()

    def rows(self, order: np.ndarray) -> list[list[str]]:
        """Headings and cells with all figures."""
        heads = [self.headerData(k, Qt.Orientation.Horizontal) for k in range(len(self.names))]
        return [heads, *([str(column[row]) for column in self.columns] for row in order)]


class TableView(QWidget):
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, bar: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("table-view")
        self.setAccessibleName("Table")
        self._items: list[Shown] = []
        self._chosen = ""
        self._sort: tuple[int, bool] = (-1, False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self._has_bar = bar
        self.tables = self.bar.choice("tables", "Table to show", "Table")
        self.tables.activated.connect(lambda _: self._choose(self.tables.currentData()))
        self.count = self.bar.text("count", "Number of rows")
        self.bar.stretch()
        self.bar.action(
            "copy", "Copy", "copy", self.copy, "Ctrl+C", help="The chosen cells, or all, for a spreadsheet."
        )
        self.bar.action("export-csv", "Save as CSV", "export", self._ask_export, "E")
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "Table", "No table", "Choose a table in the project, such as the scores of a run."
        )
        self.view = QTableView(self)
        self.view.setObjectName("table")
        self.view.setAccessibleName("Cells")
        self.view.setSortingEnabled(True)
        self.view.setAlternatingRowColors(True)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setFrameShape(QTableView.Shape.NoFrame)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setFont(theme.font(numbers=True))
        self.view.verticalHeader().setDefaultSectionSize(26)
        self.view.verticalHeader().setVisible(False)
        self.view.horizontalHeader().setHighlightSections(False)
        self.view.horizontalHeader().sortIndicatorChanged.connect(self._sorted)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        column.addWidget(body, 1)
        self._rows: _Rows | None = None
        self._show()

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._items = [item for item in items if isinstance(item.artifact, Table | Model | GaussianFeatures)]
        self.tables.clear()
        for item in self._items:
            self.tables.addItem(item.name, item.id)
        self.tables.setCurrentIndex(max(0, self.tables.findData(self._chosen)))
        self.bar.set_shown(self.tables.parentWidget(), len(self._items) > 1)
        self._show()

    @property
    def table(self) -> Table | None:
        found = [item for item in self._items if item.id == self._chosen] or self._items
        if not found:
            return None
        artifact = found[0].artifact
        if isinstance(artifact, GaussianFeatures):
            return artifact.table()
        return weights_table(artifact) if isinstance(artifact, Model) else artifact

    def _choose(self, key: str) -> None:
        self._chosen = key
        self._show()

    def _show(self) -> None:
        table = self.table
        self._stack.setCurrentWidget(self.view if table is not None else self.empty)
        self.bar.setVisible(self._has_bar and table is not None)
        if table is None:
            return
        self.count.setText(f"{table.rows:,} row{'s' if table.rows != 1 else ''}")
        header = self.view.horizontalHeader()
        header.blockSignals(True)
        self._rows = _Rows(table)
        self.view.setModel(self._rows)
        column, descending = self._sort
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.view.sortByColumn(column if column < len(table.columns) else -1, order)
        header.blockSignals(False)
        for k in range(min(len(table.columns), 40)):
            self.view.resizeColumnToContents(k)
            self.view.setColumnWidth(k, min(self.view.columnWidth(k) + 16, 320))

    def _sorted(self, column: int, order: Qt.SortOrder) -> None:
        self._sort = (column, order == Qt.SortOrder.DescendingOrder)

    def copy(self) -> None:
        """The chosen cells (or all) to the clipboard, tab-separated with headings, as the table is sorted."""
        if self._rows is None:
            return
        chosen = self.view.selectionModel().selectedIndexes()
        rows = sorted({i.row() for i in chosen}) or range(len(self._rows.order))
        columns = sorted({i.column() for i in chosen}) or range(len(self._rows.names))
        text = self._rows.rows(self._rows.order[list(rows)])
        if len(chosen) == 1:
            text = text[1:]
        out = io.StringIO()
        csv.writer(out, delimiter="\t", lineterminator="\n").writerows([[row[c] for c in columns] for row in text])
        QGuiApplication.clipboard().setText(out.getvalue().rstrip("\n"))

    def export_csv(self, path: str | Path) -> None:
        """All rows as sorted, with all figures. Raises OSError."""
        if self._rows is not None:
            with Path(path).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(self._rows.rows(self._rows.order))

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save table", "table.csv", "Comma-separated values (*.csv)")
        if path:
            self.export_csv(path)

    def keyPressEvent(self, event) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def picture(self, width: int, height: int) -> QImage:
        if self.table is None:
            image = QImage(width, height, QImage.Format.Format_RGB888)
            image.fill(QColor(theme.colors().plot))
            painter = QPainter(image)
            painter.end()
            return image
        return plotting.grab(self.view, width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {"table": self._chosen, "sort": list(self._sort)}

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._chosen = str(state.get("table", ""))
        sort = state.get("sort")
        if isinstance(sort, list) and len(sort) == 2 and isinstance(sort[0], int):
            self._sort = (max(-1, sort[0]), sort[1] is True)
        self._show()
