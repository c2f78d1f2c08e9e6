"""The camera that a view chooses by itself: in the middle, and still while a preview changes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.viewers.camera import DEFAULT, Pose
from app.viewers.framing import Room
from app.viewers.registry import Shown
from tests.viewers.conftest import ball, rings


def long_box(n=400):
    return np.random.default_rng(3).uniform(-1, 1, (n, 3)) * [0.6, 3.0, 1.0] + [5, -2, 1]


def shares(pose, points, width, height):
    """How much is left free at the left, right, top and bottom, in pixels."""
    seen = pose.project(points, width, height)
    return np.array([seen[:, 0].min(), width - seen[:, 0].max(), seen[:, 1].min(), height - seen[:, 1].max()])


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(
    ("width", "height", "right", "foot"),
    [(900, 600, 248, 60), (380, 520, 0, 44), (1200, 200, 0, 44), (370, 260, 0, 44), (300, 120, 0, 30)],
)
def test_what_is_framed_stands_in_the_middle_of_the_free_part_and_fills_it(parallel, width, height, right, foot):
    start = Pose(np.zeros(3), DEFAULT.back, DEFAULT.up, 1.0, parallel)
    pose = start.framing(long_box(), free=Room(width, height, right).free)
    left, right_, top, bottom = shares(pose, long_box(), width, height) - [0, right, 0, foot]
    assert min(left, right_, top, bottom) > 0
    assert left == pytest.approx(right_, abs=2)
    assert top == pytest.approx(bottom, abs=2)
    assert min(left, top) < 0.07 * min(width - right, height - foot)  # no room is wasted


def test_turning_is_about_the_middle_of_what_is_framed():
    points = long_box()
    pose = DEFAULT.framing(points, free=Room(900, 600, 248).free)
    middle = (points.min(0) + points.max(0)) / 2
    before, after = (p.project(middle, 900, 600)[0] for p in (pose, pose.orbited(0.7, 0.2)))
    assert np.allclose(before, after, atol=1e-6)
    near = pose.zoomed(30.0, 0.4, 0.3)  # the middle is far out of view: what is looked at stays
    assert np.allclose(near.orbited(0.5, 0.1).focal, near.focal)


def test_previews_of_the_same_things_leave_the_camera_alone(show):
    scene = show("scene", 500, 400)
    scene.show_artifacts([Shown("s", "Slices", rings())])
    start = scene.pose
    for size in (0.99, 1.0, 1.3, 0.2):
        scene.show_artifacts([Shown("s", "Slices", rings()), Shown("m", "Preview", ball(size))])
        assert scene.pose is start
    assert scene.framing.is_automatic


def test_a_first_guess_that_fills_all_space_does_not_leave_the_result_tiny(show):
    scene = show("scene", 500, 400)
    scene.show_artifacts([Shown("s", "Slices", rings())])
    start = scene.pose
    scene.show_artifacts([Shown("s", "Slices", rings()), Shown("m", "Preview", ball(4.0))])
    scene.show_artifacts([Shown("s", "Slices", rings()), Shown("m", "Preview", ball(1.0))])
    assert scene.pose.half_height == pytest.approx(start.half_height, rel=0.15)
    scene.set_pose(scene.pose.zoomed(1.1))  # the user's camera stays, come what may
    mine = scene.pose
    scene.show_artifacts([Shown("s", "Slices", rings()), Shown("m", "Preview", ball(9.0))])
    assert scene.pose is mine


def test_it_follows_the_size_of_the_view_and_comes_back(show, qtbot):
    scene = show("scene", 500, 400)
    scene.layers_action.setChecked(False)
    scene.show_artifacts([Shown("m", "Ball", ball())])
    start = scene.pose
    scene.show_artifacts([Shown("m", "Ball", ball(1.01))])
    scene.resize(200, 400)
    qtbot.waitUntil(lambda: scene.canvas.width() == 200)
    narrow = scene.pose
    assert narrow.half_height > 1.2 * start.half_height
    scene.resize(500, 400)
    qtbot.waitUntil(lambda: scene.canvas.width() == 500)
    assert scene.pose.same_as(start)
    scene.set_pose(scene.pose.zoomed(1.4))  # from here on it is the user's
    mine = scene.pose
    scene.resize(200, 400)
    qtbot.waitUntil(lambda: scene.canvas.width() == 200)
    scene.show_artifacts([Shown("m", "Ball", ball()), Shown("b", "Large", ball(9.0))])
    assert scene.pose is mine


def test_what_comes_from_afar_is_framed_while_nobody_moved(show):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Ball", ball())])
    start = scene.pose
    scene.show_artifacts([Shown("m", "Ball", ball()), Shown("b", "Large", ball(9.0))])
    assert scene.pose.half_height > 4 * start.half_height
    scene.show_artifacts([Shown("m", "Ball", ball())])
    assert scene.pose.half_height == pytest.approx(start.half_height)


def test_a_saved_view_that_nobody_moved_fits_a_view_of_another_size(show):
    wide = show("scene", 700, 400)
    items = [Shown("m", "Ball", ball())]
    wide.show_artifacts(items)
    wide.look_from(2)
    state = json.loads(json.dumps(wide.state()))
    narrow, reference = show("scene", 240, 400), show("scene", 240, 400)
    narrow.restore(state)
    narrow.show_artifacts(items)
    reference.show_artifacts(items)
    reference.look_from(2)
    assert narrow.pose.same_as(reference.pose)
    wide.set_pose(replace(wide.pose, half_height=0.5))
    narrow.restore(json.loads(json.dumps(wide.state())))
    assert narrow.pose.same_as(wide.pose)


def test_the_turntable_of_an_untouched_view_shows_every_angle(show):
    scene = show("scene")
    mesh = ball()
    scene.show_artifacts([Shown("m", "Long", mesh.replace(vertices=mesh.vertices * [0.3, 3.0, 0.3]))])
    points = scene.layers["m"].extent()
    pose = scene.pose_for(400, 300, turning=True)
    for angle in np.linspace(0, 2 * np.pi, 13):
        assert shares(pose.orbited(angle, 0.0), points, 400, 300).min() > 0
