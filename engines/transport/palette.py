"""The colours of an image as a measure: some hundred colours, each with the share of the pixels nearest to it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.k_means import k_means
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Image, Measure

Space = Literal["Lab", "RGB"]
NAMES: dict[Space, tuple[str, ...]] = {"Lab": ("L", "a", "b"), "RGB": ("red", "green", "blue")}
LOOKED_AT = 20_000
"""Colours are sought among so many pixels, drawn at random."""
VISIBLE = 0.5
"""Pixels that are more transparent than this do not count."""


class PaletteParams(Params):
    colours: int = Param(300, ge=2, le=2000, log=True, help="How many", source="sheet 07: up to 2,000")
    choice: Literal["k-means", "random pixels"] = Param(
        "k-means", label="Chosen by", source="sheet 07", help="Centres of clusters of pixels, or pixels drawn at random"
    )
    space: Space = Param("Lab", label="Colour space", source="own choice",
                         help="In Lab, distances are about what is seen; RGB goes from 0 to 1")  # fmt: skip


def colours_of(pixels: np.ndarray, space: Space) -> np.ndarray:
    """(N, 3) float64 coordinates of pixels (H, W, 1 to 4), row by row; Lab for D65, or RGB in [0, 1]."""
    from skimage.color import rgb2lab

    values = pixels.astype(np.float64) / (255 if pixels.dtype == np.uint8 else 1)
    rgb = values[..., :3] if pixels.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    return (rgb2lab(rgb.clip(0, 1)) if space == "Lab" else rgb).reshape(-1, 3)


def rgb_of(colours: np.ndarray, space: Space) -> np.ndarray:
    """(N, 3) RGB in [0, 1] of colours; what a screen cannot show is cut off."""
    from skimage.color import lab2rgb

    if space == "RGB":
        return colours.clip(0, 1)
    light = colours.copy()
    light[:, 0] = light[:, 0].clip(0, 100)
    light[:, 2] = np.minimum(light[:, 2], (light[:, 0] + 16) / 116 * 200 - 1e-6)  # below, Z of XYZ would be negative
    return lab2rgb(light[None])[0].clip(0, 1)


def visible(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that count."""
    if pixels.shape[2] in (1, 3):
        return np.ones(pixels.shape[:2], bool)
    return pixels[..., -1] > VISIBLE * (255 if pixels.dtype == np.uint8 else 1)


def two_pictures() -> dict[str, Image]:
    """A cat and a cup of coffee (scikit-image; public domain), every fourth pixel."""
    from skimage import data

    cat, coffee = (np.ascontiguousarray(picture[::4, ::4]) for picture in (data.chelsea(), data.coffee()))
    return {"cat": Image(pixels=cat, name="Cat"), "coffee": Image(pixels=coffee, name="Coffee")}


def sunset(size: int = 24) -> Image:
    """A small picture of three colours that run into one another."""
    down, across = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    red, green, blue = 255 * (1 - 0.3 * down), 200 * down * across, 60 + 150 * (1 - across)
    return Image(pixels=np.stack([red, green, blue], 2).astype(np.uint8), name="Sunset")


@method(
    key="palette", title="Palette of an image", family="transport", role="preparation",
    job="Turn an image into a measure of its colours.",
    sample=Example(lambda: {"image": two_pictures()["coffee"]}, title="A cup of coffee"),
    smoke=Example(lambda: {"image": sunset()}, {"colours": 12}),
    degenerate=(
        Example(lambda: {"image": Image(pixels=np.zeros((4, 4, 4), np.uint8))}, title="Nothing but transparent pixels"),
        Example(lambda: {"image": Image(pixels=np.zeros((0, 4, 3), np.uint8))}, title="No pixel at all"),
    ),
    tags=("colours", "photo", "k-means", "colour transfer"),
)  # fmt: skip
def palette(image: Image, params: PaletteParams, run: Run) -> Measure:
    """Couple the palettes of two images, then apply the coupling with Colour transfer."""
    seen = visible(image.pixels)
    if not seen.any():
        raise UserError("The image has no pixel that can be seen.", "It is empty or transparent everywhere.",
                        "Choose another image.")  # fmt: skip
    every = colours_of(image.pixels, params.space)[seen.ravel()]
    for _ in run.steps(1, "Looking for colours"):
        drawn = every if len(every) <= LOOKED_AT else every[run.rng.choice(len(every), LOOKED_AT, replace=False)]
        distinct = np.unique(drawn, axis=0)
        if len(distinct) <= params.colours:
            if len(distinct) < params.colours:
                run.note(f"The image has {len(distinct):,} colours; all of them are taken.")
            centres = distinct
        elif params.choice == "random pixels":
            centres = distinct[run.rng.choice(len(distinct), params.colours, replace=False)]
        else:
            centres, _ = k_means(drawn, params.colours, run.rng, check=run.check)
        nearest = cKDTree(centres).query(every)[1]
        shares = np.bincount(nearest, minlength=len(centres)) / len(every)
    kept = shares > 0
    shown = np.full((int(kept.sum()), 4), 255, np.uint8)
    shown[:, :3] = np.rint(255 * rgb_of(centres[kept], params.space))
    return Measure(name=f"Colours of {image.name or 'the image'}", points=centres[kept], weights=shares[kept],
                   colors=shown, dimensions=NAMES[params.space])  # fmt: skip


__all__ = ["NAMES", "Space", "colours_of", "palette", "rgb_of", "sunset", "two_pictures", "visible"]
