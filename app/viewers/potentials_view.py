"""The dual potentials of a coupling: curves over a line, maps or surfaces over grids, colours of points, or sorted."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QAction, QImage, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.viewers import field_colours, plotting, saved_state
from app.viewers.capture import ask_for_picture
from app.viewers.choices import refill
from app.viewers.empty_state import EmptyState
from app.viewers.field_pane import FieldPane
from app.viewers.overlay import ColourBar, number
from app.viewers.potential_plots import PotentialCloud, PotentialCurves
from app.viewers.potential_sides import Side, sides
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from app.viewers.transport_foot import TransportFoot
from engines.data import Coupling

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D

BOTH = (("", "Both sides"), ("source", "Sources"), ("target", "Targets"))
KEYS_OF_VIEW = ("F", "S", "H")


class PotentialsView(QWidget):
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("potentials-view")
        self.setAccessibleName("Potentials")
        self.items: list[Shown] = []
        self.chosen = ""
        self.side = ""
        """The one whose potentials are on show; "": both."""
        self.scene: Scene3D | None = None
        """Made when a surface is first wanted."""
        self._importing: Task | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self._fill_bar()
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "curves",
            "No potentials",
            "Choose a coupling that has them: Sinkhorn, its Newton variants, k-sparse and exact transport give them.",
        )
        self._stage = QWidget(body)
        self._row = QHBoxLayout(self._stage)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(1)
        self.curves = PotentialCurves(self._stage)
        self.curves.hovered.connect(self._hovered)
        self.maps = [FieldPane(self._stage, title) for _, title in BOTH[1:]]
        self.clouds = [PotentialCloud(self._stage) for _ in BOTH[1:]]
        for k, pane in enumerate(self.maps):
            pane.map.hovered.connect(lambda at, k=k: self._hovered_map(k, at))
        self._row.addWidget(self.curves, 1)
        for pair in zip(self.maps, self.clouds, strict=True):
            for pane in pair:
                self._row.addWidget(pane, 1)
        for cloud in self.clouds:
            cloud.hovered.connect(self._hovered)
        self._loading = QLabel("Loading the view…", body)
        self._loading.setContentsMargins(24, 24, 24, 24)
        for page in (self.empty, self._stage, self._loading):
            self._stack.addWidget(page)
        column.addWidget(body, 1)
        self.foot = TransportFoot(self)
        column.addWidget(self.foot)
        theme.signals.changed.connect(self._theme_changed)
        self._show()

    def _fill_bar(self) -> None:
        bar, act = self.bar, self.bar.action
        self.names = bar.choice("couplings", "Coupling to show", "Coupling", keep=75)
        self.names.activated.connect(lambda _: self.choose(self.names.currentData()))
        self.side_choice = bar.choice("side", "Whose potentials", "Coupling", keep=60)
        for key, title in BOTH:
            self.side_choice.addItem(title, key)
        self.side_choice.activated.connect(lambda _: self.choose_side(self.side_choice.currentData()))
        self.fit_action = act("fit", "Show everything", "frame", self.fit, "F", keep=60)
        self.surface_action: QAction = act(
            "surface", "As a surface", "scene", lambda _: self._show(), "H", checkable=True, keep=50,
            help="The potential as a height above the grid.",
        )  # fmt: skip
        bar.stretch()
        act("screenshot", "Save a picture", "camera", self.save_picture, "S", keep=35)

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self.items = [item for item in items if isinstance(item.artifact, Coupling)]
        self._show()

    @property
    def coupling(self) -> Coupling | None:
        found = [item for item in self.items if item.id == self.chosen] or self.items
        return found[0].artifact if found else None

    @property
    def shown_sides(self) -> list[Side]:
        found = sides(self.coupling) if self.coupling is not None else []
        return [side for side in found if side.role == self.side] or found

    def _show(self) -> None:
        shown = self.shown_sides
        entries = [(item.id, item.name) for item in self.items]
        refill(self.names, entries, self.chosen)
        self.bar.set_shown(self.names.parentWidget(), len(self.items) > 1)
        self.bar.setVisible(bool(self.items))
        self.foot.setVisible(bool(shown))
        maps = [side for side in shown if side.form == "map"]
        self.surface_action.setVisible(bool(maps))
        if not shown:
            self._stack.setCurrentWidget(self.empty)
            return
        self.foot.say(self.coupling.kind if self.coupling is not None else "")
        if maps and self.surface_action.isChecked():
            self._show_surfaces(maps)
            return
        self._stack.setCurrentWidget(self._stage)
        lines = [side for side in shown if side.form in ("curve", "sorted")]
        if len({side.form for side in lines}) > 1:  # positions and ranks do not share an axis
            lines = lines[:1]
        self.curves.setVisible(bool(lines))
        if lines:
            self.curves.show_sides(lines)
        for role, pane, cloud in zip(("source", "target"), self.maps, self.clouds, strict=True):
            mine = [side for side in shown if side.role == role]
            form = mine[0].form if mine else ""
            pane.setVisible(form == "map")
            cloud.setVisible(form == "cloud")
            if form == "map":
                self._show_map(mine[0], pane)
            elif form == "cloud":
                cloud.show_side(mine[0], field_colours.span(mine[0].values), _words(mine[0]))

    def _show_map(self, side: Side, pane: FieldPane) -> None:
        shown, colours = side.plane(), field_colours.span(side.values)
        pane.set_known(True)
        pane.map.show_plane(shown, colours, False)
        pane.map.set_pens(self.devicePixelRatioF())
        pane.bar.show_bar(ColourBar("potential", *colours))
        pane.head.say(side.title, _words(side))
        pane.arrange()

    def _show_surfaces(self, maps: Sequence[Side]) -> None:
        if self.scene is None:
            self._stack.setCurrentWidget(self._loading)
            if self._importing is None:
                self._importing = run_in_background(
                    importlib.import_module, "app.viewers.scene", done=self._imported, owner=self
                )
            return
        self._stack.setCurrentWidget(self.scene)
        items = [Shown(side.role, side.title, side.field()) for side in maps]
        self.scene.show_artifacts(items)

    def _imported(self, _: object) -> None:
        from app.viewers.scene import Scene3D

        self._importing = None
        self.scene = Scene3D(self, bar=False)
        for action in self.scene.actions():
            if action.shortcut().toString() in KEYS_OF_VIEW:  # where two have the same, Qt obeys neither
                action.setShortcut(QKeySequence())
        self._stack.addWidget(self.scene)
        self._show()

    # ---- mouse --------------------------------------------------------------------------------------------
    def _hovered(self, text: str) -> None:
        self.foot.say_of_point(text)

    def _hovered_map(self, place: int, at: tuple[float, float] | None) -> None:
        shown = self.maps[place].map.shown
        value = float(shown.at(*at)) if shown is not None and at is not None else np.nan
        text = ""
        if shown is not None and at is not None and np.isfinite(value):
            where = ", ".join(f"{n} = {number(v, 4)}" for n, v in zip(shown.names, at, strict=True))
            text = f"{where}   {BOTH[place + 1][1].lower()}: potential {number(value, 5)}"
        self.foot.say_of_point(text)

    # ---- edits --------------------------------------------------------------------------------------------
    def choose(self, key: str) -> None:
        self.chosen = key
        self._show()

    def choose_side(self, key: str) -> None:
        """Show those of the "source" or the "target", or ("") of both."""
        self.side = key
        self.side_choice.setCurrentIndex(max(0, self.side_choice.findData(key)))
        self._show()

    def fit(self) -> None:
        self.curves.fit()
        for pane in self.maps:
            pane.map.fit()
        for cloud in self.clouds:
            cloud.fit()
        if self.scene is not None:
            self.scene.frame()

    @property
    def is_settled(self) -> bool:
        return self._importing is None

    def _dress(self, scale: float, *, in_picture: bool = False) -> None:
        self.curves.dress(scale, in_picture=in_picture)
        for pane in self.maps:
            pane.map.dress()
            pane.map.set_pens(scale)
        for cloud in self.clouds:
            cloud.dress(scale, in_picture=in_picture)

    def _theme_changed(self) -> None:
        self._dress(self.devicePixelRatioF())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._theme_changed()
        return super().event(event)

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        if self.scene is not None and self._stack.currentWidget() is self.scene:
            return self.scene.picture(width, height)
        scale = plotting.scale_of(width)
        self._dress(scale, in_picture=True)
        try:
            return plotting.grab(self._stack.currentWidget(), width, height, scale)
        finally:
            self._dress(self.devicePixelRatioF())

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {"coupling": self.chosen, "side": self.side, "surface": self.surface_action.isChecked()}

    def restore(self, state: dict[str, Any]) -> None:
        state = saved_state.plain(state)
        self.chosen = state["coupling"] if isinstance(state.get("coupling"), str) else self.chosen
        saved_state.restore_switches({"surface": self.surface_action}, state)
        side = state.get("side")
        self.choose_side(side if side in ("source", "target") else "")

    def closeEvent(self, event: Any) -> None:
        if self._importing is not None:  # a view in space that was made now would never be closed
            self._importing.cancel()
            self._importing = None
        if self.scene is not None:
            self.scene.shutdown()
        super().closeEvent(event)


def _words(side: Side) -> list[str]:
    return [f"min {number(float(side.values.min()))}", f"max {number(float(side.values.max()))}"]


__all__ = ["PotentialsView"]
