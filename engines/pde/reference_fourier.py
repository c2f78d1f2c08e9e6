"""Evolution on periodic boxes by Fourier's waves and ETDRK4 (Cox and Matthews 2002; Kassam and Trefethen 2005, sec. 2).

    v_t = L v + N(v, t)        for the Fourier coefficients v

L holds the terms with constant coefficients, which the exponential takes exactly, so that they may be as stiff as they
like. N is computed at the nodes. The functions phi of the scheme are means over a circle around each eigenvalue, which
avoids the cancellation of their closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled, Formula, Index
from engines.blocks.pde.grids import tensor_points
from engines.core import Run, UserError

ROOTS = 32
"""Points of the circle."""


class FourierFlow:
    """The coefficients of U unknowns on N_1 x … nodes, (U, N_1, …) complex."""

    def __init__(
        self, compiled: Compiled, rates: Mapping[str, Formula], counts: tuple[int, ...], dealias: bool, run: Run
    ) -> None:
        assert compiled.time is not None
        self.compiled, self.rates, self.run, self.time = compiled, rates, run, compiled.time
        self.space = [i for i in range(len(compiled.coordinates)) if i != compiled.time]
        self.shape, device = counts, run.device
        lengths = [float(compiled.upper[i] - compiled.lower[i]) for i in self.space]
        nodes = [
            float(compiled.lower[i]) + length / n * np.arange(n)
            for i, n, length in zip(self.space, counts, lengths, strict=True)
        ]
        self.points = torch.zeros(math.prod(counts), len(compiled.coordinates), dtype=torch.float64, device=device)
        self.points[:, self.space] = torch.from_numpy(tensor_points(nodes)).to(device)
        numbers = [
            torch.fft.fftfreq(n, length / n, dtype=torch.float64, device=device) * 2 * math.pi
            for n, length in zip(counts, lengths, strict=True)
        ]
        self.waves = torch.meshgrid(*numbers, indexing="ij")
        self.kept = torch.ones(counts, dtype=torch.float64, device=device)
        for k, n, length in zip(self.waves, counts, lengths, strict=True):
            if dealias:
                self.kept *= (k.abs() < 2 * math.pi / length * n / 3).to(torch.float64)
        self._symbols: dict[Index, Tensor] = {}
        self.linear = self._linear()

    def symbol(self, index: Index) -> Tensor:
        """(N_1, …) complex: what a derivative multiplies each wave with."""
        if index not in self._symbols:
            self._symbols[index] = self._symbol(index)
        return self._symbols[index]

    def _symbol(self, index: Index) -> Tensor:
        found = torch.ones(self.shape, dtype=torch.complex128, device=self.points.device)
        for axis, (k, n) in enumerate(zip(self.waves, self.shape, strict=True)):
            order = index[self.space[axis]]
            if order % 2 and n % 2 == 0:  # the highest wave of an even number has no odd derivative
                k = torch.where(k.abs() >= k.abs().max() * (1 - 1e-12), torch.zeros_like(k), k)
            found = found * (1j * k) ** order
        return found

    def _linear(self) -> Tensor:
        """L of each unknown: its own terms with constant coefficients."""
        symbols = self.compiled.symbols.jets
        rows = []
        for unknown in self.compiled.unknowns:
            (expression,) = self.rates[unknown].expressions
            total = torch.zeros(self.shape, dtype=torch.complex128, device=self.points.device)
            for name, (of, index) in symbols.items():
                if of == unknown and expression.has(name):
                    factor = expression.expand().coeff(name, 1) if expression.is_polynomial(name) else None
                    if factor is not None and not factor.free_symbols:
                        total = total + float(factor) * self.symbol(index)
            rows.append(total)
        return torch.stack(rows)

    def nodal(self, v: Tensor) -> Tensor:
        return torch.fft.ifftn(v, dim=tuple(range(1, v.ndim))).real

    def rest(self, v: Tensor, time: float) -> Tensor:
        """N: the coefficients of the right side without L."""
        self.points[:, self.time] = time
        jets: dict[str, dict[Index, Tensor]] = {u: {} for u in self.compiled.unknowns}
        for formula in self.rates.values():
            for unknown, index in formula.needs:
                if index not in jets[unknown]:
                    waves = self.symbol(index) * v[self.compiled.unknowns.index(unknown)]
                    jets[unknown][index] = torch.fft.ifftn(waves).real.reshape(-1)
        right = [self.rates[u](self.points, jets)[:, 0].reshape(self.shape) for u in self.compiled.unknowns]
        whole = torch.fft.fftn(torch.stack(right), dim=tuple(range(1, v.ndim)))
        return (whole - self.linear * v) * self.kept

    def start(self, time: float) -> Tensor:
        self.points[:, self.time] = time
        given = {
            c.unknown: c.value(self.points)[:, 0].reshape(self.shape)
            for c in reversed(self.compiled.conditions)
            if c.is_initial and c.value is not None and c.side == 0
        }
        values = torch.stack([given[u] for u in self.compiled.unknowns])
        return torch.fft.fftn(values, dim=tuple(range(1, values.ndim)))

    def march(self, times: np.ndarray, steps: int) -> np.ndarray:
        """(T, U, N_1, …) values at evenly spaced times, with ``steps`` steps or more. Raises :class:`UserError`."""
        inner = max(1, math.ceil(steps / (len(times) - 1)))
        h = float(times[-1] - times[0]) / (inner * (len(times) - 1))
        scheme = Etdrk4(self.linear, h)
        v = self.start(float(times[0]))
        found = [self.nodal(v)]
        for number in self.run.steps(len(times) - 1, "Marching in time"):
            for part in range(inner):
                v = scheme.step(v, float(times[number]) + part * h, self.rest)
                self.run.check()
            found.append(self.nodal(v))
            if not bool(torch.isfinite(found[-1]).all()):
                raise UserError(
                    f"The solution grows without bound before {self.compiled.problem.time} = {times[number + 1]:.4g}.",
                    "Steps that are too long for what is not in the exponential do that, and so do some equations.",
                    "Take more steps in time, or more nodes.",
                )
            self.run.log(**{"largest value": found[-1].abs().max()})
        return torch.stack(found).cpu().numpy()


class Etdrk4:
    """The scheme for v_t = L v + N(v, t), L diagonal, at a fixed step h (Kassam and Trefethen 2005, eq. 2.5)."""

    def __init__(self, linear: Tensor, h: float) -> None:
        self.h = h
        self.whole, self.half = torch.exp(h * linear), torch.exp(h * linear / 2)
        # A whole circle: eigenvalues may be anywhere in the complex plane.
        roots = torch.exp(2j * math.pi * (torch.arange(ROOTS, dtype=torch.float64, device=linear.device) + 0.5) / ROOTS)
        z = h * linear[..., None] + roots
        e = torch.exp(z)
        self.q = h * ((torch.exp(z / 2) - 1) / z).mean(-1)
        self.first = h * ((-4 - z + e * (4 - 3 * z + z**2)) / z**3).mean(-1)
        self.middle = h * ((2 + z + e * (-2 + z)) / z**3).mean(-1)
        self.last = h * ((-4 - 3 * z - z**2 + e * (4 - z)) / z**3).mean(-1)

    def step(self, v: Tensor, time: float, rest) -> Tensor:  # type: ignore[no-untyped-def]
        """v at ``time`` + h; ``rest(v, time)`` is N."""
        at = rest(v, time)
        a = self.half * v + self.q * at
        at_a = rest(a, time + self.h / 2)
        b = self.half * v + self.q * at_a
        at_b = rest(b, time + self.h / 2)
        c = self.half * a + self.q * (2 * at_b - at)
        at_c = rest(c, time + self.h)
        return self.whole * v + self.first * at + 2 * self.middle * (at_a + at_b) + self.last * at_c


__all__ = ["Etdrk4", "FourierFlow"]
