"""Parts of a mesh: choosing vertices, and moving, turning and scaling them.

A part with the pivot c goes where

    p' = c + w t + R(w r) S^w (p - c)

takes it: t is the shift, r the rotation vector of the turn, S the scales along x, y and z, w the weight of a vertex.
It is 1 in the part and falls to 0 smoothly within the falloff: 1 - 3 u² + 2 u³ for u = distance to the part / falloff.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from engines.blocks.mesh_topology import edges_of
from engines.core import Param, Params, UserError

ALL = "all"
PACKED = "bits:"
MOST_RANGES = 400
"""More of them than this are packed."""


class PartParams(Params):
    """Which vertices, and where they go."""

    vertices: str = Param(ALL, help="Numbers and ranges, such as 0-41, 57; or all", source="own")
    move: tuple[float, float, float] = Param((0.0, 0.0, 0.0), help="Along x, y and z", source="own")
    turn: tuple[float, float, float] = Param(
        (0.0, 0.0, 0.0), help="About the x, y and z axis of the scene, one after the other", unit="°", source="own"
    )
    scale: tuple[float, float, float] = Param(
        (1.0, 1.0, 1.0), gt=0, help="Along x, y and z, before it is turned", source="own"
    )
    pivot: tuple[float, ...] = Param(
        (), help="The point that turning and scaling leave where it is. Empty: the middle of the part", source="own"
    )
    falloff: float = Param(
        0.0, ge=0, source="own", help="How far around the part vertices follow, less and less. 0: none do"
    )


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a part goes. ``turn`` (3, 3) is a rotation; all in world units."""

    pivot: np.ndarray
    move: np.ndarray = field(default_factory=lambda: np.zeros(3))
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    scale: np.ndarray = field(default_factory=lambda: np.ones(3))

    @property
    def is_none(self) -> bool:
        """Whether everything stays where it is."""
        still = np.abs(self.move).max() == 0 and np.abs(self.turn - np.eye(3)).max() < 1e-12
        return bool(still and np.abs(self.scale - 1).max() == 0)

    @property
    def degrees(self) -> np.ndarray:
        """(3,) of the turn about the axes of the scene, x first."""
        return np.asarray(Rotation.from_matrix(self.turn).as_euler("xyz", degrees=True))


def turned_by(degrees: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """(3, 3) of turns about the axes of the scene, x first."""
    return np.asarray(Rotation.from_euler("xyz", degrees, degrees=True).as_matrix())


def placed(vertices: np.ndarray, weights: np.ndarray, placement: Placement) -> np.ndarray:
    """(V, 3) float64 after the placement; ``weights`` (V,) from 0 to 1. Vertices of weight 0 keep every bit."""
    moved = np.array(vertices, np.float64)
    there = np.flatnonzero(weights > 0)
    if placement.is_none or not len(there):
        return moved
    w = np.asarray(weights, np.float64)[there, None]
    local = moved[there] - placement.pivot
    if (w == 1).all():
        local = (local * placement.scale) @ placement.turn.T
    else:
        turn = Rotation.from_rotvec(w * Rotation.from_matrix(placement.turn).as_rotvec())
        local = turn.apply(local * placement.scale**w)
    moved[there] = placement.pivot + w * placement.move + local
    return moved


def weights_of(vertices: np.ndarray, part: np.ndarray, falloff: float = 0.0) -> np.ndarray:
    """(V,) float64: 1 in the part (V,) bool, less around it."""
    weights = part.astype(np.float64)
    if falloff > 0 and part.any() and not part.all():
        others = np.flatnonzero(~part)
        distance, _ = cKDTree(vertices[part]).query(vertices[others], distance_upper_bound=falloff)
        u = np.minimum(distance / falloff, 1.0)
        weights[others] = 1 - u * u * (3 - 2 * u)
    return weights


def pieces(faces: np.ndarray, count: int) -> np.ndarray:
    """(V,) the number of the connected piece that each of ``count`` vertices belongs to."""
    ends = edges_of(faces)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def grown(part: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(V,) bool: the part and its neighbours."""
    a, b = edges.T
    more = part.copy()
    more[b[part[a]]] = True
    more[a[part[b]]] = True
    return more


def shrunk(part: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(V,) bool: the part without those beside others."""
    return ~grown(~part, edges)


# ---- as text ----------------------------------------------------------------------------------------------


def part_text(part: np.ndarray) -> str:
    """A part (V,) bool as text: ``all``, ranges, or packed bits where these are many."""
    if part.all():
        return ALL
    steps = np.diff(part.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    if len(starts) <= MOST_RANGES:
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
    return PACKED + base64.urlsafe_b64encode(zlib.compress(np.packbits(part).tobytes(), 9)).decode()


def part_of(text: str, count: int) -> np.ndarray:
    """(V,) bool of ``count`` vertices. Raises :class:`UserError` for what is no part of them."""
    words = text.strip()
    if words.lower() == ALL:
        return np.ones(count, bool)
    if words.startswith(PACKED):
        return _unpacked(words.removeprefix(PACKED), count)
    part = np.zeros(count, bool)
    for word in words.replace(",", " ").split():
        found = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", word)
        if found is None:
            raise _unfit(f"'{word[:30]}' is neither a number nor a range.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last >= count:
            raise _unfit(f"There is no '{word[:30]}': the mesh has the vertices 0 to {count - 1:,}.")
        part[first : last + 1] = True
    return part


def _unpacked(text: str, count: int) -> np.ndarray:
    size = (count + 7) // 8
    try:
        unpack = zlib.decompressobj()
        found = unpack.decompress(base64.urlsafe_b64decode(text.encode()), size + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise _unfit("Its packed bits are damaged.") from None
    bits = np.unpackbits(np.frombuffer(found, np.uint8))
    if len(found) != size or bits[count:].any():
        raise _unfit(f"It was made for another mesh than this one of {count:,} vertices.")
    return bits[:count].astype(bool)


def _unfit(why: str) -> UserError:
    return UserError("The vertices of the part cannot be found.", why, "Give numbers and ranges such as 0-41, 57.")


# ---- what the methods do ----------------------------------------------------------------------------------


def edited(vertices: np.ndarray, params: PartParams) -> np.ndarray:
    """(V, 3) float64 after an edit. Raises :class:`UserError` when it has no part, or leaves it as it is."""
    part = part_of(params.vertices, len(vertices))
    if not part.any():
        raise UserError("Nothing is chosen.", "The edit has no vertex to move.", "Choose a part of the mesh.")
    if len(params.pivot) not in (0, 3):
        raise UserError(
            f"The pivot has {len(params.pivot)} numbers.", "A point has x, y and z.", "Give three, or leave it empty."
        )
    pivot = np.array(params.pivot) if params.pivot else vertices[part].mean(0)
    placement = Placement(pivot, np.array(params.move), turned_by(params.turn), np.array(params.scale))
    if placement.is_none:
        raise UserError("Nothing would change.", "The part is neither moved nor turned nor scaled.", "Set one of them.")
    return placed(vertices, weights_of(vertices, part, params.falloff), placement)
