"""The splat view, through what a person sees and presses."""

import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.viewers import splat_links
from app.viewers.camera import DEFAULT
from app.viewers.links import CameraLink
from app.viewers.live_evaluator import LiveEvaluator, Stale
from app.viewers.pace import LEVELS, Pace
from app.viewers.pinhole import LENS, between, camera_of, pose_of
from app.viewers.registry import Shown, create, viewers_for
from app.viewers.splat_render import Look, Request, SplatRenderer, Surfaces, prepare
from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, render
from engines.data import BoundGaussians, GaussianCloud
from tests.viewers.conftest import ball


def until(condition, seconds=20.0):
    """Wait in an event loop; qtbot's waiting holds the interpreter while threads want it."""
    loop, timer, end = QEventLoop(), QTimer(), time.monotonic() + seconds
    timer.setInterval(10)
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    timer.stop()
    assert condition(), "it did not happen in time"


def shell(count=2000, radius=1.0, degree=1, seed=0, colour=None, size=None, **more) -> GaussianCloud:
    """Flat-ish Gaussians on a sphere, coloured by where they are."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    sh = np.zeros((count, (degree + 1) ** 2, 3))
    sh[:, 0] = 1.2 * out if colour is None else (np.array(colour) - 0.5) / 0.28209479
    return GaussianCloud(
        means=(radius * out).astype("f4"), quaternions=rng.normal(size=(count, 4)).astype("f4"),
        log_scales=np.full((count, 3), np.log(size or 2.5 * radius / np.sqrt(count)), "f4"),
        opacity_logits=np.full(count, 3.0, "f4"), sh=sh.astype("f4"), unit="mm", **more,
    )  # fmt: skip


def fine(view):
    """Wait for the full picture of what is shown now."""
    until(lambda: view.latest is not None and view.drawing.is_settled)


def shown(view, *items, width=200, height=150):
    view.show_artifacts([Shown(*item) for item in items])
    if view.clouds:
        fine(view)
    return view.screenshot(width, height).astype(int)


@pytest.fixture
def view(show):
    return show("splats", 320, 260)


# ---- the camera -------------------------------------------------------------------------------------------


def test_a_pose_and_its_pinhole_camera_see_the_same():
    pose = DEFAULT.orbited(0.3, 0.2).panned(0.2, -0.1).zoomed(1.7)
    points = np.random.default_rng(0).normal(size=(50, 3)) * 0.5
    camera = camera_of(pose, 400, 300)
    pixels, depths = camera.pixels(points)
    expected = pose.project(points, 400, 300)
    assert np.abs(pixels - expected[:, :2]).max() < 1e-9
    assert np.abs(depths - expected[:, 2]).max() < 1e-9
    flat = replace(pose, parallel=True)
    pixels, _ = camera_of(flat, 400, 300).pixels(points)
    assert np.abs(pixels - flat.project(points, 400, 300)[:, :2]).max() < 2  # from far away, not from infinity


def test_a_photo_s_camera_becomes_a_pose_that_sees_the_same():
    camera = Camera(look_at(np.array([2.0, -1, 0.5]), np.zeros(3)), 250.0, 250.0, 160.0, 120.0, 320, 240)
    pose, lens = pose_of(camera, 2.2)
    again = camera_of(pose, 640, 480, lens)
    points = np.random.default_rng(1).normal(size=(50, 3)) * 0.3
    assert np.abs(again.pixels(points)[0] - 2 * camera.pixels(points)[0]).max() < 1e-6
    assert np.linalg.norm(again.centre - camera.centre) < 1e-9


def test_the_way_between_two_poses_begins_and_ends_with_them():
    a, b = DEFAULT, DEFAULT.orbited(1.0, 0.4).zoomed(3.0).panned(0.5, 0.1)
    assert between(a, b, 0.0).same_as(a)
    assert between(a, b, 1.0).same_as(b)
    middle = between(a, b, 0.5)
    assert b.half_height < middle.half_height < a.half_height
    assert abs(middle.up @ middle.back) < 1e-9


# ---- pictures ---------------------------------------------------------------------------------------------


def test_the_picture_is_what_the_rasteriser_makes_in_bands_or_at_once():
    cloud = shell(500)
    request = Request((cloud,), replace(DEFAULT, half_height=1.3), 160, 112, background=((0.2, 0.4, 0.6),) * 2)
    renderer = SplatRenderer()
    renderer._band_rate = 1e9
    whole = renderer.draw(request)
    renderer._band_rate = 1.0  # as on a slow machine: bands of two tiles
    bands = renderer.draw(request)
    assert np.array_equal(whole.every.colours, bands.every.colours)
    assert np.array_equal(whole.picture, bands.picture)
    assert whole.seen == bands.seen == 500
    tensors = Gaussians(*(torch.tensor(getattr(cloud, n)) for n in Gaussians.__dataclass_fields__))
    blue = torch.tensor([0.2, 0.4, 0.6])
    truth = render(tensors, camera_of(request.pose, 160, 112), background=blue, with_depth=True)
    expected = truth.image.clamp(0, 1).permute(1, 2, 0).numpy()
    assert np.abs(whole.picture / 255 - expected).max() < 0.004
    there = truth.alpha.numpy() > 0.5
    assert np.abs(whole.depth - (truth.depth / truth.alpha).numpy())[there].max() < 1e-4
    assert 3.8 < whole.depth[56, 80] < 4.85  # before the middle, which is 1.3 / tan 15° away


def test_the_first_few_are_those_that_cover_most():
    cloud = shell(400)
    scales = cloud.log_scales.copy()
    scales[123] += 2
    logits = cloud.opacity_logits.copy()
    logits[7] = -8
    ready = prepare((cloud.replace(log_scales=scales, opacity_logits=logits),))
    assert torch.equal(ready.gaussians.means[0], torch.tensor(cloud.means[123]))
    assert torch.equal(ready.gaussians.means[-1], torch.tensor(cloud.means[7]))
    again = prepare((cloud.replace(log_scales=scales, opacity_logits=logits),))
    assert torch.equal(ready.gaussians.means, again.gaussians.means)


def test_a_picture_that_is_not_wanted_any_more_is_given_up():
    renderer = SplatRenderer()
    with pytest.raises(Stale):
        renderer.draw(Request((shell(50),), DEFAULT, 64, 48), lambda: True)


def test_clouds_of_different_degree_are_shown_together():
    red, blue = shell(200, degree=0, colour=(1, 0, 0)), shell(200, radius=0.4, degree=3, colour=(0, 0, 1))
    both = prepare((red, blue))
    assert len(both) == 400
    assert both.gaussians.degree == 3


def plane(depth, size=96) -> Surfaces:
    """A green wall across the view."""
    flat = np.ones((size, size), np.float32)
    return Surfaces(flat[..., None] * np.array([0, 1, 0], np.float32), flat, depth * flat)


def test_a_surface_hides_what_lies_behind_it_and_is_hidden_by_what_lies_before():
    cloud = shell(1500, colour=(1, 0, 0))
    request = Request((cloud,), replace(DEFAULT, half_height=1.3), 96, 96)
    renderer = SplatRenderer()

    def seen(depth):
        return renderer.draw(replace(request, surfaces=plane(depth))).picture.astype(int)

    assert tuple(seen(1.0)[48, 48]) == (0, 255, 0)
    behind = seen(50.0)
    assert behind[48, 48, 0] > 200
    assert behind[48, 48, 1] < 40
    assert tuple(behind[2, 2]) == (0, 255, 0)  # beside the cloud
    # A wall through the middle: of the front half exactly, and through its thin places the wall.
    half = renderer.draw(replace(request, surfaces=plane(1.3 / LENS)))
    front = cloud.means @ DEFAULT.back > -np.exp(cloud.log_scales[0, 0])
    parts = {name: getattr(cloud, name)[front] for name in Gaussians.__dataclass_fields__}
    alone = renderer.draw(replace(request, clouds=(cloud.replace(**parts),)))
    assert np.abs(half.before.colours - alone.every.colours).max() < 1e-5
    expected = alone.every.colours + (1 - alone.every.alpha[..., None]) * np.array([0, 1, 0])
    assert np.abs(half.picture / 255 - np.clip(expected, 0, 1)).max() < 0.004
    assert half.every.alpha.sum() > half.before.alpha.sum()


def test_a_faint_cloud_lets_the_surface_behind_it_shine_through():
    cloud = shell(1500, colour=(1, 0, 0))
    faint = cloud.replace(opacity_logits=np.full(1500, -3.0, "f4"))
    request = Request((faint,), replace(DEFAULT, half_height=1.3), 96, 96, surfaces=plane(50.0))
    frame = SplatRenderer().draw(request)
    alpha = frame.every.alpha[48, 48]
    assert 0.1 < alpha < 0.9
    assert frame.picture[48, 48] == pytest.approx([255 * alpha, 255 * (1 - alpha), 0], abs=2)


def test_gaussians_that_lie_in_a_surface_are_seen():
    flat = shell(400, colour=(1, 0, 0))
    means = flat.means * [1, 1, 0]
    thin = np.tile(np.log([0.2, 0.2, 1e-3]), (400, 1)).astype("f4")
    lying = flat.replace(
        means=means.astype("f4"), log_scales=thin, quaternions=np.tile([1.0, 0, 0, 0], (400, 1)).astype("f4")
    )
    above = DEFAULT.looking_from([0, 0, 1], [0, 1, 0])
    frame = SplatRenderer().draw(
        Request((lying,), replace(above, half_height=1.0), 96, 96, surfaces=plane(1.0 / LENS + 5e-4))
    )
    assert frame.picture[48, 48, 0] > 200
    behind = SplatRenderer().draw(
        Request((lying,), replace(above, half_height=1.0), 96, 96, surfaces=plane(1.0 / LENS - 0.01))
    )
    assert tuple(behind.picture[48, 48]) == (0, 255, 0)


# ---- the view ---------------------------------------------------------------------------------------------


def test_every_mode_shows_something_else(view):
    empty = view.screenshot(200, 150).astype(int)
    pictures = {"empty": empty}
    cloud = shell(800)
    shown(view, ("c", "Ball", cloud))
    for mode in ("colour", "depth", "opacity", "ellipsoids", "centres"):
        view.set_mode(mode)
        fine(view)
        pictures[mode] = view.screenshot(200, 150).astype(int)
        assert [bar.title for bar in view.colour_bars()] == ([mode] if mode in ("depth", "opacity") else [])
    names = list(pictures)
    for i, a in enumerate(names):
        for b in names[:i]:
            assert np.abs(pictures[a] - pictures[b]).max(-1).mean() > 2, (a, b)
    assert view.count_text == "800 Gaussians"


def test_size_degree_and_background_change_the_picture(view):
    cloud = shell(600)
    sh = cloud.sh.copy()
    sh[:, 1:] = 0.4
    before = shown(view, ("c", "Ball", cloud.replace(sh=sh)))
    view.size_slider.setValue(5)
    assert view.look.size == 0.25
    fine(view)
    small = view.screenshot(200, 150).astype(int)
    assert np.abs(small - before).max(-1).mean() > 4
    view.size_slider.setValue(20)
    assert view.degree_slider.maximum() == 1
    view.degree_slider.setValue(0)
    fine(view)
    assert np.abs(view.screenshot(200, 150) - before).max() > 8
    view.set_background("black")
    assert tuple(view.screenshot(200, 150)[2, 2]) == (0, 0, 0)
    view.set_background("white")
    assert tuple(view.screenshot(200, 150)[2, 2]) == (255, 255, 255)


def test_a_live_preview_keeps_the_camera(view):
    shown(view, ("out", "Cloud", shell(500)))
    view.set_pose(view.pose.orbited(0.5, 0.1).zoomed(1.4))
    pose, before = view.pose, view.latest
    for step in range(4):
        view.show_artifacts([Shown("out", "Cloud", shell(500 + 20 * step, radius=1.0 - 0.05 * step, seed=step))])
    until(lambda: view.latest is not before and view.latest.total == 560)
    assert view.pose is pose
    assert view.count_text == "560 Gaussians"


def test_mouse_wheel_and_keys_navigate_as_in_the_3d_view(view, qtbot):
    shown(view, ("c", "Ball", shell(300)))
    canvas, start = view.canvas, view.pose

    def drag(button, to=QPoint(150, 100)):
        qtbot.mousePress(canvas, button, pos=QPoint(100, 100))
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove, QPointF(to), QPointF(canvas.mapToGlobal(to)), Qt.MouseButton.NoButton, button,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)
        qtbot.mouseRelease(canvas, button, pos=to)

    drag(Qt.MouseButton.LeftButton)
    assert np.allclose(view.pose.turning_point, start.turning_point)
    assert not np.allclose(view.pose.back, start.back)
    turned = view.pose
    drag(Qt.MouseButton.MiddleButton)
    assert np.allclose(view.pose.back, turned.back)
    assert not np.allclose(view.pose.focal, turned.focal)
    size = view.pose.half_height
    at = QPointF(100, 80)
    wheel = QWheelEvent(
        at, QPointF(canvas.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, wheel)
    assert view.pose.half_height < size
    view.activateWindow()
    canvas.setFocus()
    until(canvas.hasFocus)
    qtbot.keyClick(canvas, Qt.Key.Key_5)
    assert np.allclose(view.pose.back, [0, 0, 1])
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert not np.allclose(view.pose.back, [0, 0, 1], atol=1e-3) or not np.allclose(view.pose.up, [0, 1, 0], atol=1e-3)
    qtbot.keyClick(canvas, Qt.Key.Key_V)
    assert view.look.mode == "depth"
    qtbot.keyClick(canvas, Qt.Key.Key_R)
    assert view.look == Look()
    assert np.allclose(view.pose.back, DEFAULT.back)


def test_a_double_click_focuses_on_what_is_seen(view):
    sphere = shell(4000, size=0.06)
    # Opaque: the depth under a thin place lies between the front and the back.
    shown(view, ("c", "Ball", sphere.replace(opacity_logits=np.full(4000, 7.0, "f4"))))
    middle = QPointF(view.canvas.width() / 2, view.canvas.height() / 2)
    found = view.pick(middle)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=0.1)
    assert found @ view.pose.back > 0.8
    size = view.pose.half_height
    view.canvas.double_clicked.emit(middle)
    assert np.allclose(view.pose.focal, found)
    assert view.pose.half_height < size
    assert view.pick(QPointF(2, 2)) is None


def test_it_says_so_when_nothing_is_in_view(view):
    shown(view, ("c", "Ball", shell(300)))
    assert view.notice.isHidden()
    view.set_pose(view.pose.panned(30, 0))
    until(lambda: view.latest.seen == 0)
    assert view.notice.text() == "0 of 300 Gaussians in view. Press F to show everything."
    view.frame()
    until(lambda: view.latest.seen == 300)
    assert view.notice.isHidden()


def test_an_empty_cloud_is_said_to_be_empty(view):
    nothing = shell(10)
    nothing = nothing.replace(**{n: getattr(nothing, n)[:0] for n in Gaussians.__dataclass_fields__})
    view.show_artifacts([Shown("c", "Nothing", nothing)])
    assert view.notice.text() == "This cloud has no Gaussians."
    assert view.screenshot(64, 48).shape == (48, 64, 3)


def test_things_are_shown_together_and_hidden_one_by_one(view):
    cloud, mesh = shell(1500, colour=(1, 0, 0)), ball(0.5)
    alone = shown(view, ("c", "Cloud", cloud))
    with_mesh = shown(view, ("c", "Cloud", cloud), ("m", "Ball", mesh))
    assert np.abs(alone - with_mesh).max(-1).mean() < 2  # it lies within
    entries = {a.text(): a for a in view.things.menu().actions()}
    entries["Cloud"].setChecked(False)
    assert view.clouds == ()
    mesh_only = view.screenshot(200, 150).astype(int)
    middle = mesh_only[75, 100]
    assert np.ptp(middle) < 60
    assert np.abs(mesh_only - alone).max(-1).mean() > 5
    entries["Ball"].setChecked(False)
    assert not view.solids.visible


def test_cameras_of_splat_and_3d_views_are_linked(show):
    first, second, scene = show("splats"), show("splats"), show("scene")
    link = CameraLink()
    link.link([first, second, scene])
    first.set_pose(first.pose.orbited(0.4, 0.2), moving=True)
    assert second.pose.same_as(first.pose)
    assert scene.pose.same_as(first.pose)
    assert second.canvas.moving
    scene.set_pose(scene.pose.zoomed(2))
    assert first.pose.same_as(scene.pose)
    link.link([])


def test_it_flies_to_a_camera(view):
    shown(view, ("c", "Ball", shell(300)))
    camera = Camera(look_at(np.array([3.0, 1, 0.5]), np.zeros(3)), 200.0, 200.0, 100.0, 75.0, 200, 150)
    assert splat_links.open_views() == [view]
    assert splat_links.fly_to(camera, 3.0) == [view]
    until(lambda: not view.flight.under_way)
    seen = camera_of(view.pose, 200, 150, view.lens)
    assert np.allclose(seen.world_to_camera, camera.world_to_camera, atol=1e-9)
    assert seen.fy == pytest.approx(200.0)
    view.frame()
    assert view.lens == LENS


def test_the_state_is_kept(view, show):
    shown(view, ("c", "Ball", shell(300)))
    view.set_mode("ellipsoids")
    view.set_background("black")
    view.set_size(0.5)
    view.set_pose(view.pose.orbited(0.3, 0.3).zoomed(2))
    state = json.loads(json.dumps(view.state()))
    other = show("splats")
    other.restore(state)
    other.show_artifacts([Shown("c", "Ball", shell(300))])
    assert other.pose.same_as(view.pose)
    assert other.look == view.look
    assert other.background == "black"
    assert other.modes.currentData() == "ellipsoids"
    other.restore({"camera": 1, "mode": "x", "degree": float("nan"), "size": "a", "hidden": 4, "lens": True})
    assert other.look == view.look


def test_every_pixel_of_a_picture_on_screen_comes_while_the_camera_moves(view):
    shown(view, ("c", "Ball", shell(3000)))
    before = view.latest
    seen = []
    view.drawn.connect(lambda: seen.append(view.latest))
    timer = QTimer()
    timer.setInterval(16)
    timer.timeout.connect(lambda: view.set_pose(view.pose.orbited(0.02, 0), moving=True))
    timer.start()
    until(lambda: len(seen) > 8)
    timer.stop()
    assert all(frame is not before for frame in seen)
    until(lambda: not view.canvas.moving and view.latest.is_fine and view.latest.request.pose is view.pose)


def test_close_ends_the_thread(show):
    view = show("splats")
    view.show_artifacts([Shown("c", "Ball", shell(2000))])
    until(lambda: view.drawing.evaluator._thread is not None)
    thread = view.drawing.evaluator._thread
    view.close()
    assert not thread.is_alive()
    view.show_artifacts([])
    view.set_pose(view.pose.zoomed(2))


def test_a_view_that_is_deleted_without_being_closed_ends_its_thread(app):
    view = create("splats")
    view.resize(200, 150)
    view.show()
    view.show_artifacts([Shown("c", "Ball", shell(200))])
    until(lambda: view.latest is not None)
    thread = view.drawing.evaluator._thread
    view.deleteLater()
    app.sendPostedEvents(None, 52)
    thread.join(5)
    assert not thread.is_alive()


def test_bound_gaussians_are_shown_and_counted(view):
    mesh = ball(1.0, around=8)
    count = len(mesh.faces)
    bound = BoundGaussians(
        vertices=mesh.vertices, faces=mesh.faces, barycentrics=np.full((1, 3), 1 / 3),
        log_scales=np.full((count, 2), -1.5, "f4"), turns=np.tile([1.0, 0.0], (count, 1)).astype("f4"),
        opacity_logits=np.full(count, 4.0, "f4"), sh=np.full((count, 1, 3), 1.0, "f4"),
    )  # fmt: skip
    shown(view, ("b", "Bound", bound))
    assert view.count_text == f"{count:,} Gaussians"
    assert view.latest.seen > count / 3
    assert view.latest.every.alpha.max() > 0.9
    assert viewers_for(BoundGaussians)[0].key == "splats"


# ---- what keeps it quick ----------------------------------------------------------------------------------


def test_the_latest_request_wins(app):
    gate, at_work, done = threading.Event(), threading.Event(), []

    def work(request, stale):
        at_work.set()
        if request == 0:
            gate.wait(5)
        if stale():
            raise Stale
        return request * 10

    evaluator = LiveEvaluator(work)
    evaluator.answered.connect(lambda request, answer: done.append((request, answer)))
    evaluator.ask(0)
    until(at_work.is_set)
    for request in range(1, 6):
        evaluator.ask(request)
    gate.set()
    until(lambda: bool(done))
    assert done == [(5, 50)]
    assert not evaluator.busy
    assert evaluator.is_settled
    evaluator.ask(6, give_up=False)
    assert not evaluator.is_settled
    until(lambda: len(done) == 2)
    assert evaluator.is_settled
    assert evaluator.stop()
    evaluator.ask(7)
    assert not evaluator.busy


def test_an_error_of_the_thread_is_told_and_the_next_request_served(app):
    answers, errors = [], []
    evaluator = LiveEvaluator(lambda request, stale: 1 / request)
    evaluator.answered.connect(lambda request, answer: answers.append(answer))
    evaluator.failed.connect(lambda request, error: errors.append(error))
    evaluator.ask(0)
    until(lambda: bool(errors))
    assert evaluator.is_settled
    evaluator.ask(2)
    evaluator.forget()
    assert evaluator.is_settled
    evaluator.ask(2)
    until(lambda: bool(answers))
    assert isinstance(errors[0], ZeroDivisionError)
    assert answers == [0.5]
    evaluator.stop()


def test_the_pace_finds_a_level_that_keeps_within_its_budget():
    pace = Pace()

    def settle(cost):
        for _ in range(60):
            pace.took(cost(pace.scale, pace.share), pace.scale, pace.share)
        return cost(pace.scale, pace.share)

    def heavy(scale, share):
        return 0.002 + 2.0 * share + 0.3 * scale**2

    assert settle(heavy) <= pace.budget
    assert pace.share < 0.1
    assert settle(lambda scale, share: 0.004) < pace.budget
    assert (pace.scale, pace.share) == LEVELS[0]
    pace.expect(1_000_000)
    assert pace.share <= 0.06
    pace.expect(5_000)
    assert (pace.scale, pace.share) == (0.5, 1.0)


def test_a_few_huge_gaussians_leave_the_frame_rate_alone():
    cloud = shell(20_000)
    scales = cloud.log_scales.copy()
    scales[::400] = 1.0  # fifty that fill the view
    renderer, pace = SplatRenderer(), Pace()
    request = Request((cloud.replace(log_scales=scales),), replace(DEFAULT, half_height=1.3), 320, 240)
    pace.expect(20_000)
    for _ in range(12):
        frame = renderer.draw(replace(request, scale=pace.scale, share=pace.share))
        pace.took(frame.seconds, pace.scale, pace.share)
    assert frame.seen > 0
    assert pace.share > 0.01


def test_the_registry_knows_it():
    assert viewers_for(GaussianCloud)[0].key == "splats"


def test_where_the_gpu_has_no_memory_left_the_cpu_draws(monkeypatch):
    """The device's picture fails once; the same request is drawn on the CPU, and so are those that follow."""
    renderer, failed = SplatRenderer(torch.device("meta")), []

    def draw(self, request, stale):
        if self._device.type != "cpu":
            failed.append(self._device)
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return original(self, request, stale)

    original = SplatRenderer._draw
    monkeypatch.setattr(SplatRenderer, "_draw", draw)
    request = Request((shell(100),), DEFAULT, 40, 30)
    frames = [renderer.draw(request) for _ in range(2)]
    assert failed == [torch.device("meta")]
    assert frames[0].picture is not None
    assert np.array_equal(frames[0].picture, frames[1].picture)
