"""One transport on show: on a plane or a line, as images, or in space."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.viewers import plotting, transport_crossings, transport_frames
from app.viewers.live_evaluator import PATIENCE, LiveEvaluator
from app.viewers.registry import Shown
from app.viewers.transport_axes import Seen
from app.viewers.transport_content import Journey
from app.viewers.transport_frames import Moment
from app.viewers.transport_images import TransportImages
from app.viewers.transport_ink import Links
from app.viewers.transport_plot import TransportPlot

if TYPE_CHECKING:
    from app.viewers.transport_scene import TransportScene

KEYS_OF_VIEW = ("F", "S", "K", "M", "X", "Space", ",", ".")
"""Of the view around it: where a view in space has the same, Qt would obey neither."""


def _import_scene() -> None:
    importlib.import_module("app.viewers.transport_scene")


class TransportPane(QWidget):
    hovered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # all are as wide as each other
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.heading = QLabel(self)
        self.heading.setContentsMargins(12, 4, 12, 2)
        theme.mark(self.heading, kind="heading")
        column.addWidget(self.heading)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.plot, self.images = TransportPlot(body), TransportImages(body)
        self.scene: TransportScene | None = None
        """Made when there is first something in space."""
        for part in (self.plot, self.images):
            part.hovered.connect(self.hovered)
            self._stack.addWidget(part)
        column.addWidget(body, 1)
        self.journey: Journey | None = None
        self.seen: Seen | None = None
        self.links: Links | None = None
        self.time = 0.0
        self.crossing_text = ""
        self._importing: Task | None = None
        self.evaluator = LiveEvaluator(transport_frames.between, self, name="interpolation")
        self.evaluator.answered.connect(self._between)

    # ---- content ------------------------------------------------------------------------------------------
    def show_journey(
        self, journey: Journey, seen: Seen, links: Links, time: float, *, as_points: bool, crossings: bool,
        heading: bool,
    ) -> None:  # fmt: skip
        self.journey, self.seen, self.links, self.time = journey, seen, links, time
        self.heading.setVisible(heading)
        self.heading.setText(journey.title)
        self.crossing_text = ""
        if seen.in_space:
            self._show_in_space()
            return
        if journey.is_pictures and not as_points:
            self._stack.setCurrentWidget(self.images)
            self.images.show_journey(journey)
            self.images.set_time(time)
        else:
            self._stack.setCurrentWidget(self.plot)
            self.plot.time = time
            self.plot.show_journey(journey, seen, links)
            places, self.crossing_text = np.zeros((0, 2)), ""
            if crossings and journey.arrows and journey.dimensions > 1:
                places, self.crossing_text = transport_crossings.of(links)
            self.plot.set_crossings(places)
        self._ask_between()

    def set_time(self, time: float) -> None:
        self.time = time
        if self.is_in_space:
            self._move_in_space()
        else:
            self.plot.set_time(time)
            self.images.set_time(time)
            self._ask_between()

    @property
    def is_in_space(self) -> bool:
        return self.seen is not None and self.seen.in_space

    def _ask_between(self) -> None:
        journey = self.journey
        if journey is None or not journey.moves:
            self.evaluator.forget()
        elif self._stack.currentWidget() is self.images:
            self.evaluator.ask(Moment(journey, self.time), give_up=False)
        elif self.plot.curves.is_on:
            self.evaluator.ask(Moment(journey, self.time, self.plot.curves.nodes), give_up=False)
        else:
            self.evaluator.forget()

    def _between(self, moment: Moment, values: np.ndarray) -> None:
        if moment.journey is not self.journey:
            return
        if moment.nodes is None:
            self.images.set_between(values, moment.time)
        else:
            self.plot.curves.set_moving(values, moment.time)

    @property
    def is_settled(self) -> bool:
        drawn = self.plot.is_settled or not self.plot.isVisible()
        return drawn and self.evaluator.is_settled and self._importing is None

    # ---- in space -----------------------------------------------------------------------------------------
    def _show_in_space(self) -> None:
        if self.scene is None:
            # The first view in space needs modules that take seconds to import.
            if self._importing is None:
                self._importing = run_in_background(_import_scene, done=self._imported, owner=self)
            return
        assert self.journey is not None
        assert self.seen is not None
        assert self.links is not None
        from app.viewers.transport_layers import Lines, Marks, Travel

        journey, places = self.journey, self.seen.places
        unit, own = journey.unit, [c.colors for c in journey.clouds]
        items = [
            Shown(f"cloud-{k}", cloud.title, Marks(cloud, places[k], unit))  # type: ignore[arg-type]
            for k, cloud in enumerate(journey.clouds)
        ]
        if len(self.links):
            items.append(Shown("links", "Arrows" if journey.arrows else "Links", Lines(self.links, unit)))  # type: ignore[arg-type]
        if journey.moves:
            some = journey.entries.sample
            rows, columns = some.rows, some.columns
            colours = None
            if own[0] is not None and own[1] is not None:
                colours = (own[0][rows, :3].astype(float), own[1][columns, :3].astype(float))
            many = max(len(rows), len(places[0]))
            travel = Travel(places[0][rows], places[1][columns], some.mass, colours, many, unit)
            items.append(Shown("travel", "On the way", travel))  # type: ignore[arg-type]
        self._stack.setCurrentWidget(self.scene)
        self.scene.show_points(journey, self.seen)
        self.scene.show_artifacts(items)
        self._move_in_space()

    def _imported(self, _: object) -> None:
        from app.viewers.transport_scene import TransportScene

        self._importing = None
        if not self.is_in_space:
            return
        self.scene = TransportScene(self)
        self.scene.hovered.connect(self.hovered)
        with QSignalBlocker(self.scene):
            self.scene.restore({"panel": False})
        for action in self.scene.actions():
            if action.shortcut().toString() in KEYS_OF_VIEW:
                action.setShortcut(QKeySequence())
        self._stack.addWidget(self.scene)
        self._show_in_space()

    def _move_in_space(self) -> None:
        from app.viewers.transport_layers import TravelLayer

        layer = self.scene.layers.get("travel") if self.scene is not None else None
        if isinstance(layer, TravelLayer):
            assert self.scene is not None
            layer.set_moment(self.time)
            self.scene.canvas.render()
            self.scene.overlay.update()

    # ---- looks --------------------------------------------------------------------------------------------
    def fit(self) -> None:
        if self.is_in_space and self.scene is not None:
            self.scene.frame()
        self.plot.fit()
        self.images.fit()

    def dress(self) -> None:
        self.plot.dress()
        self.images.dress()

    def begin_picture(self, scale: float) -> None:
        self.plot.begin_picture(scale)

    def end_picture(self) -> None:
        self.plot.end_picture()

    def picture(self, width: int, height: int) -> QImage:
        if self.is_in_space and self.scene is not None:
            return self.scene.picture(width, height)
        part = self._stack.currentWidget()
        scale = plotting.scale_of(width)
        self.begin_picture(scale)
        try:
            return plotting.grab(part, width, height, scale)
        finally:
            self.end_picture()

    def stop(self, patience: float = PATIENCE) -> None:
        """``patience``: seconds to wait for what is drawn beside this thread."""
        if self._importing is not None:  # a view in space that was made now would never be closed
            self._importing.cancel()
            self._importing = None
        self.evaluator.stop(patience)
        self.plot.stop(patience)
        if self.scene is not None:
            self.scene.shutdown()

    def closeEvent(self, event: Any) -> None:
        self.stop()
        super().closeEvent(event)


__all__ = ["TransportPane"]
