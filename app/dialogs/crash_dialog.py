"""The dialog for an unexpected error: plain words, a report to copy, and the choice to go on or to quit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget

from app import theme
from app.dialogs.crash import CrashHooks
from app.dialogs.frame import Dialog, ask_save_path, copy_text, muted
from app.dialogs.notice import Notice
from app.dialogs.report import CrashReport, report_text
from engines.core import UserError

LOG_LINES = 60


class CrashDialog(Dialog):
    """Shows one report (and those that came with it). ``finished`` follows Continue; ``quit_requested`` Quit."""

    quit_requested = Signal()

    def __init__(
        self,
        report: CrashReport,
        others: Sequence[CrashReport] = (),
        log: Sequence[object] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("crash_dialog", "Unexpected error", parent, (720, 520))
        self.report, self._log = report, list(log)
        if report.fatal:
            day = time.strftime("%d %B, %H:%M", time.localtime(report.when))
            head = "Fieldwright stopped unexpectedly last time"
            what = f"It was on {day}. What was not saved is offered back by the recovery dialog."
        else:
            head = "Something went wrong that Fieldwright did not expect"
            what = (
                "The window keeps running and your project is unchanged. What you just did may not have worked. "
                "If the window behaves oddly, save your project and start again."
            )
        self.heading(head, what, "crash", "bad")
        self._count = muted("", "crash_count")
        self.body.addWidget(self._count)
        self.text = QPlainTextEdit(objectName="crash_report", readOnly=True)
        self.text.setAccessibleName("Error report")
        self.text.setFont(theme.mono())
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.body.addWidget(self.text, 1)
        self.body.addWidget(
            muted("The report holds versions, the traceback and log lines. It names no folders of yours.")
        )
        self.notice = Notice("crash_notice")
        self.body.addWidget(self.notice)
        self.copy_button = self.add_button("Copy report", self._copy, left=True, icon="copy")
        self.save_button = self.add_button("Save report…", self._save, left=True, icon="save")
        if not report.fatal:
            self.quit_button = self.add_button("Quit", self._quit)
        self.continue_button = self.add_button("Continue", self.accept, "primary")
        self.continue_button.setFocus()
        self.update_report(others)

    def update_report(self, others: Sequence[CrashReport]) -> None:
        """Take in errors that came while the dialog was open."""
        parts = []
        if self.report.count > 1:
            parts.append(f"It happened {self.report.count:,} times.")
        if others:
            more = sum(other.count for other in others)
            parts.append(f"{more:,} other error{'s' if more > 1 else ''} came with it; the report has them.")
        self._count.setText(" ".join(parts))
        self._count.setVisible(bool(parts))
        bar = self.text.verticalScrollBar()
        at = bar.value()
        self.text.setPlainText(report_text(self.report, others, self._log))
        bar.setValue(at)

    def _copy(self) -> None:
        copy_text(self.text.toPlainText())
        self.notice.say("good", "The report is on the clipboard.")

    def _save(self) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.report.when))
        path = ask_save_path(self, "Save report", f"fieldwright-report-{stamp}.txt", "Text (*.txt)")
        if not path:
            return
        try:
            Path(path).write_text(self.text.toPlainText(), encoding="utf-8")
        except OSError as error:
            self.notice.say("bad", "The report could not be saved.", f"{error.strerror}. Choose another folder.")
        else:
            self.notice.say("good", f"Saved as {Path(path).name}.")

    def _quit(self) -> None:
        self.quit_requested.emit()
        self.accept()


def show_crash(hooks: CrashHooks, report: CrashReport) -> CrashDialog:
    """Open the dialog over the active window and keep it up to date. Never more than one is open."""
    dialog = CrashDialog(report, hooks.others, hooks.model.tail(LOG_LINES), QApplication.activeWindow())
    growing = hooks.grew.connect(lambda: dialog.update_report(hooks.others))

    def finished() -> None:
        hooks.grew.disconnect(growing)
        hooks.acknowledge()
        dialog.deleteLater()

    dialog.finished.connect(finished)
    # Close windows rather than quit at once, so that unsaved changes are asked about.
    dialog.quit_requested.connect(QApplication.closeAllWindows)
    dialog.open()
    return dialog


class RefusalDialog(Dialog):
    """A UserError that nobody caught: what was found, why it cannot be used, how to mend it."""

    def __init__(self, error: UserError, parent: QWidget | None = None) -> None:
        super().__init__("refusal_dialog", "This did not work", parent, (480, 184))
        self.heading(error.what, "\n".join(part for part in (error.why, error.mend) if part), "warning", "warn")
        self.body.addStretch(1)
        self.add_button("Close", self.accept, "primary").setFocus()


def show_refusal(error: UserError) -> RefusalDialog | None:
    """Open it over the active window, unless one is open already (the log has them all)."""
    if any(isinstance(w, RefusalDialog) and w.isVisible() for w in QApplication.topLevelWidgets()):
        return None
    dialog = RefusalDialog(error, QApplication.activeWindow())
    dialog.finished.connect(lambda _: dialog.deleteLater())
    dialog.open()
    return dialog
