"""The surface of a hand in any pose, whatever kind of hand it is: what the writers of hands have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import HandAvatar, HandCapture, Mesh, PoseSequence, RiggedTemplate
from engines.files.pose_files import poses_in

Hand = RiggedTemplate | HandCapture | HandAvatar
HAND_TYPES: tuple[type[Hand], ...] = (RiggedTemplate, HandCapture, HandAvatar)


class Body(Protocol):
    @property
    def mean(self) -> RiggedTemplate:
        """What can be rigged: a surface at rest."""
        ...

    def mesh(self, poses: PoseSequence | None, number: int = 0) -> Mesh:
        """In a pose (from 0) of a sequence for the joints of this hand, or at rest."""
        ...


@dataclass(frozen=True)
class TemplateBody:
    """A template moves by linear blend skinning; its colours stay."""

    mean: RiggedTemplate

    def mesh(self, poses: PoseSequence | None, number: int = 0) -> Mesh:
        found = self.mean.mesh
        if poses is None:
            return found
        rest, weights, joints, turns = (
            torch.from_numpy(np.array(a, np.float64))
            for a in (self.mean.vertices, self.mean.weights, self.mean.joints, poses.rotations[number])
        )
        posed = skin(rest, weights, joint_transforms(turns, joints, self.mean.parents)).numpy()
        return found.replace(vertices=poses.scales[number] * posed + poses.translations[number])


class AvatarBody:
    """An avatar's surface, colours and weights follow the pose; what can be rigged are their means."""

    def __init__(self, artifact: HandAvatar) -> None:
        from engines.blocks.avatars.avatar import Avatar

        self._avatar = Avatar.of(artifact)
        self._name = artifact.name
        found = self._avatar
        with torch.no_grad():
            weights = found.weights.mean.double().softmax(1).numpy()
            self.mean = artifact.template.replace(
                name=artifact.name,
                vertices=artifact.template.vertices + found.displacement.mean.double().numpy(),
                weights=weights / weights.sum(1, keepdims=True),
                colors=_rgba(found.albedo.mean.sigmoid()),
            )

    def mesh(self, poses: PoseSequence | None, number: int = 0) -> Mesh:
        if poses is None:
            return self.mean.mesh
        posed = self._avatar.pose(poses.rotations[number], poses.translations[number], float(poses.scales[number]))
        return Mesh(
            name=self._name, vertices=posed.vertices.double().numpy(), faces=self.mean.faces,
            colors=_rgba(posed.albedo), unit="m",
        )  # fmt: skip


def _rgba(albedo: torch.Tensor) -> np.ndarray:
    """(N, 4) uint8."""
    rgb = (255 * albedo.clamp(0, 1)).round().to(torch.uint8).numpy()
    return np.concatenate([rgb, np.full((len(rgb), 1), 255, np.uint8)], axis=1)


def template_of(hand: Hand) -> RiggedTemplate:
    return hand if isinstance(hand, RiggedTemplate) else hand.template


def body_of(hand: Hand) -> Body:
    """Raises :class:`UserError` for an avatar whose parts do not fit together."""
    return AvatarBody(hand) if isinstance(hand, HandAvatar) else TemplateBody(template_of(hand))


def chosen_poses(hand: Hand, file: str) -> PoseSequence | None:
    """The poses in a file, or else the hand's own, with the joints in the order of its template; None without any."""
    own = None if isinstance(hand, RiggedTemplate) else hand.poses
    found = poses_in(Path(file.strip()).expanduser())[0] if file.strip() else own
    return None if found is None else found.for_joints(template_of(hand).joint_names)
