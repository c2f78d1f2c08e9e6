"""What benches share."""

from __future__ import annotations

import pytest


@pytest.fixture
def one_thread(_calm):
    """Torch and the libraries of linear algebra on one core: core seconds compare like with like."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
