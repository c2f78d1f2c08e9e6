"""Editing Gaussians on a mesh in the window: results, provenance, undo and redo, saving, and runs' own views."""

import shlex

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from app.cli import main
from app.project import Project
from engines.blocks.splatting.bound_gaussians import to_cloud
from tests.viewers.test_part_editor import ASIDE, BOUND, LEFT
from tests.viewers.test_splat_view import until
from tests.window.conftest import find


def editing(window, key):
    """The view of an artifact in edit mode."""
    window.view_acts.show_artifacts([key])
    until(lambda: window.views.current.viewers() and window.views.current.viewers()[0].latest is not None)
    view = window.views.current.viewers()[0]
    view.look_from(0)
    find(view, "Edit the mesh").click()
    until(lambda: view.editing.editor.topology is not None and view.drawing.is_settled)
    return view


def choose_left(view):
    x, y, _ = view.project(-ASIDE[None] + [0, -1, 0])[0]
    QTest.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))


def typed(view, name, text):
    field = find(view, name, QLineEdit)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def applied(window, view, entries):
    find(view, "Apply").click()
    until(lambda: len(window.bench.project.entries) == entries and not view.editing.editor.busy)


def test_an_edit_is_a_new_result_that_undo_takes_back_and_a_command_line_repeats(window, add, tmp_path, capsys):
    window.file_acts.new_project()
    project = window.bench.project
    (key,) = add(BOUND.replace(name="balls"))
    view = editing(window, key)
    choose_left(view)
    assert np.array_equal(view.editing.editor.state.part, LEFT)
    typed(view, "Move Z", "0.5")
    undo = window.actions_["undo"]
    assert undo.text() == "&Undo place the part"
    undo.trigger()
    assert not view.editing.editor.is_pending
    window.actions_["redo"].trigger()
    pose = view.pose
    applied(window, view, 2)

    (edited,) = [e for e in project.entries.values() if e.id != key]
    assert edited.name == "balls (edited)"
    record = project.runs[edited.run]
    assert (record.method, record.status, dict(record.inputs)) == ("edit-bound", "finished", {"bound": key})
    after = project.artifact(edited.id)
    assert np.allclose(after.vertices[LEFT] - BOUND.vertices[LEFT], [0, 0, 0.5])
    assert project.artifact(key).content_hash() == BOUND.content_hash(), "what was edited stays"
    until(lambda: view.items[0].artifact is after)
    assert view.pose.same_as(pose)
    assert window.views.current.title() == "balls (edited)"

    typed(view, "Turn X", "90")
    applied(window, view, 3)
    assert {e.name for e in project.entries.values()} == {"balls", "balls (edited)", "balls (edited 2)"}
    until(lambda: undo.text() == "&Undo edit 'balls (edited)'")
    undo.trigger()
    until(lambda: view.items[0].artifact.content_hash() == edited.hash)
    assert edited.run in project.runs
    undo.trigger()
    until(lambda: view.items[0].artifact.content_hash() == BOUND.content_hash())
    assert list(project.entries) == [key]
    assert not project.runs
    assert np.array_equal(view.editing.editor.state.part, LEFT)
    window.actions_["redo"].trigger()
    window.actions_["redo"].trigger()
    until(lambda: window.views.current.title() == "balls (edited 2)" and len(view.items) == 1)
    last = next(e for e in project.entries.values() if e.name == "balls (edited 2)")
    until(lambda: view.items[0].artifact.content_hash() == last.hash)

    path = tmp_path / "p.fieldwright"
    project.save(path)
    command = shlex.split(project.runs[last.run].command)
    assert command[1:3] == ["run", "edit-bound"]
    again = [str(path) if w == "project.fieldwright" else w for w in command[1:]]
    project.close()
    assert main(again) == 0, capsys.readouterr()
    opened = Project.open(path)
    made = [e.hash for e in opened.entries.values()]
    opened.close()
    assert made.count(last.hash) == 2, "the same arrays to the last bit"


def test_what_a_run_gave_is_edited_in_a_view_of_its_own(window, add):
    from app.project import RunRecord

    window.file_acts.new_project()
    project = window.bench.project
    project.put_run(RunRecord(id="r", method="sugar", title="SuGaR 1", status="running"))
    entries = project.finish_run(
        RunRecord(id="r", method="sugar", title="SuGaR 1", status="finished"),
        {"bound": BOUND.replace(name="bound"), "splats": to_cloud(BOUND)},
    )
    window.run_acts.show_run("r")
    until(lambda: window.views.current.viewers() and window.views.current.viewers()[0].latest is not None)
    find(window.views.current.viewers()[0], "Edit the mesh").click()
    until(lambda: window.views.current.kind == "artifacts" and window.views.current.viewers())
    view = window.views.current.viewers()[0]
    until(lambda: view.editing.editor.is_active)
    assert window.views.current.artifact_ids() == [entries[0].id]
