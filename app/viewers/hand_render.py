"""Pictures of a posed hand for the hand view: what the worker thread does. No Qt in here."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from app.viewers import colour_maps
from app.viewers.hand_bodies import Body, Surface, body_of
from app.viewers.live_evaluator import Stale
from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import Camera
from engines.blocks.meshes.rasterising import Fragments, interpolate, rasterise, to_camera
from engines.blocks.meshes.shading import lambertian, lamp
from engines.core import limit_threads
from engines.data import HandAvatar, RiggedTemplate

Hand = RiggedTemplate | HandAvatar

MODES = {
    "neural": "Neural",
    "shaded": "Shaded",
    "normals": "Normals",
    "albedo": "Albedo",
    "displacement": "Displacement",
    "weight": "Skinning weight",
}
NEAR = 1e-3
"""m before the camera."""
SAMPLES = 2
"""Along each side of a pixel of a rasterised picture of full detail."""
RELIEF = lamp(np.array([0.25, 0.35, 1.0]), np.full(3, 0.42), np.full(3, 0.6))
"""Light from the viewer on surfaces in the colours of a map: so that their shape is seen."""
BAND_SECONDS = 0.15


Drawn = tuple[np.ndarray, np.ndarray, tuple[float, float]]


@dataclass(frozen=True)
class Light:
    """A lamp far away and light from all around, both carried along by the camera."""

    direction: tuple[float, float, float] = (-0.45, 0.6, 0.66)
    """To the lamp: right, up and towards the viewer."""
    strength: float = 0.85
    ambient: float = 0.3
    warmth: float = 0.0
    """From -1, blue, to 1, amber."""
    captured: bool = False
    """Instead of both, the light that the avatar was photographed in."""

    def gammas(self, camera: Camera) -> np.ndarray:
        """(9, 3) coefficients for normals of the world."""
        right, up, back = self.direction
        toward = camera.rotation.T @ np.array([right, -up, -back])
        tint = np.array([1 + 0.25 * self.warmth, 1.0, 1 - 0.45 * self.warmth])
        return lamp(toward, self.strength * tint, np.full(3, self.ambient))


@dataclass(frozen=True, eq=False)
class HandRequest:
    """What is to be seen of which hand."""

    hand: Hand
    pose: HandPose
    camera: Camera
    mode: str = "shaded"
    joint: int = 0
    """Whose weights are shown."""
    light: Light = field(default_factory=Light)
    mirrored: bool = False
    surface: tuple[float, float, float] = (0.8, 0.8, 0.8)
    """Of a template without colours of its own, from 0 to 1."""
    background: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    """RGB at the top and at the bottom, from 0 to 1."""
    photo: np.ndarray | None = None
    """(h, w, 3) uint8 behind the hand, in the size of the camera's picture."""
    cover: float = 1.0
    """How much of the photo the hand hides."""
    value_range: tuple[float, float] | None = None
    scale: float = 1.0
    """Pixels drawn for one of the camera's."""
    samples: int = SAMPLES
    """Along each side of such a pixel."""

    @property
    def drawn_camera(self) -> Camera:
        width, height = (max(1, round(v * self.scale)) for v in (self.camera.width, self.camera.height))
        return self.camera.resized(width, height)

    @property
    def is_fine(self) -> bool:
        return self.scale == 1.0 and self.samples == SAMPLES


@dataclass(frozen=True, eq=False)
class HandFrame:
    request: HandRequest
    picture: np.ndarray  # (h, w, 3) uint8
    layer: np.ndarray  # (h, w, 4) float32: the hand alone, over black, and how much it covers
    depth: np.ndarray  # (h, w) float32, z of the camera's frame; 0 for none
    value_range: tuple[float, float]
    """What the colours of a map stand for."""
    seconds: float

    @property
    def is_fine(self) -> bool:
        return self.request.is_fine

    @property
    def seen(self) -> bool:
        return bool((self.depth > 0).any())


class HandRenderer:
    """Draws requests. The last hands and the last pose stay prepared; may be used from several threads."""

    KEPT = 2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: list[Body] = []
        self._posed: tuple[tuple, Surface] | None = None
        self._pixel_rate = 5e4  # neural pixels a second, at first

    def body(self, hand: Hand) -> Body:
        with self._lock:
            found = next((b for b in self._bodies if b.hand is hand), None)
            if found is None:
                found = body_of(hand)
            self._bodies = [found, *(b for b in self._bodies if b is not found)][: self.KEPT]
            return found

    def surface(self, hand: Hand, pose: HandPose, colour: tuple[float, ...], quick: bool = False) -> Surface:
        """A hand in a pose; ``quick``: its detail may be that of a pose shortly before."""
        body = self.body(hand)
        key = (body, colour, pose.rotations.tobytes(), pose.translation.tobytes(), pose.scale)
        with self._lock:
            if self._posed is None or self._posed[0] != key or not (quick or self._posed[1].exact):
                self._posed = (key, body.posed(pose, colour, quick))
            return self._posed[1]

    def forget(self) -> None:
        with self._lock:
            self._bodies, self._posed = [], None

    @torch.no_grad()
    def draw(self, request: HandRequest, stale: Callable[[], bool] = lambda: False) -> HandFrame:
        """The picture. Raises :class:`Stale` once it is not wanted any more."""
        if torch.get_num_threads() >= max(2, os.cpu_count() or 2):
            limit_threads()  # the window keeps a core, as while methods run
        start = time.perf_counter()
        camera = request.drawn_camera
        seen = mirrored_camera(camera, request.hand) if request.mirrored else camera
        surface = self.surface(request.hand, request.pose, request.surface, quick=request.samples < SAMPLES)
        if stale():
            raise Stale
        body = self.body(request.hand)
        part, left, top = cropped(seen, surface)
        draw = self._neural if request.mode == "neural" and body.has_neural else self._rastered
        colours, depths, limits = draw(body, surface, request, part, stale)
        image = np.zeros((camera.height, camera.width, 4), np.float32)
        depth = np.zeros((camera.height, camera.width), np.float32)
        inside = slice(top, top + part.height), slice(left, left + part.width)
        image[inside], depth[inside] = colours, depths
        if request.mirrored:
            image, depth = image[:, ::-1], depth[:, ::-1]
        picture = _composed(request, image[..., :3], image[..., 3])
        return HandFrame(request, picture, image, np.ascontiguousarray(depth), limits, time.perf_counter() - start)

    def _rastered(
        self, body: Body, surface: Surface, request: HandRequest, camera: Camera, stale: Callable[[], bool]
    ) -> Drawn:
        """Colours over black and how much is covered (h, w, 4), depth (h, w), and the ends of the map."""
        samples = request.samples
        large = camera.resized(camera.width * samples, camera.height * samples)
        fragments = fragments_of(surface, body.faces, large)
        pixels = fragments.covered()
        values = body.values(surface, request.mode, request.joint)
        limits = request.value_range or ((0.0, 1.0) if values is None else (values.low, values.high))
        parts = [surface.normals, surface.albedo if values is None else values.at]
        found = interpolate(torch.cat(parts, 1), body.faces, fragments, pixels)
        normals = torch.nn.functional.normalize(found[:, :3], dim=1)
        rotation = torch.from_numpy(np.array(camera.rotation)).to(normals)
        if request.mode == "normals":
            toward = normals @ rotation.T * normals.new_tensor([-1.0 if request.mirrored else 1.0, -1.0, -1.0])
            colours = (toward + 1) / 2
        elif values is not None:
            painted = colour_maps.coloured(found[:, 3].numpy(), values.cmap, *limits)
            eye = normals @ rotation.T * normals.new_tensor([1.0, -1.0, -1.0])
            colours = lambertian(torch.from_numpy(painted).float() / 255, eye, torch.from_numpy(RELIEF).float())
        elif request.mode == "albedo":
            colours = found[:, 3:6].clamp(0, 1)
        else:
            colours = lambertian(found[:, 3:6], normals, torch.from_numpy(self._gammas(body, request, camera)).float())
        image = fragments.picture(torch.cat([colours, torch.ones_like(colours[:, :1])], 1), pixels)[0]
        if samples > 1:
            steps = [slice(k, None, samples) for k in range(samples)]
            image = torch.stack([image[y, x] for y in steps for x in steps]).mean(0)
        return image.numpy(), fragments.depths[0, ::samples, ::samples].float().numpy(), limits

    def _neural(
        self, body: Body, surface: Surface, request: HandRequest, camera: Camera, stale: Callable[[], bool]
    ) -> Drawn:
        """As :meth:`_rastered`; in bands, between which it can be given up."""
        painter = body.painter(surface, camera, self._gammas(body, request, camera))
        parts, at = [], 0
        while at < painter.count:
            if stale():
                raise Stale
            start = time.perf_counter()
            count = max(2048, int(self._pixel_rate * BAND_SECONDS))
            parts.append(painter.colours(slice(at, at + count)))
            at += count
            spent = max(time.perf_counter() - start, 1e-4)
            self._pixel_rate = 0.5 * self._pixel_rate + 0.5 * min(len(parts[-1]) / spent, 1e7)
        image = painter.picture(torch.cat(parts) if parts else surface.normals.new_zeros(0, 3))
        return image.numpy(), painter.fragments.depths[0].float().numpy(), (0.0, 1.0)

    @staticmethod
    def _gammas(body: Body, request: HandRequest, camera: Camera) -> np.ndarray:
        """(9, 3) of the light that is wanted."""
        known = body.gammas(request.camera) if request.light.captured else None
        return flipped_light(request).gammas(camera) if known is None else np.array(known)


def fragments_of(surface: Surface, faces: Tensor, camera: Camera) -> Fragments:
    """What the pixels of one camera show."""
    pose = torch.from_numpy(np.array(camera.world_to_camera)).to(surface.vertices)
    lens = torch.tensor([[camera.fx, camera.fy, camera.cx, camera.cy]], dtype=torch.float64)
    points = to_camera(surface.vertices, pose[None])
    return rasterise(points, faces, lens, camera.width, camera.height, near=NEAR)


def cropped(camera: Camera, surface: Surface) -> tuple[Camera, int, int]:
    """The part of a camera's picture that the hand is in, and where its left and top are."""
    points = surface.vertices.numpy().astype(np.float64)
    pixels, depths = camera.pixels(points)
    if not len(points) or depths.min() < NEAR:
        return camera, 0, 0
    limits = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(0)).astype(int) - 1, 0, limits - 1)
    high = np.clip(np.ceil(pixels.max(0)).astype(int) + 1, low + 1, limits)
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    part = replace(camera, cx=camera.cx - left, cy=camera.cy - top, width=width, height=height)
    return part, left, top


def mirrored_camera(camera: Camera, hand: Hand) -> Camera:
    """Sees the hand as ``camera`` sees its mirror image, but for the picture's left and right.

    The mirror is the plane through the root across the palm, which is where the other hand's palm would be.
    """
    from engines.blocks.avatars.hand_poses import hand_frame

    template = hand if isinstance(hand, RiggedTemplate) else hand.template
    normal, at = hand_frame(template).across, template.joints[0]
    mirror = np.eye(4)
    mirror[:3, :3] -= 2 * np.outer(normal, normal)
    mirror[:3, 3] = 2 * normal * float(normal @ at)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    return replace(camera, world_to_camera=flip @ camera.world_to_camera @ mirror, cx=camera.width - camera.cx)


def flipped_light(request: HandRequest) -> Light:
    """The light as the mirrored camera's frame has it."""
    right, up, back = request.light.direction
    return replace(request.light, direction=(-right, up, back)) if request.mirrored else request.light


def _composed(request: HandRequest, colours: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: the hand over what is behind it. ``colours`` are over black."""
    height, width = cover.shape
    cover = cover[..., None]
    if request.photo is None:
        top, bottom = (np.asarray(c, np.float32) for c in request.background)
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        shown = colours + (1 - cover) * (top * (1 - down) + bottom * down)
    else:
        photo = _fitting(request.photo, width, height).astype(np.float32) / 255
        shown = request.cover * colours + (1 - request.cover * cover) * photo
    return (np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)


def _fitting(photo: np.ndarray, width: int, height: int) -> np.ndarray:
    """A photo (h, w, 3) in another size."""
    if photo.shape[:2] == (height, width):
        return photo
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()
    found = torch.nn.functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    return found[0].permute(1, 2, 0).clamp(0, 255).byte().numpy()
