"""Runs that gave couplings or maps, side by side: how mass moves, the plans, scores, curves and params."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from app import theme
from app.viewers import plotting, saved_state
from app.viewers.compared import Compared, differing, heading, joined_scores
from app.viewers.coupling_view import CouplingView
from app.viewers.curves_view import CurvesView
from app.viewers.registry import Shown
from app.viewers.table_view import TableView
from app.viewers.transport_view import TransportView
from engines.data import Coupling, Displacements


class TransportCompareView(QWidget):
    """Two runs or more."""

    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport-compare-view")
        self.setAccessibleName("Comparison of transports")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.split = QSplitter(Qt.Orientation.Vertical, self)
        column.addWidget(self.split)
        self.transports = TransportView(self.split)
        self.tabs = QTabWidget(self.split)
        self.tabs.setObjectName("transport-compare-tabs")
        self.tabs.setDocumentMode(True)
        self.plans = CouplingView(self.tabs)
        self.curves = CurvesView(self.tabs)
        self.scores, self.params = TableView(self.tabs, bar=False), TableView(self.tabs, bar=False)
        pages = {"Scores": self.scores, "Plans": self.plans, "Curves": self.curves, "Params that differ": self.params}
        for title, page in pages.items():
            self.tabs.addTab(page, title)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.split.setSizes([560, 340])

    # ---- content ------------------------------------------------------------------------------------------
    def set_runs(self, runs: Sequence[Compared]) -> None:
        items = [
            Shown(f"run/{k}", heading(runs, k), run.transport)
            for k, run in enumerate(runs)
            if run.transport is not None
        ]
        self.transports.show_artifacts(items)
        plans = [item for item in items if isinstance(item.artifact, Coupling)]
        self.plans.show_artifacts(plans)
        self.tabs.setTabVisible(self.tabs.indexOf(self.plans), bool(plans))
        self.curves.clear()
        for k, run in enumerate(runs):
            for name, (steps, values) in run.curves.items():
                self.curves.set_series(name, steps, values, run=heading(runs, k))
        for view, table in ((self.params, differing(runs)), (self.scores, joined_scores(runs))):
            view.show_artifacts([Shown("table", "Table", table)] if table is not None and table.rows else [])

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Couplings and displacements as if runs had given them."""
        fit = [item for item in items if isinstance(item.artifact, Coupling | Displacements)]
        self.set_runs([Compared(item.name, transport=item.artifact) for item in fit])

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        from app.viewers.capture_dialog import CaptureDialog

        CaptureDialog(self, self.window()).open()

    def picture(self, width: int, height: int) -> QImage:
        """How mass moves above what is in front below it."""
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(theme.colors().panel)
        upper = round(height * 0.62)
        painter = QPainter(image)
        try:
            painter.drawImage(0, 0, self.transports.picture(width, upper))
            shown: Any = self.tabs.currentWidget()
            painter.drawImage(0, upper, shown.picture(width, height - upper))
        finally:
            painter.end()
        return image

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "transports": self.transports.state(), "plans": self.plans.state(), "curves": self.curves.state(),
            "tab": self.tabs.currentIndex(), "sizes": self.split.sizes(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = saved_state.plain(state)
        for name, view in (("transports", self.transports), ("plans", self.plans), ("curves", self.curves)):
            if isinstance(state.get(name), dict):
                view.restore(state[name])
        tab, sizes = state.get("tab"), state.get("sizes")
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(s, int) and s > 0 for s in sizes):
            self.split.setSizes(sizes)

    def closeEvent(self, event: Any) -> None:
        for view in (self.transports, self.plans, self.curves):
            view.close()
        super().closeEvent(event)


__all__ = ["TransportCompareView"]
