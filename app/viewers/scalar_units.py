"""The unit of a scalar by its name, for colour bars: a mesh knows its unit of length, but not those of its scalars."""

from __future__ import annotations

import re
from typing import Any

_IN_NAME = re.compile(r"^(?P<title>.+?)\s*[\[(](?P<unit>[^\[\]()]{1,16})[\])]$")
_POWERS = {
    1: ("distance", "deviation", "height", "depth", "thickness", "radius", "length", "displacement", "elevation"),
    2: ("area",),
    3: ("volume",),
    -1: ("curvature",),
    -2: ("gaussian curvature", "gauss curvature"),
}
_SIGNS = {1: "", 2: "²", 3: "³", -1: "⁻¹", -2: "⁻²"}


def length_unit(artifact: Any) -> str:
    """The unit of an artifact's positions, "" if it has none."""
    return getattr(artifact, "length_unit", None) or ("" if hasattr(artifact, "length_unit") else artifact.unit)


def titled(name: str, artifact: Any) -> tuple[str, str]:
    """What to write for a scalar, and its unit.

    A unit in brackets at the end of the name counts; else lengths, areas, volumes and curvatures follow the unit of
    the positions.
    """
    found = _IN_NAME.match(name)
    if found:
        return found["title"], found["unit"]
    base, plain = length_unit(artifact), name.lower().replace("_", " ").strip()
    if base:
        for power in (-2, -1, 3, 2, 1):
            if any(plain == word or plain.endswith(f" {word}") for word in _POWERS[power]):
                return name, base + _SIGNS[power]
        if plain in ("x", "y", "z"):
            return name, base
    return name, ""
