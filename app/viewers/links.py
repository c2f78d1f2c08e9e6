"""Several views that look from the same place, or at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from shiboken6 import isValid

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D


class TimeLink(QObject):
    """When one of the linked views shows another time, the others show theirs that is nearest to it.

    A view has the signal ``time_moved(float)``, its ``time`` and ``set_time``.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._views: list[Any] = []
        self._leading = False

    def link(self, views: Sequence[Any]) -> None:
        """Link these and no others; they take the first one's time. An empty list undoes the link."""
        old = [view for view in self._views if isValid(view)]
        for view in old:
            if view not in views:
                view.time_moved.disconnect(self._follow)
        new = [view for view in views if view not in old]
        self._views = list(views)
        for view in new:
            view.time_moved.connect(self._follow)
        if len(views) > 1 and new:
            self._lead(views[0], views[0].time)

    def _follow(self, time: float) -> None:
        if not self._leading:
            self._lead(self.sender(), time)

    def _lead(self, leader: Any, time: float) -> None:
        # An echo would come with a time of another view, which lies beside that of the leader.
        self._leading = True
        try:
            for view in self._views:
                if view is not leader and isValid(view):
                    view.set_time(time)
        finally:
            self._leading = False


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
