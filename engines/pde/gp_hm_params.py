"""Settings of GP-HM, what it refuses before it starts, and how much memory it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from engines.blocks.pde.equations import Compiled
from engines.blocks.pde.spectral_kernels import MOST_DERIVATIVES, KernelName, is_mixture
from engines.blocks.pde.tensor_grid import TensorGrid, single_equation
from engines.core import Param, Params, Run, UserError
from engines.data import SampledField

WHO = "GP-HM"
MOST_FOR_VARIANCE = 2500


class GpHmParams(Params):
    kernel: KernelName = Param(
        "Matérn × cosine", help="Covariance along each axis; those without cosine find no frequencies", source="paper"
    )
    components: int = Param(30, ge=1, le=200, help="Bumps in the spectrum of each axis", source="authors' code")
    highest_frequency: float = Param(
        20.0, gt=0, le=1e6, log=True, unit="cycles per unit", source="authors' code: 20 to 100",
        help="The bumps start evenly from 0 to this frequency",
    )  # fmt: skip
    nodes: tuple[int, ...] = Param(
        (200,), ge=10, le=2000, source="authors' code: 200 to 900",
        help="Nodes along each axis: one number for all, or one for each",
    )  # fmt: skip
    unknown: Literal["eliminated", "optimised"] = Param(
        "eliminated", label="Nodal values", source="own derivation; optimised: paper",
        help="Solved for exactly in each step, or moved by Adam together with the kernels",
    )  # fmt: skip
    steps: int = Param(1500, ge=1, le=10_000_000, help="Optimiser steps", source="measured; paper: 1e5 to 3e6")
    learning_rate: float = Param(0.03, gt=0, le=1, log=True, help="Of Adam", source="measured; paper: 0.01")
    decay: float = Param(
        0.02, gt=0, le=1, log=True, advanced=True, source="own choice; paper: 1",
        help="The learning rate ends at this share of itself; it falls in the last third of the steps",
    )  # fmt: skip
    boundary_weight: float = Param(
        200.0, gt=0, le=1e9, log=True, source="authors' code; advection: 500",
        help="Weight λ_b of the prescribed values",
    )  # fmt: skip
    jitter: float = Param(
        1e-8, ge=1e-12, le=1e-3, log=True, advanced=True, source="measured; authors' code: 1e-6",
        help="Added to the diagonal of each kernel matrix; errors grow with it",
    )  # fmt: skip
    log_determinant: bool = Param(True, advanced=True, help="The term −½ log|K|, without which nothing is pruned")
    extra_process: bool = Param(
        False, help="Then add a second, smooth process for what the first one leaves (scales far apart)"
    )
    change_point: float = Param(
        0.5, gt=0, lt=1, advanced=True, source="authors' code: 0.5 and 0.01",
        help="Share of the steps after which the second process starts",
    )  # fmt: skip
    tolerance: float = Param(
        0.0, ge=0, le=1e3, advanced=True, source="authors' code: off",
        help="Stop when the squared errors of equation and prescribed values are below this together; 0: never",
    )  # fmt: skip
    samples: int = Param(300, ge=2, le=2000, help="Points of the field along each axis", source="authors' code")
    deviation: bool = Param(False, help="Give the posterior standard deviation, too")


def counts(params: GpHmParams, axes: int) -> tuple[int, ...]:
    """Nodes along each axis. Raises :class:`UserError` where their number fits nothing."""
    nodes = params.nodes * axes if len(params.nodes) == 1 else params.nodes
    if len(nodes) != axes:
        raise UserError(
            f"The nodes are given for {len(nodes)} axes; the problem has {axes}.",
            mend="Give one number for all axes, or one for each.",
        )
    return nodes


def checked(compiled: Compiled, source: SampledField | None, params: GpHmParams, run: Run) -> TensorGrid:
    """The collocation grid. Refuses what GP-HM cannot solve, in the user's words."""
    if run.device.type == "mps":
        raise UserError(f"{WHO} needs double precision.", "This device has none.", "Run it on the CPU.")
    single_equation(compiled, WHO, 2)
    grid = TensorGrid.even(compiled, counts(params, len(compiled.coordinates)), run.device)
    _check_orders(compiled)
    if params.deviation and (params.extra_process or int(np.prod(grid.shape)) > MOST_FOR_VARIANCE):
        raise UserError(
            "The standard deviation cannot be had with these settings.",
            f"It is computed for one process and at most {MOST_FOR_VARIANCE:,} nodes.",
            "Use fewer nodes, leave out the extra process, or switch the deviation off.",
        )
    _check_source(grid, source)
    _warn_of_aliasing(grid, params, run)
    return grid


def _check_orders(compiled: Compiled) -> None:
    """At most second derivatives along each axis, and values at the sides where the order asks for them."""
    (unknown,) = compiled.unknowns
    for condition in compiled.conditions:
        if condition.kind != "value":
            raise UserError(
                f"The condition '{condition.text}' does not give a value.",
                "GP-HM takes values of the solution at the sides of the domain.",
                "Give the solution there, or choose another method.",
            )
    sides = {(c.axis, c.side) for c in compiled.conditions}
    for axis, name in enumerate(compiled.coordinates):
        order = max((index[axis] for index in compiled.needs[unknown]), default=0)
        if order > MOST_DERIVATIVES:
            raise UserError(
                f"The equation takes a derivative of order {order} along {name}.",
                "The kernel of GP-HM has two derivatives that can be used.",
                "Choose an equation of order two or less, or another method.",
            )
        missing = [(compiled.lower, compiled.upper)[side][axis] for side in (0, 1) if (axis, side) not in sides]
        if len(missing) > 2 - order:
            raise UserError(
                f"The solution is not given at {' and '.join(f'{name} = {end:g}' for end in missing)}.",
                f"The equation is of order {order} along {name}.",
                "Add a condition there.",
            )


def _check_source(grid: TensorGrid, source: SampledField | None) -> None:
    if source is None:
        return
    nodes = "×".join(map(str, grid.shape))
    given = as_grid(grid, source)
    if given.shape != grid.shape:
        raise UserError(
            f"The source has {'×'.join(map(str, given.shape))} values; the collocation grid has {nodes} nodes.",
            "The values must be those at the nodes.",
            f"Set the nodes to {', '.join(map(str, given.shape))}, or sample the source at {nodes} nodes."
            if len(given.shape) == len(grid.shape)
            else "Give one component on as many axes as the problem has.",
        )
    if not np.isfinite(given).all():
        raise UserError("The source holds values that are not finite.", mend="Remove or replace them.")
    along = [*source.axes, source.times] if grid.compiled.problem.time else source.axes
    for own, theirs in zip(grid.axes, along, strict=False):
        apart = np.abs(own.cpu().numpy() - theirs).max() if len(own) == len(theirs) else np.inf
        if apart > 1e-6 * float(own[-1] - own[0]):
            raise UserError(
                "The nodes of the source are not those of the collocation grid.",
                "GP-HM needs evenly spaced nodes from one end of the domain to the other.",
                "Sample the source at such nodes.",
            )


def as_grid(grid: TensorGrid, source: SampledField) -> np.ndarray:
    """The first component in the order of the problem's coordinates."""
    problem = grid.compiled.problem
    if not problem.time:
        return source.component(0)
    time = problem.coordinates.index(problem.time)
    return np.moveaxis(source.values[:, 0].reshape(len(source.times), *source.shape), 0, time)


def _warn_of_aliasing(grid: TensorGrid, params: GpHmParams, run: Run) -> None:
    if not is_mixture(params.kernel):
        return
    for name, nodes in zip(grid.compiled.coordinates, grid.axes, strict=True):
        length = float(nodes[-1] - nodes[0])
        nyquist = (len(nodes) - 1) / (2 * length)
        if params.highest_frequency >= nyquist:
            proposed = int(np.ceil(2.2 * params.highest_frequency * length)) + 1
            run.warn(
                f"Frequencies up to {params.highest_frequency:g} along {name} are above {nyquist:.4g}, the highest "
                f"that {len(nodes)} nodes can tell apart. Use {proposed:,} nodes or lower the highest frequency."
            )


def memory(inputs: Mapping[str, Any], params: GpHmParams) -> int:
    """Bytes: about forty matrices for each axis, and a dozen fields."""
    problem = inputs.get("problem")
    axes = len(problem.coordinates) if problem is not None else 1
    nodes = params.nodes * axes if len(params.nodes) == 1 else params.nodes
    dense = 3 * 8 * int(np.prod(nodes)) ** 2 if params.deviation else 0
    prior = sum(8 * n * (40 * n + 6 * params.components) for n in nodes)
    return int(prior + 12 * 8 * np.prod(nodes) + 60 * params.samples ** min(axes, 2) + dense + 200e6)


__all__ = ["GpHmParams", "as_grid", "checked", "counts", "memory"]
