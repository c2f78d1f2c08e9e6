"""Videos and moving meshes of posed hands."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from engines.blocks.avatars.avatar import Avatar, capture_camera
from engines.blocks.camera_routes import orbit
from engines.core import Run
from engines.files.rigged_glb import the_open_hand
from engines.shape.pose_avatar import _grey_hand, pose_avatar, pose_template


@functools.cache
def given():
    return dict(_grey_hand())


def carried_out(method, inputs, **params):
    return next(iter(method.run(inputs, method.params.parse(params), Run()).values()))


def test_each_picture_shows_its_pose():
    avatar, poses = given()["avatar"], given()["poses"]
    video = carried_out(pose_avatar, given(), width=40, background="black", view=2)
    assert (len(video), video.rate, video.width, video.height) == (3, poses.rate, 40, 40)
    live, camera = Avatar.of(avatar), capture_camera(avatar, 1).resized(40, 40)
    live.pose(poses.rotations[2])
    expected = np.rint(255 * live.shaded(camera)[..., :3].clamp(0, 1).numpy())
    assert np.abs(video.pixels(2) - expected).max() <= 1
    assert not np.array_equal(video.pixels(0), video.pixels(2))


def test_it_looks_along_a_path():
    middle = the_open_hand().vertices.mean(0)
    path = orbit(middle, np.array([0, 0, 1.0]), 0.6, 20.0, 1.0, 45.0, width=40, height=32)
    video = carried_out(pose_avatar, {**given(), "path": path}, background="white")
    assert (video.width, video.height) == (40, 32)
    assert (video.pixels(0) < 250).any()
    assert (video.pixels(0)[0] == 255).all()


@pytest.mark.parametrize("bare", [False, True])
def test_meshes_over_time_are_those_of_the_poses(bare):
    avatar, poses = given()["avatar"], given()["poses"]
    poses = poses.replace(translations=np.ones((3, 3)), scales=np.array([1.0, 1.0, 2.0]))
    hand = {"template": avatar.template} if bare else {"avatar": avatar}
    field = carried_out(pose_template, {**hand, "poses": poses})
    live = Avatar.of(avatar)
    posed = live.pose(poses.rotations[2], poses.translations[2], 2.0)
    np.testing.assert_allclose(field.positions(2), posed.vertices, atol=1e-5)
    np.testing.assert_allclose(field.times, [0, 1 / 12, 2 / 12])
    if not bare:
        np.testing.assert_allclose(field.values[2, 1:], posed.albedo.T, atol=1e-6)
    np.testing.assert_allclose(
        field.values[2, 0], 1e3 * np.linalg.norm(field.positions(2) - field.points, axis=1), rtol=1e-5
    )
