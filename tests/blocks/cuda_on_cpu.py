"""kernels.cu run on a CPU, slowly but for real: so that it is tested on machines without a GPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from engines.blocks import cuda_kernels
from engines.blocks.splatting import compiled, cuda

HERE = Path(__file__).parent
CHANNELS = ("count", "forward", "backward", "gather")
NAMES = (
    "project", "project_backward", "blur", "ssim", "ssim_backward", "emit_16", "emit_32", "begin_16", "begin_32",
    *(f"{name}_{channels}" for name in CHANNELS for channels in compiled.CHANNELS),
)  # fmt: skip


class OnCpu:
    """Stands for :class:`engines.blocks.cuda_kernels.Kernels`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.launched: list[str] = []

    def launch(self, name: str, grid: int | tuple[int, int, int], *arguments: Tensor | int | ctypes.Structure) -> None:
        values = [cuda_kernels.as_c(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        sizes = (ctypes.c_int * 3)(*((grid, 1, 1) if isinstance(grid, int) else grid))
        getattr(self.library, f"run_{name}")(pointers, sizes, cuda_kernels.THREADS)
        self.launched.append(name)


def build(
    folder: Path, kernels: Path = Path(cuda.__file__).with_name("kernels.cu"), names: Sequence[str] = NAMES
) -> OnCpu:
    """Compile the kernels, those of Gaussians if not said otherwise, for this machine.

    Skips the test where there is no compiler for it.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to compile the kernels with")
    source = folder / "on_cpu.cpp"
    runs = (
        f'extern "C" void run_{n}(void** a, const int* g, int t) {{ fibers::launch({n}, a, g, t); }}' for n in names
    )
    source.write_text("\n".join([f'#include "{HERE / "cuda_on_cpu.h"}"', f'#include "{kernels}"', *runs]))
    library = folder / "on_cpu.so"
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-w", "-o", library, source]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
    return OnCpu(ctypes.CDLL(str(library)))
