"""What is the matter with a project is said where it cannot be missed, and what to do about it."""

import pytest
from PySide6.QtCore import QSize

from app.dialogs.notice import Notice
from app.project import Project
from app.window import recovering
from app.window.banner import troubles
from app.window.panels import first_size
from tests.window import samples
from tests.window.conftest import find


def test_work_that_is_not_kept_safe_is_told_until_it_is(window, click, qtbot):
    window.file_acts.new_project()
    content = window.bench.project._content
    assert window.banner.isHidden()
    content._problem("Unsaved work cannot be kept safe: No space left on device.")
    qtbot.waitUntil(window.banner.isVisible)
    box = find(window, "trouble:journal", Notice)
    assert "lost in a crash" in box.message
    assert "No space left on device" in box.message
    assert "make room" in box.message
    content._problem("")
    qtbot.waitUntil(window.banner.isHidden)


def test_a_damaged_project_opens_with_what_is_whole_and_says_so(window, qtbot, tmp_path):
    import h5py

    path = tmp_path / "damaged.fieldwright"
    project = Project.new()
    project.add(samples.mesh(), name="Whole")
    broken = project.add(samples.table(), name="Broken")
    project.save(path)
    project.close()
    with h5py.File(path, "r+") as file:
        del file[f"artifacts/{broken.id}"].attrs["type"]
    window.file_acts.open_path(path)
    qtbot.waitUntil(lambda: window.bench.project.path == path, timeout=20_000)
    qtbot.waitUntil(window.banner.isVisible)
    box = find(window, "trouble:problems", Notice)
    assert "1 part of this project could not be read" in box.message
    assert "another name" in box.message
    find(box, "Dismiss").click()
    assert window.banner.isHidden()
    window.file_acts.new_project()
    assert window.banner.isHidden()


def test_why_a_project_is_read_only_stays_in_sight(tmp_path):
    path = tmp_path / "held.fieldwright"
    holder = Project.new()
    holder.save(path)
    second = Project.open(path)
    try:
        (trouble,) = troubles(second)
        assert second.read_only_reason in trouble.text
        assert trouble.offers == ("save-as",)
    finally:
        second.close()
        holder.close()


def test_unsaved_work_and_the_report_of_the_crash_are_both_offered(window, qtbot, monkeypatch):
    from PySide6.QtWidgets import QDialog

    from app.dialogs import crash
    from app.dialogs.recovery_dialog import RecoveryDialog

    class Found:
        project_path, when, summary = None, "2026-01-02T03:04:05+00:00", "1 artifact"

    offered = []
    monkeypatch.setattr(crash, "offer_previous", lambda hooks, parent: offered.append(hooks))
    hooks = object()
    monkeypatch.setattr(recovering.Project, "recoverable", staticmethod(lambda: [Found()]))
    recovering.offer(window, hooks)
    qtbot.waitUntil(lambda: window.findChild(RecoveryDialog) is not None)
    dialog = window.findChild(RecoveryDialog)
    assert isinstance(dialog, QDialog)
    assert not offered  # one question at a time
    dialog.reject()
    qtbot.waitUntil(lambda: offered == [hooks])
    monkeypatch.setattr(recovering.Project, "recoverable", staticmethod(list))
    recovering.offer(window, hooks)
    qtbot.waitUntil(lambda: offered == [hooks, hooks])


def test_notices_lie_at_the_foot_of_the_project_and_wait_for_the_reader(window, qtbot):
    from PySide6.QtCore import QEvent, QRect
    from PySide6.QtWidgets import QApplication

    from app.window.requests import Note

    window.file_acts.new_project()
    box = window.notices.show(Note("Done", "info"))
    panel = window.project_panel
    place = QRect(panel.mapTo(window, panel.rect().topLeft()), panel.size())
    qtbot.waitUntil(lambda: place.contains(box.geometry()))
    box._timer.setInterval(50)
    box._timer.start()
    QApplication.sendEvent(box, QEvent(QEvent.Type.Leave))
    box.enterEvent(QEvent(QEvent.Type.Enter))
    qtbot.wait(500)
    assert box in window.notices.boxes()
    box.leaveEvent(QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(lambda: not window.notices.boxes(), timeout=3000)


@pytest.mark.parametrize(
    ("room", "size"),
    [((1920, 1040), (1632, 884)), ((2560, 1400), (1680, 1050)), ((1366, 728), (1280, 688)), ((1024, 728), (1008, 688))],
)
def test_the_first_window_fits_the_screen(room, size):
    assert first_size(QSize(*room)) == QSize(*size)
