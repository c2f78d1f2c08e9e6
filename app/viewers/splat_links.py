"""Which splat views are open, for views that send them somewhere."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from engines.blocks.cameras import Camera

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

_open: weakref.WeakSet[SplatView] = weakref.WeakSet()


def add(view: SplatView) -> None:
    _open.add(view)


def open_views(beside: QWidget | None = None) -> list[SplatView]:
    """Those that can be seen, in the window of ``beside`` first."""
    found = [view for view in _open if isValid(view) and not view.canvas.is_closed and view.isVisible()]
    if beside is not None:
        found.sort(key=lambda view: view.window() is not beside.window())
    return found


def fly_to(camera: Camera, depth: float, beside: QWidget | None = None) -> int:
    """Send all visible splat views to where a photo was taken. Returns how many there are."""
    views = open_views(beside)
    for view in views:
        view.fly_to(camera, depth)
    return len(views)
