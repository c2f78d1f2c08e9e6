"""How far clouds of Gaussians reach, for the camera that is to show them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from app.viewers.framing import Extent
from app.viewers.registry import Shown
from app.viewers.splat_render import middle_of
from engines.data import BoundGaussians, GaussianCloud

SPLATS = (GaussianCloud, BoundGaussians)


class Extents:
    """Found once for each cloud."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, np.ndarray]] = {}

    def of(self, items: Sequence[Shown], hidden: Collection[str]) -> list[Extent]:
        """Of the clouds among these that are not hidden."""
        known: dict[str, tuple[Any, np.ndarray]] = {}
        for item in items:
            if isinstance(item.artifact, SPLATS):
                old = self._known.get(item.id)
                known[item.id] = old if old and old[0] is item.artifact else (item.artifact, middle_of(item.artifact))
        self._known = known
        return [Extent(points) for key, (_, points) in known.items() if key not in hidden]
