import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from engines.blocks.transport.scores import MMD_SCALES, mean_shift, mmd


def test_the_discrepancy_is_the_mean_over_all_pairs_and_scales():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(20, 5)), draw.normal(size=(30, 5)) + 0.5
    expected = np.mean([rbf_kernel(x, x, g).mean() + rbf_kernel(y, y, g).mean() - 2 * rbf_kernel(x, y, g).mean()
                        for g in MMD_SCALES])  # fmt: skip
    assert mmd(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(expected, rel=1e-12)
    assert mmd(torch.from_numpy(x), torch.from_numpy(x)) == pytest.approx(0, abs=1e-15)


def test_mean_shift():
    x = torch.zeros(4, 2, dtype=torch.float64)
    assert mean_shift(x, x + torch.tensor([3.0, 4.0], dtype=torch.float64)) == pytest.approx(5)
