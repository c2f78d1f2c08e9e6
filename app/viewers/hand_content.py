"""What a hand view can show of the artifacts that it is given: which hands, in which captured poses. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.viewers.hand_render import Hand
from app.viewers.registry import Shown
from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import Camera
from engines.core import UserError
from engines.data import HandAvatar, HandCapture, PoseSequence, RiggedTemplate


@dataclass(frozen=True, eq=False)
class HandChoice:
    """A hand that can be looked at, and what was captured of it."""

    id: str
    name: str
    hand: Hand
    capture: HandCapture | None = None

    @property
    def template(self) -> RiggedTemplate:
        return self.hand if isinstance(self.hand, RiggedTemplate) else self.hand.template

    @property
    def poses(self) -> PoseSequence | None:
        """That it was captured in: as an avatar refined them, where it has as many."""
        given = self.capture.poses if self.capture is not None else None
        if isinstance(self.hand, HandAvatar) and (given is None or len(given) == len(self.hand.poses)):
            given = self.hand.poses
        return None if given is None else _fitting(given, self.template.joint_names)

    @property
    def home(self) -> HandPose:
        """The pose to start from."""
        return HandPose.of(np.zeros((len(self.template.joints), 3))) if not self.frame_count else self.frame(0)

    @property
    def frame_count(self) -> int:
        return len(self.poses) if self.poses is not None else 0

    def frame(self, index: int) -> HandPose:
        """A captured pose."""
        poses = self.poses
        assert poses is not None
        return HandPose(
            np.array(poses.rotations[index]), np.array(poses.translations[index]), float(poses.scales[index])
        )

    def frame_label(self, index: int) -> str:
        return self.capture.frame_label(index) if self.capture is not None else f"pose {index + 1}"

    @property
    def view_count(self) -> int:
        if self.capture is not None:
            return self.capture.view_count
        return len(self.hand.intrinsics) if isinstance(self.hand, HandAvatar) else 0

    def view_label(self, index: int) -> str:
        if self.capture is not None:
            return self.capture.view_label(index)
        names = self.hand.view_names if isinstance(self.hand, HandAvatar) else ()
        return names[index] if index < len(names) else f"camera {index + 1}"

    def camera(self, frame: int, view: int) -> Camera | None:
        """One of the cameras that it was photographed by; its photo of the frame may be missing."""
        if self.capture is not None:
            photos = self.capture.photos
            index = self.capture.photo(frame, view)
            if index is None:
                found = np.flatnonzero(self.capture.view == view)
                index = int(found[0]) if len(found) else None
            return None if index is None else _camera(photos, index)
        return _camera(self.hand, view) if view < self.view_count else None

    def photo(self, frame: int, view: int) -> int | None:
        """The number of the photo of a frame from a view; None where there is none."""
        return self.capture.photo(frame, view) if self.capture is not None else None


def _camera(holder: object, index: int) -> Camera:
    fx, fy, cx, cy = (float(v) for v in holder.intrinsics[index])  # type: ignore[attr-defined]
    width, height = (int(v) for v in holder.sizes[index])  # type: ignore[attr-defined]
    return Camera(np.array(holder.world_to_camera[index]), fx, fy, cx, cy, width, height)  # type: ignore[attr-defined]


def _fitting(poses: PoseSequence, names: Sequence[str]) -> PoseSequence | None:
    try:
        return poses.for_joints(names)
    except UserError:
        return None


def hands_in(items: Sequence[Shown], spare: RiggedTemplate | None = None) -> list[HandChoice]:
    """Avatars first, then templates, then those that were captured; ``spare`` for poses that have no hand."""
    captures = [item for item in items if isinstance(item.artifact, HandCapture)]
    found = []
    for item in items:
        if isinstance(item.artifact, HandAvatar):
            names = item.artifact.template.joint_names
            fitting = (c.artifact for c in captures if set(c.artifact.template.joint_names) == set(names))
            found.append(HandChoice(item.id, item.name, item.artifact, next(fitting, None)))
    found += [HandChoice(i.id, i.name, i.artifact) for i in items if isinstance(i.artifact, RiggedTemplate)]
    for item in captures:
        found.append(HandChoice(item.id, f"{item.name}, template", item.artifact.template, item.artifact))
    if not found and spare is not None and any(_fits(item.artifact, spare) for item in items):
        return [HandChoice("open-hand", "The open hand", spare)]
    return found


def _fits(artifact: object, hand: RiggedTemplate) -> bool:
    return isinstance(artifact, PoseSequence) and _fitting(artifact, hand.joint_names) is not None
