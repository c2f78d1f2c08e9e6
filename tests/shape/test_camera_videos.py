"""Orbits and tours from scenes, and videos along a path: the right cameras, and the renderer's own pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.camera_paths import Track, picture_times
from engines.blocks.camera_routes import circle, orbit
from engines.blocks.splatting import render
from engines.core import Checkpointed, Noted, Run, UserError, catalog
from engines.data import Photos
from engines.shape.orbit_path import OrbitParams, orbit_path, photos_about
from engines.shape.render_path import RenderPathParams, render_path
from engines.shape.render_splats import ball, to_gaussians
from engines.shape.tour_path import TourParams, tour_path

MIDDLE, UP = np.array([0.5, -1.0, 2.0]), np.array([0.0, -1.0, 0.0])


class Ear:
    def __init__(self) -> None:
        self.said: list[str] = []

    def emit(self, event) -> None:
        if isinstance(event, Noted):
            self.said.append(event.text)

    def wants_preview(self) -> bool:
        return False


def photos(count=10, share=1.0) -> Photos:
    """On a circle around MIDDLE as COLMAP has it: -y is up."""
    return photos_about(circle(MIDDLE, UP, 4.0, 30.0, round(count / share))[:count])


def go(method, ear=None, **inputs):
    return method.function(**inputs, run=Run(seed=0, listener=ear))


def test_an_orbit_goes_around_what_the_photos_look_at():
    made = go(orbit_path, photos=photos(), cloud=None, params=OrbitParams(seconds=4, rate=10))
    aside = made.centres - MIDDLE
    np.testing.assert_allclose(np.linalg.norm(aside, axis=1), 4.0, atol=1e-9)
    np.testing.assert_allclose(aside @ UP, 2.0, atol=1e-9)  # sin 30°
    assert made.closed
    assert len(picture_times(made)) == 40
    np.testing.assert_allclose(made.fields_of_view, np.degrees(2 * np.arctan(6 / 16)))  # as the photos have it
    closer = go(
        orbit_path, photos=photos(), cloud=None, params=OrbitParams(distance=0.5, elevation=-10, field_of_view=70)
    )
    assert closer.fields_of_view.tolist() == [70] * 24
    np.testing.assert_allclose((closer.centres - MIDDLE) @ UP, 2 * np.sin(np.radians(-10)), atol=1e-9)


def test_clockwise_is_the_other_way_round_seen_from_above():
    def turning(params):
        found = go(orbit_path, photos=photos(), cloud=None, params=params).centres - MIDDLE
        return np.sign(np.cross(found[0], found[1]) @ UP)

    assert turning(OrbitParams()) == 1
    assert turning(OrbitParams(clockwise=True)) == -1


def test_an_orbit_of_a_cloud_sees_all_of_it():
    cloud = ball()["cloud"]
    made = go(orbit_path, photos=None, cloud=cloud, params=OrbitParams(up="-x", elevation=50, field_of_view=40))
    for camera in Track(made).cameras(np.linspace(0, 10, 7), 200, 200):
        pixels, depths = camera.pixels(cloud.means.astype(float))
        assert (depths > 0).all()
        assert pixels.min() > 0
        assert pixels.max() < 200
        assert camera.rotation[1, 0] > 0.5  # down in the picture is along x


def test_a_gap_between_photos_is_told_and_photos_without_a_middle_need_a_cloud():
    ear = Ear()
    go(orbit_path, ear, photos=photos(10, 0.5), cloud=None, params=OrbitParams())
    assert any("No photo was taken over 198°" in text for text in ear.said)
    ear = Ear()
    go(orbit_path, ear, photos=photos(), cloud=None, params=OrbitParams())
    assert not any("No photo" in text for text in ear.said)
    side_by_side = catalog().get("orbit-path").degenerate[1].inputs()["photos"]
    made = go(orbit_path, photos=side_by_side, cloud=ball()["cloud"], params=OrbitParams())
    assert np.linalg.norm(made.centres.mean(0)[[0, 2]]) < 0.1  # around the cloud, -y up as in the photos


def test_a_tour_is_exact_short_and_thinned_out():
    shuffled = np.random.default_rng(1).permutation(20)
    given = photos_about(circle(MIDDLE, UP, 4.0, 30.0, 20)[shuffled])
    made = go(tour_path, photos=given, params=TourParams(closed=True))
    assert len(made) == 20
    steps = np.linalg.norm(np.diff(made.centres, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)  # from neighbour to neighbour
    listed = go(tour_path, photos=given, params=TourParams(order="as listed", count=5))
    np.testing.assert_array_equal(listed.world_to_camera, given.world_to_camera[[0, 5, 10, 14, 19]])


def around(**fields):
    return orbit(np.zeros(3), np.array([0, 0, 1.0]), 3.0, 20.0, 1.0, 45.0, width=80, height=40, rate=4.0, **fields)


def test_each_picture_is_the_renderer_s_and_its_depth_that_of_what_is_there():
    cloud, path = ball()["cloud"], around()
    made = go(render_path, cloud=cloud, path=path, params=RenderPathParams(shows="both", background="black"))
    assert (len(made.video), made.video.width, made.video.height, made.video.rate) == (4, 80, 40, 4.0)
    camera = Track(path).cameras(picture_times(path))[2]
    with torch.no_grad():
        truth = render(to_gaussians(cloud), camera, background=torch.zeros(3), with_depth=True)
    expected = truth.image.clamp(0, 1).permute(1, 2, 0).numpy() * 255
    assert np.abs(made.video.pixels(2).astype(float) - expected).max() <= 0.5 + 1e-3
    depth, alpha = made.depth.depth[2], truth.alpha.numpy()
    assert ((depth > 0) == (alpha > 0.5)).all()
    assert depth[20, 40] == pytest.approx(float(truth.depth[20, 40] / truth.alpha[20, 40]), rel=1e-5)
    assert 1.8 < depth[20, 40] < 3  # the near side of a ball of radius 1, seen from 3 away


@pytest.mark.parametrize(
    ("params", "size", "count"),
    [({}, (80, 40), 4), ({"width": 40}, (40, 20), 4), ({"height": 30}, (60, 30), 4), ({"rate": 8}, (80, 40), 8)],
)
def test_size_and_rate_are_those_of_the_path_unless_they_are_given(params, size, count):
    made = go(render_path, cloud=ball()["cloud"], path=around(), params=RenderPathParams(**params))
    assert (made.video.width, made.video.height) == size
    assert len(made.video) == count
    assert made.video.seconds == pytest.approx(1.0)
    assert made.depth is None


def test_depth_alone_and_a_view_past_the_cloud():
    ear = Ear()
    path = around()
    behind = path.world_to_camera.copy()
    behind[:, :3, 3] += [0, 0, -100]  # the cloud lies behind each camera
    made = go(
        render_path, ear, cloud=ball()["cloud"], path=path.replace(world_to_camera=behind),
        params=RenderPathParams(shows="depth"),
    )  # fmt: skip
    assert made.video is None
    assert made.depth.range == (0.0, 0.0)
    assert any("In 4 of 4 pictures none of the 200 Gaussians" in text for text in ear.said)


def test_a_run_that_outgrows_its_checkpoint_goes_on_from_what_it_kept(monkeypatch):
    from engines.shape import render_path as module

    inputs, params = {"cloud": ball()["cloud"], "path": around()}, RenderPathParams(shows="both")
    whole = go(render_path, **inputs, params=params)
    monkeypatch.setattr(module, "MOST_KEPT", 40_000)  # two pictures with their depth
    kept = []

    class Keeper(Ear):
        def emit(self, event) -> None:
            kept.extend([event.checkpoint] if isinstance(event, Checkpointed) else [])

    run = Run(seed=0, listener=Keeper(), checkpoint_seconds=0.0)
    render_path.function(**inputs, params=params, run=run)
    assert kept
    resumed = Run(seed=0, checkpoint=kept[-1])
    assert len(resumed.restored()["files"]) == 2
    again = render_path.function(**inputs, params=params, run=Run(seed=0, checkpoint=kept[-1]))
    assert again.video.content_hash() == whole.video.content_hash()
    assert again.depth.content_hash() == whole.depth.content_hash()


def test_far_too_many_pictures_are_refused():
    long = around().replace(seconds=3600.0, times=around().times * 3600)
    with pytest.raises(UserError, match="864,000 pictures"):
        go(render_path, cloud=ball()["cloud"], path=long, params=RenderPathParams(rate=240))
