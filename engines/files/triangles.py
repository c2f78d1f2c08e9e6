"""What the mesh formats share: numbers from text, fans, merging of equal vertices, index checks."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from engines.blocks.mesh_topology import equal_rows
from engines.files import guard


def numbers(text: bytes) -> np.ndarray | None:
    """All whitespace-separated numbers as float64, or None if anything else is among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def first_bad_line(lines: list[tuple[int, bytes]]) -> tuple[int, str]:
    """The first numbered line that does not consist of finite numbers (for a message)."""
    for number, line in lines:
        found = numbers(line)
        if found is None or not np.isfinite(found).all():
            return number, line.decode("utf-8", "replace").strip()[:60]
    return 0, ""


def finite(path: Path, vertices: np.ndarray, what: str = "vertex") -> np.ndarray:
    """``vertices`` (n, 3) as float64, refused when a coordinate is NaN or infinite."""
    good = np.isfinite(vertices).all(1)
    if not good.all():
        bad = int(np.flatnonzero(~good)[0])
        raise guard.refuse(
            path,
            f"has coordinates that are not finite at {what} {bad}.",
            f"{int((~good).sum()):,} of {len(good):,} are NaN or infinite.",
            "Repair the file in the program that made it.",
        )
    return np.asarray(vertices, dtype=np.float64)


def checked_faces(path: Path, faces: np.ndarray, vertex_count: int) -> np.ndarray:
    """(F, 3) int32; indices must point to vertices."""
    if len(faces) and (faces.min() < 0 or faces.max() >= vertex_count):
        bad = int(np.flatnonzero(((faces < 0) | (faces >= vertex_count)).any(1))[0])
        raise guard.refuse(
            path,
            f"has a face (near face {bad}) that points to a vertex that does not exist.",
            f"Its indices are {', '.join(map(str, faces[bad]))}; there are {vertex_count:,} vertices.",
            "Repair the file in the program that made it.",
        )
    return faces.astype(np.int32)


def fan(corners: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(F, 3) triangles from polygons: flat vertex indices ``corners`` and ``counts`` per polygon.

    Polygons with fewer than three corners give none; the order of the polygons is kept.
    """
    counts = np.asarray(counts, dtype=np.int64)
    if len(counts) and (counts == 3).all():
        return np.asarray(corners).reshape(-1, 3)
    starts = np.cumsum(counts) - counts
    pieces = np.maximum(counts - 2, 0)
    origin = np.repeat(starts, pieces)
    step = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.asarray(corners)[np.stack([origin, origin + step + 1, origin + step + 2], axis=1)]


def merge_equal(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of float32 ``vertices`` (n, 3) in the order of first appearance, and where each row went."""
    vertices = np.ascontiguousarray(vertices, dtype=np.float32) + np.float32(0)  # -0 becomes 0
    first, where = equal_rows(vertices)
    return vertices[first], where
