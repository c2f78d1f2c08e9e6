"""Compiling kernels at run time, as far as it can be tested without a GPU and without NVRTC."""

from __future__ import annotations

import ctypes

import pytest
import torch

from engines.blocks import cuda_kernels
from engines.blocks.cuda_kernels import Kernels, Long, Unavailable
from engines.blocks.splatting import cuda, without_fast_renderer


class Compiler:
    """Stands for NVRTC: knows two architectures, and its machine code is a text."""

    def __init__(self) -> None:
        self.compiled: list[bytes] = []
        self.fails = False

    def nvrtcVersion(self, major, minor):
        major._obj.value, minor._obj.value = 13, 0

    def nvrtcGetNumSupportedArchs(self, count):
        count._obj.value = 2

    def nvrtcGetSupportedArchs(self, found):
        found[:] = [80, 90]

    def nvrtcCreateProgram(self, program, source, *rest):
        self.source = source

    def nvrtcCompileProgram(self, program, count, options):
        self.compiled.append(options[count - 1])
        return 6 if self.fails else 0

    def nvrtcGetProgramLogSize(self, program, size):
        size._obj.value = 20

    def nvrtcGetProgramLog(self, program, log):
        log.value = b"line 7: oh dear"

    def nvrtcGetCUBINSize(self, program, size):
        size._obj.value = 4

    def nvrtcGetCUBIN(self, program, code):
        code.raw = b"code"

    def nvrtcGetPTXSize(self, program, size):
        size._obj.value = 4

    def nvrtcGetPTX(self, program, code):
        code.raw = b"code"

    def nvrtcDestroyProgram(self, program):
        pass


@pytest.fixture
def compiler(monkeypatch):
    found = Compiler()
    monkeypatch.setattr(cuda_kernels, "_compiler", lambda: found)
    return found


def test_machine_code_is_compiled_once_and_kept(compiler):
    assert cuda_kernels.machine_code("source", 90) == b"code"
    assert cuda_kernels.machine_code("source", 90) == b"code"
    assert compiler.compiled == [b"--gpu-architecture=sm_90"]
    cuda_kernels.machine_code("another source", 90)
    cuda_kernels.machine_code("source", 80)
    assert len(compiler.compiled) == 3


def test_a_gpu_newer_than_the_compiler_gets_code_that_the_driver_translates(compiler):
    cuda_kernels.machine_code("source", 120)
    assert compiler.compiled == [b"--gpu-architecture=compute_90"]


def test_a_gpu_too_old_for_the_compiler_is_told(compiler):
    with pytest.raises(Unavailable, match=r"5\.0"):
        cuda_kernels.machine_code("source", 50)


def test_what_the_compiler_says_is_told(compiler):
    compiler.fails = True
    with pytest.raises(Unavailable, match="line 7: oh dear"):
        cuda_kernels.machine_code("source", 90)


def test_without_a_place_to_keep_it_it_is_compiled_all_the_same(compiler, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIELDWRIGHT_STATE", str(tmp_path / "file"))
    assert cuda_kernels.machine_code("source", 90) == b"code"


def test_a_kept_file_that_is_cut_short_is_made_again(compiler):
    cuda_kernels.machine_code("source", 90)
    next(iter(cuda_kernels._folder().iterdir())).write_bytes(b"")
    assert cuda_kernels.machine_code("source", 90) == b"code"


def test_where_there_is_no_compiler_the_user_is_told(monkeypatch):
    def nothing():
        raise Unavailable("NVRTC, the compiler that comes with torch for CUDA, is not found.")

    monkeypatch.setattr(cuda_kernels, "_compiler", nothing)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(cuda, "KERNELS", Kernels(cuda.SOURCE))
    told = without_fast_renderer(torch.device("cuda:0"))
    assert "NVRTC" in told
    assert "plain stand-in" in told
    assert without_fast_renderer(torch.device("meta")).startswith("The renderer")


def test_arguments_go_as_the_kernels_declare_them():
    tensor = torch.zeros(3)
    assert cuda_kernels.as_c(tensor).value == tensor.data_ptr()
    assert isinstance(cuda_kernels.as_c(7), ctypes.c_int)
    assert cuda_kernels.as_c(Long(1 << 40)).value == 1 << 40
    with pytest.raises(AssertionError):
        cuda_kernels.as_c(torch.zeros(3, 3).T)
