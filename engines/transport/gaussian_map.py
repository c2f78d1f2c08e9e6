"""A baseline in closed form: the optimal map between the Gaussians that have the moments of two clouds.

T(x) = m2 + A (x - m1),   A = S1^-1/2 (S1^1/2 S2 S1^1/2)^1/2 S1^-1/2
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from engines.blocks.transport import bures
from engines.blocks.transport.clouds import check_dimensions
from engines.core import Example, Paper, Params, Run, method
from engines.data import Measure, TransportMap
from engines.transport.moving_clouds import pair_of_gaussians


class GaussianMapParams(Params):
    pass


def gaussian_map_between(source: Measure, target: Measure) -> TransportMap:
    matrix, offset = bures.gaussian_map(source, target)
    return TransportMap(
        name="Gaussian map", form="affine", weights={"matrix": matrix, "offset": offset}, source=source, target=target,
        cost="squared Euclidean",
    )  # fmt: skip


@method(
    key="gaussian-map", title="Gaussian map", family="transport", role="baseline",
    job="Map one cloud onto another by mean and covariance alone, in closed form.",
    paper=Paper(
        title="The Distance between Two Random Vectors with Given Dispersion Matrices",
        authors="Olkin, Ingram and Pukelsheim, Friedrich",
        year=1982,
        venue="Linear Algebra and its Applications",
    ),
    sample=Example(lambda: pair_of_gaussians(500), {}, "Two Gaussian clouds"),
    degenerate=(
        Example(lambda: pair_of_gaussians(9) | {"target": Measure(points=np.ones((4, 3)))}, {}, "Other dimensions"),
    ),
    tags=("Bures", "affine", "optimal transport", "covariance"),
)  # fmt: skip
def gaussian_map(
    source: Annotated[Measure, "the cloud to be moved"],
    target: Annotated[Measure, "the cloud to move it onto"],
    params: GaussianMapParams,
    run: Run,
) -> TransportMap:
    """Optimal for the squared Euclidean cost where both clouds are Gaussian; else it matches mean and covariance only.

    Directions in which the source has no spread are not stretched. Raises UserError for other dimensions.
    """
    check_dimensions(source, target)
    for _ in run.steps(1, "Taking roots of covariances"):
        made = gaussian_map_between(source, target)
    return made


__all__ = ["gaussian_map", "gaussian_map_between"]
