"""PIG: a cloud of moving Gaussians and a small network solve an equation without a mesh (Kang et al. 2025).

    phi_c(x) = sum_g w_cg exp(-1/2 (x - m_cg)^T S_cg^-1 (x - m_cg)),      u(x) = W2 tanh(W1 phi(x) + b1) + b2

Everything is trained: means m, covariances S, weights w and the network, on

    L = l_r mean (N[u] - f)^2 + mean (u - g)^2 on the boundary + mean (u - u_0)^2 at the start,

so the Gaussians go where the solution is hard. All derivatives are closed forms
(:mod:`engines.blocks.pde.gaussian_features`), so one backward pass is enough.

With full covariances training goes on from the diagonal optimum with turns added (sec. 4.4 of the paper). Coefficients
that the problem wants estimated are trained too, with measurements as one more term. The separable variant takes
Gaussians of one coordinate each and multiplies:  u(x, y) = sum_r f_r(x) g_r(y).
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde import gaussian_sums
from engines.blocks.pde.collocation import Sampling
from engines.blocks.pde.equations import Compiled, compile_problem
from engines.blocks.pde.grids import even_grid
from engines.blocks.pde.physics_informed import Phase, Progress, check_problem, scores, train
from engines.blocks.pde.residual_loss import COEFFICIENTS, LossSettings, ResidualLoss, residual_scale
from engines.blocks.pde.sampled_solution import Truth, error_of, sampled, titled, truth
from engines.blocks.pde.training import Optimiser, Schedule
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import GaussianFeatures, Problem, SampledField, Solution, Table
from engines.pde.pig_network import PigNetwork, PigShape, start, turning
from engines.pde.pig_separable import SeparableNetwork, SeparableShape, start_separable
from engines.pde.steady_problems import PIG, helmholtz, poisson

Network = PigNetwork | SeparableNetwork
SEEN_NODES = {1: 201, 2: 101, 3: 41, 4: 21}
"""Nodes along the longest axis where the error is watched, by the number of coordinates."""
SHOWN_NODES = {1: 201, 2: 65, 3: 25, 4: 13}
COLLAPSED = 1e-3
"""Widths (the box is 2 wide) below which a Gaussian is said to have collapsed."""


class PigParams(Params):
    gaussians: int = Param(
        150, ge=1, le=20_000, log=True, source="paper: 800 (Helmholtz), 100 (Klein–Gordon), 4000 (flow mixing)",
        help="Gaussians in each channel",
    )  # fmt: skip
    channels: int = Param(4, ge=1, le=16, source="paper, app. C", help="Channels, each with Gaussians of its own")
    width: int = Param(16, ge=0, le=256, source="paper, app. C", help="Hidden layer over the channels; 0: none")
    sigma: float = Param(
        0.2, gt=1e-3, le=4, log=True, source="paper: 0.1, 0.5 (Klein–Gordon)", label="First width",
        help="Of all Gaussians at the start; the box is 2 wide. Where it is too small they fit single points",
    )  # fmt: skip
    moving: bool = Param(True, source="paper, table 3", help="Train the centres; otherwise they stay where they fell")
    covariance: Literal["diagonal", "diagonal, then full"] = Param(
        "diagonal", source="paper, sec. 4.4", help="Full ones turn, in a second training from the first's optimum"
    )
    separable: bool = Param(
        False, source="paper, app. E", help="Gaussians of one coordinate each, multiplied: quick on tensor grids"
    )
    optimiser: Optimiser = Param("L-BFGS", source="paper, app. C", help="L-BFGS for small problems, Adam for large")
    steps: int = Param(
        2000, ge=1, le=1_000_000, log=True, source="paper: 2001 × 20 (L-BFGS), 100,000 (Adam)",
        help="Steps of Adam, or iterations of L-BFGS",
    )  # fmt: skip
    full_steps: int = Param(500, ge=1, le=1_000_000, log=True, advanced=True, source="own choice",
                            help="Steps of the second training, with full covariances")  # fmt: skip
    seconds: float = Param(0.0, ge=0, le=1e6, unit="s", advanced=True, source="own choice", label="Time limit",
                           help="End training after this time; 0: never")  # fmt: skip
    learning_rate: float = Param(1e-2, gt=0, le=1, log=True, source="paper, app. C: 1e-2, 1e-3", help="Of Adam")
    decay: float = Param(0.9, gt=0, le=1, advanced=True, source="paper, app. C", help="Of Adam's rate, each 2000 steps")
    interior: int = Param(
        2048, ge=4, le=1_000_000, log=True, source="paper: 10,000 (Helmholtz), 16³, 30³",
        label="Points inside", help="Where the equation is to hold; powers of two are best for Sobol points",
    )  # fmt: skip
    face: int = Param(
        128, ge=1, le=1_000_000, log=True, source="paper: 10,000 (Helmholtz), 16², 30²",
        label="Points on a face", help="On each face of the box that has a condition",
    )  # fmt: skip
    sampling: Sampling = Param("Sobol", source="paper: uniform, grid", help="How points are drawn")
    redraw_every: int = Param(
        200, ge=0, le=1_000_000, source="paper: 20 (L-BFGS), 100 (Adam)", label="New points every",
        help="Steps after which points are drawn anew (L-BFGS starts afresh then); 0: never",
    )  # fmt: skip
    residual_weight: float | None = Param(
        None, gt=0, le=1e6, log=True, source="paper: 1e-4 (Helmholtz), 10 (flow mixing), 1",
        help="Of the equation against the conditions", empty="1 / mean square of the source, at most 1",
    )  # fmt: skip
    boundary_weight: float = Param(1.0, gt=0, le=1e6, log=True, advanced=True, source="paper, eq. 10",
                                   help="Of conditions on the boundary")  # fmt: skip
    initial_weight: float = Param(1.0, gt=0, le=1e6, log=True, advanced=True, source="paper, eq. 10",
                                  help="Of conditions at the start")  # fmt: skip
    data_weight: float = Param(1.0, gt=0, le=1e6, log=True, advanced=True, source="paper, eq. 10",
                               help="Of measurements, where there are any")  # fmt: skip
    slabs: int = Param(0, ge=0, le=1000, source="Wang et al. 2022; 32 for Allen–Cahn", label="Causal slabs",
                       help="Slabs of time that are learned one after the other; 0: all at once")  # fmt: skip
    causality: float = Param(1.0, gt=0, le=1e6, log=True, advanced=True, source="Wang et al. 2022",
                             help="How small the residual must be before later slabs count")  # fmt: skip
    rank: int = Param(32, ge=1, le=1024, log=True, advanced=True, source="paper, app. E",
                      help="Products that the separable variant adds up")  # fmt: skip
    nodes: int = Param(129, ge=8, le=1024, source="own choice", help="Of the sampled field, along its longest axis")
    times: int = Param(41, ge=2, le=1000, source="own choice", help="Of the sampled field, where there is time")
    single: bool = Param(False, advanced=True, source="own choice", label="Single precision",
                         help="Numbers of 32 bits, for graphics cards that are slow with 64")  # fmt: skip


@dataclass(frozen=True)
class PigSolution:
    solution: Solution
    field: SampledField
    gaussians: GaussianFeatures | None
    error: SampledField | None
    coefficients: Table | None
    scores: Table


def _loss(params: PigParams, weight: float) -> LossSettings:
    return LossSettings(
        interior=params.interior, face=params.face, sampling=params.sampling, redraw_every=params.redraw_every,
        residual_weight=weight, boundary_weight=params.boundary_weight, initial_weight=params.initial_weight,
        data_weight=params.data_weight, slabs=params.slabs, causality=params.causality,
        live=params.optimiser == "Adam", on_grid=params.separable,
    )  # fmt: skip


def _schedule(params: PigParams, steps: int) -> Schedule:
    return Schedule(params.optimiser, steps, params.learning_rate, params.decay, 2000, seconds=params.seconds)


def memory(inputs: Mapping[str, Artifact], params: PigParams) -> int:
    """Bytes: exponentials of a block, jets of all points, and the pairs that L-BFGS keeps."""
    problem = inputs["problem"]
    dimensions = len(problem.coordinates) if isinstance(problem, Problem) else 2
    points = params.interior + 2 * dimensions * params.face
    parameters = params.channels * params.gaussians * (2 * dimensions + 1)
    jets = points * (params.channels + params.width) * 8 * (2 * dimensions + 1) * 12
    return gaussian_sums.memory(points, params.channels * params.gaussians) + jets + 200 * 8 * parameters


def _check(compiled: Compiled, params: PigParams, run: Run, measurements: Table | None) -> None:
    check_problem(compiled, run, measurements)
    dimensions = len(compiled.coordinates)
    if params.covariance != "diagonal" and (dimensions not in (2, 3) or params.separable):
        raise UserError(
            "Full covariances are for two or three coordinates"
            + (", and not for the separable variant." if params.separable else f"; the problem has {dimensions}."),
            "In other numbers of dimensions there is no turn with so few parameters.",
            "Choose diagonal covariances.",
        )
    if params.separable and compiled.order > 2:
        raise UserError(
            f"The equations hold a derivative of order {compiled.order}; the separable variant takes up to 2.",
            mend="Use the plain one.",
        )
    if params.slabs and compiled.time is None:
        raise UserError(
            "Causal slabs are set, but the problem has no time.", mend="Set them to 0, or say which coordinate is time."
        )
    if compiled.order > 2:
        run.note(f"Derivatives of order {compiled.order} are taken by nested differentiation, which is slower.")


def _first(compiled: Compiled, params: PigParams, run: Run) -> tuple[Network, Tensor]:
    dtype = torch.float32 if params.single else torch.float64
    guesses = list(compiled.problem.estimated.values())
    sizes: dict[str, Any] = {
        "lower": tuple(compiled.lower.tolist()), "upper": tuple(compiled.upper.tolist()),
        "outputs": len(compiled.unknowns), "channels": params.channels, "gaussians": params.gaussians,
        "width": params.width, "estimated": len(guesses),
    }  # fmt: skip
    if params.separable:
        return start_separable(SeparableShape(**sizes, rank=params.rank), run, params.sigma, dtype, guesses)
    return start(PigShape(**sizes, moving=params.moving), run, params.sigma, dtype, guesses)


@method(
    key="pig",
    title="PIG: physics-informed Gaussians",
    family="pde",
    job="Solve an equation without a mesh: Gaussians move to where the solution is hard.",
    paper=PIG,
    presets={
        "quick": {"gaussians": 60, "steps": 400, "interior": 1024, "face": 64, "nodes": 97},
        "large": {"gaussians": 400, "steps": 6000, "interior": 4096, "face": 256},
        "paper": {
            "gaussians": 800, "sigma": 0.1, "steps": 40_020, "interior": 10_000, "face": 10_000,
            "sampling": "uniform", "redraw_every": 20, "residual_weight": 1e-4,
        },
        "paper, in time": {
            "gaussians": 4000, "sigma": 0.1, "optimiser": "Adam", "steps": 100_000, "interior": 27_000, "face": 900,
            "sampling": "grid", "redraw_every": 100, "residual_weight": 10.0,
        },
    },
    sample=Example(
        lambda: {"problem": helmholtz.function(helmholtz.params(), Run())},
        {"gaussians": 60, "steps": 400, "interior": 1024, "face": 64, "nodes": 97}, "Helmholtz (4, 1)",
    ),
    smoke=Example(
        lambda: {"problem": poisson.function(poisson.params(width=0.4), Run())},
        {"gaussians": 6, "channels": 2, "width": 4, "steps": 30, "interior": 64, "face": 8, "redraw_every": 8,
         "nodes": 17, "covariance": "diagonal, then full", "full_steps": 10}, "A wide bump",
    ),
    degenerate=(
        Example(lambda: {"problem": unconditioned()}, {"steps": 1}, "No condition at all"),
        Example(lambda: {"problem": outside()}, {"steps": 1}, "A formula outside its domain"),
        Example(lambda: {"problem": unmeasured()}, {"steps": 1}, "Coefficients to be found, and nothing measured"),
        Example(lambda: {"problem": unconditioned(("u = 0 on boundary",))}, {"slabs": 4}, "Causal slabs without time"),
    ),
    memory=memory,
    lighter=("gaussians", "interior", "face"),
    tags=("equation", "mesh-free", "Gaussians", "physics-informed", "inverse"),
)  # fmt: skip
def pig(
    problem: Annotated[Problem, "the equation, its box and its conditions"],
    reference: Annotated[SampledField | None, "a field to measure the error against, where none is known exactly"],
    measurements: Annotated[Table | None, "columns named as the coordinates and unknowns: values to be met"],
    params: PigParams,
    run: Run,
) -> PigSolution:
    """Train Gaussians and a small network on what the equation and its conditions leave over; no labels are needed."""
    compiled = compile_problem(problem)
    _check(compiled, params, run, measurements)
    weight = params.residual_weight or 1 / max(1.0, residual_scale(compiled, run))
    network, flat = _first(compiled, params, run)
    like = flat.new_zeros(0)
    known = truth(compiled, reference, SEEN_NODES[len(compiled.coordinates)], 21, like)
    settings = _loss(params, weight)
    saved = run.restored()
    progress = Progress(**saved["progress"]) if saved else Progress()
    if progress.phase == 0:
        share = params.steps / (params.steps + params.full_steps) if params.covariance != "diagonal" else None
        schedule = _schedule(params, params.steps)
        phase = _phase("Training", compiled, network, run, settings, schedule, measurements, share)
        flat = train(run, phase, flat, progress, known, saved)
        saved = None
    if params.covariance != "diagonal":
        assert isinstance(network, PigNetwork)
        network, flat = turning(network, flat)
        progress.phase = 1
        schedule = _schedule(params, params.full_steps)
        phase = _phase("Turning", compiled, network, run, settings, schedule, measurements)
        flat = train(run, phase, flat, progress, known, saved)
    return _result(compiled, network, flat, params, run, known, progress)


def _phase(
    label: str, compiled: Compiled, network: Network, run: Run, settings: LossSettings, schedule: Schedule,
    measurements: Table | None, share: float | None = None,
) -> Phase:  # fmt: skip
    split = network.layout.split
    axes = even_grid(compiled.problem, SHOWN_NODES[len(compiled.coordinates)], 11)

    def look(flat: Tensor) -> dict[str, Artifact]:
        parts = split(flat)
        evaluate = torch.no_grad()(network.evaluate(parts))
        shown: dict[str, Artifact] = {"field": sampled(evaluate, compiled.problem, axes, flat.new_zeros(0), "field")}
        if isinstance(network, PigNetwork):
            shown["gaussians"] = network.cloud(parts, compiled.problem, "gaussians")
        return shown

    loss = ResidualLoss(compiled, network, run, settings, measurements)
    return Phase(label, loss, schedule, lambda flat: network.evaluate(split(flat)), look, share, axes)


def _result(
    compiled: Compiled, network: Network, flat: Tensor, params: PigParams, run: Run, known: Truth | None,
    progress: Progress,
) -> PigSolution:  # fmt: skip
    parts = network.layout.split(flat)
    evaluate = torch.no_grad()(network.evaluate(parts))
    axes = even_grid(compiled.problem, params.nodes, params.times)
    weights = network.layout.arrays(flat)
    cloud, form = None, "separable-gaussian-features"
    if isinstance(network, PigNetwork):
        cloud = network.cloud(parts, compiled.problem, titled(compiled.problem, "Gaussians"))
        form = "gaussian-features"
        _tell_of_collapsed(parts, run)
        if network.fixed is not None:
            weights["fixed means"] = network.fixed.cpu().numpy()
    solution = Solution(
        problem=compiled.problem,
        form=form,
        weights=weights,
        config=json.dumps(asdict(network.shape)),
        name=titled(compiled.problem, "solution"),
    )
    found = weights.get(COEFFICIENTS)
    return PigSolution(
        solution=solution,
        field=sampled(evaluate, compiled.problem, axes, flat.new_zeros(0), titled(compiled.problem, "field")),
        gaussians=cloud,
        error=None if known is None else error_of(evaluate, known, compiled.problem, titled(compiled.problem, "error")),
        coefficients=None if found is None else estimates(compiled, found),
        scores=scores(progress, len(flat)),
    )


def estimates(compiled: Compiled, found: np.ndarray) -> Table:
    """First guess and estimate of each coefficient."""
    estimated = compiled.problem.estimated
    return Table(
        columns={
            "Coefficient": np.array(list(estimated)),
            "First guess": np.array(list(estimated.values()), float),
            "Estimate": found.astype(float),
        },
        name=titled(compiled.problem, "coefficients"),
    )


def _tell_of_collapsed(parts: Mapping[str, Tensor], run: Run) -> None:
    thin = int((parts["sigmas"].abs() < COLLAPSED).any(-1).sum())
    if thin:
        run.warn(f"{thin:,} Gaussians have collapsed to less than {COLLAPSED:g} of half the box: they fit points.")


@functools.cache
def unconditioned(conditions: tuple[str, ...] = ()) -> Problem:
    return Problem(lower=np.zeros(2), upper=np.ones(2), equations=("u_xx + u_yy = 1",), conditions=conditions)


@functools.cache
def outside() -> Problem:
    return Problem(
        lower=np.zeros(2), upper=np.ones(2), equations=("u_xx + u_yy = log(x - 2)",), conditions=("u = 0 on boundary",)
    )


@functools.cache
def unmeasured() -> Problem:
    return dataclasses.replace(
        unconditioned(("u = 0 on boundary",)), equations=("u_xx + k*u_yy = 1",), estimated={"k": 1.0}
    )


__all__ = ["PigParams", "PigSolution", "pig"]
