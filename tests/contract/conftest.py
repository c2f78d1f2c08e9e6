"""Tests that take ``method`` run once for every registered method."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc):
    if "method" in metafunc.fixturenames:
        from tests.contract.examples import METHODS

        lacking = {key: method.lacks() for key, method in METHODS.items()}
        every = [
            pytest.param(m, id=key, marks=[pytest.mark.skip(reason=lacking[key].what)] if lacking[key] else [])
            for key, m in METHODS.items()
        ]
        metafunc.parametrize("method", every)
