"""Devices by name, threads, versions, and what the contract does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from engines.core import UserError, devices, limit_threads, memory_ran_out, resolve, versions


def test_cpu_is_always_there():
    keys = [d.key for d in devices()]
    assert keys[0] == "cpu"
    assert resolve("cpu") == "cpu"
    assert resolve("auto") in keys


@pytest.mark.parametrize("name", ["cuda:99", "tpu", ""])
def test_a_device_that_is_not_here_is_refused_in_words(name):
    with pytest.raises(UserError, match="There is no device"):
        resolve(name)


def test_threads_can_be_limited():
    import torch
    from threadpoolctl import threadpool_info

    assert limit_threads(1) == 1
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
    assert limit_threads() >= 1


def test_versions_name_what_a_result_depends_on():
    assert {"fieldwright", "python", "torch", "numpy"} <= set(versions())


@pytest.mark.parametrize("module", ["engines.core", "engines.data", "app.project", "app.jobs", "app.cli"])
def test_nothing_heavy_is_imported_with(module):
    code = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'open3d', 'trimesh', 'pyvista', 'vtk', 'ray', 'PySide6', 'scipy', 'skimage'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_memory_of_a_gpu_that_ran_out_is_told_with_numbers_and_settings():
    from engines.core import catalog

    text = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.11 GiB of which"
    method = catalog().get("gaussian-splatting")
    mend = method.lighter_settings(method.params.parse({"limit": "2000000"}))
    error = memory_ran_out(torch.OutOfMemoryError(text), mend)
    assert error is not None
    assert error.what == "The memory of the GPU ran out."
    assert "2.50 GiB more were asked for" in error.why
    assert error.mend == "Lower Most Gaussians (now 2,000,000), Image scale (now 1.0) or Colour degree (now 3)."


def test_memory_that_ran_out_is_told_from_other_errors():
    assert memory_ran_out(ValueError("no")) is None
    error = memory_ran_out(MemoryError("Unable to allocate 8 GiB"))
    assert error is not None
    assert (error.what, error.why) == ("The memory ran out.", "Unable to allocate 8 GiB")
    assert "smaller" in error.mend
