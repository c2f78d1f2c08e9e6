"""Principal components against scikit-learn's, on each of the three ways to them."""

import numpy as np
import pytest
import scipy.sparse

from engines.blocks import principal_components as block


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (30, 40), (60, 50)])
def test_it_gives_what_scikit_learn_gives(shape, sparse, monkeypatch):
    from sklearn.decomposition import PCA

    if shape == (30, 40):
        monkeypatch.setattr(block, "DIRECT", 5)  # neither pairs of points nor of coordinates
    if shape == (60, 50):
        monkeypatch.setattr(block, "SPARSE", 5)  # few components of sparse points
    points = np.random.default_rng(2).poisson(0.8, shape) * np.arange(1.0, shape[1] + 1)
    wanted = PCA(3, svd_solver="full").fit(points)
    scores, shares = block.principal_components(scipy.sparse.csr_matrix(points) if sparse else points, 3)
    reference = wanted.transform(points)
    reference *= np.sign(reference[np.abs(reference).argmax(0), np.arange(3)])
    np.testing.assert_allclose(scores, reference, atol=1e-9 * np.abs(reference).max())
    np.testing.assert_allclose(shares, wanted.explained_variance_ratio_, rtol=1e-9)


def test_points_that_are_all_the_same_have_no_variance():
    scores, shares = block.principal_components(np.ones((5, 3)), 2)
    assert np.abs(scores).max() == 0
    assert shares.tolist() == [0, 0]
