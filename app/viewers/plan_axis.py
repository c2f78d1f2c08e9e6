"""An axis over the rows or columns of a matrix: some numbers, or each one's name where there is room."""

from __future__ import annotations

import numpy as np

from app.viewers.plot_axis import FewTicks

ROOM = {"left": 15.0, "bottom": 56.0}
"""Pixels that an entry must have for its own name."""
LONGEST = {"left": 10, "bottom": 9}
"""Letters of a name."""


class EntryAxis(FewTicks):
    """Entry k lies between k and k + 1; its number and name are those of the one that the order puts there."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self._names: tuple[str, ...] = ()
        self._order = np.zeros(0, np.int64)
        self._is_sorted = False

    def set_names(self, names: tuple[str, ...], order: np.ndarray, is_sorted: bool) -> None:
        self._names, self._order, self._is_sorted = names, order, is_sorted
        self.between = (0.0, float(len(order)))
        self.picture = None
        self.update()

    def _has_room(self, low: float, high: float, size: float) -> bool:
        each = size / max(high - low, 1e-9)
        return each >= (ROOM[self.orientation] if self._names else 0.75 * ROOM[self.orientation])

    def tickValues(self, minVal: float, maxVal: float, size: float):
        low, high = min(minVal, maxVal), max(minVal, maxVal)
        if self._has_room(low, high, size):
            first, last = max(0, int(np.floor(low))), min(len(self._order), int(np.ceil(high)))
            return [(1.0, [k + 0.5 for k in range(first, last) if low <= k + 0.5 <= high])]
        if self._is_sorted:
            return []  # the numbers follow no order that a scale could show
        [(step, values)] = super().tickValues(minVal, maxVal, size)
        whole = [v for v in values if float(v).is_integer() and v < len(self._order)]
        return [(step, [v + 0.5 for v in whole])]

    def tickStrings(self, values, scale, spacing):
        found = []
        for value in values:
            k = int(np.floor(value))
            index = int(self._order[k]) if 0 <= k < len(self._order) else k
            name = self._names[index] if self._names else str(index)
            most = LONGEST[self.orientation]
            found.append(name if len(name) <= most else f"{name[: most - 1]}…")
        return found


__all__ = ["EntryAxis"]
