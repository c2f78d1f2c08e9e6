"""Camera paths: exactly through their key views, smooth, on great circles, evenly fast, upright."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.blocks.camera_paths import Track, picture_times
from engines.blocks.camera_routes import around, middle_of, orbit, shortest_order, tour, up_of
from engines.blocks.cameras import Camera, look_at
from engines.core import UserError
from engines.data import CameraPath


def winding(closed: bool = False, **fields) -> CameraPath:
    """Uneven places, turns and times."""
    rng = np.random.default_rng(3)
    eyes = rng.normal(size=(6, 3)) * [3, 3, 1] + [0, 0, 2]
    return CameraPath(
        world_to_camera=np.stack([look_at(eye, rng.normal(size=3) * 0.3) for eye in eyes]),
        times=np.array([0.0, 0.5, 2.0, 2.2, 3.7, 5.0]),
        fields_of_view=np.array([40.0, 50, 50, 30, 45, 60]),
        seconds=6.5 if closed else 5.0,
        closed=closed,
        **fields,
    )


def pose(centre, turn: Rotation = Rotation.identity()) -> np.ndarray:
    found = np.eye(4)
    found[:3, :3] = turn.inv().as_matrix()
    found[:3, 3] = -found[:3, :3] @ centre
    return found


def path(poses, times, seconds=None, **fields) -> CameraPath:
    return CameraPath(
        world_to_camera=np.stack(poses),
        times=np.asarray(times, float),
        fields_of_view=np.full(len(poses), 45.0),
        seconds=float(times[-1]) if seconds is None else seconds,
        **fields,
    )


def centres(poses: np.ndarray) -> np.ndarray:
    return -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])


@pytest.mark.parametrize("even_speed", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_it_passes_exactly_through_its_key_views(closed, even_speed):
    made = winding(closed, even_speed=even_speed)
    track = Track(made)
    poses, angles = track.poses(track.key_times)
    np.testing.assert_allclose(poses, made.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(angles, made.fields_of_view, atol=1e-9)
    assert even_speed or np.array_equal(track.key_times, made.times)


@pytest.mark.parametrize("even_speed", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_neither_the_place_nor_the_direction_ever_jumps_or_kinks(closed, even_speed):
    """Velocities just before and after each key view are the same: the path is C1 there."""
    made = winding(closed, even_speed=even_speed)
    track = Track(made)
    step = 1e-7
    inner = track.key_times if closed else track.key_times[1:-1]
    poses = [track.poses(inner + k * step)[0] for k in (-2, -1, 1, 2)]
    before = (centres(poses[1]) - centres(poses[0])) / step
    after = (centres(poses[3]) - centres(poses[2])) / step
    np.testing.assert_allclose(before, after, atol=2e-3)

    def spin(a, b):
        return Rotation.from_matrix(a[:, :3, :3] @ b[:, :3, :3].transpose(0, 2, 1)).as_rotvec() / step

    np.testing.assert_allclose(spin(poses[0], poses[1]), spin(poses[2], poses[3]), atol=2e-3)
    every, _ = track.poses(np.linspace(0, made.seconds, 4001))
    assert np.linalg.norm(np.diff(centres(every), axis=0), axis=1).max() < 0.4
    turns = every[:, :3, :3]
    assert np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max() < 1e-9


def test_a_straight_way_at_an_even_pace_is_straight_and_even():
    made = path([pose([x, 2 * x, -x]) for x in (0.0, 1, 2, 3)], [0, 1, 2, 3])
    found = centres(Track(made).poses(np.linspace(0, 3, 31))[0])
    np.testing.assert_allclose(found, np.linspace(0, 3, 31)[:, None] * [1, 2, -1], atol=1e-12)


def test_turning_about_one_axis_is_the_great_arc_at_constant_rate():
    axis = np.array([1, 2, -2]) / 3
    turns = [Rotation.from_rotvec(axis * angle) for angle in (0.0, 0.8, 1.6, 2.4)]
    made = path([pose([1, 1, 1], turn) for turn in turns], [0, 1, 2, 3])
    times = np.linspace(0, 3, 25)
    found = Rotation.from_matrix(Track(made).poses(times)[0][:, :3, :3]).inv().as_rotvec()
    np.testing.assert_allclose(found, axis * 0.8 * times[:, None], atol=1e-9)


@pytest.mark.parametrize("elevation", [0.0, 35.0, 80.0])
def test_an_orbit_is_a_circle_at_constant_speed_looking_at_its_middle_and_upright(elevation):
    middle, up = np.array([1.0, -2, 0.5]), np.array([0.0, 0.6, 0.8])
    made = orbit(middle, up, 3.0, elevation, 8.0, 50.0)
    times = np.linspace(0, 8, 801)
    poses, _ = Track(made).poses(times)
    where = centres(poses) - middle
    np.testing.assert_allclose(np.linalg.norm(where, axis=1), 3.0, rtol=3e-4)
    np.testing.assert_allclose(where @ up, 3 * np.sin(np.radians(elevation)), atol=1e-9)
    speed = np.linalg.norm(np.diff(where, axis=0), axis=1) / np.diff(times)
    np.testing.assert_allclose(speed, 2 * np.pi * 3 * np.cos(np.radians(elevation)) / 8, rtol=2e-3)
    np.testing.assert_allclose(poses[:, :3, 2] * 0 + poses[:, 2, :3], -where / 3.0, atol=2e-3)  # forward
    assert np.abs(poses[:, 0, :3] @ up).max() < 2e-3  # right is level: no roll
    assert (poses[:, 1, :3] @ up).max() < 0  # and down is down
    np.testing.assert_allclose(poses[0], poses[-1], atol=1e-12)


def test_at_even_speed_uneven_key_views_are_passed_at_one_speed():
    eyes = winding().centres
    poses, times = [pose(eye) for eye in eyes], winding().times
    samples = np.linspace(0, times[-1], 4001)
    speeds = []
    for even in (True, False):
        found = centres(Track(path(poses, times, even_speed=even)).poses(samples)[0])
        speeds.append(np.linalg.norm(np.diff(found, axis=0), axis=1))
    assert speeds[0].std() / speeds[0].mean() < 0.005
    assert speeds[1].std() / speeds[1].mean() > 0.3


def test_a_turn_in_place_takes_time_at_even_speed():
    turned = Rotation.from_rotvec([0, 1.5, 0])
    level = [pose([0, 0, 0]), pose([1, 0, 0]), pose([1, 0, 0], turned), pose([2, 0, 0], turned)]
    made = path(level, [0, 1, 2, 3], even_speed=True)
    turns = Rotation.from_matrix(Track(made).poses(np.linspace(0, 3, 301))[0][:, :3, :3])
    assert (turns[:-1].inv() * turns[1:]).magnitude().max() < 0.06


def test_a_view_that_is_held_is_held():
    same = pose([1, 2, 3], Rotation.from_rotvec([0.1, 0.2, 0.3]))
    made = path([pose([0, 0, 0]), same, same, pose([5, 0, 0])], [0, 1, 3, 4])
    found = centres(Track(made).poses(np.linspace(1.2, 2.8, 20))[0])
    np.testing.assert_allclose(found, np.tile([1, 2, 3], (20, 1)), atol=1e-3)
    still = path([same] * 3, [0, 1, 2], even_speed=True)
    np.testing.assert_allclose(Track(still).poses(np.linspace(0, 2, 5))[0], np.stack([same] * 5), atol=1e-12)


def test_one_key_view_and_times_outside_stand_still():
    one = path([pose([1, 2, 3])], [0], seconds=2.0)
    np.testing.assert_array_equal(Track(one).poses([0, 1, 9])[0], np.stack([pose([1, 2, 3])] * 3))
    made = winding()
    np.testing.assert_allclose(Track(made).poses([-1, 99])[0], made.world_to_camera[[0, -1]], atol=1e-12)
    assert Track(one).line().shape == (1, 3)


def test_pictures_of_an_open_path_show_both_ends_and_those_of_a_closed_one_none_twice():
    assert picture_times(winding()).tolist() == np.linspace(0, 5, 125).tolist()
    closed = picture_times(winding(closed=True), rate=4)
    assert len(closed) == 26
    assert closed[-1] == pytest.approx(6.5 - 0.25)


def test_cameras_see_the_angle_that_the_path_says():
    made = orbit(np.zeros(3), np.array([0, 0, 1.0]), 2.0, 10.0, 4.0, 60.0, width=200, height=100)
    camera = Track(made).cameras([1.3], 64, 48)[0]
    assert (camera.width, camera.height) == (64, 48)
    assert camera.height / 2 / camera.fy == pytest.approx(np.tan(np.radians(30)))
    pixels, depth = camera.pixels(np.zeros((1, 3)))
    np.testing.assert_allclose(pixels, [[32, 24]], atol=0.2)
    assert depth[0] == pytest.approx(2.0, rel=1e-3)


def of_eyes(eyes, target=(0, 0, 0)) -> list[Camera]:
    return [Camera(look_at(eye, target), 100.0, 100.0, 50, 50, 100, 100) for eye in eyes]


def test_lines_of_sight_meet_where_the_photographs_look():
    rng = np.random.default_rng(1)
    cameras = of_eyes(rng.normal((0, 0, 3), 1, (9, 3)), (0.3, -0.2, 0.1))
    np.testing.assert_allclose(middle_of(cameras), [0.3, -0.2, 0.1], atol=1e-9)
    side_by_side = [Camera(pose([x, 0, 0]), 9.0, 9.0, 5, 5, 10, 10) for x in range(3)]
    assert middle_of(side_by_side) is None
    assert middle_of([Camera(c.world_to_camera, 9.0, 9.0, 5, 5, 10, 10) for c in of_eyes([(1, 0, 0)])]) is None


def test_how_cameras_stand_around_a_point():
    ring = [(2 * np.cos(a), 2 * np.sin(a), 1.0) for a in np.radians([0, 60, 120, 180])]
    distance, elevation, gap = around(of_eyes(ring), np.zeros(3), np.array([0, 0, 1.0]))
    assert distance == pytest.approx(np.sqrt(5))
    assert elevation == pytest.approx(np.degrees(np.arctan2(1, 2)))
    assert gap == pytest.approx(180)
    np.testing.assert_allclose(up_of(of_eyes([(np.cos(a), np.sin(a), 0.0) for a in range(7)])), [0, 0, 1], atol=1e-12)


def test_up_is_found_from_one_side_only_and_where_all_look_the_same_way():
    quarter = [(np.cos(a), np.sin(a), 0.7) for a in np.radians([0, 20, 40, 60, 80])]
    np.testing.assert_allclose(up_of(of_eyes(quarter)), [0, 0, 1], atol=1e-12)
    ahead = [Camera(pose([x, 0, 0], Rotation.from_rotvec([0.2, 0, 0])), 9.0, 9.0, 5, 5, 10, 10) for x in range(3)]
    np.testing.assert_allclose(up_of(ahead), [0, -np.cos(0.2), -np.sin(0.2)], atol=1e-12)
    opposite = [Camera(pose([0, 0, 0], Rotation.from_rotvec([0, 0, a])), 9.0, 9.0, 5, 5, 10, 10) for a in (0, np.pi)]
    np.testing.assert_allclose(up_of(opposite), [0, 0, 1], atol=1e-12)


def test_a_short_tour_around_a_ring_is_the_ring_and_along_a_line_the_line():
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(40)
    angles = 2 * np.pi * shuffled / 40
    order = shortest_order(np.stack([np.cos(angles), np.sin(angles)], 1), closed=True)
    assert set(np.abs(np.diff(shuffled[order])) % 38) == {1}
    line = rng.permutation(30)
    found = line[shortest_order(line[:, None].astype(float), closed=False)]
    assert found.tolist() in (list(range(30)), list(range(29, -1, -1)))
    assert shortest_order(np.zeros((2, 3)), closed=True).tolist() == [0, 1]


def test_a_tour_takes_every_camera_with_its_lens():
    angles = np.radians([0, 200, 40, 300, 120])
    cameras = of_eyes(np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1))
    made = tour(cameras, 10.0, shortest=True, closed=True)
    assert len(made) == 5
    np.testing.assert_allclose(made.fields_of_view, np.degrees(2 * np.arctan(0.5)))
    found = {tuple(np.round(c, 6)) for c in made.centres}
    assert found == {tuple(np.round(c.centre, 6)) for c in cameras}
    steps = np.linalg.norm(np.diff(np.vstack([made.centres, made.centres[:1]]), axis=0), axis=1)
    assert steps.sum() == pytest.approx(sum(2 * np.sin(np.radians(a) / 2) for a in (40, 80, 80, 100, 60)))
    as_listed = tour(cameras, 10.0, shortest=False, closed=False)
    np.testing.assert_array_equal(as_listed.world_to_camera, np.stack([c.world_to_camera for c in cameras]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"times": np.array([0.0, 0.5, 0.5, 2.2, 3.7, 5.0])}, "do not rise"),
        ({"times": np.array([-1.0, 0.5, 0.6, 2.2, 3.7, 5.0])}, "do not rise"),
        ({"seconds": 4.0}, "4 s cannot be"),
        ({"seconds": 5.0, "closed": True}, "no time for the way back"),
        ({"fields_of_view": np.array([40.0, 50, 0, 30, 45, 60])}, "field of view"),
        ({"width": 3}, "3×720"),
        ({"rate": 0.0}, "0 a second"),
        ({"world_to_camera": np.tile(np.diag([2.0, 1, 1, 1]), (6, 1, 1))}, "Key view 1 is not rigid"),
    ],
)
def test_what_cannot_be_a_path_is_refused_in_words(change, words):
    with pytest.raises(UserError, match=words):
        winding().replace(**change)


def test_no_key_views_are_refused():
    with pytest.raises(UserError, match="no key view"):
        CameraPath(world_to_camera=np.zeros((0, 4, 4)), times=[], fields_of_view=[], seconds=1.0)
