"""Several 3D views that look from the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from shiboken6 import isValid

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D


class CameraLink(QObject):
    """When one of the linked views moves, the others follow; an echo changes nothing and ends there."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scenes: list[Scene3D] = []
        self._leading = False

    @property
    def scenes(self) -> list[Scene3D]:
        return [scene for scene in self._scenes if isValid(scene) and not scene.canvas.is_closed]

    def link(self, scenes: Sequence[Scene3D]) -> None:
        """Link these and no others; they take the first one's camera. An empty list undoes the link."""
        for scene in self._scenes:
            if isValid(scene) and scene not in scenes:
                scene.camera_moved.disconnect(self._follow)
        new = [scene for scene in scenes if scene not in self._scenes]
        self._scenes = list(scenes)
        for scene in new:
            scene.camera_moved.connect(self._follow)
        if len(self.scenes) > 1 and new:
            self._lead(self.scenes[0], moving=False)

    def _follow(self) -> None:
        sender = self.sender()
        if not self._leading and sender in self._scenes:
            self._lead(sender, moving=sender.canvas.moving)

    def _lead(self, leader: Scene3D, moving: bool) -> None:
        self._leading = True
        try:
            for scene in self.scenes:
                if scene is not leader and not scene.pose.same_as(leader.pose):
                    scene.set_pose(leader.pose, moving=moving)
        finally:
            self._leading = False
