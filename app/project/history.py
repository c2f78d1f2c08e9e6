"""Undo and redo of every edit of a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LIMIT = 200


@dataclass(frozen=True)
class Command:
    """An edit: ``do`` makes it (again), ``undo`` takes it back; ``label`` is what the Edit menu shows."""

    label: str
    do: Callable[[], None]
    undo: Callable[[], None]


class History:
    """Two stacks of commands. Calls come on one thread at a time (the project holds its lock)."""

    def __init__(self, changed: Callable[[], None], guard: Callable[[], None] = lambda: None) -> None:
        self._done: list[Command] = []
        self._undone: list[Command] = []
        self._changed, self._guard = changed, guard

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    @property
    def undo_label(self) -> str:
        """What undo would take back, "" when there is nothing."""
        return self._done[-1].label if self._done else ""

    @property
    def redo_label(self) -> str:
        return self._undone[-1].label if self._undone else ""

    def perform(self, command: Command) -> None:
        """Do a command and remember it."""
        command.do()
        self._done.append(command)
        del self._done[:-LIMIT]
        self._undone.clear()
        self._changed()

    def undo(self) -> bool:
        """Take back the last edit; False when there is none."""
        self._guard()
        if not self._done:
            return False
        command = self._done[-1]
        command.undo()
        self._undone.append(self._done.pop())
        self._changed()
        return True

    def redo(self) -> bool:
        self._guard()
        if not self._undone:
            return False
        command = self._undone[-1]
        command.do()
        self._done.append(self._undone.pop())
        self._changed()
        return True
