"""Sums of anisotropic Gaussians and their derivatives in closed form (Kang et al. 2024, eq. 6).

    phi_c(x) = sum_g w_cg exp(-1/2 (x - m_cg)^T A_cg (x - m_cg)),      A = R diag(sigma^-2) R^T

Each channel c has Gaussians of its own. Every derivative is a polynomial in x times the same exponentials:

    d^a phi = sum_g P_a(x) exp(.),   P_0 = w,   P_(a + e_j) = d_j P_a - (A (x - m))_j P_a

so with the monomials x^q all of them follow from E = exp(x^q . coefficients), one exponential for each point and
Gaussian, and from the sums E V over the coefficients of the polynomials: two thin matrix products forward, four
backward. Points are expected in a box of about [-1, 1]^D. In float64 the expanded square costs about
(largest |x| / sigma)^2 of 1e-16, twice that power for second derivatives; float32 takes :func:`direct`, which
subtracts first.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from engines.blocks.pde import gaussian_sums
from engines.blocks.pde.derivatives import Index, Jets, order, plus
from engines.blocks.quaternions import rotation_matrices

Polynomial = dict[Index, Tensor]
"""Exponents of the coordinates to coefficients (C, G)."""


def precision(sigmas: Tensor, turns: Tensor | None = None) -> Tensor:
    """Diagonals (C, G, D) of A, or with ``turns`` A (C, G, D, D) itself.

    ``turns`` are vectors (C, G, 2) of any length in two dimensions, and quaternions (C, G, 4), w x y z, in three.
    """
    if turns is None:
        return sigmas**-2
    half = rotations(turns) / sigmas[..., None, :]
    return half @ half.mT


def rotations(turns: Tensor) -> Tensor:
    """(..., D, D) rotation matrices of vectors (..., 2) or quaternions (..., 4) of any length."""
    if turns.shape[-1] == 4:
        return rotation_matrices(turns)
    c, s = (turns / turns.norm(dim=-1, keepdim=True)).unbind(-1)
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def no_turn(dimensions: int) -> tuple[float, ...]:
    """The turn that is the identity: a vector in two dimensions, a quaternion in three."""
    return {2: (1.0, 0.0), 3: (1.0, 0.0, 0.0, 0.0)}[dimensions]


# ---- polynomials -----------------------------------------------------------------------------------------------------


def _add(polynomial: Polynomial, exponents: Index, coefficient: Tensor) -> None:
    known = polynomial.get(exponents)
    polynomial[exponents] = coefficient if known is None else known + coefficient


def _slopes(means: Tensor, A: Tensor) -> list[Polynomial]:
    """z = A (x - m) for each axis, as polynomials of degree 1."""
    D = means.shape[-1]
    zero = (0,) * D
    if A.dim() == 3:
        return [{plus(zero, j): A[..., j], zero: -A[..., j] * means[..., j]} for j in range(D)]
    shift = (A @ means[..., None])[..., 0]
    return [{**{plus(zero, i): A[..., j, i] for i in range(D)}, zero: -shift[..., j]} for j in range(D)]


def _powers(means: Tensor, slopes: list[Polynomial]) -> Polynomial:
    """-1/2 (x - m)^T z, of degree 2."""
    found: Polynomial = {}
    for j, slope in enumerate(slopes):
        for exponents, coefficient in slope.items():
            _add(found, plus(exponents, j), -0.5 * coefficient)
            _add(found, exponents, 0.5 * coefficient * means[..., j])
    return found


def _raised(polynomial: Polynomial, slope: Polynomial, axis: int) -> Polynomial:
    """d_j P - z_j P."""
    found: Polynomial = {}
    for exponents, coefficient in polynomial.items():
        if exponents[axis]:
            _add(found, plus(exponents, axis, -1), exponents[axis] * coefficient)
        for more, factor in slope.items():
            _add(found, tuple(a + b for a, b in zip(exponents, more, strict=True)), -coefficient * factor)
    return found


def polynomials(
    means: Tensor, weights: Tensor, slopes: list[Polynomial], indices: Iterable[Index]
) -> dict[Index, Polynomial]:
    """P_a for each index."""
    known: dict[Index, Polynomial] = {(0,) * means.shape[-1]: {(0,) * means.shape[-1]: weights}}

    def of(index: Index) -> Polynomial:
        if index not in known:
            axis = max(a for a, times in enumerate(index) if times)
            known[index] = _raised(of(plus(index, axis, -1)), slopes[axis], axis)
        return known[index]

    return {index: of(index) for index in indices}


def _monomials(points: Tensor, exponents: Iterable[Index]) -> Tensor:
    """(P, Q)."""
    columns = []
    for exponent in exponents:
        column = torch.ones_like(points[:, 0])
        for axis, times in enumerate(exponent):
            for _ in range(times):
                column = column * points[:, axis]
        columns.append(column)
    return torch.stack(columns, 1)


def jets(points: Tensor, means: Tensor, A: Tensor, weights: Tensor, indices: Iterable[Index]) -> Jets:
    """Derivatives of the features at ``points`` (P, D): (P, C) for each multi-index, of any order.

    ``means`` (C, G, D), ``A`` from :func:`precision`, ``weights`` (C, G). Differentiable once with respect to all of
    them (a single backward pass), not with respect to the points.
    """
    indices = tuple(indices)
    if points.dtype == torch.float32:
        return direct(points, means, A, weights, indices)
    slopes = _slopes(means, A)
    powers = _powers(means, slopes)
    found = polynomials(means, weights, slopes, indices)
    terms = [(index, exponents) for index in indices for exponents in found[index]]
    coefficients = torch.stack(list(powers.values()), 1)
    columns = torch.stack([found[index][exponents] for index, exponents in terms], 2)
    sums = gaussian_sums.sums(_monomials(points, powers), coefficients, columns)
    factors = _monomials(points, [exponents for _, exponents in terms])
    selected = torch.zeros(len(terms), len(indices), dtype=points.dtype)
    for row, (index, _) in enumerate(terms):
        selected[row, indices.index(index)] = 1.0
    gathered = (sums * factors) @ selected.to(points.device)
    return {index: gathered[:, :, i].T for i, index in enumerate(indices)}


# ---- by subtraction --------------------------------------------------------------------------------------------------


def direct(points: Tensor, means: Tensor, A: Tensor, weights: Tensor, indices: Iterable[Index]) -> Jets:
    """The same as :func:`jets` with x - m taken first: slower, but it keeps the digits of float32.

    Orders up to 2. It can be differentiated again, with respect to the points too.
    """
    apart = points[:, None, None, :] - means
    z = apart * A if A.dim() == 3 else torch.einsum("pcgj,cgij->pcgi", apart, A)
    heights = weights * torch.exp(-0.5 * (apart * z).sum(-1))

    def of(index: Index) -> Tensor:
        axes = [axis for axis, times in enumerate(index) for _ in range(times)]
        if not axes:
            return heights.sum(-1)
        if len(axes) == 1:
            return -(heights * z[..., axes[0]]).sum(-1)
        i, j = axes
        bend = A[..., i, j] if A.dim() == 4 else A[..., i] if i == j else 0.0
        return (heights * (z[..., i] * z[..., j] - bend)).sum(-1)

    if any(order(index) > 2 for index in indices):
        raise NotImplementedError("derivatives above the second are taken in float64")
    return {index: of(index) for index in indices}


__all__ = ["direct", "jets", "no_turn", "precision", "rotations"]
