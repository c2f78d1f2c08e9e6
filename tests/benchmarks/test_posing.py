"""How long a frame of a posed hand avatar takes, stage by stage, at the sizes that people pose it with.

Networks that have learned nothing take as long as those that have. Beside the wall's time stands that of all cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engines.blocks.avatars.avatar import Avatar, Build
from engines.blocks.avatars.drawing import Cameras, show
from engines.blocks.avatars.embedding import FrozenEmbedding
from engines.blocks.avatars.refinement import subdivided
from engines.blocks.cameras import Camera, look_at
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.files.rigged_glb import the_open_hand
from engines.shape.xhand_params import CPU_DEMO, PUBLISHED, XhandParams, build_of

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", max(1, (os.cpu_count() or 2) - 1)))
"""As the window has it: it keeps one core."""
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


class Frames:
    """An avatar of the open hand, and poses that it has not seen."""

    def __init__(self, levels: int, build: Build, width: int, height: int, device: str) -> None:
        template = subdivided(the_open_hand(), levels)
        draw = torch.Generator(device).manual_seed(0)
        self.avatar = Avatar(template, 4, build, draw)
        with torch.no_grad():
            for embedding in self.avatar.embeddings:
                embedding.codes.normal_(generator=draw)
        self.avatar.follow_pose(True)
        self.avatar.freeze()
        self.device, self.random = device, np.random.default_rng(0)
        centre = template.vertices.mean(0)
        focal = 1.2 * max(width, height)  # the hand fills the picture
        eye = centre + np.array([0.3, 0.0, 0.05])
        pose = look_at(eye, centre, (0, -1, 0) if height >= width else (0, 0, 1))
        self.camera = Camera(pose, focal, focal, width / 2, height / 2, width, height)

    def rotations(self) -> np.ndarray:
        return self.random.normal(0, 0.15, (len(self.avatar.joints), 3))

    def frame(self, neural: bool) -> torch.Tensor:
        """A picture of a new pose, as the window shows it."""
        self.avatar.pose(self.rotations())
        return (self.avatar.neural if neural else self.avatar.shaded)(self.camera)

    def least(self, function: Callable[[], object], times: int = 9) -> tuple[float, float]:
        """Milliseconds on the wall, and of all cores, of the fastest of some calls after two to warm up."""
        found = []
        for k in range(times + 2):
            cores, began = time.process_time(), time.perf_counter()
            with torch.no_grad():
                function()
            if self.device == "cuda":
                torch.cuda.synchronize()
            if k > 1:
                found.append((time.perf_counter() - began, time.process_time() - cores))
        wall, busy = np.array(found).min(0)
        return 1e3 * float(wall), 1e3 * float(busy)

    def stages(self) -> dict[str, tuple[float, float]]:
        avatar = self.avatar
        embeddings = [FrozenEmbedding(embedding) for embedding in avatar.embeddings]
        posed = avatar.pose(self.rotations())
        condition, rotations = posed.pose / torch.pi, posed.pose.reshape(-1, 3)
        cameras = Cameras.of([self.camera], self.device)
        shown = avatar.shown(self.camera)
        light = avatar.common_light()[None]
        shaded = shown.shaded(light)
        transforms = joint_transforms(rotations, avatar.joints, avatar.template.parents)
        moved = avatar.rest + posed.displacement
        return {
            "embeddings": self.least(lambda: [embedding(condition) for embedding in embeddings]),
            "joints": self.least(lambda: joint_transforms(rotations, avatar.joints, avatar.template.parents)),
            "skinning": self.least(lambda: skin(moved, posed.weights, transforms)),
            "normals": self.least(lambda: avatar.normals(posed.vertices)),
            "rasteriser": self.least(lambda: show(posed, avatar.faces, avatar.edges, cameras)),
            "shading": self.least(lambda: shown.shaded(light)),
            "silhouettes": self.least(lambda: shown.picture(shaded)),
            "neural renderer": self.least(lambda: avatar.paint(posed, shown, shaded)),
            "a shaded frame": self.least(lambda: self.frame(neural=False)),
            "a neural frame": self.least(lambda: self.frame(neural=True)),
        }


SETTINGS = {
    "CPU demo": (1, XhandParams(**CPU_DEMO), 256, 256),
    "desk": (2, XhandParams(), 256, 256),
    "published": (2, XhandParams(**{**PUBLISHED, "start": "at the mean"}), 334, 512),
}
LEAST = {("CPU demo", "cpu"): (10.0, 3.0), ("published", "cuda"): (56.0, 56.0)}
"""Frames a second, shaded and neural, below which posing does not feel live; the paper's own on a GPU."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_frames_of_a_posed_hand(setting, device):
    levels, params, width, height = SETTINGS[setting]
    frames = Frames(levels, build_of(params), width, height, device)
    found = frames.stages()
    pixels = len(frames.avatar.shown(frames.camera).pixels)
    vertices = len(frames.avatar.rest)
    on = f"{THREADS} threads" if device == "cpu" else torch.cuda.get_device_name()
    print(f"\n{setting}: {vertices:,} vertices, {width} x {height}, {pixels:,} pixels of the hand, {on}")
    for name, (wall, cores) in found.items():
        rate = f", {1e3 / wall:5.1f} a second" if "frame" in name else ""
        print(f"  {name:16} {wall:7.2f} ms; {cores:7.2f} ms of cores{rate}")
    shaded, neural = LEAST.get((setting, device), (0, 0))
    assert 1e3 / found["a shaded frame"][0] >= shaded
    assert 1e3 / found["a neural frame"][0] >= neural
