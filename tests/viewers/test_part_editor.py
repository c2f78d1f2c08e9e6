"""Editing a mesh with its Gaussians in the splat view, with the mouse and with numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPolygonF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from app.viewers.gizmo import MIDDLE, Gizmo
from app.viewers.part_choice import inside
from app.viewers.registry import Shown
from app.viewers.splat_edit import Follower, PartEdit
from app.viewers.splat_render import Request, SplatRenderer, prepare
from engines.blocks.mesh_parts import Placement, edited, turned_by, weights_of
from engines.blocks.splatting.bound_gaussians import moved, to_cloud
from engines.data import BoundGaussians, Mesh
from engines.shape.sugar_refine import bind
from tests.viewers.conftest import ball
from tests.viewers.test_splat_view import fine, shell, until

ASIDE, UP = np.array([1.2, 0, 0]), np.array([0, 0, 0.7])


def two_balls() -> BoundGaussians:
    """Two pieces, at x = -1.2 and 1.2, with three Gaussians on each triangle."""
    one = ball(around=14)
    vertices = np.concatenate([one.vertices - ASIDE, one.vertices + ASIDE])
    mesh = Mesh(vertices=vertices, faces=np.concatenate([one.faces, one.faces + len(one.vertices)]), unit="mm")
    sound = np.linalg.norm(np.cross(*(vertices[mesh.faces[:, k]] - vertices[mesh.faces[:, 0]] for k in (1, 2))), axis=1)
    bound = bind(mesh.replace(faces=mesh.faces[sound > 1e-12]), 3, 1, 1e-6)
    return bound.replace(opacity_logits=np.full(len(bound), 3.0, np.float32))


BOUND = two_balls()
LEFT = BOUND.vertices[:, 0] < 0


@pytest.fixture
def editing(show):
    """A view in edit mode that keeps what is applied."""
    view = show("splats", 760, 520)
    kept = []

    def keep(key, params):
        kept.append(params)
        after = moved(view.items[0].artifact, edited(view.items[0].artifact.vertices, params))
        view.show_artifacts([Shown(key, "Balls", after)])

    view.show_artifacts([Shown("b", "Balls", BOUND)])
    assert not view.editing.action.isVisible(), "nobody would keep an edit"
    view.offer_edits(keep)
    view.look_from(0)
    view.editing.action.trigger()
    until(lambda: view.editing.editor.topology is not None)
    fine(view)
    view.kept = kept
    return view


def at(view, point) -> QPoint:
    x, y, _ = view.project(np.asarray(point, float)[None])[0]
    return QPoint(round(x), round(y))


def click(view, where, held=Qt.KeyboardModifier.NoModifier):
    QTest.mouseClick(view.canvas, Qt.MouseButton.LeftButton, held, where)


def drag(view, start, end, held=Qt.KeyboardModifier.NoModifier, drop=True):
    left, canvas = Qt.MouseButton.LeftButton, view.canvas
    QTest.mousePress(canvas, left, held, start)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(
            canvas,
            QPoint(
                *(np.array(start.toTuple()) * (1 - share) + np.array(end.toTuple()) * share)
                .round()
                .astype(int)
                .tolist()
            ),
        )
    if drop:
        QTest.mouseRelease(canvas, left, held, end)


def panel(view, name, kind=None):
    found = [w for w in view.editing.panel.findChildren(kind or object) if getattr(w, "accessibleName", str)() == name]
    assert found, f"there is no '{name}'"
    return found[0]


# ---- choosing ---------------------------------------------------------------------------------------------


def test_a_click_chooses_a_piece_and_keys_add_and_take_away(editing):
    editor = editing.editing.editor
    click(editing, at(editing, (-1.2, -1, 0)))
    assert np.array_equal(editor.state.part, LEFT)
    assert panel(editing, "What is chosen").text() == f"{LEFT.sum()} of {len(LEFT)} vertices"
    click(editing, at(editing, (1.2, -1, 0)), Qt.KeyboardModifier.ShiftModifier)
    assert editor.state.part.all()
    click(editing, at(editing, (-1.2, -1, 0)), Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(editor.state.part, ~LEFT)
    click(editing, QPoint(5, 400))
    assert not editor.state.part.any()


def test_a_click_on_something_else_chooses_nothing(editing):
    editing.show_artifacts([*editing.items, Shown("far", "Far", shell(300, radius=0.6).replace(
        means=shell(300, radius=0.6).means + np.float32([0, 0, 3])))])  # fmt: skip
    fine(editing)
    editing.set_pose(replace(editing.pose, half_height=5.0))
    until(lambda: editing.latest.is_fine and editing.latest.request.pose is editing.pose)
    assert editing.pick(QPointF(at(editing, (0, -0.6, 3)))) is not None
    click(editing, at(editing, (0, -0.6, 3)))
    assert not editing.editing.editor.state.part.any()
    click(editing, at(editing, (-1.2, -1, 0)))
    assert np.array_equal(editing.editing.editor.state.part, LEFT)


def test_a_rectangle_takes_what_is_in_sight_or_what_is_behind_too(editing):
    editor, corners = editing.editing.editor, (at(editing, (-2.4, 0, 1.3)), at(editing, (0, 0, -1.3)))
    panel(editing, "Rectangle").click()
    drag(editing, *corners)
    seen = editor.state.part
    assert seen.any()
    assert not (seen & ~LEFT).any()
    assert (BOUND.vertices[seen, 1] < 0.3).all(), "the far side is hidden"
    assert seen[LEFT & (BOUND.vertices[:, 1] < -0.5)].all()
    panel(editing, "Choose through what is in front").click()
    drag(editing, *corners)
    assert np.array_equal(editor.state.part, LEFT)


def test_a_lasso_takes_what_it_surrounds(editing):
    editor, left = editing.editing.editor, Qt.MouseButton.LeftButton
    panel(editing, "Lasso").click()
    editor.through = True
    turn = np.linspace(0, 2 * np.pi, 30)
    points = [at(editing, (1.2 + 1.15 * np.cos(a), 0, 1.15 * np.sin(a))) for a in turn]
    QTest.mousePress(editing.canvas, left, Qt.KeyboardModifier.NoModifier, points[0])
    for point in points:
        QTest.mouseMove(editing.canvas, point)
    QTest.mouseRelease(editing.canvas, left, Qt.KeyboardModifier.NoModifier, points[-1])
    assert np.array_equal(editor.state.part, ~LEFT)


def test_what_lies_in_an_outline():
    triangle = QPolygonF([QPointF(10, 10), QPointF(90, 10), QPointF(10, 90)])
    pixels = np.array([[20, 20], [80, 80], [-5, 20], [40, 40.5], [1e6, 3]])
    assert inside(triangle, pixels, 100, 100).tolist() == [True, False, False, True, False]


def test_grow_shrink_all_nothing_invert_and_undo(editing):
    editor = editing.editing.editor
    part = np.arange(len(LEFT)) == int(np.flatnonzero(LEFT)[200])
    editor.choose(part)
    panel(editing, "Grow").click()
    assert editor.state.part.sum() == 7, "six neighbours in this grid"
    panel(editing, "Shrink").click()
    assert np.array_equal(editor.state.part, part)
    panel(editing, "All").click()
    assert editor.state.part.all()
    panel(editing, "Nothing").click()
    panel(editing, "Invert").click()
    assert editor.state.part.all()
    for _ in range(3):
        editor.undo_stack.undo()
    assert np.array_equal(editor.state.part, part)


def test_dragging_beside_the_handles_still_turns_the_view(editing):
    pose = editing.pose
    drag(editing, QPoint(60, 400), QPoint(120, 420))
    assert not editing.pose.same_as(pose)
    assert not editing.editing.editor.state.part.any()


# ---- handles ----------------------------------------------------------------------------------------------


def test_an_arrow_moves_along_its_axis_as_far_as_the_mouse_goes(editing):
    editor = editing.editing.editor
    click(editing, at(editing, (-1.2, -1, 0)))
    tip = editor.gizmo.tips()[2]
    goal = at(editing, editor.gizmo.centre + 0.5 * UP / 0.7)
    middle = at(editing, editor.gizmo.centre)
    start = QPoint(*tip.round().astype(int).tolist())
    drag(editing, start, start + goal - middle)
    move = editor.state.placement.move
    assert move[2] == pytest.approx(0.5, abs=0.03)
    assert np.abs(move[:2]).max() < 1e-9
    assert panel(editing, "Move Z", QLineEdit).text() == f"{move[2]:.4g}"
    fine(editing)
    editor.undo_stack.undo()
    assert not editor.is_pending
    editor.undo_stack.redo()
    assert np.array_equal(editor.state.placement.move, move)


def test_handles_turn_and_scale_by_what_the_mouse_says():
    """Seen along y in a flat picture of 100 pixels to a unit: closed forms."""
    pulled = []

    def project(points):
        p = np.asarray(points, float).reshape(-1, 3)
        return np.stack([200 + 100 * p[:, 0], 200 - 100 * p[:, 2], p[:, 1] + 10], 1)

    def ray(where):
        return np.array([(where.x() - 200) / 100, -10, (200 - where.y()) / 100]), np.array([0.0, 1, 0])

    gizmo = Gizmo(ray, project, pulled.append, lambda: None)
    gizmo.placement = Placement(np.zeros(3))
    gizmo.kind = "turn"
    radius = 0.85 * 88
    assert gizmo.press(QPointF(200 + radius, 200))
    assert gizmo.held == 1
    gizmo.move(QPointF(200, 200 - radius), True)  # a quarter, from x to z: about -y
    assert np.allclose(pulled[-1].degrees, (0, -90, 0))
    gizmo.snapping = lambda: True
    gizmo.move(QPointF(200 + radius, 200 - 0.3 * radius), True)  # 16.7°
    assert np.allclose(pulled[-1].degrees, (0, -15, 0))
    gizmo.release(QPointF())
    gizmo.kind = "scale"
    assert gizmo.press(QPointF(288, 200))
    gizmo.move(QPointF(200 + 176, 200), True)
    assert np.allclose(pulled[-1].scale, (2, 1, 1))
    gizmo.release(QPointF())
    assert gizmo.press(QPointF(200, 200))
    assert gizmo.held == MIDDLE
    gizmo.move(QPointF(350, 200), True)
    assert np.allclose(pulled[-1].scale, np.exp(1))
    gizmo.release(QPointF())
    gizmo.kind = "move"
    gizmo.placement = Placement(np.zeros(3), turn=turned_by((0, 0, 40)))
    assert gizmo.press(QPointF(200, 200))
    gizmo.move(QPointF(230, 150), True)
    assert np.allclose(pulled[-1].move, (0.3, 0, 0.5))
    assert gizmo.handle_at(QPointF(50, 50)) is None


def test_numbers_place_the_part_exactly(editing):
    editor = editing.editing.editor
    click(editing, at(editing, (-1.2, -1, 0)))
    for name, text in (("Move X", "0.25"), ("Turn Z", "30"), ("Scale Y", "1.5"), ("Falloff", "0.4")):
        field = panel(editing, name, QLineEdit)
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
    params = editor.params()
    assert params.move == (0.25, 0, 0)
    assert np.allclose(params.turn, (0, 0, 30), atol=1e-6)
    assert params.scale == (1, 1.5, 1)
    assert params.falloff == 0.4
    field = panel(editing, "Scale X", QLineEdit)
    field.selectAll()
    QTest.keyClicks(field, "-2")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "1"
    assert editor.params().scale == (1, 1.5, 1)


# ---- applying ---------------------------------------------------------------------------------------------


def test_apply_hands_over_the_edit_and_goes_on_with_what_came_of_it(editing):
    editor = editing.editing.editor
    click(editing, at(editing, (-1.2, -1, 0)))
    assert not panel(editing, "Apply").isEnabled()
    editor.set_placement(Placement(editor.state.placement.pivot, move=UP))
    pose = editing.pose
    panel(editing, "Apply").click()
    (params,) = editing.kept
    after = editing.items[0].artifact
    assert np.allclose(after.vertices[LEFT], BOUND.vertices[LEFT] + UP)
    assert np.array_equal(after.vertices[~LEFT], BOUND.vertices[~LEFT])
    assert params.vertices == f"0-{LEFT.sum() - 1}"
    assert editor.is_active
    assert editor.bound is after
    assert np.array_equal(editor.state.part, LEFT)
    assert not editor.is_pending
    assert np.allclose(editor.gizmo.centre, BOUND.vertices[LEFT].mean(0) + UP)
    assert editing.pose.same_as(pose)


def test_cancel_takes_back_then_chooses_nothing_then_leaves(editing):
    editor = editing.editing.editor
    click(editing, at(editing, (-1.2, -1, 0)))
    editor.set_placement(Placement(editor.state.placement.pivot, move=UP))
    click(editing, at(editing, (1.2, -1, 0)))
    assert "Enter" in editing.editing.hint.text(), "what was pulled is not lost by a click beside it"
    assert np.array_equal(editor.state.part, LEFT)
    panel(editing, "Cancel").click()
    assert not editor.is_pending
    assert np.array_equal(editor.state.part, LEFT)
    editor.step_back()
    assert not editor.state.part.any()
    editor.step_back()
    assert not editor.is_active
    assert not editing.editing.action.isChecked()
    assert editing.editing.panel.isHidden()
    assert editing.canvas.tools == []
    assert editing.kept == []


def test_the_keyboard_does_it_too(editing):
    editor, canvas = editing.editing.editor, editing.canvas
    editing.activateWindow()
    canvas.setFocus()
    until(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_A)
    assert editor.state.part.all()
    QTest.keyClick(canvas, Qt.Key.Key_T)
    assert editor.gizmo.kind == "turn"
    editor.set_placement(Placement(editor.state.placement.pivot, move=UP))
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert len(editing.kept) == 1
    assert editing.kept[0].vertices == "all"
    QTest.keyClick(canvas, Qt.Key.Key_N)
    assert not editor.state.part.any()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not editor.is_active
    QTest.keyClick(canvas, Qt.Key.Key_E)
    assert editor.is_active


def test_another_mesh_in_its_place_ends_the_mode(editing):
    editing.show_artifacts(
        [Shown("b", "Other", bind(ball(around=8).replace(faces=ball(around=8).faces[40:60]), 1, 0, 1e-6))]
    )
    assert not editing.editing.editor.is_active
    editing.show_artifacts([Shown("s", "Cloud", shell(50))])
    assert not editing.editing.action.isVisible()


# ---- pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("falloff", [0.0, 0.6])
def test_what_is_shown_while_pulling_is_what_the_method_gives(editing, falloff):
    """The fine picture of the edit, its lines apart, is the picture of its result."""
    editor = editing.editing.editor
    sh = np.random.default_rng(0).normal(size=BOUND.sh.shape).astype("f4") * 0.2
    bound, other = BOUND.replace(sh=sh), shell(300, radius=0.3, degree=2)
    editor.choose(LEFT)
    editor.bound = bound
    place = Placement(np.array([-1.2, 0, 0]), np.array([0, 0, 0.4]), turned_by((20, 0, 50)), np.array([1, 1.3, 0.8]))
    editor._show(type(editor.state)(LEFT, place, falloff))
    request = editing.request(200, 140)
    pictures = []
    for clouds, edit in (
        ((other, bound), editor.edit),
        ((other, to_cloud(moved(bound, edited(bound.vertices, editor.params())))), None),
    ):
        asked = Request(clouds, request.pose, 200, 140, request.look, request.lens, request.background, edit=edit)
        pictures.append(SplatRenderer().draw(asked).every)
    assert np.abs(pictures[0].alpha - pictures[1].alpha).max() < 0.02
    assert np.abs(pictures[0].colours - pictures[1].colours).max() < 0.03
    rest = SplatRenderer().draw(Request((other, bound), request.pose, 200, 140)).every
    assert np.abs(rest.alpha - pictures[0].alpha).max() > 0.5
    assert (weights_of(bound.vertices, LEFT, falloff) > 0).sum() >= LEFT.sum()


def test_coarse_pictures_take_a_short_cut_to_the_same_place():
    edges, part = np.zeros((0, 2), int), BOUND.vertices[:, 2] > 0
    place = Placement(np.zeros(3), np.array([0.1, 0, 0]), turned_by((20, 0, 50)), np.array([1, 1.3, 0.8]))
    edit = PartEdit(BOUND, edges, part, place, 0.5, (0, 0, 0), (1, 0, 0))
    ready = prepare((BOUND,))
    fine, quick, few = (
        Follower().follow(edit, ready.gaussians, ready.order, 0, count, whole).gaussians
        for count, whole in ((len(ready), True), (len(ready), False), (500, False))
    )
    for name in ("means", "log_scales", "quaternions"):
        a, b, c = (getattr(g, name).numpy() for g in (fine, quick, few))
        np.testing.assert_allclose(np.abs(a), np.abs(b), atol=1e-4)
        np.testing.assert_array_equal(b[:500], c[:500])
    rest = ready.gaussians.means
    assert (few.means[500:] == rest[500:]).all()
    assert (quick.means[500:] != rest[500:]).any()


def test_lines_of_the_part_are_in_its_colour_and_none_when_the_mode_ends(editing):
    editor = editing.editing.editor

    def picture():
        until(lambda: editing.latest.is_fine and editing.latest.request.edit is editor.edit)
        return editing.latest.picture.astype(int)

    before = picture()
    editor.choose(LEFT)
    marked = picture()
    assert (np.abs(marked - before).max(2) > 10).mean() > 0.02
    editor.end()
    plain = picture()
    assert (np.abs(plain - before).max(2) > 4).mean() > 0.02, "the mesh was drawn before anything was chosen"
