"""Pictures and turntables of any view, at sizes of one's own choosing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer

from engines.core import UserError

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D

LARGEST = 16_384
MOST_PIXELS = 64_000_000


def ask_for_picture(viewer: Any) -> None:
    """Open the dialog that saves a picture of this viewer."""
    from app.viewers.capture_dialog import CaptureDialog

    CaptureDialog(viewer, viewer.window()).open()


def _check(width: int, height: int) -> None:
    if min(width, height) < 16 or max(width, height) > LARGEST or width * height > MOST_PIXELS:
        raise UserError(
            f"A picture of {width}×{height} pixels cannot be made.",
            f"Sides from 16 to {LARGEST:,} pixels and up to {MOST_PIXELS // 1_000_000} megapixels are possible.",
            "Choose another size.",
        )


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem[:80]}.{os.getpid()}.partial{path.suffix}")


def save_png(viewer: Any, path: str | os.PathLike[str], width: int, height: int) -> None:
    """A picture of what the viewer shows; the size on screen does not matter. GUI thread.

    Written beside the target and renamed. Raises UserError for a size or a file that cannot be.
    """
    _check(width, height)
    from PIL import Image

    where = Path(path)
    part = _beside(where)
    pixels = viewer.screenshot(width, height)
    try:
        Image.fromarray(pixels).save(part, "PNG")
        os.replace(part, where)
    except OSError as error:
        raise UserError(
            f"'{where.name}' cannot be written.", f"{error.strerror or error}.", "Choose another folder."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def save_turntable(
    scene: Scene3D,
    path: str | os.PathLike[str],
    seconds: float = 6.0,
    fps: int = 25,
    width: int = 1280,
    height: int = 720,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> bool:
    """Once around what is shown, as ``.mp4`` or ``.gif``. True when done, False when cancelled.

    GUI thread. One frame is drawn per turn of the event loop, so that the window stays alive; the view on
    screen does not move. Nothing is left behind after a cancel. Raises UserError.
    """
    where, (width, height), count = _checked(path, seconds, fps, width, height)
    return _run(_Turntable(scene, where, count, fps, (width, height), progress, cancelled))


def save_movie(
    viewer: Any,
    path: str | os.PathLike[str],
    seconds: float = 6.0,
    fps: int = 25,
    width: int = 1280,
    height: int = 720,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> bool:
    """From the first to the last time of a view that has times, as :func:`save_turntable` writes it.

    The view goes through its times on screen, too, and comes back to the one that it showed.
    """
    where, (width, height), count = _checked(path, seconds, fps, width, height)
    return _run(_Movie(viewer, where, count, fps, (width, height), progress, cancelled))


def _run(job: _Turntable) -> bool:
    loop = QEventLoop()
    job.ended = loop.quit
    QTimer.singleShot(0, job.step)
    loop.exec()
    if job.error is not None:
        raise job.error
    return job.done


def _checked(
    path: str | os.PathLike[str], seconds: float, fps: int, width: int, height: int
) -> tuple[Path, tuple[int, int], int]:
    """The file, the size of its pictures and their number. Raises UserError."""
    where = Path(path)
    _check(width, height)
    if where.suffix.lower() not in (".mp4", ".gif"):
        raise UserError(f"'{where.name}' is neither MP4 nor GIF.", mend="Let the name end in .mp4 or .gif.")
    count = max(2, round(seconds * fps))
    if count > 10_000 or fps < 1:
        raise UserError(f"{count:,} frames are too many.", "Up to 10,000 are possible.", "Choose a shorter film.")
    if where.suffix.lower() == ".mp4":
        width, height = width // 2 * 2, height // 2 * 2  # H.264 stores colours for blocks of 2 by 2
    return where, (width, height), count


class _Turntable:
    def __init__(self, scene, where: Path, count: int, fps: int, size: tuple[int, int], progress, cancelled) -> None:
        self.scene, self.where, self.count, self.fps, self.size = scene, where, count, fps, size
        self.progress, self.cancelled = progress, cancelled
        self.part = _beside(where)
        self.frame = 0
        self.writer: Any = None
        self.done = False
        self.error: UserError | None = None
        self.ended: Callable[[], None] = lambda: None

    def step(self) -> None:
        try:
            if (self.cancelled is not None and self.cancelled()) or self._is_gone():
                return self._end()
            if not self._is_ready():
                QTimer.singleShot(20, self.step)
                return None
            if self.writer is None:
                from engines.files.video import Film

                self.writer = Film(self.part, self.fps)
            self.writer.add(self._draw())
            self.frame += 1
            if self.progress is not None:
                self.progress(self.frame / self.count, f"Frame {self.frame} of {self.count}")
            if self.frame < self.count:
                # A short rest between frames, in which the window takes its events.
                QTimer.singleShot(2, self.step)
                return None
            self.writer.close()
            self.writer = None
            os.replace(self.part, self.where)
            self.done = True
        except (OSError, RuntimeError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.error = UserError(
                f"'{self.where.name}' cannot be written.", f"{why}.", "Check the folder and the free space."
            )
        return self._end()

    def _is_gone(self) -> bool:
        return bool(self.scene.canvas.is_closed)

    def _is_ready(self) -> bool:
        """Whether the next picture can be drawn."""
        return True

    def _draw(self) -> np.ndarray:
        if self.frame == 0:
            self.pose = self.scene.pose_for(*self.size, turning=True)
        # Around the view's upright, seen from where the user looks.
        pose = self.pose.orbited(-2 * math.pi * self.frame / self.count, 0.0)
        image = self.scene.picture(*self.size, pose)
        from app.viewers.plotting import pixels

        return pixels(image)

    def _end(self) -> None:
        if self.writer is not None:
            self.writer.abandon()
        self.part.unlink(missing_ok=True)
        self.ended()


class _Movie(_Turntable):
    """``scene`` is any view with a ``time_strip``."""

    def __init__(self, scene: Any, *more: Any) -> None:
        super().__init__(scene, *more)
        self.strip = scene.time_strip
        self.strip.clock.stop()
        self.before = self.strip.index

    def _is_gone(self) -> bool:
        from shiboken6 import isValid

        return not isValid(self.scene) or not self.scene.isVisible()

    def _is_ready(self) -> bool:
        times = self.strip.times
        at = times[0] + self.frame / max(self.count - 1, 1) * (times[-1] - times[0])
        self.strip.set_time(float(at))
        return bool(getattr(self.scene, "is_settled", True))

    def _draw(self) -> np.ndarray:
        return np.asarray(self.scene.screenshot(*self.size))

    def _end(self) -> None:
        if not self._is_gone():
            self.strip.set_index(self.before)
        super()._end()
