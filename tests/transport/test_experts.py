"""Tokens and experts: scores that are probabilities, and k-sparse transport that keeps a capacity."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import Noted, Run, UserError, catalog
from tests.contract.examples import Ear


def made(seed=0, **changes):
    method, ear = catalog().get("experts"), Ear()
    (found,) = method.run({}, method.params.parse(changes), Run(seed=seed, listener=ear)).values()
    return found, ear.of(Noted)


@pytest.mark.parametrize("router", ["linear", "k-means"])
def test_costs_are_minus_log_probabilities(router):
    found, notes = made(tokens=80, experts=6, router=router, capacity_factor=1.25)
    assert found.costs.shape == (80, 6)
    assert found.costs.min() >= 0
    np.testing.assert_allclose(np.exp(-found.costs).sum(1), 1, atol=1e-12)
    assert "k = 17" in notes[-1].text
    assert len(set(found.source_names)) == 80


def test_the_router_sends_like_digits_to_like_experts():
    """Chance would be near 2/10: the share of the commonest digit among about ten tokens an expert."""
    found, _ = made(tokens=400, experts=10)
    digit, expert = np.array([int(name[0]) for name in found.source_names]), found.costs.argmin(1)
    pure = sum(np.bincount(digit[expert == e]).max() for e in np.unique(expert)) / 400
    assert pure > 0.5


def test_no_expert_takes_more_tokens_than_its_capacity_and_each_token_goes_to_one():
    found, _ = made(tokens=60, experts=5)
    assert np.bincount(found.costs.argmin(1), minlength=5).max() > 12  # without a limit one takes more
    method = catalog().get("k-sparse")
    plan = method.run({"source": found}, method.params.parse({"k": 12}), Run())["feasible"]
    assert np.bincount(plan.entries()[1]).tolist() == [12] * 5
    assert np.bincount(plan.entries()[0]).tolist() == [1] * 60
    assert max(plan.marginal_errors) < 1e-12


def test_more_experts_than_tokens_are_refused():
    with pytest.raises(UserError, match="share"):
        made(tokens=3, experts=4)
