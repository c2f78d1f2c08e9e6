"""Round marks of several sizes and colours, drawn by the hundred thousand: 13 ms for so many."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyqtgraph.Qt import internals
from PySide6.QtGui import QImage, QPainter, QPixmap

PAD = 2
"""Pixels around a mark in the sheet of marks."""


def diameters(mass: np.ndarray, count: int) -> np.ndarray:
    """(N,) pixels across: areas go by mass, and all are the smaller the more there are."""
    usual = float(np.clip(26 * max(count, 1) ** -0.2, 2.6, 13))
    top = float(np.quantile(mass, 0.95)) if len(mass) else 0.0
    if top <= 0 or mass.min() > 0.98 * mass.max():
        return np.full(len(mass), usual)
    return np.clip(1.2 * usual * np.sqrt(mass / top), 2.0, 2.2 * usual)


class Discs:
    """A sheet of marks in ``colours`` (C, 3) uint8 and some sizes; each place takes one of them."""

    SIZES = 12

    def __init__(
        self, colours: np.ndarray, sizes: np.ndarray, halo: str, scale: float, opacity: float = 1.0, *,
        in_picture: bool = False,
    ) -> None:  # fmt: skip
        """``sizes`` (N,) pixels across of what will be drawn; ``scale`` pixels of the screen for one of them.

        On a screen the painter takes ``scale`` into account, in a picture it does not.
        """
        self._shrink = 1.0 if in_picture else 1 / scale
        low, high = (float(sizes.min()), float(sizes.max())) if len(sizes) else (3.0, 3.0)
        self._steps = np.linspace(low, high, self.SIZES if high > low * 1.01 else 1)
        self._scale = scale
        self._cell = int(np.ceil(high * scale)) + 2 * PAD
        self.size_of = self._nearest(sizes)
        self._sheet = QPixmap.fromImage(self._draw(np.asarray(colours, float), halo, opacity))
        self._fragments = internals.PrimitiveArray(QPainter.PixmapFragment, 10)

    def _nearest(self, sizes: np.ndarray) -> np.ndarray:
        span = float(self._steps[-1] - self._steps[0]) or 1.0
        return np.rint((sizes - self._steps[0]) / span * (len(self._steps) - 1)).astype(np.int64)

    def _draw(self, colours: np.ndarray, halo: str, opacity: float) -> QImage:
        """A row for each colour and a column for each size: smooth discs, the larger ones with a rim."""
        cell, middle = self._cell, self._cell / 2
        y, x = np.mgrid[:cell, :cell] + 0.5
        away = np.hypot(x - middle, y - middle)
        radii = self._steps * self._scale / 2
        rim = np.where(self._steps >= 5, 1.0, 0.0) * self._scale
        cover = np.clip(radii[:, None, None] - away + 0.5, 0, 1)
        inner = np.clip((radii - rim)[:, None, None] - away + 0.5, 0, 1) / np.maximum(cover, 1e-9)
        edge = np.array([int(halo[i : i + 2], 16) for i in (1, 3, 5)], float)
        share = np.minimum(inner, 1)[None, ..., None]
        rgb = share * colours[:, None, None, None, :] + (1 - share) * edge
        alpha = np.broadcast_to((opacity * cover)[None, ..., None], (*rgb.shape[:-1], 1))
        held = np.concatenate([rgb[..., ::-1] * alpha, 255 * alpha], -1)
        # (C, S, cell, cell, 4) to rows of marks beside each other.
        held = held.transpose(0, 2, 1, 3, 4).reshape(len(colours) * cell, len(radii) * cell, 4)
        bytes_ = np.ascontiguousarray(np.rint(held).astype(np.uint8))
        height, width, _ = bytes_.shape
        return QImage(bytes_.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()

    def draw(self, painter: QPainter, places: np.ndarray, colour: Any = 0, which: Any = slice(None)) -> None:
        """At ``places`` (N, 2) in pixels; ``colour`` of each, and ``which`` of the sizes, those at the places."""
        count = len(places)
        if not count:
            return
        self._fragments.resize(count)
        held = self._fragments.ndarray()
        held[:, :2] = places
        held[:, 2] = self.size_of[which] * self._cell
        held[:, 3] = np.asarray(colour) * self._cell
        held[:, 4:6] = self._cell
        held[:, 6:8] = self._shrink
        held[:, 8], held[:, 9] = 0, 1
        painter.drawPixmapFragments(*self._fragments.drawargs(), self._sheet)


def few_colours(colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3) colours of at most 512, and which of them each of (N, 3 or 4) uint8 has."""
    parts = np.asarray(colors)[:, :3].astype(np.int64) >> 5
    keys, which = np.unique(parts @ np.array([64, 8, 1]), return_inverse=True)
    sums = np.stack([np.bincount(which, colors[:, k].astype(float), len(keys)) for k in range(3)], 1)
    return np.rint(sums / np.bincount(which, minlength=len(keys))[:, None]).astype(np.uint8), which


__all__ = ["Discs", "diameters", "few_colours"]
