"""What the hand view asks of the hands that it draws: a template as it is, or an avatar that has learned. No Qt.

Both give a posed surface, what is shown on it by colours, and the light that they know of.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import Camera
from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.rasterising import Fragments, interpolate, to_camera
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import HandAvatar, RiggedTemplate


@dataclass(frozen=True, eq=False)
class Surface:
    """A hand in a pose: float32, in the world."""

    vertices: Tensor  # (V, 3) m
    normals: Tensor  # (V, 3)
    albedo: Tensor  # (V, 3)
    more: Any = field(default=None)
    """What else its body knows of the pose."""


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
    def posed(self, pose: HandPose, colour: tuple[float, ...]) -> Surface: ...
    def values(self, surface: Surface, mode: str, joint: int) -> Values | None:
        """None for what has colours of its own."""

    def gammas(self, camera: Camera) -> np.ndarray | None:
        """(9, 3) of the light that it was photographed in from there, if it was."""

    def painter(
        self, surface: Surface, camera: Camera, fragments: Fragments, pixels: Tensor, gammas: np.ndarray | None
    ) -> Painter:
        """Of the neural renderer, for the pixels (P,) that are covered."""


class Painter(Protocol):
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

    def posed(self, pose: HandPose, colour: tuple[float, ...]) -> Surface:
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

    def posed(self, pose: HandPose, colour: tuple[float, ...]) -> Surface:
        found = self._avatar.pose(pose.rotations, pose.translation, pose.scale)
        return Surface(found.vertices, found.normals, found.albedo, found)

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

    def painter(
        self, surface: Surface, camera: Camera, fragments: Fragments, pixels: Tensor, gammas: np.ndarray | None
    ) -> Painter:
        return _Neural(self._avatar, surface, camera, fragments, pixels, gammas, self.faces)


class _Neural:
    def __init__(
        self, avatar: Any, surface: Surface, camera: Camera, fragments: Fragments, pixels: Tensor,
        gammas: np.ndarray | None, faces: Tensor,
    ) -> None:  # fmt: skip
        from engines.blocks.avatars.drawing import Cameras, Shown

        cameras = Cameras.of([camera], "cpu")
        found = interpolate(torch.cat([surface.normals, surface.albedo], 1), faces, fragments, pixels)
        normals = torch.nn.functional.normalize(found[:, :3], dim=1)
        places = to_camera(surface.vertices, cameras.world_to_camera)
        self._avatar, self._posed = avatar, surface.more
        self._shown = Shown(cameras, faces, fragments, places, pixels, normals, found[:, 3:])
        self._shaded = avatar.shaded_seen(self._shown, gammas)

    def colours(self, part: slice) -> Tensor:
        shown = self._shown
        some = replace(shown, pixels=shown.pixels[part], normals=shown.normals[part], albedo=shown.albedo[part])
        found: Tensor = self._avatar.paint(self._posed, some, self._shaded[part])
        return found

    def picture(self, colours: Tensor) -> Tensor:
        found: Tensor = self._shown.picture(colours)[0]
        return found
