"""What a view wants to be done with a camera path, for the window that it is in."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class _Wishes(QObject):
    """Whoever does what is wanted marks the view's strip as heard."""

    save_wanted = Signal(object, object)
    """The view, and the path that is to become part of the project."""
    render_wanted = Signal(object, object)
    """The view, and the path of which a video is to be made."""
    undo_moved = Signal()
    """There is something else to be undone in a path."""


wishes = _Wishes()
