"""The surface of a hand in any pose, whatever kind of hand it is: what the writers of hands have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import HandCapture, Mesh, PoseSequence, RiggedTemplate
from engines.files.pose_files import poses_in

Hand = RiggedTemplate | HandCapture
HAND_TYPES: tuple[type[Hand], ...] = (RiggedTemplate, HandCapture)


@dataclass(frozen=True)
class TemplateBody:
    """A template moves by linear blend skinning; its colours stay."""

    mean: RiggedTemplate
    """What can be rigged: the surface at rest."""

    def mesh(self, poses: PoseSequence | None, number: int = 0) -> Mesh:
        """In a pose (from 0) of a sequence for the joints of this template, or at rest. Float64."""
        found = self.mean.mesh
        if poses is None:
            return found
        rest, weights, joints, turns = (
            torch.from_numpy(np.array(a, np.float64))
            for a in (self.mean.vertices, self.mean.weights, self.mean.joints, poses.rotations[number])
        )
        posed = skin(rest, weights, joint_transforms(turns, joints, self.mean.parents)).numpy()
        return found.replace(vertices=poses.scales[number] * posed + poses.translations[number])


def body_of(hand: Hand) -> TemplateBody:
    return TemplateBody(hand.template if isinstance(hand, HandCapture) else hand)


def chosen_poses(hand: Hand, file: str) -> PoseSequence | None:
    """The poses in a file, or else the hand's own, with the joints in the order of its template; None without any."""
    template = hand.template if isinstance(hand, HandCapture) else hand
    own = hand.poses if isinstance(hand, HandCapture) else None
    found = poses_in(Path(file.strip()).expanduser())[0] if file.strip() else own
    return None if found is None else found.for_joints(template.joint_names)
