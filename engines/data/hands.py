"""Hands: a rigged template, poses, a capture by several cameras, and the avatar that is learned from it.

One convention holds for all templates. A pose is J x 3 axis-angles in radians, each relative to the joint's parent, the
root's included, about axes that are parallel to those of the template at rest: with every rotation zero the template
stands as its vertices are. G_j = G_parent [R(pose_j) | joint_j - joint_parent] moves what hangs on joint j; a vertex is
blended from its joints by its weights, and the whole goes to scale * vertex + translation in the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays
from engines.data.configurations import configuration
from engines.data.geometry import Mesh
from engines.data.photos import Photos

SIDES = ("left", "right", "")
MOST_WEIGHT_ERROR = 1e-3
"""By how much the weights of a vertex may miss 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RiggedTemplate(Artifact):
    """A surface at rest and the joints that move it.

    Parents come before their children; the first joint is the root. ``axes`` hold, for each joint, the directions at
    rest about which it bends (towards the palm), spreads (away from the middle finger) and twists, as three rows.
    """

    title: ClassVar[str] = "Rigged template"

    vertices: np.ndarray = array("V 3", "float64", "positions at rest", unit="m")
    faces: np.ndarray = array("F 3", "int32", "vertex indices, counter-clockwise from outside")
    weights: np.ndarray = array("V J", "float64", "how much each joint moves each vertex; rows sum to 1")
    joints: np.ndarray = array("J 3", "float64", "places at rest", unit="m")
    parents: np.ndarray = array("J", "int32", "-1 for the root")
    axes: np.ndarray = array("J 3 3", "float64", "rows: bending, spreading, twisting; right-handed, of unit length")
    colors: np.ndarray | None = array("V 4", "uint8", "RGBA of the vertices", optional=True)
    joint_names: tuple[str, ...]
    side: str = ""
    """``"left"``, ``"right"``, or empty where it is not known or no hand."""

    def validate(self) -> None:
        self.mesh.validate()
        count = len(self.joints)
        if not count or len(self.joint_names) != count or len(set(self.joint_names)) != count:
            raise UserError(
                f"The template has {count:,} joints and {len(set(self.joint_names)):,} different names for them.",
                "Poses go by the joints' names.",
                "Give each joint a name of its own.",
            )
        if self.parents[0] != -1 or (self.parents[1:] >= np.arange(1, count)).any() or (self.parents[1:] < 0).any():
            raise UserError(
                "The joints of the template are no tree below its first joint.",
                "One joint is the root; every other one has a parent that is listed before it.",
                "Check the skeleton in the program that it was rigged in.",
            )
        if len(self.weights) and (self.weights.min() < 0 or self.weight_error > MOST_WEIGHT_ERROR):
            raise UserError(
                f"The weights of a vertex miss 1 by {self.weight_error:.2g}, or one is negative.",
                "The weights say what share of a vertex's motion comes from each joint.",
                "Normalise the weights in the program that it was rigged in.",
            )
        off = np.abs(self.axes @ self.axes.transpose(0, 2, 1) - np.eye(3)).max()
        if off > 1e-5 or (np.linalg.det(self.axes) < 0).any():
            raise UserError(
                "The axes of a joint are not three directions at right angles.",
                mend="Import the template again.",
            )
        if self.side not in SIDES:
            raise UserError(f"'{self.side}' is no side of a body.", mend="Use left, right or nothing.")

    @property
    def weight_error(self) -> float:
        """By how much the sum of a vertex's weights misses 1, at most."""
        return float(np.abs(self.weights.sum(1) - 1).max(initial=0))

    @property
    def length_unit(self) -> str:
        return "m"

    @property
    def mesh(self) -> Mesh:
        """The surface at rest."""
        return Mesh(vertices=self.vertices, faces=self.faces, colors=self.colors, unit="m", name=self.name)

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner at rest, in m."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def summary(self) -> str:
        side = f"{self.side} hand, " if self.side else ""
        return f"{side}{len(self.vertices):,} vertices, {len(self.joints)} joints"


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseSequence(Artifact):
    """T poses that follow each other at ``rate`` a second."""

    title: ClassVar[str] = "Pose sequence"

    rotations: np.ndarray = array("T J 3", "float64", "axis-angle of each joint relative to its parent", unit="rad")
    translations: np.ndarray = array("T 3", "float64", "of the whole, after it is posed and scaled", unit="m")
    scales: np.ndarray = array("T", "float64", "of the whole")
    joint_names: tuple[str, ...]
    rate: float = 25.0
    """Poses a second."""

    def validate(self) -> None:
        joints = self.rotations.shape[1]
        if len(self.joint_names) != joints:
            raise UserError(
                f"The poses have {joints} joints and {len(self.joint_names)} names for them.",
                mend="Check how the poses were written.",
            )
        if (self.scales <= 0).any():
            frame = int(np.argmax(self.scales <= 0))
            raise UserError(f"The scale of pose {frame} is not above zero.", mend="Check how the poses were written.")
        if not 0 < self.rate < 10_000:
            raise UserError(f"{self.rate:g} poses a second cannot be.", mend="Choose another rate.")

    def __len__(self) -> int:
        return len(self.rotations)

    @classmethod
    def of(cls, rotations: np.ndarray, joint_names: Sequence[str], **more: Any) -> PoseSequence:
        """From rotations (T, J, 3) alone: not moved and not scaled, if nothing else is said."""
        count = len(rotations)
        given = {"translations": np.zeros((count, 3)), "scales": np.ones(count), **more}
        return cls(rotations=rotations, joint_names=tuple(joint_names), **given)

    @property
    def seconds(self) -> float:
        return len(self) / self.rate

    def for_joints(self, names: Sequence[str]) -> PoseSequence:
        """The same poses with the joints in this order. Raises :class:`UserError` when some are missing."""
        if tuple(names) == self.joint_names:
            return self
        missing = [name for name in names if name not in self.joint_names]
        if missing:
            raise UserError(
                f"The poses have no joint called {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}.",
                f"They have {', '.join(self.joint_names[:4])}{' …' if len(self.joint_names) > 4 else ''}.",
                "Use poses that were made for this template.",
            )
        order = [self.joint_names.index(name) for name in names]
        return self.replace(rotations=self.rotations[:, order], joint_names=tuple(names))

    def summary(self) -> str:
        return f"{len(self):,} poses of {len(self.joint_names)} joints, {self.seconds:.3g} s"


@dataclass(frozen=True, kw_only=True, eq=False)
class HandCapture(Artifact):
    """A hand in F poses (frames), photographed by C cameras (views).

    Photo i shows frame ``frame[i]`` from view ``view[i]``; some may be missing. A photo's alpha channel, if it has one,
    is the mask of the hand; ``photos.held_out`` names those that are not trained on. ``surface``, where it is known,
    are the true places of the vertices of the template after it was subdivided, in the world.
    """

    title: ClassVar[str] = "Hand capture"

    template: RiggedTemplate
    photos: Photos
    poses: PoseSequence
    frame: np.ndarray = array("N", "int32", "frame of each photo")
    view: np.ndarray = array("N", "int32", "camera of each photo")
    surface: np.ndarray | None = array("F P 3", "float64", "true places of the vertices", unit="m", optional=True)
    frame_names: tuple[str, ...] = ()
    view_names: tuple[str, ...] = ()

    def validate(self) -> None:
        count = len(self.photos)
        if len(self.frame) != count:
            raise UserError(
                f"There are {count:,} photos and {len(self.frame):,} numbers of frames.",
                mend="Check how the capture was put together.",
            )
        for what, index, length in (("frame", self.frame, len(self.poses)), ("view", self.view, self.view_count)):
            if count and (index.min() < 0 or index.max() >= length):
                raise UserError(
                    f"A photo is of {what} {int(index.max())}, and there are {length:,}.",
                    mend="Check how the capture was put together.",
                )
        if len(np.unique(self.frame.astype(np.int64) * max(1, self.view_count) + self.view)) != count:
            raise UserError(
                "Two photos are of the same frame and view.", mend="Check how the capture was put together."
            )
        if self.surface is not None and len(self.surface) != len(self.poses):
            raise UserError(
                f"The true surface is known for {len(self.surface):,} of {len(self.poses):,} frames.",
                mend="Check how the capture was put together.",
            )
        self.poses.for_joints(self.template.joint_names)

    @property
    def view_count(self) -> int:
        """How many cameras there are."""
        return max(len(self.view_names), int(self.view.max(initial=-1)) + 1)

    def photo(self, frame: int, view: int) -> int | None:
        """The number of the photo of a frame from a view; None where there is none."""
        found = np.flatnonzero((self.frame == frame) & (self.view == view))
        return int(found[0]) if len(found) else None

    def frame_label(self, frame: int) -> str:
        """What to call a frame on screen."""
        return self.frame_names[frame] if frame < len(self.frame_names) else f"frame {frame + 1}"

    def view_label(self, view: int) -> str:
        """What to call a camera on screen."""
        return self.view_names[view] if view < len(self.view_names) else f"camera {view + 1}"

    def summary(self) -> str:
        return f"{len(self.poses):,} poses from {self.view_count:,} cameras, {len(self.photos):,} photos"


@dataclass(frozen=True, kw_only=True, eq=False)
class HandAvatar(Artifact):
    """A hand that has learned how its surface, its colour and its weights depend on the pose.

    ``template`` is subdivided already. ``weights`` and ``config`` (JSON) are what :mod:`engines.blocks.avatars` makes
    the networks of. ``poses`` are those of the capture, as they were refined; the cameras are the capture's.
    """

    title: ClassVar[str] = "Hand avatar"

    template: RiggedTemplate
    poses: PoseSequence
    weights: dict[str, np.ndarray] = arrays("...", "any", "parameters by name")
    world_to_camera: np.ndarray = array("C 4 4", "float64", "rigid, of the capture's cameras")
    intrinsics: np.ndarray = array("C 4", "float64", "fx, fy, cx, cy", unit="pixels")
    sizes: np.ndarray = array("C 2", "int64", "width, height", unit="pixels")
    config: str = "{}"
    view_names: tuple[str, ...] = ()

    def validate(self) -> None:
        _ = self.configuration  # raises where it cannot be read
        self.poses.for_joints(self.template.joint_names)

    @property
    def configuration(self) -> dict[str, Any]:
        return configuration(self.config, "avatar", "Train the avatar again.")

    @property
    def size(self) -> int:
        """How many numbers it has learned."""
        return sum(w.size for w in self.weights.values())

    def summary(self) -> str:
        return f"{len(self.template.vertices):,} vertices, {len(self.template.joints)} joints, {self.size:,} numbers"


__all__ = ["HandAvatar", "HandCapture", "PoseSequence", "RiggedTemplate"]
