"""Metrics of fields on numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.pde.field_metrics import (
    coverage,
    difference,
    largest_error,
    mean_squared_error,
    normalised_squared_error,
    relative_l2,
    score_table,
)
from engines.data import SampledField


def test_known_answers():
    truth, field = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[3.0, 4.0], [3.0, -4.0]])
    assert relative_l2(field, truth) == 1.0
    assert relative_l2(1.1 * truth, truth) == pytest.approx(0.1)
    assert normalised_squared_error(1.1 * truth, truth) == pytest.approx(0.01)
    assert largest_error(field, truth) == 4.0
    assert mean_squared_error(field, truth) == 25 / 4


def test_tensors_are_taken_too_and_what_is_not_known_does_not_count():
    truth = torch.tensor([1.0, float("nan"), 2.0], requires_grad=True)
    field = torch.tensor([1.0, 7.0, 4.0])
    assert largest_error(field, truth) == 2.0
    assert mean_squared_error(field, truth) == 2.0
    assert coverage(field, torch.tensor([0.5, 0.5, 1.0]), truth) == 1.0
    assert coverage(field, torch.tensor([0.5, 0.5, 0.9]), truth) == 0.5


def test_a_truth_that_vanishes():
    assert relative_l2(np.zeros(3), np.zeros(3)) == 0.0
    assert relative_l2(np.ones(3), np.zeros(3)) == np.inf


def test_shapes_that_differ_are_an_error():
    with pytest.raises(ValueError, match="cannot be compared"):
        relative_l2(np.zeros(3), np.zeros((3, 1)))


def test_coverage_of_a_normal_law():
    draw = np.random.default_rng(0)
    mean, deviation = draw.normal(size=100_000), draw.uniform(0.5, 2, 100_000)
    truth = mean + deviation * draw.normal(size=100_000)
    assert coverage(mean, deviation, truth) == pytest.approx(0.9545, abs=0.003)
    assert coverage(mean, deviation, truth, width=1) == pytest.approx(0.6827, abs=0.005)


def test_scores_and_difference_of_fields():
    x = np.linspace(0, 1, 5)
    truth = SampledField.of(np.stack([x, x**2]), x, components=("u", "v"), unit="m")
    field = SampledField.of(np.stack([x, x**2 + 0.5]), x, components=("u", "v"), unit="m")
    table = score_table(field, truth)
    assert table.columns["Largest error"].tolist() == [0.0, 0.5]
    assert table.columns["Mean squared error"].tolist() == [0.0, 0.25]
    assert table.units["Mean squared error"] == "(m)²"
    assert difference(field, truth).component("v").tolist() == [0.5] * 5
