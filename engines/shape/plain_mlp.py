"""The baseline of OReX's sheet: the same field without iterations, hinge and levels.

    E = BCE(sigmoid(L(x)), y),      L(x) = MLP([e(x), L_0, h_0])

on the samples of all levels at once: OReX with N = 1, lambda = 0. What OReX adds shows in the difference.
"""

from __future__ import annotations

from typing import Annotated

from engines.core import Example, Param, Params, Run, method
from engines.data import Mesh, Slices
from engines.shape.orex import Reconstruction, no_contours, one_plane, reconstruct, torus_example
from engines.shape.orex_params import OrexParams, memory


class PlainMlpParams(Params):
    steps: int = Param(2000, ge=0, le=10_000_000, source="as OReX", help="Optimiser steps; 0: 650 full epochs")
    batch: int = Param(4096, ge=1024, le=262_144, log=True, source="as OReX", help="Samples in a step")
    resolution: int = Param(
        128, ge=32, le=512, unit="cells", source="as OReX", help="Cells along each axis of the final mesh"
    )
    white_noise: int = Param(
        512, ge=0, le=100_000, source="as OReX", advanced=True, help="Samples anywhere on each plane, per level"
    )
    hull_samples: int = Param(
        8192, ge=0, le=1_000_000, source="as OReX", advanced=True, help="Samples on the enlarged hull, per level"
    )
    learning_rate: float = Param(1e-2, gt=0, le=1, log=True, source="as OReX", help="Of Adam, at the start")
    frequencies: int = Param(5, ge=1, le=12, source="as OReX", advanced=True, help="Learnable Fourier frequencies")
    width: int = Param(64, ge=8, le=512, source="as OReX", advanced=True, help="Width of the hidden layers")
    depth: int = Param(7, ge=1, le=16, source="as OReX", advanced=True, help="Number of hidden layers")


def as_orex(params: PlainMlpParams) -> OrexParams:
    """OReX's settings for this baseline."""
    return OrexParams(iterations=1, hinge_weight=0.0, schedule="all at once", **params.model_dump())


@method(
    key="plain-mlp",
    title="Plain MLP",
    family="shape",
    job="Fit one small network to labelled points around contours, without OReX's additions.",
    role="baseline",
    presets={"quick": {"steps": 1600, "batch": 1024, "resolution": 64}},
    sample=Example(lambda: torus_example(12, 160), {"steps": 1600, "batch": 1024, "resolution": 64}, "Torus slices"),
    smoke=Example(
        lambda: {"slices": torus_example(6, 40)["slices"]},
        {"steps": 80, "batch": 1024, "white_noise": 64, "hull_samples": 512, "resolution": 32, "width": 32, "depth": 2},
        "A very small torus",
    ),
    degenerate=(
        Example(one_plane, {"steps": 10}, "Contours on one plane only"),
        Example(no_contours, {"steps": 10}, "No contours at all"),
    ),
    memory=lambda inputs, params: memory(inputs, as_orex(params)),
    tags=("cross-sections", "contours", "neural field"),
)
def plain_mlp(
    slices: Annotated[Slices, "closed contours on two planes or more, in any directions"],
    reference: Annotated[Mesh | None, "the true surface, to measure against while training"],
    params: PlainMlpParams,
    run: Run,
) -> Reconstruction:
    """OReX with one iteration, no hinge, and the samples of all levels from the start."""
    return reconstruct.function(slices, reference, as_orex(params), run)
