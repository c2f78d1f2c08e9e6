"""Which colours a section gets: the map, the window of values, and a field's level as a probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app import theme
from app.viewers import colour_maps
from engines.data import GridField, Volume


@dataclass
class Window:
    """What the user chose; "" and None are automatic."""

    cmap: str = ""
    low: float | None = None
    high: float | None = None
    _auto: tuple[Any, str, tuple[float, float]] = (None, "viridis", (0.0, 1.0))

    def reset(self) -> None:
        self.low = self.high = None

    def of(self, grid: Volume | GridField, probability: bool) -> tuple[str, float, float]:
        """Colour map, lowest and highest value in use."""
        if probability:
            name, (low, high) = "probability-dark" if theme.colors().dark else "probability", (0.0, 1.0)
        else:
            if self._auto[0] is not grid:
                values = np.asarray(grid.values)
                some = values.ravel()[:: max(1, values.size // 200_000)]
                name, span = colour_maps.choose(some)
                name = "grey" if isinstance(grid, Volume) else "soft" if name == "diverging" else name
                self._auto = (grid, name, span)
            _, name, (low, high) = self._auto
        name = self.cmap or name
        if name in colour_maps.DIVERGING and not probability:
            edge = max(abs(low), abs(high))
            low, high = -edge, edge
        low = low if self.low is None else self.low
        high = high if self.high is None else self.high
        return name, low, high if high > low else low + 1e-12 + abs(low) * 1e-6

    def restore(self, cmap: Any, span: Any) -> None:
        """From a saved state; junk is ignored."""
        if cmap in colour_maps.MAPS:
            self.cmap = cmap
        if isinstance(span, list) and len(span) == 2:
            ends = [float(v) if isinstance(v, int | float) and np.isfinite(v) else None for v in span]
            self.low, self.high = ends
