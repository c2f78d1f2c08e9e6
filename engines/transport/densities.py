"""Two densities on a line, each a mixture of Gaussians, as histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Measure


class DensitiesParams(Params):
    bins: int = Param(300, ge=2, le=20_000, help="Bins between 0 and 1, for each density", source="own choice")
    first: tuple[float, ...] = Param(
        (0.2, 0.05, 1.0, 0.45, 0.08, 1.0), label="Bumps of the first", source="own choice",
        help="Centre, standard deviation and mass of each bump, one bump after the other",
    )  # fmt: skip
    second: tuple[float, ...] = Param(
        (0.6, 0.05, 1.0, 0.85, 0.04, 0.6), label="Bumps of the second", source="own choice",
        help="Centre, standard deviation and mass of each bump, one bump after the other",
    )  # fmt: skip
    floor: float = Param(
        1e-3, ge=0, le=1, help="Mass spread evenly over all bins, so that none is empty", source="own choice"
    )


@dataclass(frozen=True)
class Densities:
    first: Measure
    second: Measure


def density(bins: int, bumps: tuple[float, ...], floor: float, name: str) -> Measure:
    """A histogram of total 1 on the centres of bins of [0, 1]."""
    if not bumps or len(bumps) % 3:
        raise UserError(
            f"The bumps of the {name.lower()} are {len(bumps)} numbers.",
            "Each bump takes three: its centre, its standard deviation and its mass.",
            "Give three numbers for each bump.",
        )
    centres, widths, masses = np.array(bumps, float).reshape(-1, 3).T
    if widths.min() <= 0 or masses.min() < 0:
        raise UserError(f"A bump of the {name.lower()} has no width, or negative mass.",
                        "The second number of a bump is its width, the third its mass.",
                        "Give a width above zero and a mass that is not negative.")  # fmt: skip
    x = (np.arange(bins) + 0.5) / bins
    heights = (masses * np.exp(-0.5 * ((x[:, None] - centres) / widths) ** 2) / widths).sum(1)
    total = heights.sum()
    if not total > 0:
        raise UserError(f"The {name.lower()} has no mass between 0 and 1.", "Its bumps lie outside, or weigh nothing.",
                        "Move a bump, or give it mass.")  # fmt: skip
    weights = (1 - floor) * heights / total + floor / bins
    return Measure(name=name, points=x[:, None], weights=weights / weights.sum(), grid=(bins,))


def two_densities(params: DensitiesParams) -> Densities:
    return Densities(
        density(params.bins, params.first, params.floor, "First density"),
        density(params.bins, params.second, params.floor, "Second density"),
    )


def pair_of_densities(bins: int) -> dict[str, Measure]:
    """Inputs of a method, as an example."""
    made = two_densities(DensitiesParams(bins=bins))
    return {"source": made.first, "target": made.second}


@method(
    key="densities", title="Two densities", family="transport",
    job="Two densities on a line, each a mixture of Gaussian bumps.",
    presets={"quick": {"bins": 60}},
    smoke=Example(params={"bins": 30}),
    degenerate=(
        Example(params={"first": (0.5, 0.1)}, title="Two numbers for a bump"),
        Example(params={"second": (0.5, 0.0, 1.0)}, title="A bump without width"),
        Example(params={"first": (90.0, 0.1, 1.0)}, title="A bump far outside"),
    ),
    tags=("measure", "histogram", "transport", "problem"),
)  # fmt: skip
def densities(params: DensitiesParams, run: Run) -> Densities:
    """Histograms of total mass 1 on the same bins of [0, 1]."""
    return two_densities(params)
