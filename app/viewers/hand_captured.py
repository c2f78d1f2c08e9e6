"""What was captured of the hand on show: its poses and cameras, chosen on the bar or by keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QComboBox

from app.viewers import hand_picture
from app.viewers.hand_content import HandChoice
from app.viewers.pinhole import pose_of

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView


class Captured:
    frames: QComboBox
    cameras: QComboBox

    def __init__(self, view: HandView) -> None:
        self._view = view
        self.frame = 0
        """Number of the pose."""
        self.camera = 0
        self.is_on_show = False
        """Whether the hand stands as in that pose."""

    @property
    def _choice(self) -> HandChoice | None:
        return self._view.choice

    @property
    def frame_count(self) -> int:
        return self._choice.frame_count if self._choice is not None else 0

    @property
    def camera_count(self) -> int:
        return self._choice.view_count if self._choice is not None else 0

    def show(self) -> None:
        """What there is to choose from."""
        choice, bar = self._choice, self._view.bar
        self.frame = min(self.frame, max(0, self.frame_count - 1))
        self.camera = min(self.camera, max(0, self.camera_count - 1))
        self.frames.clear()
        self.cameras.clear()
        if choice is not None:
            for index in range(self.frame_count):
                self.frames.addItem(choice.frame_label(index), index)
            for index in range(self.camera_count):
                self.cameras.addItem(choice.view_label(index), index)
        self.cameras.setCurrentIndex(self.camera)
        bar.set_shown(self.frames.parentWidget(), self.frame_count > 0)
        bar.set_shown(self.cameras.parentWidget(), self.camera_count > 0)
        self._view.side_action.setVisible(self.camera_count > 0)
        if not self.camera_count:
            self._view.side_action.setChecked(False)
        self.compare()

    def compare(self) -> None:
        """Whether the pose on screen is the captured one."""
        off = 1.0
        if self._choice is not None and self.frame_count:
            captured, pose = self._choice.frame(self.frame), self._view.posing.pose
            off = float(np.abs(captured.rotations - pose.rotations).max(initial=0))
        self.is_on_show = off < 1e-6
        self.frames.setCurrentIndex(self.frame if self.is_on_show else -1)

    def take(self, index: int) -> None:
        """Pose the hand as it was captured."""
        if self._choice is not None and 0 <= index < self.frame_count:
            self.frame = index
            self._view.posing.set_pose(self._choice.frame(index), "Take over a captured pose")
            self.compare()
            self._view.pictures.ask()

    def step(self, by: int) -> None:
        if self.frame_count:
            self.take((self.frame + by) % self.frame_count)

    def look_through(self, index: int) -> None:
        """Look from where one of the cameras was."""
        view = self._view
        if self._choice is None or not 0 <= index < self.camera_count:
            return
        self.camera = index
        self.cameras.setCurrentIndex(index)
        camera = self._choice.camera(self.frame, index)
        if camera is not None:
            _, depths = camera.pixels(hand_picture.posed_points(view))
            depth = float(np.median(depths)) if (depths > 0).all() else view.pose.distance
            pose, view.lens = pose_of(camera, depth)
            view.framing.chosen = True
            view.set_pose(pose)
        view.pictures.ask()

    def step_camera(self, by: int) -> None:
        if self.camera_count:
            self.look_through((self.camera + by) % self.camera_count)
