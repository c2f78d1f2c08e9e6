"""A transport map taken to points that it need not have been learned from, and drawn as a field of displacements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from engines.blocks.transport.bures import bures
from engines.blocks.transport.maps import evaluate
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Displacements, Measure, SampledField, TransportMap


class ApplyMapParams(Params):
    nodes: int = Param(25, ge=2, le=1000, log=True, source="own choice",
                       help="Of the field of displacements, along its longest side")  # fmt: skip
    margin: float = Param(0.1, ge=0, le=10, source="own choice",
                          help="How far the field reaches beyond the points, by their extent")  # fmt: skip


@dataclass(frozen=True)
class AppliedMap:
    moved: Annotated[Displacements, "the points, and where each goes"]
    images: Annotated[Measure, "the points where they went"]
    field: Annotated[
        SampledField | None,
        "displacements on a grid over the points, in two or three dimensions; NaN where the map has no value",
    ]


AT_ONCE = 20_000


def _inputs(dimensions: int = 2) -> dict[str, Any]:
    draw = np.random.default_rng(3)
    source, target = Measure(points=draw.normal(size=(200, 2))), Measure(points=2 + 3 * draw.normal(size=(200, 2)))
    matrix, offset = bures(np.zeros(2), np.eye(2), np.full(2, 2.0), np.array([[9.0, 3], [3, 4]]))
    known = TransportMap(form="affine", weights={"matrix": matrix, "offset": offset}, source=source, target=target)
    return {"map": known, "points": Measure(points=draw.normal(size=(60, dimensions)), name="New points")}


@method(
    key="apply-map", title="Apply a map", family="transport", role="preparation",
    job="Move new points by a transport map, and show it as a field of displacements.",
    sample=Example(_inputs, {}, "An affine map"),
    degenerate=(Example(lambda: _inputs(3), {}, "Points of another dimension"),),
    tags=("transport map", "displacement", "push forward"),
)  # fmt: skip
def apply_map(
    map: Annotated[TransportMap, "learned or known"],
    points: Annotated[Measure, "points in the space that the map was learned in"],
    params: ApplyMapParams,
    run: Run,
) -> AppliedMap:
    """Weights, colours and the order of the points stay. Says how many lie outside of what the map was learned from.

    Raises UserError where the points have other coordinates than the map.
    """
    evaluate(map, points.points[:1], run.device)  # refuses what does not fit before anything is done
    low, high = map.source.bounds
    outside = int(((points.points < low) | (points.points > high)).any(1).sum())
    if outside:
        run.warn(f"{outside:,} of {len(points.points):,} points lie outside of the box of the map's own source: "
                 "there it is a guess.")  # fmt: skip
    flat = _grid(points, params) if points.points.shape[1] in (2, 3) else None
    every = points.points if flat is None else np.concatenate([points.points, _nodes(flat)])
    parts = [every[i : i + AT_ONCE] for i in range(0, len(every), AT_ONCE)]
    found = np.concatenate(
        [evaluate(map, parts[k], run.device) for k in run.steps(len(parts), "Moving the points")]
    )  # fmt: skip
    ends, on_grid = found[: len(points.points)], found[len(points.points) :]
    if not np.isfinite(ends).all():
        raise UserError("The map takes some points to infinity.", "They may be far from those it was learned from.",
                        "Choose points closer to the source of the map.")  # fmt: skip
    field = None
    if flat is not None:
        names = points.coordinates
        components = tuple(f"displacement {name}" for name in names)
        # A map for the sphere has no value at its centre, which may well be a node.
        along = np.where(np.isfinite(on_grid), on_grid - _nodes(flat), np.nan)
        along = along.T.reshape(len(names), *(len(axis) for axis in flat))
        field = SampledField.of(
            along, *flat, name="Displacements on a grid", components=components,
            vectors=(("displacement", *components),), coordinates=(*names, "z")[:3], unit=points.unit,
            length_unit=points.unit,
        )  # fmt: skip
    images = points.replace(points=ends, grid=(), name=f"{points.name} moved".strip())
    moved = Displacements(
        name="Displacements", starts=points.points, ends=ends, weights=points.weights, target=map.target,
        dimensions=points.dimensions, unit=points.unit,
    )  # fmt: skip
    return AppliedMap(moved, images, field)


def _grid(points: Measure, params: ApplyMapParams) -> list[np.ndarray]:
    """Nodes along each axis of a box around the points; spacings as equal as can be."""
    low, high = points.bounds
    extent = np.maximum(high - low, 1e-6 * max(1.0, float(np.abs(points.bounds).max())))
    longest = extent.max()
    extent = np.maximum(extent, longest / (params.nodes - 1))
    middle, reach = (low + high) / 2, extent / 2 + params.margin * longest
    counts = np.maximum(2, np.round(1 + (params.nodes - 1) * reach / reach.max()).astype(int))
    return [np.linspace(m - r, m + r, n) for m, r, n in zip(middle, reach, counts, strict=True)]


def _nodes(axes: list[np.ndarray]) -> np.ndarray:
    return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], 1)


__all__ = ["AppliedMap", "ApplyMapParams", "apply_map"]
