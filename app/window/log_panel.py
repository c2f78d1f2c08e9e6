"""The program's log, as a panel."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QLineEdit, QTableView, QVBoxLayout, QWidget

from app import theme
from app.window.widgets import name, push_button


class LogPanel(QWidget):
    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__()
        name(self, "Log")
        self._model = model
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(model)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.table = QTableView()
        self.table.setModel(self._proxy)
        self.table.setProperty("kind", "page")
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setFont(theme.mono(0.96))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        name(self.table, "Log lines")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter the log")
        self.filter.setClearButtonEnabled(True)
        name(self.filter, "Filter the log")
        self.filter.textChanged.connect(self._proxy.setFilterFixedString)
        row = QHBoxLayout()
        row.setContentsMargins(8, 8, 8, 6)
        row.setSpacing(8)
        row.addWidget(self.filter, 1)
        row.addWidget(push_button("Copy all", self._copy, icon="copy"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        model.rowsInserted.connect(lambda *_: self.table.scrollToBottom())

    def _copy(self) -> None:
        model = self._proxy
        lines = [
            "  ".join(str(model.index(r, c).data() or "") for c in range(model.columnCount()))
            for r in range(model.rowCount())
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))
