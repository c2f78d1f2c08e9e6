"""Fields in space and time: maps with contour lines and flow, curves at points and along lines, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.viewers import colour_row, field_bar, field_facts, field_marks, field_state, plotting
from app.viewers.capture import ask_for_picture
from app.viewers.choices import refill
from app.viewers.empty_state import EmptyState
from app.viewers.field_colours import FieldColours
from app.viewers.field_drawing import Drawing
from app.viewers.field_pane import FieldPane
from app.viewers.field_sources import FieldSource, source_of
from app.viewers.field_stage import FieldStage
from app.viewers.field_time import TimeStrip
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.slice_parts import Foot
from app.viewers.toolbar import ViewBar, on_key
from engines.data import GaussianFeatures

MOST = 6
"""Fields side by side; of more the first are shown, and one can be chosen."""


class FieldView(QWidget):
    title_changed = Signal(str)
    time_moved = Signal(float)
    """By the user, by playing or by a link; read :attr:`strip`."""
    fields: QComboBox
    names: QComboBox
    cmaps: QComboBox
    low: QLineEdit
    high: QLineEdit
    axis_actions: list[QAction]
    fit_action: QAction
    contour_action: QAction
    arrow_action: QAction
    stream_action: QAction
    gaussian_action: QAction
    smooth_action: QAction
    difference_action: QAction
    line_action: QAction
    clear_action: QAction
    facts_action: QAction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("field-view")
        self.setAccessibleName("Field view")
        self.sources: list[FieldSource] = []
        self.overlays: list[Shown] = []
        self.chosen = ""
        """The id of the only field on show; "": all of them."""
        self.key = ""
        self.axis = 2
        self.places: dict[int, float] = {}
        """Of the cut across each axis of a field in three dimensions."""
        self.colours, self.difference_colours, self.speeds = FieldColours(), FieldColours(), FieldColours()
        self.drawing = Drawing(self)
        self.marks = field_marks.Marks(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.strip = TimeStrip(self)
        self.strip.moved.connect(self._time_moved)
        self.strip.clock.playing_changed.connect(lambda on: None if on else self.redraw())
        field_bar.fill(self)
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "SampledField",
            "No field to look at",
            "Choose a field in the project, or solve a problem to get one.",
        )
        self.graphics = FieldStage(body, self._connect)
        self.plots = self.graphics.plots
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.graphics)
        self.facts = field_facts.Facts(body)
        column.addWidget(body, 1)
        self.foot = Foot(self)
        self.slider, self.position_text, self.readout = self.foot.slider, self.foot.position, self.foot.readout
        self.slider.valueChanged.connect(self._cut_moved)
        for plot in self.plots.all:
            plot.hovered.connect(self.foot.say)
        column.addWidget(self.foot)
        column.addWidget(self.strip)
        self.setFocusProxy(self.strip.timeline)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self.content_changed()

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Show these; a field that is on show already keeps what was computed for it."""
        old = {source.id: source for source in self.sources}
        found: list[FieldSource] = []
        for item in items:
            known = old.get(item.id)
            if known is not None and known.artifact is item.artifact:
                known.name = item.name
                found.append(old.pop(item.id))
            elif (made := source_of(item, self)) is not None:
                made.changed.connect(self._source_changed)
                found.append(made)
        for gone in old.values():
            gone.stop()
            gone.deleteLater()
        self.sources = found
        self.overlays = [item for item in items if isinstance(item.artifact, GaussianFeatures)]
        self.content_changed()

    @property
    def shown_sources(self) -> list[FieldSource]:
        found = [source for source in self.sources if source.id == self.chosen] or self.sources
        return [s for s in found if s.dimensions == found[0].dimensions][:MOST] if found else []

    def content_changed(self) -> None:
        """Show what there is now, with the tools that go with it."""
        sources = self.shown_sources
        self._fill_choices()
        self._stack.setCurrentWidget(self.graphics if sources else self.empty)
        for widget in (self.bar, self.foot):
            widget.setVisible(bool(sources))
        clock = max(sources, key=lambda s: len(s.times)) if sources else None
        self.strip.set_times(
            clock.times if clock else None, clock.time_name if clock else "t", clock.time_unit if clock else ""
        )
        self.strip.setVisible(self.strip.has_times)
        dimensions = sources[0].dimensions if sources else 2
        for action in self.axis_actions:
            action.setVisible(dimensions == 3)
        flows = dimensions > 1 and any(len(parts) == dimensions for s in sources for _, *parts in s.vectors)
        for action in (self.arrow_action, self.stream_action):
            action.setVisible(flows)
        self.contour_action.setVisible(dimensions > 1 or self.strip.has_times)
        self.difference_action.setVisible(len(sources) > 1)
        self.line_action.setVisible(dimensions > 1)
        self.smooth_action.setVisible(not self.is_single_curve)
        self.bar.set_shown(self.cmaps.parentWidget(), not self.is_single_curve)
        self.gaussian_action.setVisible(bool(self.overlays))
        if not sources:
            return
        self._make_panes()
        self.graphics.set_pens(self.devicePixelRatioF())
        self._set_slider()
        self.facts.show_facts([source.artifact for source in sources])
        self.redraw()

    def _fill_choices(self) -> None:
        refill(self.fields, [("", "All fields"), *((source.id, source.name) for source in self.sources)], self.chosen)
        self.bar.set_shown(self.fields.parentWidget(), len(self.sources) > 1)
        titles: dict[str, str] = {}
        for source in self.shown_sources:
            titles |= {q.key: q.title for q in source.quantities if q.key not in titles}
        if self.key not in titles:
            self.key = next(iter(titles), "")
        refill(self.names, list(titles.items()), self.key)
        self.bar.set_shown(self.names.parentWidget(), len(titles) > 1)

    @property
    def panes(self) -> list[FieldPane]:
        """The maps on show: one for each field, then one for each difference."""
        return self.graphics.panes

    def _make_panes(self) -> None:
        count = len(self.shown_sources)
        differences = count - 1 if self.difference_action.isChecked() and count > 1 else 0
        self.graphics.set_count(0 if self.is_single_curve else count + differences)

    def _connect(self, pane: FieldPane) -> None:
        pane.map.hovered.connect(partial(self._hover, pane))
        pane.map.clicked.connect(self.marks.pin)
        pane.map.line_drawn.connect(self.marks.draw_line)
        pane.map.drawing_line = self.line_action.isChecked()
        for key, by in (("Up", 1), ("PgUp", 1), ("Down", -1), ("PgDown", -1)):
            on_key(pane.map, key, partial(self._step_cut, by))

    @property
    def is_single_curve(self) -> bool:
        """One dimension, and nothing changes: a curve is all there is."""
        sources = self.shown_sources
        return bool(sources) and sources[0].dimensions == 1 and not self.strip.has_times

    # ---- where the cut is, and when -----------------------------------------------------------------------
    @property
    def position(self) -> float:
        return self.places.get(self.axis, 0.0)

    def set_axis(self, axis: int) -> None:
        if axis != self.axis:
            self.axis = axis
            self.marks.forget_line()
            self._set_slider()
            self.redraw()

    def _set_slider(self) -> None:
        source = self.shown_sources[0]
        in_space = source.dimensions == 3
        self.axis_actions[self.axis].setChecked(True)
        self.foot.set_slider(in_space)
        if not in_space:
            self.position_text.setText(source.artifact.summary())
            return
        nodes = source.nodes(self.axis)
        place = self.places.setdefault(self.axis, float(nodes[len(nodes) // 2]))
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(nodes) - 1)
        self.slider.setPageStep(max(1, len(nodes) // 10))
        self.slider.setValue(int(np.abs(nodes - place).argmin()))
        self.slider.blockSignals(False)
        self._say_position()

    def _step_cut(self, by: int) -> None:
        self.slider.setValue(self.slider.value() + by)

    def _cut_moved(self, index: int) -> None:
        if self.shown_sources:
            self.places[self.axis] = float(self.shown_sources[0].nodes(self.axis)[index])
            self._say_position()
            self.redraw()

    def _say_position(self) -> None:
        source = self.shown_sources[0]
        name, unit = source.coordinates[self.axis], source.length_unit
        of = f"{self.slider.value() + 1} of {self.slider.maximum() + 1}"
        self.position_text.setText(f"{name} = {number(self.position, 4)} {unit}".rstrip() + f"   {of}")

    @property
    def time(self) -> float:
        return self.strip.time

    @property
    def time_strip(self) -> TimeStrip:
        return self.strip

    @property
    def is_settled(self) -> bool:
        """Whether all that is to be seen at this time is there, as fine as it gets."""
        return all(source.is_settled for source in self.shown_sources)

    def set_time(self, time: float) -> None:
        """Show the time that is nearest to this one."""
        self.strip.set_time(time)

    def show_index(self, index: int) -> None:
        """Show one of the times, from 0."""
        self.strip.set_index(index)

    def _time_moved(self, time: float) -> None:
        self.redraw()
        self.time_moved.emit(time)

    # ---- drawing ------------------------------------------------------------------------------------------
    def redraw(self) -> None:
        if not self.shown_sources:
            return
        self._make_panes()
        if self.panes:
            self.drawing.redraw()
        else:
            self.drawing.planes = [
                s.plane(q, self.strip.time, self.axis, 0.0) if (q := s.quantity(self.key)) is not None else None
                for s in self.shown_sources
            ]
        self.marks.redraw()
        _, low, high = self.drawing.colours
        colour_row.show_range(self, low, high)

    def _source_changed(self) -> None:
        self.redraw()

    def _hover(self, pane: FieldPane, at: tuple[float, float] | None) -> None:
        self.foot.say(self.describe(pane, *at) if at is not None else "")

    def describe(self, pane: FieldPane, right: float, up: float) -> str:
        """Position and value at a point of a map; "" outside."""
        shown = pane.map.shown
        value = float(shown.at(right, up)) if shown is not None else np.nan
        if shown is None or np.isnan(value):
            return ""
        where = ", ".join(
            f"{name} = {number(at, 4)} {unit}".rstrip()
            for name, at, unit in zip(shown.names, (right, up), shown.units, strict=True)
        )
        return f"{where}   {shown.title} = {number(value, 5)} {shown.unit}".rstrip()

    # ---- edits --------------------------------------------------------------------------------------------
    def choose_field(self, key: str) -> None:
        self.chosen = key
        self.content_changed()

    def choose_quantity(self, key: str) -> None:
        self.key = key
        self.colours.reset()
        self.names.setCurrentIndex(max(0, self.names.findData(key)))
        self.redraw()

    def choose_cmap(self, name: str) -> None:
        self.colours.cmap = name
        self.redraw()

    def range_edited(self) -> None:
        colour_row.take_range(self, self.colours, self.redraw)

    def set_line_mode(self, on: bool) -> None:
        for pane in self.panes:
            pane.map.drawing_line = on
            pane.map.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def clear_marks(self) -> None:
        self.line_action.setChecked(False)
        self.marks.clear()
        self.redraw()

    def set_facts(self, on: bool) -> None:
        self.facts.set_open(on)

    def fit(self) -> None:
        for pane in self.panes:
            pane.map.fit()

    def _theme_changed(self) -> None:
        self.graphics.dress()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.graphics.set_pens(self.devicePixelRatioF())
        return super().event(event)

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.facts.place()

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        """The maps and the curves below them."""
        scale = plotting.scale_of(width)
        self.graphics.set_pens(scale)
        image = plotting.grab(self.graphics, width, height, scale)
        self.graphics.set_pens(self.devicePixelRatioF())
        return image

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return field_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        field_state.restore(self, state)

    def closeEvent(self, event) -> None:
        self.strip.clock.stop()
        for source in self.sources:
            source.stop()
        super().closeEvent(event)
