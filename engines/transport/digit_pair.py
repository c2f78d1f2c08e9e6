"""Two handwritten digits as histograms on a grid of pixels.

The pictures are those that come with scikit-learn, 8 × 8 pixels in 17 grey levels: the test set of Alpaydin and Kaynak,
"Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository, CC BY 4.0). Finer grids are splines
through their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Measure


class DigitPairParams(Params):
    first: int = Param(3, ge=0, le=9, label="First digit", help="0 to 9", source="own choice")
    second: int = Param(5, ge=0, le=9, label="Second digit", help="0 to 9", source="own choice")
    size: int = Param(28, ge=8, le=128, unit="pixels", help="Rows, and as many columns", source="SNS, sec. 5")
    background: float = Param(
        0.01, ge=0, lt=1, source="own choice",
        help="Share of the mass that lies evenly on all pixels; 0 leaves those without ink out",
    )  # fmt: skip
    which: int = Param(
        0, ge=0, le=182, label="Handwriting", help="Each digit was written by many: 0 is the first", source="own choice"
    )


@dataclass(frozen=True)
class DigitPair:
    first: Measure
    second: Measure


def digit(value: int, which: int, size: int, background: float) -> Measure:
    """A digit as a histogram of total 1 on size × size pixels."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    images, values = load_digits(return_X_y=True)
    written = np.flatnonzero(values == value)
    if which >= len(written):
        raise UserError(
            f"The digit {value} was written {len(written)} times.", f"Handwriting {which} does not exist.",
            f"Choose one of 0 to {len(written) - 1}.",
        )  # fmt: skip
    picture = images[written[which]].reshape(8, 8) / 16
    ink = np.clip(zoom(picture, size / 8, order=3, mode="grid-constant", grid_mode=True), 0, 1)
    ink[ink < 0.02] = 0  # the splines' ripples
    weights = (1 - background) * ink.ravel() / ink.sum() + background / ink.size
    rows, columns = np.mgrid[size - 1 : -1 : -1, 0:size]
    points = np.stack([columns.ravel(), rows.ravel()], 1).astype(float)
    return Measure(name=f"Digit {value}", points=points, weights=weights / weights.sum(), grid=(size, size), unit="px")


@method(
    key="digit-pair", title="Two digits", family="transport",
    job="Two handwritten digits as histograms on a grid of pixels.",
    presets={"quick": {"size": 14}, "fine": {"size": 64}},
    smoke=Example(params={"size": 8}),
    degenerate=(Example(params={"which": 182, "size": 8, "first": 8, "second": 8}, title="Not written so often"),),
    tags=("measure", "image", "histogram", "transport", "problem"),
)  # fmt: skip
def digit_pair(params: DigitPairParams, run: Run) -> DigitPair:
    """Each has a total mass of 1. Positions are in pixels, the first row uppermost."""
    return DigitPair(
        digit(params.first, params.which, params.size, params.background),
        digit(params.second, params.which, params.size, params.background),
    )
