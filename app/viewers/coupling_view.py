"""Plans and cost matrices as pictures, side by side: colours, marginals, order, single entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QComboBox, QLineEdit, QStackedLayout, QVBoxLayout, QWidget

from app.viewers import colour_row, plotting, saved_state
from app.viewers.capture import ask_for_picture
from app.viewers.choices import refill
from app.viewers.coupling_facts import Facts, facts_of
from app.viewers.coupling_pane import CouplingPane, Looks
from app.viewers.empty_state import EmptyState
from app.viewers.field_colours import FieldColours
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.pane_grid import PaneGrid
from app.viewers.plan_pixels import POOLS
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from app.viewers.transport_foot import TransportFoot
from engines.data import CostMatrix, Coupling

MOST = 4
"""Side by side; of more the first are shown, and one can be chosen."""
DEPTH = 1e-8
"""Logarithmic colours end at this share of the largest value: below it lies what a solver leaves behind."""


@dataclass(frozen=True, eq=False)
class _Request:
    items: tuple[Shown, ...]
    by_barycentre: bool


def _prepare(request: _Request, stale: Any) -> list[Facts]:
    return [facts_of(item.artifact, by_barycentre=request.by_barycentre) for item in request.items]


class CouplingView(QWidget):
    title_changed = Signal(str)
    shown = Signal()
    """What was given is on show."""
    bar: ViewBar
    cmaps: QComboBox
    low: QLineEdit
    high: QLineEdit
    log_action: QAction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("coupling-view")
        self.setAccessibleName("Coupling")
        self.items: list[Shown] = []
        self.facts: list[Facts] = []
        self.chosen = ""
        """The id of the only one on show; "": all of them."""
        self.colours = FieldColours()
        self._facts_of: tuple[Shown, ...] = ()
        self._evaluator = LiveEvaluator(_prepare, self, name="coupling")
        self._evaluator.answered.connect(self._prepared)
        self._evaluator.failed.connect(self._failed)
        self._is_new = True
        """Whether nobody has said yet if colours are logarithmic."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self._fill_bar()
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "CostMatrix", "No plan to look at", "Choose a coupling or a cost matrix in the project."
        )
        self._stage = PaneGrid(body, self._make_pane)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._stage)
        column.addWidget(body, 1)
        self.foot = TransportFoot(self)
        column.addWidget(self.foot)
        self._show()

    def _fill_bar(self) -> None:
        bar, act = self.bar, self.bar.action
        self.names = bar.choice("plans", "What to show", "CostMatrix", keep=75)
        self.names.activated.connect(lambda _: self.choose(self.names.currentData()))
        act("fit", "Show everything", "frame", self.fit, "F", keep=60)
        self.log_action = act(
            "log", "Logarithmic colours", "histogram", lambda _: self._recolour(), "G", checkable=True, checked=True,
            words="Log", keep=65,
        )  # fmt: skip
        self.sort_action = act(
            "sort", "Sort by barycentre", "sort", lambda _: self._ask(), "O", checkable=True, keep=62,
            help="Sources along the direction in which the clouds spread most, targets by the mean place of what comes "
            "to them: what belongs together lies along the diagonal.",
        )  # fmt: skip
        self.pools = bar.choice("pool", "What a pixel shows of several entries", "grid-four", keep=30)
        for key, title in POOLS.items():
            self.pools.addItem(title, key)
        self.pools.activated.connect(lambda _: self._recolour())
        bar.stretch()
        colour_row.fill(self)
        for edit in (self.low, self.high):
            edit.setFixedWidth(92)  # masses are small numbers: they come with a power of ten
        act("screenshot", "Save a picture", "camera", self.save_picture, "S", keep=35)

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self.items = [item for item in items if isinstance(item.artifact, Coupling | CostMatrix)]
        self._ask()

    def _ask(self) -> None:
        if not self.items:
            self._evaluator.forget()
            self.facts, self._facts_of = [], ()
            self._show()
            return
        self._stack.setCurrentWidget(self._stage)
        if not self.panes:
            self.foot.show()
            self.foot.say("Preparing…")
        request = _Request(tuple(self.items), self.sort_action.isChecked())
        self._evaluator.ask(request, give_up=False)

    def _failed(self, _: _Request, error: BaseException) -> None:
        self.foot.say(f"This cannot be shown: {error}")

    def _prepared(self, request: _Request, facts: list[Facts]) -> None:
        if not self.items:
            return
        if self._is_new:  # masses span many powers of ten, costs do not
            self._is_new = False
            self.log_action.setChecked(any(isinstance(one.artifact, Coupling) for one in facts))
        self.facts, self._facts_of = facts, request.items
        self.colours.forget()
        self._show()
        self.shown.emit()

    @property
    def shown_facts(self) -> list[tuple[Shown, Facts]]:
        pairs = list(zip(self._facts_of, self.facts, strict=True))
        return ([pair for pair in pairs if pair[0].id == self.chosen] or pairs)[:MOST]

    def _show(self) -> None:
        pairs = self.shown_facts
        self._stack.setCurrentWidget(self._stage if self.items else self.empty)
        for part in (self.bar, self.foot):
            part.setVisible(bool(self.items))
        entries = [("", "All"), *((item.id, item.name) for item in self._facts_of)]
        refill(self.names, entries, self.chosen)
        self.bar.set_shown(self.names.parentWidget(), len(self._facts_of) > 1)
        self._stage.set_count(len(pairs))
        self._link()
        self._recolour()

    @property
    def panes(self) -> list[CouplingPane]:
        return self._stage.panes

    def _make_pane(self, parent: QWidget) -> CouplingPane:
        pane = CouplingPane(parent)
        pane.hovered.connect(self.foot.say_of_point)
        return pane

    def _link(self) -> None:
        """Plans of one shape are zoomed together."""
        pairs = self.shown_facts
        for pane, (_, facts) in zip(self.panes[1:], pairs[1:], strict=False):
            same = facts.matrix.shape == pairs[0][1].matrix.shape
            first = self.panes[0].plot.vb if same else None
            pane.plot.vb.setXLink(first)
            pane.plot.vb.setYLink(first)

    # ---- colours ------------------------------------------------------------------------------------------
    @property
    def looks(self) -> Looks:
        """The same for all that are on show."""
        pairs = self.shown_facts
        if not pairs:
            return Looks()
        spans = np.array([facts.matrix.span for _, facts in pairs])
        low, high = float(spans[:, 0].min()), float(spans[:, 1].max())
        costs = any(isinstance(facts.artifact, CostMatrix) for _, facts in pairs)
        log = self.log_action.isChecked() and low > 0
        pool = self.pools.currentData()
        cmap = self.colours.cmap or ("diverging" if costs and low < 0 < high else "viridis")
        if log:
            low = max(low, DEPTH * high)
        elif not costs:
            low = 0.0
        elif cmap == "diverging":
            high = max(-low, high)
            low = -high
        low = low if self.colours.low is None or (log and self.colours.low <= 0) else self.colours.low
        high = high if self.colours.high is None or (log and self.colours.high <= 0) else self.colours.high
        if high <= low:
            high = low * 1.01 if log else low + 1e-12 + abs(low) * 1e-6
        return Looks(cmap, low, high, log, pool)

    def _recolour(self) -> None:
        looks = self.looks
        pairs = self.shown_facts
        for pane, (item, facts) in zip(self.panes, pairs, strict=False):
            pane.show_facts(facts, looks, item.name)
        colour_row.show_range(self, looks.low, looks.high)
        if len(pairs) == 1 and isinstance(pairs[0][1].artifact, Coupling):
            self.foot.say("   ".join(w for w in (pairs[0][1].artifact.kind, pairs[0][1].words[-1]) if w))
        else:
            self.foot.say("")

    def choose_cmap(self, name: str) -> None:
        self.colours.cmap = name
        self._recolour()

    def range_edited(self) -> None:
        colour_row.take_range(self, self.colours, self._recolour)

    # ---- edits --------------------------------------------------------------------------------------------
    def choose(self, key: str) -> None:
        self.chosen = key
        self._show()

    def fit(self) -> None:
        self._stage.fit()

    @property
    def is_settled(self) -> bool:
        """Whether all is on show as it belongs."""
        return self._evaluator.is_settled and self._stage.is_settled

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self._stage.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def _switches(self) -> dict[str, QAction]:
        return {"log": self.log_action, "sorted": self.sort_action}

    def state(self) -> dict[str, Any]:
        return {
            "plan": self.chosen, "pool": self.pools.currentData(), **saved_state.of_colours(self.colours),
            **saved_state.of_switches(self._switches()),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = saved_state.plain(state)
        self.chosen = state["plan"] if isinstance(state.get("plan"), str) else self.chosen
        pool = state.get("pool")
        if isinstance(pool, str) and pool in POOLS:
            self.pools.setCurrentIndex(self.pools.findData(pool))
        saved_state.restore_colours(self.colours, self.cmaps, state)
        saved_state.restore_switches(self._switches(), state)
        self._is_new = self._is_new and not isinstance(state.get("log"), bool)
        self._ask()

    def closeEvent(self, event: Any) -> None:
        self._evaluator.stop()
        self._stage.stop()
        super().closeEvent(event)


__all__ = ["CouplingView"]
