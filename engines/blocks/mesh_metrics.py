"""How near one closed surface is to another: overlap, distances, normals, topology.

    IoU           |A and B| / |A or B|, estimated on random points in the box around both
    Chamfer       (mean_a d(a, B) + mean_b d(b, A)) / 2     over points spread evenly on the surfaces
    Hausdorff     max(max_a d(a, B), max_b d(b, A))         over the same points and all vertices
    Normal error  mean over a of the angle between the normals at a and at its nearest point on B
    F-score       harmonic mean of the shares of points nearer than a threshold, both ways

Distances from points to triangles are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from engines.blocks.mesh_distance import Closest, MeshDistance, sample_surface
from engines.blocks.mesh_inside import MeshInside, inside_mesh
from engines.blocks.mesh_topology import euler_characteristic, face_normals, is_closed, is_watertight, volume
from engines.core import UserError
from engines.data import Mesh, Table

__all__ = [
    "Closest",
    "MeshDistance",
    "MeshInside",
    "Surfaces",
    "compare_surfaces",
    "inside_mesh",
    "iou",
    "is_watertight",
    "need_faces",
    "random_points",
    "sample_surface",
    "score_mesh",
    "score_table",
]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two (N,) bool inside tests of the same random points; 1 when both are empty."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 1.0


def random_points(bounds: np.ndarray, count: int, rng: np.random.Generator, margin: float = 0.05) -> np.ndarray:
    """(count, 3) points spread evenly in the box ``bounds`` (2, 3) grown by ``margin`` of its size."""
    pad = margin * np.ptp(bounds, axis=0)
    return rng.uniform(bounds[0] - pad, bounds[1] + pad, (count, 3))


class Surfaces(NamedTuple):
    """What was measured between two surfaces, in their length unit and degrees."""

    chamfer: float
    hausdorff: float
    normal_error: float
    f_score: float
    forward: np.ndarray  # distances of points on the first surface from the second
    backward: np.ndarray  # and the other way


def compare_surfaces(
    mesh: Mesh,
    reference: Mesh,
    rng: np.random.Generator,
    samples: int = 20_000,
    threshold: float = 0.01,
    check: Callable[[], object] = lambda: None,
) -> Surfaces:
    """Distances both ways. ``threshold`` of the F-score is a share of the reference's bounding box diagonal."""
    a, face_a = sample_surface(mesh.vertices, mesh.faces, samples, rng)
    b, _ = sample_surface(reference.vertices, reference.faces, samples, rng)
    to_reference = MeshDistance(reference.vertices, reference.faces)
    to_mesh = MeshDistance(mesh.vertices, mesh.faces)
    forward, backward = to_reference(a, check), to_mesh(b, check)
    own = face_normals(mesh.vertices, mesh.faces)[face_a]
    other = face_normals(reference.vertices, reference.faces)[forward.face]
    angles = np.degrees(np.arccos(np.clip((own * other).sum(1), -1, 1)))
    limit = threshold * float(np.linalg.norm(np.ptp(reference.bounds, axis=0)))
    precision, recall = (forward.distance <= limit).mean(), (backward.distance <= limit).mean()
    corners = (
        to_reference(mesh.vertices[np.unique(mesh.faces)], check).distance.max(),
        to_mesh(reference.vertices[np.unique(reference.faces)], check).distance.max(),
    )
    return Surfaces(
        chamfer=float((forward.distance.mean() + backward.distance.mean()) / 2),
        hausdorff=float(max(forward.distance.max(), backward.distance.max(), *corners)),
        normal_error=float(angles.mean()),
        f_score=float(2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0,
        forward=forward.distance,
        backward=backward.distance,
    )


def score_mesh(
    mesh: Mesh,
    reference: Mesh,
    rng: np.random.Generator,
    points: int = 50_000,
    samples: int = 20_000,
    check: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """The scores of a reconstructed mesh against its reference, by name.

    ``IoU`` is left out (NaN) when one of them is not closed. Raises UserError when one has no face.
    """
    need_faces(mesh, reference)
    surfaces = compare_surfaces(mesh, reference, rng, samples, check=check)
    closed = is_closed(mesh.faces) and is_closed(reference.faces)
    overlap = float("nan")
    if closed:
        low, high = np.stack([mesh.bounds, reference.bounds]).swapaxes(0, 1)
        cloud = random_points(np.stack([low.min(0), high.max(0)]), points, rng)
        overlap = iou(
            inside_mesh(mesh.vertices, mesh.faces, cloud), inside_mesh(reference.vertices, reference.faces, cloud)
        )
    return {
        "IoU": overlap,
        "Chamfer distance": surfaces.chamfer,
        "Hausdorff distance": surfaces.hausdorff,
        "Normal error": surfaces.normal_error,
        "F-score at 1 %": surfaces.f_score,
        "Volume": volume(mesh.vertices, mesh.faces),
        "Reference volume": volume(reference.vertices, reference.faces),
        "Euler characteristic": euler_characteristic(mesh.faces),
        "Reference Euler characteristic": euler_characteristic(reference.faces),
        "Watertight": float(is_watertight(mesh.faces)),
    }


def score_table(rows: Sequence[Mapping[str, float]], names: Sequence[str], unit: str = "", title: str = "") -> Table:
    """One row for each surface: its name, then the scores of :func:`score_mesh`."""
    columns: dict[str, np.ndarray] = {"Surface": np.array(list(names), dtype=str)}
    columns |= {key: np.array([row[key] for row in rows], float) for key in (rows[0] if rows else ())}
    cubic = f"{unit}³" if unit else ""
    units = {"Chamfer distance": unit, "Hausdorff distance": unit, "Volume": cubic, "Reference volume": cubic}
    units["Normal error"] = "°"
    return Table(columns=columns, units={k: u for k, u in units.items() if u and k in columns}, name=title or "Scores")


def need_faces(*meshes: Mesh) -> None:
    """Raises UserError for a mesh without triangles or without area."""
    for mesh in meshes:
        if not len(mesh.faces) or not np.ptp(mesh.vertices[mesh.faces].reshape(-1, 3), axis=0).any():
            raise UserError(
                f"The mesh '{mesh.name or 'without a name'}' has no surface.",
                f"It has {len(mesh.vertices):,} vertices and {len(mesh.faces):,} triangles.",
                "Choose a mesh with triangles.",
            )
