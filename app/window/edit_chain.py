"""Views in which artifacts are edited: each edit gives a new artifact, which takes the place of the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from engines.core import Params

if TYPE_CHECKING:
    from app.window.workbench import Workbench


class EditChain:
    """Which artifact came from which by an edit in this view, so that undo and redo lead back and forth."""

    def __init__(self) -> None:
        self._from: dict[str, str] = {}
        self._undone: dict[str, str] = {}

    def shown_as(self, key: str) -> str:
        """The id that a viewer knows it by: that of the first of its chain. So it keeps camera and look."""
        while key in self._from:
            key = self._from[key]
        return key

    def replaced(self, ids: list[str], old: str, new: str) -> list[str]:
        """The ids after an edit of ``old`` gave ``new``."""
        self._from[new] = old
        self._undone.pop(old, None)
        return [new if i == old else i for i in ids]

    def followed(self, ids: list[str], exists: Callable[[str], bool]) -> list[str]:
        """The ids after undo or redo: what is gone gives way to what it was made from, what came back returns."""
        found = []
        for key in ids:
            while not exists(key) and key in self._from:
                self._undone[self._from[key]] = key
                key = self._from[key]
            while key in self._undone and exists(self._undone[key]):
                key = self._undone.pop(key)
            found.append(key)
        return found


def keep_edits(viewer: QWidget, keep: Callable[[str, Params], None], bench: Workbench) -> None:
    """Let a viewer offer edits, where it can; ``keep`` gets the id of what is shown and the params of the edit."""
    offer = getattr(viewer, "offer_edits", None)
    if offer is not None:
        offer(keep)
        viewer.undo_moved.connect(bench.undo_changed)  # type: ignore[attr-defined]
