"""Spectral kernels and Gaussian processes on tensor grids, against multiple precision, GPyTorch and dense matrices."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from engines.blocks.pde.kronecker import AxisKernel, GridPrior, cholesky, conjugate_gradients
from engines.blocks.pde.spectral_kernels import KERNELS, Components, kernel_derivatives, kernel_matrices, toeplitz
from engines.core import UserError

COUNT = 4


@pytest.fixture
def components() -> Components:
    draw = np.random.default_rng(0)
    numbers = [torch.from_numpy(draw.normal(size=COUNT)) for _ in range(2)]
    return Components(*numbers, torch.from_numpy(draw.uniform(0, 20, COUNT)))


def exact(kernel: str, D: float, components: Components, order: int) -> float:
    """The derivative by mpmath; |D| is written as ±D, which is smooth on each side and up to the second order at 0."""
    w, r, f = (v.tolist() for v in (components.log_weights.exp(), components.log_rates.exp(), components.frequencies))
    side = 1 if D >= 0 else -1

    def k(d):
        total = mpmath.mpf(0)
        for wq, rq, fq in zip(w, r, f, strict=True):
            if kernel.startswith("Gaussian"):
                g = mpmath.exp(-mpmath.mpf(rq) * d**2)
            else:
                aD = mpmath.sqrt(5) * rq * side * d
                g = (1 + aD + aD**2 / 3) * mpmath.exp(-aD)
            total += wq * g * mpmath.cos(2 * mpmath.pi * fq * d)
        return total

    with mpmath.workdps(60):
        return float(mpmath.diff(k, mpmath.mpf(D), order))


@pytest.mark.parametrize("kernel", KERNELS)
def test_derivatives_equal_those_in_multiple_precision(kernel, components):
    lags = np.concatenate([[0.0], np.random.default_rng(1).uniform(-2, 2, 12)])
    found = kernel_derivatives(kernel, torch.from_numpy(lags), components)
    for order, values in enumerate(found):
        wanted = np.array([exact(kernel, d, components, order) for d in lags])
        np.testing.assert_allclose(values.numpy(), wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())


def test_the_second_derivative_at_zero(components):
    m2 = (2 * np.pi * components.frequencies) ** 2
    w, r = components.log_weights.exp(), components.log_rates.exp()
    zero = torch.zeros(1, dtype=torch.float64)
    matern = kernel_derivatives(KERNELS[0], zero, components)[2]
    torch.testing.assert_close(matern[0], -(w * (5 * r**2 / 3 + m2)).sum(), rtol=1e-12, atol=0)
    gaussian = kernel_derivatives(KERNELS[1], zero, components)[2]
    torch.testing.assert_close(gaussian[0], -(w * (2 * r + m2)).sum(), rtol=1e-12, atol=0)


def test_the_gaussian_mixture_is_the_spectral_mixture_kernel_of_gpytorch(components):
    """With r = 2 pi^2 sigma^2."""
    gpytorch = pytest.importorskip("gpytorch")
    peer = gpytorch.kernels.SpectralMixtureKernel(num_mixtures=COUNT).double()
    peer.mixture_weights = components.log_weights.exp()
    peer.mixture_means = components.frequencies.reshape(COUNT, 1, 1)
    peer.mixture_scales = (components.log_rates.exp() / 2).sqrt().reshape(COUNT, 1, 1) / np.pi
    x = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    ours = kernel_derivatives(KERNELS[1], x - x.T, components)[0]
    torch.testing.assert_close(ours, peer(x, x).to_dense().detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
def test_matrices_from_lags_equal_those_of_all_pairs(kernel, components):
    count, spacing = 9, 0.125  # spacings that are exact in binary
    x = spacing * torch.arange(count, dtype=torch.float64)
    for fast, direct in zip(
        kernel_matrices(kernel, count, spacing, components),
        kernel_derivatives(kernel, x[:, None] - x, components),
        strict=True,
    ):
        torch.testing.assert_close(fast, direct, rtol=0, atol=1e-13 * float(direct.abs().max()))
    lags = torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    index = torch.arange(7)
    apart = index[:, None] - index
    assert torch.equal(toeplitz(lags), lags[apart.abs()])
    assert torch.equal(toeplitz(lags, odd=True).triu(1), -lags[apart.abs()].triu(1))
    assert torch.autograd.gradcheck(toeplitz, lags)
    assert torch.autograd.gradcheck(lambda half: toeplitz(half, odd=True), lags)


@pytest.fixture
def grid(components) -> tuple[GridPrior, torch.Tensor, list[torch.Tensor]]:
    """6 x 7 nodes with two different kernels, values on them, and the dense matrices of each order along each axis."""
    other = Components(components.log_weights + 0.3, components.log_rates - 0.5, components.frequencies / 3)
    matrices = [kernel_matrices(KERNELS[0], 6, 0.2, components), kernel_matrices(KERNELS[1], 7, 0.15, other)]
    prior = GridPrior(tuple(AxisKernel.of(k[0], k[1:], 1e-6) for k in matrices))
    U = torch.randn(6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    dense = [[k[0] + 1e-6 * torch.eye(len(k[0]), dtype=torch.float64), *k[1:]] for k in matrices]
    return prior, U, dense


def test_the_kronecker_algebra_equals_the_dense_one(grid):
    prior, U, (first, second) = grid
    K, u = torch.kron(first[0], second[0]), U.reshape(-1)
    near = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(prior.log_determinant(), torch.logdet(K), **near)
    alpha = torch.linalg.solve(K, u)
    torch.testing.assert_close(prior.quadratic(U) / (u @ alpha), torch.ones((), dtype=torch.float64), **near)
    scale = float(alpha.abs().max())
    torch.testing.assert_close(prior.solved(U).reshape(-1) / scale, alpha / scale, **near)
    orders = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (2, 1)]
    derivatives, _ = prior.derivatives(U, orders)
    for a, b in orders:
        wanted = torch.kron(first[a], second[b]) @ alpha
        scale = float(wanted.abs().max())
        torch.testing.assert_close(derivatives[a, b].reshape(-1) / scale, wanted / scale, **near)


def test_white_values_colour_to_the_covariance(grid):
    prior, _, (first, second) = grid
    L = torch.stack([prior.coloured(e.reshape(6, 7)).reshape(-1) for e in torch.eye(42, dtype=torch.float64)], 1)
    torch.testing.assert_close(L @ L.T, torch.kron(first[0], second[0]), rtol=1e-12, atol=1e-12)
    for axis, dense in zip(prior.axes, (first, second), strict=True):
        for order in (0, 1, 2):
            wanted = dense[order] @ torch.linalg.inv(dense[0]) @ axis.factor
            torch.testing.assert_close(
                axis.whitened(order), wanted if order else axis.factor, rtol=1e-6, atol=1e-8 * float(wanted.abs().max())
            )


def test_the_jitter_is_raised_until_the_matrix_can_be_factorised_and_the_axis_is_named():
    ones = torch.ones(30, 30, dtype=torch.float64)
    L = cholesky(ones, 1e-18, "x")
    assert torch.isfinite(L).all()
    assert float((L @ L.T - ones).abs().max()) < 1e-3
    with pytest.raises(UserError, match="along t"):
        cholesky(-ones, 1e-6, "t")
    with pytest.raises(UserError, match="along t"):
        cholesky(ones * torch.nan, 1e-6, "t")


def test_conjugate_gradients_solve_a_system_on_a_grid():
    draw = torch.Generator().manual_seed(1)
    A = torch.randn(12, 12, dtype=torch.float64, generator=draw)
    H = A @ A.T + torch.eye(12, dtype=torch.float64)
    b = torch.randn(3, 4, dtype=torch.float64, generator=draw)
    x, products = conjugate_gradients(
        lambda v: (H @ v.reshape(-1)).reshape(3, 4), b, torch.zeros_like(b), lambda r: r, 1e-12, 100
    )
    torch.testing.assert_close(x.reshape(-1), torch.linalg.solve(H, b.reshape(-1)), rtol=1e-8, atol=1e-10)
    assert products < 60
