"""Sections of a volume or a field, with the contours that it was made from on top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QImage, QPainter
from PySide6.QtWidgets import QComboBox, QLineEdit, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import colour_row, plotting, sections, slice_bar, slice_legend, slice_state, slice_words
from app.viewers.capture import ask_for_picture
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.slice_grids import Grids
from app.viewers.slice_parts import Foot, Lines, Viewport
from app.viewers.slice_range import Window
from app.viewers.slice_start import PLANES, start
from app.viewers.toolbar import ViewBar, on_key
from engines.data import GridField, Slices, Volume


class SliceView(QWidget):
    title_changed = Signal(str)
    slice_changed = Signal()
    fields: QComboBox
    cmaps: QComboBox
    low: QLineEdit
    high: QLineEdit
    colours: QWidget
    axis_actions: list[QAction]
    fit_action: QAction
    line_action: QAction
    contour_action: QAction
    sigmoid_action: QAction
    smooth_action: QAction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("slice-view")
        self.setAccessibleName("Slice view")
        self._grids = Grids()
        self._slices: Slices | None = None
        self.grid_id = ""
        self._axis = 2
        self._axis_chosen = False  # by the user, a saved state or the input
        self._follows_input = False  # the cut is on an input plane, until somebody moves it
        self.places: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.window_of_values = Window()
        self._framed_for: Any = None
        self._follows = True  # the whole section is shown until the user zooms or pans
        self.section: sections.Section | None = None
        self._drawn: sections.Section | None = None  # as finely as it is drawn
        self._has_input, self._input_away = False, 0.0  # contours drawn, and how far their plane is from the section
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        slice_bar.fill(self)
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "slice",
            "No volume or field to cut",
            "Choose a volume, or a field in space at one time. The field view cuts those that change in time.",
        )
        self.graphics = Viewport(self)
        self._make_plot()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.graphics)
        column.addWidget(body, 1)
        self.legend = slice_legend.SliceLegend(self)
        column.addWidget(self.legend)
        self.foot = Foot(self)
        self.slider, self.position, self.readout = self.foot.slider, self.foot.position, self.foot.readout
        self.slider.valueChanged.connect(self._moved)
        column.addWidget(self.foot)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self.content_changed()

    def _make_plot(self) -> None:
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.image = pg.ImageItem(axisOrder="row-major")
        self.plot.addItem(self.image)
        self.lines = Lines(self.plot)
        self.level_line, self.loops = self.lines.level, self.lines.loops
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.graphics.wheeled.connect(self.step)
        for key, by in (("Up", 1), ("PgUp", 1), ("Down", -1), ("PgDown", -1)):
            on_key(self.graphics, key, partial(self.step, by))
        self.plot.vb.mouseDragEvent = self._dragged
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.plot.vb.sigResized.connect(lambda *_: self.fit() if self._follows else None)
        self.plot.vb.sigRangeChanged.connect(lambda *_: self.lines.mark_vertices())

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._grids.show(items)
        self._slices = next((item.artifact for item in items if isinstance(item.artifact, Slices)), None)
        self.content_changed()

    @property
    def grid(self) -> Volume | GridField | None:
        return self._grids.grid(self.grid_id)

    @property
    def is_label(self) -> bool:
        return isinstance(self.grid, Volume) and self.grid.is_label

    @property
    def unit(self) -> str:
        """Of lengths: a field that does not know it was made from contours that may."""
        return slice_words.length_unit(self.grid) or (self._slices.unit if self._slices is not None else "")

    def content_changed(self) -> None:
        """Show what there is now, with the tools that go with it."""
        self.fields.clear()
        for choice in self._grids.choices:
            self.fields.addItem(choice.name, choice.id)
        self.fields.setCurrentIndex(max(0, self.fields.findData(self.grid_id)))
        self.bar.set_shown(self.fields.parentWidget(), len(self._grids.choices) > 1)
        grid = self.grid
        has_planes = self._slices is not None
        if not has_planes and self._axis == PLANES:
            self._axis = 2
        self.axis_actions[PLANES].setVisible(has_planes)
        self.contour_action.setVisible(has_planes)
        is_field = isinstance(grid, GridField)
        self.line_action.setVisible(is_field and slice_words.has_level(grid))
        self.sigmoid_action.setVisible(is_field and "logit" in grid.quantity.lower())
        self.bar.set_shown(self.colours, grid is not None and not self.is_label)
        for widget in (self.foot, self.bar, self.legend):
            widget.setVisible(grid is not None)
        self._stack.setCurrentWidget(self.graphics if grid is not None else self.empty)
        if grid is not None:
            self._choose_axis(grid)
            self._set_slider()
            self.redraw()

    def _choose_axis(self, grid: Volume | GridField) -> None:
        """Cut as the input was cut until somebody chooses, and on the same input plane when the grid gets finer."""
        if self._slices is None or (self._axis_chosen and not self._follows_input):
            return
        self._axis_chosen = self._follows_input = True
        axis, index = start(grid, self._slices)
        self._axis = axis
        if index is not None:
            self.places[axis] = index
            self.counts[axis] = self._count_along(axis)

    def _count_along(self, axis: int) -> int:
        planes = axis == PLANES and self._slices is not None
        return self._slices.plane_count if planes else self.grid.values.shape[axis]

    def choose_field(self, key: str) -> None:
        self.grid_id = key
        self.content_changed()

    # ---- where the cut is ---------------------------------------------------------------------------------
    @property
    def axis(self) -> int:
        """0, 1, 2, or :data:`PLANES`."""
        return self._axis

    def set_axis(self, axis: int) -> None:
        if axis == self._axis or (axis == PLANES and self._slices is None):
            return
        self.take_axis(axis)
        self._set_slider()
        self.redraw()

    def take_axis(self, axis: int) -> None:
        """Cut across this axis from the next drawing on, whatever the input suggests."""
        self._axis, self._axis_chosen, self._follows_input = axis, True, False

    def step(self, by: int) -> None:
        self.slider.setValue(self.slider.value() + by)

    def _set_slider(self) -> None:
        self.axis_actions[self._axis].setChecked(True)
        if self.grid is None:
            return
        planes, count = self._axis == PLANES and self._slices is not None, self._count_along(self._axis)
        if self._axis not in self.places:
            # The cut through most of the object; kept while a preview grows, so that the picture does not jump.
            first = sections.fullest_plane(self._slices) if planes else sections.fullest(self.grid, self._axis)
            self.places[self._axis], self.counts[self._axis] = first, count
        place, before = self.places[self._axis], self.counts.get(self._axis, count)
        if before != count:
            place = self.places[self._axis] = round(place * (count - 1) / max(before - 1, 1))  # the same position
        self.counts[self._axis] = count
        place = min(place, count - 1)
        self.slider.blockSignals(True)
        self.slider.setRange(0, count - 1)
        self.slider.setPageStep(max(1, count // 10))
        self.slider.setValue(place)
        self.slider.blockSignals(False)

    def _moved(self, place: int) -> None:
        self._follows_input = False
        self.places[self._axis] = place
        self.redraw()
        self.slice_changed.emit()

    # ---- drawing ------------------------------------------------------------------------------------------
    @property
    def _as_probability(self) -> bool:
        return self.sigmoid_action.isVisible() and self.sigmoid_action.isChecked()

    def redraw(self) -> None:
        grid = self.grid
        if grid is None:
            return
        if self._axis == PLANES and self._slices is not None:
            smooth = self.smooth_action.isChecked()
            section = sections.on_plane(grid, self._slices, self.slider.value(), smooth=smooth)
        else:
            section = sections.across(grid, self._axis, self.slider.value())
        self.section = section
        drawn = sections.refined(section) if self.smooth_action.isChecked() and not self.is_label else section
        self._drawn = drawn
        shown = sections.sigmoid(drawn.values) if self._as_probability else drawn.values
        name, low, high = self.window_of_values.of(grid, self._as_probability)
        rgba = sections.label_colours(shown) if self.is_label else sections.colours(shown, name, low, high)
        self.image.setImage(rgba, autoLevels=False)
        self.image.setRect(QRectF(*section.rect))
        self.graphics.limit_ticks(section.rect)
        colour_row.show_range(self, low, high)
        self._draw_lines(section, grid)
        self._say_position()
        self.legend.set_entries(self._legend_entries(name, low, high))
        key = (self._axis, section.rect if self._axis != PLANES else self.slider.value(), type(grid))
        if key != self._framed_for:
            self._framed_for = key
            self.fit()

    def _draw_lines(self, section: sections.Section, grid: Volume | GridField) -> None:
        lines: list[np.ndarray] = []
        if isinstance(grid, GridField) and self.line_action.isChecked():
            level = grid.level if grid.level is not None else 0.0
            lines = sections.level_lines(section, level)
        self.lines.set_level(lines)
        loops: list[np.ndarray] = []
        self._input_away = 0.0
        if self._slices is not None and self.contour_action.isChecked():
            step = abs(sections.axes_of(grid)[self._axis].step) / 2 if self._axis != PLANES else 0.0
            tolerance = max(step, 1e-6 * max(section.rect[2:]))
            loops, self._input_away = sections.contours_near(self._slices, section, tolerance)
        self._has_input = bool(loops)
        self.lines.set_loops(loops, self._input_away > 0)

    def _legend_entries(self, name: str, low: float, high: float) -> list[slice_legend.Entry]:
        grid, window = self.grid, self.window_of_values
        whole = self._as_probability and window.low is None and window.high is None
        found = slice_words.colours(grid, self.section, name, low, high, probability=whole)
        if isinstance(grid, GridField) and self.line_action.isVisible() and self.line_action.isChecked():
            found.append(slice_words.level_line(grid))
        if self._has_input:
            found.append(slice_words.input_line(self._input_away, self.unit))
        return found

    def _say_position(self) -> None:
        place, count = self.slider.value(), self.slider.maximum() + 1
        if self._axis == PLANES:
            self.position.setText(f"Plane {place + 1} of {count}")
        else:
            self.position.setText(slice_words.position(self.grid, self._axis, place, count, self.unit))

    def _hover(self, at: QPointF) -> None:
        if self.section is None or not self.plot.vb.sceneBoundingRect().contains(at):
            self.foot.say("")
            return
        point = self.plot.vb.mapSceneToView(at)
        self.foot.say(self.describe(point.x(), point.y()), self.describe(point.x(), point.y(), brief=True))

    def leaveEvent(self, event) -> None:
        self.foot.say("")
        super().leaveEvent(event)

    def describe(self, right: float, up: float, brief: bool = False) -> str:
        """Position (unless ``brief``) and value at a point of the section."""
        value = self._drawn.value(right, up) if self._drawn is not None else None
        if value is None or np.isnan(value):
            return ""
        what = slice_words.value(self.grid, value, probability=self._as_probability, brief=brief)
        if brief:
            return what
        where = ", ".join(number(v, 3) for v in self.section.position(right, up))
        return f"({where}) {self.unit}".rstrip() + f"   {what}"

    # ---- edits --------------------------------------------------------------------------------------------
    def transform_changed(self) -> None:
        self.window_of_values.reset()
        self.redraw()

    def choose_cmap(self, name: str) -> None:
        self.window_of_values.cmap = name
        self.redraw()

    def range_edited(self) -> None:
        colour_row.take_range(self, self.window_of_values, self.redraw)

    def _dragged(self, event, axis=None) -> None:
        """Right drag sets window (across) and level (up), as radiologists know it; the rest pans."""
        if event.button() != Qt.MouseButton.RightButton or self.is_label or self.grid is None:
            pg.ViewBox.mouseDragEvent(self.plot.vb, event, axis)
            return
        event.accept()
        _, low, high = self.window_of_values.of(self.grid, self._as_probability)
        delta = event.pos() - event.lastPos()
        width = (high - low) * float(np.exp(delta.x() / 200))
        centre = (low + high) / 2 + (high - low) * delta.y() / 300
        self.window_of_values.low, self.window_of_values.high = centre - width / 2, centre + width / 2
        self.redraw()

    def fit(self) -> None:
        """Show the whole section, and go on doing so as the view changes its size."""
        self._follows = True
        if self.section is not None:
            self.plot.setRange(QRectF(*self.section.rect), padding=0.03)

    def _theme_changed(self) -> None:
        self.graphics.dress()
        self.lines.set_pens(self.devicePixelRatioF())
        self.redraw()

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        """The section with its legend below it."""
        scale = plotting.scale_of(width)
        foot = round(slice_legend.arrange(self.legend.entries, width / scale)[1] * scale)
        self.lines.set_pens(scale)
        part = plotting.grab(self.graphics, width, max(height - foot, 1))
        self.lines.set_pens(self.devicePixelRatioF())
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(QColor(theme.colors().plot))
        painter = QPainter(image)
        painter.drawImage(0, 0, part)
        painter.translate(0, height - foot)
        painter.scale(scale, scale)
        slice_legend.draw(painter, self.legend.entries, width / scale)
        painter.end()
        return image

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.lines.set_pens(self.devicePixelRatioF())
        return super().event(event)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return slice_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        slice_state.restore(self, state)
