"""Libraries compiled beside their modules: all are built and packed, and a broken one is as good as none."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest
import torch

from engines.blocks import compiled_library
from engines.blocks.activations import frozen_network, softplus
from engines.blocks.meshes import compiled as meshes
from engines.blocks.splatting import compiled as splatting
from engines.blocks.transport import largest as transport

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(source.parent.name for source in ROOT.glob("engines/blocks/*/kernels.cpp"))


def test_each_source_is_compiled_and_packed():
    assert {"activations", "meshes", "splatting", "transport"} <= set(PACKAGES)
    setup, spec = ((ROOT / name).read_text() for name in ("setup.py", "packaging/fieldwright.spec"))
    project, script = ((ROOT / name).read_text() for name in ("pyproject.toml", "packaging/setup.sh"))
    for package in PACKAGES:
        assert f'("{package}", ' in setup
        assert f'"{package}"' in spec
        assert f'"engines.blocks.{package}" = ["*.cpp"' in project
    for source in ROOT.glob("engines/**/*.cu"):
        assert source.relative_to(ROOT).as_posix() in spec
        assert f'"engines.blocks.{source.parent.name}" = [' in project
    assert "engines/blocks/*/*.cpp" in script


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler here")
@pytest.mark.parametrize("module", [meshes, softplus, frozen_network, splatting, transport])
def test_where_there_is_a_compiler_there_is_the_library(module):
    assert module.library() is not None, "run packaging/setup.sh"


def test_a_library_that_does_not_load_is_none(tmp_path):
    assert compiled_library.load(tmp_path / "empty", "anything") is None
    (tmp_path / "kernels.so").write_bytes(b"not a library")
    assert compiled_library.load(tmp_path, "anything") is None
    assert compiled_library.load(Path(meshes.__file__).parent, "no_such_entry") is None


def test_how_arguments_go():
    seen = []

    class Library:
        def entry(self, *arguments):
            seen.extend(arguments)
            return 3

    tensor, whole = torch.zeros(2), ctypes.c_int64(1 << 40)
    assert compiled_library.call(Library(), "entry", 1 << 40, tensor, 2, 0.5, None, whole) == 3
    assert [type(a) for a in seen] == [
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64,
    ]  # fmt: skip
    assert seen[1].value == tensor.data_ptr()
    assert seen[4].value is None
    assert seen[5] is whole
    with pytest.raises(AssertionError):
        compiled_library.call(Library(), "entry", 1, torch.zeros(2, 3).T)
