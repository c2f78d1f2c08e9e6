"""The 3D view: meshes, contours, point clouds and isosurfaces as layers."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSizeF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app import theme
from app.settings import settings
from app.viewers import (
    field_layers,  # noqa: F401 - adds its kinds of layers
    overlay,
    scene_bar,
    scene_picture,
    scene_state,
    template_layer,  # noqa: F401 - another
)
from app.viewers.box_tool import BoxTool, Host
from app.viewers.camera import DEFAULT, STANDARD_VIEWS, Pose
from app.viewers.capture import ask_for_picture
from app.viewers.field_time import TimeStrip
from app.viewers.framing import Framing, Room
from app.viewers.layer import Layer, Style
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from app.viewers.scalar_units import length_unit
from app.viewers.scene_content import SceneContent
from app.viewers.scene_stage import Stage
from app.viewers.scene_time import SceneTime
from app.viewers.toolbar import ViewBar
from app.viewers.tools import CLICK, Clip, Measure, away, pick

_open: weakref.WeakSet[Scene3D] = weakref.WeakSet()


class Scene3D(QWidget):
    camera_moved = Signal()
    """By the user or by a link; read :attr:`pose`."""
    layers_changed = Signal()
    measured = Signal(float)
    look_changed = Signal()
    clip_moved = Signal()
    time_moved = Signal(float)
    """By the user, by playing or by a link; read :attr:`time`."""
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, bar: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("scene")
        self.setAccessibleName("3D view")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.panel_open = {"wide": True, "narrow": False}
        """As the user left the layer panel, in views of either kind."""
        self._panel_follows = False
        self._settled: dict[str, bool] = {}  # what was there when the camera last followed, and whether it had points

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.stage = Stage(self, self._paint_above)
        self.canvas, self.overlay, self.panel = self.stage.canvas, self.stage.overlay, self.stage.panel
        self.empty, self.notice = self.stage.empty, self.stage.notice
        self.framing = Framing(lambda: self.pose, self.set_pose)
        self.measure = Measure(self.pick, self._tools_changed)
        self.clip = Clip(self.canvas.ray, self.canvas.project, self._clip_changed)
        self._content = SceneContent(self.stage, self.clip, self._content_changed, self)
        self.canvas.tools = [self.clip, self]
        canvas, update = self.canvas, self.overlay.update
        self.box = BoxTool(
            Host(canvas.tools, canvas.ray, canvas.project, self._content_box, update, canvas), self.stage
        )
        self._pressed = QPointF()
        self.bar = ViewBar(self)
        self.parallel: QAction
        self.measure_action: QAction
        self.clip_action: QAction
        self.layers_action: QAction
        self.axis_buttons: QWidget
        scene_bar.fill(self)
        self.bar.setVisible(bar)
        self.clock = SceneTime(self)
        column.addWidget(self.bar)
        column.addWidget(self.stage, 1)
        column.addWidget(self.clock.strip)

        self.stage.resized.connect(self._resized)
        self.panel.style_changed.connect(self._set_style)
        self.canvas.moved.connect(self._camera_moved)
        self.canvas.moving_changed.connect(self.moving_changed)
        self.canvas.double_clicked.connect(self._focus_on)
        self.setFocusProxy(self.canvas)
        theme.signals.changed.connect(self._theme_changed)
        _open.add(self)
        _close_at_quit()
        self._theme_changed()
        self._content_changed()

    # ---- what the bar does ---
    def set_parallel(self, on: bool) -> None:
        automatic = self.framing.is_automatic
        self.set_pose(replace(self.pose, parallel=on))
        if automatic:
            self.frame()

    def set_measuring(self, on: bool) -> None:
        self.measure.set_active(on)
        self.canvas.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def set_clipping(self, on: bool) -> None:
        self.clip.active = on
        self.bar.set_shown(self.axis_buttons, on)
        if on:
            self.clip.set_plane(self.clip.bounds.mean(0), self.clip.normal)
        for layer in self.layers.values():
            layer.set_clip(self.clip.plane if on else None)
        self._tools_changed()

    def clip_axis(self, axis: int) -> None:
        self.clip.align(axis)

    def _clip_changed(self) -> None:
        self._tools_changed()
        self.clip_moved.emit()

    def _tools_changed(self) -> None:
        self.canvas.render()
        self.overlay.update()
        if self.measure.distance is not None:
            self.measured.emit(self.measure.distance)

    def set_panel(self, on: bool) -> None:
        if not self._panel_follows:
            kinds_of_view = [self._breadth] if self.isVisible() else list(self.panel_open)
            self.panel_open.update(dict.fromkeys(kinds_of_view, on))
        self._resized()
        self.overlay.update()

    @property
    def _breadth(self) -> str:
        return "narrow" if self.stage.is_narrow else "wide"

    def save_picture(self) -> None:
        ask_for_picture(self)

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Show these and nothing else. The same id with another artifact keeps camera, style and actors."""
        self._content.show(items)
        self._content_changed()

    @property
    def layers(self) -> dict[str, Layer]:
        """By id, in the order in which they were given."""
        return self._content.layers

    def _content_changed(self) -> None:
        before = self._settled
        boxes = [box for layer in self.layers.values() if (box := layer.bounds) is not None]
        if boxes:
            self.clip.bounds = np.stack([np.min([b[0] for b in boxes], 0), np.max([b[1] for b in boxes], 0)])
        else:
            self.framing.forget()
        self.measure.unit = self.unit
        self.empty.setVisible(not self.layers and not self._content.is_busy)
        self.panel.set_layers(self.layers)
        self.arrange()
        self.clock.content_changed()
        self._settled = {key: layer.bounds is not None for key, layer in self.layers.items()}
        if boxes:
            self.framing.follow_content(self.layers.values(), self.room, update=self._settled == before)
        self._look_changed()
        self.layers_changed.emit()

    def toggle_solo(self) -> None:
        """Only the layer that is chosen in the panel; where it is alone already, all."""
        chosen = self.panel.current_id
        if chosen not in self.layers:
            return
        seen = {key for key, layer in self.layers.items() if layer.style.visible}
        wanted = set(self.layers) if seen == {chosen} else {chosen}
        for key, layer in self.layers.items():
            if layer.style.visible != (key in wanted):
                self._set_style(key, replace(layer.style, visible=key in wanted))
        self.panel.set_layers(self.layers)

    def set_style(self, key: str, style: Style) -> None:
        """Change how a layer looks; unknown ids are ignored."""
        self._set_style(key, style)
        self.panel.follow(key)

    def _set_style(self, key: str, style: Style) -> None:
        layer = self.layers.get(key)
        if layer is None:
            return
        self._content.set_style(layer, style)
        self._look_changed()

    def _look_changed(self) -> None:
        peel = any(layer.style.visible and layer.style.opacity < 0.99 for layer in self.layers.values())
        self.canvas.peel = peel
        self.canvas.render()
        self.overlay.update()
        self.look_changed.emit()

    @property
    def saved_styles(self) -> dict[str, Any]:
        """Of layers that are not there now."""
        return self._content.saved_styles

    @saved_styles.setter
    def saved_styles(self, styles: dict[str, Any]) -> None:
        self._content.saved_styles = styles

    @property
    def unit(self) -> str:
        """The unit of length of what is shown, if all agree."""
        found = {length_unit(layer.artifact) for layer in self.layers.values()} - {""}
        return found.pop() if len(found) == 1 else ""

    # ---- camera -------------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose:
        return self.canvas.pose

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        self.canvas.set_pose(pose, moving=moving)

    @property
    def room(self) -> Room:
        """What the picture may fill: neither under the layer panel nor under the colour bars."""
        return Room(self.canvas.width(), self.canvas.height(), max(self.stage.covered, scene_picture.bars_width(self)))

    def frame(self) -> None:
        """Show everything, from the same direction, beside the layer panel."""
        self.framing.frame(self.layers.values(), self.room)

    def look_from(self, view: int) -> None:
        """A standard view, 0 to 5 as in :data:`STANDARD_VIEWS`."""
        _, back, up = STANDARD_VIEWS[view]
        self.set_pose(self.pose.looking_from(back, up))
        self.frame()

    def reset(self) -> None:
        """Camera, tools and layers as at first."""
        self.measure_action.setChecked(False)
        self.clip_action.setChecked(False)
        for layer in self.layers.values():
            layer.set_style(replace(layer.style, visible=True))
        self.set_pose(replace(DEFAULT, parallel=False))
        self.frame()
        self.panel.set_layers(self.layers)
        self._look_changed()

    def _focus_on(self, at: QPointF) -> None:
        found = self.pick(at)
        if found is not None:
            half = self.pose.half_height * 0.6
            self.set_pose(replace(self.pose, focal=found, half_height=half, pivot=None))

    def _camera_moved(self) -> None:
        if self.parallel.isChecked() != self.pose.parallel:
            self.parallel.blockSignals(True)
            self.parallel.setChecked(self.pose.parallel)
            self.parallel.blockSignals(False)
        self.overlay.update()
        self.camera_moved.emit()

    def moving_changed(self, moving: bool) -> None:
        """The camera moves or time goes on, or no more: coarse geometry, or fine."""
        moving = moving or self.canvas.moving or self.clock.strip.playing
        coarse = moving and self.canvas.software and settings().get("motion_quality") != "full"
        for layer in self.layers.values():
            layer.set_moving(coarse)

    # ---- time ---
    @property
    def time_strip(self) -> TimeStrip:
        return self.clock.strip

    @property
    def time(self) -> float:
        return self.clock.strip.time

    def set_time(self, time: float) -> None:
        """Show the time that is nearest to this one."""
        self.clock.strip.set_time(time)

    # ---- tools of the mouse ---
    def pick(self, at: QPointF) -> np.ndarray | None:
        """The visible point (3,) under a widget pixel; contours and points are snapped to."""
        return pick(list(self.layers.values()), self.pose, (self.canvas.width(), self.canvas.height()), at, self.clip)

    # Measuring takes clicks only, so the scene itself is the tool: it looks whether the mouse moved.
    def press(self, at: QPointF) -> bool:
        self._pressed = at
        return False

    def move(self, at: QPointF, held: bool) -> bool:
        return False

    def release(self, at: QPointF) -> bool:
        if self.measure.active and away(at, self._pressed) < CLICK:
            self.measure.click(at)
        return False

    def _content_box(self) -> np.ndarray | None:
        return self.clip.bounds if self.layers else None

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        scene_picture.paint_overlay(self, painter, size, self.pose)
        self.box.paint(painter)

    # ---- painting -----------------------------------------------------------------------------------------
    def colour_bars(self) -> list[overlay.ColourBar]:
        return scene_picture.colour_bars(self.layers.values())

    def set_bars_elsewhere(self, elsewhere: bool) -> None:
        """Whether a legend beside the view has the colour bars."""
        if elsewhere != self.stage.bars_elsewhere:
            self.stage.bars_elsewhere = elsewhere
            self._resized()
            self.overlay.update()

    def pose_for(self, width: int, height: int, *, turning: bool = False) -> Pose:
        return scene_picture.pose_for(self, width, height, turning=turning)

    def picture(self, width: int, height: int, pose: Pose | None = None, supersample: int = 2) -> QImage:
        """The view at any size, with axes, scale and colour bars."""
        return scene_picture.draw(self, width, height, pose or self.pose_for(width, height), supersample)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8."""
        return pixels(self.picture(width, height))

    def arrange(self) -> None:
        """Put the panel where it belongs at this size."""
        if self.layers_action.isChecked() != self.panel_open[self._breadth]:
            self._panel_follows = True
            self.layers_action.setChecked(self.panel_open[self._breadth])
            self._panel_follows = False
        self.stage.arrange(self.layers_action.isChecked() and bool(self.layers))

    def _resized(self) -> None:
        self.arrange()
        self.framing.follow_size(self.layers.values(), self.room)

    def _theme_changed(self) -> None:
        if self.canvas.is_closed:
            return
        found = theme.colors()
        self.canvas.set_gradient(QColor(found.view_bottom).getRgbF()[:3], QColor(found.view_top).getRgbF()[:3])
        for layer in self.layers.values():
            layer.apply()
        self.overlay.update()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            for layer in self.layers.values():
                layer.pixel_scale = self.canvas.devicePixelRatioF()
                layer.apply()
        return super().event(event)

    # ---- state --------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        return scene_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        scene_state.restore(self, state)

    # ---- end ----------------------------------------------------------------------------------------------
    def shutdown(self) -> None:
        """Free the GL context; the view cannot be used again. Safe to call twice."""
        self.box.stop()
        self.clock.strip.clock.stop()
        self._content.stop()
        if not self.canvas.is_closed:
            self.canvas.close()

    def closeEvent(self, event) -> None:
        self.shutdown()
        super().closeEvent(event)


def _close_at_quit() -> None:
    app = QApplication.instance()
    if app is not None and not app.property("fieldwright_scenes"):
        app.setProperty("fieldwright_scenes", True)
        app.aboutToQuit.connect(_close_all)


def _close_all() -> None:
    # A QtInteractor that is still open when the interpreter ends crashes there.
    for scene in list(_open):
        try:
            scene.shutdown()
        except RuntimeError:
            continue
