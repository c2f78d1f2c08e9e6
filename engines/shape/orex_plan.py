"""What OReX trains on and when: the sample sets of the levels, their order in time, and the batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.blocks.contour_sampling import PlaneContours, Samples, hull_samples, plane_sample_count, plane_samples
from engines.blocks.iterative_field import IterativeField
from engines.blocks.normalisation import Similarity
from engines.core import Run
from engines.shape.orex_params import OrexParams


@dataclass(frozen=True)
class Subject:
    """The contours of one surface in the unit frame."""

    label: int
    name: str
    similarity: Similarity
    planes: list[PlaneContours]
    vertices: np.ndarray

    @property
    def surface_name(self) -> str:
        return self.name if self.label else f"{self.name}, surface"

    def start(self, params: OrexParams, run: Run) -> IterativeField:
        """The untrained network; the same on every device, and whichever surface comes first."""
        seed = int(np.random.default_rng((run.seed, self.label + 2**31)).integers(2**62))
        field = IterativeField.initialised(params.architecture, torch.Generator().manual_seed(seed))
        return IterativeField(params.architecture, field.flat.to(run.device))

    def samples(self, level: int, params: OrexParams, seed: int) -> Samples:
        """The sample set of one level."""
        rng = np.random.default_rng((seed, self.label + 2**31, level))
        radius, count = 0.5 ** params.radius_exponents[level], params.samples[level]
        parts = [plane_samples(p, radius, count, params.white_noise, rng) for p in self.planes]
        parts.append(hull_samples(self.vertices, params.hull_samples, params.hull_margin, rng))
        return Samples.join(parts)

    def sample_count(self, level: int, params: OrexParams) -> int:
        count = params.samples[level]
        return sum(plane_sample_count(p, count, params.white_noise) for p in self.planes) + params.hull_samples


@dataclass(frozen=True)
class Stage:
    """Training on the samples of ``levels``, from ``first`` step on; epochs may be fractions of a pass."""

    levels: tuple[int, ...]
    first: int
    steps: int
    first_epoch: int
    epochs: int

    def epoch(self, step: int) -> int:
        """The epoch that ``step`` counts for in the decay of the learning rate."""
        return self.first_epoch + self.epochs * (step - self.first) // self.steps


def stages(params: OrexParams, sizes: list[int]) -> list[Stage]:
    """The schedule for levels of ``sizes`` samples."""
    levels = range(len(params.epochs))
    if params.schedule == "all at once":
        groups, epochs = [tuple(levels)], [sum(params.epochs)]
    else:
        groups = [tuple(range(max(0, level - params.kept_levels + 1), level + 1)) for level in levels]
        epochs = list(params.epochs)
    passes = [e * sum(sizes[l] for l in g) / params.batch for g, e in zip(groups, epochs, strict=True)]
    lengths = [e / sum(epochs) * params.steps for e in epochs] if params.steps else passes
    ends = np.round(np.cumsum(lengths)).astype(int)
    found, first, first_epoch = [], 0, 0
    for group, count, end in zip(groups, epochs, ends.tolist(), strict=True):
        if end > first:
            found.append(Stage(group, first, end - first, first_epoch, count))
        first, first_epoch = max(first, end), first_epoch + count
    return found


def batches(samples: Samples, size: int, key: tuple[int, ...], skip: int, device: torch.device) -> Iterator[Any]:
    """Endless (points, labels) of ``size``: one random order of all samples after the other, from batch ``skip`` on.

    Each order follows from ``key`` and its number alone, so that a resumed run sees what it would have seen.
    """
    points = torch.from_numpy(samples.points).to(device)
    labels = torch.from_numpy(samples.labels).to(device)
    count, order, known = len(points), np.zeros(0, np.int64), -1
    for batch in range(skip, 2**62):
        first, last = batch * size // count, ((batch + 1) * size - 1) // count
        if (first, last) != known:
            orders = [np.random.default_rng((*key, n)).permutation(count) for n in range(first, last + 1)]
            order, known = np.concatenate(orders), (first, last)
        start = batch * size - first * count
        index = torch.from_numpy(order[start : start + size]).to(device)
        yield points[index], labels[index]
