"""Runs that gave couplings or maps, side by side: how mass moves, the plans, scores, curves and params."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.viewers import plotting, saved_state
from app.viewers.capture import ask_for_picture
from app.viewers.compared import Compared, differing, heading, joined_scores
from app.viewers.coupling_view import CouplingView
from app.viewers.curves_view import CurvesView
from app.viewers.registry import Shown
from app.viewers.tabbed_split import TabbedSplit
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
        self.split = TabbedSplit(self)
        column.addWidget(self.split)
        self.transports = TransportView(self.split)
        self.tabs = self.split.add_tabs("transport-compare-tabs")
        self.plans = CouplingView(self.tabs)
        self.curves = CurvesView(self.tabs)
        self.scores, self.params = TableView(self.tabs, bar=False), TableView(self.tabs, bar=False)
        pages = {"Scores": self.scores, "Plans": self.plans, "Curves": self.curves, "Params that differ": self.params}
        for title, page in pages.items():
            self.tabs.addTab(page, title)
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
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self.split.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "transports": self.transports.state(), "plans": self.plans.state(), "curves": self.curves.state(),
            **self.split.state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = saved_state.plain(state)
        for name, view in (("transports", self.transports), ("plans", self.plans), ("curves", self.curves)):
            if isinstance(state.get(name), dict):
                view.restore(state[name])
        self.split.restore(state)

    def closeEvent(self, event: Any) -> None:
        for view in (self.transports, self.plans, self.curves):
            view.close()
        super().closeEvent(event)


__all__ = ["TransportCompareView"]
