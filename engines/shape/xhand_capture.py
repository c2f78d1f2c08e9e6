"""A capture made ready to train on: photos by frame and view; what is wrong with it is told before work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.avatars.drawing import Cameras
from engines.blocks.cameras import Camera
from engines.blocks.meshes.rasterising import rasterise, to_camera
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.blocks.views import Views, camera_of
from engines.core import Run, UserError
from engines.data import HandCapture, RiggedTemplate

LONGEST, SHORTEST = 1.0, 0.02
"""Of a hand, in m."""
NAMED = 8
"""So many cameras are named in a message."""


@dataclass(frozen=True)
class Batch:
    """Photos of one frame and of one size."""

    frame: int
    photos: np.ndarray  # (B,) their numbers
    views: Tensor  # (B,) their cameras' numbers
    cameras: Cameras
    truths: Tensor  # (B, H, W, 3) on black
    masks: Tensor | None  # (B, H, W) the share of each pixel that the hand covers; None where it is not known
    photographed: bool = True  # whether the masks are the photos' own, and not the outline of the bare template


class Frames:
    """The photos of a capture as batches. ``training`` and ``held_out`` are numbers of photos.

    With ``outlined`` photos that have no mask are cut out by the posed template, as InterHand2.6M's are in the paper.
    """

    def __init__(self, capture: HandCapture, side_length: int, run: Run, *, outlined: bool = False) -> None:
        refuse_sizes(capture)
        longest = int(capture.photos.sizes.max()) if len(capture.photos) else 1
        self.capture, self.device = capture, run.device
        self.views = Views(capture.photos, min(1.0, side_length / longest), run.device)
        surface = posed(capture.template, capture)
        seen = seeing(capture, surface, run)
        self.outlined = outlined
        self._surface = torch.from_numpy(surface).to(run.device, torch.float32)
        self._faces = torch.from_numpy(np.array(capture.template.faces)).to(run.device)
        held = capture.photos.held_out if capture.photos.held_out is not None else np.zeros(len(seen), bool)
        self.training, self.held_out = np.flatnonzero(seen & ~held), np.flatnonzero(seen & held)
        if not len(self.training):
            raise UserError(
                "There is no photo to train on.",
                "All are held out, or none shows the hand.",
                "Hold out fewer of them, or check the cameras and poses.",
            )
        self.frames = np.unique(capture.frame[self.training])
        self.poses = capture.poses.for_joints(capture.template.joint_names)

    @property
    def first(self) -> int:
        """The frame of the first stage."""
        return int(self.frames[0])

    def of_frame(self, frame: int, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Its photos to train on in random order, in batches of up to ``size`` whose pictures are equally large."""
        photos = rng.permutation(self.training[self.capture.frame[self.training] == frame])
        sizes = np.array([(self.views.cameras[i].width, self.views.cameras[i].height) for i in photos])
        found = []
        for one in np.unique(sizes, axis=0):
            alike = photos[(sizes == one).all(1)]
            found += [alike[k : k + size] for k in range(0, len(alike), size)]
        return found

    def batches(self, frames: Sequence[int], size: int) -> int:
        """How many batches these frames have."""
        rng = np.random.default_rng(0)
        return sum(len(self.of_frame(int(frame), size, rng)) for frame in frames)

    def batch(self, photos: np.ndarray) -> Batch:
        views = [self.views[int(i)] for i in photos]
        colours = torch.stack([v.over(v.colours.new_zeros(3)) for v in views]).permute(0, 2, 3, 1)
        frame = int(self.capture.frame[photos[0]])
        cameras = Cameras.of([v.camera for v in views], self.device)
        masks, photographed = None, all(v.alpha is not None for v in views)
        if photographed:
            masks = torch.stack([v.alpha for v in views if v.alpha is not None])
        elif self.outlined:
            masks = self._outlines(frame, cameras)
            colours = colours * masks[..., None]
        numbers = torch.from_numpy(self.capture.view[photos].astype(np.int64)).to(self.device)
        return Batch(frame, photos, numbers, cameras, colours, masks, photographed)

    def outline(self, photo: int) -> Tensor:
        """(H, W) bool, where the posed template is in a photo."""
        cameras = Cameras.of([self.views.cameras[photo]], self.device)
        return self._outlines(int(self.capture.frame[photo]), cameras)[0] > 0.5

    def _outlines(self, frame: int, cameras: Cameras) -> Tensor:
        """(B, H, W) 0 or 1: the bare template of a frame as so many cameras see it."""
        points = to_camera(self._surface[frame], cameras.world_to_camera)
        fragments = rasterise(points, self._faces, cameras.lenses, cameras.width, cameras.height)
        return fragments.mask.to(torch.float32)

    def capture_cameras(self) -> list[Camera]:
        """One for each view, in the size of the capture's own photos."""
        photos = [int(np.flatnonzero(self.capture.view == v)[:1].sum()) for v in range(self.capture.view_count)]
        return [camera_of(self.capture.photos, i) for i in photos]


def posed(template: RiggedTemplate, capture: HandCapture) -> np.ndarray:
    """(F, V, 3) float64 the bare template in each frame's pose, in the world."""
    poses = capture.poses.for_joints(template.joint_names)
    rotations, joints, vertices, weights = (
        torch.from_numpy(np.array(a)) for a in (poses.rotations, template.joints, template.vertices, template.weights)
    )
    moved = np.empty((len(poses), len(vertices), 3))
    for frame, turned in enumerate(rotations):  # one after the other: a long capture of a fine mesh is large
        moved[frame] = skin(vertices, weights, joint_transforms(turned, joints, template.parents)).numpy()
    return poses.scales[:, None, None] * moved + poses.translations[:, None]


def refuse_sizes(capture: HandCapture) -> None:
    """Raise :class:`UserError` for a hand of no hand's size."""
    size = float(np.ptp(capture.template.vertices, axis=0).max(initial=0))
    for length, what in ((size, "template"), (size * float(capture.poses.scales.max(initial=1)), "scaled template")):
        if not SHORTEST <= length <= LONGEST:
            unit = "millimetres" if length > LONGEST else "kilometres, or is it scaled twice"
            raise UserError(
                f"The {what} is {length:.3g} m long, which no hand is.",
                f"Lengths are in metres. Are these {unit}?",
                "Import the capture again with the right unit.",
            )


def seeing(capture: HandCapture, surface: np.ndarray, run: Run) -> np.ndarray:
    """(N,) bool, which photos' cameras have the hand before them; tells of those that have not, by name.

    ``surface`` (F, V, 3) is the posed template.
    """
    found = np.zeros(len(capture.photos), bool)
    for i in range(len(found)):
        camera = camera_of(capture.photos, i)
        pixels, depths = camera.pixels(surface[capture.frame[i]])
        inside = (pixels >= 0).all(1) & (pixels < [camera.width, camera.height]).all(1) & (depths > 0)
        found[i] = bool(inside.any())
    blind = [v for v in range(capture.view_count) if (capture.view == v).any() and not found[capture.view == v].any()]
    names = ", ".join(capture.view_label(v) for v in blind[:NAMED]) + (" …" if len(blind) > NAMED else "")
    if len(found) and not found.any():
        raise UserError(
            f"No camera sees the hand: {names}.",
            "In none of the photos does the posed template lie within the picture.",
            "Check the cameras and poses: world-to-camera, metres, radians.",
        )
    if blind:
        run.warn(f"{len(blind)} cameras never see the hand and are left out: {names}.")
    elif not found.all():
        run.warn(f"{int((~found).sum()):,} photos do not show the hand and are left out.")
    return found
