"""Turned coefficients give the colours that were seen along the directions turned back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.splatting.harmonics_rotation import harmonics_rotation, rotated_harmonics
from engines.blocks.splatting.twin import harmonics


def colours(sh: np.ndarray, directions: np.ndarray, degree: int) -> np.ndarray:
    basis = harmonics(torch.from_numpy(np.ascontiguousarray(directions)), degree).numpy()
    return np.einsum("dk,nkc->ndc", basis, sh)


def samples() -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(3)
    d = rng.normal(size=(200, 3))
    return rng, d / np.linalg.norm(d, axis=1, keepdims=True)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [1, -1])
def test_against_evaluating_in_turned_directions(degree, mirror):
    rng, d = samples()
    sh = rng.normal(size=(5, (degree + 1) ** 2, 3))
    for seed in range(3):
        R = Rotation.random(random_state=seed).as_matrix() * mirror
        D = harmonics_rotation(R, degree)
        after = colours(np.einsum("kj,njc->nkc", D, sh), d @ R.T, degree)  # along R d
        np.testing.assert_allclose(after, colours(sh, d, degree), atol=1e-12)
        np.testing.assert_allclose(D @ D.T, np.eye(len(D)), atol=1e-12)  # energies of each degree stay
        np.testing.assert_allclose(rotated_harmonics(sh, R), np.einsum("kj,njc->nkc", D, sh), atol=1e-6)


def test_turns_follow_each_other():
    A, B = (Rotation.random(random_state=s).as_matrix() for s in (1, 2))
    np.testing.assert_allclose(
        harmonics_rotation(A @ B, 3), harmonics_rotation(A, 3) @ harmonics_rotation(B, 3), atol=1e-12
    )


def test_a_change_of_signs_only_changes_signs():
    D = harmonics_rotation(np.diag([1.0, -1.0, -1.0]), 3)
    signs = np.diag(D)
    assert np.array_equal(D, np.diag(signs))
    # the products of axes in each harmonic: 1; y z x; xy yz 1 xz 1; y xyz y z x z x
    assert signs.tolist() == [1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1]
    sh = np.random.default_rng(0).normal(size=(9, 16, 3)).astype(np.float32)
    assert np.array_equal(rotated_harmonics(rotated_harmonics(sh, np.diag([1.0, -1, -1])), np.diag([1.0, -1, -1])), sh)
