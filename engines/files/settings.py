"""What artifacts have besides arrays, as JSON and back: every value is checked against its declared type."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from engines.core import Artifact

TYPE = "type"


def settings_of(item: Artifact) -> dict[str, Any]:
    """A JSON-able dictionary: ``type``, the fields that are no arrays, and nested artifacts as such dictionaries.

    The arrays that belong to it are those of :meth:`Artifact.parts`.
    """
    found: dict[str, Any] = {TYPE: type(item).__name__}
    for f in dataclasses.fields(item):
        value = getattr(item, f.name)
        if f.name == "name" or f.name in item.array_specs() or value is None:
            continue
        found[f.name] = settings_of(value) if isinstance(value, Artifact) else value
    return found


def restored(
    kind: type[Artifact], settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], name: str = ""
) -> Artifact:
    """The artifact that :func:`settings_of` and its parts describe.

    Fields that are missing get their defaults. Raises ValueError for what does not fit the declaration, and
    :class:`UserError` where the artifact refuses what it is given.
    """
    fields: dict[str, Any] = {"name": name}
    hints = get_type_hints(kind)
    specs = kind.array_specs()
    for f in dataclasses.fields(kind):
        if f.name in specs:
            if (found := _arrays(f.name, specs[f.name].mapping, arrays)) is not None:
                fields[f.name] = found
        elif f.name != "name" and f.name in settings:
            fields[f.name] = _value(hints[f.name], settings[f.name], f.name, arrays)
    for f in dataclasses.fields(kind):
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in fields:
            raise ValueError(f"'{f.name}' is missing")
    return kind(**fields)


def _arrays(name: str, mapping: bool, arrays: Mapping[str, np.ndarray]) -> Any:
    if not mapping:
        return arrays.get(name)
    return {k.removeprefix(f"{name}/"): v for k, v in arrays.items() if k.startswith(f"{name}/")}


def _value(hint: Any, value: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """``value`` as the type ``hint`` says; ValueError when it is of another."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        rest = [h for h in inner if h is not type(None)]
        return None if value is None else _value(rest[0], value, name, arrays)
    if isinstance(hint, type) and issubclass(hint, Artifact) and isinstance(value, dict):
        below = {k.removeprefix(f"{name}/"): v for k, v in arrays.items() if k.startswith(f"{name}/")}
        return restored(hint, value, below, str(value.get("name", "")))
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_value(inner[0], v, name, arrays) for v in value)
    if origin is dict and isinstance(value, dict):
        return {str(k): _value(inner[1], v, name, arrays) for k, v in value.items()}
    if _fits(hint, value):
        return float(value) if hint is float else value
    raise ValueError(f"'{name}' cannot be {str(value)[:60]}")


def _fits(hint: Any, value: Any) -> bool:
    if hint in (bool, str):
        return isinstance(value, hint)
    if isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, (int, float)) and abs(value) < 1e300 and math.isfinite(value)
    return hint is int and isinstance(value, int) and abs(value) < 2**53


__all__ = ["TYPE", "restored", "settings_of"]
