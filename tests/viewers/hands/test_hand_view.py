"""The hand view, through what a person sees and presses."""

import json

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QSlider, QToolButton

from app.viewers.hand_light import aimed, turned
from app.viewers.hand_render import Light
from app.viewers.links import CameraLink
from app.viewers.registry import Shown, viewers_for
from engines.blocks.avatars.hand_poses import hand_frame
from engines.blocks.avatars.key_poses import HandPose
from engines.data import HandAvatar, HandCapture, PoseSequence, RiggedTemplate
from tests import hands
from tests.viewers.hands.made import drag, open_hand, part, settled
from tests.viewers.test_splat_view import until

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


def test_a_key_that_is_held_repeats_no_press_of_l(posed):
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        event = QKeyEvent(kind, Qt.Key.Key_L, Qt.KeyboardModifier.NoModifier, "l", kind == QEvent.Type.KeyPress)
        QApplication.sendEvent(posed.canvas, event)
    assert not posed.light_tool.held
    assert posed.canvas.mapToGlobal(QPoint(0, 0)) is not None


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
