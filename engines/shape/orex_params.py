"""Settings of OReX, with the values of the reference implementation and those for a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from engines.blocks.iterative_field import Architecture
from engines.core import Artifact, Param, Params

REPO = "reference implementation"
CPU = "own choice, for a CPU"


class OrexParams(Params):
    steps: int = Param(
        2000, ge=0, le=10_000_000, source="sheet 12, CPU preset",
        help="Optimiser steps, shared out over the levels as their epochs are. 0: every epoch in full, as published",
    )  # fmt: skip
    batch: int = Param(4096, ge=1024, le=262_144, log=True, source=f"{CPU}; {REPO}: 16384", help="Samples in a step")
    iterations: int = Param(
        3, ge=1, le=20, source=f"{CPU}; {REPO}: 10", help="How many times the network refines its answer (N)"
    )
    resolution: int = Param(
        128, ge=32, le=512, unit="cells", source=f"{CPU}; {REPO}: 300", help="Cells along each axis of the final mesh"
    )
    labels: Literal["each", "together"] = Param(
        "each",
        help="When contours carry several labels: a surface for each, or one for all of them",
        source="own choice",
    )
    schedule: Literal["hierarchical", "all at once"] = Param(
        "hierarchical", source="paper", help="Samples come nearer to the contours level by level, or all levels at once"
    )
    radius_exponents: tuple[int, ...] = Param(
        (4, 5, 5, 6, 6, 7), ge=2, le=10, source=REPO, advanced=True,
        help="One for each level: samples lie 0.5^exponent from the contours; the shape fills [-1, 1]",
    )  # fmt: skip
    samples: tuple[int, ...] = Param(
        (2, 2, 3, 3, 4, 5), ge=1, le=10, source=REPO, advanced=True, help="Samples at each vertex and edge, per level"
    )
    epochs: tuple[int, ...] = Param(
        (50, 50, 100, 100, 150, 200), ge=1, source=REPO, advanced=True, help="Epochs of each level"
    )
    kept_levels: int = Param(
        3, ge=1, le=6, source=REPO, advanced=True, help="Train on the samples of this many last levels"
    )
    white_noise: int = Param(
        512, ge=0, le=100_000, source=f"sheet 12, CPU preset; {REPO}: 2048", advanced=True,
        help="Samples anywhere on each plane, per level",
    )  # fmt: skip
    hull_samples: int = Param(
        8192, ge=0, le=1_000_000, source=f"sheet 12, CPU preset; {REPO}: 16384", advanced=True,
        help="Samples on the enlarged convex hull, per level; they are outside",
    )  # fmt: skip
    hull_margin: float = Param(0.05, ge=0, le=1, source=REPO, advanced=True, help="How much the hull is enlarged")
    hinge_weight: float = Param(
        1e-4, ge=0, le=1e-2, source=REPO, help="Weight of the penalty on slopes that are too steep (lambda)"
    )
    hinge_threshold: float = Param(
        100.0, ge=10, le=1000, source=REPO, help="Slope of the logit that is still free (alpha), per unit of the frame"
    )
    learning_rate: float = Param(1e-2, gt=0, le=1, log=True, source=REPO, help="Of Adam, at the start")
    decay: float = Param(0.9, gt=0, le=1, source=REPO, advanced=True, help="Factor on the learning rate")
    decay_epochs: int = Param(10, ge=1, source=REPO, advanced=True, help="Epochs between two such factors")
    weight_decay: float = Param(1e-3, ge=0, le=1, source=REPO, advanced=True, help="Of Adam (L2)")
    frequencies: int = Param(5, ge=1, le=12, source=REPO, advanced=True, help="Learnable Fourier frequencies")
    hidden: int = Param(32, ge=2, le=256, source=REPO, advanced=True, help="Values handed from iteration to iteration")
    width: int = Param(64, ge=8, le=512, source=REPO, advanced=True, help="Width of the hidden layers")
    depth: int = Param(7, ge=1, le=16, source=REPO, advanced=True, help="Number of hidden layers")
    vertex_pull: float = Param(
        1.0, ge=1e-3, le=10, log=True, advanced=True, source="measured; sheet 12: 0.01, for fields without kinks",
        help="How strongly vertices of the mesh are drawn to the mean of the crossings in their cell, against the "
        "normals there. Less keeps sharper edges; below 0.1 faces fold over, because the network's slope has kinks",
    )  # fmt: skip
    drop_floating: bool = Param(
        True, source="own choice", advanced=True,
        help="Leave out pieces of the mesh that no contour comes near and that no plane's section asks for",
    )  # fmt: skip
    level_meshes: bool = Param(False, source=f"{CPU}; {REPO}: on", advanced=True, help="Also give a mesh of each level")
    level_resolution: int = Param(
        150, ge=32, le=512, unit="cells", source=REPO, advanced=True, help="Cells along each axis of the levels' meshes"
    )

    @model_validator(mode="after")
    def _same_levels(self) -> OrexParams:
        counts = {len(self.radius_exponents), len(self.samples), len(self.epochs)}
        if len(counts) > 1 or 0 in counts:
            raise ValueError("radius_exponents, samples and epochs need one number for each level")
        return self

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.iterations, self.frequencies, self.hidden, self.width, self.depth)


QUICK = {"steps": 1600, "batch": 1024, "iterations": 2, "resolution": 64}
AS_PUBLISHED = {
    "steps": 0, "batch": 16_384, "iterations": 10, "white_noise": 2048, "hull_samples": 16_384, "resolution": 300,
    "level_meshes": True,
}  # fmt: skip


def memory(inputs: Mapping[str, Artifact], params: OrexParams) -> int:
    """Bytes: the final grid with its masks, the samples, the activations of one chunk, and the optimiser."""
    slices: Any = inputs["slices"]
    grid = 16 * (params.resolution + 1) ** 3
    held = params.kept_levels if params.schedule == "hierarchical" else len(params.samples)
    a_level = len(slices.vertices) * 4 * max(params.samples) + slices.plane_count * params.white_noise
    size = params.architecture
    activations = 4 * chunk_size(params) * size.iterations * 3 * (size.depth * size.width + size.state)
    return int(3e8) + grid + 60 * held * (a_level + params.hull_samples) + 2 * activations + 20 * size.size


def chunk_size(params: OrexParams) -> int:
    """Samples in one go: the largest that stays in the cache and lets a cancel through in time."""
    return max(256, 12_288 * 64 // (params.iterations * params.width))
