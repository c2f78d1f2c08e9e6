"""SSIM against its definition window by window, and against autograd; PSNR against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.image_metrics import blur, psnr, ssim


def pair(seed: int = 0, size=(3, 23, 31), dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    image = rng.uniform(size=size)
    return torch.tensor(image, dtype=dtype), torch.tensor(
        np.clip(image + 0.1 * rng.normal(size=size), 0, 1), dtype=dtype
    )


def by_window(x: np.ndarray, y: np.ndarray) -> float:
    """The mean over all pixels of SSIM in an 11 x 11 Gaussian window, zeros outside of the image."""
    at = np.arange(11) - 5
    weights = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for a, b in zip(np.pad(x, ((0, 0), (5, 5), (5, 5))), np.pad(y, ((0, 0), (5, 5), (5, 5))), strict=True):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                p, q = a[row : row + 11, column : column + 11], b[row : row + 11, column : column + 11]
                mp, mq = (weights * p).sum(), (weights * q).sum()
                vp, vq = (weights * p * p).sum() - mp**2, (weights * q * q).sum() - mq**2
                cov = (weights * p * q).sum() - mp * mq
                top = (2 * mp * mq + 0.01**2) * (2 * cov + 0.03**2)
                found.append(top / ((mp**2 + mq**2 + 0.01**2) * (vp + vq + 0.03**2)))
    return float(np.mean(found))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ssim_is_its_definition(dtype):
    one, other = pair(dtype=dtype)
    assert float(ssim(one, other)) == pytest.approx(by_window(one.numpy(), other.numpy()), abs=1e-5)
    assert float(ssim(one, one)) == pytest.approx(1, abs=1e-6)


def test_the_fast_blur_is_the_plain_one_and_its_own_adjoint():
    planes = torch.rand(4, 19, 37, generator=torch.Generator().manual_seed(1))
    plain = blur(planes.double())
    torch.testing.assert_close(blur(planes).double(), plain, atol=1e-6, rtol=1e-5)
    given = torch.rand(4, 19, 37, generator=torch.Generator().manual_seed(2))
    left, right = (blur(planes) * given).sum(), (planes * blur(given)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-5)


def test_the_derivative_of_ssim():
    one, other = pair(3)
    slow = one.clone().requires_grad_()
    ssim(slow, other).backward()
    fast = one.float().requires_grad_()
    ssim(fast, other.float()).backward()
    assert slow.grad is not None
    assert fast.grad is not None
    assert (fast.grad.double() - slow.grad).norm() / slow.grad.norm() < 1e-3


def test_psnr():
    one = torch.zeros(3, 4, 4)
    assert psnr(one, one + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr(one, one) == math.inf
