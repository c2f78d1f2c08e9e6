"""A resumable state as plain arrays and one JSON text, so that it can be stored without pickle."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Checkpoint:
    """``arrays`` by running number, and ``tree``: JSON that says where each one belongs."""

    step: int
    arrays: Mapping[str, np.ndarray]
    tree: str

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())


def pack(step: int, state: Any) -> Checkpoint:
    """Copy a nest of dicts, lists, tuples, tensors, arrays and scalars into a :class:`Checkpoint`.

    Dictionary keys may be strings or integers. Raises TypeError for anything else.
    """
    import torch

    arrays: dict[str, np.ndarray] = {}

    def walk(value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return {"v": value}
        if isinstance(value, bytes):
            return {"b": base64.b64encode(value).decode()}
        if isinstance(value, torch.Tensor):
            dtype = str(value.dtype).removeprefix("torch.")
            plain = value.detach().float() if value.dtype in (torch.bfloat16, torch.float16) else value.detach()
            arrays[str(len(arrays))] = plain.cpu().numpy().copy()
            return {"t": str(len(arrays) - 1), "dtype": dtype}
        if isinstance(value, (np.ndarray, np.generic)):
            arrays[str(len(arrays))] = np.array(value, copy=True)
            return {"a": str(len(arrays) - 1)}
        if isinstance(value, Mapping):
            return {"d": [[k, walk(v)] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return {"l" if isinstance(value, list) else "u": [walk(v) for v in value]}
        raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")

    return Checkpoint(step, arrays, json.dumps(walk(state)))


def unpack(checkpoint: Checkpoint, device: str | torch.device = "cpu") -> Any:
    """The nest that :func:`pack` was given, with tensors on ``device``."""
    import torch

    def walk(node: dict[str, Any]) -> Any:
        if "v" in node:
            return node["v"]
        if "b" in node:
            return base64.b64decode(node["b"])
        if "t" in node:
            tensor = torch.from_numpy(np.array(checkpoint.arrays[node["t"]], copy=True))
            dtype = getattr(torch, node["dtype"])
            if not isinstance(dtype, torch.dtype):
                raise ValueError(f"{node['dtype']} is not a dtype")
            return tensor.to(device=device, dtype=dtype)
        if "a" in node:
            return np.array(checkpoint.arrays[node["a"]], copy=True)
        if "d" in node:
            return {k: walk(v) for k, v in node["d"]}
        items = [walk(v) for v in node.get("l", node.get("u", []))]
        return items if "l" in node else tuple(items)

    return walk(json.loads(checkpoint.tree))
