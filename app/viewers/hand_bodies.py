"""What the hand view asks of the hands that it draws: a template as it is, or an avatar that has learned. No Qt.

Both give a posed surface, what is shown on it by colours, and the light that they know of.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import Camera
from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.rasterising import Fragments
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import HandAvatar, RiggedTemplate

LONG, REST = 0.03, 2.0
"""Detail that takes longer than this many seconds is found anew after so many times as long, while a hand moves."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A hand in a pose: float32, in the world."""

    vertices: Tensor  # (V, 3) m
    normals: Tensor  # (V, 3)
    albedo: Tensor  # (V, 3)
    more: Any = field(default=None)
    """What else its body knows of the pose."""
    exact: bool = True
    """Else its detail is that of a pose shortly before."""


@dataclass(frozen=True, eq=False)
class Values:
    """What is shown on a surface in the colours of a map."""

    at: Tensor  # (V, 1)
    low: float
    high: float
    cmap: str = "viridis"


class Body(Protocol):
    @property
    def hand(self) -> RiggedTemplate | HandAvatar: ...
    @property
    def faces(self) -> Tensor: ...
    @property
    def has_neural(self) -> bool: ...
    def posed(self, pose: HandPose, colour: tuple[float, ...], quick: bool = False) -> Surface:
        """``quick``: it need not be exact."""

    def values(self, surface: Surface, mode: str, joint: int) -> Values | None:
        """None for what has colours of its own."""

    def gammas(self, camera: Camera) -> np.ndarray | None:
        """(9, 3) of the light that it was photographed in from there, if it was."""

    def painter(self, surface: Surface, camera: Camera, gammas: np.ndarray) -> Painter:
        """Of the neural renderer, under a light (9, 3)."""


class Painter(Protocol):
    fragments: Fragments
    """What its pixels show."""
    count: int
    """P, how many are covered."""

    def colours(self, part: slice) -> Tensor:
        """(p, 3) of some of the pixels."""

    def picture(self, colours: Tensor) -> Tensor:
        """(H, W, 4) of the colours (P, 3) of all: over black, and how much is covered."""


def body_of(hand: RiggedTemplate | HandAvatar) -> Body:
    return TemplateBody(hand) if isinstance(hand, RiggedTemplate) else AvatarBody(hand)


class TemplateBody:
    """A rigged template, in its own colours or in a plain one."""

    has_neural = False

    def __init__(self, template: RiggedTemplate) -> None:
        self.hand = template
        self.faces = torch.from_numpy(np.array(template.faces, np.int32))
        self._vertices, self._weights, self._joints = (
            torch.from_numpy(np.array(a, np.float32)) for a in (template.vertices, template.weights, template.joints)
        )
        self._normals = VertexNormals(template.faces, len(template.vertices))
        painted = template.colors
        self._colours = None if painted is None else torch.from_numpy(np.array(painted[:, :3], np.float32) / 255)

    def posed(self, pose: HandPose, colour: tuple[float, ...], quick: bool = False) -> Surface:
        turns = torch.from_numpy(np.array(pose.rotations, np.float32))
        moved = skin(self._vertices, self._weights, joint_transforms(turns, self._joints, self.hand.parents))
        vertices = pose.scale * moved + torch.from_numpy(np.array(pose.translation, np.float32))
        plain = vertices.new_tensor(colour).expand_as(vertices)
        return Surface(vertices, self._normals(vertices), plain if self._colours is None else self._colours)

    def values(self, surface: Surface, mode: str, joint: int) -> Values | None:
        return Values(self._weights[:, joint : joint + 1], 0.0, 1.0) if mode == "weight" else None

    def gammas(self, camera: Camera) -> np.ndarray | None:
        return None

    def painter(self, *_: Any) -> Painter:
        raise ValueError("A template has no neural renderer.")


class AvatarBody:
    """A hand that has learned."""

    def __init__(self, artifact: HandAvatar) -> None:
        from engines.blocks.avatars.avatar import Avatar

        self.hand = artifact
        self._avatar = Avatar.of(artifact)
        self.faces = self._avatar.faces.to(torch.int32)
        self.has_neural = self._avatar.has_renderer
        self._outward = self._avatar.normals(self._avatar.rest)
        self._lights = self._avatar.gammas().detach().numpy()
        self._common = self._avatar.common_light().detach().numpy()
        self._last: Any = None
        self._seconds = self._since = 0.0
        """What the last pose took, and when it was there."""

    def posed(self, pose: HandPose, colour: tuple[float, ...], quick: bool = False) -> Surface:
        start = time.perf_counter()
        if quick and self._last is not None and start - self._since < REST * self._seconds and self._seconds > LONG:
            return self._skinned(self._last, pose)
        found = self._avatar.pose(pose.rotations, pose.translation, pose.scale)
        self._since = time.perf_counter()
        self._seconds, self._last = self._since - start, found
        return Surface(found.vertices, found.normals, found.albedo, found)

    def _skinned(self, last: Any, pose: HandPose) -> Surface:
        """The last surface with its detail, in another pose: a small part of the work, so that a drag is followed."""
        avatar = self._avatar
        turns = torch.from_numpy(np.array(pose.rotations, np.float32))
        moved = skin(
            avatar.rest + last.displacement, last.weights,
            joint_transforms(turns, avatar.joints, self.hand.template.parents),
        )  # fmt: skip
        vertices = pose.scale * moved + torch.from_numpy(np.array(pose.translation, np.float32))
        found = replace(last, vertices=vertices, normals=avatar.normals(vertices), pose=turns.flatten())
        return Surface(vertices, found.normals, found.albedo, found, exact=False)

    def values(self, surface: Surface, mode: str, joint: int) -> Values | None:
        if mode == "weight":
            return Values(surface.more.weights[:, joint : joint + 1], 0.0, 1.0)
        if mode == "displacement":
            outward = 1000 * (surface.more.displacement * self._outward).sum(1, keepdim=True)
            most = max(float(torch.quantile(outward.abs(), 0.999)), 0.01)
            return Values(outward, -most, most, "diverging")
        return None

    def gammas(self, camera: Camera) -> np.ndarray | None:
        near = np.abs(self.hand.world_to_camera - camera.world_to_camera).max((1, 2)) < 1e-6
        return np.asarray(self._lights[int(np.argmax(near))] if near.any() else self._common)

    def painter(self, surface: Surface, camera: Camera, gammas: np.ndarray) -> Painter:
        return _Neural(self._avatar, surface.more, camera, gammas)


class _Neural:
    def __init__(self, avatar: Any, posed: Any, camera: Camera, gammas: np.ndarray) -> None:
        from engines.blocks.avatars.drawing import Cameras, show

        self._avatar, self._posed = avatar, posed
        self._shown = show(posed, avatar.faces, avatar.edges, Cameras.of([camera], "cpu"))
        self._shaded = avatar.shaded_seen(self._shown, gammas)
        self.fragments: Fragments = self._shown.fragments
        self.count = len(self._shown.pixels)

    def colours(self, part: slice) -> Tensor:
        shown = self._shown
        some = replace(shown, pixels=shown.pixels[part], normals=shown.normals[part], albedo=shown.albedo[part])
        found: Tensor = self._avatar.paint(self._posed, some, self._shaded[part])
        return found

    def picture(self, colours: Tensor) -> Tensor:
        found: Tensor = self._shown.picture(colours)[0]
        return found
