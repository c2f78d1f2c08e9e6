"""A hand that is posed by sliders and seen at once: a rigged template, a capture, or an avatar that has learned.

Pictures are drawn by our own rasteriser on a thread of its own, quick ones while something moves and one of full detail
when nothing does. Poses come from sliders, from named poses, from a capture or from key poses in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QDragEnterEvent, QDropEvent, QImage, QPainter, QUndoStack
from PySide6.QtWidgets import QComboBox, QLabel, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app import theme
from app.viewers import hand_bar, hand_picture, hand_show, hand_state
from app.viewers.camera import Pose
from app.viewers.capture import ask_for_picture
from app.viewers.colour_maps import rgb
from app.viewers.empty_state import EmptyState
from app.viewers.framing import Extent, Framing, Room
from app.viewers.hand_captured import Captured
from app.viewers.hand_content import HandChoice
from app.viewers.hand_drawing import HandDrawing
from app.viewers.hand_lamp import LampRows
from app.viewers.hand_light import LightBall, LightTool
from app.viewers.hand_links import wishes
from app.viewers.hand_panel import WIDTH, HandPanel
from app.viewers.hand_pictures import HandPictures
from app.viewers.hand_posing import Posing
from app.viewers.hand_render import Hand, HandFrame, HandRequest, Light
from app.viewers.hand_strip import HandStrip
from app.viewers.hand_timeline import MovieTimes
from app.viewers.overlay import ColourBar
from app.viewers.picture_canvas import PictureCanvas
from app.viewers.pinhole import LENS, camera_of
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.data import HandAvatar, RiggedTemplate

NARROW = 560
"""Below this width the panel is closed until somebody opens it."""


class HandView(QWidget):
    camera_moved = Signal()
    """By the user or by a link; read :attr:`pose`."""
    layers_changed = Signal()
    title_changed = Signal(str)
    drawn = Signal()
    """A new picture is on screen; see :attr:`latest`."""

    hands: QComboBox
    modes: QComboBox
    joints: QComboBox
    mirror_action: QAction
    side_action: QAction
    strip_action: QAction
    panel_action: QAction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hand-view")
        self.setAccessibleName("Hand")
        self.items: list[Shown] = []
        self.choices: list[HandChoice] = []
        self.choice: HandChoice | None = None
        self.chosen = ""
        """The id of the hand that somebody chose."""
        self.mode, self.joint = "shaded", 0
        self.mirrored = False
        self.light = Light()
        self.lens = LENS
        self.captured = Captured(self)
        self._panel_chosen = False
        self.spare: RiggedTemplate | None = None
        """What poses move that come without a hand."""
        self.posing = Posing(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        column.addWidget(self.bar)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self.split.setChildrenCollapsible(False)
        self.stage = QStackedWidget(self.split)
        self.stage.setMinimumSize(120, 90)
        self.canvas = PictureCanvas(self.stage, self._paint_above, "hand-canvas", "Hand view")
        self.stage.addWidget(self.canvas)
        self.drawing = HandDrawing(self)
        self.pictures = HandPictures(self)
        self.stage.addWidget(self.pictures)
        self.panel = HandPanel(self.split, self.posing)
        self.lamp = LampRows(self.panel, lambda: self.light, self.set_light)
        self.light_fold = self.panel.add_below("Light", self.lamp)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        self.split.setSizes([700, WIDTH])
        column.addWidget(self.split, 1)
        self.empty = EmptyState(
            self.stage, "hand", "No hand to show yet",
            "Choose a hand avatar, a capture or a rigged template in the project. Poses need a hand: add one to this "
            "view.",
        )  # fmt: skip
        self.notice = QLabel(self.canvas)
        self.notice.setObjectName("hand-notice")
        self.notice.setAccessibleName("Notice")
        theme.mark(self.notice, kind="chip")
        self.notice.hide()
        self.ball = LightBall(self.canvas)
        self.light_tool = LightTool(self.canvas, lambda: self.light, self.set_light)
        self.canvas.tools.append(self.light_tool)
        self.framing = Framing(lambda: self.pose, self.set_pose)
        hand_bar.fill(self)
        self.strip = HandStrip(self)
        self.time_strip = MovieTimes(self.strip)
        column.addWidget(self.strip)
        self.undo_moved = self.posing.undo_stack.indexChanged
        self.undo_moved.connect(wishes.undo_moved)
        self.drawing.drawn.connect(self._tell)
        self.drawing.failed.connect(lambda error: self.say(f"The hand cannot be drawn: {error}"))
        self.posing.changed.connect(self._pose_changed)
        self.posing.handled.connect(self.stir)
        self.ball.changed.connect(self.set_light)
        self.canvas.moved.connect(self._camera_moved)
        self.canvas.moving_changed.connect(self._moving_changed)
        self.canvas.double_clicked.connect(self._focus_on)
        self.canvas.resized.connect(self._resized)
        self.setFocusProxy(self.canvas)
        self.setAcceptDrops(True)
        theme.signals.changed.connect(self._theme_changed)
        hand_show.content_changed(self)
        self.set_light(self.light)
        self._theme_changed()

    # ---- content ------------------------------------------------------------------------------------------
    @property
    def hand(self) -> Hand | None:
        return None if self.choice is None else self.choice.hand

    @property
    def undo_stack(self) -> QUndoStack:
        """Of poses and key poses."""
        return self.posing.undo_stack

    @property
    def latest(self) -> HandFrame | None:
        """The picture on screen."""
        return self.drawing.latest

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Show these and nothing else. The same id with another artifact keeps camera, pose and all settings."""
        before = [item.id for item in self.items]
        self.items = list(items)
        hand_show.content_changed(self, update=before == [item.id for item in self.items])
        hand_show.take_poses(self)

    def choose_hand(self, key: str) -> None:
        """Which of several to show, by the id of its artifact."""
        self.chosen = key
        hand_show.content_changed(self)

    def offers(self, mode: str) -> bool:
        """Whether the hand can be shown in this way."""
        return self.choice is not None and hand_picture.offers(self.choice.hand, mode)

    def say(self, text: str) -> None:
        self.notice.setText(text)
        self.notice.adjustSize()
        self.notice.move(12, 12)
        self.notice.setVisible(bool(text))

    # ---- pictures -----------------------------------------------------------------------------------------
    def extents(self) -> list[Extent]:
        return [Extent(hand_picture.posed_points(self))] if self.choice is not None else []

    def request(self, width: int, height: int, pose: Pose | None = None) -> HandRequest:
        """The picture as it should be now."""
        assert self.choice is not None
        colours = theme.colors()
        return HandRequest(
            self.choice.hand, self.posing.pose, camera_of(pose or self.pose, width, height, self.lens), self.mode,
            self.joint, self.light, self.mirrored, hand_picture.PLAIN,
            (rgb(colours.view_top), rgb(colours.view_bottom)),
        )  # fmt: skip

    def ask(self) -> None:
        """Have everything drawn anew."""
        self.drawing.ask()
        self.pictures.ask()

    def stir(self) -> None:
        """Something moves: quick pictures will do."""
        self.canvas.stir()

    def _tell(self) -> None:
        frame = self.latest
        if frame is not None and frame.is_fine and not frame.seen:
            self.say("The hand is out of view. Press F to show everything.")
        elif self.notice.text().startswith("The hand is out of view"):
            self.say("")
        self.drawn.emit()

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        if self.choice is not None:
            hand_picture.annotate(self, painter, size, self.pose)

    def colour_bars(self) -> list[ColourBar]:
        return hand_picture.colour_bars(self)

    # ---- what the bar does --------------------------------------------------------------------------------
    def set_mode(self, mode: str) -> None:
        if self.offers(mode):
            self.mode = mode
            self.modes.setCurrentIndex(self.modes.findData(mode))
            self.bar.set_shown(self.joints.parentWidget(), mode == "weight")
            self.framing.follow_size(self.extents(), self.room)  # a colour bar came or went
            self.ask()

    def next_mode(self) -> None:
        keys = [self.modes.itemData(k) for k in range(self.modes.count())]
        if keys:
            self.set_mode(keys[(keys.index(self.mode) + 1) % len(keys)])

    def set_joint(self, joint: int) -> None:
        """Whose weights are shown."""
        self.joint = joint
        self.joints.setCurrentIndex(joint)
        self.ask()

    def set_light(self, light: Light) -> None:
        changed, self.light = light != self.light, light
        self.ball.show_light(light)
        self.lamp.show_light(light, isinstance(self.hand, HandAvatar))
        if changed:
            self.stir()
        self.ask()

    def set_mirrored(self, on: bool) -> None:
        self.mirrored = on
        self.ask()

    def set_side_by_side(self, on: bool) -> None:
        self.stage.setCurrentIndex(int(on))
        self.setFocusProxy(self.pictures if on else self.canvas)
        (self.pictures if on else self.canvas).setFocus()
        self.ask()

    def strip_shown(self, on: bool) -> None:
        self.strip_action.setChecked(on)
        self.strip.set_open(on)

    def panel_shown(self, on: bool) -> None:
        self._panel_chosen = True
        self.panel.setVisible(on and self.choice is not None)

    def save_picture(self) -> None:
        ask_for_picture(self)

    # ---- camera -------------------------------------------------------------------------------------------
    def _pose_changed(self) -> None:
        self.captured.compare()
        self.ask()

    @property
    def pose(self) -> Pose:
        """Of the camera."""
        return self.canvas.pose

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        self.canvas.set_pose(pose, moving=moving)

    @property
    def room(self) -> Room:
        return hand_picture.room(self, self.canvas.width(), self.canvas.height())

    def frame(self) -> None:
        """Show everything, from the same direction."""
        self.lens = LENS
        self.framing.frame(self.extents(), self.room)

    def look_from(self, side: int) -> None:
        """A standard view, 0 to 5 as in :data:`hand_bar.SIDES`."""
        if self.choice is not None:
            hand_picture.face(self, side)
            self.frame()

    def reset(self) -> None:
        """Camera and look as at first."""
        self.set_light(Light(captured=isinstance(self.hand, HandAvatar)))
        self.mirror_action.setChecked(False)
        self.set_mode("neural" if self.offers("neural") else "shaded")
        if self.choice is not None:
            hand_picture.face(self, 0, turned=True)
            self.frame()

    def _focus_on(self, at: QPointF) -> None:
        found = hand_picture.point_at(self, at)
        if found is not None:
            self.set_pose(replace(self.pose, focal=found, half_height=self.pose.half_height * 0.6, pivot=None))

    def _camera_moved(self) -> None:
        self.drawing.ask()
        self.camera_moved.emit()

    def _moving_changed(self, moving: bool) -> None:
        if not moving:
            self.drawing.refine()
            self.pictures.ask()

    def _resized(self) -> None:
        self.empty.setGeometry(self.stage.rect())
        self.ball.move(self.canvas.width() - self.ball.width() - 8, 8)
        extents = self.extents()
        if extents:
            self.framing.follow_size(extents, self.room)
        self.drawing.ask()

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.fit_panel()

    def fit_panel(self) -> None:
        """Close the panel where it leaves no room for the hand, and open it where it does, until somebody decides."""
        if not self._panel_chosen and self.choice is not None:
            wide = self.width() >= NARROW
            if wide != self.panel_action.isChecked():
                self.panel_action.setChecked(wide)
                self._panel_chosen = False

    def showEvent(self, event) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self, self.drawing.catch_up)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # Anything but poses is for the window, which imports it.
        fits = self.choice is not None and hand_show.pose_file(event) is not None
        event.acceptProposedAction() if fits else event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        path = hand_show.pose_file(event)
        if path is not None:
            event.acceptProposedAction()
            hand_show.load_poses(self, path)

    def _theme_changed(self) -> None:
        if not self.canvas.is_closed:
            colours = theme.colors()
            self.canvas.set_background(QColor(colours.view_top), QColor(colours.view_bottom))
            self.ball.update()
            self.ask()

    # ---- pictures of any size -----------------------------------------------------------------------------
    def pose_for(self, width: int, height: int, *, turning: bool = False) -> Pose:
        return hand_picture.pose_for(self, width, height, turning=turning)

    def picture(self, width: int, height: int, pose: Pose | None = None) -> QImage:
        """The view at any size, with scale and colour bar; or the pictures that are side by side."""
        if self.side_action.isChecked() and pose is None:
            return self.pictures.picture(width, height)
        return hand_picture.draw(self, width, height, pose or self.pose_for(width, height))

    def screenshot(self, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8."""
        return pixels(self.picture(width, height))

    # ---- state --------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        return hand_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        hand_state.restore(self, state)

    # ---- end ----------------------------------------------------------------------------------------------
    def closeEvent(self, event) -> None:
        self.canvas.is_closed = True
        self.strip.clock.stop()
        self.pictures.stop()
        self.drawing.stop()
        super().closeEvent(event)
