"""Which devices there are, how many threads torch may use, and what versions a result came from."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from engines.core.errors import UserError


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


def limit_threads(threads: int | None = None) -> int:
    """Let torch use ``threads`` (default: all cores but one, which the window keeps). Returns the number."""
    import torch

    count = threads or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(count)
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
