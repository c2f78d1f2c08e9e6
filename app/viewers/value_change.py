"""What can be undone of a value that a view shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtGui import QUndoCommand


class Change(QUndoCommand):
    """From one value to another; those of one drag become one."""

    def __init__(self, text: str, put: Callable[[Any], None], old: Any, new: Any, gesture: int = -1) -> None:
        super().__init__(text)
        self._put, self._old, self._new, self._gesture = put, old, new, gesture

    def redo(self) -> None:
        self._put(self._new)

    def undo(self) -> None:
        self._put(self._old)

    def id(self) -> int:
        return self._gesture

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, Change) or other.text() != self.text():
            return False
        self._new = other._new
        return True
