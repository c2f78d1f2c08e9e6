"""Photos of a solid given by a formula: exact cameras, exact surface, a painted coat and one light.

Cameras stand on a spiral around the solid, evenly over the height that they cover, and look at its middle; the
held-out ones stand between the others. Known points, as structure from motion would give them, lie on the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.blocks.analytic_shapes import Solid, Torus, TwoHoles, solid_mesh, torus_mesh
from engines.blocks.cameras import Camera, look_at
from engines.blocks.mesh_topology import face_areas, face_normals
from engines.blocks.ray_tracing import Scene, Table, lit, paint, table_paint, trace
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Mesh, Photos

GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True)
class PhotographedSolid:
    """The photos, and the surface that they show."""

    photos: Annotated[Photos, "ray-traced, with exact cameras"]
    reference: Annotated[Mesh, "the surface itself, without the table"]


class PhotographedParams(Params):
    solid: Literal["torus", "two-hole"] = Param("torus", help="What is photographed", source="sheet 30, acceptance 4")
    views: int = Param(32, ge=3, le=1000, help="Photos to train on", source="sheet 30, acceptance 4")
    held_out: int = Param(8, ge=0, le=200, help="More photos, to measure on", source="sheet 00, acceptance 4")
    resolution: int = Param(128, ge=16, le=2048, unit="pixels", help="Of each side", source="sheet 00, acceptance 4")
    known_points: int = Param(1500, ge=0, le=1_000_000, help="Points given on the surface", source="own choice")
    table: bool = Param(False, help="Put the solid on a table", source="own choice")
    lowest: float = Param(
        -50.0, ge=-89, le=80, unit="°", help="Elevation of the lowest camera; above a table at least 10", source="own"
    )


@method(
    key="photographed-solid",
    title="Photographed solid",
    family="shape",
    job="Photograph a painted torus or two-hole solid from all around, with exact cameras.",
    presets={"quick": {"views": 24, "held_out": 6, "resolution": 96}},
    smoke=Example(params={"views": 4, "held_out": 1, "resolution": 32, "known_points": 100}),
    degenerate=(Example(params={"lowest": 75.0, "views": 3, "held_out": 0}, title="All cameras at the pole"),),
    tags=("analytic", "photos", "cameras", "ray tracing"),
)
def photograph(params: PhotographedParams, run: Run) -> PhotographedSolid:
    """Trace each photo from its camera."""
    if params.lowest > 70:
        raise UserError(
            f"The lowest camera stands {params.lowest:g}° above the horizon.",
            "All cameras would look from nearly the same place, which shows no depth.",
            "Choose an elevation below 70°.",
        )
    solid: Solid = Torus() if params.solid == "torus" else TwoHoles()
    size = float(np.linalg.norm(np.ptp(solid.bounds, axis=0)))
    table = Table(float(solid.bounds[0, 2]), 0.75 * size) if params.table else None
    scene = Scene(solid, table)
    lowest = max(params.lowest, 10.0) if table else params.lowest
    cameras = spiral(params.views, size, lowest, params.resolution, 0.0)
    cameras += spiral(params.held_out, size, lowest, params.resolution, 0.5)
    images = []
    for number in run.steps(len(cameras), "Photographing"):
        images.append(trace(scene, cameras[number], check=run.check).pixels)
    mesh = torus_mesh(solid) if isinstance(solid, Torus) else solid_mesh(solid, 96, "Two-hole solid")
    points, colours = known_points(mesh, table, params.known_points, run.rng)
    photos = Photos.of(
        images,
        world_to_camera=np.stack([c.world_to_camera for c in cameras]),
        intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
        held_out=np.arange(len(cameras)) >= params.views,
        points=points if len(points) else None,
        point_colors=colours if len(points) else None,
        names=tuple(f"view {i + 1:03d}" for i in range(len(cameras))),
        name=f"Photos of a {'torus' if params.solid == 'torus' else 'two-hole solid'}",
    )
    return PhotographedSolid(photos, mesh.replace(name=f"{mesh.name}, reference"))


def spiral(count: int, size: float, lowest: float, resolution: int, shift: float) -> list[Camera]:
    """``count`` cameras around the origin, one golden angle apart, evenly over the sine of the elevation."""
    low, high = np.sin(np.radians([lowest, 80.0]))
    found = []
    for i in range(count):
        up = low + (high - low) * (i + 0.5) / count
        azimuth = GOLDEN * (i + shift) + 1.3 * shift
        flat = np.sqrt(1 - up * up)
        eye = 1.25 * size * np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), up])
        focal = 1.15 * resolution
        found.append(
            Camera(look_at(eye, np.zeros(3)), focal, focal, resolution / 2, resolution / 2, resolution, resolution)
        )
    return found


def known_points(
    mesh: Mesh, table: Table | None, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count, 3) points evenly on the surface and the table, and their RGB colours, uint8."""
    areas = face_areas(mesh.vertices, mesh.faces)
    on_table = 0 if table is None else round(count * 0.3)
    faces = rng.choice(len(areas), count - on_table, p=areas / areas.sum())
    corners = mesh.vertices[mesh.faces[faces]]
    points = np.einsum("nk,nkd->nd", rng.dirichlet(np.ones(3), len(faces)), corners)
    colours = lit(paint(points), face_normals(mesh.vertices, mesh.faces)[faces])
    if table is not None:
        radius, angle = table.radius * np.sqrt(rng.uniform(size=on_table)), rng.uniform(0, 2 * np.pi, on_table)
        flat = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(on_table, table.height)], axis=1)
        points = np.concatenate([points, flat])
        up = np.broadcast_to([0.0, 0.0, 1.0], flat.shape)
        colours = np.concatenate([colours, lit(table_paint(flat), up)])
    return points, np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
