"""What a 3D view lets take its mouse."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF


class Tool(Protocol):
    """Takes mouse events (widget pixels) before navigation does; true means taken.

    The one that took a press is told of what follows. When none did, all are told of the release: for clicks.
    """

    def press(self, at: QPointF) -> bool: ...
    def move(self, at: QPointF, held: bool) -> bool: ...
    def release(self, at: QPointF) -> bool: ...
