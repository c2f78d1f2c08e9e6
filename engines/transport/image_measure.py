"""Preparation: an image as a measure on the grid of its pixels."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from engines.blocks.transport.histograms import rebinned
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Image, Measure

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Shares of red, green and blue (ITU-R BT.709)."""


class ImageMeasureParams(Params):
    ink: Literal["bright", "dark"] = Param("bright", label="Mass where it is", help="Which pixels have the mass")
    channel: Literal["luminance", "red", "green", "blue"] = Param("luminance", help="Which value of a colour counts")
    threshold: float = Param(0.0, ge=0, lt=1, help="Pixels with at most so much, from 0 to 1, have no mass")
    rows: int | None = Param(None, ge=1, le=2048, empty="as they are", help="Resample to so many rows")
    columns: int | None = Param(None, ge=1, le=2048, empty="as they are", help="Resample to so many columns")
    normalise: bool = Param(True, label="Mass of 1", help="Scale the mass to 1 in all")
    positions: Literal["longer side is 1", "unit square", "pixels"] = Param(
        "longer side is 1", help="Where the pixels are: their costs depend on it"
    )
    empty: Literal["keep", "leave out"] = Param(
        "keep", label="Empty pixels", help="Without them the measure is smaller, but no picture any more"
    )


def _drop(rows: int = 32, columns: int = 48) -> dict[str, Image]:
    y, x = np.mgrid[:rows, :columns] / rows
    values = np.exp(-(((x - 0.6) / 0.2) ** 2 + ((y - 0.4) / 0.15) ** 2))
    return {"image": Image(name="Drop", pixels=np.rint(255 * values).astype(np.uint8)[..., None])}


@method(
    key="image-measure", title="Image to measure", family="transport", role="preparation",
    job="Take an image as mass on the grid of its pixels, resampled where that is asked for.",
    sample=Example(_drop, {"rows": 16, "columns": 24}, "A drop on half as many pixels"),
    smoke=Example(_drop, {"rows": 16}),
    degenerate=(
        Example(lambda: {"image": Image(pixels=np.zeros((4, 4, 1), np.uint8))}, {}, "nothing but black"),
        Example(_drop, {"channel": "red"}, "a grey image has no red"),
    ),
    tags=("optimal transport", "histogram", "pixels", "resample", "digit"),
)  # fmt: skip
def image_measure(image: Annotated[Image, "the picture"], params: ImageMeasureParams, run: Run) -> Measure:
    """A pixel's mass is its brightness, or its darkness; what is see-through has less, in proportion.

    Resampling shares the mass of each pixel out among the new ones that it overlaps, so that none is lost. Where only
    rows or columns are given, the others follow from the shape. To compare two images of different shapes, resample
    both to the same rows and columns.
    """
    for _ in run.steps(1, "Weighing the pixels"):
        mass = _intensity(image, params)
        mass = np.where(mass > params.threshold, mass, 0.0)
        if not mass.sum() > 0:
            raise UserError(
                "No pixel of the image has mass.",
                f"All are {'black' if params.ink == 'bright' else 'white'}, or below the threshold.",
                "Lower the threshold, or let the mass be where it is "
                f"{'dark' if params.ink == 'bright' else 'bright'}.",
            )  # fmt: skip
        height, width = mass.shape
        shape = _new_shape(height, width, params)
        sides = _sides(height, width, shape, params)
        mass = rebinned(mass, [np.linspace(0, 1, n + 1) for n in mass.shape], [np.linspace(0, 1, n + 1) for n in shape])
        row, column = np.divmod(np.arange(mass.size), shape[1])
        points = np.stack([(column + 0.5) / shape[1] * sides[1], (shape[0] - row - 0.5) / shape[0] * sides[0]], 1)
        weights = mass.ravel() / (mass.sum() if params.normalise else 1.0)
        kept = weights > 0
        made = Measure(name=image.name, points=points, weights=weights, grid=shape)
        if params.empty == "leave out":
            run.note(f"{kept.sum():,} of {len(kept):,} pixels have mass.")
            made = Measure(name=image.name, points=points[kept], weights=weights[kept])
    return made


def _intensity(image: Image, params: ImageMeasureParams) -> np.ndarray:
    """(H, W) float64 from 0 to 1: the mass of each pixel."""
    pixels = image.pixels / (255.0 if image.pixels.dtype == np.uint8 else 1.0)
    pixels = np.asarray(pixels, np.float64).clip(0, 1)
    colours, alpha = pixels.shape[2] >= 3, pixels.shape[2] in (2, 4)
    if params.channel != "luminance" and not colours:
        raise UserError("The image has no colours.", "It is grey.", "Choose luminance.")
    if params.channel == "luminance":
        value = pixels[..., :3] @ LUMINANCE if colours else pixels[..., 0]
    else:
        value = pixels[..., ("red", "green", "blue").index(params.channel)]
    value = value if params.ink == "bright" else 1 - value
    return np.asarray(value * pixels[..., -1] if alpha else value)


def _new_shape(height: int, width: int, params: ImageMeasureParams) -> tuple[int, int]:
    rows, columns = params.rows, params.columns
    if rows is None and columns is None:
        return height, width
    if rows is None:
        assert columns is not None
        rows = max(1, round(columns * height / width))
    return rows, columns if columns is not None else max(1, round(rows * width / height))


def _sides(height: int, width: int, shape: tuple[int, int], params: ImageMeasureParams) -> tuple[float, float]:
    """Height and width of the picture, in the unit of the positions."""
    if params.positions == "pixels":
        return float(shape[0]), float(shape[1])
    longer = max(height, width)
    return (1.0, 1.0) if params.positions == "unit square" else (height / longer, width / longer)
