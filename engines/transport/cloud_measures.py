"""Preparations: points of a cloud, or of a surface, as a measure."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Measure, Mesh, PointCloud


class CloudMeasureParams(Params):
    weights: str = Param("", empty="all alike", help="Values of the cloud that are the mass of its points")
    most: int | None = Param(None, ge=1, empty="all", label="Points at most", help="So many are drawn at random")
    flat: bool = Param(False, label="In the plane", help="Leave out z, where it is the same for all points")


def _cloud() -> dict[str, PointCloud]:
    draw = np.random.default_rng(3)
    points = np.concatenate([draw.normal(size=(400, 2)), np.zeros((400, 1))], 1)
    return {"cloud": PointCloud(name="Points", points=points, scalars={"mass": draw.uniform(0.5, 1, 400)})}


@method(
    key="cloud-measure", title="Point cloud to measure", family="transport", role="preparation",
    job="Take the points of a cloud as a measure, with weights or all alike.",
    sample=Example(_cloud, {"weights": "mass", "flat": True}, "Points in a plane, with mass"),
    smoke=Example(_cloud, {"most": 50}),
    degenerate=(
        Example(_cloud, {"weights": "density"}, "values that are not there"),
        Example(lambda: {"cloud": PointCloud(points=np.zeros((0, 3)))}, {}, "no point"),
    ),
    tags=("optimal transport", "weights", "points"),
)  # fmt: skip
def cloud_measure(cloud: Annotated[PointCloud, "the points"], params: CloudMeasureParams, run: Run) -> Measure:
    """Positions, colours and unit stay as they are. Of many points a part can be drawn, all with the same chance."""
    if not len(cloud.points):
        raise UserError("The cloud has no point.", mend="Choose another cloud.")
    weights = None
    if params.weights.strip():
        if params.weights.strip() not in cloud.scalars:
            raise UserError(
                f"The cloud has no values '{params.weights.strip()}'.",
                f"It has: {', '.join(cloud.scalars) or 'none'}.", "Choose one of them, or none.",
            )  # fmt: skip
        weights = cloud.scalars[params.weights.strip()].astype(np.float64)
    for _ in run.steps(1, "Taking the points"):
        rows = _drawn(len(cloud.points), params.most, run)
        points = cloud.points[rows]
        if params.flat and np.ptp(points[:, 2]) > 0:
            raise UserError("The cloud is not flat.", f"Its z goes from {points[:, 2].min():g} to"
                            f" {points[:, 2].max():g}.", "Switch 'In the plane' off.")  # fmt: skip
        colors = None if cloud.colors is None else cloud.colors[rows]
        made = Measure(
            name=cloud.name, points=points[:, :2] if params.flat else points, unit=cloud.unit, colors=colors,
            weights=None if weights is None else weights[rows],
        )  # fmt: skip
    return made


class MeshMeasureParams(Params):
    weights: Literal["area", "equal"] = Param(
        "area", help="Mass of a vertex: its share of the area of its triangles, or the same for all"
    )
    most: int | None = Param(None, ge=1, empty="all", label="Points at most", help="So many are drawn at random")


def _ring() -> dict[str, Mesh]:
    return {"mesh": torus_mesh(Torus(), around=48, tube=24)}


@method(
    key="mesh-measure", title="Mesh to measure", family="transport", role="preparation",
    job="Take the vertices of a mesh as a measure, weighted by area or all alike.",
    sample=Example(_ring, {}, "A ring, weighted by area"), smoke=Example(_ring, {"most": 100}),
    degenerate=(
        Example(lambda: {"mesh": Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3)))}, {}, "no vertex"),
        Example(lambda: {"mesh": Mesh(vertices=np.eye(3), faces=np.zeros((0, 3)))}, {}, "no area"),
    ),
    tags=("optimal transport", "weights", "vertices"),
)  # fmt: skip
def mesh_measure(mesh: Annotated[Mesh, "its vertices are the points"], params: MeshMeasureParams, run: Run) -> Measure:
    """By area, the measure is that of the surface: a third of each triangle goes to each of its corners."""
    if not len(mesh.vertices):
        raise UserError("The mesh has no vertex.", mend="Choose another mesh.")
    for _ in run.steps(1, "Taking the vertices"):
        weights = vertex_areas(mesh) if params.weights == "area" else None
        if weights is not None and not weights.sum() > 0:
            raise UserError("The mesh has no area.", "No triangle has any.", "Weight its vertices equally.")
        used = np.arange(len(mesh.vertices)) if weights is None else np.flatnonzero(weights > 0)
        rows = used[_drawn(len(used), params.most, run)]
        made = Measure(
            name=mesh.name, points=mesh.vertices[rows], weights=None if weights is None else weights[rows],
            colors=None if mesh.colors is None else mesh.colors[rows], unit=mesh.unit,
        )  # fmt: skip
    return made


def vertex_areas(mesh: Mesh) -> np.ndarray:
    """(V,) a third of the area of each triangle at its corners."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(mesh.faces.reshape(-1), np.repeat(areas, 3), len(mesh.vertices))


def _drawn(count: int, most: int | None, run: Run) -> np.ndarray:
    """Rows that are kept, in their order."""
    if most is None or most >= count:
        return np.arange(count)
    run.note(f"{most:,} of {count:,} points were drawn.")
    return np.sort(run.rng.choice(count, most, replace=False))
