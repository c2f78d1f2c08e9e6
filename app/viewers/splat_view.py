"""Clouds of Gaussians, drawn by our own rasteriser on a thread of its own.

While the camera moves, pictures are coarse enough to keep coming (:class:`~app.viewers.pace.Pace`); when it
stands still, one of full detail follows. Meshes, points, slices and photos can be shown in the same space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QSizeF, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QImage, QPainter, QUndoStack
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.viewers import path_ink, splat_bar, splat_links, splat_looks, splat_picture, splat_state
from app.viewers.box_tool import BoxTool, Host
from app.viewers.camera import DEFAULT, STANDARD_VIEWS, Pose
from app.viewers.capture import ask_for_picture
from app.viewers.empty_state import EmptyState
from app.viewers.framing import Extent, Framing, Room
from app.viewers.overlay import ColourBar
from app.viewers.path_strip import PathStrip
from app.viewers.picture_canvas import PictureCanvas
from app.viewers.pinhole import LENS, ray_at, seen_at
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from app.viewers.splat_drawing import Drawing
from app.viewers.splat_editing import Editing
from app.viewers.splat_extents import SPLATS, Extents
from app.viewers.splat_flight import Flight
from app.viewers.splat_render import Frame, Look, Request, Splats
from app.viewers.splat_words import BACKGROUNDS, MODES
from app.viewers.toolbar import ViewBar
from engines.blocks.cameras import Camera
from engines.data import CameraPath


class SplatView(QWidget):
    camera_moved = Signal()
    """By the user or by a link; read :attr:`pose`."""
    layers_changed = Signal()
    title_changed = Signal(str)
    drawn = Signal()
    """A new picture is on screen; see :attr:`latest`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("splat-view")
        self.setAccessibleName("Splats")
        self.items: list[Shown] = []
        self.hidden: set[str] = set()
        self.look = Look()
        self.background = "theme"
        self.lens = LENS
        self.solids: Any = None
        self._extents = Extents()
        self.modes: QComboBox
        self.backgrounds: QComboBox
        self.parallel: QAction
        self.size_slider: QSlider
        self.size_label: QLabel
        self.degree_slider: QSlider
        self.degree_label: QLabel
        self.things: QToolButton
        self.path_action: QAction

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        column.addWidget(self.bar)
        self.canvas = PictureCanvas(self, self._paint_above, "splat-canvas", "Splat view")
        self.stage = self.canvas
        """What a picture as on screen is as large as."""
        column.addWidget(self.canvas, 1)
        self.empty = EmptyState(
            self.canvas, "atom", "No splats to show yet",
            "Choose a Gaussian cloud in the project, or train one from photos with Gaussian splatting.",
        )  # fmt: skip
        self.notice = QLabel(self.canvas)
        self.notice.setObjectName("splat-notice")
        self.notice.setAccessibleName("Notice")
        theme.mark(self.notice, kind="chip")
        self.notice.hide()
        self.framing = Framing(lambda: self.pose, self.set_pose)
        self.drawing = Drawing(self)
        self.drawing.drawn.connect(self._tell)
        self.drawing.failed.connect(self._failed)
        self.flight = Flight(self)
        splat_bar.fill(self)
        content = partial(splat_picture.content_box, self)
        self.box = BoxTool(Host(self.canvas.tools, self.ray, self.project, content, self.canvas.update), self.canvas)
        self.editing = Editing(self)
        self.undo_moved = self.editing.editor.undo_stack.indexChanged
        self.offer_edits, self.edit_elsewhere = self.editing.offer, self.editing.offer_elsewhere
        self.start_editing, self.edit_failed = self.editing.start, self.editing.editor.failed
        self.path = PathStrip(self)
        column.addWidget(self.path)
        self.canvas.moved.connect(self._camera_moved)
        self.canvas.moving_changed.connect(self._moving_changed)
        self.canvas.double_clicked.connect(self._focus_on)
        self.canvas.resized.connect(self._resized)
        self.setFocusProxy(self.canvas)
        theme.signals.changed.connect(self._theme_changed)
        splat_links.add(self)
        self._theme_changed()
        self._content_changed()

    # ---- content ------------------------------------------------------------------------------------------
    @property
    def clouds(self) -> tuple[Splats, ...]:
        """Those that are on show and not empty."""
        shown = (item for item in self.items if item.id not in self.hidden)
        return tuple(i.artifact for i in shown if isinstance(i.artifact, SPLATS) and len(i.artifact))

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Show these and nothing else. The same id with another artifact keeps the camera and all settings."""
        before = [item.id for item in self.items]
        self.items = list(items)
        others = [item for item in self.items if not isinstance(item.artifact, (*SPLATS, CameraPath))]
        if others and self.solids is None:
            from app.viewers.splat_solids import Solids

            self.solids = Solids(self._content_changed, self)
        if self.solids is not None:
            self.solids.show(others)
        self._content_changed(update=before == [item.id for item in self.items])
        for item in self.items:
            if isinstance(item.artifact, CameraPath):
                self.path.load(item.artifact)

    def _content_changed(self, update: bool = False) -> None:
        clouds = [item.artifact for item in self.items if isinstance(item.artifact, SPLATS)]
        total = sum(map(len, clouds))
        if self.solids is not None:
            self.solids.hidden = set(self.hidden)
        self.empty.setVisible(not self.items)
        degree = max((round(cloud.sh.shape[1] ** 0.5) - 1 for cloud in clouds), default=3)
        splat_looks.offer_degrees(self, degree)
        splat_bar.fill_things(self, self.things)
        self.bar.set_shown(self.things, sum(not isinstance(i.artifact, CameraPath) for i in self.items) > 1)
        self.drawing.expect(total, anew=not update)
        if total == 0 and clouds:
            self.say("This cloud has no Gaussians.")
        if not self.items:
            self.framing.forget()
            self.say("")
        extents = self.extents()
        if any(len(e.points) for e in extents):
            self.framing.follow_content(extents, self.room, update=update)
        self._count()
        self.ask()
        self.layers_changed.emit()

    def set_shown(self, key: str, on: bool) -> None:
        self.hidden = self.hidden - {key} if on else self.hidden | {key}
        if self.solids is not None:
            self.solids.hidden = set(self.hidden)
        self._count()
        self.ask()

    def extents(self) -> list[Extent]:
        """Of what is on show; of things in the same space only where there are no splats."""
        return self._extents.of(self.items, self.hidden) or [
            Extent(points) for points in (self.solids.extents() if self.solids is not None else [])
        ]

    @property
    def count_text(self) -> str:
        """How many Gaussians are on show."""
        total = sum(map(len, self.clouds))
        return f"{total:,} Gaussian{'s' if total != 1 else ''}" if self.items else ""

    def _count(self) -> None:
        self.canvas.setAccessibleDescription(self.count_text)
        self.canvas.update()

    def say(self, text: str) -> None:
        """A line over the picture, until there is something else to say."""
        self.notice.setText(text)
        self.notice.adjustSize()
        self.notice.move(8, 8)
        self.notice.setVisible(bool(text))

    # ---- pictures on screen -------------------------------------------------------------------------------
    def request(self, width: int, height: int, pose: Pose | None = None) -> Request:
        """What is on show, as a picture of so many pixels."""
        background = splat_picture.background_colours(self.background)
        edit = self.editing.editor.edit
        return Request(self.clouds, pose or self.pose, width, height, self.look, self.lens, background, edit=edit)

    @property
    def latest(self) -> Frame | None:
        """The picture on screen."""
        return self.drawing.latest

    def ask(self) -> None:
        """Have the picture drawn anew."""
        self.drawing.ask()

    def _tell(self) -> None:
        frame = self.latest
        if frame is not None and frame.seen:
            self.say("")
        elif frame is not None and frame.total and frame.is_fine:
            self.say(f"0 of {frame.total:,} Gaussians in view. Press F to show everything.")
        self.drawn.emit()

    def _failed(self, error: BaseException) -> None:
        self.say(f"The cloud cannot be drawn: {error}")

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        if self.items:
            splat_picture.annotate(self, painter, size, self.pose)
        self.editing.editor.paint(painter)
        self.box.paint(painter)
        if self.path.isVisible():
            path_ink.paint(self.path, self, painter, size)

    def path_strip_toggled(self, on: bool) -> None:
        self.path.set_open(on)

    def colour_bars(self) -> list[ColourBar]:
        return splat_picture.colour_bars(self)

    @property
    def unit(self) -> str:
        found = {getattr(item.artifact, "unit", "") for item in self.items} - {""}
        return found.pop() if len(found) == 1 else ""

    # ---- what the bar does --------------------------------------------------------------------------------
    def set_mode(self, mode: str) -> None:
        splat_looks.set_mode(self, mode)

    def next_mode(self) -> None:
        self.set_mode(splat_looks.after(MODES, self.look.mode))

    def set_background(self, background: str) -> None:
        if background in BACKGROUNDS:
            self.background = background
            self.backgrounds.setCurrentIndex(self.backgrounds.findData(background))
            self._theme_changed()

    def next_background(self) -> None:
        self.set_background(splat_looks.after(BACKGROUNDS, self.background))

    def set_size(self, size: float) -> None:
        """Factor on the standard deviations, 0.05 to 2."""
        splat_looks.set_size(self, size)

    def set_degree(self, degree: int) -> None:
        splat_looks.set_degree(self, degree)

    def save_picture(self) -> None:
        ask_for_picture(self)

    @property
    def undo_stack(self) -> QUndoStack | None:
        """Of what is chosen and pulled in the edit mode, or of the camera path while it is put together."""
        if self.editing.editor.is_active:
            return self.editing.editor.undo_stack
        return self.path.undo_stack if self.path.isVisible() else None

    # ---- camera -------------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose:
        return self.canvas.pose

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        if moving:
            self.flight.stop()
        self.canvas.set_pose(pose, moving=moving)

    @property
    def room(self) -> Room:
        return splat_picture.room(self, self.canvas.width(), self.canvas.height())

    def frame(self) -> None:
        """Show everything, from the same direction."""
        self.lens = LENS
        self.framing.frame(self.extents(), self.room)

    def look_from(self, view: int) -> None:
        """A standard view, 0 to 5 as in :data:`STANDARD_VIEWS`."""
        _, back, up = STANDARD_VIEWS[view]
        self.set_pose(self.pose.looking_from(back, up))
        self.frame()

    def set_parallel(self, on: bool) -> None:
        automatic = self.framing.is_automatic
        self.set_pose(replace(self.pose, parallel=on))
        if automatic:
            self.frame()

    def reset(self) -> None:
        """Camera and look as at first."""
        self.hidden = set()
        self.look = Look()
        self.set_mode("colour")
        self.set_background("theme")
        self.set_pose(replace(DEFAULT, parallel=False))
        self.frame()
        self._content_changed()

    def fly_to(self, camera: Camera, depth: float | None = None) -> None:
        """To where a photo was taken; ``depth`` is what to turn about then, in world units."""
        self.flight.start(camera, depth)

    def _focus_on(self, at: QPointF) -> None:
        found = self.pick(at)
        if found is not None:
            self.set_pose(replace(self.pose, focal=found, half_height=self.pose.half_height * 0.6, pivot=None))

    def pick(self, at: QPointF) -> np.ndarray | None:
        """The point (3,) that is seen under a widget pixel, or None."""
        inside = self.canvas.rect().contains(at.toPoint())
        share = (at.x() / self.canvas.width(), at.y() / self.canvas.height())
        return splat_picture.point_at(self.latest, share) if inside else None

    def project(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) world points to widget pixels x and y, and depth."""
        return seen_at(points, self.pose, self.canvas.width(), self.canvas.height(), self.lens)

    def ray(self, at: QPointF) -> tuple[np.ndarray, np.ndarray]:
        """Origin and direction of the line of sight through a widget pixel."""
        return ray_at(at.x(), at.y(), self.pose, self.canvas.width(), self.canvas.height(), self.lens)

    def in_sight(self, points: np.ndarray, slack: float) -> np.ndarray:
        """(n,) which world points (n, 3) are not further than ``slack`` behind the splats."""
        return splat_picture.in_sight(self.latest, points, slack)

    def _camera_moved(self) -> None:
        if self.parallel.isChecked() != self.pose.parallel:
            self.parallel.blockSignals(True)
            self.parallel.setChecked(self.pose.parallel)
            self.parallel.blockSignals(False)
        self.ask()
        self.camera_moved.emit()

    def _moving_changed(self, moving: bool) -> None:
        if not moving:
            self.drawing.refine()

    def _resized(self) -> None:
        self.empty.setGeometry(self.canvas.rect())
        extents = self.extents()
        if any(len(e.points) for e in extents):
            self.framing.follow_size(extents, self.room)
        self.ask()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self, self.drawing.catch_up)

    def _theme_changed(self) -> None:
        if self.canvas.is_closed:
            return
        self.editing.editor.recolour()
        top, bottom = (QColor.fromRgbF(*c) for c in splat_picture.background_colours(self.background))
        self.canvas.set_background(top, bottom)
        self.ask()

    # ---- pictures of any size -----------------------------------------------------------------------------
    def pose_for(self, width: int, height: int, *, turning: bool = False) -> Pose:
        return splat_picture.pose_for(self, width, height, turning=turning)

    def picture(self, width: int, height: int, pose: Pose | None = None) -> QImage:
        """The view at any size, with axes, scale and colour bar."""
        return splat_picture.draw(self, width, height, pose or self.pose_for(width, height))

    def screenshot(self, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8."""
        return pixels(self.picture(width, height))

    # ---- state --------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        return splat_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        splat_state.restore(self, state)

    # ---- end ----------------------------------------------------------------------------------------------
    def closeEvent(self, event) -> None:
        self.canvas.is_closed = True
        self.editing.editor.end()
        self.path.clock.stop()
        self.box.stop()
        self.flight.stop()
        self.drawing.stop()
        if self.solids is not None:
            self.solids.stop()
        super().closeEvent(event)
