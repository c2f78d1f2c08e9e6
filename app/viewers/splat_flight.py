"""Flights of a splat view to where a photo was taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QTimer

from app.viewers.camera import Pose
from app.viewers.pinhole import between, pose_of
from engines.blocks.cameras import Camera

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

SECONDS = 0.5


class Flight:
    def __init__(self, view: SplatView) -> None:
        self._view = view
        self._timer = QTimer(view, interval=15)
        self._timer.timeout.connect(self._step)
        self._way: tuple[Pose, Pose, float] | None = None

    @property
    def under_way(self) -> bool:
        return self._way is not None

    def start(self, camera: Camera, depth: float | None) -> None:
        """To this camera, with its lens; ``depth`` (world units) is what to turn about then, None: what it sees."""
        goal, lens = pose_of(camera, depth if depth is not None else self.depth_before(camera))
        self._view.framing.chosen = True
        self._view.lens = lens
        if self._view.isVisible():
            self._way = (self._view.pose, goal, time.perf_counter())
            self._timer.start()
        else:
            self._view.canvas.set_pose(goal)

    def stop(self) -> None:
        """Somebody else moves the camera now."""
        self._way = None
        self._timer.stop()

    def depth_before(self, camera: Camera) -> float:
        """How far away what a camera sees is, in the middle; world units."""
        points = [extent.points for extent in self._view.extents() if len(extent.points)]
        if points:
            _, depths = camera.pixels(np.concatenate(points))
            if (depths > 0).any():
                return float(np.median(depths[depths > 0]))
        return self._view.pose.distance

    def _step(self) -> None:
        if self._way is None:
            self._timer.stop()
            return
        start, goal, since = self._way
        share = min(1.0, (time.perf_counter() - since) / SECONDS)
        if share >= 1.0:
            self.stop()
            self._view.canvas.set_pose(goal, moving=True)
        else:
            self._view.canvas.set_pose(between(start, goal, share * share * (3 - 2 * share)), moving=True)
