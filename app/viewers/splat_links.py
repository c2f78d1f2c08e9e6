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
    """Those in the window of ``beside`` first, and of these, those that can be seen."""
    found = [view for view in _open if isValid(view) and not view.canvas.is_closed and view.items]
    window = None if beside is None else beside.window()
    return sorted(found, key=lambda view: (view.window() is not window, not view.isVisible()))


def fly_to(camera: Camera, depth: float | None, beside: QWidget | None = None) -> list[SplatView]:
    """Send all splat views that can be seen to where a photo was taken; if there are none, the first of the others.

    Returns the views that went.
    """
    views = open_views(beside)
    wanted = [view for view in views if view.isVisible()] or views[:1]
    for view in wanted:
        view.fly_to(camera, depth)
    return wanted
