"""What is under way at a time between two histograms, computed beside the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.viewers import transport_curves
from app.viewers.transport_content import Journey


@dataclass(frozen=True, eq=False)
class Moment:
    """A time from 0 to 1 of a journey between images, or between curves with these ``nodes``."""

    journey: Journey
    time: float
    nodes: np.ndarray | None = None


def between(moment: Moment, stale: Any) -> np.ndarray:
    """(rows, columns) mass of the image at this time, or the density at the nodes."""
    journey = moment.journey
    if moment.nodes is not None:
        return transport_curves.under_way(journey, moment.nodes, moment.time)
    return image_between(journey, moment.time)


def image_between(journey: Journey, t: float) -> np.ndarray:
    """(rows, columns) mass at the nodes of the grid that both ends stand on."""
    assert journey.way is not None
    return journey.way.histogram(t)


__all__ = ["Moment", "between", "image_between"]
