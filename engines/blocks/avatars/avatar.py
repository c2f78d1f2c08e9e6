"""A hand avatar (XHand, Gan et al. 2024): a rigged surface whose detail follows the pose, and its neural renderer.

    v' = s * LBS(v + dv(theta); theta, w(theta)) + t,      albedo = sigmoid(a(theta))

with dv, a and log w by three feature embeddings (:mod:`.embedding`) of theta / pi. The same object learns and is live:

    avatar = Avatar.of(artifact)
    avatar.pose(rotations)                    # vertices, normals, albedo, …; nothing is done if the pose stays
    picture = avatar.neural(camera)           # (H, W, 4); avatar.shaded(camera, gammas)
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.blocks.avatars.drawing import Cameras, Posed, Shown, show
from engines.blocks.avatars.embedding import FeatureEmbedding, FrozenEmbedding, Start, log_weights
from engines.blocks.avatars.renderer import FrozenRenderer, NeuralRenderer, Seen
from engines.blocks.cameras import Camera
from engines.blocks.meshes.antialiasing import Edges
from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.core import UserError
from engines.data import HandAvatar, PoseSequence, RiggedTemplate

NUMBERS = 10
"""K, of each embedding."""
FIRST_LIGHT = 0.8
"""Of the constant harmonic; what is learned is added."""
CENTIMETRE = 0.01
"""What one of z displaces, in m, where networks start at the mean. In metres, a step of Adam would be half a mm."""
STAGES = ("albedo", "shape", "mesh", "renderer")
"""What is learned, one after the other."""


@dataclass(frozen=True)
class Build:
    """What an avatar is made of. ``stage`` is the last one that was trained."""

    displacement_width: int = 512
    displacement_depth: int = 8
    albedo_width: int = 128
    weights_width: int = 128
    other_depth: int = 5
    renderer_width: int = 256
    latent: int = 20
    start: Start = "published"
    embedding: bool = True
    """Whether detail follows the pose; else it is that of the means."""
    neural: bool = True
    stage: str = ""

    @classmethod
    def of(cls, given: dict[str, Any]) -> Build:
        try:
            found = cls(**given)
            numbers = [v for v in dataclasses.asdict(found).values() if type(v) is int]
            if all(0 < n <= 10_000 for n in numbers) and found.stage in ("", *STAGES):
                return found
        except TypeError:
            pass
        raise damaged("what it is made of cannot be read")


def damaged(why: str) -> UserError:
    return UserError("The avatar cannot be used.", f"Of its parts, {why}.", "Train it again, or import it again.")


class Avatar(nn.Module):
    """Networks, codes and lights over a rigged template of N vertices and J joints, seen by so many cameras."""

    def __init__(self, template: RiggedTemplate, cameras: int, build: Build, draw: torch.Generator) -> None:
        super().__init__()
        device, joints = draw.device, len(template.joints)
        self.template, self.build = template, build
        self.faces = torch.from_numpy(np.array(template.faces)).to(device)
        self.edges = Edges.of(self.faces)
        self.normals = VertexNormals(template.faces, len(template.vertices))
        self.rest, self.rest_weights, self.joints = (
            torch.from_numpy(np.array(a)).to(device, torch.float32)
            for a in (template.vertices, template.weights, template.joints)
        )
        blank, pose = torch.zeros_like(self.rest), 3 * joints

        def embedding(mean: Tensor, width: int, depth: int, unit: float = 1.0) -> FeatureEmbedding:
            return FeatureEmbedding(mean, pose, width, depth, draw, numbers=NUMBERS, start=build.start, unit=unit)

        unit = 1.0 if build.start == "published" else CENTIMETRE
        self.displacement = embedding(blank, build.displacement_width, build.displacement_depth, unit)
        self.albedo = embedding(blank, build.albedo_width, build.other_depth)
        self.weights = embedding(log_weights(self.rest_weights), build.weights_width, build.other_depth)
        self.render_codes = nn.Parameter(self.rest.new_zeros(len(self.rest), build.latent))
        self.lights = nn.Parameter(self.rest.new_zeros(cameras, 9, 3))
        self.lit: Tensor
        self.register_buffer("lit", torch.zeros(cameras, dtype=torch.bool, device=device))
        self.renderer = NeuralRenderer(2 * NUMBERS + build.latent, pose, build.renderer_width, draw)
        self.follow_pose(build.embedding and build.stage in STAGES[2:])
        self._frozen: list[FrozenEmbedding] | None = None
        self._painter: FrozenRenderer | None = None
        self._posed: tuple[bytes, Posed] | None = None
        self._shown: tuple[Any, Shown] | None = None

    @property
    def embeddings(self) -> tuple[FeatureEmbedding, FeatureEmbedding, FeatureEmbedding]:
        return self.displacement, self.albedo, self.weights

    def follow_pose(self, active: bool) -> None:
        """Whether the embeddings say more than their means."""
        for embedding in self.embeddings:
            embedding.active = active

    # To and from an artifact

    @classmethod
    def of(cls, artifact: HandAvatar, device: torch.device | str = "cpu") -> Avatar:
        """Ready to be posed. Raises :class:`UserError` where the artifact's numbers do not fit together."""
        draw = torch.Generator(device=device).manual_seed(0)
        made = cls(artifact.template, len(artifact.intrinsics), Build.of(artifact.configuration), draw)
        held = {name: torch.from_numpy(np.array(value)) for name, value in artifact.weights.items()}
        try:
            made.load_state_dict(held)
        except RuntimeError as error:
            raise damaged(str(error).split("\n")[-1].strip().rstrip(".")) from None
        return made.freeze()

    def artifact(self, poses: PoseSequence, cameras: list[Camera], **more: Any) -> HandAvatar:
        """What it has learned, as arrays; ``cameras`` are those of the capture."""
        return HandAvatar(
            template=self.template,
            poses=poses,
            weights={name: value.detach().cpu().numpy().copy() for name, value in self.state_dict().items()},
            world_to_camera=np.stack([camera.world_to_camera for camera in cameras]),
            intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
            sizes=np.array([[c.width, c.height] for c in cameras]),
            config=json.dumps(dataclasses.asdict(self.build)),
            **more,
        )

    # The model, differentiable

    def forward(self, rotations: Tensor, translation: Tensor, scale: Tensor | float) -> Posed:
        """The surface in the pose (J, 3), translation (3,) in m."""
        condition = rotations.detach().flatten() / torch.pi
        return self._posing(rotations, translation, scale, [e(condition) for e in self.embeddings])

    def _posing(
        self, rotations: Tensor, translation: Tensor, scale: Tensor | float, said: list[tuple[Tensor, Tensor]]
    ) -> Posed:
        (dv, z_dv), (logits, z_albedo), (log_w, _) = said
        weights = log_w.softmax(1)
        transforms = joint_transforms(rotations, self.joints, self.template.parents)
        vertices = scale * skin(self.rest + dv, weights, transforms) + translation
        codes = torch.cat([z_dv.detach(), z_albedo.detach(), self.render_codes], dim=1)
        return Posed(
            vertices, self.normals(vertices), logits.sigmoid(), codes, dv, weights, rotations.detach().flatten()
        )

    def gammas(self, views: Tensor | slice = slice(None)) -> Tensor:
        """(C, 9, 3) the lights of cameras."""
        first = torch.zeros_like(self.lights[:1])
        first[:, 0] = FIRST_LIGHT
        return self.lights[views] + first

    def common_light(self) -> Tensor:
        """(9, 3) the mean of the cameras' lights that were learned: for a camera that has none."""
        gammas = self.gammas()
        return gammas[self.lit].mean(0) if bool(self.lit.any()) else gammas.mean(0)

    def paint(self, posed: Posed, shown: Shown, shaded: Tensor) -> Tensor:
        """(P, 3) the neural renderer's colours of pixels whose Lambertian ones are ``shaded`` (P, 3).

        It is shown places, normals and colours detached; only the renderer's own codes may learn through it.
        """
        with torch.no_grad():
            carried = shown.at(torch.cat([posed.vertices, posed.codes[:, : 2 * NUMBERS]], dim=1))
            rays = shown.cameras.rays(shown.pixels)
        own = shown.at(posed.codes[:, 2 * NUMBERS :])
        codes = torch.cat([carried[:, 3:], own], dim=1)
        parts = (carried[:, :3], shaded.detach(), shown.normals.detach(), shown.albedo.detach(), codes, rays)
        frozen = self._painter is not None and not torch.is_grad_enabled()
        found: Tensor = (self._painter if frozen else self.renderer)(Seen(*parts, posed.pose))
        return found

    # Live

    def freeze(self) -> Avatar:
        """Make it ready to be asked often; what it has learned must not change any more."""
        self.requires_grad_(False)
        self._frozen = [FrozenEmbedding(embedding) for embedding in self.embeddings]
        self._painter = FrozenRenderer(self.renderer)
        self._posed = self._shown = None
        return self

    @torch.no_grad()
    def pose(self, rotations: Any, translation: Any = (0.0, 0.0, 0.0), scale: float = 1.0) -> Posed:
        """The surface in the pose (J, 3) in radians, moved by ``translation`` (3,) in m after it was scaled.

        Asked again with the same pose it answers at once; pictures are of the last one.
        """
        given = [np.asarray(a, np.float64) for a in (rotations, translation, scale)]
        if given[0].shape != (len(self.joints), 3) or not all(np.isfinite(a).all() for a in given):
            raise UserError(
                f"The pose is {given[0].shape} numbers, or one of them is not finite.",
                f"It takes three for each of the {len(self.joints)} joints.",
                "Choose a pose that was made for this hand.",
            )
        key = b"".join(a.tobytes() for a in given)
        if self._posed is not None and self._posed[0] == key:
            return self._posed[1]
        turned, moved = (torch.from_numpy(np.array(a)).to(self.rest) for a in given[:2])
        condition = turned.flatten() / torch.pi
        answers = [said(condition) for said in (self._frozen or self.embeddings)]
        posed = self._posing(turned, moved, float(scale), answers)
        self._posed, self._shown = (key, posed), None
        return posed

    @torch.no_grad()
    def shown(self, camera: Camera) -> Shown:
        """What a camera sees of the last pose; nothing is done if neither has changed."""
        if self._posed is None:
            self.pose(np.zeros((len(self.joints), 3)))
        assert self._posed is not None
        lens = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        key = (camera.world_to_camera.tobytes(), *lens)
        if self._shown is None or self._shown[0] != key:
            cameras = Cameras.of([camera], self.rest.device)
            self._shown = (key, show(self._posed[1], self.faces, self.edges, cameras))
        return self._shown[1]

    @torch.no_grad()
    def shaded(self, camera: Camera, gammas: Any = None) -> Tensor:
        """(H, W, 4) Lambertian colours, times how much of each pixel the hand covers, and that share.

        ``gammas`` (9, 3) are the light; without them it is the mean of those that were learned.
        """
        shown = self.shown(camera)
        return shown.picture(shown.shaded(self._light(gammas)))[0]

    @torch.no_grad()
    def neural(self, camera: Camera, gammas: Any = None) -> Tensor:
        """(H, W, 4) as :meth:`shaded`, by the neural renderer."""
        shown = self.shown(camera)
        assert self._posed is not None
        return shown.picture(self.paint(self._posed[1], shown, self.shaded_seen(shown, gammas)))[0]

    def shaded_seen(self, shown: Shown, gammas: Any = None) -> Tensor:
        """(P, 3) Lambertian colours as the neural renderer is told them: with their edges antialiased."""
        return shown.of_pixels(shown.picture(shown.shaded(self._light(gammas)))[..., :3])

    def _light(self, gammas: Any) -> Tensor:
        if gammas is None:
            gammas = self.common_light()
        return torch.as_tensor(gammas).to(self.rest).reshape(1, 9, 3)

    @property
    def has_renderer(self) -> bool:
        """Whether the neural renderer has learned."""
        return self.build.neural and self.build.stage == STAGES[-1]


def capture_camera(artifact: HandAvatar, view: int) -> Camera:
    """One of the cameras of the capture that an avatar was learned from."""
    fx, fy, cx, cy = (float(n) for n in artifact.intrinsics[view])
    width, height = (int(n) for n in artifact.sizes[view])
    return Camera(artifact.world_to_camera[view], fx, fy, cx, cy, width, height)
