"""Cameras from photos alone, against the cameras with which the photos were drawn."""

from __future__ import annotations

import dataclasses
import importlib.util
import time

import numpy as np
import pytest

from engines.blocks.corner_scene import corner_photos
from engines.core import Cancelled, Control, Noted, Run, UserError, catalog
from engines.data import Photos, UnposedPhotos
from engines.shape.structure_from_motion import MotionParams, find_cameras, pairs_of, upright, without_cameras

needs_colmap = pytest.mark.skipif(importlib.util.find_spec("pycolmap") is None, reason="pycolmap is not installed")
SMALL = MotionParams(longest_side=240, features=600)


@dataclasses.dataclass
class Ear:
    noted: list = dataclasses.field(default_factory=list)

    def emit(self, event):
        self.noted += [event.text] if isinstance(event, Noted) else []

    def wants_preview(self):
        return False


def place(photos, params=SMALL, **more):
    ear = Ear()
    return find_cameras.run({"photos": photos}, params, Run(seed=3, listener=ear, **more))["photos"], ear.noted


def centres(photos):
    return -np.einsum("nji,nj->ni", photos.world_to_camera[:, :3, :3], photos.world_to_camera[:, :3, 3])


def alike(truth, found):
    """(angles between the rotations in degrees, distances of the centres in parts of their spread, the similarity
    (scale, turn, shift) that takes the found world to the true one)."""
    index = [truth.names.index(name) for name in found.names]
    truly, a = truth.world_to_camera[index, :3, :3], centres(truth)[index]
    u, _, vt = np.linalg.svd(np.einsum("nji,njk->ik", truly, found.world_to_camera[:, :3, :3]))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    b = centres(found) @ turn.T
    scale = ((a - a.mean(0)) * (b - b.mean(0))).sum() / ((b - b.mean(0)) ** 2).sum()
    shift = a.mean(0) - scale * b.mean(0)
    product = np.einsum("nij,nkj->nik", truly @ turn, found.world_to_camera[:, :3, :3])
    angles = np.degrees(np.arccos(np.clip((np.trace(product, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    off = np.linalg.norm(a - scale * b - shift, axis=1) / np.sqrt(((a - a.mean(0)) ** 2).sum(1).mean())
    return angles, off, (scale, turn, shift)


@needs_colmap
@pytest.mark.timeout(120)
def test_cameras_and_points_are_those_of_the_scene_and_a_stranger_is_named():
    """Photos of two sizes, and one that shows something else."""
    truth = corner_photos(6, 240, 180)
    tall = corner_photos(6, 200, 200)
    noise = np.random.default_rng(0).integers(0, 256, (180, 240, 3)).astype(np.uint8)
    stranger = without_cameras(UnposedPhotos.of([noise]))
    files = [*(truth.file(i) for i in (0, 1, 3, 4)), stranger.file(0), tall.file(2), tall.file(5)]
    names = (*(truth.names[i] for i in (0, 1, 3, 4)), "stranger.png", truth.names[2], truth.names[5])
    sizes = [(240, 180)] * 5 + [(200, 200)] * 2
    found, noted = place(UnposedPhotos.packed(files, sizes=sizes, names=names, name="Corner"), MotionParams(
        longest_side=240, features=600, lens="SIMPLE_PINHOLE", focal_length=250.0
    ))  # fmt: skip
    assert found.names == tuple(n for n in names if n != "stranger.png")
    assert any("1 of 7 photos could not be placed and are left out: stranger.png." in text for text in noted)
    assert [tuple(size) for size in found.sizes] == [(240, 180)] * 4 + [(200, 200)] * 2
    assert found.file(0) == truth.file(0), "without distortion the files stay as they are"
    angles, off, (scale, turn, shift) = alike(truth, found)
    assert angles.max() < 0.5
    assert off.max() < 0.03
    assert np.allclose(found.intrinsics[:4, 0], 264, rtol=0.03)
    assert np.allclose(found.intrinsics[4:, 0], 220, rtol=0.03)
    points = scale * found.points @ turn.T + shift
    assert len(points) > 150
    # All surfaces are planes on which one coordinate is 0.
    assert np.quantile(np.abs(points).min(1), 0.8) < 0.02
    assert found.point_colors.shape == found.points.shape
    # What was up when the photos were taken is up.
    assert turn[2] @ np.array([0, 0, 1.0]) > 0.85
    assert np.allclose(centres(found).mean(0), 0, atol=1e-6)


@needs_colmap
@pytest.mark.timeout(120)
def test_photos_that_have_nothing_in_common_are_refused_in_words():
    rng = np.random.default_rng(1)
    photos = UnposedPhotos.of(
        [rng.integers(0, 256, (60, 80, 3)).astype(np.uint8) for _ in range(3)], names=("a", "b", "c")
    )
    with pytest.raises(UserError) as refused:
        place(photos, MotionParams(longest_side=100, features=200))
    assert refused.value.what == "The photos could not be placed."
    assert refused.value.why == "No two photos show enough of the same."


@needs_colmap
@pytest.mark.timeout(120)
def test_it_can_be_cancelled_while_the_library_computes():
    control = Control()
    run = Run(control=control)
    began = [0.0]

    def emit(event):
        if getattr(event, "label", "") == "Finding features" and not began[0]:
            began[0] = time.monotonic()
            control.cancel()

    run.listener.emit = emit
    noise = np.random.default_rng(0).integers(0, 256, (3, 480, 640, 3)).astype(np.uint8)
    with pytest.raises(Cancelled):
        find_cameras.run({"photos": UnposedPhotos.of(noise)}, MotionParams(), run)
    assert time.monotonic() - began[0] < 2  # twenty times what it takes, on a machine with nothing else to do


def test_without_the_package_it_says_how_to_get_it_before_anything_starts(monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pycolmap" else known(name))
    with pytest.raises(UserError) as refused:
        find_cameras.check({}, MotionParams())
    assert "pycolmap" in refused.value.what
    assert "pip install 'fieldwright[photos]'" in refused.value.mend
    assert catalog().get("torus-slices").lacks() is None


def test_two_photos_are_too_few():
    with pytest.raises(UserError, match="only 2 photos"):
        place(without_cameras(corner_photos(2, 32, 24)))


def test_pairs():
    assert pairs_of(4, None) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    few = pairs_of(40, 3)
    assert {b - a for a, b in few} == {1, 2, 3, 4}
    assert {b - a for a, b in pairs_of(2000, 10)} == {*range(1, 11), 16, 32, 64, 128, 256, 512}
    assert max(b for _, b in few) == 39


def test_turning_the_scene_upright_changes_no_picture():
    photos = corner_photos(4, 32, 24)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    poses = photos.world_to_camera.copy()
    poses[:, :3, :3] = poses[:, :3, :3] @ turn.T
    points = np.random.default_rng(3).uniform(size=(20, 3))
    lying = photos.replace(world_to_camera=poses, points=points @ turn.T)
    stood = upright(lying)

    def seen(p: Photos):
        return np.einsum("nij,pj->npi", p.world_to_camera[:, :3, :3], p.points) + p.world_to_camera[:, None, :3, 3]

    assert np.allclose(seen(stood), seen(lying), atol=1e-9)
    up = -stood.world_to_camera[:, 1, :3].mean(0)
    assert np.allclose(up / np.linalg.norm(up), [0, 0, 1], atol=1e-9)
    assert np.allclose(centres(stood).mean(0), 0, atol=1e-9)
