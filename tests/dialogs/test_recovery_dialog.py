"""Work of a killed process is offered back."""

import os
import signal
import subprocess
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from app.dialogs.recovery_dialog import RecoveryDialog, when_text
from app.project.project import Project

CHILD = """
import sys, numpy as np
from app.project.project import Project
from engines.data import Curve
project = Project.new()
if len(sys.argv) > 1:
    project.add(Curve(x=np.arange(3.0), series={"a": np.ones(3)}), name="saved")
    project.save(sys.argv[1])
project.add(Curve(x=np.arange(4.0), series={"b": np.arange(4.0)}), name="unsaved")
project.flush()
print("ready", flush=True)
sys.stdin.read()
"""


def kill_a_session(*args):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert child.stdout.readline().strip() == b"ready"
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)


@pytest.fixture
def open_dialog(app, qtbot):
    def make():
        dialog = RecoveryDialog(Project.recoverable())
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return make


def test_recover_what_a_killed_process_left(open_dialog, tmp_path, qtbot):
    file = tmp_path / "study.fieldwright"
    kill_a_session(file)
    dialog = open_dialog()
    assert dialog.list.topLevelItemCount() == 1
    assert dialog.list.topLevelItem(0).text(0) == "study"
    assert "1 artifact" in dialog.list.topLevelItem(0).text(2)
    assert str(file) in dialog.where.text()
    assert dialog.recover_button.isDefault()
    with qtbot.waitSignal(dialog.recovered, timeout=20_000) as got:
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    project = got.args[0]
    try:
        assert [e.name for e in project.entries.values()] == ["saved", "unsaved"]
        assert project.dirty
        assert project.path == file
        assert not dialog.isVisible()
        project.save()
    finally:
        project.close()
    assert Project.recoverable() == []


def test_keep_for_later(open_dialog, qtbot):
    kill_a_session()
    dialog = open_dialog()
    assert dialog.list.topLevelItem(0).text(0) == "Untitled"
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert len(Project.recoverable()) == 1


def test_discard_and_undo(open_dialog, tmp_path, qtbot):
    kill_a_session(tmp_path / "a.fieldwright")
    dialog = open_dialog()
    dialog.discard_button.click()
    qtbot.waitUntil(lambda: dialog.list.topLevelItemCount() == 0, timeout=10_000)
    assert "trash folder" in dialog.notice.message
    assert not dialog.recover_button.isEnabled()
    assert Project.recoverable() == []
    dialog.findChild(QPushButton, "recovery_notice_undo").click()
    qtbot.waitUntil(lambda: dialog.list.topLevelItemCount() == 1, timeout=10_000)
    (back,) = Project.recoverable()
    project = back.recover()
    assert len(project.entries) == 2
    project.close()


def test_discarded_work_leaves_the_trash_after_its_time(tmp_path, app):
    from app.project.recovery import empty_trash, trash_folder

    kill_a_session()
    where = Project.recoverable()[0].discard()
    assert where.parent == trash_folder()
    empty_trash()
    assert where.exists()
    empty_trash(days=-1)
    assert not where.exists()


def test_an_error_is_told(open_dialog, qtbot):
    kill_a_session()
    dialog = open_dialog()
    other = dialog.recoveries[0].recover()  # another window was quicker
    dialog.recover_button.click()
    qtbot.waitUntil(lambda: dialog.notice.isVisible(), timeout=10_000)
    assert "another window" in dialog.notice.message
    assert dialog.isVisible()
    other.close()


def test_times_are_local():
    assert when_text("not a time") == "not a time"
    assert when_text("2026-11-04T08:30:00Z").endswith("2026, 08:30") or "November" in when_text("2026-11-04T08:30:00Z")
