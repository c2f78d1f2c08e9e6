"""Rigged hands to glTF 2.0: skinned, so that other programs can pose them, or frozen in a pose.

World = scale G_j(pose) G_j(0)^-1 v + translation becomes a node for each joint at its place relative to its parent,
which the pose turns, below one node that carries scale and translation; the inverse bind matrices move by -joint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.rotations import axis_angle_to_quaternion
from engines.core import Param, Params, UserError
from engines.data import PoseSequence, RiggedTemplate
from engines.files.glb import GlbWriteOptions, write_glb
from engines.files.gltf_building import INDICES, VERTICES, GlbBuilder
from engines.files.hand_bodies import HAND_TYPES, Hand, body_of, chosen_poses
from engines.files.registry import writer


class RiggedGlbWriteOptions(Params):
    content: Literal["rigged", "as posed"] = Param(
        "rigged", help="With joints, to be posed by other programs, or one pose as a mesh that every program shows so"
    )
    pose: int | None = Param(
        None, ge=1, empty="at rest", help="Number of the pose in which it stands, of its own or of the file below"
    )
    animation: bool = Param(True, help="Put the poses in as an animation, where there are any and it is rigged")
    poses: str = Param("", help="CSV or JSON with poses to use instead of its own")
    influences: Literal["4", "all"] = Param(
        "4", help="Joints that move a vertex: every program reads 4; all keep its weights exact", advanced=True
    )


@writer(
    key="rigged-glb",
    title="Rigged glTF",
    extensions=(".glb",),
    takes=HAND_TYPES,
    options=RiggedGlbWriteOptions,
)
def write_rigged_glb(hand: Hand, path: Path, options: RiggedGlbWriteOptions) -> None:
    """Positions are stored in float32, as the format has them.

    Of an avatar the mean surface and colours are rigged; frozen in a pose it has those of that pose.
    """
    body, poses = body_of(hand), chosen_poses(hand, options.poses)
    number = None if options.pose is None else options.pose - 1
    if number is not None and (poses is None or number >= len(poses)):
        have = f"There are {len(poses):,}." if poses is not None else "It has no poses of its own."
        raise UserError(f"There is no pose number {options.pose:,}.", have, "Choose another, or leave it out.")
    if options.content == "as posed":
        write_glb(body.mesh(None if number is None else poses, number or 0), path, GlbWriteOptions())
        return
    moves = poses if options.animation and poses is not None and len(poses) > 1 else None
    most = 4 if options.influences == "4" else len(body.mean.joints)
    path.write_bytes(rigged_glb(body.mean, poses, number, moves, most))


def rigged_glb(
    template: RiggedTemplate,
    poses: PoseSequence | None = None,
    stands: int | None = None,
    moves: PoseSequence | None = None,
    influences: int = 4,
) -> bytes:
    """A GLB of a skinned template: it stands in pose ``stands`` of ``poses``, or at rest, and moves as ``moves``."""
    made = GlbBuilder()
    joints, parents = template.joints, template.parents
    local = joints - np.where(parents[:, None] >= 0, joints[parents], 0)
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(template.joint_names):
        below = np.flatnonzero(parents == joint).tolist()
        nodes.append({"name": name, "translation": local[joint].tolist()} | ({"children": below} if below else {}))
    top, mesh = len(nodes), len(nodes) + 1
    nodes.append({"name": "Hand", "children": [0]})
    nodes.append({"name": template.name or "hand", "mesh": 0, "skin": 0})
    if poses is not None and stands is not None:
        for node, turn in zip(nodes, _quaternions(poses.rotations[stands]), strict=False):
            node["rotation"] = turn.tolist()
        nodes[top] |= {"translation": poses.translations[stands].tolist(), "scale": [float(poses.scales[stands])] * 3}
    attributes = {
        "POSITION": made.add(template.vertices.astype("<f4"), VERTICES),
        "NORMAL": made.add(_normals(template), VERTICES),
    }
    if template.colors is not None:
        attributes["COLOR_0"] = made.add(template.colors, VERTICES, fractions=True)
    for group, (numbers, shares) in enumerate(_influences(template.weights, influences)):
        attributes[f"JOINTS_{group}"] = made.add(numbers, VERTICES)
        attributes[f"WEIGHTS_{group}"] = made.add(shares, VERTICES)
    indices = made.add(template.faces.astype("<u4").reshape(-1, 1), INDICES)
    bind = np.tile(np.eye(4), (len(joints), 1, 1))
    bind[:, :3, 3] = -joints
    document: dict[str, Any] = {
        "scene": 0,
        "scenes": [{"nodes": [top, mesh]}],
        "nodes": nodes,
        "meshes": [
            {"name": template.name or "hand", "primitives": [{"attributes": attributes, "indices": indices, "mode": 4}]}
        ],
        "skins": [
            {
                "joints": list(range(len(joints))),
                "skeleton": 0,
                "inverseBindMatrices": made.add(bind.transpose(0, 2, 1).reshape(-1, 16).astype("<f4")),
            }
        ],
    }
    if moves is not None:
        document["animations"] = [_animation(made, moves, top)]
    return made.file(document)


def _influences(weights: np.ndarray, most: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Groups of four joints (V, 4) uint16 and their shares (V, 4) float32, the largest first, that sum to 1."""
    width = min(most, max(1, int((weights > 1e-9).sum(1).max(initial=1))))
    order = np.argsort(-weights, axis=1, kind="stable")[:, :width]
    shares = np.take_along_axis(weights, order, axis=1)
    shares /= shares.sum(1, keepdims=True)
    spare = ((0, 0), (0, -width % 4))
    order, shares = np.pad(np.where(shares > 0, order, 0), spare), np.pad(shares, spare)
    groups = range(0, shares.shape[1], 4)
    return [(order[:, g : g + 4].astype("<u2"), shares[:, g : g + 4].astype("<f4")) for g in groups]


def _normals(template: RiggedTemplate) -> np.ndarray:
    vertices = torch.from_numpy(np.array(template.vertices, np.float64))
    found = VertexNormals(template.faces, len(vertices))(vertices).numpy()
    return np.where(np.abs(found).sum(1, keepdims=True) > 0, found, [0.0, 0, 1]).astype("<f4")


def _quaternions(rotations: np.ndarray) -> np.ndarray:
    """(..., 4) x, y, z, w of axis-angles (..., 3)."""
    wxyz = axis_angle_to_quaternion(torch.from_numpy(np.array(rotations, np.float64))).numpy()
    return wxyz[..., [1, 2, 3, 0]]


def _animation(made: GlbBuilder, moves: PoseSequence, top: int) -> dict[str, Any]:
    """The poses one after the other; between them the nodes turn the short way."""
    times = made.add((np.arange(len(moves)) / moves.rate).astype("<f4")[:, None])
    turns = _quaternions(moves.rotations)
    back = np.cumprod(np.where((turns[1:] * turns[:-1]).sum(-1) < 0, -1.0, 1.0), axis=0)
    turns[1:] *= back[..., None]
    tracks = [(joint, "rotation", turns[:, joint]) for joint in range(turns.shape[1])]
    tracks += [(top, "translation", moves.translations), (top, "scale", np.repeat(moves.scales[:, None], 3, axis=1))]
    samplers = [{"input": times, "interpolation": "LINEAR", "output": made.add(v.astype("<f4"))} for *_, v in tracks]
    channels = [{"sampler": i, "target": {"node": node, "path": what}} for i, (node, what, _) in enumerate(tracks)]
    return {"name": "poses", "samplers": samplers, "channels": channels}
