"""What a hand view wants of the window that it is in."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class _Wishes(QObject):
    """Whoever does what is wanted marks the view as heard."""

    save_wanted = Signal(object, object)
    """The view, and the pose sequence that is to become part of the project."""
    undo_moved = Signal()
    """There is something else to be undone in a hand view."""


wishes = _Wishes()
