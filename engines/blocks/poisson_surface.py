"""A triangle mesh through points with normals: screened Poisson reconstruction, then fewer triangles (Open3D).

The indicator function chi minimises  integral |grad chi - V|^2 dx + alpha sum_i (chi(p_i) - 1/2)^2  with V the normals
smeared out (Kazhdan and Hoppe 2013); the surface is chi = 1/2. Where no or few points support it, it is cut away. Then
edges are collapsed in the order of their quadric error (Garland and Heckbert 1997).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.mesh_topology import face_areas

BOX = 1.1
"""The octree's cube is larger than the points by this (Open3D's default)."""
SPACED_BY = 8
SPACINGS = 2.0


class ColouredSurface(NamedTuple):
    """Vertices (V, 3), faces (F, 3) and RGB colours (V, 3) in [0, 1]; the share of the mesh that was cut away."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    cut: float = 0.0


def inliers(points: np.ndarray, neighbours: int = 20, deviations: float = 20.0) -> np.ndarray:
    """(N,) bool: points whose mean distance to their neighbours is not larger than usual by so many deviations."""
    if len(points) <= neighbours:
        return np.ones(len(points), bool)
    apart = cKDTree(points).query(points, k=neighbours)[0].mean(1)
    return np.asarray(apart <= apart.mean() + deviations * apart.std())


def poisson_surface(
    points: np.ndarray, normals: np.ndarray, colours: np.ndarray, depth: int, trimmed: float, reach: float,
    triangles: int,
) -> ColouredSurface:  # fmt: skip
    """The surface through points (N, 3) with outward normals (N, 3) and RGB colours (N, 3) in [0, 1].

    ``depth``: 2^depth cells along the box; ``trimmed``: the share of vertices, those least supported by points, that
    is cut away; ``reach``: so are those farther from all points than this, in cells (:func:`unsupported`), unless it is
    0; ``triangles``: at most so many are left. One thread, so it repeats exactly. Empty if nothing is found.
    """
    import open3d as o3d

    low, high = points.min(0), points.max(0)
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low)) or 1.0
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector((points - centre) / size))
    cloud.normals = o3d.utility.Vector3dVector(normals)
    cloud.colors = o3d.utility.Vector3dVector(colours)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        mesh, support = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth, n_threads=1)
        whole = max(1, len(mesh.vertices))
        if trimmed > 0 and len(support):
            support = np.asarray(support)
            mesh.remove_vertices_by_mask(support < np.quantile(support, trimmed))
        if reach > 0 and len(mesh.vertices):
            cell = BOX * float(np.ptp(points, axis=0).max()) / size / 2**depth
            mesh.remove_vertices_by_mask(unsupported(np.asarray(mesh.vertices), np.asarray(cloud.points), reach * cell))
        cut = 1 - len(mesh.vertices) / whole
        if len(mesh.triangles) > triangles:
            mesh = mesh.simplify_quadric_decimation(triangles)
        mesh.remove_degenerate_triangles()
        mesh.remove_duplicated_triangles()
        mesh.remove_duplicated_vertices()
        mesh.remove_non_manifold_edges()
        mesh.remove_unreferenced_vertices()
    vertices = np.asarray(mesh.vertices, float) * size + centre
    faces = without_slivers(vertices, np.asarray(mesh.triangles, np.int32).reshape(-1, 3))
    used, renumbered = np.unique(faces, return_inverse=True)
    shown = np.asarray(mesh.vertex_colors, float).reshape(-1, 3)
    shown = shown if len(shown) == len(vertices) else np.full((len(vertices), 3), 0.5)
    faces = renumbered.reshape(-1, 3).astype(np.int32)
    return ColouredSurface(vertices[used], faces, np.clip(shown[used], 0, 1), cut)


def unsupported(vertices: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    """(V,) bool: vertices that lie farther than ``reach`` from all points.

    Where points are sparse, ``reach`` grows to what lies between them: twice the distance from the nearest point to
    its own eighth neighbour. An edge of the points, with nothing beyond, does not look sparse to it, so what an open
    surface grows there goes.
    """
    tree = cKDTree(points)
    near = min(SPACED_BY, len(points) - 1)
    away, nearest = tree.query(vertices)
    beyond = np.flatnonzero(away > reach)
    spacing = tree.query(points[nearest[beyond]], k=[near + 1])[0][:, 0] if near > 0 else np.zeros(len(beyond))
    far = np.zeros(len(vertices), bool)
    far[beyond[away[beyond] > SPACINGS * spacing]] = True
    return far


def without_slivers(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The faces that have an area."""
    if not len(faces):
        return faces
    corners = vertices[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    return np.asarray(faces[face_areas(vertices, faces) > 1e-10 * longest**2])


def joined(parts: list[ColouredSurface]) -> ColouredSurface:
    """Several surfaces as one."""
    shifts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = [part.faces + shift for part, shift in zip(parts, shifts, strict=True)]
    return ColouredSurface(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([part.colours for part in parts]),
    )
