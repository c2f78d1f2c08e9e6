"""Shape-based interpolation: blend the signed distances of neighbouring parallel slices.

On slice k let d_k(u, v) be the signed distance to its contours, negative inside. Between two slices at heights
w_k < w_{k+1}

    f(u, v, w) = (1 - t) d_k(u, v) + t d_{k+1}(u, v),      t = (w - w_k) / (w_{k+1} - w_k),

and the surface is f = 0. Where a neighbour is empty, or beyond the last slice, d + 2 max(-d) stands for its
distance: the shape closes roundly within half a spacing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from scipy.ndimage import map_coordinates

from engines.blocks.contour_distance import signed_distance
from engines.blocks.isosurface import closed_surface, grid_over
from engines.blocks.sectioning import plane_frames
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import GridField, Mesh, Slices
from engines.shape.analytic import torus_slices, two_hole_slices
from engines.shape.surfaces import Surfaces, labelled, scored

PARALLEL = np.radians(0.5)


class ShapeInterpolationParams(Params):
    resolution: int = Param(
        96, ge=16, le=400, help="Grid nodes along the longest side", source="own choice: finer adds nothing", log=True
    )
    caps: Literal["round", "flat"] = Param(
        "round", help="Close beyond the first and last slice within half a spacing, or end at them", source="own choice"
    )


def _two_hole() -> dict[str, Slices | Mesh]:
    return two_hole_slices.run({}, two_hole_slices.params(), Run())


def _small() -> dict[str, Slices | Mesh]:
    return two_hole_slices.run({}, two_hole_slices.preset("quick"), Run())


def _oblique() -> dict[str, Slices]:
    return {"slices": torus_slices.run({}, torus_slices.preset("quick"), Run())["slices"]}


@method(
    key="shape-interpolation",
    title="Shape-based interpolation",
    family="shape",
    job="Reconstruct a closed surface from parallel slices by blending their distance maps.",
    paper=Paper(
        title="Shape-based interpolation of multidimensional objects",
        authors="Raya, Sai Prasad and Udupa, Jayaram K.",
        year=1990,
        venue="IEEE Transactions on Medical Imaging 9(1)",
        url="https://doi.org/10.1109/42.52980",
    ),
    role="baseline",
    presets={"quick": {"resolution": 48}, "fine": {"resolution": 192}},
    sample=Example(inputs=_two_hole, title="Two-hole solid"),
    smoke=Example(inputs=_small, params={"resolution": 32}),
    degenerate=(Example(inputs=_oblique, title="Oblique planes"),),
    memory=lambda inputs, params: 120 * params.resolution**3,
    tags=("cross-sections", "contours", "interpolation"),
)
def shape_interpolation(
    slices: Annotated[Slices, "parallel planes with contours"],
    reference: Annotated[Mesh | None, "the true surface, to score against"],
    params: ShapeInterpolationParams,
    run: Run,
) -> Surfaces:
    """One surface for each label. Planes that are not parallel are refused."""
    parts = labelled(slices, run)
    axis = _common_normal(slices)
    meshes, fields = [], []
    for name, part in parts:
        fields.append(_blend(part, axis, params, run, 0.9 / len(parts), name))
        meshes.append(closed_surface(fields[-1], name=f"Interpolated surface {name}".strip(), unit=slices.unit))
        run.preview(lambda made=meshes[-1]: {"mesh": made})
    return Surfaces(tuple(meshes), tuple(fields), scored(meshes, reference, run))


def _common_normal(slices: Slices) -> np.ndarray:
    normals = slices.normals * np.sign(slices.normals @ slices.normals[0])[:, None]
    worst = float(np.linalg.norm(np.cross(normals, normals[0]), axis=1).max())
    if worst > np.sin(PARALLEL):
        raise UserError(
            f"The planes are not parallel: they differ by up to {np.degrees(np.arcsin(min(1, worst))):.1f}°.",
            "Shape-based interpolation blends neighbouring slices of one direction.",
            "Use OReX or Poisson for oblique planes.",
        )
    return normals[0]


def _blend(
    slices: Slices, axis: np.ndarray, params: ShapeInterpolationParams, run: Run, share: float, name: str
) -> GridField:
    """f on a grid along the world's axes. Distance maps of the slices are made one by one and read bilinearly."""
    heights = (slices.normals @ axis) * slices.offsets
    order = np.argsort(heights, kind="stable")
    order = order[np.diff(heights[order], prepend=-np.inf) > 1e-9 * max(1e-300, float(np.ptp(heights)))]
    levels = heights[order]
    if len(levels) < 2:
        raise UserError(
            "All planes lie at the same height.",
            "One slice cannot define a volume.",
            "Load slices at two different heights.",
        )
    if len(order) < slices.plane_count:
        run.warn(f"{slices.plane_count - len(order)} planes lie on others and were left out.")
    gaps = np.diff(levels)
    levels = np.concatenate([[levels[0] - gaps[0]], levels, [levels[-1] + gaps[-1]]])
    slabs = [None, *order.tolist(), None]

    low, high = slices.bounds
    reach = np.abs(axis) * max(gaps[0], gaps[-1]) / 2
    origin, spacing, shape = grid_over(low - reach, high + reach, params.resolution)
    nodes = np.stack(
        np.meshgrid(*(o + spacing * np.arange(n) for o, n in zip(origin, shape, strict=True)), indexing="ij"), -1
    )
    nodes = nodes.reshape(-1, 3)
    along = nodes @ axis
    frame = plane_frames(axis)[0]
    flat = nodes @ frame.T
    slab = np.clip(np.searchsorted(levels, along, side="right") - 1, 0, len(levels) - 2)
    by_slab = np.split(np.argsort(slab, kind="stable"), np.cumsum(np.bincount(slab, minlength=len(levels) - 1))[:-1])
    # Along the world's axes the maps share the grid's nodes; otherwise they are read between theirs, so finer.
    step = spacing if np.isclose(np.abs(axis).max(), 1) else spacing / 2

    values = np.full(len(nodes), float(np.linalg.norm(high - low)))
    before: Callable[[np.ndarray], np.ndarray] | None = None
    for k in run.steps(len(levels) - 1, f"Blending distances {name}".strip(), share=share):
        after = _distance_map(slices, slabs[k + 1], frame, flat, step)
        rows = by_slab[k]
        if len(rows) and not (before is None and after is None):
            t = (along[rows] - levels[k]) / (levels[k + 1] - levels[k])
            first = before(flat[rows]) if before else None
            second = after(flat[rows]) if after else None
            values[rows] = _between(first, second, t)
            ends = (k == 0 and slabs[1] is not None) or k == len(levels) - 2
            if params.caps == "flat" and ends:
                beyond = (1 - t if k == 0 else t) * (levels[k + 1] - levels[k])
                values[rows] = np.maximum(first if second is None else second, beyond)
        before = after
    return GridField(
        values=values.reshape(shape),
        origin=origin,
        spacing=np.full(3, spacing),
        quantity="blended signed distance",
        unit=slices.unit,
        length_unit=slices.unit,
        level=0.0,
        name=f"Interpolated field {name}".strip(),
    )


def _between(first: np.ndarray | None, second: np.ndarray | None, t: np.ndarray) -> np.ndarray:
    if first is None:
        first, second, t = second, None, 1 - t
    assert first is not None
    if second is None:
        second = first + 2 * max(float(-first.min()), 0.0)
    return (1 - t) * first + t * second


def _distance_map(
    slices: Slices, plane: int | None, frame: np.ndarray, flat: np.ndarray, step: float
) -> Callable[[np.ndarray], np.ndarray] | None:
    """The signed distance of a plane's contours as a function of (N, 2) points, or None when it has none."""
    edges = slices.edges[slices.vertex_planes == plane] if plane is not None else np.zeros((0, 2), int)
    if not len(edges):
        return None
    low = flat.min(0)
    shape = np.ceil((flat.max(0) - low) / step).astype(int) + 2
    nodes = np.stack(np.meshgrid(*(low[k] + step * np.arange(shape[k]) for k in range(2)), indexing="ij"), -1)
    distance = signed_distance(nodes.reshape(-1, 2), slices.vertices[edges] @ frame.T, step).reshape(shape)
    return lambda points: map_coordinates(distance, ((points - low) / step).T, order=1, mode="nearest")
