"""Which devices there are, how many threads torch may use, and what versions a result came from."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from engines.core.errors import UserError

SMALLER = "Choose fewer points, a smaller grid or batch, or close other programs."


@dataclass(frozen=True)
class Device:
    key: str
    title: str
    memory: int | None = None


def devices() -> tuple[Device, ...]:
    """The CPU and each CUDA device."""
    import torch

    found = [Device("cpu", f"CPU ({os.cpu_count()} cores)")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            found.append(Device(f"cuda:{index}", facts.name, facts.total_memory))
    return tuple(found)


def resolve(device: str) -> str:
    """``auto`` becomes the first CUDA device, or the CPU. Raises :class:`UserError` for one that is not here."""
    if device == "cpu":
        return device  # without importing torch
    keys = [d.key for d in devices()]
    if device == "auto":
        return keys[1] if len(keys) > 1 else "cpu"
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in keys:
        raise UserError(f"There is no device '{device}'.", mend=f"Use auto or one of: {', '.join(keys)}.")
    return wanted


def free_memory(device: str = "cpu") -> int:
    """Bytes that a run on ``device`` may take; what torch holds of a CUDA device and does not use is among them."""
    if not device.startswith("cuda"):
        import psutil

        return int(psutil.virtual_memory().available)
    import torch

    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + held


def memory_ran_out(error: BaseException, mend: str = "") -> UserError | None:
    """In the user's words, with numbers, if ``error`` says that memory ran out; else None.

    ``mend`` says which settings to lower.
    """
    mend = mend or SMALLER
    name, text = type(error).__name__, str(error)
    if name == "OutOfMemoryError":  # torch's, on a device
        import torch

        asked = re.search(r"[Tt]ried to allocate ([\d.]+ \w+)", text)
        parts = [f"{asked[1]} more were asked for" if asked else text.splitlines()[0].rstrip(".") if text else ""]
        if torch.cuda.is_available():
            free, total = torch.cuda.mem_get_info()
            most = torch.cuda.max_memory_allocated()
            parts.append(f"at most {most / 1e9:.1f} of {total / 1e9:.1f} GB were in use, {free / 1e9:.1f} are free now")
        why = "; ".join(part for part in parts if part)
        return UserError("The memory of the GPU ran out.", f"{why[:1].upper()}{why[1:]}." if why else "", mend)
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return UserError("The memory ran out.", text.splitlines()[0] if text else "", mend)
    return None


def give_back_memory(device: str) -> None:
    """What torch holds of a CUDA device and does not use becomes free for other programs."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def limit_threads(threads: int | None = None) -> int:
    """Let torch and numpy's BLAS use ``threads`` (default: all cores but one, which the window keeps).

    Returns the number.
    """
    import torch

    count = threads or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(count)
    if importlib.util.find_spec("threadpoolctl"):  # comes with scikit-learn, which a bare machine may lack
        from threadpoolctl import threadpool_limits

        threadpool_limits(count, user_api="blas")
    return count


def versions() -> dict[str, str]:
    """What a result depends on, for its provenance."""
    try:
        own = version("fieldwright")
    except PackageNotFoundError:
        own = "development"
    return {
        "fieldwright": own,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": np.__version__,
        "platform": platform.platform(terse=True),
    }
