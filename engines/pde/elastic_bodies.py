"""Elastic bodies to set in motion: a cube or a square above an obstacle, or a mesh from a file."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from engines.blocks.tetrahedra import box_mesh, parts
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import ElasticBody, MeshField
from engines.data.bodies import cell_measures

Obstacle = Literal["plane", "sphere", "none"]
Face = Literal["none", "lowest", "highest", "left", "right"]


class DroppedBodyParams(Params):
    shape: Literal["cube", "square"] = Param("cube", help="In space, or in the plane", source="paper, sec. 4.3")
    side: float = Param(1.0, gt=0, le=1e6, help="Length of a side", source="sheet 38")
    cells: int = Param(6, ge=1, le=64, help="Cells along each side of the mesh", source="own choice")
    gap: float = Param(1.0, ge=0, le=1e6, help="Between the body and the obstacle below it", source="sheet 38")
    obstacle: Obstacle = Param("plane", help="What it falls on", source="paper, sec. 4.3")
    radius: float = Param(0.4, gt=0, le=1e6, help="Of the sphere", source="own choice")
    speed: float = Param(2.0, ge=0, le=1e6, unit="half sides per time", help="Downwards, at the start", source="own")
    force: float = Param(0.0, ge=0, le=1e9, help="Downwards, per volume", source="own; reference 200")
    force_until: float = Param(0.0, ge=0, le=1e9, help="Time until which the force acts", source="own; reference 0.2")
    arap: float = Param(20.0, ge=0, le=1e12, log=True, help="Stiffness against stretch", source="reference, 2D")
    volume: float = Param(1e3, ge=0, le=1e12, log=True, help="Stiffness against change of volume", source="reference")
    inertia: float = Param(10.0, gt=0, le=1e12, log=True, help="Half of the density", source="reference, 2D")
    contact: float = Param(1e4, ge=0, le=1e12, log=True, help="Stiffness of the obstacle", source="reference, 2D")


class MeshBodyParams(Params):
    arap: float = Param(100.0, ge=0, le=1e12, log=True, help="Stiffness against stretch", source="reference, spot")
    volume: float = Param(1e3, ge=0, le=1e12, log=True, help="Stiffness against change of volume", source="reference")
    inertia: float = Param(1.0, gt=0, le=1e12, log=True, help="Half of the density", source="reference, spot")
    contact: float = Param(1e6, ge=0, le=1e12, log=True, help="Stiffness of the obstacle", source="reference, spot")
    force: tuple[float, ...] = Param((0.0, 0.0, -100.0), help="Per volume: x, y, z", source="reference, spot")
    force_until: float = Param(0.1, ge=0, le=1e9, help="Time until which the force acts", source="own; reference 0.5")
    velocity: tuple[float, ...] = Param((0.0, 0.0, 0.0), help="At the start: x, y, z", source="own choice")
    obstacle: Obstacle = Param("plane", help="What it runs into", source="reference, spot")
    direction: Literal["x", "y", "z"] = Param("z", help="The obstacle lies below along it", source="reference")
    gap: float = Param(
        0.5, ge=0, le=1e6, unit="half extents", help="Between the body and the obstacle", source="own; reference 1"
    )
    radius: float = Param(0.5, gt=0, le=1e6, unit="half extents", help="Of the sphere", source="own choice")
    held: Face = Param("none", help="Side of the body that is held; left and right are along x", source="own choice")


def _obstacles(body: ElasticBody, kind: str, axis: int, gap: float, radius: float) -> ElasticBody:
    """An obstacle below the body along an axis; ``gap`` and ``radius`` in the lengths of the mesh."""
    point = body.middle.copy()
    point[axis] = body.points[:, axis].min() - gap
    normal = np.eye(3)[axis]
    if kind == "plane":
        return body.replace(planes=np.concatenate([point, normal])[None])
    if kind == "sphere":
        return body.replace(spheres=np.append(point - radius * normal, radius)[None])
    return body


@method(
    key="dropped-body",
    title="Dropped body",
    family="pde",
    job="Make an elastic cube or square above a plane or a sphere, about to fall on it.",
    presets={"quick": {"shape": "square", "gap": 0.5}, "sphere": {"obstacle": "sphere"}},
    smoke=Example(params={"cells": 2}),
    tags=("elasticity", "contact", "tetrahedra"),
)
def dropped_body(params: DroppedBodyParams, run: Run) -> ElasticBody:
    """A cube of tetrahedra falls along z, a square of triangles along y."""
    d = 3 if params.shape == "cube" else 2
    half = np.full(d, params.side / 2)
    points, cells = box_mesh(-half, half, (params.cells,) * d)
    down = -np.eye(3)[d - 1]
    body = ElasticBody.of(
        points, cells, arap=params.arap, volume=params.volume, inertia=params.inertia, contact=params.contact,
        force=params.force * down, force_until=params.force_until, velocity=params.speed * down,
        name=f"Dropped {params.shape}",
    )  # fmt: skip
    return _obstacles(body, params.obstacle, d - 1, params.gap, params.radius)


def _tetrahedra() -> dict[str, MeshField]:
    return {"mesh": _field(*box_mesh(-np.ones(3), np.ones(3), (3, 3, 3)))}


def _field(points: np.ndarray, cells: np.ndarray) -> MeshField:
    points = np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
    return MeshField(points=points, cells=cells, values=np.zeros((1, 1, len(points))), times=[0.0], name="Box")


def _surface() -> dict[str, MeshField]:
    points, cells = box_mesh(-np.ones(2), np.ones(2), (3, 3))
    return {"mesh": _field(np.column_stack([points, points[:, 0] ** 2]), cells)}


@method(
    key="mesh-body",
    title="Elastic body from a mesh",
    family="pde",
    job="Make an elastic body of a mesh of tetrahedra: its material, what pulls at it and what it runs into.",
    role="preparation",
    sample=Example(_tetrahedra, title="A box of tetrahedra"),
    degenerate=(
        Example(_surface, title="A surface in space"),
        Example(_tetrahedra, {"force": (1.0,)}, "A force of one number"),
    ),
    tags=("elasticity", "contact", "tetrahedra"),
)
def mesh_body(
    mesh: Annotated[MeshField, "tetrahedra, or triangles in the plane z = 0"], params: MeshBodyParams, run: Run
) -> ElasticBody:
    """Cells that are all turned over are mended, cells without volume left out; vertices of no cell are dropped."""
    for name in ("force", "velocity"):
        if len(getattr(params, name)) != 3:
            raise UserError(
                f"The {name} has {len(getattr(params, name))} numbers.", mend="Give three: along x, y and z."
            )
    measures = cell_measures(mesh.points, mesh.cells) if mesh.cells.shape[1] == 4 or mesh.is_flat else None
    cells = mesh.cells
    if measures is not None and len(measures):
        flat = np.abs(measures) <= 1e-12 * np.abs(measures).max()
        if flat.any():
            run.warn(f"{int(flat.sum()):,} cells without volume are left out: {_some(np.flatnonzero(flat))}.")
            cells = cells[~flat]
    used, cells = np.unique(cells, return_inverse=True)
    if len(used) < len(mesh.points):
        run.warn(f"{len(mesh.points) - len(used):,} vertices belong to no cell and are left out.")
    points, cells = mesh.points[used], cells.reshape(-1, mesh.cells.shape[1])
    if (count := parts(cells, len(points))) > 1:
        run.warn(f"The body is in {count} parts. One network holds them all, so near parts may stick together.")
    x = points[:, 0 if params.held in ("left", "right") else "xyz".index(params.direction)]
    reach = 1e-3 * np.ptp(points, axis=0).max()
    sides = {"lowest": x <= x.min() + reach, "left": x <= x.min() + reach}
    sides |= {"highest": x >= x.max() - reach, "right": x >= x.max() - reach, "none": np.zeros(len(x), bool)}
    body = ElasticBody.of(
        points, cells, held=sides[params.held], arap=params.arap, volume=params.volume, inertia=params.inertia,
        contact=params.contact, force=np.array(params.force), force_until=params.force_until,
        velocity=np.array(params.velocity), name=mesh.name or "Body", length_unit=mesh.length_unit,
    )  # fmt: skip
    axis = "xyz".index(params.direction)
    return _obstacles(body, params.obstacle, axis, params.gap * body.length, params.radius * body.length)


def _some(ids: np.ndarray) -> str:
    return ", ".join(map(str, ids[:8])) + (" …" if len(ids) > 8 else "")


__all__ = ["dropped_body", "mesh_body"]
