"""The box in both 3D views, dragged with the mouse."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from app.viewers.box_tool import MIDDLE
from app.viewers.registry import Shown
from tests.viewers.conftest import ball
from tests.viewers.test_splat_view import fine, shell, until

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(params=["splats", "scene"])
def view(request, show):
    """Either view on a unit ball, with the events of its box."""
    made = show(request.param, 520, 420)
    made.show_artifacts([Shown("a", "Ball", shell(400) if request.param == "splats" else ball())])
    made.look_from(0)
    if request.param == "splats":
        fine(made)
    made.told = []
    made.box.changed.connect(lambda value: made.told.append(value))
    made.box.dropped.connect(lambda: made.told.append("dropped"))
    made.box.ended.connect(lambda: made.told.append("ended"))
    return made


def drag(view, handle, by):
    """A handle by a vector in the world."""
    seen = view.box.host.project(np.stack([view.box.handles()[handle], view.box.handles()[handle] + by]))[:, :2]
    start, end = (QPoint(*p.round().astype(int).tolist()) for p in seen)
    QTest.mousePress(view.canvas, LEFT, pos=start)
    QTest.mouseMove(view.canvas, (start + end) / 2)
    QTest.mouseMove(view.canvas, end)
    QTest.mouseRelease(view.canvas, LEFT, pos=end)


def test_a_face_follows_the_mouse_along_its_axis_and_the_others_stay(view):
    view.box.start("Work box", (-0.5, -0.5, -0.5, 0.5, 0.6, 0.7))
    assert view.box.value() == (-0.5, -0.5, -0.5, 0.5, 0.6, 0.7)
    pose = view.pose
    drag(view, 1, np.array([0.4, 0, 0.3]))
    assert view.pose.same_as(pose), "the view does not turn meanwhile"
    assert view.told[-1] == "dropped"
    *rest, high, _, _ = view.told[-2]
    assert (tuple(rest), view.told[-2][4:]) == ((-0.5, -0.5, -0.5), (0.6, 0.7))
    assert high == pytest.approx(0.9, abs=0.03)
    drag(view, 4, np.array([0, 0, 5.0]))  # the bottom, through the top
    low, top = view.box.value()[2], view.box.value()[5]
    assert top == 0.7
    assert 0 < top - low < 0.01


def test_the_middle_moves_all_of_it(view):
    view.box.start("Work box", (-0.5, -0.5, -0.5, 0.5, 0.5, 0.5))
    view.set_pose(view.pose.orbited(0.5, 0.4))
    goal = view.box.host.project(0.2 * view.pose.right[None])[0]
    drag(view, MIDDLE, 0.2 * view.pose.right)
    value = np.array(view.box.value()).reshape(2, 3)
    assert np.allclose(np.ptp(value, axis=0), 1, atol=1e-3)
    assert np.linalg.norm(view.box.host.project(value.mean(0))[0, :2] - goal[:2]) < 2, "it is where the mouse is"
    assert abs(view.box.host.project(value.mean(0))[0, 2] - goal[2]) < 0.1, "as far away as before"


def test_nothing_chosen_proposes_what_is_shown_and_touches_no_value(view):
    view.box.start("Work box", ())
    assert not view.box.is_set
    assert view.told == []
    assert np.allclose(view.box.ends, [[-1] * 3, [1] * 3], atol=0.12)
    drag(view, 0, np.array([0.5, 0, 0]))
    assert view.box.is_set
    assert view.told[-2][0] == pytest.approx(view.box.ends[0, 0], abs=1e-3)
    next(b for b in view.findChildren(QPushButton) if b.accessibleName() == "Around all").click()
    assert np.allclose(np.array(view.told[-2]).reshape(2, 3), [[-1] * 3, [1] * 3], atol=0.12)


def test_the_keyboard_ends_it(view):
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):
        view.box.start("Work box", (0, 0, 0, 1, 1, 1))
        view.activateWindow()
        view.canvas.setFocus()
        until(view.canvas.hasFocus)
        QTest.keyClick(view.canvas, key)
        assert not view.box.is_active
    assert view.told == ["ended", "ended"]


def test_done_ends_it_and_leaves_the_view_as_it_was(view):
    tools = list(view.canvas.tools)
    view.box.start("Work box", (0, 0, 0, 1, 1, 1))
    assert view.box.card.isVisible()
    next(b for b in view.findChildren(QPushButton) if b.accessibleName() == "Done").click()
    assert view.told == ["ended"]
    assert not view.box.card.isVisible()
    assert view.canvas.tools == tools
    pose = view.pose
    QTest.mousePress(view.canvas, LEFT, pos=QPoint(260, 210))
    QTest.mouseMove(view.canvas, QPoint(300, 210))
    QTest.mouseRelease(view.canvas, LEFT, pos=QPoint(300, 210))
    assert not view.pose.same_as(pose)
