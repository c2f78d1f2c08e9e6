"""Runs that gave fields, side by side: maps at one scale, errors, scores, curves and params."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import Task, run_in_background
from app.viewers import plotting
from app.viewers.capture import ask_for_picture
from app.viewers.compared import Compared, Judged, differing, heading, joined_scores, judged, standings
from app.viewers.curves_view import CurvesView
from app.viewers.field_view import FieldView
from app.viewers.registry import Shown
from app.viewers.tabbed_split import TabbedSplit
from app.viewers.table_view import TableView
from engines.blocks.pde.comparison import error_over_time
from engines.blocks.pde.field_metrics import difference
from engines.core import Cancelled
from engines.data import Curve, Table

FIELDS, ERRORS = "fields", "errors"


class FieldCompareView(QWidget):
    """Two runs or more. Errors are computed in the background; see :attr:`judged_ready`."""

    title_changed = Signal(str)
    judged_ready = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("field-compare-view")
        self.setAccessibleName("Comparison of fields")
        self._runs: list[Compared] = []
        self.judgements: list[Judged] = []
        self._task: Task | None = None
        self._wanted = FIELDS
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_choice())
        self.split = TabbedSplit(self)
        column.addWidget(self.split, 1)
        self.maps = FieldView(self.split)
        self.tabs = self.split.add_tabs("field-compare-tabs")
        self.standings = TableView(self.tabs, bar=False)
        self.over_time = CurvesView(self.tabs)
        self.curves = CurvesView(self.tabs)
        self.scores = TableView(self.tabs, bar=False)
        self.params = TableView(self.tabs, bar=False)
        self.tabs.addTab(self.standings, "Standings")
        self.tabs.addTab(self.over_time, "Error over time")
        self.tabs.addTab(self.curves, "Curves")
        self.tabs.addTab(self.scores, "Scores")
        self.tabs.addTab(self.params, "Params that differ")
        self.split.setSizes([560, 300])

    def _make_choice(self) -> QWidget:
        """The fields themselves, or by how much they are off."""
        row = QWidget(self)
        theme.mark(row, kind="bar")
        line = QHBoxLayout(row)
        line.setContentsMargins(8, 4, 8, 4)
        line.setSpacing(4)
        self._choices = QButtonGroup(self)
        self.choice: dict[str, QToolButton] = {}
        for key, title, tip in (
            (FIELDS, "Fields", "The fields at one scale of colours"),
            (ERRORS, "Errors", "The fields minus the exact solution or the reference, at one scale"),
        ):
            button = QToolButton(row)
            button.setText(title)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setChecked(key == FIELDS)
            button.setAutoRaise(True)
            button.setObjectName(f"compare-{key}")
            button.setAccessibleName(title)
            button.clicked.connect(lambda _, k=key: self.show_maps(k))
            self._choices.addButton(button)
            self.choice[key] = button
            line.addWidget(button)
        self.notice = QLabel(row)
        self.notice.setObjectName("field-compare-notice")
        theme.mark(self.notice, tone="muted")
        line.addStretch(1)
        line.addWidget(self.notice)
        return row

    # ---- content ------------------------------------------------------------------------------------------
    def set_runs(self, runs: Sequence[Compared]) -> None:
        self._runs, self.judgements = list(runs), []
        self.choice[ERRORS].setEnabled(False)
        self.show_maps(FIELDS)
        self.curves.clear()
        for k, run in enumerate(self._runs):
            for name, (steps, values) in run.curves.items():
                self.curves.set_series(name, steps, values, run=heading(self._runs, k))
        for view, table in ((self.params, differing(self._runs)), (self.scores, joined_scores(self._runs))):
            view.show_artifacts([Shown("table", "Table", table)] if table is not None and table.rows else [])
        self._show_standings(standings(self._runs, [Judged() for _ in self._runs]))
        self.notice.setText("Measuring errors…")
        if self._task is not None:
            self._task.cancel()
        self._task = run_in_background(judged, self._runs, done=self._judged, failed=self._failed, owner=self)

    def _judged(self, found: list[Judged]) -> None:
        self._task = None
        self.judgements = found
        why = dict.fromkeys(j.why for j in found if j.why)
        self.notice.setText("; ".join(why).capitalize())
        self._show_standings(standings(self._runs, found))
        known = [(k, j) for k, j in enumerate(found) if j.field is not None and j.truth is not None]
        self.choice[ERRORS].setEnabled(bool(known))
        self._show_over_time(known)
        self.show_maps(self._wanted)
        self.judged_ready.emit()

    def _failed(self, error: BaseException) -> None:
        self._task = None
        if not isinstance(error, Cancelled):
            self.notice.setText(f"Errors could not be measured: {error}")

    def _show_standings(self, table: Table) -> None:
        self.standings.show_artifacts([Shown("standings", "Standings", table)])

    def _show_over_time(self, known: Sequence[tuple[int, Judged]]) -> None:
        self.over_time.clear()
        label = ("t", "")
        for k, one in known:
            if one.field is None or one.truth is None or len(one.field.times) < 2:
                continue
            curve: Curve = error_over_time(one.field, one.truth)
            label = (curve.x_label, "")
            for name, values in curve.series.items():
                self.over_time.set_series(name, curve.x, values, run=heading(self._runs, k))
        self.over_time.y_log.setChecked(True)
        self.over_time.set_labels(*label)
        self.tabs.setTabVisible(self.tabs.indexOf(self.over_time), bool(self.over_time.series))

    def show_maps(self, which: str) -> None:
        """``"fields"`` or ``"errors"``."""
        self._wanted = which
        can = which == FIELDS or self.choice[ERRORS].isEnabled()
        shown = which if can else FIELDS
        self.choice[shown].setChecked(True)
        items = []
        for k, run in enumerate(self._runs):
            title = heading(self._runs, k)
            one = self.judgements[k] if self.judgements else Judged()
            if shown == FIELDS and run.field is not None:
                items.append(Shown(f"field/{k}", title, run.field))
            elif shown == ERRORS and one.field is not None and one.truth is not None:
                items.append(Shown(f"error/{k}", f"{title}, error", difference(one.field, one.truth)))
        if shown == FIELDS and (truth := self._truth()) is not None:
            items.append(truth)
        self.maps.show_artifacts(items)

    def _truth(self) -> Shown | None:
        one = next((j.truth for j in self.judgements if j.truth is not None), None)
        return Shown("truth", one.name or "Exact solution", one) if one is not None else None

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Fields as if runs had given them."""
        from engines.data import SampledField

        self.set_runs([Compared(i.name, field=i.artifact) for i in items if isinstance(i.artifact, SampledField)])

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self.split.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "maps": self.maps.state(), "which": self._wanted, "curves": self.curves.state(), **self.split.state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        if isinstance(state.get("maps"), dict):
            self.maps.restore(state["maps"])
        if isinstance(state.get("curves"), dict):
            self.curves.restore(state["curves"])
        if state.get("which") in (FIELDS, ERRORS):
            self.show_maps(state["which"])
        self.split.restore(state)

    def closeEvent(self, event) -> None:
        if self._task is not None:
            self._task.cancel()
        self.maps.close()
        super().closeEvent(event)
