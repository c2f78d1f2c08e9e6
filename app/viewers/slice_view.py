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
from app.viewers import colour_maps, plotting, sections, slice_bar, slice_legend
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.plot_axis import short
from app.viewers.registry import Shown
from app.viewers.slice_parts import INPUT, LEVEL, Foot, Lines, Viewport
from app.viewers.slice_range import Window
from app.viewers.toolbar import ViewBar, on_key
from engines.data import GridField, Slices, Volume

PLANES = 3
"""The fourth way to cut, beside the three axes: along the planes of the input slices."""


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

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("slice-view")
        self.setAccessibleName("Slice view")
        self._grids: list[Shown] = []
        self._slices: Slices | None = None
        self._grid_id = ""
        self._axis = 2
        self._places: dict[int, int] = {}
        self._counts: dict[int, int] = {}
        self._window = Window()
        self._framed_for: Any = None
        self._follows = True  # the whole section is shown until the user zooms or pans
        self.section: sections.Section | None = None
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
            "Choose a volume or a field in the project to look at its slices.",
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
        self._content_changed()

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
        self._grids = [item for item in items if isinstance(item.artifact, Volume | GridField)]
        self._slices = next((item.artifact for item in items if isinstance(item.artifact, Slices)), None)
        self._content_changed()

    @property
    def grid(self) -> Volume | GridField | None:
        found = next((item.artifact for item in self._grids if item.id == self._grid_id), None)
        return found if found is not None else (self._grids[0].artifact if self._grids else None)

    @property
    def is_label(self) -> bool:
        return isinstance(self.grid, Volume) and self.grid.is_label

    @property
    def unit(self) -> str:
        grid = self.grid
        return "" if grid is None else grid.length_unit if isinstance(grid, GridField) else grid.unit

    def _content_changed(self) -> None:
        self.fields.clear()
        for item in self._grids:
            self.fields.addItem(item.name, item.id)
        self.fields.setCurrentIndex(max(0, self.fields.findData(self._grid_id)))
        self.bar.set_shown(self.fields.parentWidget(), len(self._grids) > 1)
        grid = self.grid
        has_planes = self._slices is not None
        if not has_planes and self._axis == PLANES:
            self._axis = 2
        self.axis_actions[PLANES].setVisible(has_planes)
        self.contour_action.setVisible(has_planes)
        is_field = isinstance(grid, GridField)
        self.line_action.setVisible(is_field)
        self.sigmoid_action.setVisible(is_field and "logit" in grid.quantity.lower())
        self.bar.set_shown(self.colours, grid is not None and not self.is_label)
        for widget in (self.foot, self.bar, self.legend):
            widget.setVisible(grid is not None)
        self._stack.setCurrentWidget(self.graphics if grid is not None else self.empty)
        if grid is not None:
            self._set_slider()
            self.redraw()

    def choose_field(self, key: str) -> None:
        self._grid_id = key
        self._content_changed()

    # ---- where the cut is ---------------------------------------------------------------------------------
    @property
    def axis(self) -> int:
        """0, 1, 2, or :data:`PLANES`."""
        return self._axis

    def set_axis(self, axis: int) -> None:
        if axis == self._axis or (axis == PLANES and self._slices is None):
            return
        self._axis = axis
        self._set_slider()
        self.redraw()

    def step(self, by: int) -> None:
        self.slider.setValue(self.slider.value() + by)

    def _set_slider(self) -> None:
        self.axis_actions[self._axis].setChecked(True)
        if self.grid is None:
            return
        planes = self._axis == PLANES and self._slices is not None
        count = self._slices.plane_count if planes else self.grid.values.shape[self._axis]
        if self._axis not in self._places:
            # The cut through most of the object; kept while a preview grows, so that the picture does not jump.
            first = sections.fullest_plane(self._slices) if planes else sections.fullest(self.grid, self._axis)
            self._places[self._axis], self._counts[self._axis] = first, count
        place, before = self._places[self._axis], self._counts.get(self._axis, count)
        if before != count:
            place = self._places[self._axis] = round(place * (count - 1) / max(before - 1, 1))  # the same position
        self._counts[self._axis] = count
        place = min(place, count - 1)
        self.slider.blockSignals(True)
        self.slider.setRange(0, count - 1)
        self.slider.setPageStep(max(1, count // 10))
        self.slider.setValue(place)
        self.slider.blockSignals(False)

    def _moved(self, place: int) -> None:
        self._places[self._axis] = place
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
            section = sections.on_plane(grid, self._slices, self.slider.value())
        else:
            section = sections.across(grid, self._axis, self.slider.value())
        self.section = section
        shown = sections.sigmoid(section.values) if self._as_probability else section.values
        name, low, high = self._window.of(grid, self._as_probability)
        rgba = sections.label_colours(shown) if self.is_label else sections.colours(shown, name, low, high)
        self.image.setImage(rgba, autoLevels=False)
        self.image.setRect(QRectF(*section.rect))
        self.graphics.limit_ticks(section.rect)
        self._set_text(self.low, low)
        self._set_text(self.high, high)
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
        if self._slices is not None and self.contour_action.isChecked():
            step = abs(sections.axes_of(grid)[self._axis].step) / 2 if self._axis != PLANES else 0.0
            size = max(section.rect[2:])
            loops = sections.contours_on(self._slices, section, max(step, 1e-6 * size))
        self.lines.set_loops(loops)

    def _legend_entries(self, name: str, low: float, high: float) -> list[slice_legend.Entry]:
        grid = self.grid
        found: list[slice_legend.Entry] = []
        if self.is_label:
            labels = np.unique(self.section.values[np.isfinite(self.section.values)])
            labels = [int(label) for label in labels if label != 0][:8]
            found += [slice_legend.Patch(f"Label {label}", colour_maps.label_colour(label)) for label in labels]
        else:
            ends = [short(low), short(high)]
            unit = grid.unit if isinstance(grid, GridField) else ""
            if self._as_probability and self._window.low is None and self._window.high is None:
                ends = ["inside", "outside"]
            elif sections.is_signed_out(grid) and low < 0 < high:
                ends = [f"inside {ends[0]}", f"{ends[1]} {unit}".rstrip() + " outside"]
            else:
                ends[1] = f"{ends[1]} {unit}".rstrip()
            found.append(slice_legend.Scale(name, *ends))
        if isinstance(grid, GridField) and self.line_action.isChecked():
            found.append(slice_legend.Line("Level", LEVEL, 1.4))
        if self._slices is not None and self.contour_action.isChecked():
            found.append(slice_legend.Line("Input contours", INPUT, 2.8, dots=True))
        return found

    def _say_position(self) -> None:
        place, count = self.slider.value(), self.slider.maximum() + 1
        if self._axis == PLANES:
            text = f"Plane {place + 1} of {count}"
        else:
            at = sections.axes_of(self.grid)[self._axis].position(place)
            text = f"{'XYZ'[self._axis]} = {number(at)} {self.unit}".rstrip() + f"   {place + 1} of {count}"
        self.position.setText(text)

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
        value = self.section.value(right, up) if self.section is not None else None
        if value is None or np.isnan(value):
            return ""
        if self.is_label:
            what = f"label {round(value)}" if value else "no label"
        elif self._as_probability:
            outside = float(sections.sigmoid(np.array(value)))
            side, sure = ("outside", outside) if outside > 0.5 else ("inside", 1 - outside)
            what = f"logit {number(value, 3)}, {side} with probability {number(sure, 3)}"
            what = what.partition(", ")[2] if brief else what
        else:
            name = self.grid.quantity if isinstance(self.grid, GridField) else "value"
            unit = self.grid.unit if isinstance(self.grid, GridField) else ""
            what = f"{name} {number(value)} {unit}".rstrip()
        if brief:
            return what
        where = ", ".join(number(v, 3) for v in self.section.position(right, up))
        return f"({where}) {self.unit}".rstrip() + f"   {what}"

    # ---- edits --------------------------------------------------------------------------------------------
    def transform_changed(self) -> None:
        self._window.reset()
        self.redraw()

    def choose_cmap(self, name: str) -> None:
        self._window.cmap = name
        self.redraw()

    def range_edited(self) -> None:
        for edit, attribute in ((self.low, "low"), (self.high, "high")):
            if edit.isModified():
                try:
                    value = float(edit.text().replace("−", "-").replace(",", "."))
                except ValueError:
                    value = float("nan")
                setattr(self._window, attribute, value if np.isfinite(value) else None)
                edit.setModified(False)
        self.redraw()

    def _dragged(self, event, axis=None) -> None:
        """Right drag sets window (across) and level (up), as radiologists know it; the rest pans."""
        if event.button() != Qt.MouseButton.RightButton or self.is_label or self.grid is None:
            pg.ViewBox.mouseDragEvent(self.plot.vb, event, axis)
            return
        event.accept()
        _, low, high = self._window.of(self.grid, self._as_probability)
        delta = event.pos() - event.lastPos()
        width = (high - low) * float(np.exp(delta.x() / 200))
        centre = (low + high) / 2 + (high - low) * delta.y() / 300
        self._window.low, self._window.high = centre - width / 2, centre + width / 2
        self.redraw()

    def _set_text(self, edit: QLineEdit, value: float) -> None:
        if not edit.hasFocus() or not edit.isModified():
            edit.setText(number(value, 3).replace("−", "-"))

    def fit(self) -> None:
        """Show the whole section, and go on doing so as the view changes its size."""
        self._follows = True
        if self.section is not None:
            self.plot.setRange(QRectF(*self.section.rect), padding=0.03)

    def _theme_changed(self) -> None:
        self.graphics.dress()
        self.lines.set_pens(self.devicePixelRatioF())

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        from app.viewers.capture_dialog import CaptureDialog

        CaptureDialog(self, self.window()).open()

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

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.lines.set_pens(self.devicePixelRatioF())
        super().changeEvent(event)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "field": self._grid_id,
            "axis": self._axis,
            "places": {str(axis): place for axis, place in self._places.items()},
            "cmap": self._window.cmap,
            "range": [self._window.low, self._window.high],
            "probability": self.sigmoid_action.isChecked(),
            "line": self.line_action.isChecked(),
            "contours": self.contour_action.isChecked(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._grid_id = str(state.get("field", ""))
        places = state.get("places")
        if isinstance(places, dict):
            self._places = {
                int(k): max(0, v) for k, v in places.items() if str(k) in "0123" and k and isinstance(v, int)
            }
            self._counts.clear()
        if isinstance(state.get("probability"), bool):
            self.sigmoid_action.setChecked(state["probability"])
        self._window.restore(state.get("cmap"), state.get("range"))
        self.cmaps.setCurrentIndex(max(0, self.cmaps.findData(self._window.cmap)))
        for key, action in (("line", self.line_action), ("contours", self.contour_action)):
            if isinstance(state.get(key), bool):
                action.setChecked(state[key])
        if state.get("axis") in (0, 1, 2) or (state.get("axis") == PLANES and self._slices is not None):
            self._axis = state["axis"]
        self._content_changed()
