"""The quick softplus against the formula in double precision."""

import numpy as np
import pytest
import torch

from engines.blocks import compiled_library
from engines.blocks.activations.softplus import library, serves, softplus, softplus_

X = torch.cat([torch.linspace(-3, 3, 40_001), torch.tensor([0.0, -0.0, 1e-30, -1e-30, 90.0, -90.0, 3e4, -3e4])])


def exact(x: torch.Tensor, beta: float) -> torch.Tensor:
    return torch.from_numpy(np.logaddexp(0, beta * x.double().numpy()) / beta)


@pytest.mark.parametrize("beta", [1.0, 20.0, 100.0])
def test_values_and_slopes_are_exact_to_single_precision(beta):
    x = X.clone().requires_grad_()
    found = softplus(x, beta)
    error = (found.detach().double() - exact(X, beta)).abs()
    assert (error <= 3e-7 / beta + 1e-7 * X.abs()).all()
    found.backward(torch.full_like(X, 2.0))
    torch.testing.assert_close(x.grad.double(), 2 * torch.sigmoid(beta * X.double()), atol=4e-7, rtol=0)


def test_the_compiled_one_is_used_for_single_precision_and_torchs_elsewhere():
    assert library() is not None, "build it: python setup.py build_ext --inplace"
    assert serves(X)
    assert not serves(X.double())
    torch.testing.assert_close(softplus(X.double(), 100.0), exact(X, 100.0), atol=1e-10, rtol=1e-6)
    leaf = torch.linspace(-0.1, 0.1, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: softplus(v, 100.0), leaf)


@pytest.mark.parametrize("without", [False, True])
def test_in_place_and_of_any_layout(without, monkeypatch):
    if without:
        monkeypatch.setattr(compiled_library, "load", lambda *_: None)
        assert not serves(X)
    table = X[:40_000].reshape(200, 200)
    for given in (table, table.T, table[:, ::2], table[:0]):
        expected = exact(given, 100.0).float()
        torch.testing.assert_close(softplus(given, 100.0), expected, atol=2e-8, rtol=1e-6)
        own = given.clone()[:, ::1]
        assert softplus_(own, 100.0) is own
        torch.testing.assert_close(own, expected, atol=2e-8, rtol=1e-6)
    strided = table.clone()
    softplus_(strided[:, ::2], 100.0)
    torch.testing.assert_close(strided[:, ::2], exact(table[:, ::2], 100.0).float(), atol=2e-8, rtol=1e-6)
    assert torch.equal(strided[:, 1::2], table[:, 1::2])
    slopes = table.T.clone().T.requires_grad_()
    softplus(slopes, 100.0).backward(table.T)
    torch.testing.assert_close(slopes.grad, table.T * torch.sigmoid(100 * table), atol=1e-6, rtol=0)


def test_what_is_not_finite_shows():
    found = softplus(torch.tensor([torch.nan, torch.inf, -torch.inf]), 100.0)
    assert found[0].isnan()
    assert found[1:].tolist() == [torch.inf, pytest.approx(0, abs=1e-12)]


def test_any_number_of_threads_gives_the_same_bits():
    x = torch.randn(100_003, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaf = x.clone().requires_grad_()
            y = softplus(leaf, 100.0)
            y.backward(x)
            found.append((y.detach(), leaf.grad))
    finally:
        torch.set_num_threads(before)
    for y, slope in found[1:]:
        assert torch.equal(y, found[0][0])
        assert torch.equal(slope, found[0][1])
