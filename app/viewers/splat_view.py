"""Clouds of Gaussians, drawn by our own rasteriser on a thread of its own.

While the camera moves, pictures are coarse enough to keep coming (:class:`~app.viewers.splat_pace.Pace`); when it
stands still, one of full detail follows. Meshes, points, slices and photos can be shown in the same space.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QPointF, QSizeF, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QImage, QPainter
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.background import run_in_background
from app.viewers import overlay, splat_bar, splat_links, splat_state
from app.viewers.camera import DEFAULT, STANDARD_VIEWS, Pose
from app.viewers.colour_maps import rgb
from app.viewers.empty_state import EmptyState
from app.viewers.framing import Framing, Room
from app.viewers.layer import Style
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from app.viewers.splat_camera import LENS, between, camera_of, pose_of
from app.viewers.splat_canvas import SplatCanvas
from app.viewers.splat_pace import Pace
from app.viewers.splat_render import Frame, Look, Request, SplatRenderer, Splats, compose, middle_of
from app.viewers.splat_words import BACKGROUNDS, MODES
from app.viewers.toolbar import ViewBar
from engines.blocks.cameras import Camera
from engines.data import BoundGaussians, GaussianCloud

SPLATS = (GaussianCloud, BoundGaussians)
FLIGHT_SECONDS = 0.5
COARSE_FIRST = 0.35
"""A still picture that takes longer than this many seconds is preceded by one of half the pixels."""


@dataclass(eq=False)
class _Extent:
    """What :class:`Framing` asks of a thing."""

    points: np.ndarray
    style: Style = field(default_factory=Style)

    def extent(self) -> np.ndarray:
        return self.points


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
        self.latest: Frame | None = None
        self.pace = Pace()
        self._renderer = SplatRenderer()
        self._solids: Any = None
        self._known: dict[str, tuple[Any, np.ndarray]] = {}
        self._still_seconds = 0.0
        self._fine_in_hand = False
        self._expected = 0
        self._waits = False  # a picture was wanted while the view was hidden
        self.modes: QComboBox
        self.backgrounds: QComboBox
        self.parallel: QAction
        self.size_slider: QSlider
        self.size_label: QLabel
        self.degree_slider: QSlider
        self.degree_label: QLabel
        self.readout: QLabel
        self.things: QToolButton

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        column.addWidget(self.bar)
        self.canvas = SplatCanvas(self, self._paint_above)
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
        self.evaluator = LiveEvaluator(self._renderer.draw, self, name="splats")
        self.evaluator.answered.connect(self._answered)
        self.evaluator.failed.connect(self._failed)
        self._flight = QTimer(self, interval=15)
        self._flight.timeout.connect(self._fly)
        self._way: tuple[Pose, Pose, float] | None = None
        splat_bar.fill(self)
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
        others = [item for item in self.items if not isinstance(item.artifact, SPLATS)]
        if others and self._solids is None:
            from app.viewers.splat_solids import Solids

            self._solids = Solids(self._content_changed, self)
        if self._solids is not None:
            self._solids.show(others)
        self._content_changed(update=before == [item.id for item in self.items])

    def _content_changed(self, update: bool = False) -> None:
        clouds = [item.artifact for item in self.items if isinstance(item.artifact, SPLATS)]
        total = sum(map(len, clouds))
        if self._solids is not None:
            self._solids.hidden = set(self.hidden)
        self.empty.setVisible(not self.items)
        degree = max((round(cloud.sh.shape[1] ** 0.5) - 1 for cloud in clouds), default=3)
        self._set_degrees(degree)
        splat_bar.fill_things(self, self.things)
        self.bar.set_shown(self.things, len(self.items) > 1)
        if not update or total > 2 * self._expected:
            self.pace.expect(total)
            self._expected = total
        if total == 0 and clouds:
            self._say("This cloud has no Gaussians.")
        if not self.items:
            self.framing.forget()
            self._say("")
        extents = self._extents()
        if any(len(e.points) for e in extents):
            self.framing.follow_content(extents, self.room, update=update)
        self._count()
        self.ask()
        self.layers_changed.emit()

    def set_shown(self, key: str, on: bool) -> None:
        self.hidden = self.hidden - {key} if on else self.hidden | {key}
        if self._solids is not None:
            self._solids.hidden = set(self.hidden)
        self._count()
        self.ask()

    def _extents(self) -> list[Any]:
        known: dict[str, tuple[Any, np.ndarray]] = {}
        for item in self.items:
            if isinstance(item.artifact, SPLATS):
                old = self._known.get(item.id)
                known[item.id] = old if old and old[0] is item.artifact else (item.artifact, middle_of(item.artifact))
        self._known = known
        found = [_Extent(points) for key, (_, points) in known.items() if key not in self.hidden]
        if not found and self._solids is not None:
            found = [_Extent(points) for points in self._solids.extents()]
        return found

    def _count(self) -> None:
        total = sum(map(len, self.clouds))
        self.readout.setText("" if not self.items else f"{total:,} Gaussian{'s' if total != 1 else ''}")

    def _say(self, text: str) -> None:
        self.notice.setText(text)
        self.notice.adjustSize()
        self.notice.move(8, 8)
        self.notice.setVisible(bool(text))

    # ---- pictures on screen -------------------------------------------------------------------------------
    def _request(self, width: int, height: int, pose: Pose | None = None) -> Request:
        return Request(
            self.clouds, pose or self.pose, width, height, self.look, self.lens, self._background_colours()
        )  # fmt: skip

    def ask(self) -> None:
        """Have the picture drawn anew."""
        if self.canvas.is_closed:
            return
        if not self.isVisible():
            self._waits = True
            return
        self._waits = False
        ratio = self.canvas.devicePixelRatioF()
        width, height = round(self.canvas.width() * ratio), round(self.canvas.height() * ratio)
        if not self.clouds or min(width, height) < 2:
            self.evaluator.forget()
            self.latest = None
            self._show_without_splats(width, height)
            return
        request = self._request(width, height)
        if self.canvas.moving:
            held = self.latest.depth_range if self.latest is not None and self.look.mode == "depth" else None
            request = replace(request, scale=self.pace.scale, share=self.pace.share, depth_range=held)
            # Coarse pictures in hand are shown although a newer one is wanted: a quick hand would see none else.
            self._ask(request, give_up=self._fine_in_hand)
        elif self._still_seconds > COARSE_FIRST:
            self._ask(replace(request, scale=self.pace.scale, share=self.pace.share))
        else:
            self._ask(request)

    def _ask(self, request: Request, *, give_up: bool = True) -> None:
        self._fine_in_hand = not self.canvas.moving
        self.evaluator.ask(request, give_up=give_up)

    def _answered(self, request: Request, frame: Frame) -> None:
        if self.canvas.is_closed:
            return
        self.latest = frame
        self._put(frame)
        if frame.is_fine:
            self._still_seconds = frame.seconds
        if self.canvas.moving or not frame.is_fine:
            self.pace.took(frame.seconds, request.scale, request.share)
        self._tell(frame)
        self.drawn.emit()
        if not self.canvas.moving and not frame.is_fine and not self.evaluator.busy:
            self._refine()

    def _refine(self) -> None:
        ratio = self.canvas.devicePixelRatioF()
        width, height = round(self.canvas.width() * ratio), round(self.canvas.height() * ratio)
        if self.clouds and min(width, height) >= 2:
            self._ask(self._request(width, height))

    def _put(self, frame: Frame) -> None:
        if self._solids is not None and self._solids.visible:
            height, width = frame.alpha.shape
            scale = frame.request.scale * self.canvas.devicePixelRatioF()
            solids = self._solids.draw(
                frame.request.pose, width, height, lens=frame.request.lens, fine=frame.is_fine, pixel_scale=scale
            )
            self.canvas.show_picture(compose(frame, solids))
        else:
            self.canvas.show_picture(frame.picture)

    def _show_without_splats(self, width: int, height: int) -> None:
        if self._solids is None or not self._solids.visible or min(width, height) < 2:
            self.canvas.show_picture(None)
            return
        empty = np.zeros((height, width), np.float32)
        request = self._request(width, height)
        frame = Frame(request, np.zeros((height, width, 3), np.float32), empty, empty, 0, 0, 0.0)
        self._put(frame)

    def _tell(self, frame: Frame) -> None:
        if frame.seen == 0 and frame.total:
            self._say(f"0 of {frame.total:,} Gaussians in view. Press F to show everything.")
        else:
            self._say("")

    def _failed(self, request: Request, error: BaseException) -> None:
        self._say(f"The cloud cannot be drawn: {error}")

    def _background_colours(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.background == "black":
            return (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
        if self.background == "white":
            return (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)
        found = theme.colors()
        return rgb(found.view_top), rgb(found.view_bottom)

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        if self.items:
            self._annotate(painter, size, self.pose)

    def _annotate(self, painter: QPainter, size: QSizeF, pose: Pose) -> None:
        with self._ink():
            overlay.draw_axes(painter, size, pose)
            overlay.draw_scale_bar(painter, size, pose, self.unit)
            overlay.draw_colour_bars(painter, size, self.colour_bars(), size.height())

    def _ink(self) -> Any:
        from app.viewers.splat_ink import on_background

        # The opacity of nothing is dark, whatever the background.
        return on_background("black" if self.look.mode == "opacity" else self.background)

    def colour_bars(self) -> list[overlay.ColourBar]:
        if self.look.mode == "opacity":
            return [overlay.ColourBar("opacity", "viridis", 0.0, 1.0)]
        if self.look.mode == "depth" and self.latest is not None:
            return [overlay.ColourBar("depth", "viridis", *self.latest.depth_range, self.unit)]
        return []

    @property
    def unit(self) -> str:
        found = {getattr(item.artifact, "unit", "") for item in self.items} - {""}
        return found.pop() if len(found) == 1 else ""

    # ---- what the bar does --------------------------------------------------------------------------------
    def set_mode(self, mode: str) -> None:
        if mode in MODES:
            self.look = replace(self.look, mode=mode)
            self.modes.setCurrentIndex(self.modes.findData(mode))
            self.degree_slider.setEnabled(mode in ("colour", "centres"))
            self.ask()
            self.canvas.update()

    def next_mode(self) -> None:
        keys = list(MODES)
        self.set_mode(keys[(keys.index(self.look.mode) + 1) % len(keys)])

    def set_background(self, background: str) -> None:
        if background in BACKGROUNDS:
            self.background = background
            self.backgrounds.setCurrentIndex(self.backgrounds.findData(background))
            self._theme_changed()

    def next_background(self) -> None:
        keys = list(BACKGROUNDS)
        self.set_background(keys[(keys.index(self.background) + 1) % len(keys)])

    def set_size(self, size: float) -> None:
        """Factor on the standard deviations, 0.05 to 2."""
        size = min(max(round(size * 20), 1), 40) / 20
        self.look = replace(self.look, size=size)
        self.size_slider.blockSignals(True)
        self.size_slider.setValue(round(size * 20))
        self.size_slider.blockSignals(False)
        self.size_label.setText(f"Size {round(100 * size)} %")
        self.ask()

    def set_degree(self, degree: int) -> None:
        self.look = replace(self.look, degree=min(max(int(degree), 0), 3))
        self._set_degrees(self.degree_slider.maximum())
        self.ask()

    def _set_degrees(self, most: int) -> None:
        self.degree_slider.blockSignals(True)
        self.degree_slider.setRange(0, most)
        self.degree_slider.setValue(min(self.look.degree, most))
        self.degree_slider.blockSignals(False)
        self.degree_label.setText(f"Colour detail {self.degree_slider.value()}")
        for widget in (self.degree_label, self.degree_slider):
            widget.setEnabled(most > 0)
        self.size_label.setText(f"Size {round(100 * self.look.size)} %")
        self.size_slider.blockSignals(True)
        self.size_slider.setValue(round(self.look.size * 20))
        self.size_slider.blockSignals(False)

    def save_picture(self) -> None:
        from app.viewers.capture_dialog import CaptureDialog

        CaptureDialog(self, self.window()).open()

    # ---- camera -------------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose:
        return self.canvas.pose

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        if self._way is not None and moving:
            self._flight.stop()
            self._way = None
        self.canvas.set_pose(pose, moving=moving)

    @property
    def room(self) -> Room:
        return Room(self.canvas.width(), self.canvas.height())

    def frame(self) -> None:
        """Show everything, from the same direction."""
        self.lens = LENS
        self.framing.frame(self._extents(), self.room)

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
        """To where a photo was taken, with its lens; ``depth`` is what to turn about then, in world units."""
        goal, lens = pose_of(camera, depth if depth is not None else self._depth_before(camera))
        self.framing.chosen = True
        self.lens = lens
        self._way = (self.pose, goal, time.perf_counter())
        self._flight.start()

    def _depth_before(self, camera: Camera) -> float:
        points = [e.points for e in self._extents() if len(e.points)]
        if not points:
            return self.pose.distance
        _, depths = camera.pixels(np.concatenate(points))
        before = depths[depths > 0]
        return float(np.median(before)) if before.size else self.pose.distance

    def _fly(self) -> None:
        if self._way is None:
            self._flight.stop()
            return
        start, goal, since = self._way
        share = min(1.0, (time.perf_counter() - since) / FLIGHT_SECONDS)
        if share >= 1.0:
            self._way = None
            self._flight.stop()
            self.canvas.set_pose(goal, moving=True)
        else:
            eased = share * share * (3 - 2 * share)
            self.canvas.set_pose(between(start, goal, eased), moving=True)

    def _focus_on(self, at: QPointF) -> None:
        found = self.pick(at)
        if found is not None:
            self.set_pose(replace(self.pose, focal=found, half_height=self.pose.half_height * 0.6, pivot=None))

    def pick(self, at: QPointF) -> np.ndarray | None:
        """The point (3,) that is seen under a widget pixel, or None."""
        frame = self.latest
        if frame is None or not self.canvas.rect().contains(at.toPoint()):
            return None
        height, width = frame.depth.shape
        x, y = at.x() / self.canvas.width() * width, at.y() / self.canvas.height() * height
        depth = float(frame.depth[min(int(y), height - 1), min(int(x), width - 1)])
        if depth <= 0:
            return None
        camera = camera_of(frame.request.pose, width, height, frame.request.lens)
        local = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0]) * depth
        return camera.centre + camera.rotation.T @ local

    def _camera_moved(self) -> None:
        if self.parallel.isChecked() != self.pose.parallel:
            self.parallel.blockSignals(True)
            self.parallel.setChecked(self.pose.parallel)
            self.parallel.blockSignals(False)
        self.ask()
        self.camera_moved.emit()

    def _moving_changed(self, moving: bool) -> None:
        if not moving:
            self._refine()

    def _resized(self) -> None:
        self.empty.setGeometry(self.canvas.rect())
        extents = self._extents()
        if any(len(e.points) for e in extents):
            self.framing.follow_size(extents, self.room)
        self.ask()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        if self._waits:
            QTimer.singleShot(0, self, self.ask)

    def _theme_changed(self) -> None:
        if self.canvas.is_closed:
            return
        top, bottom = (QColor.fromRgbF(*c) for c in self._background_colours())
        self.canvas.set_background(top, bottom)
        self.ask()

    # ---- pictures of any size -----------------------------------------------------------------------------
    def pose_for(self, width: int, height: int, *, turning: bool = False) -> Pose:
        """The camera for a picture: where nobody chose a view, one that fills its size."""
        scale = overlay.picture_scale(height)
        return self.framing.pose_for(Room(width / scale, height / scale), turning=turning)

    def picture(self, width: int, height: int, pose: Pose | None = None) -> QImage:
        """The view at any size, with axes, scale and colour bar. The window stays alive meanwhile."""
        pose = pose or self.pose_for(width, height)
        request = self._request(width, height, pose)
        request = replace(request, look=replace(self.look, dot=self.look.dot * overlay.picture_scale(height)))
        if request.clouds:
            frame = _wait_for(lambda: self._renderer.draw(request))
        else:
            empty = np.zeros((height, width), np.float32)
            frame = Frame(request, np.zeros((height, width, 3), np.float32), empty, empty, 0, 0, 0.0)
        solids = None
        if self._solids is not None and self._solids.visible:
            scale = overlay.picture_scale(height)
            solids = self._solids.draw(pose, width, height, lens=self.lens, fine=True, pixel_scale=scale)
        shown = compose(frame, solids)
        image = QImage(shown.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        if self.items:
            overlay.onto_image(image, lambda painter, size: self._annotate(painter, size, pose))
        return image

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
        self._flight.stop()
        self.evaluator.stop()
        self._renderer.forget()
        if self._solids is not None:
            self._solids.stop()
        super().closeEvent(event)


def _wait_for(work: Callable[[], Frame]) -> Frame:
    """The answer of work on another thread; meanwhile the window is painted, but takes no clicks."""
    loop = QEventLoop()
    found: list[Frame] = []
    errors: list[BaseException] = []

    def done(frame: Frame) -> None:
        found.append(frame)
        loop.quit()

    def failed(error: BaseException) -> None:
        errors.append(error)
        loop.quit()

    run_in_background(work, done=done, failed=failed)
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    if errors:
        raise errors[0]
    return found[0]
