"""The 3D view, through what a person sees and presses."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow

from app.background import wait_for_all
from app.viewers.links import CameraLink
from app.viewers.registry import Shown
from tests.viewers.conftest import ball, ball_field, cloud, rings, two_labels


def different(a, b, by=12):
    """Share of pixels that differ."""
    return float((np.abs(a.astype(int) - b.astype(int)).max(-1) > by).mean())


def grab(scene):
    return scene.screenshot(160, 120)


def test_layers_are_drawn_hidden_and_coloured(show):
    scene = show("scene")
    empty = grab(scene)
    scene.show_artifacts([Shown("m", "Ball", ball())])
    drawn = grab(scene)
    assert 0.15 < different(empty, drawn) < 0.8
    panel = scene.panel.list
    assert panel.count() == 1
    assert panel.item(0).text() == "Ball"
    panel.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert not scene.layers["m"].style.visible
    # Axes and scale bar stay; the ball is gone.
    assert different(grab(scene), drawn) > 0.15
    panel.item(0).setCheckState(Qt.CheckState.Checked)
    assert different(grab(scene), drawn) < 0.01
    scene.set_style("m", replace(scene.layers["m"].style, color="#FF0000"))
    middle = grab(scene)[60, 80].astype(int)
    assert middle[0] > 100
    assert middle[1] < 70
    scene.set_style("m", replace(scene.layers["m"].style, wireframe=True))
    assert different(grab(scene), drawn) > 0.05


def test_every_type_of_the_scene_is_shown(show, qtbot):
    scene = show("scene")
    items = [
        Shown("m", "Mesh", ball(scalars={"height": np.zeros(24 * 48)})),
        Shown("s", "Slices", rings()),
        Shown("p", "Points", cloud()),
        Shown("f", "Field", ball_field()),
        Shown("v", "Volume", two_labels()),
    ]
    for item in items:
        scene.show_artifacts([])
        bare = grab(scene)
        scene.show_artifacts([item])
        qtbot.waitUntil(lambda item=item: item.id in scene.layers)
        scene.frame()
        assert different(bare, grab(scene)) > 0.01, item.name
    scene.show_artifacts(items)
    assert list(scene.layers) == ["m", "s", "p", "f", "v"]
    iso = scene.layers["f"].surface
    assert np.linalg.norm(iso.points, axis=1) == pytest.approx(1.0, abs=0.02)
    a, b, c = (iso.points[iso.faces[:, k]] for k in range(3))
    outward = (a * np.cross(b - a, c - a)).sum(1)
    assert (outward > 0).mean() > 0.99
    assert set(np.unique(scene.layers["v"].surface.scalars["label"])) == {1.0, 2.0}


def test_signed_scalars_get_a_diverging_map_with_zero_in_the_middle(show):
    scene = show("scene")
    mesh = ball()
    heights = np.float32(mesh.vertices[:, 2]) * np.where(mesh.vertices[:, 2] > 0, 1.0, 0.5).astype(np.float32)
    scene.show_artifacts([Shown("m", "Ball", mesh.replace(scalars={"curvature": heights}))])
    layer = scene.layers["m"]
    assert layer.scalar == "curvature"
    assert layer.cmap == "diverging"
    assert layer.value_range[0] == -layer.value_range[1]
    assert [bar.title for bar in scene.colour_bars()] == ["curvature"]
    image = grab(scene)
    above, below = image[30, 80].astype(int), image[95, 80].astype(int)
    assert above[0] > above[2]
    assert below[2] > below[0]


def test_an_update_keeps_camera_style_and_actors(show):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Preview", ball(1.0)), Shown("s", "Slices", rings())])
    scene.set_pose(scene.pose.orbited(0.5, 0.1).zoomed(1.3))
    scene.set_style("m", replace(scene.layers["m"].style, opacity=0.5))
    pose, layer = scene.pose, scene.layers["m"]
    actor, mapper = layer.fine.actor, layer.fine.mapper
    before = grab(scene)
    for step in range(5):
        scene.show_artifacts(
            [Shown("m", "Preview", ball(1.0 - 0.1 * step)), Shown("s", "Slices", scene.layers["s"].artifact)]
        )
    assert scene.pose.same_as(pose)
    assert scene.layers["m"] is layer
    assert layer.fine.actor is actor
    assert layer.fine.mapper is mapper
    assert layer.style.opacity == 0.5
    assert different(before, grab(scene)) > 0.03


def test_mouse_and_keys_navigate(show, qtbot):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Ball", ball())])
    canvas = scene.canvas
    start = scene.pose

    def drag(button):
        qtbot.mousePress(canvas, button, pos=QPoint(100, 100))
        for x in (110, 130, 150):
            qtbot.mouseMove(canvas, QPoint(x, 100))
            event = _move(canvas, x, 100, button)
            canvas.mouseMoveEvent(event)
        qtbot.mouseRelease(canvas, button, pos=QPoint(150, 100))

    drag(Qt.MouseButton.LeftButton)
    assert np.allclose(scene.pose.focal, start.focal)
    assert not np.allclose(scene.pose.back, start.back)
    turned = scene.pose
    drag(Qt.MouseButton.MiddleButton)
    assert np.allclose(scene.pose.back, turned.back)
    assert not np.allclose(scene.pose.focal, turned.focal)
    size = scene.pose.half_height
    QApplication.sendEvent(canvas, _wheel(canvas, 120))
    assert scene.pose.half_height < size
    scene.activateWindow()
    canvas.setFocus()
    for name, back in (("view-top", [0, 0, 1]), ("view-front", [0, -1, 0])):
        action = next(a for a in scene.actions() if a.objectName() == name)
        assert action.shortcut().toString() in "123456"
        action.trigger()
        assert np.allclose(scene.pose.back, back)
    scene.parallel.trigger()
    assert scene.pose.parallel
    assert canvas.renderer.GetActiveCamera().GetParallelProjection()
    before = scene.pose
    canvas.double_clicked.emit(QPointF(canvas.width() / 2 + 20, canvas.height() / 2))
    assert scene.pose.half_height < before.half_height
    assert np.linalg.norm(scene.pose.focal) == pytest.approx(1.0, abs=0.02)  # on the ball, where it was clicked


def _move(canvas, x, y, button):
    at, none = QPointF(x, y), Qt.KeyboardModifier.NoModifier
    return QMouseEvent(QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), Qt.MouseButton.NoButton, button, none)


def _wheel(canvas, angle):
    at = QPointF(canvas.width() / 3, canvas.height() / 3)
    keys, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    return QWheelEvent(
        at, canvas.mapToGlobal(at), QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton, keys, phase, False
    )


def test_keys_of_the_view_leave_sliders_alone(show, qtbot):
    scene = show("scene", 640, 480)
    scene.show_artifacts([Shown("m", "Ball", ball())])
    scene.activateWindow()
    scene.canvas.setFocus()
    qtbot.waitUntil(scene.canvas.hasFocus)
    before = scene.pose
    qtbot.keyClick(scene.canvas, Qt.Key.Key_Right)
    assert not np.allclose(scene.pose.back, before.back)
    qtbot.keyClick(scene.canvas, Qt.Key.Key_5)
    assert np.allclose(scene.pose.back, [0, 0, 1])
    scene.panel.opacity.setFocus()
    pose = scene.pose
    qtbot.keyClick(scene.panel.opacity, Qt.Key.Key_Left)
    assert scene.layers["m"].style.opacity < 1
    assert scene.pose.same_as(pose)
    scene.panel.wireframe.click()
    assert scene.layers["m"].style.wireframe


def test_frames_are_drawn_on_demand_only_and_coalesced(show, qtbot):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Ball", ball())])
    qtbot.wait(400)
    drawn = []
    scene.canvas.rendered.connect(lambda: drawn.append(1))
    qtbot.wait(300)
    assert len(drawn) <= 1  # nothing changed: nothing drawn
    for _ in range(50):
        scene.set_pose(scene.pose.orbited(0.01, 0))
    qtbot.wait(200)
    assert 1 <= len(drawn) <= 4


def test_clipping_hides_half_and_its_knob_moves_it(show):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Ball", ball())])
    scene.look_from(0)
    whole = grab(scene)
    scene.clip_action.trigger()
    assert scene.axis_buttons.isVisible()
    cut = grab(scene)
    assert different(whole, cut) > 0.08
    x, y, _ = scene.canvas.project(scene.clip.origin)[0]
    assert scene.clip.press(QPointF(x, y))
    scene.clip.move(QPointF(x + 30, y), True)
    scene.clip.release(QPointF(x + 30, y))
    assert scene.clip.origin[0] > 0.1
    assert scene.canvas.project(scene.clip.origin)[0, 0] == pytest.approx(x + 30, abs=2)
    scene.axis_buttons.findChild(type(scene.axis_buttons.children()[1]), "clip-z").click()
    assert np.allclose(np.abs(scene.clip.normal), [0, 0, 1])
    scene.clip_action.trigger()
    assert different(whole, grab(scene)) < 0.02


def test_measuring_two_points_gives_their_distance_with_its_unit(show):
    scene = show("scene")
    scene.show_artifacts([Shown("m", "Ball", ball(around=60))])
    scene.look_from(0)
    scene.measure_action.trigger()
    ends = scene.canvas.project(np.array([[-0.6, -0.8, 0.0], [0.6, -0.8, 0.0]]))
    for x, y, _ in ends:
        QTest.mouseClick(scene.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    assert scene.measure.distance == pytest.approx(1.2, abs=0.02)
    assert scene.measure.text.endswith(" mm")
    QTest.mousePress(scene.canvas, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    QTest.mouseMove(scene.canvas, QPoint(80, 5))
    QTest.mouseRelease(scene.canvas, Qt.MouseButton.LeftButton, pos=QPoint(80, 5))  # a drag is no click
    assert len(scene.measure.points) == 2


def test_picking_snaps_to_contours(show):
    scene = show("scene")
    slices = rings()
    scene.show_artifacts([Shown("s", "Slices", slices)])
    scene.look_from(0)
    seen = scene.canvas.project(slices.vertices)
    nearest = int(seen[:, 2].argmin())
    found = scene.pick(QPointF(seen[nearest, 0] + 3, seen[nearest, 1] - 2))
    assert np.allclose(found, slices.vertices[nearest], atol=0.15)
    assert scene.pick(QPointF(2, 2)) is None


def test_state_survives_json_and_comes_back(show):
    scene = show("scene")
    items = [Shown("m", "Ball", ball()), Shown("s", "Slices", rings())]
    scene.show_artifacts(items)
    scene.set_pose(scene.pose.orbited(1.0, 0.3))
    scene.parallel.trigger()
    scene.set_style("m", replace(scene.layers["m"].style, opacity=0.4, color="#123456"))
    scene.clip_action.trigger()
    scene.clip.set_plane([0.1, 0, 0], [1, 1, 0])
    state = json.loads(json.dumps(scene.state()))
    other = show("scene")
    other.restore(state)
    other.show_artifacts(items)
    assert other.pose.same_as(scene.pose)
    assert other.parallel.isChecked()
    assert other.layers["m"].style == scene.layers["m"].style
    assert other.clip.active
    assert np.allclose(other.clip.normal, scene.clip.normal)
    again = json.loads(json.dumps(other.state()))
    assert again["layers"] == state["layers"]
    assert again["panel"] == state["panel"]


def test_linked_cameras_follow_without_echo(show):
    scenes = [show("scene") for _ in range(3)]
    for scene in scenes:
        scene.show_artifacts([Shown("m", "Ball", ball())])
    link = CameraLink()
    link.link(scenes)
    moves = []
    scenes[1].camera_moved.connect(lambda: moves.append(1))
    scenes[0].set_pose(scenes[0].pose.orbited(0.4, 0.2))
    assert all(scene.pose.same_as(scenes[0].pose) for scene in scenes)
    assert len(moves) == 1
    scenes[2].close()
    scenes[1].set_pose(scenes[1].pose.zoomed(1.5))
    assert scenes[0].pose.same_as(scenes[1].pose)
    link.link([])
    scenes[0].set_pose(scenes[0].pose.orbited(0.4, 0.2))
    assert not scenes[0].pose.same_as(scenes[1].pose)


def test_closing_one_of_two_leaves_the_other_working(show, qtbot):
    first, second = show("scene"), show("scene")
    for scene in (first, second):
        scene.show_artifacts([Shown("m", "Ball", ball())])
    before = grab(second)
    first.close()
    first.close()
    first.show_artifacts([Shown("m", "Ball", ball(0.5))])  # a late update of a closed view does nothing bad
    second.show_artifacts([Shown("m", "Ball", ball()), Shown("s", "Slices", rings())])
    qtbot.wait(60)
    assert different(before, grab(second)) > 0.01
    third = show("scene")
    third.show_artifacts([Shown("m", "Ball", ball())])
    assert different(before, grab(third)) < 0.01


def test_deleting_a_window_without_closing_its_view_harms_no_other(show, qtbot):
    other = show("scene")
    other.show_artifacts([Shown("m", "Ball", ball())])
    window = QMainWindow()
    from app.viewers.registry import create

    scene = create("scene")
    window.setCentralWidget(scene)
    window.show()
    qtbot.waitExposed(window)
    scene.show_artifacts([Shown("m", "Ball", ball())])
    qtbot.wait(60)
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    del scene, window
    other.show_artifacts([Shown("m", "Ball", ball(0.5)), Shown("s", "Slices", rings())])
    qtbot.wait(60)
    assert grab(other).std() > 5


@pytest.mark.parametrize("closed", [True, False])
def test_a_view_that_ends_lets_go_of_the_surface_before_qt_deletes_it(qtbot, app, closed):
    """A wrapper of a surface that outlives it makes PySide write to freed memory later."""
    from PySide6.QtGui import QSurface
    from shiboken6 import getAllValidWrappers

    from app.viewers.registry import create

    before = sum(isinstance(w, QSurface) for w in getAllValidWrappers())
    scene = create("scene")
    scene.show()
    qtbot.waitExposed(scene)
    qtbot.waitUntil(lambda: scene.canvas.context() is not None and scene.canvas.context().isValid())
    grab(scene)
    assert sum(isinstance(w, QSurface) for w in getAllValidWrappers()) > before
    if closed:
        scene.close()
    else:
        scene.stage.destroyed.emit()  # what comes first when the window above is deleted
    assert sum(isinstance(w, QSurface) for w in getAllValidWrappers()) == before
    scene.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def test_theme_changes_the_background(show, app):
    from app import theme

    scene = show("scene")
    light = grab(scene)
    theme.apply(app, "dark")
    dark = grab(scene)
    theme.apply(app, "light")
    assert light.mean() > 200
    assert dark.mean() < 60


def test_a_large_mesh_is_prepared_off_the_gui_thread_and_coarse_in_motion(show, qtbot):
    scene = show("scene")
    mesh = ball(around=260)
    assert len(mesh.faces) > 120_000
    scene.show_artifacts([Shown("m", "Large", mesh)])
    assert not scene.layers
    assert "Preparing" in scene.findChild(QLabel, "scene-notice").text()
    qtbot.waitUntil(lambda: "m" in scene.layers, timeout=20_000)
    layer = scene.layers["m"]
    assert 10_000 < len(layer.surface.coarse.faces) < 90_000
    qtbot.waitUntil(lambda: scene.canvas._asked_renderer, timeout=5000)
    scene.canvas.software = True
    scene.set_pose(scene.pose.orbited(0.1, 0), moving=True)
    assert layer.coarse.actor.GetVisibility()
    assert not layer.fine.actor.GetVisibility()
    qtbot.waitUntil(lambda: bool(layer.fine.actor.GetVisibility()), timeout=3000)
    assert not layer.coarse.actor.GetVisibility()
    assert not scene.notice.isVisible()
    wait_for_all()


def test_a_slow_artifact_keeps_only_the_newest_update(show, qtbot):
    scene = show("scene")
    fields = [ball_field(65) for _ in range(6)]
    for field in fields:
        scene.show_artifacts([Shown("f", "Field", field)])
    qtbot.waitUntil(lambda: "f" in scene.layers and scene.layers["f"].artifact is fields[-1], timeout=10_000)


def test_many_layers_have_colours_of_their_own_and_one_can_be_seen_alone(show):
    scene = show("scene", 640, 480)
    mesh = ball(around=8)
    items = [
        Shown(str(k), f"Label {k + 1}", mesh.replace(vertices=mesh.vertices + np.array([3.0 * k, 0, 0])))
        for k in range(9)
    ]
    scene.show_artifacts(items)
    colours = np.array([[int(layer.base_colour[i : i + 2], 16) for i in (1, 3, 5)] for layer in scene.layers.values()])
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + 1000 * np.eye(9)
    assert apart.min() > 40
    assert scene.panel.height() <= scene.stage.height()
    row = scene.panel.list.visualItemRect(scene.panel.list.item(7))
    assert scene.panel.list.viewport().rect().contains(row)  # no scrolling for as many as these
    scene.panel.list.setCurrentRow(4)
    (solo,) = scene.panel.list.actions()
    assert solo.shortcut().toString() == "O"
    solo.trigger()
    assert [key for key, layer in scene.layers.items() if layer.style.visible] == ["4"]
    assert scene.panel.list.item(3).checkState() == Qt.CheckState.Unchecked
    solo.trigger()
    assert all(layer.style.visible for layer in scene.layers.values())
    scene.resize(640, 260)
    QApplication.processEvents()
    assert scene.panel.geometry().bottom() <= scene.stage.height()
    assert scene.panel.list.geometry().bottom() < scene.panel.opacity.parentWidget().geometry().top()


def test_colour_bars_stand_clear_of_the_layer_panel_when_it_grows(show):
    scene = show("scene", 700, 460)
    mesh = ball()
    heights = np.float32(mesh.vertices[:, 2])
    scene.show_artifacts([Shown("m", "Ball", mesh.replace(scalars={"distance": heights, "height": heights}))])
    before = scene.panel.height()
    scene.panel.by.setCurrentIndex(scene.panel.by.findData("distance"))
    scene.panel.by.activated.emit(scene.panel.by.currentIndex())
    assert scene.panel.height() > before
    free, right = scene.stage.bars_at
    assert right > 0 or free <= scene.stage.height() - scene.panel.geometry().bottom()
    (bar,) = scene.colour_bars()
    assert bar.unit == "mm"


def test_a_template_shows_its_bones_and_the_share_of_each_joint(show):
    from tests.hands import template

    scene = show("scene")
    scene.show_artifacts([Shown("h", "Hand", template())])
    scene.frame()
    layer, before = scene.layers["h"], grab(scene)
    assert [title for _, title in layer.colourings()][1:] == ["Share of wrist", "Share of index1", "Share of index2"]
    scene.set_style("h", replace(layer.style, by="index1", opacity=1.0))
    assert different(before, grab(scene)) > 0.02
    scene.show_artifacts([Shown("h", "Hand", template(joints=np.arange(9.0).reshape(3, 3) / 9))])
    assert layer.bones.mapper.GetInput().GetPoint(2) == pytest.approx((6 / 9, 7 / 9, 8 / 9))
