"""An evolution equation u_t = N[u] of a compiled problem, made ready for marching in time with networks.

Time-discrete residuals, conditions on the faces in space, samples of them, figures against the exact solution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled, Condition
from engines.blocks.pde.grid_reading import reader
from engines.blocks.pde.grids import tensor_points
from engines.blocks.pde.siren import SirenShape, values
from engines.blocks.pde.siren_taylor import JetPlan
from engines.core import UserError
from engines.data import SampledField

Index = tuple[int, ...]


class Evolution:
    """``midpoint``: N at the mean of old and new field and time, else at the new ones.

    Raises :class:`UserError` for what cannot be written so, and where an initial value is missing.
    """

    def __init__(self, compiled: Compiled, midpoint: bool, initial: SampledField | None = None) -> None:
        self.compiled, self.midpoint, self.given = compiled, midpoint, None
        if compiled.time is None:
            raise UserError(
                "The problem has no time.",
                "This method marches from an initial field, step by step.",
                "Name the coordinate that is time, or use a method for steady problems.",
            )
        self.time = compiled.time
        self.space = tuple(i for i in range(len(compiled.coordinates)) if i != self.time)
        self.names = tuple(compiled.coordinates[i] for i in self.space)
        self.lower, self.upper = compiled.lower[list(self.space)], compiled.upper[list(self.space)]
        self.start_time = float(compiled.lower[self.time])
        rates = compiled.evolution() if self.space else None
        if rates is None:
            raise UserError(
                "The equations cannot be written as u_t = …, one for each unknown.",
                "Marching in time needs the first time derivative of every unknown, and no other.",
                "Write a second time derivative as two equations: u_t = v and v_t = …; for incompressible flow use "
                "INSR-PDE: flow.",
            )
        self.rates = rates
        if initial is not None:
            self.given = self._given(initial)
        self.initial = {} if initial is not None else self._initial()
        self.faces = [c for c in compiled.conditions if c.axis != self.time]
        self.plan = JetPlan.of(self._in_space([key for f in rates.values() for key in f.needs]))
        self.face_plan = JetPlan.of(self._in_space([key for c in self.faces for key in c.needs]) + self._across())

    def place(self, shape: SirenShape, device: torch.device, generator: torch.Generator) -> None:
        """Where to work, and with which network."""
        self.shape, self.device, self.generator = shape, device, generator
        guesses = self.compiled.problem.estimated
        self.coefficients = {k: torch.tensor(v, dtype=torch.float32, device=device) for k, v in guesses.items()}
        self.low = torch.tensor(self.lower, dtype=torch.float32, device=device)
        self.extent = torch.tensor(self.upper - self.lower, dtype=torch.float32, device=device)
        found = self.first_values(self.grid(int(20_000 ** (1 / len(self.space))))).abs().amax(0).tolist()
        self.scales = [s if s > 0 else 1.0 for s in found]
        self.scale = torch.tensor(self.scales, dtype=torch.float32, device=device)

    def _initial(self) -> dict[str, Condition]:
        found: dict[str, Condition] = {}
        for condition in self.compiled.conditions:
            if condition.is_initial and condition.side == 0 and condition.value is not None:
                found[condition.unknown] = condition
            elif condition.axis == self.time:
                raise UserError(
                    f"'{condition.text}' cannot be used to start from.",
                    "Marching in time starts from values of the unknowns at the first time.",
                    "Give each unknown its value there, such as 'u = sin(pi*x) at t = 0'.",
                )
        missing = [u for u in self.compiled.unknowns if u not in found]
        if missing:
            time, at = self.compiled.problem.time, self.start_time
            raise UserError(
                f"The initial value of {', '.join(missing)} is not given.",
                mend=f"Add a condition such as '{missing[0]} = sin(pi*{self.names[0]}) at {time} = {at:g}'.",
            )
        return found

    def _given(self, initial: SampledField) -> Callable[[Tensor], Tensor]:
        """Initial values by their components, read between the nodes."""
        names = self.compiled.unknowns
        missing = [u for u in names if u not in initial.components]
        if missing and len(names) == len(initial.components):
            missing, names = [], initial.components  # in their order, whatever they are called
        low = [a[0] for a in initial.axes]
        high = [a[-1] for a in initial.axes]
        slack = 1e-6 * (self.upper - self.lower)
        fits = initial.dimensions == len(self.space) and min(initial.shape) > 1
        if not fits or (low > self.lower + slack).any() or (high < self.upper - slack).any() or missing:
            box = " × ".join(f"[{a:g}, {b:g}]" for a, b in zip(low, high, strict=True))
            raise UserError(
                f"The initial field ({', '.join(initial.components)} on {box}) does not cover the problem.",
                f"Needed are {', '.join(self.compiled.unknowns)} wherever {', '.join(self.names)} can be.",
                "Choose another field, or change the box of the problem.",
            )
        values = np.stack([initial.component(n) for n in names])
        if not np.isfinite(values).all():
            raise UserError("The initial field has gaps.", "Some of its values are not finite.", "Fill them first.")
        return reader(values, initial.axes)

    def _in_space(self, keys: list[tuple[str, Index]]) -> list[Index]:
        late = [u for u, index in keys if index[self.time]]
        if late:
            raise UserError(
                f"A condition at a face takes a time derivative of {late[0]}.",
                "There is no such derivative in a network for one time.",
                "Use a condition without it.",
            )
        return [tuple(index[i] for i in self.space) for _, index in keys]

    def _across(self) -> list[Index]:
        """First derivatives that have to agree across periodic faces."""
        axes = [self.space.index(c.axis) for c in self.faces if c.kind == "periodic"]
        return [tuple(int(i == a) for i in range(len(self.space))) for a in axes]

    @property
    def knows_exact(self) -> bool:
        """Whether the problem's exact solution is that of what is marched: from its own start, with known numbers."""
        return self.compiled.has_exact and self.given is None and not self.compiled.problem.estimated

    def axes(self, nodes: int) -> list[np.ndarray]:
        return [np.linspace(a, b, nodes) for a, b in zip(self.lower, self.upper, strict=True)]

    def grid(self, nodes: int) -> Tensor:
        """(N, d) nodes of an even grid."""
        return torch.tensor(tensor_points(self.axes(nodes)), dtype=torch.float32, device=self.device)

    def draw(self, count: int) -> Tensor:
        """(count, d) uniform in the box."""
        uniform = torch.rand(count, len(self.space), generator=self.generator, device=self.device)
        return self.low + self.extent * uniform

    def draw_faces(self, count: int) -> tuple[Tensor, ...]:
        """(count, d) on the face of each condition."""
        found = []
        for condition in self.faces:
            points = self.draw(1 if len(self.space) == 1 else count)
            points[:, self.space.index(condition.axis)] = condition.at
            found.append(points)
        return tuple(found)

    def at(self, points: Tensor, time: float) -> Tensor:
        """(P, D) with the coordinate of time put in."""
        columns = list(points.unbind(1))
        columns.insert(self.time, torch.full_like(columns[0], time))
        return torch.stack(columns, 1)

    def _named(self, jets: Mapping[Index, Tensor]) -> dict[str, dict[Index, Tensor]]:
        """Jets of the problem from those in space: by unknown, with time's order 0."""
        put = lambda index: (*index[: self.time], 0, *index[self.time :])  # noqa: E731
        return {u: {put(i): v[:, k] for i, v in jets.items()} for k, u in enumerate(self.compiled.unknowns)}

    def _jets(self, plan: JetPlan, flat: Tensor, points: Tensor) -> dict[Index, Tensor]:
        return {i: v * self.scale for i, v in plan.jets(self.shape, flat, points).items()}

    def values(self, flat: Tensor, points: Tensor) -> Tensor:
        """(P, C) without gradients."""
        with torch.no_grad():
            return torch.cat([values(self.shape, flat, part) for part in points.split(100_000)]) * self.scale

    def first_values(self, points: Tensor) -> Tensor:
        """(P, C) initial values."""
        if self.given is not None:
            return self.given(points)
        where = self.at(points, self.start_time)
        columns = []
        for unknown in self.compiled.unknowns:
            formula = self.initial[unknown].value
            assert formula is not None
            columns.append(formula(where, None, self.coefficients)[:, 0].expand(len(points)))
        return torch.stack(columns, 1)

    def first_loss(self, flat: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        apart = values(self.shape, flat, points) - self.first_values(points) / self.scale
        return apart.square().sum(1).mean(), apart.new_zeros(())

    def first_error(self, flat: Tensor, points: Tensor) -> float:
        """Root mean square, as a part of the largest value; of the worst unknown."""
        apart = (self.values(flat, points) - self.first_values(points)) / self.scale
        return float(apart.square().mean(0).sqrt().amax())

    def step_loss(self, old: Tensor, time: float, dt: float, weight: float) -> Callable[..., tuple[Tensor, Tensor]]:
        """The loss of the step from ``time`` on: of parameters, points inside, and points on each condition's face."""
        middle, zero = time + (0.5 if self.midpoint else 1.0) * dt, (0,) * len(self.space)

        def loss(flat: Tensor, inside: Tensor, *faces: Tensor) -> tuple[Tensor, Tensor]:
            new = self._jets(self.plan, flat, inside)
            with torch.no_grad():
                before = self._jets(self.plan, old, inside)
            between = {i: (v + before[i]) / 2 for i, v in new.items()} if self.midpoint else new
            speed = (new[zero] - before[zero]) / dt
            where, named = self.at(inside, middle), self._named(between)
            main = speed.new_zeros(())
            for k, unknown in enumerate(self.compiled.unknowns):
                residual = (speed[:, k] - self.rates[unknown](where, named, self.coefficients)[:, 0]) / self.scale[k]
                main = main + residual.square().mean()
            return main, weight * self._face_loss(flat, faces, time + dt)

        return loss

    def _face_loss(self, flat: Tensor, faces: tuple[Tensor, ...], time: float) -> Tensor:
        total = flat.new_zeros(())
        for condition, points in zip(self.faces, faces, strict=True):
            jets = self._jets(self.face_plan, flat, points)
            if condition.kind == "periodic":
                axis = self.space.index(condition.axis)
                opposite = points.clone()
                opposite[:, axis] = float(self.upper[axis])
                others = self._jets(self.face_plan, flat, opposite)
                wanted = [(0,) * len(self.space), tuple(int(i == axis) for i in range(len(self.space)))]
                total = total + sum(((jets[i] - others[i]) / self.scale).square().sum(1).mean() for i in wanted)
                continue
            assert condition.residual is not None
            scale = self.scales[self.compiled.unknowns.index(condition.unknown)]
            residual = condition.residual(self.at(points, time), self._named(jets), self.coefficients)
            total = total + (residual / scale).square().mean()
        return total

    def exact(self, points: Tensor, time: float) -> Tensor:
        """(P, U)."""
        found = self.compiled.exact(self.at(points, time))
        assert found is not None
        return found.expand(len(points), -1)

    def figures(self, flat: Tensor, points: Tensor, time: float) -> dict[str, float]:
        """Largest value of each unknown, and errors where the exact solution is known."""
        found = self.values(flat, points)
        tops = zip(self.compiled.unknowns, found.amax(0).tolist(), strict=True)
        figures = {f"largest {unknown}": top for unknown, top in tops}
        if self.knows_exact:
            apart = (found - self.exact(points, time)).abs()
            figures |= {"mean error": float(apart.mean()), "largest error": float(apart.amax())}
        return figures


__all__ = ["Evolution"]
