"""What is rigged in a glTF document: skinned triangles, and the joints that move them where they were bound.

A skinned vertex is sum_j w_j M_j B_j v with M_j the place of joint j in the scene and B_j its inverse bind matrix
(glTF 2.0, sec. 3.7.3.3). Where M_j B_j is the same for all joints the scene stands as it was bound, and it is taken as
it stands. Otherwise it is posed: the pose in which it was bound is at inv(B_j).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.files import guard
from engines.files.gltf_document import Arrays, index_of, node_matrix
from engines.files.triangles import checked_faces, equal_rows, finite

MOST_JOINTS, MOST_NODES = 2000, 100_000
MOST_CORNERS = 20_000_000
SAME_WEIGHTS = 1e-3
"""Vertices at one place become one if their weights differ by less: they are the two sides of a seam."""
AS_BOUND = 1e-4
"""Joints stand where they were bound if none is further off, as a part of the size of the skeleton."""


@dataclass(frozen=True)
class Skeleton:
    """``frames`` (J, 4, 4) are where the joints were bound, parents first; those without a parent have -1."""

    names: tuple[str, ...]
    frames: np.ndarray
    parents: np.ndarray


@dataclass(frozen=True)
class Rig:
    """What was bound to a skeleton. ``weights`` (V, J) sum to 1."""

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    colors: np.ndarray | None
    skeleton: Skeleton
    names: tuple[str, ...]
    """What the skinned things are called, which may tell the side of the body."""


def rig_in(path: Path, document: dict[str, Any], buffers: list[bytes], problems: list[str]) -> Rig | None:
    """Everything that has a skin; None where nothing has. Wrong structure raises KeyError, TypeError and their like."""
    arrays = Arrays(path, document, buffers)
    nodes = document.get("nodes", [])
    if len(nodes) > MOST_NODES:
        raise guard.refuse(path, "is too large.", f"Its scene has {len(nodes):,} nodes; {MOST_NODES:,} are read.")
    skinned = [node for node in nodes if "skin" in node and "mesh" in node]
    if not skinned:
        return None
    above = _above(path, nodes)
    numbers = list(dict.fromkeys(index_of(node["skin"]) for node in skinned))
    skins = [document["skins"][number] for number in numbers]
    order = list(dict.fromkeys(index_of(joint) for skin in skins for joint in skin["joints"]))
    if len(order) > MOST_JOINTS or not order:
        raise guard.refuse(path, f"has {len(order):,} joints.", f"1 to {MOST_JOINTS:,} are read.")
    order = _parents_first(above, order)
    place = _places(nodes, above, order)
    bound, moves = _bound(path, arrays, skins, order, place, problems)
    skeleton = Skeleton(_names(nodes, order), bound, _parents(above, order))
    rows = [[order.index(joint) for joint in skin["joints"]] for skin in skins]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]] = []
    for node in skinned:
        skin = numbers.index(node["skin"])
        for primitive in document["meshes"][index_of(node["mesh"])]["primitives"]:
            part = _part(path, arrays, primitive, rows[skin], len(order), sum(len(p[0]) + 3 * len(p[1]) for p in parts))
            if part is not None:
                move = moves[skin]
                turned = part[1][:, ::-1] if np.linalg.det(move[:3, :3]) < 0 else part[1]  # a mirror turns faces round
                parts.append((_moved(part[0], move), turned, *part[2:]))
    if not parts:
        return None
    names = [str(x.get("name", "")) for x in (*skinned, *skins)]
    return _joined(path, parts, skeleton, tuple(names), problems)


def _above(path: Path, nodes: list[dict[str, Any]]) -> list[int]:
    """The parent of each node, -1 for roots."""
    above = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            above[index_of(child)] = number
    for number in range(len(nodes)):
        if _depth(above, number) > 1000:
            raise guard.refuse(path, "has a scene that is nested too deeply.", "Its nodes may contain each other.")
    return above


def _depth(above: list[int], node: int) -> int:
    depth = 0
    while above[node] >= 0 and depth <= 1000:
        node, depth = above[node], depth + 1
    return depth


def _parents_first(above: list[int], listed: list[int]) -> list[int]:
    """As they are listed, but for parents that come after their children."""
    joints = set(listed)
    found: dict[int, None] = {}
    for joint in listed:
        line, node = [], joint
        while node >= 0 and node not in found:
            line += [node] if node in joints else []
            node = above[node]
        found |= dict.fromkeys(reversed(line))
    return list(found)


def _places(nodes: list[dict[str, Any]], above: list[int], order: list[int]) -> np.ndarray:
    """(J, 4, 4) from the space of each joint to that of the scene."""
    known: dict[int, np.ndarray] = {}
    for joint in order:
        line = [joint]
        while above[line[-1]] >= 0 and line[-1] not in known:
            line.append(above[line[-1]])
        for node in reversed(line):
            if node not in known:
                own = node_matrix(nodes[node])
                known[node] = known[above[node]] @ own if above[node] >= 0 else own
    return np.stack([known[joint] for joint in order])


def _parents(above: list[int], order: list[int]) -> np.ndarray:
    """The nearest joint above each joint."""
    rank = {joint: number for number, joint in enumerate(order)}
    found = []
    for joint in order:
        node = above[joint]
        while node >= 0 and node not in rank:
            node = above[node]
        found.append(rank.get(node, -1))
    return np.array(found, np.int32)


def _names(nodes: list[dict[str, Any]], order: list[int]) -> tuple[str, ...]:
    """Each joint's name, made different where two have the same."""
    found: list[str] = []
    for number, joint in enumerate(order):
        name = str(nodes[joint].get("name") or f"joint{number}")[:200]
        found.append(name if name not in found else f"{name} ({number})")
    return tuple(found)


def _bound(
    path: Path, arrays: Arrays, skins: list[dict[str, Any]], order: list[int], place: np.ndarray, problems: list[str]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """(J, 4, 4) where the joints were bound, and for each skin the (4, 4) that takes its vertices there."""
    inverses = []
    for skin in skins:
        rows = [order.index(joint) for joint in skin["joints"]]
        given = np.tile(np.eye(4), (len(rows), 1, 1))
        if "inverseBindMatrices" in skin:
            flat = arrays.raw(skin["inverseBindMatrices"], 16).astype(np.float64)
            given = flat[: len(rows)].reshape(-1, 4, 4).transpose(0, 2, 1)  # columns first
        if len(given) != len(rows) or not np.isfinite(given).all() or (np.abs(np.linalg.det(given)) < 1e-30).any():
            raise guard.refuse(path, "has a skeleton that cannot be used.", "A bind matrix is missing or flat.")
        inverses.append((rows, given))
    span = max(1e-12, float(np.ptp(place[:, :3, 3], axis=0).max()))
    together = [place[rows] @ given for rows, given in inverses]
    if all(_alike(m, span) for m in together):
        return place, [m[0] for m in together]
    problems.append("It stands in another pose than the one it was rigged in; the latter was taken.")
    bound = np.zeros_like(place)
    known = np.zeros(len(order), bool)
    moves = []
    for rows, given in inverses:
        own = np.linalg.inv(given)
        shared = next((k for k, row in enumerate(rows) if known[row]), None)
        # Skins of one skeleton may have been bound in different spaces; a joint that both have says how they lie.
        scale = np.abs(np.linalg.det(place[rows[0], :3, :3] @ given[0, :3, :3])) ** (1 / 3)
        move = np.diag([scale, scale, scale, 1]) if shared is None else bound[rows[shared]] @ given[shared]
        fresh = [k for k, row in enumerate(rows) if not known[row]]
        new = [rows[k] for k in fresh]
        bound[new], known[new] = (move @ own)[fresh], True
        moves.append(move)
    return bound, moves


def _alike(matrices: np.ndarray, span: float) -> bool:
    off = np.abs(matrices - matrices[0]).max(axis=0)
    return bool(off[:3, :3].max() < 1e-3 and off[:3, 3].max() < max(AS_BOUND * span, 1e-9))


def _moved(vertices: np.ndarray, by: np.ndarray) -> np.ndarray:
    if np.abs(by - np.eye(4)).max() < 1e-6:
        return vertices  # they keep their bits
    return vertices @ by[:3, :3].T + by[:3, 3]


def _part(
    path: Path, arrays: Arrays, primitive: dict[str, Any], rows: list[int], count: int, before: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None] | None:
    """Vertices, faces, weights for all joints and colours of one primitive; None where it is no surface."""
    from engines.files.glb import colors_of, triangles_of

    if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
        raise guard.refuse(path, "is packed with Draco.", "", "Export it without mesh compression.")
    if primitive.get("mode", 4) not in (4, 5, 6):
        return None
    attributes = primitive["attributes"]
    vertices = finite(path, arrays.numbers(attributes["POSITION"], 3).astype(np.float64))
    corners = np.arange(len(vertices))
    if "indices" in primitive:
        corners = arrays.raw(primitive["indices"], 1).astype(np.int64).reshape(-1)
    if before + len(vertices) + len(corners) > MOST_CORNERS:
        raise guard.refuse(path, "is too large.", f"Its scene has more than {MOST_CORNERS:,} skinned corners.")
    guard.room(path, 16 * len(vertices) * count)
    weights = np.zeros((len(vertices), count))
    every = np.arange(len(vertices))
    for group in range(8):
        if f"JOINTS_{group}" not in attributes:
            break
        joints = arrays.raw(attributes[f"JOINTS_{group}"], 4).astype(np.int64)
        shares = arrays.numbers(attributes[f"WEIGHTS_{group}"], 4).astype(np.float64)
        if len(joints) != len(vertices) or len(shares) != len(vertices):
            raise ValueError("joints and weights are not as many as vertices")
        if joints.min() < 0 or joints.max() >= len(rows):
            raise guard.refuse(
                path,
                "binds a vertex to a joint that does not exist.",
                f"Joint {int(joints.max())} of {len(rows)}.",
                "Repair it in the program that it was rigged in.",
            )
        if not np.isfinite(shares).all() or shares.min() < 0:
            raise guard.refuse(
                path,
                "has weights that are negative or not finite.",
                "They say what share of a vertex's motion comes from each joint.",
                "Normalise the weights in the program that it was rigged in.",
            )
        for k in range(4):
            np.add.at(weights, (every, np.asarray(rows)[joints[:, k]]), shares[:, k])
    faces = checked_faces(path, triangles_of(corners, primitive.get("mode", 4)), len(vertices))
    return vertices, faces, weights, colors_of(arrays, attributes)


def _joined(
    path: Path,
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]],
    skeleton: Skeleton,
    names: tuple[str, ...],
    problems: list[str],
) -> Rig:
    starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    vertices = np.concatenate([part[0] for part in parts])
    faces = np.concatenate([part[1] + start for part, start in zip(parts, starts, strict=True)])
    weights = np.concatenate([part[2] for part in parts])
    colors = [part[3] for part in parts if part[3] is not None]
    sums = weights.sum(1)
    off, free = np.abs(sums - 1), sums <= 1e-9
    if (off > 1e-3).any():
        problems.append(
            f"The weights of {int((off > 1e-3).sum()):,} vertices miss 1, by up to {off.max():.2g}: "
            "they were normalised."
        )
    if free.any():
        problems.append(f"{int(free.sum()):,} vertices hang on no joint; they follow the root.")
        weights[free, 0], sums[free] = 1.0, 1.0
    weights /= sums[:, None]
    first, where = welded(vertices, weights)
    return Rig(
        vertices[first], where[faces].astype(np.int32), weights[first],
        np.concatenate(colors)[first] if len(colors) == len(parts) else None, skeleton, names,
    )  # fmt: skip


def welded(vertices: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first vertex of each place, and which of them each vertex became: a seam of a texture is no seam of the
    surface. Vertices at one place that hang on different joints stay apart."""
    places = vertices.astype(np.float32) + np.float32(0)
    first, where = equal_rows(places)
    off = np.abs(weights - weights[first][where]).max(1) > SAME_WEIGHTS
    if not off.any():
        return first, where
    torn = np.zeros(len(first), bool)
    torn[where[off]] = True
    return equal_rows(places, np.where(torn[where, None], np.round(weights / SAME_WEIGHTS), 0).astype(np.int32))
