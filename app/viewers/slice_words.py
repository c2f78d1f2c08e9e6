"""What a slice view says: where the cut is, the value under the cursor, what colours and lines mean."""

from __future__ import annotations

import numpy as np

from app.viewers import colour_maps, sections, slice_legend
from app.viewers.overlay import number
from app.viewers.plot_axis import short
from app.viewers.slice_parts import INPUT, LEVEL
from engines.data import GridField, Volume


def length_unit(grid: Volume | GridField | None) -> str:
    return "" if grid is None else grid.length_unit if isinstance(grid, GridField) else grid.unit


def value(grid: Volume | GridField, found: float, *, probability: bool, brief: bool = False) -> str:
    """A value of a grid in words; ``probability``: of a logit, also what it means."""
    if isinstance(grid, Volume) and grid.is_label:
        return f"label {round(found)}" if found else "no label"
    if probability:
        outside = float(sections.sigmoid(np.array(found)))
        side, sure = ("outside", outside) if outside > 0.5 else ("inside", 1 - outside)
        what = f"{side} with probability {number(sure, 3)}"
        return what if brief else f"logit {number(found, 3)}, {what}"
    name, unit = (grid.quantity, grid.unit) if isinstance(grid, GridField) else ("value", "")
    return f"{name} {number(found)} {unit}".rstrip()


def position(grid: Volume | GridField, axis: int, place: int, count: int, unit: str) -> str:
    """Of the cut across an axis of the grid."""
    at = sections.axes_of(grid)[axis].position(place)
    return f"{'XYZ'[axis]} = {number(at)} {unit}".rstrip() + f"   {place + 1} of {count}"


def colours(
    grid: Volume | GridField, section: sections.Section, name: str, low: float, high: float, *, probability: bool
) -> list[slice_legend.Entry]:
    """Legend of the picture; ``probability``: from 0 to 1, of being outside."""
    if isinstance(grid, Volume) and grid.is_label:
        labels = np.unique(section.values[np.isfinite(section.values)])
        chosen = [int(label) for label in labels if label != 0][:8]
        return [slice_legend.Patch(f"Label {label}", colour_maps.label_colour(label)) for label in chosen]
    ends = [short(low), short(high)]
    unit = grid.unit if isinstance(grid, GridField) else ""
    if probability:
        ends = ["inside", "outside"]
    elif sections.is_signed_out(grid) and low < 0 < high:
        ends = [f"inside {ends[0]}", f"{ends[1]} {unit}".rstrip() + " outside"]
    else:
        ends[1] = f"{ends[1]} {unit}".rstrip()
    return [slice_legend.Scale(name, *ends)]


def has_level(grid: GridField) -> bool:
    """Whether it says at which value its surface is, or that is zero by its signs."""
    some = grid.values.ravel()[:: max(1, grid.values.size // 200_000)]
    return grid.level is not None or bool(some.min() < 0 < some.max())


def level_line(grid: GridField) -> slice_legend.Line:
    level = 0.0 if grid.level is None else grid.level
    named = sections.is_signed_out(grid) and level == 0
    return slice_legend.Line("Surface" if named else f"Level {number(level, 3)} {grid.unit}".rstrip(), LEVEL, 1.4)


def input_line(away: float, unit: str) -> slice_legend.Line:
    """``away``: how far the nearest input plane is from the section, 0 for on it."""
    if not away:
        return slice_legend.Line("Input contours", INPUT, 2.8, dots=True)
    return slice_legend.Line(f"Nearest input, {number(away, 2)} {unit}".rstrip() + " away", INPUT, 1.8, dashed=True)
