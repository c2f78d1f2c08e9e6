"""Makes the slow part of layers (normals, stand-ins, isosurfaces) off the GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from app.background import Task, run_in_background
from app.settings import settings
from app.viewers.layers import prepare
from app.viewers.registry import Shown
from app.viewers.surfaces import COARSE_TRIANGLES

SMOOTH_TRIANGLES = 20_000


class Preparation:
    """One surface at a time for each artifact; of what is asked for meanwhile only the newest is kept.

    So a live preview that comes faster than it can be shown neither piles up nor starves.
    """

    def __init__(
        self,
        done: Callable[[Shown, Any], None],
        failed: Callable[[Shown, BaseException], None],
        owner: QObject,
    ) -> None:
        self._done, self._failed, self._owner = done, failed, owner
        self._running: dict[str, Task] = {}
        self._waiting: dict[str, tuple[Shown, float | None]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def ask(self, item: Shown, level: float | None) -> None:
        """Prepare an artifact; ``level`` is where an isosurface is wanted (None: its own)."""
        if item.id in self._running:
            self._waiting[item.id] = (item, level)
            return
        triangles = SMOOTH_TRIANGLES if settings().get("motion_quality") == "smooth" else COARSE_TRIANGLES
        done, failed = partial(self._end, item, self._done), partial(self._end, item, self._failed)
        self._running[item.id] = run_in_background(
            prepare, item.artifact, level, triangles, done=done, failed=failed, owner=self._owner
        )

    def _end(self, item: Shown, tell: Callable[[Shown, Any], None], what: Any) -> None:
        self._running.pop(item.id, None)
        waiting = self._waiting.pop(item.id, None)
        if waiting is not None:
            self.ask(*waiting)
        tell(item, what)

    def forget_others(self, keys: Collection[str]) -> None:
        """Drop what waits and is wanted no more."""
        self._waiting = {key: value for key, value in self._waiting.items() if key in keys}

    def stop(self) -> None:
        for task in self._running.values():
            task.cancel()
        self._running.clear()
        self._waiting.clear()
