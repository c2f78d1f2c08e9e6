"""Pictures that another thread draws: waited for, made an image, and what lies under a place in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PySide6.QtCore import QEventLoop
from PySide6.QtGui import QImage

from app.background import run_in_background
from app.viewers import overlay
from app.viewers.camera import Pose
from app.viewers.framing import Framing, Room
from engines.blocks.cameras import Camera

Answer = TypeVar("Answer")


def wait_for(work: Callable[[], Answer]) -> Answer:
    """The answer of work on another thread; meanwhile the window is painted, but takes no clicks."""
    loop = QEventLoop()
    found: list[Answer] = []
    errors: list[BaseException] = []

    def done(answer: Answer) -> None:
        found.append(answer)
        loop.quit()

    def failed(error: BaseException) -> None:
        errors.append(error)
        loop.quit()

    run_in_background(work, done=done, failed=failed)
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    if errors:
        raise errors[0]
    return found[0]


def image_of(pixels: np.ndarray) -> QImage:
    """(h, w, 3) uint8 as an image of its own memory."""
    height, width, _ = pixels.shape
    pixels = np.ascontiguousarray(pixels)
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def point_at(depths: np.ndarray, share: tuple[float, float], camera: Camera) -> np.ndarray | None:
    """The point (3,) seen at so much of a picture's width and height, or None.

    ``depths`` (h, w) along the axis of the ``camera``, which has as many pixels; 0 where nothing is.
    """
    height, width = depths.shape
    x, y = share[0] * width, share[1] * height
    depth = float(depths[min(int(y), height - 1), min(int(x), width - 1)])
    if depth <= 0:
        return None
    local = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0]) * depth
    return np.asarray(camera.centre + camera.rotation.T @ local)


def pose_for(
    framing: Framing, room: Callable[[float, float], Room], width: int, height: int, *, turning: bool = False
) -> Pose:
    """Where nobody chose a view, a camera that fills the picture; ``room(width, height)`` is what it may fill."""
    scale = overlay.picture_scale(height)
    return framing.pose_for(room(width / scale, height / scale), turning=turning)
