"""Tests that take ``method`` run once for every registered method."""

from __future__ import annotations

import functools

import pytest


@pytest.fixture(scope="session", autouse=True)
def _fewer_points():
    """Runs score themselves at a tenth of the points: what scores are worth is for the tests of the metrics."""
    from engines.blocks.mesh_metrics import score_mesh

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engines.shape.surfaces.score_mesh", functools.partial(score_mesh, points=5000, samples=2000))
        yield


def pytest_generate_tests(metafunc):
    if "method" in metafunc.fixturenames:
        from tests.contract.examples import METHODS

        lacking = {key: method.lacks() for key, method in METHODS.items()}
        every = [
            pytest.param(m, id=key, marks=[pytest.mark.skip(reason=lacking[key].what)] if lacking[key] else [])
            for key, m in METHODS.items()
        ]
        metafunc.parametrize("method", every)
