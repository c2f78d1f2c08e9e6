"""Boxes to choose from, whose entries follow what is on show."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox


def refill(box: QComboBox, entries: Sequence[tuple[str, str]], chosen: str) -> None:
    """Keys and titles to choose from. Left alone while they are the same: a preview must not shut an open list."""
    if list(entries) != [(box.itemData(k), box.itemText(k)) for k in range(box.count())]:
        box.clear()
        for key, title in entries:
            box.addItem(title, key)
    box.setCurrentIndex(max(0, box.findData(chosen)))
