"""Sections of a volume or a field, with the contours that it was made from on top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QLineEdit,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.viewers import colour_maps, plotting, sections
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.slice_parts import Foot, Viewport
from app.viewers.toolbar import ViewBar, on_key
from engines.data import GridField, Slices, Volume

PLANES = 3
"""The fourth way to cut, beside the three axes: along the planes of the input slices."""


class SliceView(QWidget):
    title_changed = Signal(str)
    slice_changed = Signal()

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
        self._cmap = ""
        self._low: float | None = None
        self._high: float | None = None
        self._auto: tuple[Any, str, tuple[float, float]] = (None, "viridis", (0.0, 1.0))
        self._framed_for: Any = None
        self.section: sections.Section | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._make_bar()
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
        self.foot = Foot(self)
        self.slider, self.position, self.readout = self.foot.slider, self.foot.position, self.foot.readout
        self.slider.valueChanged.connect(self._moved)
        column.addWidget(self.foot)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self._content_changed()

    # ---- parts --------------------------------------------------------------------------------------------
    def _make_bar(self) -> None:
        self.bar = ViewBar(self)
        self.fields = QComboBox(self.bar)
        self.fields.setObjectName("field")
        self.fields.setAccessibleName("Field to show")
        self.fields.activated.connect(lambda _: self._choose_field(self.fields.currentData()))
        self.bar.add(self.fields)
        self._axis_group = QButtonGroup(self)
        for axis, (name, key, tip) in enumerate(
            (
                ("X", "X", "Across X"),
                ("Y", "Y", "Across Y"),
                ("Z", "Z", "Across Z"),
                ("Planes", "I", "Along the planes of the input slices"),
            )
        ):
            action = self.bar.action(
                f"axis-{name.lower()}", name, "slice", lambda axis=axis: self.set_axis(axis), key, button=False
            )
            made = QToolButton(self.bar)
            made.setText(name)
            made.setCheckable(True)
            made.setAutoRaise(True)
            made.setToolTip(f"{tip} ({key})")
            made.setAccessibleName(tip)
            made.setObjectName(f"{action.objectName()}-button")
            made.clicked.connect(lambda _=False, axis=axis: self.set_axis(axis))
            self._axis_group.addButton(made, axis)
            self.bar.add(made)
        self.bar.gap()
        self.fit_action = self.bar.action("fit", "Show everything", "frame", self.fit, "F")
        self.line_action = self.bar.action(
            "level-line",
            "Level line",
            "path",
            lambda _: self._redraw(),
            "V",
            checkable=True,
            checked=True,
            help="Where the field crosses its level.",
        )
        self.contour_action = self.bar.action(
            "contours", "Input contours", "Slices", lambda _: self._redraw(), "N", checkable=True, checked=True
        )
        self.sigmoid_action = self.bar.action(
            "sigmoid",
            "Probability instead of logit",
            "slice",
            lambda _: self._transform_changed(),
            "B",
            checkable=True,
            words="Probability",
        )
        self.bar.stretch()
        self.cmaps = QComboBox(self.bar)
        self.cmaps.setObjectName("cmap")
        self.cmaps.setAccessibleName("Colour map")
        self.cmaps.addItem("Automatic", "")
        for key, title in colour_maps.MAPS.items():
            self.cmaps.addItem(title, key)
        self.cmaps.activated.connect(lambda _: self._choose_cmap(self.cmaps.currentData()))
        self.bar.add(self.cmaps)
        self.low, self.high = QLineEdit(self.bar), QLineEdit(self.bar)
        for edit, end in ((self.low, "Lowest"), (self.high, "Highest")):
            edit.setFixedWidth(68)
            edit.setObjectName(end.lower())
            edit.setAccessibleName(f"{end} value of the colour map")
            edit.setToolTip(
                f"{end} value shown; empty for automatic. Drag with the right button on the image to change the window."
            )
            edit.setFont(theme.tabular(edit.font()))
            edit.editingFinished.connect(self._range_edited)
            self.bar.add(edit)
        self.bar.action("screenshot", "Save a picture", "camera", self._save_picture, "S")

    def _make_plot(self) -> None:
        self.graphics.setObjectName("section")
        self.graphics.setAccessibleName("Section")
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.plot.setAspectLocked(True)
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.layout.setContentsMargins(8, 8, 16, 6)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.plot.addItem(self.image)
        self.halo = pg.PlotDataItem(connect="finite")
        self.level_line = pg.PlotDataItem(connect="finite")
        self.loops = pg.PlotDataItem(connect="finite")
        for item in (self.halo, self.level_line, self.loops):
            self.plot.addItem(item, ignoreBounds=True)
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.graphics.wheeled.connect(self.step)
        for key, by in (("Up", 1), ("PgUp", 1), ("Down", -1), ("PgDown", -1)):
            on_key(self.graphics, key, partial(self.step, by))
        self.plot.vb.mouseDragEvent = self._dragged

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
        self.fields.setVisible(len(self._grids) > 1)
        grid = self.grid
        has_planes = self._slices is not None
        if not has_planes and self._axis == PLANES:
            self._axis = 2
        self._axis_group.button(PLANES).setVisible(has_planes)
        self.contour_action.setVisible(has_planes)
        is_field = isinstance(grid, GridField)
        is_logit = is_field and "logit" in grid.quantity.lower()
        self.line_action.setVisible(is_field)
        self.sigmoid_action.setVisible(is_logit)
        if is_logit and self._framed_for is None:
            self.sigmoid_action.setChecked(True)
        for widget in (self.cmaps, self.low, self.high):
            widget.setVisible(grid is not None and not self.is_label)
        for widget in (self.foot, self.bar):
            widget.setVisible(grid is not None)
        self._stack.setCurrentWidget(self.graphics if grid is not None else self.empty)
        if grid is not None:
            self._set_slider()
            self._redraw()

    def _choose_field(self, key: str) -> None:
        self._grid_id = key
        self._content_changed()

    # ---- where the cut is ---------------------------------------------------------------------------------
    @property
    def axis(self) -> int:
        """0, 1, 2, or :data:`PLANES`."""
        return self._axis

    def set_axis(self, axis: int) -> None:
        if axis == PLANES and self._slices is None:
            return
        self._axis = axis
        self._set_slider()
        self._redraw()

    def step(self, by: int) -> None:
        self.slider.setValue(self.slider.value() + by)

    def _set_slider(self) -> None:
        self._axis_group.button(self._axis).setChecked(True)
        if self.grid is None:
            return
        planes = self._axis == PLANES and self._slices is not None
        count = self._slices.plane_count if planes else self.grid.values.shape[self._axis]
        place = self._places.get(self._axis, 0 if planes else count // 2)
        before = self._counts.get(self._axis, count)
        if before != count and self._axis in self._places:
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
        self._redraw()
        self.slice_changed.emit()

    # ---- drawing ------------------------------------------------------------------------------------------
    @property
    def _as_probability(self) -> bool:
        return self.sigmoid_action.isVisible() and self.sigmoid_action.isChecked()

    def _range(self) -> tuple[str, float, float]:
        """Colour map, lowest and highest value in use."""
        grid = self.grid
        if self._as_probability:
            name, (low, high) = "diverging", (0.0, 1.0)
        else:
            if self._auto[0] is not grid:
                values = np.asarray(grid.values)
                some = values.ravel()[:: max(1, values.size // 200_000)]
                name, span = colour_maps.choose(some)
                self._auto = (grid, "grey" if isinstance(grid, Volume) else name, span)
            _, name, (low, high) = self._auto
        name = self._cmap or name
        if name == "diverging" and not self._as_probability:
            edge = max(abs(low), abs(high))
            low, high = -edge, edge
        low = low if self._low is None else self._low
        high = high if self._high is None else self._high
        return name, low, high if high > low else low + 1e-12 + abs(low) * 1e-6

    def _redraw(self) -> None:
        grid = self.grid
        if grid is None:
            return
        if self._axis == PLANES and self._slices is not None:
            section = sections.on_plane(grid, self._slices, self.slider.value())
        else:
            section = sections.across(grid, self._axis, self.slider.value())
        self.section = section
        shown = sections.sigmoid(section.values) if self._as_probability else section.values
        name, low, high = self._range()
        rgba = sections.label_colours(shown) if self.is_label else sections.colours(shown, name, low, high)
        self.image.setImage(rgba, autoLevels=False)
        self.image.setRect(QRectF(*section.rect))
        self._set_text(self.low, low)
        self._set_text(self.high, high)
        self._draw_lines(section, grid)
        self._say_position(section)
        key = (self._axis, section.rect if self._axis != PLANES else self.slider.value(), type(grid))
        if key != self._framed_for:
            self._framed_for = key
            self.fit()

    def _draw_lines(self, section: sections.Section, grid: Volume | GridField) -> None:
        lines: list[np.ndarray] = []
        if isinstance(grid, GridField) and self.line_action.isChecked():
            level = grid.level if grid.level is not None else 0.0
            lines = sections.level_lines(section, level)
        self.halo.setData(*sections.joined(lines))
        self.level_line.setData(*sections.joined(lines))
        loops: list[np.ndarray] = []
        if self._slices is not None and self.contour_action.isChecked():
            step = abs(sections.axes_of(grid)[self._axis].step) / 2 if self._axis != PLANES else 0.0
            size = max(section.rect[2:])
            loops = sections.contours_on(self._slices, section, max(step, 1e-6 * size))
        self.loops.setData(*sections.joined(loops))

    def _say_position(self, section: sections.Section) -> None:
        place = self.slider.value()
        if self._axis == PLANES:
            text = f"Plane {place + 1} of {self.slider.maximum() + 1}"
        else:
            at = sections.axes_of(self.grid)[self._axis].position(place)
            text = (
                f"{'XYZ'[self._axis]} = {number(at)} {self.unit}".rstrip()
                + f"   {place + 1} of {self.slider.maximum() + 1}"
            )
        self.position.setText(text)

    def _hover(self, at: QPointF) -> None:
        if self.section is None or not self.plot.vb.sceneBoundingRect().contains(at):
            self.readout.setText("")
            return
        point = self.plot.vb.mapSceneToView(at)
        self.readout.setText(self.describe(point.x(), point.y()))

    def describe(self, right: float, up: float) -> str:
        """Position and value at a point of the section."""
        value = self.section.value(right, up) if self.section is not None else None
        if value is None or np.isnan(value):
            return ""
        where = ", ".join(number(v, 3) for v in self.section.position(right, up))
        if self.is_label:
            what = f"label {round(value)}" if value else "no label"
        elif self._as_probability:
            what = f"logit {number(value, 3)}, probability {number(float(sections.sigmoid(np.array(value))), 2)}"
        else:
            name = self.grid.quantity if isinstance(self.grid, GridField) else "value"
            unit = self.grid.unit if isinstance(self.grid, GridField) else ""
            what = f"{name} {number(value)} {unit}".rstrip()
        return f"({where}) {self.unit}".rstrip() + f"   {what}"

    # ---- edits --------------------------------------------------------------------------------------------
    def _transform_changed(self) -> None:
        self._low = self._high = None
        self._redraw()

    def _choose_cmap(self, name: str) -> None:
        self._cmap = name
        self._redraw()

    def _range_edited(self) -> None:
        for edit, attribute in ((self.low, "_low"), (self.high, "_high")):
            if edit.isModified():
                try:
                    value = float(edit.text().replace("−", "-").replace(",", "."))
                except ValueError:
                    value = float("nan")
                setattr(self, attribute, value if np.isfinite(value) else None)
                edit.setModified(False)
        self._redraw()

    def _dragged(self, event, axis=None) -> None:
        """Right drag sets window (across) and level (up), as radiologists know it; the rest pans."""
        if event.button() != Qt.MouseButton.RightButton or self.is_label or self.grid is None:
            pg.ViewBox.mouseDragEvent(self.plot.vb, event, axis)
            return
        event.accept()
        _, low, high = self._range()
        delta = event.pos() - event.lastPos()
        width = (high - low) * float(np.exp(delta.x() / 200))
        centre = (low + high) / 2 + (high - low) * delta.y() / 300
        self._low, self._high = centre - width / 2, centre + width / 2
        self._redraw()

    def _set_text(self, edit: QLineEdit, value: float) -> None:
        if not edit.hasFocus() or not edit.isModified():
            edit.setText(number(value, 3).replace("−", "-"))

    def fit(self) -> None:
        if self.section is not None:
            self.plot.setRange(QRectF(*self.section.rect), padding=0.03)

    def _theme_changed(self) -> None:
        plotting.dress(self.plot)
        self._set_pens(self.devicePixelRatioF())

    def _set_pens(self, scale: float) -> None:
        # Pens of plots are as wide in pixels of the screen at every scale: they are told the scale.
        self.halo.setPen(pg.mkPen("#FFFFFFB0", width=4.0 * scale))
        self.level_line.setPen(pg.mkPen("#111418", width=1.8 * scale))
        self.loops.setPen(pg.mkPen("#E69F00", width=2.4 * scale))

    # ---- leaving ------------------------------------------------------------------------------------------
    def _save_picture(self) -> None:
        from app.viewers.capture_dialog import CaptureDialog

        CaptureDialog(self, self.window()).open()

    def picture(self, width: int, height: int) -> QImage:
        self._set_pens(plotting.scale_of(width))
        image = plotting.grab(self.graphics, width, height)
        self._set_pens(self.devicePixelRatioF())
        return image

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._set_pens(self.devicePixelRatioF())
        super().changeEvent(event)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "field": self._grid_id,
            "axis": self._axis,
            "places": {str(axis): place for axis, place in self._places.items()},
            "cmap": self._cmap,
            "range": [self._low, self._high],
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
        if state.get("cmap") in colour_maps.MAPS:
            self._cmap = state["cmap"]
            self.cmaps.setCurrentIndex(max(0, self.cmaps.findData(self._cmap)))
        span = state.get("range")
        if isinstance(span, list) and len(span) == 2:
            ends = [float(v) if isinstance(v, int | float) and np.isfinite(v) else None for v in span]
            self._low, self._high = ends
        for key, action in (("line", self.line_action), ("contours", self.contour_action)):
            if isinstance(state.get(key), bool):
                action.setChecked(state[key])
        if state.get("axis") in (0, 1, 2) or (state.get("axis") == PLANES and self._slices is not None):
            self._axis = state["axis"]
        self._content_changed()
        if isinstance(state.get("probability"), bool):
            self.sigmoid_action.setChecked(state["probability"])
        self._redraw()
