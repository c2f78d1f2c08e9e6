"""The method of lines: space is put on a grid, and what is left are ordinary differential equations in time.

    u_t = N[u]  ->  du/dt = N(D_m u) at the nodes

Where all of space is periodic, derivatives are Fourier's and time goes by ETDRK4, as
:mod:`engines.pde.reference_fourier` says. Otherwise they are differences of second order, nodes on the faces follow
from their conditions, and an implicit integrator with error control (BDF or Radau of SciPy) takes the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import scipy.integrate
import scipy.sparse as sp
import torch
from torch import Tensor

from engines.blocks.pde.conditions import Condition
from engines.blocks.pde.differentiation import finite_differences, on_grid
from engines.blocks.pde.equations import Compiled, Formula, Index, compile_problem
from engines.blocks.pde.field_metrics import difference, score_table
from engines.blocks.pde.grids import as_field, tensor_points
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import Problem
from engines.pde.reference_chebyshev import per_axis
from engines.pde.reference_fourier import FourierFlow
from engines.pde.reference_newton import ReferenceSolution, example

WHO = "The method of lines"
MANY = {1: 801, 2: 128, 3: 33}
"""Nodes along each axis, by the number of axes in space, where none are asked for."""


class MethodOfLinesParams(Params):
    nodes: tuple[int, ...] = Param(
        (), ge=5, le=4096, source="own choice", empty="801 on a line, 128 on a plane, 33 in space",
        help="Nodes along each axis of space: one number, or one for each. Sharp fronts need many",
    )  # fmt: skip
    integrator: Literal["automatic", "ETDRK4", "BDF", "Radau"] = Param(
        "automatic", source="own choice",
        help="ETDRK4 where all of space is periodic, otherwise BDF; Radau for oscillations that do not fade",
    )  # fmt: skip
    times: int = Param(101, ge=2, le=10_000, source="own choice", help="Times at which the field is given")
    time_steps: int = Param(
        2000, ge=1, le=10_000_000, log=True, source="own choice", help="Steps of ETDRK4, at least one for each time"
    )
    tolerance: float = Param(
        1e-8, ge=1e-13, le=1e-2, log=True, source="own choice", help="Relative error of a step of BDF and Radau"
    )
    dealias: bool = Param(
        True, advanced=True, help="ETDRK4: leave out the upper third of the waves of what is nonlinear"
    )


def _ring() -> dict[str, Problem]:
    made = Problem(
        name="Burgers on a ring", coordinates=("x", "t"), time="t", lower=np.array([0.0, 0.0]),
        upper=np.array([2 * np.pi, 1.0]), equations=("u_t + u*u_x - 0.1*u_xx = 0",),
        conditions=("u = sin(x) at t = 0", "periodic in x"),
    )  # fmt: skip
    return {"problem": made}


def _late() -> dict[str, Problem]:
    made = Problem(
        coordinates=("x", "t"), time="t", lower=np.zeros(2), upper=np.ones(2), equations=("u_tt - u_xx = 0",),
        conditions=("u = 0 at t = 0", "u = 0 on boundary"),
    )  # fmt: skip
    return {"problem": made}


def _unstarted() -> dict[str, Problem]:
    made = Problem(
        coordinates=("x", "t"), time="t", lower=np.zeros(2), upper=np.ones(2), equations=("u_t - u_xx = 0",),
        conditions=("u = 0 on boundary",),
    )  # fmt: skip
    return {"problem": made}


@method(
    key="method-of-lines",
    title="Method of lines",
    family="pde",
    job="Solve a problem in time: space on a grid, time by an integrator.",
    role="baseline",
    paper=Paper(
        title="Fourth-order time-stepping for stiff PDEs", authors="Kassam, Aly-Khan and Trefethen, Lloyd N.",
        year=2005, venue="SIAM Journal on Scientific Computing 26(4)", url="https://doi.org/10.1137/S1064827502410633",
    ),
    presets={"quick": {"nodes": (64,), "tolerance": 1e-6, "time_steps": 500}},
    sample=Example(
        lambda: example("u_t - 0.1*u_xx - u + u^3 = f", "sin(3*x)*exp(-t)", "x", "t", time="t"), {}, "Reaction"
    ),
    smoke=Example(_ring, {"nodes": (32,), "times": 11, "time_steps": 60}, "Burgers on a ring"),
    degenerate=(
        Example(lambda: example("u_xx = f", "sin(x)", "x"), {}, "No time"),
        Example(_late, {}, "A second derivative in time"),
        Example(_unstarted, {}, "No initial value"),
    ),
    memory=lambda inputs, params: _memory(inputs, params),
    lighter=("nodes", "times"),
    tags=("time", "reference", "finite differences", "Fourier", "ETDRK4", "BDF"),
)  # fmt: skip
def method_of_lines(
    problem: Annotated[Problem, "equations that give each unknown's derivative in time"],
    params: MethodOfLinesParams,
    run: Run,
) -> ReferenceSolution:
    """The unknowns at evenly spaced times and nodes, in double precision; with errors where the truth is known."""
    compiled = compile_problem(problem)
    rates = checked(compiled)
    space = [i for i in range(len(compiled.coordinates)) if i != compiled.time]
    counts = per_axis(params.nodes or (MANY.get(len(space), 33),), len(space))
    ring = all(compiled.periodic[i] for i in space)
    if params.integrator == "ETDRK4" and not ring:
        raise UserError(
            "ETDRK4 needs a domain that is periodic along every axis of space.",
            "This one has sides.",
            "Choose BDF or Radau, or leave it to be automatic.",
        )
    assert compiled.time is not None
    times = np.linspace(compiled.lower[compiled.time], compiled.upper[compiled.time], params.times)
    if ring and params.integrator in ("automatic", "ETDRK4"):
        values = FourierFlow(compiled, rates, counts, params.dealias, run).march(times, params.time_steps)
    else:
        kind = "Radau" if params.integrator == "Radau" else "BDF"
        values = Lines(compiled, rates, counts).march(times, kind, params.tolerance, run)
    return _result(compiled, values, times)


def checked(compiled: Compiled) -> dict[str, Formula]:
    """The right sides N[u]. Raises :class:`UserError` for what is no evolution from an initial value."""
    if compiled.time is None:
        raise UserError(
            f"{WHO} solves problems in time.",
            "This one has no time.",
            "Use finite differences or Chebyshev collocation.",
        )
    rates = compiled.evolution()
    if rates is None:
        raise UserError(
            f"{WHO} needs each unknown's first derivative in time.",
            "The equations of this problem cannot be solved for them.",
            "Write a second derivative in time as two equations, with the velocity as an unknown.",
        )
    if len(compiled.coordinates) < 2 or compiled.problem.estimated:
        raise UserError(
            f"{WHO} takes one to three axes of space, and no unknown coefficients.",
            mend="Give each coefficient as a definition.",
        )
    started = {c.unknown for c in compiled.conditions if c.is_initial and c.kind == "value" and c.side == 0}
    if missing := set(compiled.unknowns) - started:
        raise UserError(
            f"The initial value of {', '.join(sorted(missing))} is not given.",
            mend=f"Add a condition such as '{min(missing)} = … at {compiled.problem.time} = "
            f"{compiled.lower[compiled.time]:g}'.",
        )
    return rates


def _result(compiled: Compiled, values: np.ndarray, times: np.ndarray) -> ReferenceSolution:
    """From ``values`` (T, U, X …) at even nodes, without the upper ends of periodic axes."""
    assert compiled.time is not None
    for number, axis in enumerate(i for i in range(len(compiled.coordinates)) if i != compiled.time):
        if compiled.periodic[axis]:
            first = np.take(values, [0], axis=2 + number)
            values = np.concatenate([values, first], axis=2 + number)
    values = np.moveaxis(values, 0, 1 + compiled.time)
    spans = zip(compiled.lower.tolist(), compiled.upper.tolist(), values.shape[1:], strict=True)
    axes = [np.linspace(a, b, n) for a, b, n in spans]
    axes[compiled.time] = times
    field = as_field(compiled.problem, axes, values, "Solution")
    if not compiled.has_exact:
        return ReferenceSolution(field, None, None)
    truth = compiled.exact(torch.from_numpy(tensor_points(axes)))
    assert truth is not None
    exact = as_field(compiled.problem, axes, truth.T.reshape(values.shape).numpy())
    return ReferenceSolution(field, score_table(field, exact), difference(field, exact))


@dataclass(frozen=True)
class _Face:
    """Nodes of a face (flat, each on one face alone) and what holds there."""

    nodes: np.ndarray
    condition: Condition


class Lines:
    """du/dt at the nodes that no condition decides."""

    def __init__(self, compiled: Compiled, rates: Mapping[str, Formula], counts: tuple[int, ...]) -> None:
        self.compiled, self.rates = compiled, rates
        assert compiled.time is not None
        self.time = compiled.time
        space = [i for i in range(len(compiled.coordinates)) if i != compiled.time]
        ends = [(float(compiled.lower[i]), float(compiled.upper[i])) for i in space]
        self.axes = [
            finite_differences(n, *end, compiled.periodic[i]) for n, end, i in zip(counts, ends, space, strict=True)
        ]
        self.shape = tuple(len(axis.nodes) for axis in self.axes)
        places = torch.from_numpy(tensor_points([axis.nodes for axis in self.axes]))
        self.points = torch.zeros(len(places), len(compiled.coordinates), dtype=torch.float64)
        self.points[:, space] = places
        self.faces = {u: self._faces(u, space) for u in compiled.unknowns}
        self.free = {u: np.setdiff1d(np.arange(len(places)), self._decided(u)) for u in compiled.unknowns}
        needs = {i for f in rates.values() for _, i in f.needs}
        needs |= {i for faces in self.faces.values() for face in faces for _, i in face.condition.needs}
        self.matrices = {index: on_grid(self.axes, [index[i] for i in space]) for index in sorted(needs)}

    def _decided(self, unknown: str) -> np.ndarray:
        return np.concatenate([face.nodes for face in self.faces[unknown]] or [np.zeros(0, int)])

    def _faces(self, unknown: str, space: list[int]) -> list[_Face]:
        place, taken, found = np.arange(int(np.prod(self.shape))).reshape(self.shape), set(), []
        given = [c for c in self.compiled.conditions if c.unknown == unknown and c.residual and c.axis != self.time]
        for condition in sorted(given, key=lambda c: c.kind != "value"):
            if any(index[self.time] or sum(index) > 1 for _, index in condition.needs):
                raise UserError(
                    f"{WHO} cannot take the condition '{condition.text}'.",
                    "Values and first derivatives in space are known at the sides.",
                    "Write the condition with these.",
                )
            axis = space.index(condition.axis)
            nodes = np.take(place, -condition.side, axis=axis).reshape(-1)
            nodes = nodes[~np.isin(nodes, list(taken))]
            taken |= set(nodes.tolist())
            found.append(_Face(nodes, condition))
        return found

    def _at(self, time: float) -> Tensor:
        self.points[:, self.time] = time
        return self.points

    def start(self, time: float) -> dict[str, np.ndarray]:
        found = {}
        for condition in self.compiled.conditions:
            if condition.is_initial and condition.value is not None and condition.side == 0:
                found.setdefault(condition.unknown, condition.value(self._at(time))[:, 0].numpy().copy())
        return found

    def whole(self, y: np.ndarray, time: float) -> dict[str, np.ndarray]:
        """All nodal values from the free ones ``y``, one unknown after the other."""
        points, begin, found = self._at(time), 0, {}
        for unknown, free in self.free.items():
            values = np.zeros(len(points))
            values[free] = y[begin : begin + len(free)]
            begin += len(free)
            found[unknown] = values
        # Slopes at a corner take values of the other face, which are there the second time.
        sloped = any(face.condition.value is None for faces in self.faces.values() for face in faces)
        for _ in range(1 + (sloped and len(self.axes) > 1)):
            for unknown, faces in self.faces.items():
                for face in faces:
                    self._fill(found, unknown, face, points)
        return found

    def _fill(self, found: dict[str, np.ndarray], unknown: str, face: _Face, points: Tensor) -> None:
        """Values on a face; where slopes are given, from the residuals for 0 and 1 there, in which it is linear."""
        at, condition = torch.from_numpy(face.nodes), face.condition
        if condition.value is not None:
            found[unknown][face.nodes] = condition.value(points[at])[:, 0].numpy()
            return
        assert condition.residual is not None
        residuals = []
        for trial in (0.0, 1.0):
            found[unknown][face.nodes] = trial
            jets: dict[str, dict[Index, Tensor]] = {u: {} for u in found}
            for other, index in condition.needs:
                jets[other][index] = torch.from_numpy(self.matrices[index][face.nodes] @ found[other])
            residuals.append(condition.residual(points[at], jets)[:, 0].numpy())
        found[unknown][face.nodes] = -residuals[0] / (residuals[1] - residuals[0])

    def rate(self, time: float, y: np.ndarray) -> np.ndarray:
        """(Y,) dy/dt."""
        values = self.whole(y, time)
        jets: dict[str, dict[Index, Tensor]] = {u: {} for u in values}
        for formula in self.rates.values():
            for unknown, index in formula.needs:
                if index not in jets[unknown]:
                    jets[unknown][index] = torch.from_numpy(self.matrices[index] @ values[unknown])
        parts = [self.rates[u](self.points, jets)[:, 0].numpy()[free] for u, free in self.free.items()]
        return np.concatenate(parts)

    def pattern(self) -> sp.csr_matrix:
        """Which rates depend on which values, through faces too."""
        near = sum(abs(m) for m in self.matrices.values()) + sp.identity(len(self.points))
        rows = []
        for one in self.free.values():
            row = []
            for unknown, other in self.free.items():
                decided = self._decided(unknown)
                direct = near[one][:, other]
                row.append(direct + near[one][:, decided] @ near[decided][:, other] if len(decided) else direct)
            rows.append(row)
        return (sp.bmat(rows, format="csr") != 0).astype(float)

    def march(self, times: np.ndarray, kind: str, tolerance: float, run: Run) -> np.ndarray:
        """(T, U, X …) values at the times. Raises :class:`UserError` where the integrator gives up."""
        start = self.start(float(times[0]))
        y = np.concatenate([start[u][free] for u, free in self.free.items()])
        kinds = {"BDF": scipy.integrate.BDF, "Radau": scipy.integrate.Radau}
        size = max(1e-12, float(np.abs(y).max(initial=0.0)))
        solver = kinds[kind](
            self.rate, float(times[0]), y, float(times[-1]), rtol=tolerance, atol=tolerance * min(1.0, size),
            jac_sparsity=self.pattern(),
        )  # fmt: skip
        found = [self.whole(y, float(times[0]))]
        for number in run.steps(len(times) - 1, "Marching in time"):
            goal, taken = float(times[number + 1]), 0
            while solver.status == "running" and solver.t < goal:
                message = solver.step()
                taken += 1
                run.check()
            if solver.status == "failed":
                raise UserError(
                    f"The integrator gives up at {self.compiled.problem.time} = {solver.t:.4g}.",
                    f"{message}",
                    "The solution may cease to exist there, or need more nodes.",
                )
            now = y if solver.t_old is None else solver.dense_output()(goal)
            found.append(self.whole(now, goal))
            run.log(**{"steps taken": taken})
        return np.stack([np.stack([v[u].reshape(self.shape) for u in self.free]) for v in found])


def _memory(inputs: Mapping[str, Any], params: MethodOfLinesParams) -> int:
    """Bytes: the field at all times, and a few dozen fields and a sparse factor on the way."""
    problem = inputs.get("problem")
    axes = max(1, len(problem.coordinates) - 1) if problem is not None else 1
    asked = params.nodes or (MANY.get(axes, 33),)
    nodes = float(np.prod(asked * axes if len(asked) == 1 else asked))
    unknowns = len(problem.unknowns) if problem is not None else 1
    return int(8 * nodes * unknowns * (3 * params.times + 60 + 40 * np.log2(max(2.0, nodes)))) + 50_000_000
