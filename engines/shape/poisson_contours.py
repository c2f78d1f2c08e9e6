"""Screened Poisson reconstruction from contour points with normals that lie in their planes.

Points p_i are spread along the contours; n_i is the outward normal of the contour within its plane. The indicator
function chi minimises

    integral |grad chi - V|^2 dx + alpha sum_i (chi(p_i) - 1/2)^2,      V = the n_i smeared out,

and the surface is chi = 1/2 (Kazhdan and Hoppe 2013; Open3D's implementation). True normals lean out of the plane
where the shape narrows; the method cannot know that. Nothing marks the end caps: the surface closes by itself, as
a bulge beyond the outermost contours. The box is half as large again as the contours, so that it does close there.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.contour_distance import spread
from engines.blocks.isosurface import grid_over
from engines.blocks.mesh_topology import face_components, is_closed
from engines.blocks.sectioning import plane_frames
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import GridField, Mesh, Slices
from engines.shape.analytic import torus_slices
from engines.shape.surfaces import Surfaces, labelled, scored

BOX_SCALES = (1.5, 2.0, 3.0)  # 1.1, Open3D's default, leaves end caps open


class PoissonContoursParams(Params):
    depth: int = Param(
        7, ge=4, le=10, help="Depth of the octree: 2^depth cells along the box", source="own choice; Open3D: 8"
    )
    point_weight: float = Param(
        2.0, ge=0, le=100, help="Weight alpha of the screening: how closely points are met", source="Open3D"
    )
    spacing: float = Param(
        0.01,
        ge=0.001,
        le=0.2,
        help="Distance of the points along contours, as a share of the diagonal",
        source="own choice",
        log=True,
    )
    resolution: int = Param(
        64, ge=16, le=256, help="Nodes of the field's grid along the longest side", source="own choice"
    )


def _torus() -> dict[str, Slices | Mesh]:
    return torus_slices.run({}, torus_slices.params(), Run())


def _small() -> dict[str, Slices | Mesh]:
    return torus_slices.run({}, torus_slices.preset("quick"), Run())


def _one_plane() -> dict[str, Slices]:
    slices = _small()["slices"]
    assert isinstance(slices, Slices)
    first = slices.select(slices.loop_planes == 0)
    return {"slices": first.replace(normals=first.normals[:1], offsets=first.offsets[:1])}


@method(
    key="poisson-contours",
    title="Poisson from contours",
    family="shape",
    job="Reconstruct a closed surface from contours on any planes by screened Poisson reconstruction.",
    paper=Paper(
        title="Screened Poisson surface reconstruction",
        authors="Kazhdan, Michael and Hoppe, Hugues",
        year=2013,
        venue="ACM Transactions on Graphics 32(3)",
        url="https://doi.org/10.1145/2487228.2487237",
    ),
    role="baseline",
    presets={"quick": {"depth": 6, "resolution": 32}, "fine": {"depth": 8, "spacing": 0.005, "resolution": 128}},
    sample=Example(inputs=_torus, title="Torus, oblique slices"),
    smoke=Example(inputs=lambda: {"slices": _small()["slices"]}, params={"depth": 5, "resolution": 24}),
    degenerate=(Example(inputs=_one_plane, title="One plane"),),
    tags=("cross-sections", "contours", "poisson"),
)
def poisson_contours(
    slices: Annotated[Slices, "contours on planes of any direction"],
    reference: Annotated[Mesh | None, "the true surface, to score against"],
    params: PoissonContoursParams,
    run: Run,
) -> Surfaces:
    """One surface for each label; pieces that no contour runs along are left out. One thread, so it repeats exactly."""
    parts = labelled(slices, run)
    meshes, fields = [], []
    for name, part in parts:
        for stage in run.steps(2, f"Solving {name}".strip(), share=0.9 / len(parts)):
            if stage == 0:
                meshes.append(_surface(part, params, run, name))
                run.preview(lambda made=meshes[-1]: {"mesh": made})
            else:
                fields.append(_distance_field(meshes[-1], part, params.resolution, name))
    return Surfaces(tuple(meshes), tuple(fields), scored(meshes, reference, run))


def contour_points(slices: Slices, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points about ``spacing`` apart along the contours and their (N, 3) outward normals in the plane."""
    points, normals = [], []
    frames = plane_frames(slices.normals)
    for plane in np.unique(slices.loop_planes):
        counts = slices.loop_counts[slices.loop_planes == plane]
        flat = slices.vertices[slices.vertex_planes == plane] @ frames[plane].T
        at, out = spread(flat, np.cumsum(counts) - counts, spacing)
        points.append(at @ frames[plane] + slices.offsets[plane] * slices.normals[plane])
        normals.append(out @ frames[plane])
    return np.concatenate(points), np.concatenate(normals)


def _surface(slices: Slices, params: PoissonContoursParams, run: Run, name: str) -> Mesh:
    import open3d as o3d

    low, high = slices.bounds
    size = float(np.linalg.norm(high - low))
    points, normals = contour_points(slices, params.spacing * size)
    # Unit size about the origin: the solver and its float32 output know no other scale.
    center = (low + high) / 2
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector((points - center) / size))
    cloud.normals = o3d.utility.Vector3dVector(normals)
    vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), int)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        for scale in BOX_SCALES:
            run.check()
            mesh, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
                cloud, depth=params.depth, scale=scale, n_threads=1, point_weight=params.point_weight
            )
            mesh.remove_unreferenced_vertices()
            vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.triangles)
            if is_closed(faces):
                break
        else:
            run.warn("The surface stayed open at the edge of its box; overlap scores need a closed one.")
    if not len(faces):
        raise UserError(
            "Poisson reconstruction found no surface.",
            f"There are {len(points):,} points on {len(np.unique(slices.loop_planes))} planes.",
            "Use more planes, denser points or a greater depth.",
        )
    faces = _along_contours(vertices, faces, (points - center) / size, 2 * params.spacing)
    used, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(
        vertices=vertices[used] * size + center,
        faces=renumbered.reshape(-1, 3),
        name=f"Poisson surface {name}".strip(),
        unit=slices.unit,
    )


def _along_contours(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, near: float) -> np.ndarray:
    """The faces of the connected parts that come within ``near`` of a contour point; all if none does."""
    part = face_components(faces)
    distance = cKDTree(points).query(vertices[faces].mean(1))[0]
    keep = np.isin(part, part[distance < near])
    return faces[keep] if keep.any() else faces


def _distance_field(mesh: Mesh, slices: Slices, resolution: int, name: str) -> GridField:
    """Signed distance to the mesh, negative inside, on a grid around mesh and contours."""
    import open3d as o3d

    low, high = np.minimum(mesh.bounds[0], slices.bounds[0]), np.maximum(mesh.bounds[1], slices.bounds[1])
    origin, spacing, shape = grid_over(low, high, resolution)
    center, size = (low + high) / 2, float((high - low).max())
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(((mesh.vertices - center) / size).astype(np.float32)),
        o3d.core.Tensor(mesh.faces.astype(np.uint32)),
    )
    axes = [(o + spacing * np.arange(n) - c) / size for o, n, c in zip(origin, shape, center, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    values = scene.compute_signed_distance(o3d.core.Tensor(nodes), nsamples=3).numpy() * size
    return GridField(
        values=values,
        origin=origin,
        spacing=np.full(3, spacing),
        quantity="signed distance",
        unit=slices.unit,
        length_unit=slices.unit,
        level=0.0,
        name=f"Poisson field {name}".strip(),
    )
