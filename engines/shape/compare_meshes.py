"""How far a mesh is from a reference: a distance at each vertex, scores, and a histogram.

The distance of a vertex is that to the nearest point of the reference's triangles; when the reference is closed
it has a sign: positive outside, negative inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from engines.blocks.analytic_shapes import Sphere, solid_mesh
from engines.blocks.mesh_metrics import MeshDistance, MeshInside, need_faces, score_mesh, score_table
from engines.blocks.mesh_topology import is_closed
from engines.core import Example, Param, Params, Run, method
from engines.data import Curve, Mesh, Table


class CompareParams(Params):
    points: int = Param(50_000, ge=1000, le=5_000_000, help="Random points for IoU", source="sheet 12", log=True)
    samples: int = Param(
        20_000, ge=500, le=2_000_000, help="Points on each surface for distances", source="own choice", log=True
    )
    bins: int = Param(60, ge=5, le=500, help="Bins of the histogram", source="own choice")
    signed: bool = Param(True, help="Inside the reference counts negative, if it is closed", source="own choice")


@dataclass(frozen=True)
class Comparison:
    distances: Annotated[Mesh, "the mesh with its distance from the reference at each vertex"]
    scores: Annotated[Table, "IoU, Chamfer, Hausdorff, normal error and topology"]
    histogram: Annotated[Curve, "share of the mesh's area by distance"]


def _spheres(resolution: int = 40) -> dict[str, Mesh]:
    return {
        "mesh": solid_mesh(Sphere(0.5, (0.02, 0.0, 0.0)), resolution, "Shifted sphere"),
        "reference": solid_mesh(Sphere(0.5), resolution, "Sphere"),
    }


def _empty() -> dict[str, Mesh]:
    nothing = Mesh(vertices=np.zeros((3, 3)), faces=np.zeros((0, 3), int), name="No triangles")
    return {"mesh": nothing, "reference": _spheres(16)["reference"]}


@method(
    key="compare-meshes",
    title="Compare meshes",
    family="shape",
    job="Measure how far a mesh is from a reference surface.",
    role="preparation",
    presets={"quick": {"points": 20_000, "samples": 5_000}, "fine": {"points": 500_000, "samples": 200_000}},
    sample=Example(inputs=_spheres, title="Two spheres, one shifted"),
    smoke=Example(inputs=lambda: _spheres(24), params={"points": 5_000, "samples": 2_000}),
    degenerate=(Example(inputs=_empty, title="A mesh without triangles"),),
    tags=("distance", "iou", "chamfer", "hausdorff", "scores"),
)
def compare_meshes(
    mesh: Annotated[Mesh, "the mesh to judge"],
    reference: Annotated[Mesh, "the true surface"],
    params: CompareParams,
    run: Run,
) -> Comparison:
    """Distances are exact; scores are estimated on random points of the run's seed."""
    need_faces(mesh, reference)
    ask = MeshDistance(reference.vertices, reference.faces)
    distance = np.empty(len(mesh.vertices))
    chunks = np.array_split(np.arange(len(mesh.vertices)), max(1, len(mesh.vertices) // 4000))
    for index in run.steps(len(chunks), "Measuring distances", share=0.5):
        distance[chunks[index]] = ask(mesh.vertices[chunks[index]]).distance
    signed = params.signed and is_closed(reference.faces)
    if signed:
        distance[MeshInside(reference.vertices, reference.faces)(mesh.vertices)] *= -1
    elif params.signed:
        run.warn("The reference is not closed: distances have no sign, and there is no IoU.")
    for _ in run.steps(1, "Scoring"):
        row = score_mesh(mesh, reference, run.rng, params.points, params.samples, run.check)
    row |= {"Mean distance": float(np.abs(distance).mean()), "Largest distance": float(np.abs(distance).max())}
    scores = score_table([row], [mesh.name or "Mesh"], reference.unit, "Scores")
    return Comparison(
        distances=mesh.replace(
            scalars={**mesh.scalars, "distance": distance}, name=f"{mesh.name or 'Mesh'}, distance to reference"
        ),
        scores=scores,
        histogram=_histogram(mesh, distance, params.bins, signed, reference.unit),
    )


def _histogram(mesh: Mesh, distance: np.ndarray, bins: int, signed: bool, unit: str) -> Curve:
    """Percent of the area in each bin; each vertex stands for a third of its triangles."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weight = np.bincount(mesh.faces.ravel(), np.repeat(areas, 3), len(mesh.vertices))
    reach = float(np.abs(distance[weight > 0]).max(initial=0)) or 1e-12
    share, edges = np.histogram(distance, bins, (-reach if signed else 0.0, reach), weights=weight)
    return Curve(
        x=(edges[:-1] + edges[1:]) / 2,
        series={"share of area": 100 * share / max(share.sum(), 1e-300)},
        x_label=f"distance to reference [{unit}]" if unit else "distance to reference",
        y_label="share of area [%]",
        name="Distance histogram",
    )
