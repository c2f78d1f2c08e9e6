"""Colour maps, perceptually uniform: sequential ones, and one that diverges from zero."""

from __future__ import annotations

from functools import cache

import numpy as np

MAPS = {
    "viridis": "Viridis",
    "cividis": "Cividis",
    "magma": "Magma",
    "grey": "Grey",
    "diverging": "Blue to red",
    "soft": "Soft blue to red",
}
DIVERGING = ("diverging", "soft")
"""With the zero in the middle."""
_SOFT = np.array([[57.0, -7.0, -34.0], [95.0, 0.0, 1.0], [57.0, 29.0, 29.0]])
"""CIELAB of the ends and the middle: equal lightness at the ends, and little chroma, so that a field that is nearly
everywhere at one end or the other leaves the lines on top of it readable."""
_PROBABILITY = {
    "probability": ((122, 166, 209), (250, 249, 247), (250, 220, 187)),
    "probability-dark": ((84, 142, 202), (214, 211, 206), (54, 46, 41)),
}
"""Inside, undecided, outside. The outside takes most of a picture, so it stays near the window's own tone in either
theme; the inside is what is looked at."""
LABEL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#8C6BB1", "#7F7F7F")
SURFACE_COLOURS = ("#C9D3DA", "#E3B778", "#7FB5A8", "#C99BB8", "#8FB4D9", "#D98F6C", "#DEE28C", "#9488C8", "#85898E")
"""For meshes side by side: the hues of Okabe-Ito, softened so that shading stays readable."""


@cache
def table(name: str) -> np.ndarray:
    """(256, 3) uint8 colours; an unknown name gives viridis."""
    if name == "grey":
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    if name == "soft":
        places = np.linspace(0, 2, 256)
        return _rgb_of_lab(np.stack([np.interp(places, (0, 1, 2), _SOFT[:, k]) for k in range(3)], 1))
    if name in _PROBABILITY:
        inside, between, outside = (_lab_of_rgb(np.array(c, float)) for c in _PROBABILITY[name])
        places = np.linspace(0, 2, 256)
        ends = np.stack([inside, between, outside])
        return _rgb_of_lab(np.stack([np.interp(places, (0, 1, 2), ends[:, k]) for k in range(3)], 1))
    import pyqtgraph

    found = {"viridis": "viridis", "cividis": "cividis", "magma": "magma", "diverging": "CET-D1"}.get(name, "viridis")
    return np.ascontiguousarray(pyqtgraph.colormap.get(found).getLookupTable(0, 1, 256)[:, :3].astype(np.uint8))


_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_WHITE = np.array([0.95047, 1.0, 1.08883])


def _lab_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """(3,) sRGB from 0 to 255 to CIELAB (white of D65)."""
    coded = rgb / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    relative = np.linalg.inv(_TO_RGB) @ linear / _WHITE
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _rgb_of_lab(lab: np.ndarray) -> np.ndarray:
    """(n, 3) CIELAB (white of D65) to sRGB, uint8."""
    y = (lab[:, 0] + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], 1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE
    linear = np.clip(xyz @ _TO_RGB.T, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (coded * 255 + 0.5).astype(np.uint8)


def is_signed(low: float, high: float) -> bool:
    """Whether values on both sides of zero matter, so that zero belongs in the middle."""
    return low < 0 < high and min(-low, high) > 0.02 * max(-low, high)


def choose(values: np.ndarray) -> tuple[str, tuple[float, float]]:
    """A fitting map and range for values; outliers (1 in 1000 at either end) do not stretch it."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return "viridis", (0.0, 1.0)
    if finite.size > 200_000:
        finite = finite.ravel()[:: finite.size // 200_000]
    low, high = (float(v) for v in np.percentile(finite, (0.1, 99.9)))
    if is_signed(low, high):
        edge = max(-low, high)
        return "diverging", (-edge, edge)
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    # An end that is nearly zero is meant to be zero.
    low = 0.0 if 0 < low < 0.01 * high else low
    high = 0.0 if 0.01 * low < high < 0 else high
    return "viridis", (low, high if high > low else low + (abs(low) or 1.0))


def coloured(values: np.ndarray, name: str, low: float, high: float) -> np.ndarray:
    """values (...) to (..., 3) uint8."""
    scaled = (np.nan_to_num(np.asarray(values, np.float32), nan=low) - low) / ((high - low) or 1.0)
    return table(name)[np.clip(scaled * 255 + 0.5, 0, 255).astype(np.uint8)]


def ramp(count: int, dark: bool) -> np.ndarray:
    """(count, 3) uint8: one colour per plane in their order, kept readable on the background."""
    low, high = (0.25, 1.0) if dark else (0.0, 0.82)
    places = low + (high - low) * (np.arange(count) / max(count - 1, 1))
    return table("viridis")[np.clip(places * 255, 0, 255).astype(int)]


def label_colour(label: int) -> str:
    return LABEL_COLOURS[(int(label) - 1) % len(LABEL_COLOURS)]


def rgb(colour: str) -> tuple[float, float, float]:
    """Hex to components in [0, 1]."""
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]
