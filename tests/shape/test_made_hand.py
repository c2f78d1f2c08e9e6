"""A made capture of a hand: what it says of itself holds in its photos."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.avatars.refinement import subdivided
from engines.blocks.avatars.wrinkled_skin import Wrinkles, palms
from engines.blocks.meshes.rotations import turned_about
from engines.blocks.views import camera_of
from engines.core import Run
from engines.files.rigged_glb import the_open_hand
from engines.shape.made_hand import normals_of, photograph_hand, spread, surfaces

SMALL = {"views": 4, "held_out_views": 1, "poses": 3, "held_out_poses": 1, "resolution": 64, "levels": 1}


@functools.cache
def made(**changes):
    params = photograph_hand.params.parse({**SMALL, **changes})
    return next(iter(photograph_hand.run({}, params, Run(seed=2)).values()))


def bent(template, angle: float) -> np.ndarray:
    """(1, J, 3): every joint but the root bent by ``angle``."""
    angles = torch.zeros(len(template.joints), 3, dtype=torch.float64)
    angles[1:, 0] = angle
    return turned_about(angles, torch.from_numpy(np.array(template.axes))).numpy()[None]


@pytest.mark.parametrize("side", ["left", "right"])
def test_wrinkles_grow_with_the_bend_and_reach_their_depth(side):
    template = subdivided(the_open_hand(side), 1)
    wrinkles = Wrinkles(template, normals_of(template), depth=2e-3, period=9e-3)
    assert np.abs(wrinkles(bent(template, 0.0))).max() < 1e-15
    full, half = (np.linalg.norm(wrinkles(bent(template, angle))[0], axis=1) for angle in np.radians([60, 30]))
    assert full.max() == pytest.approx(2e-3, rel=0.2)
    assert full.max() <= 2e-3 + 1e-12
    np.testing.assert_allclose(half, full / 2, atol=1e-12)
    assert (full > 2e-4).mean() > 0.05


@pytest.mark.parametrize("side", ["left", "right"])
def test_fingers_that_bend_go_to_the_palm(side):
    """Bent by 60° at each joint, the fingertips lie on the palm's side of the open hand."""
    found = made(side=side, poses=1, held_out_poses=0, views=2, held_out_views=0, levels=0, resolution=16)
    template = found.template
    there = surfaces(template, found.poses.replace(rotations=bent(template, np.radians(60))), 0.0, 9e-3)[0]
    middle = template.joint_names.index("middle3")
    tip = template.weights[:, middle] > 0.9
    move = (there - template.vertices)[tip].mean(0)
    assert move @ palms(template)[template.joint_names.index("middle1")] > 0.03


def test_the_surface_is_in_the_photos_and_they_show_nothing_else():
    capture = made()
    assert capture.surface.shape == (4, 4630, 3)
    for number in range(len(capture.photos)):
        camera = camera_of(capture.photos, number)
        pixels, depths = camera.pixels(capture.surface[capture.frame[number]])
        assert (depths > 0).all()
        alpha = capture.photos.pixels(number)[..., 3]
        column, row = np.floor(pixels).astype(int).T
        assert column.min() >= 0
        assert row.min() >= 0
        assert max(column.max(), row.max()) < 64
        grown = np.zeros((66, 66), bool)  # a vertex on the silhouette may lie just beside the last pixel
        for dy, dx in np.ndindex(3, 3):
            grown[dy : dy + 64, dx : dx + 64] |= alpha > 0
        assert grown[1:-1, 1:-1][row, column].all()
        near = np.zeros((64, 64), bool)
        near[row, column] = True
        assert 0.7 < (alpha > 127).sum() / near.sum() < 1.6


def test_what_is_held_out_stands_between_the_others():
    capture = made()
    views, frames = capture.view[capture.photos.held_out], capture.frame[capture.photos.held_out]
    assert capture.photos.held_out.sum() == 4 + 5 - 1
    assert set(views[frames == 0]) == set(spread(1, 5)) == {2}
    assert set(frames[views == 0]) == set(spread(1, 4)) == {2}
    assert not capture.poses.rotations[0].any()


def test_a_hand_of_its_own_is_thicker_and_thinner_in_every_pose():
    changes = {"wrinkles": 0.0, "levels": 0, "resolution": 16}
    own, template = made(build=3.0, **changes), made(**changes)
    rest = own.surface[0] - template.surface[0]
    along = (rest * normals_of(own.template)).sum(1)
    assert np.abs(along).max() == pytest.approx(3e-3)
    assert along.min() < -1e-3 < 1e-3 < along.max()
    np.testing.assert_allclose(np.linalg.norm(rest, axis=1), np.abs(along), atol=1e-12)
    assert np.linalg.norm(own.surface[3] - template.surface[3], axis=1).max() < 3e-3 + 1e-9


def test_without_wrinkles_the_surface_is_the_skinned_template():
    capture = made(wrinkles=0.0, levels=0, resolution=16)
    template = capture.template
    for frame in range(4):
        moved = np.zeros((len(template.vertices), 3))
        chain = []
        for joint, parent in enumerate(template.parents):
            turn = np.eye(4)
            turn[:3, :3] = Rotation.from_rotvec(np.array(capture.poses.rotations[frame, joint])).as_matrix()
            turn[:3, 3] = template.joints[joint] - (template.joints[parent] if joint else 0)
            chain.append(turn if parent < 0 else chain[parent] @ turn)
            back = np.eye(4)
            back[:3, 3] = -template.joints[joint]
            here = (chain[joint] @ back @ np.c_[template.vertices, np.ones(len(moved))].T).T[:, :3]
            moved += template.weights[:, joint, None] * here
        np.testing.assert_allclose(capture.surface[frame], moved, atol=1e-12)
