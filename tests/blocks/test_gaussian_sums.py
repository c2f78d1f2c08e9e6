"""The GPU's kernels for sums of Gaussians, run on a CPU, against the matrix products that stand for them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from engines.blocks.cuda_kernels import Kernels
from engines.blocks.pde import gaussian_sums
from tests.blocks.cuda_on_cpu import OnCpu

HERE = Path(__file__).parent
POWERS, COLUMNS = 6, 11
NAMES = ("sums", "slopes")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> OnCpu:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to compile the kernels with")
    folder = tmp_path_factory.mktemp("kernels")
    runs = (
        f'extern "C" void run_{n}(void** a, const int* g, int t) {{ fibers::launch({n}, a, g, t); }}' for n in NAMES
    )
    source = folder / "on_cpu.cpp"
    text = Kernels(gaussian_sums.SOURCE, Q=POWERS, K=COLUMNS).text
    # The sizes would meet template parameters of the same names in the header: it comes first.
    source.write_text("\n".join([f'#include "{HERE / "cuda_on_cpu.h"}"', text, *runs]))
    library = folder / "on_cpu.so"
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-o", library, source]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
    return OnCpu(ctypes.CDLL(str(library)))


@pytest.mark.parametrize(("points", "count"), [(1, 1), (300, 70), (257, 300)])
def test_they_find_what_the_products_find(kernels, points, count, monkeypatch):
    monkeypatch.setattr(gaussian_sums, "BLOCKS", 16)
    make = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.rand(*shape, dtype=torch.float64, generator=make)  # noqa: E731
    monomials, coefficients = draw(points, POWERS), -draw(3, POWERS, count)
    columns, upper = draw(3, count, COLUMNS) - 0.5, draw(3, points, COLUMNS) - 0.5
    expected = [coefficients.clone().requires_grad_(), columns.clone().requires_grad_()]
    whole = gaussian_sums.sums(monomials, *expected)
    whole.backward(upper)
    found = gaussian_sums.forward_by_kernels(kernels, monomials, coefficients, columns)
    torch.testing.assert_close(found, whole.detach(), rtol=1e-12, atol=1e-12)
    slopes = gaussian_sums.backward_by_kernels(kernels, monomials, coefficients, columns, upper)
    for one, other in zip(slopes, expected, strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-11, atol=1e-11)


def test_on_a_cpu_and_for_other_numbers_there_are_no_kernels():
    assert gaussian_sums.kernels_for(torch.zeros(3, 6, dtype=torch.float64), 6, 11) is None
