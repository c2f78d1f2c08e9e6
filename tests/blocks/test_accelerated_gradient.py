"""Accelerated gradient on functions whose minima are known."""

from __future__ import annotations

import pytest
import torch

from engines.blocks.accelerated_gradient import AcceleratedGradient

SCALES = torch.logspace(0, 3, 30, dtype=torch.float64)
CENTRE = torch.linspace(-1, 1, 30, dtype=torch.float64)


def quadratic(flat):
    return lambda: (0.5 * (SCALES * (flat - CENTRE) ** 2).sum(), SCALES * (flat - CENTRE))


def test_it_is_faster_than_plain_descent_on_a_long_valley():
    flat = torch.zeros(30, dtype=torch.float64)
    descent, evaluate = AcceleratedGradient(flat), quadratic(flat)
    values = [descent.iterate(evaluate) for _ in range(250)]
    plain = torch.zeros(30, dtype=torch.float64)
    for _ in range(250):
        plain -= quadratic(plain)()[1] / SCALES.max()
    assert values[-1] < 1e-3 * float(quadratic(plain)()[0])
    distance = float((CENTRE**2).sum())
    bounds = [4 * 1000 * distance / (k + 2) ** 2 for k in range(250)]  # Nesterov's, with steps that are half as long
    assert all(value <= bound for value, bound in zip(values, bounds, strict=True))


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped():
    one, other = torch.zeros(30, dtype=torch.float64), torch.zeros(30, dtype=torch.float64)
    descent = AcceleratedGradient(one)
    for _ in range(20):
        descent.iterate(quadratic(one))
    other.copy_(one)
    resumed = AcceleratedGradient(other)
    resumed.restore(descent.state())
    for _ in range(20):
        assert descent.iterate(quadratic(one)) == resumed.iterate(quadratic(other))
    assert torch.equal(one, other)


def test_it_closes_in_on_a_kink_and_says_when_no_step_goes_down():
    flat = torch.tensor([1.0, -0.3], dtype=torch.float64)
    descent = AcceleratedGradient(flat)
    for _ in range(500):
        value = descent.iterate(lambda: (1 + flat.abs().sum(), flat.sign()))
    assert value == pytest.approx(1, abs=1e-9)
    wrong = torch.ones(2, dtype=torch.float64)  # a gradient that points downhill
    stuck = AcceleratedGradient(wrong)
    stuck.lipschitz = 1e-3
    for _ in range(100):
        stuck.iterate(lambda: ((wrong**2).sum(), -2 * wrong))
    assert stuck.stalled
    assert wrong.tolist() == pytest.approx([1, 1], abs=1e-9)
