"""A capture of a hand that is known exactly: the open hand posed, wrinkled, painted, lit and drawn by formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch

from engines.blocks.avatars.refinement import subdivided
from engines.blocks.avatars.wrinkled_skin import Paint, Wrinkles, build, glossy
from engines.blocks.cameras import Camera, look_at
from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.rasterising import camera_tensors, interpolate, rasterise, to_camera
from engines.blocks.meshes.rotations import turned_about
from engines.blocks.meshes.shading import harmonics, lamp
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.core import Example, Param, Params, Run, method
from engines.data import HandCapture, Photos, PoseSequence, RiggedTemplate
from engines.files.rigged_glb import the_open_hand

SHEET = "sheet 14, data"
FINER = 2
"""Pictures are drawn so many times larger, then averaged."""
LAMP = np.array([0.3, -0.5, 0.8])
AMBIENT, DIRECT = 0.65, 0.8
LOWEST_BEND, HIGHEST_BEND = np.radians([-8, 60])


class MadeHandParams(Params):
    side: Literal["right", "left"] = Param("right", help="Which hand", source="own choice")
    views: int = Param(12, ge=2, le=200, help="Cameras to train on", source=f"{SHEET}: 12 to 20")
    held_out_views: int = Param(3, ge=0, le=100, help="More cameras, to measure on", source=SHEET)
    poses: int = Param(15, ge=1, le=2000, help="Poses to train on", source=f"{SHEET}: 20 in all")
    held_out_poses: int = Param(5, ge=0, le=500, help="More poses, to measure on", source=SHEET)
    resolution: int = Param(128, ge=16, le=2048, unit="pixels", help="Of each side", source=f"{SHEET}: 128 to 256")
    levels: int = Param(2, ge=0, le=3, help="Times that the surface is subdivided (Loop)", source=SHEET)
    wrinkles: float = Param(2.0, ge=0, le=10, unit="mm", help="Depth where a joint is bent by 60°", source=SHEET)
    period: float = Param(9.0, ge=2, le=50, unit="mm", help="From one wrinkle to the next", source="own choice")
    build: float = Param(
        0.0, ge=0, le=10, unit="mm", source="own choice",
        help="By how much, at most, the hand is thicker or thinner than its template in every pose",
    )  # fmt: skip
    gloss: float = Param(0.12, ge=0, le=1, help="Strength of highlights, which no Lambertian shading has", source="own")


@method(
    key="made-hand",
    title="Made hand capture",
    family="shape",
    job="Photograph the open hand in many poses: known cameras, wrinkles, paint and lights.",
    presets={
        "quick": {
            "views": 6, "held_out_views": 1, "poses": 5, "held_out_poses": 1, "resolution": 96, "levels": 1,
        },
    },
    smoke=Example(
        params={
            "views": 3, "held_out_views": 1, "poses": 2, "held_out_poses": 1, "resolution": 32, "levels": 0,
        }
    ),
    tags=("hand", "photos", "cameras", "poses", "synthetic"),
)  # fmt: skip
def photograph_hand(params: MadeHandParams, run: Run) -> Annotated[HandCapture, "photos with masks, exact in all"]:
    """Pose it, wrinkle it, and draw each frame from each camera.

    The wrinkles follow from the pose alone, the paint is finer than the mesh, and highlights depend on the view. Each
    camera has a light of its own, as cameras that were not matched have. Held-out cameras and poses stand between the
    others.
    """
    template = the_open_hand(params.side)
    run.check()
    fine = subdivided(template, params.levels)
    run.check()
    count = params.poses + params.held_out_poses
    poses = bending(template, count, run.rng)
    own = build(fine, normals_of(fine), params.build / 1e3, run.rng) if params.build else np.zeros(3)
    true = surfaces(fine, poses, params.wrinkles / 1e3, params.period / 1e3, own)
    run.check()
    cameras = around(true, params.views + params.held_out_views, params.resolution)
    tests = spread(params.held_out_views, len(cameras)), spread(params.held_out_poses, count)
    studio = Studio(fine, cameras, params.gloss, run.rng)

    images = []
    for frame in run.steps(count, "Photographing"):
        images += studio.pictures(true[frame], run.check)
    frame, view = (axis.ravel() for axis in np.mgrid[:count, : len(cameras)])
    photos = Photos.of(
        images,
        world_to_camera=np.stack([c.world_to_camera for c in cameras])[view],
        intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras])[view],
        held_out=np.isin(view, tests[0]) | np.isin(frame, tests[1]),
        names=tuple(f"pose {f + 1:02d}, camera {v + 1:02d}" for f, v in zip(frame, view, strict=True)),
        name=f"Photos of a {params.side} hand",
    )
    return HandCapture(
        template=template,
        photos=photos,
        poses=poses,
        frame=frame,
        view=view,
        surface=true,
        frame_names=tuple(f"pose {f + 1:02d}" for f in range(count)),
        view_names=tuple(f"camera {v + 1:02d}" for v in range(len(cameras))),
        name=f"Made {params.side} hand",
    )


def bending(template: RiggedTemplate, count: int, rng: np.random.Generator) -> PoseSequence:
    """``count`` poses of one motion: from the open hand on, each finger bends and stretches in its own time."""
    joints = len(template.joints)
    time = 2 * np.pi * np.arange(count)[:, None] / max(count, 2)
    rounds = rng.integers(1, 4, joints)
    angles = np.zeros((count, joints, 3))
    swing = (1 - np.cos(rounds * time + rng.uniform(0, 0.9, joints) * (time > 0))) / 2
    angles[..., 0] = LOWEST_BEND + (HIGHEST_BEND - LOWEST_BEND) * swing
    knuckles = template.parents == 0
    angles[..., 1] = np.radians(7) * np.sin(rounds[::-1] * time) * knuckles
    angles[:, 0] = np.radians([18, 14, 20]) * np.sin(time * [1, 2, 1] + [0, 0.4, 1.1]) * (time > 0)
    angles[0] = 0
    axes = torch.from_numpy(np.array(template.axes))
    turns = turned_about(torch.from_numpy(angles), axes).numpy()
    return PoseSequence.of(turns, template.joint_names, rate=8.0, name="Poses of the made hand")


def normals_of(template: RiggedTemplate) -> np.ndarray:
    """(V, 3) float64 at rest."""
    rest = torch.from_numpy(np.array(template.vertices))
    return VertexNormals(template.faces, len(rest))(rest).numpy()


def surfaces(
    fine: RiggedTemplate, poses: PoseSequence, depth: float, period: float, own: np.ndarray | None = None
) -> np.ndarray:
    """(F, V, 3) float64 where the vertices are in each pose; ``depth`` and ``period`` of the wrinkles in m.

    ``own`` (V, 3) is what the hand differs by from its template at rest, in m.
    """
    rest = torch.from_numpy(fine.vertices + (0.0 if own is None else own))
    wrinkled = rest + torch.from_numpy(Wrinkles(fine, normals_of(fine), depth, period)(poses.rotations))
    rotations, joints = torch.from_numpy(np.array(poses.rotations)), torch.from_numpy(np.array(fine.joints))
    transforms = joint_transforms(rotations, joints, fine.parents)
    return skin(wrinkled, torch.from_numpy(np.array(fine.weights)), transforms).numpy()


def around(true: np.ndarray, count: int, resolution: int) -> list[Camera]:
    """Cameras evenly on a sphere that see the hand whole in each pose."""
    points = true.reshape(-1, 3)[::7]
    middle = points.mean(0)
    for step in range(
        1, 60
    ):  # towards the farthest point, less each time: the smallest ball (Badoiu and Clarkson 2003)
        middle = middle + (points[((points - middle) ** 2).sum(1).argmax()] - middle) / (step + 1)
    reach = 1.03 * float(np.linalg.norm(points - middle, axis=1).max())
    i = np.arange(count) + 0.5
    up, turn = 1 - 2 * i / count, np.pi * (3 - np.sqrt(5)) * i
    flat = np.sqrt(1 - up * up)
    directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), up], axis=1)
    distance = 4 * reach
    focal = 0.49 * resolution * np.sqrt(distance**2 - reach**2) / reach
    centre = resolution / 2
    return [
        Camera(look_at(middle + distance * d, middle), focal, focal, centre, centre, resolution, resolution)
        for d in directions
    ]


def spread(some: int, count: int) -> np.ndarray:
    """(some,) numbers evenly among ``count``, never the first."""
    return np.floor((np.arange(some) + 0.5) * count / max(some, 1)).clip(min(1, count - 1)).astype(int)


class Studio:
    """Cameras, each with its light, and the paint of the hand before them."""

    def __init__(self, fine: RiggedTemplate, cameras: list[Camera], gloss: float, rng: np.random.Generator) -> None:
        self.faces, self.gloss = torch.from_numpy(np.array(fine.faces)), gloss
        self.normals = VertexNormals(fine.faces, len(fine.vertices))
        rest = torch.from_numpy(fine.vertices.astype(np.float32))
        self.rest = torch.cat([rest, self.normals(rest)], 1)
        self.paint = Paint(fine, rng)
        self.cameras = cameras
        width, height = cameras[0].width, cameras[0].height
        self.size = FINER * width, FINER * height
        self.poses, self.lenses = camera_tensors([c.resized(*self.size) for c in cameras])
        self.eyes = np.stack([camera.centre for camera in cameras]).astype(np.float32)
        self.lamps = (LAMP + rng.normal(0, 0.15, (len(cameras), 3))).astype(np.float32)
        tints = 1 + rng.normal(0, 0.04, (len(cameras), 1, 3))
        lights = [lamp(way, np.full(3, DIRECT), np.full(3, AMBIENT)) for way in self.lamps]
        self.gammas = torch.from_numpy(np.stack(lights) * tints).float()

    def pictures(self, true: np.ndarray, check: Callable[[], None]) -> list[np.ndarray]:
        """(H, W, 4) uint8 from each camera of vertices (V, 3) in the world; the alpha channel is the mask."""
        vertices = torch.from_numpy(true.astype(np.float32))
        attributes = torch.cat([self.rest, self.normals(vertices), vertices], 1)
        found = []
        for view in range(len(self.cameras)):
            check()
            here = slice(view, view + 1)
            fragments = rasterise(to_camera(vertices, self.poses[here]), self.faces, self.lenses[here], *self.size)
            mask = fragments.mask[0].numpy()
            seen = interpolate(attributes, self.faces, fragments, fragments.covered()).numpy()
            place, at_rest, normal, world = seen.reshape(-1, 4, 3).transpose(1, 0, 2)
            at_rest, normal = (
                v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9) for v in (at_rest, normal)
            )
            light = harmonics(torch.from_numpy(normal)).numpy() @ self.gammas[view].numpy()
            shine = glossy(normal, unit(self.eyes[view] - world), self.lamps[view])
            colours = self.paint(place, at_rest) * light + self.gloss * shine[:, None]
            found.append(averaged(colours, mask))
        return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Of length 1; none becomes of none."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def averaged(colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 of colours (P, 3) where the finer ``mask`` is: their mean, and how much of a pixel they cover."""
    fine = np.zeros((*mask.shape, 4), np.float32)
    fine[mask, :3], fine[mask, 3] = np.clip(colours, 0, 1), 1
    height, width = mask.shape[0] // FINER, mask.shape[1] // FINER
    mean = fine.reshape(height, FINER, width, FINER, 4).mean((1, 3))
    mean[..., :3] /= np.maximum(mean[..., 3:], 1e-9)
    return np.rint(255 * mean).astype(np.uint8)
