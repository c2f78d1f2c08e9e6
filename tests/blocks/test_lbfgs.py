"""L-BFGS against torch's, its direction against the two loops, and what it does where there is nothing to gain."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from engines.blocks.lbfgs import Lbfgs


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def valley(count: int) -> torch.Tensor:
    x = torch.full((count,), -1.2, dtype=torch.float64)
    x[1::2] = 1.0
    return x


class Counted:
    def __init__(self, f, x):
        self.f, self.x, self.calls = f, x, 0

    def __call__(self):
        self.calls += 1
        with torch.enable_grad():
            leaf = self.x.detach().requires_grad_()
            value = self.f(leaf)
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient


def two_loops(steps, changes, gradient):
    q, kept = gradient.clone(), []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        a = (s @ q) / (s @ y)
        q -= a * y
        kept.append(a)
    q *= (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
    for s, y, a in zip(steps, changes, reversed(kept), strict=True):
        q += s * (a - (y @ q) / (s @ y))
    return -q


def test_it_needs_no_more_evaluations_than_torchs():
    x = valley(60)
    counted = Counted(rosenbrock, x)
    ours = Lbfgs(x)
    while ours.iterate(counted) > 1e-18 and counted.calls < 2000:
        pass
    y = valley(60).requires_grad_()
    theirs = torch.optim.LBFGS([y], 1.0, 1, 10_000, 0, 0, history_size=100, line_search_fn="strong_wolfe")
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        theirs.zero_grad()
        value = rosenbrock(y)
        value.backward()
        return value

    iterations = 0
    while float(rosenbrock(y)) > 1e-18 and iterations < 2000:
        theirs.step(closure)
        iterations += 1
    assert float(rosenbrock(x)) <= 1e-18
    assert counted.calls <= 1.1 * (calls - iterations)  # torch's closure is called once more at the start of each step


def test_the_direction_is_that_of_the_two_loops():
    x = valley(20)
    ours = Lbfgs(x, history=5)
    counted = Counted(rosenbrock, x)
    for _ in range(12):
        ours.iterate(counted)
    assert len(ours.order) == 5
    steps, changes = ([rows[i] for i in ours.order] for rows in (ours.steps, ours.changes))
    gradient = counted()[1]
    np.testing.assert_allclose(ours._direction(gradient), two_loops(steps, changes, gradient), rtol=1e-8, atol=1e-12)


def test_a_restored_one_goes_on_as_if_nothing_had_been():
    x = valley(30)
    one = Lbfgs(x)
    counted = Counted(rosenbrock, x)
    for _ in range(10):
        one.iterate(counted)
    state, at = copy.deepcopy(one.state()), x.clone()
    for _ in range(10):
        one.iterate(counted)
    other_x = at.clone()
    other = Lbfgs(other_x)
    other.restore(state)
    again = Counted(rosenbrock, other_x)
    for _ in range(10):
        other.iterate(again)
    assert torch.equal(x, other_x)


def test_it_says_when_nothing_is_gained():
    x = torch.ones(4, dtype=torch.float64)
    ours = Lbfgs(x)
    assert ours.iterate(Counted(rosenbrock, x)) == 0
    assert ours.stalled
    assert torch.equal(x, torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("start", [0.1, 3.0, 30.0])
def test_steps_into_what_is_not_a_number_come_back(start):
    x = torch.tensor([start], dtype=torch.float64)
    ours = Lbfgs(x)
    counted = Counted(lambda v: (v - v.log()).sum(), x)  # the logarithm ends at 0; lowest at 1
    for _ in range(40):
        ours.iterate(counted)
    assert float(x) == pytest.approx(1, abs=1e-6)
