"""The baseline of the PDE family: a physics-informed network of tanh layers (Raissi et al. 2019).

    u(x) = W_n tanh(W_(n-1) … tanh(W_1 x + b_1) …) + b_n,      x mapped from its box to [-1, 1]^D,

trained on the same loss, points and optimisers as the methods that it stands beside. Derivatives up to the second are
closed forms, so it is as fast as it can be made: what differs is the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from engines.blocks import dense_layers
from engines.blocks.parameters import Layout
from engines.blocks.pde import derivatives, mlp
from engines.blocks.pde.collocation import Sampling
from engines.blocks.pde.derivatives import Index, Jets, closure, order
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.forms import Evaluate, OfNetwork, form, sizes
from engines.blocks.pde.grids import even_grid
from engines.blocks.pde.physics_informed import Phase, Progress, check_problem, scores, train
from engines.blocks.pde.residual_loss import COEFFICIENTS, LossSettings, ResidualLoss, residual_scale
from engines.blocks.pde.sampled_solution import error_of, sampled, titled, truth
from engines.blocks.pde.training import Optimiser, Schedule
from engines.core import Artifact, Example, Paper, Param, Params, Run, method
from engines.data import Problem, SampledField, Solution, Table
from engines.pde.pig import SEEN_NODES, SHOWN_NODES, estimates, outside, unconditioned, unmeasured
from engines.pde.steady_problems import helmholtz, poisson

RAISSI = Paper(
    title="Physics-informed neural networks: A deep learning framework for solving forward and inverse problems "
    "involving nonlinear partial differential equations",
    authors="Raissi, Maziar and Perdikaris, Paris and Karniadakis, George Em",
    year=2019,
    venue="Journal of Computational Physics",
    url="https://doi.org/10.1016/j.jcp.2018.10.045",
)


class PinnParams(Params):
    width: int = Param(32, ge=1, le=1024, log=True, source="own choice", help="Of the hidden layers")
    depth: int = Param(4, ge=1, le=16, source="Raissi et al. 2019: 4 to 8", help="Number of hidden layers")
    activation: Literal["tanh", "sine"] = Param("tanh", source="Raissi et al. 2019", help="Between the layers")
    optimiser: Optimiser = Param("L-BFGS", source="Raissi et al. 2019", help="L-BFGS for small problems; or Adam")
    steps: int = Param(
        2000, ge=1, le=1_000_000, log=True, source="as PIG", help="Steps of Adam, or iterations of L-BFGS"
    )
    seconds: float = Param(0.0, ge=0, le=1e6, unit="s", advanced=True, source="as PIG", label="Time limit",
                           help="End training after this time; 0: never")  # fmt: skip
    learning_rate: float = Param(1e-3, gt=0, le=1, log=True, source="Raissi et al. 2019", help="Of Adam")
    decay: float = Param(0.9, gt=0, le=1, advanced=True, source="as PIG", help="Of Adam's rate, each 2000 steps")
    interior: int = Param(2048, ge=4, le=1_000_000, log=True, source="as PIG", label="Points inside",
                          help="Where the equation is to hold")  # fmt: skip
    face: int = Param(128, ge=1, le=1_000_000, log=True, source="as PIG", label="Points on a face",
                      help="On each face of the box that has a condition")  # fmt: skip
    sampling: Sampling = Param("Sobol", source="as PIG", help="How points are drawn")
    redraw_every: int = Param(200, ge=0, le=1_000_000, source="as PIG", label="New points every",
                              help="Steps after which points are drawn anew; 0: never")  # fmt: skip
    residual_weight: float | None = Param(
        None, gt=0, le=1e6, log=True, source="as PIG", help="Of the equation against the conditions",
        empty="1 / mean square of the source, at most 1",
    )  # fmt: skip
    slabs: int = Param(0, ge=0, le=1000, source="Wang et al. 2022", label="Causal slabs",
                       help="Slabs of time that are learned one after the other; 0: all at once")  # fmt: skip
    nodes: int = Param(129, ge=8, le=1024, source="own choice", help="Of the sampled field, along its longest axis")
    times: int = Param(41, ge=2, le=1000, source="own choice", help="Of the sampled field, where there is time")
    single: bool = Param(False, advanced=True, source="own choice", label="Single precision",
                         help="Numbers of 32 bits")  # fmt: skip


@dataclass(frozen=True)
class PinnShape:
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outputs: int
    width: int
    depth: int
    activation: str = "tanh"
    estimated: int = 0

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        return dense_layers.shapes((len(self.lower), *[self.width] * self.depth, self.outputs))

    @property
    def layout(self) -> Layout:
        return Layout(self.layers | ({COEFFICIENTS: (self.estimated,)} if self.estimated else {}))


class PinnNetwork:
    """A :class:`~engines.blocks.pde.residual_loss.Network`."""

    def __init__(self, shape: PinnShape, dtype: torch.dtype) -> None:
        self.shape, self.dtype, self.layout = shape, dtype, shape.layout
        self.f = derivatives.tanh if shape.activation == "tanh" else derivatives.sine
        self.centre = [(a + b) / 2 for a, b in zip(shape.lower, shape.upper, strict=True)]
        self.scale = [2 / (b - a) for a, b in zip(shape.lower, shape.upper, strict=True)]

    def inside(self, points: Tensor) -> Tensor:
        return (points - points.new_tensor(self.centre)) * points.new_tensor(self.scale)

    def values(self, parts: Mapping[str, Tensor], points: Tensor) -> Tensor:
        return mlp.values(self.inside(points), parts, self.f)

    def jets(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets:
        if max(map(order, indices)) > derivatives.CLOSED_ORDER:
            return derivatives.by_autograd(lambda x: self.values(parts, x), points, indices)
        below = closure(indices)
        found = mlp.jets_at(self.inside(points), self.scale, parts, below, self.f)
        return derivatives.whole(found, below, found[below[0]])

    def grid_jets(self, parts: Mapping[str, Tensor], axes: Sequence[Tensor], indices: Sequence[Index]) -> None:
        return None

    def evaluate(self, parts: Mapping[str, Tensor]) -> Evaluate:
        return lambda points: self.values(parts, points.to(self.dtype))


@form("mlp")
def build(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Evaluate:
    """The field of a solution by this baseline."""
    shape = sizes(PinnShape, config)
    network = PinnNetwork(shape, weights["weight.0"].dtype)
    return OfNetwork(network, weights)


@dataclass(frozen=True)
class PinnSolution:
    solution: Solution
    field: SampledField
    error: SampledField | None
    coefficients: Table | None
    scores: Table


def memory(inputs: Mapping[str, Artifact], params: PinnParams) -> int:
    """Bytes of the jets of all points in all layers, forward and backward."""
    points = params.interior + 6 * params.face
    parameters = params.depth * params.width**2
    return points * params.width * params.depth * 8 * 40 + 200 * 8 * parameters


@method(
    key="pinn",
    title="PINN: network of tanh layers",
    family="pde",
    job="Solve an equation with a plain network, as a baseline for others.",
    paper=RAISSI,
    role="baseline",
    presets={"quick": {"steps": 400, "interior": 1024, "face": 64, "nodes": 97}},
    sample=Example(
        lambda: {"problem": helmholtz.function(helmholtz.params(), Run())},
        {"steps": 400, "interior": 1024, "face": 64, "nodes": 97}, "Helmholtz (4, 1)",
    ),
    smoke=Example(
        lambda: {"problem": poisson.function(poisson.params(width=0.4), Run())},
        {"width": 8, "depth": 2, "steps": 40, "interior": 64, "face": 8, "redraw_every": 8, "nodes": 17}, "A wide bump",
    ),
    degenerate=(
        Example(lambda: {"problem": unconditioned()}, {"steps": 1}, "No condition at all"),
        Example(lambda: {"problem": outside()}, {"steps": 1}, "A formula outside its domain"),
        Example(lambda: {"problem": unmeasured()}, {"steps": 1}, "Coefficients to be found, and nothing measured"),
    ),
    memory=memory,
    lighter=("interior", "width", "face"),
    tags=("equation", "mesh-free", "physics-informed", "inverse"),
)  # fmt: skip
def pinn(
    problem: Annotated[Problem, "the equation, its box and its conditions"],
    reference: Annotated[SampledField | None, "a field to measure the error against, where none is known exactly"],
    measurements: Annotated[Table | None, "columns named as the coordinates and unknowns: values to be met"],
    params: PinnParams,
    run: Run,
) -> PinnSolution:
    """Train a network of tanh layers on what the equation and its conditions leave over."""
    compiled = compile_problem(problem)
    check_problem(compiled, run, measurements)
    dtype = torch.float32 if params.single else torch.float64
    weight = params.residual_weight or 1 / max(1.0, residual_scale(compiled, run))
    shape = PinnShape(
        tuple(compiled.lower.tolist()), tuple(compiled.upper.tolist()), len(compiled.unknowns), params.width,
        params.depth, params.activation, len(problem.estimated),
    )  # fmt: skip
    network = PinnNetwork(shape, dtype)
    flat = first_parameters(shape, run, list(problem.estimated.values())).to(dtype)
    like = flat.new_zeros(0)
    known = truth(compiled, reference, SEEN_NODES[len(compiled.coordinates)], 21, like)
    settings = LossSettings(
        params.interior, params.face, params.sampling, params.redraw_every, weight,
        slabs=params.slabs if compiled.time is not None else 0, live=params.optimiser == "Adam",
    )  # fmt: skip
    rate = params.learning_rate, params.decay
    schedule = Schedule(params.optimiser, params.steps, *rate, 2000, seconds=params.seconds)
    split, seen = network.layout.split, even_grid(compiled.problem, SHOWN_NODES[len(compiled.coordinates)], 11)

    def look(flat: Tensor) -> dict[str, Artifact]:
        return {"field": sampled(torch.no_grad()(network.evaluate(split(flat))), problem, seen, like, "field")}

    loss = ResidualLoss(compiled, network, run, settings, measurements)
    phase = Phase("Training", loss, schedule, lambda flat: network.evaluate(split(flat)), look, axes=seen)
    saved = run.restored()
    progress = Progress(**saved["progress"]) if saved else Progress()
    flat = train(run, phase, flat, progress, known, saved)
    evaluate = torch.no_grad()(network.evaluate(split(flat)))
    weights = network.layout.arrays(flat)
    found, axes = weights.get(COEFFICIENTS), even_grid(problem, params.nodes, params.times)
    return PinnSolution(
        solution=Solution(
            problem=problem,
            form="mlp",
            weights=weights,
            config=json.dumps(asdict(shape)),
            name=titled(problem, "solution"),
        ),
        field=sampled(evaluate, problem, axes, like, titled(problem, "field")),
        error=None if known is None else error_of(evaluate, known, problem, titled(problem, "error")),
        coefficients=None if found is None else estimates(compiled, found),
        scores=scores(progress, len(flat)),
    )


def first_parameters(shape: PinnShape, run: Run, guesses: Sequence[float]) -> Tensor:
    """Glorot's weights, no bias, and the first guesses of coefficients."""
    flat = torch.zeros(shape.layout.size, dtype=torch.float64, device=run.device)
    parts = shape.layout.split(flat)
    dense_layers.initialise({name: parts[name] for name in shape.layers}, "Glorot", run.generator)
    if guesses:
        parts[COEFFICIENTS].copy_(torch.as_tensor(guesses, dtype=torch.float64))
    return flat


__all__ = ["PinnParams", "PinnSolution", "pinn"]
