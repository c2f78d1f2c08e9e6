"""Uncaught errors reach the log and the crash dialog, from wherever they come."""

import faulthandler
import gc
import logging
import os
import subprocess
import sys
import threading
import time

import pytest
from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, QTimer, Signal
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from app.background import run_in_background
from app.dialogs.crash import install_hooks, offer_previous, previous_crashes
from app.dialogs.crash_dialog import CrashDialog, RefusalDialog
from app.dialogs.log import KEPT_LINES, LogLine, LogModel
from app.dialogs.report import CrashReport, report_text, without_paths
from engines.core import Cancelled, UserError


@pytest.fixture(autouse=True)
def _crashes_of_later_tests_are_told(pytestconfig):
    """Crashes go where they went before: the program can only go back to what stderr was when it started."""
    yield
    from _pytest.faulthandler import fault_handler_stderr_fd_key

    if (told := pytestconfig.stash.get(fault_handler_stderr_fd_key, None)) is not None:
        faulthandler.enable(file=told)


@pytest.fixture
def shown():
    return []


@pytest.fixture
def hooks(app, tmp_path, shown):
    installed = install_hooks(folder=tmp_path / "state", show=lambda hooks, report: shown.append(report))
    yield installed
    installed.uninstall()


def raised(message: str, kind: type[Exception] = ValueError) -> Exception:
    try:
        raise kind(message)
    except Exception as error:
        return error


class Sender(QObject):
    fired = Signal()


def test_error_in_a_slot(hooks, shown, qtbot):
    sender = Sender()
    sender.fired.connect(lambda: 1 / 0)
    sender.fired.emit()
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert "ZeroDivisionError" in shown[0].title
    assert "test_crash.py" in shown[0].details


def test_error_in_a_virtual_method(hooks, shown, qtbot):
    class Broken(QWidget):
        def paintEvent(self, event):
            raise KeyError("paint")

    widget = Broken()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert "KeyError" in shown[0].title


def test_error_in_a_pool_job(hooks, shown, qtbot):
    class Job(QRunnable):
        def run(self):
            raise RuntimeError("in the pool")

    QThreadPool.globalInstance().start(Job())
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert shown[0].title == "RuntimeError: in the pool"


def test_error_in_background_work_that_nobody_handles(hooks, shown, qtbot):
    def work():
        raise RuntimeError("background")

    run_in_background(work)
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert shown[0].title == "RuntimeError: background"


def test_error_in_a_thread(hooks, shown, qtbot):
    def work():
        raise OSError("in a thread")

    thread = threading.Thread(target=work, name="reader")
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert "in a thread" in shown[0].title
    assert any("(reader)" in line.text for line in hooks.model.tail(50))


def test_error_in_a_timer_callback(hooks, shown, qtbot):
    QTimer.singleShot(0, lambda: [][1])
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert "IndexError" in shown[0].title


def test_error_in_a_finaliser_is_logged_only(hooks, shown, qtbot):
    class Leaky:
        def __del__(self):
            raise ValueError("too late")

    item = Leaky()
    del item
    gc.collect()
    qtbot.wait(30)
    assert shown == []
    assert any("too late" in line.text for line in hooks.model.tail(50))


def test_cancel_is_no_crash_and_a_user_error_is_told(hooks, shown, qtbot):
    told = []
    hooks.refused.connect(told.append)
    hooks.report(Cancelled, Cancelled())
    hooks.report(UserError, UserError("The file is empty.", "It holds no byte.", "Copy it again."))
    qtbot.waitUntil(lambda: len(told) == 1)
    assert shown == []
    assert told[0].mend == "Copy it again."


def test_a_storm_is_one_report(hooks, shown, qtbot):
    error = raised("again")
    for _ in range(500):
        hooks.report(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert shown[0].count == 500
    for _ in range(20):
        hooks.report(type(error), error, error.__traceback__)
        QApplication.processEvents()
    other = raised("other", KeyError)
    hooks.report(type(other), other, other.__traceback__)
    qtbot.waitUntil(lambda: len(hooks.others) == 1)
    assert len(shown) == 1
    assert shown[0].count == 520
    hooks.acknowledge()
    hooks.report(type(error), error, error.__traceback__)  # seen a moment ago: logged, not shown
    qtbot.wait(30)
    assert len(shown) == 1


def test_only_one_dialog_and_it_counts(app, tmp_path, qtbot):
    hooks = install_hooks(folder=tmp_path / "state")
    try:
        for kind in (ValueError, KeyError):
            error = raised("first", kind)
            hooks.report(kind, error, error.__traceback__)
            qtbot.wait(20)
        dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, CrashDialog) and w.isVisible()]
        assert len(dialogs) == 1
        dialog = dialogs[0]
        assert "KeyError" in dialog.text.toPlainText()
        assert "1 other error came with it" in dialog.findChild(QWidget, "crash_count").text()
        assert dialog.continue_button.isDefault()
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: hooks.current is None)
    finally:
        hooks.uninstall()


def test_a_user_error_that_nobody_caught_is_shown_once(app, tmp_path, qtbot):
    hooks = install_hooks(folder=tmp_path / "state")
    try:
        sender = Sender()

        def refuse():
            raise UserError("The file is empty.", "It holds no byte.", "Copy it again.")

        sender.fired.connect(refuse)
        for _ in range(3):
            sender.fired.emit()
            qtbot.wait(10)
        shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, RefusalDialog) and w.isVisible()]
        assert len(shown) == 1
        texts = " ".join(label.text() for label in shown[0].findChildren(QLabel))
        assert "The file is empty." in texts
        assert "Copy it again." in texts
        qtbot.keyClick(shown[0], Qt.Key.Key_Escape)
    finally:
        hooks.uninstall()


def test_errors_after_a_dialog_was_closed_do_not_reach_it(app, tmp_path, qtbot):
    hooks = install_hooks(folder=tmp_path / "state")
    try:
        for name, kind in (("first", ValueError), ("second", KeyError), ("third", OSError)):
            for inner in (kind, ArithmeticError):
                error = raised(name, inner)
                hooks.report(inner, error, error.__traceback__)
                qtbot.wait(20)
            dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, CrashDialog) and w.isVisible()]
            assert len(dialogs) == 1
            dialogs[0].continue_button.click()
            qtbot.wait(20)
        assert not any("already deleted" in line.text for line in hooks.model.tail(100))
    finally:
        hooks.uninstall()


def test_dialog_copies_and_saves(app, tmp_path, qtbot, monkeypatch):
    dialog = CrashDialog(CrashReport("ValueError: no", "Traceback …", "app/x.py:1"), log=["12:00:00 Note a: b"])
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    text = QApplication.clipboard().text()
    assert "torch:" in text
    assert "ValueError: no" in text
    assert "12:00:00 Note a: b" in text
    target = tmp_path / "report.txt"
    monkeypatch.setattr("app.dialogs.crash_dialog.ask_save_path", lambda *a: str(target))
    qtbot.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    assert target.read_text(encoding="utf-8") == text
    monkeypatch.setattr("app.dialogs.crash_dialog.ask_save_path", lambda *a: str(tmp_path / "no" / "report.txt"))
    qtbot.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    assert "could not be saved" in dialog.notice.message
    quits = []
    dialog.quit_requested.connect(lambda: quits.append(1))
    qtbot.mouseClick(dialog.quit_button, Qt.MouseButton.LeftButton)
    assert quits == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/home/anna/work/app/dialogs/crash.py", line 3', 'File "app/dialogs/crash.py", line 3'),
        ("No such file: '/data/My scans/knee 3.nii'", "No such file: '…/knee 3.nii'"),
        ("cannot open /mnt/a/b/c.csl: gone", "cannot open …/c.csl: gone"),
        ('File "/usr/lib/python3/site-packages/numpy/core.py"', 'File "numpy/core.py"'),
        (r"C:\Users\anna\x.csl missing", "…/x.csl missing"),
        ("loss/iou is 3/4 at 1/2", "loss/iou is 3/4 at 1/2"),
    ],
)
def test_reports_name_no_folders(text, expected):
    assert without_paths(text) == expected


def test_report_of_an_error_in_a_private_folder(tmp_path):
    error = raised(f"cannot read {tmp_path}/secret/scan.nii")
    text = report_text(CrashReport.of(type(error), error, error.__traceback__))
    assert "secret" not in text
    assert str(tmp_path) not in text
    assert "scan.nii" in text


def test_crash_of_the_last_session_is_offered(app, tmp_path, qtbot):
    folder = tmp_path / "state"
    script = (
        "import sys, faulthandler; from PySide6.QtCore import QCoreApplication\n"
        "from pathlib import Path; from app.dialogs.crash import install_hooks\n"
        "a = QCoreApplication([]); h = install_hooks(folder=Path(sys.argv[1]), show=print)\n"
        "import logging; logging.getLogger('x').info('about to fall')\n"
        "faulthandler._sigsegv()\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, timeout=60, cwd=os.getcwd()
    )
    assert child.returncode != 0
    hooks = install_hooks(folder=folder, show=lambda *a: None)
    try:
        assert len(hooks.previous) == 1
        dialog = offer_previous(hooks)
        qtbot.addWidget(dialog)
        text = dialog.text.toPlainText()
        assert "Segmentation fault" in text
        assert "about to fall" in text
        assert not hasattr(dialog, "quit_button")
        dialog.continue_button.click()
        assert previous_crashes(folder) == []
    finally:
        hooks.uninstall()


def test_a_session_that_ended_well_leaves_nothing(app, tmp_path):
    folder = tmp_path / "state"
    hooks = install_hooks(folder=folder, show=lambda *a: None)
    before = sys.excepthook
    hooks.uninstall()
    assert sys.excepthook is not before
    assert list(folder.glob("fault-*")) == []
    assert offer_previous(hooks) is None


@pytest.mark.parametrize("was_on", [True, False])
def test_faulthandler_is_as_it_was_once_the_session_has_ended(app, tmp_path, was_on):
    faulthandler.enable(sys.__stderr__)
    if not was_on:
        faulthandler.disable()
    hooks = install_hooks(folder=tmp_path / "state", show=lambda *a: None)
    assert faulthandler.is_enabled()
    hooks.uninstall()
    assert faulthandler.is_enabled() == was_on


def test_log_file_and_model(hooks, tmp_path, qtbot):
    logging.getLogger("fieldwright.import").warning("Loop %d is open", 3)
    qtbot.waitUntil(lambda: hooks.model.rowCount() > 0)
    row = next(r for r in range(hooks.model.rowCount()) if "Loop 3" in hooks.model.line(r).text)
    shown = [hooks.model.index(row, c).data() for c in range(4)]
    assert shown[1:] == ["Warning", "import", "Loop 3 is open"]
    assert "Loop 3 is open" in (tmp_path / "state" / "logs" / "fieldwright.log").read_text()


def test_log_model_keeps_the_last_lines(app, qtbot):
    model = LogModel()

    def storm(start):
        for i in range(3000):
            model.append(LogLine(time.time(), logging.INFO, "t", f"{start + i}"))

    threads = [threading.Thread(target=storm, args=(3000 * k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model.flush()
    assert model.rowCount() == KEPT_LINES
    model.append(LogLine(time.time(), logging.INFO, "t", "last"))
    model.flush()
    assert model.rowCount() == KEPT_LINES
    assert model.line(KEPT_LINES - 1).text == "last"
