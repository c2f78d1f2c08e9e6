"""The hand view, through what a person sees and presses."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QSlider, QToolButton

from app.viewers.camera import DEFAULT
from app.viewers.capture import save_movie
from app.viewers.hand_content import HandChoice, hands_in
from app.viewers.hand_light import aimed, turned
from app.viewers.hand_links import wishes
from app.viewers.hand_pictures import places
from app.viewers.hand_render import HandRenderer, HandRequest, Light
from app.viewers.links import CameraLink
from app.viewers.pinhole import camera_of
from app.viewers.registry import Shown, viewers_for
from engines.blocks.avatars.avatar import Avatar, Build
from engines.blocks.avatars.hand_poses import hand_frame, preset_angles, rotations_of
from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import look_at
from engines.data import HandAvatar, HandCapture, Photos, PoseSequence, RiggedTemplate
from engines.files.rigged_glb import the_open_hand
from tests import hands
from tests.viewers.test_splat_view import until

open_hand = functools.cache(the_open_hand)


def settled(view):
    until(lambda: view.latest is not None and view.drawing.is_settled)


@pytest.fixture
def view(show):
    made = show("hand", 420, 300)
    made.activateWindow()
    return made


@pytest.fixture
def posed(view):
    """With the open hand in it."""
    view.show_artifacts([Shown("hand", "Open hand", open_hand())])
    settled(view)
    view.canvas.setFocus()
    return view


def part(view, name, kind):
    found = view.findChild(kind, name)
    assert found is not None, name
    return found


def drag(widget, start, *ends, button=Qt.MouseButton.LeftButton):
    def send(kind, at, buttons):
        where = QPointF(*at)
        event = QMouseEvent(kind, where, widget.mapToGlobal(where), button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)

    send(QEvent.Type.MouseButtonPress, start, button)
    for at in ends:
        send(QEvent.Type.MouseMove, at, button)
    send(QEvent.Type.MouseButtonRelease, ends[-1], Qt.MouseButton.NoButton)


def pose_of(key):
    hand = open_hand()
    return HandPose.of(rotations_of(preset_angles(key, hand.joint_names, hand.parents), hand.axes))


# ---- pictures ---------------------------------------------------------------------------------------------


def request(hand=None, key="rest", size=64, **more):
    hand = hand or open_hand()
    frame = hand_frame(hand)
    camera = DEFAULT.looking_from(frame.palm, frame.along).framing(hand.vertices)
    return HandRequest(hand, pose_of(key), camera_of(camera, size, size), **more)


def test_the_hand_is_drawn_over_its_background():
    black = HandRenderer().draw(request(size=80))
    covered = black.depth > 0
    assert 0.1 < covered.mean() < 0.6
    assert (black.picture[~covered].max(1) < 200).all()
    assert black.picture[covered].astype(int).max(1).mean() > 60
    white = HandRenderer().draw(request(size=80, background=((1.0,) * 3,) * 2))
    outside = ~covered & ~np.roll(covered, 1, 0) & ~np.roll(covered, -1, 0) & ~np.roll(covered, 1, 1)
    outside &= ~np.roll(covered, -1, 1)
    assert (white.picture[outside] > 250).mean() > 0.99


def test_the_lamp_lights_the_side_that_it_is_on():
    def brightness(direction):
        light = Light(direction, strength=1.0, ambient=0.1)
        return HandRenderer().draw(request(light=light)).picture.astype(float).sum(2)

    left, right = brightness((-1.0, 0.0, 0.1)), brightness((1.0, 0.0, 0.1))
    # The palm bulges: what faces to the left is brighter in light from the left.
    normals = HandRenderer().draw(request(mode="normals")).picture[..., 0].astype(float)
    there = left + right > 0
    assert np.corrcoef((right - left)[there], normals[there])[0, 1] > 0.9


def test_a_mirrored_hand_is_that_of_the_mirrored_template():
    hand = open_hand()
    frame = hand_frame(hand)
    mirror = np.eye(3) - 2 * np.outer(frame.across, frame.across)

    def reflected(points):
        return (points - hand.joints[0]) @ mirror + hand.joints[0]

    other = hand.replace(
        vertices=reflected(hand.vertices), joints=reflected(hand.joints), faces=hand.faces[:, ::-1].copy(),
        axes=-hand.axes @ mirror, side="left",
    )  # fmt: skip
    wanted = request(hand, "pinch", size=72, mode="normals")
    turned_about = HandPose.of(-wanted.pose.rotations @ mirror)
    found = HandRenderer().draw(replace(wanted, mirrored=True)).picture.astype(int)
    truth = HandRenderer().draw(replace(wanted, hand=other, pose=turned_about)).picture.astype(int)
    assert (np.abs(found - truth).max(2) <= 2).mean() > 0.995
    plain = HandRenderer().draw(wanted).picture.astype(int)
    assert (np.abs(plain - truth).max(2) > 20).mean() > 0.1


def test_weights_are_shown_in_the_colours_of_the_map():
    hand = open_hand()
    frame = HandRenderer().draw(request(mode="weight", joint=hand.joint_names.index("index2")))
    yellow = (frame.picture[..., 0] > 120) & (frame.picture[..., 2] < 90) & (frame.depth > 0)
    assert 5 < yellow.sum() < 0.1 * (frame.depth > 0).sum()
    assert frame.value_range == (0.0, 1.0)


# ---- looking ----------------------------------------------------------------------------------------------


def test_hands_open_in_the_hand_view():
    for kind in (HandAvatar, HandCapture, RiggedTemplate, PoseSequence):
        assert viewers_for(kind)[0].key == "hand"


def test_a_hand_fills_the_view_and_moves_with_the_mouse(posed):
    assert posed.latest.is_fine
    rows = np.nonzero(posed.latest.depth)[0]
    assert np.ptp(rows) > 0.5 * len(posed.latest.depth)
    before = posed.pose
    drag(posed.canvas, (100, 100), (130, 110), (160, 120))
    assert not posed.pose.same_as(before)
    settled(posed)
    posed.look_from(1)
    frame = hand_frame(open_hand())
    assert np.allclose(posed.pose.back, -frame.palm)


def test_ways_to_show_follow_each_other_by_key(posed, qtbot):
    offered = [posed.modes.itemData(k) for k in range(posed.modes.count())]
    assert offered == ["shaded", "normals", "weight"]
    qtbot.keyClick(posed.canvas, Qt.Key.Key_V)
    assert posed.mode == "normals"
    qtbot.keyClick(posed.canvas, Qt.Key.Key_V)
    assert posed.mode == "weight"
    assert posed.bar.offers(posed.joints.parentWidget())
    assert [bar.title for bar in posed.colour_bars()] == ["weight"]
    until(lambda: posed.drawing.is_settled and posed.latest.request.mode == "weight")


def test_updates_keep_camera_pose_and_settings(posed):
    posed.set_pose(posed.pose.orbited(0.3, 0.1))
    posed.posing.set_preset("fist", "Fist")
    posed.set_mode("normals")
    camera, angles = posed.pose, posed.posing.angles.copy()
    grown = open_hand().replace(vertices=open_hand().vertices * 1.01)
    posed.show_artifacts([Shown("hand", "Open hand", grown)])
    assert posed.pose is camera
    assert np.array_equal(posed.posing.angles, angles)
    assert posed.mode == "normals"
    until(lambda: posed.latest.request.hand is grown and posed.drawing.is_settled)


def test_cameras_can_be_linked(posed, show):
    other = show("hand", 300, 240)
    other.show_artifacts([Shown("b", "B", open_hand())])
    link = CameraLink()
    link.link([posed, other])
    posed.set_pose(posed.pose.orbited(0.4, 0.0))
    assert other.pose.same_as(posed.pose)
    link.link([])


def test_pictures_of_any_size_are_made(posed):
    found = posed.screenshot(200, 150)
    assert found.shape == (150, 200, 3)
    assert np.ptp(found.astype(int).sum(2)) > 200


def test_what_cannot_be_drawn_says_so(view):
    view.show_artifacts([Shown("a", "Avatar", hands.avatar())])
    until(lambda: "cannot be" in view.notice.text())


# ---- posing -----------------------------------------------------------------------------------------------


def test_sliders_pose_the_hand_and_a_drag_is_undone_at_once(posed):
    index = open_hand().joint_names.index("index1")
    part(posed, "fold-index", QToolButton).setChecked(True)
    slider = part(posed, f"turn-{index}-0", QSlider)
    assert slider.accessibleName() == "Index finger, knuckle: bend"
    first = posed.latest
    slider.sliderPressed.emit()
    for value in (10, 30, 55):
        slider.setValue(value)
    assert posed.posing.angles[index].tolist() == [55, 0, 0]
    assert part(posed, f"turn-{index}-0-number", QLineEdit).text() == "55°"
    assert np.allclose(posed.posing.pose.rotations[index], np.radians(55) * open_hand().axes[index, 0])
    until(lambda: posed.latest is not first and posed.drawing.is_settled)
    assert posed.undo_stack.count() == 1
    posed.undo_stack.undo()
    assert posed.posing.angles[index].tolist() == [0, 0, 0]
    assert slider.value() == 0


def test_angles_can_be_typed_and_junk_is_ignored(posed, qtbot):
    index = open_hand().joint_names.index("index1")
    part(posed, "fold-index", QToolButton).setChecked(True)
    number = part(posed, f"turn-{index}-1-number", QLineEdit)
    for text, value in (("-12", -12), ("what", -12), ("20", 20)):
        number.setFocus()
        number.selectAll()
        qtbot.keyClicks(number, text)
        qtbot.keyClick(number, Qt.Key.Key_Return)
        assert posed.posing.angles[index, 1] == value
        assert number.text() == f"{value}°".replace("-", "−")


def test_a_finger_is_rolled_up_by_keys(posed, qtbot):
    curl = part(posed, "curl-ring", QSlider)
    curl.setFocus()
    for _ in range(3):
        qtbot.keyClick(curl, Qt.Key.Key_PageUp)
    ring = [open_hand().joint_names.index(f"ring{k}") for k in (1, 2, 3)]
    assert (posed.posing.angles[ring, 0] > 15).all()
    assert posed.posing.angles[open_hand().joint_names.index("index1")].tolist() == [0, 0, 0]


def test_named_poses_are_chosen_kept_in_sight_and_reset(posed, qtbot):
    posed.panel.presets.setFocus()
    posed.panel.presets.setCurrentIndex(posed.panel.presets.findData("fist"))
    posed.panel.presets.activated.emit(posed.panel.presets.currentIndex())
    assert posed.panel.presets.currentData() == "fist"
    posed.posing.set_angle(0, 0, 20.0)
    assert posed.panel.presets.currentData() == "fist"  # the wrist is not part of it
    posed.posing.set_angle(1, 0, 3.0)
    assert posed.panel.presets.currentIndex() == -1
    posed.canvas.setFocus()
    qtbot.keyClick(posed.canvas, Qt.Key.Key_Backspace)
    assert not posed.posing.angles.any()
    posed.undo_stack.undo()
    assert posed.posing.angles[1, 0] == 3.0


def test_poses_out_of_the_natural_can_be_shown(posed):
    part(posed, "fold-index", QToolButton).setChecked(True)
    index = open_hand().joint_names.index("index1")
    rotations = np.zeros((16, 3))
    rotations[index] = np.radians(-70) * open_hand().axes[index, 0]
    posed.posing.set_pose(HandPose.of(rotations), "Captured")
    assert part(posed, f"turn-{index}-0", QSlider).value() == -70


def test_the_mirror_shows_the_other_hand(posed, qtbot):
    first = posed.screenshot(120, 120).astype(int)
    qtbot.keyClick(posed.canvas, Qt.Key.Key_M)
    assert posed.mirrored
    second = posed.screenshot(120, 120).astype(int)
    assert np.abs(first - second).max() > 60


# ---- light ------------------------------------------------------------------------------------------------


def test_the_light_follows_the_mouse_while_l_is_held(posed, qtbot):
    before, camera = posed.light, posed.pose
    qtbot.keyPress(posed.canvas, Qt.Key.Key_L)
    drag(posed.canvas, (100, 100), (140, 100))
    qtbot.keyRelease(posed.canvas, Qt.Key.Key_L)
    assert posed.light.direction[0] > before.direction[0]
    assert posed.pose is camera
    drag(posed.canvas, (100, 100), (140, 100))
    assert posed.pose is not camera


def test_the_ball_moves_the_lamp(posed, qtbot):
    drag(posed.ball, (28, 28), (46, 28))
    x, y, _ = posed.light.direction
    assert x > 0.6
    assert abs(y) < 0.1
    posed.ball.setFocus()
    qtbot.keyClick(posed.ball, Qt.Key.Key_Up)
    assert posed.light.direction[1] > y
    assert np.linalg.norm(posed.light.direction) == pytest.approx(1)
    part(posed, "light-strength", QSlider).setValue(150)
    assert posed.light.strength == 1.5


def test_the_lamp_goes_where_it_is_aimed():
    assert aimed(0.0, 0.0) == (0, 0, 1)
    for x, y in ((0.3, -0.4), (1.5, 0.2), (-3, 4)):
        assert np.linalg.norm(aimed(x, y)) == pytest.approx(1)
    assert aimed(1.2, 0)[2] < 0
    assert turned(Light((0.0, 0.0, 1.0)), np.pi / 2, 0).direction == pytest.approx((1, 0, 0))


# ---- motion -----------------------------------------------------------------------------------------------


def test_key_poses_are_added_played_and_kept(posed, qtbot):
    for key in ("open", "fist", "point"):
        posed.posing.set_preset(key, key)
        qtbot.keyClick(posed.canvas, Qt.Key.Key_K)
    strip = posed.strip
    assert strip.isVisible()
    assert strip.keys.times.tolist() == [0, 1, 2]
    strip.seek(1.0)
    assert np.allclose(posed.posing.pose.rotations, pose_of("fist").rotations)
    assert strip.chosen == 1
    strip.seek(0.5)
    between = posed.posing.pose.rotations
    index = open_hand().joint_names.index("index2")
    assert 0 < np.linalg.norm(between[index]) < np.linalg.norm(pose_of("fist").rotations[index])
    assert strip.sequence().rotations.shape == (51, 16, 3)
    heard = []
    wishes.save_wanted.connect(lambda of, poses: heard.append((of, poses)))
    strip.save()
    assert heard[0][0] is posed
    assert "to the project" in posed.notice.text()  # nobody is there to keep it
    posed.undo_stack.undo()
    assert len(strip.keys) == 2


def test_the_motion_plays_and_a_hand_on_a_slider_stops_it(posed, qtbot):
    for key in ("open", "fist"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    qtbot.keyClick(posed.canvas, Qt.Key.Key_Space)
    assert posed.strip.clock.playing
    until(lambda: 0.1 < posed.strip.at < 0.9)
    part(posed, "curl-thumb", QSlider).setValue(77)
    assert not posed.strip.clock.playing


def test_a_movie_of_the_motion_is_saved(posed, tmp_path):
    assert not posed.time_strip.has_times
    for key in ("open", "fist"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    posed.strip.seek(0.25)
    assert save_movie(posed, tmp_path / "fist.gif", seconds=0.2, fps=10, width=48, height=48)
    with Image.open(tmp_path / "fist.gif") as movie:
        assert movie.n_frames == 2
        first = np.asarray(movie.convert("RGB"), int)
        movie.seek(1)
        assert np.abs(np.asarray(movie.convert("RGB"), int) - first).max() > 60
    assert posed.strip.at == pytest.approx(0.25, abs=0.03)


def test_marks_are_dragged_along_the_bar_of_time(posed):
    for key in ("open", "fist", "point"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    bar = posed.strip.timeline
    at = bar.place_of_mark(1)
    stop = at + (bar.place_of_mark(2) - at) / 2
    drag(bar, (at.x(), at.y()), (at.x() + 8, at.y()), (stop.x(), stop.y()))
    assert posed.strip.keys.times[1] == pytest.approx(1.5, abs=0.05)
    assert posed.undo_stack.undoText() == "Move key pose"
    posed.undo_stack.undo()
    assert posed.strip.keys.times.tolist() == [0, 1, 2]


def test_poses_of_the_project_are_loaded_and_others_refused(view):
    poses = PoseSequence.of(
        np.stack([pose_of("open").rotations, pose_of("fist").rotations] * 3), open_hand().joint_names
    )
    items = [Shown("hand", "Hand", open_hand()), Shown("poses", "Wave", poses)]
    view.show_artifacts(items)
    assert len(view.strip.keys) == 6
    assert view.strip.isVisible()
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    assert not view.strip.load(hands.poses())
    assert "no joint called" in view.notice.text()
    assert len(view.strip.keys) == 6


def test_poses_alone_move_the_hand_that_comes_along(view):
    poses = PoseSequence.of(np.stack([pose_of("fist").rotations] * 2), open_hand().joint_names)
    view.show_artifacts([Shown("poses", "Wave", poses)])
    until(lambda: view.choice is not None)
    assert len(view.strip.keys) == 2
    view.show_artifacts([Shown("poses", "Strange", hands.poses())])
    assert view.choice is None
    assert view.empty.isVisible()


def dropped(view, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    keys = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    entered = QDragEnterEvent(QPointF(50, 50), *keys)
    QApplication.sendEvent(view, entered)
    if entered.isAccepted():
        QApplication.sendEvent(view, QDropEvent(QPointF(50, 50), *keys))
    return entered.isAccepted()


def test_a_file_of_poses_is_dropped_on_the_view(posed, tmp_path):
    from engines.files import write

    moves = np.stack([pose_of("open").rotations, pose_of("fist").rotations])
    write(PoseSequence.of(moves, open_hand().joint_names), tmp_path / "wave.json")
    assert dropped(posed, tmp_path / "wave.json")
    until(lambda: len(posed.strip.keys) == 2)
    assert np.allclose(posed.strip.keys.rotations, moves)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert dropped(posed, tmp_path / "bad.csv")
    until(lambda: bool(posed.notice.text()))
    assert not dropped(posed, tmp_path / "mesh.ply")  # the window imports it


# ---- captures ---------------------------------------------------------------------------------------------


@functools.cache
def small_capture() -> HandCapture:
    """Two poses from two sides, photographed by the renderer itself; one photo is missing."""
    hand = open_hand()
    frame = hand_frame(hand)
    middle = hand.vertices.mean(0)
    poses = [pose_of("open"), pose_of("relaxed")]
    photos, cameras, numbers = [], [], []
    for k, pose in enumerate(poses):
        for j, side in enumerate((frame.palm, frame.across)):
            if (k, j) == (1, 1):
                continue
            world = look_at(middle + 0.5 * side, middle, frame.along)
            camera = replace(camera_of(DEFAULT, 48, 64), world_to_camera=world, fx=110.0, fy=110.0)
            drawn = HandRenderer().draw(HandRequest(hand, pose, camera, surface=(0.83, 0.69, 0.61)))
            cover = drawn.layer[..., 3:]
            colours = drawn.layer[..., :3] / np.maximum(cover, 1e-3)
            photos.append(np.round(255 * np.clip(np.dstack([colours, cover]), 0, 1)).astype(np.uint8))
            cameras.append(camera)
            numbers.append((k, j))
    held = Photos.of(
        photos, held_out=np.zeros(3, bool), world_to_camera=np.stack([c.world_to_camera for c in cameras]),
        intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
    )  # fmt: skip
    return HandCapture(
        template=hand, photos=held, poses=PoseSequence.of(np.stack([p.rotations for p in poses]), hand.joint_names),
        frame=np.array([n[0] for n in numbers]), view=np.array([n[1] for n in numbers]), view_names=("front", "side"),
    )  # fmt: skip


def test_a_capture_is_seen_by_its_cameras_in_its_poses(view, qtbot):
    view.show_artifacts([Shown("c", "Capture", small_capture())])
    settled(view)
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    assert [view.captured.cameras.itemText(k) for k in range(2)] == ["front", "side"]
    view.canvas.setFocus()
    qtbot.keyClick(view.canvas, Qt.Key.Key_PageDown)
    assert np.allclose(view.posing.pose.rotations, pose_of("relaxed").rotations)
    assert view.captured.frames.currentIndex() == 1
    view.posing.set_angle(1, 0, 40.0)
    assert view.captured.frames.currentIndex() == -1
    view.captured.look_through(1)
    camera = camera_of(view.pose, 48, 64, view.lens)
    assert np.allclose(camera.centre, HandChoice("c", "", open_hand(), small_capture()).camera(0, 1).centre)


def test_photo_and_drawings_stand_side_by_side_and_are_measured(view, qtbot):
    view.resize(640, 420)
    view.show_artifacts([Shown("c", "Capture", small_capture())])
    view.canvas.setFocus()
    qtbot.keyClick(view.canvas, Qt.Key.Key_C)
    pictures = view.pictures
    assert pictures.shown_keys() == ["photo", "shaded", "normals"]
    until(lambda: {"photo", "shaded", "normals"} <= pictures.frames.keys() and pictures.is_settled)
    until(lambda: "dB" in pictures.captions["shaded"].text())
    score = float(pictures.captions["shaded"].text().split()[1])
    assert score > 40  # it was photographed by the same renderer
    pictures.cover.setValue(0)
    until(lambda: pictures.frames["photo"].request.cover == 0)
    shown, photo = pictures.frames["photo"].picture.astype(float), small_capture().photos.pixels(0)
    assert shown.shape[0] > photo.shape[0]
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2] == pytest.approx(photo[32, 24, :3], abs=12)
    view.captured.look_through(1)
    view.captured.take(1)
    until(lambda: pictures.is_settled and "no photo" in pictures.panes["photo"].message)
    assert pictures.picture(300, 200).width() == 300


def test_an_avatar_brings_its_capture(view):
    template = hands.template()
    choices = hands_in([Shown("a", "Avatar", hands.avatar()), Shown("c", "Capture", hands.capture())])
    assert [choice.name for choice in choices] == ["Avatar", "Capture, template"]
    assert choices[0].capture is not None
    assert choices[0].template.joint_names == template.joint_names


def test_tiles_are_as_large_as_they_can_be():
    assert [p[:2] for p in places(4, 800, 200, 1.0)] == [(0, 0), (200, 0), (400, 0), (600, 0)]
    assert [p[:2] for p in places(4, 400, 400, 1.0)] == [(0, 0), (200, 0), (0, 200), (200, 200)]


# ---- keeping ----------------------------------------------------------------------------------------------


def test_a_saved_view_comes_back(posed, show):
    posed.set_pose(posed.pose.orbited(0.4, 0.2).zoomed(1.3))
    posed.posing.set_preset("victory", "Victory")
    posed.strip.add_key()
    posed.posing.set_preset("fist", "Fist")
    posed.strip.add_key()
    posed.set_mode("weight")
    posed.set_joint(4)
    posed.mirror_action.setChecked(True)
    posed.set_light(Light((0.6, 0.0, 0.8), 1.1, 0.4, -0.5))
    part(posed, "fold-index", QToolButton).setChecked(True)
    state = json.loads(json.dumps(posed.state()))
    other = show("hand", 420, 300)
    other.show_artifacts([Shown("hand", "Open hand", open_hand())])
    other.restore(state)
    assert other.state() == posed.state()
    assert other.pose.same_as(posed.pose)
    assert np.allclose(other.posing.pose.rotations, posed.posing.pose.rotations)


@pytest.mark.parametrize(
    "junk",
    [
        {"light": {"direction": [0, 0, 0]}, "mode": "what", "joint": 900, "frame": -1, "pose": [[1]], "strip": 4},
        {"light": 3, "pose": [[[float("nan")] * 3] * 16, [0, 0, 0], 1], "strip": {"keys": {"times": []}}, "open": 3},
        {"camera": {"focal": "here"}, "strip": {"speed": "fast", "at": "now", "open": 1}, "hand": 7, "mirrored": 2},
    ],
)
def test_junk_in_a_saved_view_changes_nothing(posed, junk):
    before = posed.state()
    posed.restore(junk)
    assert posed.state() == before


def test_a_key_that_is_held_repeats_no_press_of_l(posed):
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        event = QKeyEvent(kind, Qt.Key.Key_L, Qt.KeyboardModifier.NoModifier, "l", kind == QEvent.Type.KeyPress)
        QApplication.sendEvent(posed.canvas, event)
    assert not posed.light_tool.held
    assert posed.canvas.mapToGlobal(QPoint(0, 0)) is not None


# ---- avatars ----------------------------------------------------------------------------------------------


@functools.cache
def small_avatar() -> HandAvatar:
    """One that has learned nothing: of random colours and codes."""
    hand = open_hand()
    draw = torch.Generator().manual_seed(0)
    build = Build(
        displacement_width=16, displacement_depth=2, albedo_width=8, weights_width=8, other_depth=2, renderer_width=16,
        start="at the mean", stage="renderer",
    )  # fmt: skip
    made = Avatar(hand, 2, build, draw)
    with torch.no_grad():
        made.albedo.mean.normal_(generator=draw)
        made.displacement.mean.normal_(std=0.001, generator=draw)
        made.render_codes.normal_(generator=draw)
        made.lights[1, 0] += 0.7
        made.lit[:] = True
    cameras = [HandChoice("c", "", hand, small_capture()).camera(0, view) for view in range(2)]
    return made.artifact(PoseSequence.of(np.stack([pose_of("open").rotations]), hand.joint_names), cameras)


def test_an_avatar_is_drawn_as_its_networks_say_neural_and_shaded():
    avatar, renderer = small_avatar(), HandRenderer()
    wanted = replace(request(size=72), hand=avatar, pose=pose_of("open"), light=Light(captured=True))
    live = Avatar.of(avatar)
    live.pose(pose_of("open").rotations)
    for mode, truth in (("neural", live.neural), ("shaded", live.shaded)):
        found = renderer.draw(replace(wanted, mode=mode)).layer
        expected = truth(wanted.camera).numpy()
        inside = (expected[..., 3] > 0.999) & (found[..., 3] > 0.999)
        assert inside.sum() > 500
        # The neural picture is the same; the shaded one is the mean of four samples of each pixel.
        limit = 1e-4 if mode == "neural" else 0.25
        assert np.abs(found - expected)[inside].max() < limit
        assert np.abs(found - expected)[inside].mean() < 0.02
    renderer._pixel_rate = 1.0  # as on a slow machine: in bands
    bands = renderer.draw(replace(wanted, mode="neural"))
    assert np.abs(bands.layer - live.neural(wanted.camera).numpy()).max() < 1e-4


def test_the_light_of_a_camera_is_known_where_it_stood():
    avatar, renderer = small_avatar(), HandRenderer()
    seen = {}
    for view in (0, 1):
        choice = HandChoice("a", "", avatar, small_capture())
        wanted = HandRequest(avatar, choice.home, choice.camera(0, view), "shaded", light=Light(captured=True))
        gammas = renderer.body(avatar).gammas(wanted.camera)
        assert np.allclose(gammas, Avatar.of(avatar).gammas()[view])
        seen[view] = renderer.draw(wanted).layer[..., :3].max()
    assert seen[1] > seen[0]


def test_a_drag_keeps_detail_for_a_moment_and_then_finds_it():
    avatar, renderer = small_avatar(), HandRenderer()
    body = renderer.body(avatar)
    first = renderer.surface(avatar, pose_of("open"), ())
    assert first.exact
    body._seconds = 60.0  # as of a large network
    quick = renderer.surface(avatar, pose_of("fist"), (), quick=True)
    assert not quick.exact
    exact = renderer.surface(avatar, pose_of("fist"), ())
    assert exact.exact
    assert float((quick.vertices - exact.vertices).norm(dim=1).max()) < 0.002  # the detail alone differs
    assert float((exact.vertices - first.vertices).norm(dim=1).max()) > 0.05


def test_an_avatar_opens_neural_in_its_pose_and_light_and_follows_training(view):
    view.show_artifacts([Shown("a", "Avatar", small_avatar()), Shown("c", "Capture", small_capture())])
    assert (view.mode, view.light.captured) == ("neural", True)
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    offered = [view.modes.itemData(k) for k in range(view.modes.count())]
    assert offered == ["neural", "shaded", "normals", "albedo", "displacement", "weight"]
    settled(view)
    view.set_mode("displacement")
    until(lambda: view.drawing.is_settled and view.latest.request.mode == "displacement")
    (bar,) = view.colour_bars()
    assert bar.unit == "mm"
    assert bar.low == -bar.high
    assert 0.5 < bar.high < 20
    view.posing.set_angle(4, 0, 33.0)
    camera = view.pose
    younger = small_avatar().replace(name="later")
    view.show_artifacts([Shown("a", "Avatar", younger), Shown("c", "Capture", small_capture())])
    assert view.pose is camera
    assert (view.mode, view.posing.angles[4, 0]) == ("displacement", 33.0)
    until(lambda: view.drawing.is_settled and view.latest.request.hand is younger)
    view.side_action.setChecked(True)
    assert view.pictures.shown_keys() == ["photo", "shaded", "neural", "normals"]
    until(lambda: "neural" in view.pictures.frames and view.pictures.is_settled)


def test_the_panel_gives_way_where_there_is_no_room_until_somebody_wants_it(show):
    made = show("hand", 420, 300)
    made.show_artifacts([Shown("hand", "Open hand", open_hand())])
    assert not made.panel.isVisible()
    made.resize(900, 400)
    until(made.panel.isVisible)
    made.resize(420, 300)
    until(lambda: not made.panel.isVisible())
    made.panel_action.trigger()
    made.resize(400, 300)
    assert made.panel.isVisible()
