"""Preparations: cut a mesh or a volume with planes into closed contours.

A mesh is cut exactly: the plane n·x = d meets each edge a→b with n·a < d <= n·b (or the reverse) at

    a + t (b - a),   t = (d - n·a) / (n·b - n·a),

and the points of neighbouring faces are joined to loops. A volume is cut by marching squares: at 0.5 of the mask of
one label (v = label), or at a threshold of the values. Planes along a voxel axis use the voxels as they are; oblique
planes sample them linearly. All positions are physical: voxel indices go through the volume's affine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.sectioning import below, cut_grid, cut_grid_at, cut_mesh, join_loops, plane_frames, voxel_plane
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Mesh, Slices, Volume

LABELS_AT_ONCE = 64


class SliceMeshParams(Params):
    arrangement: Literal["parallel", "random", "x", "y", "z"] = Param(
        "parallel", help="Parallel planes along the longest side or along an axis, or random oblique planes"
    )
    count: int = Param(15, ge=1, le=2000, help="Number of planes", source="eight_15 of the OReX data")
    margin: float = Param(0.03, ge=0, lt=0.5, help="Part of the extent kept free of planes at each end", advanced=True)


@dataclass(frozen=True)
class SlicedMesh:
    slices: Slices
    reference: Mesh


def _torus() -> dict[str, Mesh]:
    return {"mesh": torus_mesh(Torus(), around=96, tube=48)}


def _no_faces() -> dict[str, Mesh]:
    return {"mesh": Mesh(vertices=np.zeros((3, 3)), faces=np.zeros((0, 3), np.int32))}


@method(
    key="slice-mesh",
    title="Slice a mesh",
    family="shape",
    job="Cut a mesh with planes into contours, and keep it as the reference to compare with.",
    role="preparation",
    sample=Example(_torus, {"arrangement": "random", "count": 12}, "Torus, 12 oblique planes"),
    smoke=Example(_torus, {"count": 5}),
    degenerate=(Example(_no_faces, {}, "a mesh without faces"),),
    tags=("contours", "planes"),
)
def slice_mesh(mesh: Mesh, params: SliceMeshParams, run: Run) -> SlicedMesh:
    """Closed contours of a mesh on parallel or random planes.

    The inside is what an odd number of contours surrounds; outer contours turn counter-clockwise about the
    plane's normal. A mesh with holes gives contours that a straight line closes; the log says how many.
    """
    if not len(mesh.faces):
        raise UserError("The mesh has no triangle.", "There is nothing to cut.", "Choose a surface mesh.")
    used = mesh.vertices[np.unique(mesh.faces)]
    if params.arrangement == "random":
        normals = _random_normals(run, params.count)
        offsets = _random_offsets(run, used, normals, params.margin)
    else:
        side = (
            int(np.ptp(used, axis=0).argmax()) if params.arrangement == "parallel" else "xyz".index(params.arrangement)
        )
        normals = np.tile(np.eye(3)[side], (params.count, 1))
        offsets = _even_offsets(used[:, side], params.count, params.margin)
    loops: list[np.ndarray] = []
    planes: list[int] = []
    opened = 0
    for plane in run.steps(params.count, "Cutting the mesh"):
        found, closed = cut_mesh(mesh, normals[plane], offsets[plane])
        loops += found
        planes += [plane] * len(found)
        opened += closed
    name = f"{mesh.name or 'Mesh'}, {params.count} slices"
    slices = join_loops(normals, offsets, loops, planes, name=name, unit=mesh.unit)
    if opened:
        run.warn(f"The mesh is not closed: {opened:,} contours were completed by a straight line.")
    _check_planes(slices, run)
    return SlicedMesh(slices, mesh)


class SliceVolumeParams(Params):
    arrangement: Literal["axial", "coronal", "sagittal", "random"] = Param(
        "axial", help="Voxel planes nearest to z, y or x = constant, or random oblique planes"
    )
    label: int | None = Param(None, empty="every", help="Label of a label volume to cut")
    threshold: float | None = Param(None, help="For a volume of values: the solid is what lies above this")
    every: int = Param(4, ge=1, le=10_000, unit="voxels", help="Distance of axial, coronal or sagittal planes")
    count: int = Param(20, ge=1, le=2000, help="Number of random planes")
    tolerance: float = Param(
        0.0, ge=0, le=10, unit="voxels", help="Contours are simplified up to this distance", advanced=True
    )
    margin: float = Param(
        0.03, ge=0, lt=0.5, help="Part of the extent that random planes keep away from the ends", advanced=True
    )


def _labelled_ball() -> dict[str, Volume]:
    grid = np.stack(np.meshgrid(*[np.arange(32) - 15.5] * 3, indexing="ij"))
    ball = (np.linalg.norm(grid, axis=0) < 12).astype(np.uint8)
    ball[(np.abs(grid) < 5).all(0)] = 2
    return {"volume": Volume(values=ball, affine=np.diag([1.0, 1.0, 1.5, 1.0]), is_label=True, name="Ball with a core")}


@method(
    key="slice-volume",
    title="Slice a volume",
    family="shape",
    job="Cut a label volume or a threshold of a scan with planes into contours.",
    role="preparation",
    sample=Example(_labelled_ball, {"label": 1, "every": 3}, "A ball with a core"),
    smoke=Example(_labelled_ball, {"arrangement": "random", "count": 5}),
    degenerate=(
        Example(_labelled_ball, {"label": 9}, "a label that is not there"),
        Example(_labelled_ball, {"threshold": 1e6}, "a threshold above all values"),
    ),
    tags=("contours", "planes", "labels"),
)
def slice_volume(volume: Volume, params: SliceVolumeParams, run: Run) -> Slices:
    """Closed contours of labels, or of a threshold, on voxel planes or random oblique planes.

    Each contour carries its label (a threshold: label 1). The planes span what is cut, not the whole volume.
    """
    targets = _targets(volume, params, run)
    low = np.min([box[0] for box in targets.values()], axis=0)
    high = np.max([box[1] for box in targets.values()], axis=0)
    solids = {label: _solid(volume, params, label, *box) for label, box in targets.items()}
    axis, indices = _voxel_planes(volume, params, low, high)
    if params.arrangement == "random":
        corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
        normals = _random_normals(run, params.count)
        offsets = _random_offsets(run, _positions(volume, corners), normals, params.margin)
    else:
        found = [voxel_plane(volume.affine, axis, int(i)) for i in indices]
        normals, offsets = np.array([f[0] for f in found]), np.array([f[1] for f in found])
    loops: list[np.ndarray] = []
    planes: list[int] = []
    labels: list[int] = []
    for plane in run.steps(len(normals), "Cutting the volume"):
        for label, (values, affine, level, corner) in solids.items():
            if params.arrangement == "random":
                cut = cut_grid(values, affine, level, normals[plane], offsets[plane])
            elif corner[axis] <= indices[plane] < corner[axis] + values.shape[axis]:
                cut = cut_grid_at(values, affine, level, axis, int(indices[plane] - corner[axis]))
            else:
                continue
            cut = [_simplified(loop, normals[plane], params.tolerance * volume.spacing.min()) for loop in cut]
            loops += cut
            planes += [plane] * len(cut)
            labels += [label] * len(cut)
    name = f"{volume.name or 'Volume'}, {len(normals)} slices"
    slices = join_loops(normals, offsets, loops, planes, labels, name=name, unit=volume.unit)
    _check_planes(slices, run)
    return slices


def _targets(volume: Volume, params: SliceVolumeParams, run: Run) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Labels to cut, with the lowest and highest voxel of each. Raises UserError when there is nothing to cut."""
    if params.threshold is not None:
        return {1: _box(volume.values > params.threshold, _no_threshold(volume, params.threshold))}
    if not volume.is_label and params.label is None:
        raise UserError(
            "The volume holds values, not labels.",
            "Which of them belong to the solid is not known.",
            "Set a threshold, or a label if the values are labels.",
        )
    present = volume.labels
    shown = ", ".join(f"{v:g}" for v in present[:20]) + (", …" if len(present) > 20 else "")
    if params.label is not None:
        if params.label not in volume.values:
            raise UserError(
                f"The volume has no label {params.label}.", f"Its labels: {shown or 'none'}.", "Choose one of them."
            )
        wanted = np.array([params.label])
    else:
        wanted = present
    if not len(wanted):
        raise UserError("The volume has no label.", "All of its voxels are 0.", "Choose a volume with a labelled part.")
    if len(wanted) > LABELS_AT_ONCE or (wanted != np.round(wanted)).any() or np.abs(wanted).max() >= 2**31:
        raise UserError(
            f"The volume has {len(wanted):,} different values, which cannot all be labels.",
            f"At most {LABELS_AT_ONCE} whole numbers are cut at once.",
            "Choose one label, or set a threshold.",
        )
    nothing = UserError("The label is empty.", mend="Choose another label.")
    boxes = {}
    for label in wanted:
        run.check()
        boxes[int(label)] = _box(volume.values == label, nothing)
    return boxes


def _no_threshold(volume: Volume, threshold: float) -> UserError:
    low, high = np.nanmin(volume.values), np.nanmax(volume.values)
    return UserError(
        f"No voxel lies above the threshold {threshold:g}.",
        f"The values run from {low:g} to {high:g}.",
        "Choose a threshold between them.",
    )


def _box(mask: np.ndarray, nothing: UserError) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest voxel index (3,) of a mask."""
    spans = [np.flatnonzero(mask.any(axis=tuple(j for j in range(3) if j != i))) for i in range(3)]
    if not len(spans[0]):
        raise nothing
    return np.array([s[0] for s in spans]), np.array([s[-1] for s in spans])


def _solid(
    volume: Volume, params: SliceVolumeParams, label: int, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Values, affine, level and first voxel of the part around one label.

    It is two voxels larger than the label, so that no sample next to the surface reaches beyond it.
    """
    start = np.maximum(low - 2, 0)
    part = volume.values[tuple(slice(a, b + 3) for a, b in zip(start, high, strict=True))]
    affine = volume.affine.copy()
    affine[:3, 3] = _positions(volume, start[None])[0]
    if params.threshold is None:
        return (part == label).astype(np.uint8), affine, 0.5, start
    values = part.astype(np.float64)
    finite = np.isfinite(values)
    values = np.where(finite, values, below(values[finite], params.threshold))
    return values, affine, params.threshold, start


def _voxel_planes(
    volume: Volume, params: SliceVolumeParams, low: np.ndarray, high: np.ndarray
) -> tuple[int, np.ndarray]:
    """The voxel axis nearest to the wanted direction, and every k-th index, centred on what is cut."""
    direction = {"sagittal": 0, "coronal": 1, "axial": 2}.get(params.arrangement, 2)
    axis = int((np.abs(volume.affine[direction, :3]) / volume.spacing).argmax())
    spare = (high[axis] - low[axis]) % params.every
    return axis, np.arange(low[axis] + spare // 2, high[axis] + 1, params.every)


def _positions(volume: Volume, voxels: np.ndarray) -> np.ndarray:
    return np.asarray(voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3])


def _random_normals(run: Run, count: int) -> np.ndarray:
    """(count, 3) directions spread evenly over the sphere."""
    normals = run.rng.normal(size=(count, 3))
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def _random_offsets(run: Run, points: np.ndarray, normals: np.ndarray, margin: float) -> np.ndarray:
    """Offsets uniform over the extent of the points along each normal, less the margin."""
    heights = [points @ normal for normal in normals]
    low, high = np.array([h.min() for h in heights]), np.array([h.max() for h in heights])
    share = margin + (1 - 2 * margin) * run.rng.uniform(size=len(normals))
    return np.asarray(low + (high - low) * share)


def _even_offsets(heights: np.ndarray, count: int, margin: float) -> np.ndarray:
    low, high = heights.min(), heights.max()
    share = margin + (1 - 2 * margin) * (np.arange(count) / (count - 1) if count > 1 else np.array([0.5]))
    return np.asarray(low + (high - low) * share)


def _simplified(loop: np.ndarray, normal: np.ndarray, tolerance: float) -> np.ndarray:
    """The loop with fewer points, none of the old ones farther than ``tolerance`` from it (Douglas-Peucker)."""
    if tolerance <= 0 or len(loop) < 5:
        return loop
    from skimage.measure import approximate_polygon

    frame = plane_frames(normal)[0]
    flat = loop @ frame.T
    fewer = approximate_polygon(np.concatenate([flat, flat[:1]]), tolerance)[:-1]
    return fewer @ frame + (loop[0] @ normal) * normal if len(fewer) >= 3 else loop


def _check_planes(slices: Slices, run: Run) -> None:
    if not slices.loop_count:
        raise UserError("No plane meets the solid.", "All slices are empty.", "Use more planes or a smaller margin.")
    filled = len(np.unique(slices.loop_planes))
    if filled == 1:
        run.warn("Only one plane has contours; one slice cannot define a volume.")
    run.note(f"{slices.loop_count:,} contours on {filled} of {slices.plane_count} planes.")
