"""An axis with few, short numbers: for plots that may be as small as a stamp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QRectF

from app.viewers.overlay import number

ROOM = 15
"""Pixels by which a number may reach beyond the end of its axis, as pyqtgraph has it without a grid."""
MOST_DIGITS = 6


def short(value: float, digits: int = 3) -> str:
    """At most so many figures; powers of ten as 1e−5, which is narrower than 1×10⁻⁵. All before the point are kept."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return number(value, max(digits, len(f"{abs(value):.0f}")))
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}".replace("-", "−")


def apart(values: Sequence[float]) -> list[str]:
    """Short texts of a scale's numbers, with as many figures as tell them apart."""
    texts: list[str] = []
    for digits in range(3, MOST_DIGITS + 1):
        texts = [short(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def nice(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two ends, at most ``most`` and if possible two."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    span = high - low
    base = 10.0 ** math.floor(math.log10(span / max(most, 1)))
    finer: list[float] = []
    for step in (base * k for k in (1, 2, 5, 10, 20, 50, 100)):
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        found = [0.0 if first + k == 0 else (first + k) * step for k in range(count)]
        if count <= most:
            # One number tells no scale: then rather the ends of what was too many.
            return found if count >= 2 or len(finer) < 2 else [finer[0], finer[-1]]
        finer = found
    return []


def nice_powers(low: float, high: float, most: int) -> list[float]:
    """Base-10 logarithms of round numbers between two logarithms."""
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    if last - first >= 1:
        step = -(-(last - first + 1) // most)
        return [float(k) for k in range(first, last + 1, step)]
    if not -300 < low < high < 300:
        return []
    near = [m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    found = [v for v in near if low <= math.log10(v) <= high]
    if not 2 <= len(found) <= most + 1:
        found = [v for v in nice(10**low, 10**high, most) if v > 0]
    return [math.log10(v) for v in found]


class FewTicks(pg.AxisItem):
    """``between`` limits the ticks to a stretch of the axis, such as the extent of a picture."""

    def __init__(self, orientation: str, apart: float = 0.0) -> None:
        super().__init__(orientation)
        # They keep apart by themselves; those at the ends of the axis may reach beyond it a little.
        self.setStyle(hideOverlappingLabels=False)
        self.apart = apart or (34.0 if orientation == "left" else 78.0)
        self.between: tuple[float, float] | None = None

    def boundingRect(self) -> QRectF:
        rect = super().boundingRect()
        if self.grid is False:
            return rect
        # With a grid pyqtgraph forgets the room beyond the ends, and leaves out the numbers there.
        across = (0, ROOM) if self.orientation in ("left", "right") else (ROOM, 0)
        return rect.adjusted(-across[0], -across[1], *across)

    def tickValues(self, minVal: float, maxVal: float, size: float):
        low, high = min(minVal, maxVal), max(minVal, maxVal)
        if self.between is not None and not self.logMode:
            size *= max(0.0, min(high, self.between[1]) - max(low, self.between[0])) / max(high - low, 1e-300)
            low, high = max(low, self.between[0]), min(high, self.between[1])
        most = max(2, int(size / self.apart))
        values = (nice_powers if self.logMode else nice)(low, high, most)
        return [(values[1] - values[0] if len(values) > 1 else 1.0, values)]

    def tickStrings(self, values, scale, spacing):
        return apart([10.0**v if self.logMode else float(v) * scale for v in values])
