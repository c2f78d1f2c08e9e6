"""What GP-HM has learned, at any point: the mean by interpolation, its standard deviation, and the spectrum.

    u(x) = k(x, X) K^-1 u,         in two dimensions  K_1* K_1^-1 U K_2^-1 K_2*^T

A solution of form "gp" is a sum of such processes. The deviation is that of Laplace's approximation at the learned
kernels: white values z have the covariance H^-1, H the Hessian of -J in z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.derivatives import Index, Jets, check_order
from engines.blocks.pde.forms import Evaluate, form
from engines.blocks.pde.kronecker import along_all
from engines.blocks.pde.spectral_kernels import MOST_DERIVATIVES, Components, kernel_derivatives
from engines.blocks.pde.tensor_grid import TensorGrid
from engines.data import Problem, SampledField, Solution, SpectrumTable

CHUNK = 4_000_000
"""Kernel values at a time, components counted."""


@dataclass(frozen=True)
class Process:
    """One Gaussian process on a tensor grid: its kernel, the components of each axis, and ``alpha`` = K^-1 u."""

    kernel: str
    axes: tuple[Tensor, ...]
    components: tuple[Components, ...]
    alpha: Tensor

    def cross(self, axis: int, at: Tensor, order: int = 0) -> Tensor:
        """(P, N) covariance of values at ``at`` (P,) along an axis, or their derivatives, with values at its nodes."""
        nodes, part = self.axes[axis], self.components[axis]
        size = max(1, CHUNK // (len(nodes) * len(part.log_weights)))
        blocks = [kernel_derivatives(self.kernel, rows[:, None] - nodes, part)[order] for rows in at.split(size)]
        return torch.cat(blocks)

    def on_grid(self, axes: Sequence[Tensor]) -> Tensor:
        """The mean at the nodes of another grid."""
        return along_all([self.cross(i, at) for i, at in enumerate(axes)], self.alpha)

    def at(self, points: Tensor, index: Index = (0, 0)) -> Tensor:
        """(P,) the mean at ``points`` (P, D), or one of its derivatives up to the second along each axis."""
        found = self.cross(0, points[:, 0], index[0]) @ self.alpha
        return found if self.alpha.ndim == 1 else (found * self.cross(1, points[:, 1], index[1])).sum(1)

    def weights(self, number: int) -> dict[str, np.ndarray]:
        found = {f"{number}/alpha": self.alpha}
        for axis, (nodes, part) in enumerate(zip(self.axes, self.components, strict=True)):
            found |= {
                f"{number}/{axis}/nodes": nodes,
                f"{number}/{axis}/log_weights": part.log_weights,
                f"{number}/{axis}/log_rates": part.log_rates,
                f"{number}/{axis}/frequencies": part.frequencies,
            }
        return {name: values.detach().cpu().numpy() for name, values in found.items()}


@form("gp")
def build(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Evaluate:
    """A sum of processes as a function of points."""
    processes = []
    for number, kernel in enumerate(config["kernels"]):
        alpha = weights[f"{number}/alpha"]
        parts = [
            Components(*(weights[f"{number}/{axis}/{name}"] for name in ("log_weights", "log_rates", "frequencies")))
            for axis in range(alpha.ndim)
        ]
        nodes = tuple(weights[f"{number}/{axis}/nodes"] for axis in range(alpha.ndim))
        processes.append(Process(kernel, nodes, tuple(parts), alpha))

    return Sum(processes)


class Sum:
    """A sum of processes: values (P, 1), and their derivatives in closed form."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self.processes = processes

    def __call__(self, points: Tensor) -> Tensor:
        zero = (0,) * points.shape[1]
        return self.jets(points, (zero,))[zero]

    def jets(self, points: Tensor, needs: Sequence[Index]) -> Jets:
        check_order(((times,) for index in needs for times in index), MOST_DERIVATIVES, "A Gaussian process")
        at = points.to(torch.float64)
        chunk = max(1, CHUNK // max(p.alpha.shape[0] for p in self.processes))
        found = {}
        for index in needs:
            rows = [torch.stack([p.at(part, index) for p in self.processes]).sum(0) for part in at.split(chunk)]
            found[index] = torch.cat(rows)[:, None].to(points.dtype)
        return found


def solution_of(problem: Problem, processes: Sequence[Process], name: str = "") -> Solution:
    import json

    weights: dict[str, np.ndarray] = {}
    for number, process in enumerate(processes):
        weights |= process.weights(number)
    config = json.dumps({"kernels": [p.kernel for p in processes]})
    return Solution(problem=problem, form="gp", weights=weights, config=config, name=name)


def field_of(grid: TensorGrid, processes: Sequence[Process], name: str = "") -> SampledField:
    """The mean at the nodes of a grid."""
    return grid.field(torch.stack([p.on_grid(grid.axes) for p in processes]).sum(0), name)


def deviation_of(grid: TensorGrid, process: Process, rows: Tensor, factors: Sequence[Tensor]) -> SampledField:
    """The posterior standard deviation at the nodes of a grid.

    ``rows`` (R, N) are the equations for white values, with H = rows^T rows, and ``factors`` the L_d of each axis:

        var(x) = k(0) - |L^-1 k(X, x)|^2 + |R^-T L^-1 k(X, x)|^2,        H = R^T R
    """
    R = torch.linalg.qr(rows, mode="r").R
    parts = [
        torch.linalg.solve_triangular(L, process.cross(i, at).mT, upper=False)
        for i, (L, at) in enumerate(zip(factors, grid.axes, strict=True))
    ]
    prior = torch.ones((), dtype=torch.float64, device=R.device)
    for part in process.components:
        prior = prior * part.log_weights.exp().sum()
    found = []
    for column in range(parts[0].shape[1]):
        white = parts[0][:, column : column + 1]
        white = white if len(parts) == 1 else (white[:, None] * parts[1]).reshape(-1, parts[1].shape[1])
        reduced = torch.linalg.solve_triangular(R.mT, white, upper=False)
        found.append((prior - white.square().sum(0) + reduced.square().sum(0)).clamp(min=0).sqrt())
    return grid.field(torch.stack(found).reshape(grid.shape), "Standard deviation")


def source_spectrum(source: Tensor, axes: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """(A, M) frequencies and amplitudes of a source along each axis, averaged over the other one.

    A Hann window keeps what does not end as it began from leaking over the whole spectrum.
    """
    length = 2 ** int(np.ceil(np.log2(6 * max(source.shape))))
    found = []
    for axis, nodes in enumerate(axes):
        lines = source.movedim(axis, -1).reshape(-1, len(nodes))
        window = torch.hann_window(len(nodes), periodic=False, dtype=source.dtype, device=source.device)
        amplitudes = torch.fft.rfft((lines - lines.mean(1, keepdim=True)) * window, n=length).abs().mean(0)
        spacing = float(nodes[-1] - nodes[0]) / (len(nodes) - 1)
        found.append((np.fft.rfftfreq(length, spacing), (amplitudes * 2 / window.sum()).cpu().numpy()))
    return np.stack([f for f, _ in found]), np.stack([a for _, a in found])


def spectrum_of(
    record: Mapping[str, Sequence[Any]], axes: Sequence[str], source: tuple[np.ndarray, np.ndarray]
) -> SpectrumTable:
    """The recorded spectra with that of the source behind them."""
    return SpectrumTable(
        name="Learned spectrum",
        steps=np.asarray(record["steps"]),
        weights=np.stack(record["weights"]),
        frequencies=np.stack(record["frequencies"]),
        length_scales=np.stack(record["length_scales"]),
        source_frequencies=source[0],
        source_amplitudes=source[1],
        axes=tuple(axes),
    )


__all__ = ["Process", "build", "deviation_of", "field_of", "solution_of", "source_spectrum", "spectrum_of"]
