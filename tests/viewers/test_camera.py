"""The mathematics of navigation, without a window."""

import json
import math

import numpy as np
import pytest

from app.viewers.camera import DEFAULT, STANDARD_VIEWS, Pose


def test_front_view_has_x_to_the_right_and_z_up():
    _, back, up = STANDARD_VIEWS[0]
    pose = DEFAULT.looking_from(back, up)
    assert np.allclose(pose.right, [1, 0, 0])
    seen = pose.project(np.array([[0.5, 0, 0], [0, 0, 0.5]]), 200, 200)
    assert seen[0, 0] > 100
    assert seen[1, 1] < 100


@pytest.mark.parametrize("parallel", [False, True])
def test_ray_and_projection_are_inverse(parallel):
    pose = Pose(np.array([1.0, 2, 3]), DEFAULT.back, DEFAULT.up, 2.0, parallel)
    origin, direction = pose.ray(70, 30, 320, 240)
    seen = pose.project(np.array([origin + direction * 5, origin + direction * 9]), 320, 240)
    assert np.allclose(seen[:, :2], [70, 30])


@pytest.mark.parametrize("parallel", [False, True])
def test_zoom_keeps_the_point_under_the_cursor(parallel):
    pose = Pose(np.zeros(3), DEFAULT.back, DEFAULT.up, 1.0, parallel)
    right, up = 0.4, -0.3  # half heights from the middle
    under = pose.focal + (pose.right * right + pose.up * up) * pose.half_height
    closer = pose.zoomed(2.0, right, up)
    before, after = pose.project(under, 320, 240), closer.project(under, 320, 240)
    assert np.allclose(before[:, :2], after[:, :2])
    assert closer.half_height == pytest.approx(0.5)


def test_a_full_turn_comes_back_and_axes_stay_perpendicular():
    pose = DEFAULT
    for _ in range(100):
        pose = pose.orbited(2 * math.pi / 100, 0.0)
    assert np.allclose(pose.back, DEFAULT.back)
    for _ in range(1000):
        pose = pose.orbited(0.1, 0.07)
    assert abs(pose.back @ pose.up) < 1e-9
    assert np.linalg.norm(pose.back) == pytest.approx(1)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.0])
def test_framing_shows_every_point_and_not_much_more(parallel, aspect):
    points = np.random.default_rng(1).uniform(-1, 1, (200, 3)) * [3, 1, 0.2] + 10
    pose = Pose(np.zeros(3), DEFAULT.back, DEFAULT.up, 1.0, parallel).framing(points, aspect)
    seen = pose.project(points, 240 * aspect, 240)
    across, along = np.abs(seen[:, 0] / (120 * aspect) - 1).max(), np.abs(seen[:, 1] / 120 - 1).max()
    assert 0.6 < max(across, along) < 1.0


def test_poses_survive_json_and_junk_is_refused():
    again = Pose.from_json(json.loads(json.dumps(DEFAULT.to_json())))
    assert again.same_as(DEFAULT)
    good = DEFAULT.to_json()
    broken = ({"half_height": -1}, {"half_height": "x"}, {"focal": [1, 2]}, {"up": good["back"]}, {"back": [0, 0, 0]})
    for junk in (None, 3, [], {}, good | {"focal": [float("nan")] * 3}, *(good | change for change in broken)):
        assert Pose.from_json(junk) is None
