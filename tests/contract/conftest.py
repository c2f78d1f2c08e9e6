"""Tests that take ``method`` run once for every registered method."""

from __future__ import annotations


def pytest_generate_tests(metafunc):
    if "method" in metafunc.fixturenames:
        from tests.contract.examples import METHODS

        metafunc.parametrize("method", METHODS.values(), ids=METHODS.keys())
