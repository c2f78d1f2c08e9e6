"""Offers back what earlier sessions could not save."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHeaderView, QProgressBar, QTreeWidget, QTreeWidgetItem, QWidget

from app import theme
from app.background import run_in_background
from app.dialogs.frame import Dialog, copy_text, muted
from app.dialogs.notice import Notice

if TYPE_CHECKING:
    from app.project.project import Project
    from app.project.recovery import Recovery


class RecoveryDialog(Dialog):
    """``recovered(project)`` when the user took one back; the project is unsaved. Escape keeps all for later.

    Find the recoveries in the background with ``Project.recoverable()``, and open this only if there are any.
    """

    recovered = Signal(object)

    def __init__(self, recoveries: Sequence[Recovery], parent: QWidget | None = None) -> None:
        super().__init__("recovery_dialog", "Recover unsaved work", parent, (640, 400))
        self.recoveries = list(recoveries)
        self._project: Project | None = None
        self.heading(
            "Fieldwright ended before everything was saved",
            "What was done since the last save is still here. Recover it, or keep it for later.",
            "recovery",
        )
        self.list = QTreeWidget(objectName="recovery_list", rootIsDecorated=False, uniformRowHeights=True)
        self.list.setAccessibleName("Unsaved work")
        self.list.setHeaderLabels(["Project", "When", "What is in it"])
        self.list.setFont(theme.font(numbers=True))
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        for recovery in self.recoveries:
            self._add_row(recovery)
        self.list.currentItemChanged.connect(lambda *_: self._show_current())
        self.list.itemDoubleClicked.connect(lambda *_: self.recover())
        self.body.addWidget(self.list, 1)
        self.where = muted("", "recovery_where")
        self.where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body.addWidget(self.where)
        self.notice = Notice("recovery_notice")
        self.body.addWidget(self.notice)
        self.busy = QProgressBar(objectName="recovery_progress")
        self.busy.setAccessibleName("Recovery progress")
        self.busy.setRange(0, 0)
        self.busy.hide()
        self.body.addWidget(self.busy)
        self.discard_button = self.add_button("&Discard", self.discard, left=True, icon="remove")
        self.later_button = self.add_button("&Keep for later", self.reject)
        self.recover_button = self.add_button("&Recover", self.recover, "primary")
        if self.recoveries:
            self.list.setCurrentItem(self.list.topLevelItem(0))
        self._show_current()
        self.recover_button.setFocus()

    def _add_row(self, recovery: Recovery, at: int | None = None) -> None:
        path = recovery.project_path
        row = QTreeWidgetItem([path.stem if path else "Untitled", when_text(recovery.when), recovery.summary])
        row.setIcon(0, theme.icon("project"))
        row.setToolTip(0, str(path) if path else "This project was never saved.")
        self.list.insertTopLevelItem(self.list.topLevelItemCount() if at is None else at, row)

    @property
    def current(self) -> Recovery | None:
        row = self.list.indexOfTopLevelItem(self.list.currentItem()) if self.list.currentItem() else -1
        return self.recoveries[row] if 0 <= row < len(self.recoveries) else None

    def _show_current(self) -> None:
        current = self.current
        self.recover_button.setEnabled(current is not None)
        self.discard_button.setEnabled(current is not None)
        if current is None:
            text = "Nothing is left to recover."
        elif current.project_path is None:
            text = "This project was never saved; it opens as an untitled one."
        elif current.project_path.exists():
            text = f"Changes to {current.project_path}. The file stays as it is until you save."
        else:
            text = f"{current.project_path} is gone; what the journal holds opens as an untitled project."
        self.where.setText(text)

    def recover(self) -> None:
        """Open the selected one in the background."""
        current = self.current
        if current is None or self.busy.isVisible():
            return
        self._set_busy(True)
        run_in_background(current.recover, done=self._recovered, failed=self._failed, owner=self)

    def _recovered(self, project: Project) -> None:
        self._set_busy(False)
        self.recovered.emit(project)
        self.accept()

    def _failed(self, error: BaseException) -> None:
        self._set_busy(False)
        self.notice.say_error(error)

    def discard(self) -> None:
        """Move the selected one to the trash folder; the notice can bring it back."""
        current = self.current
        if current is None:
            return
        row = self.recoveries.index(current)
        self._set_busy(True)

        def done(where: object) -> None:
            self._set_busy(False)
            self.list.takeTopLevelItem(self.recoveries.index(current))
            self.recoveries.remove(current)
            self._show_current()
            name = current.project_path.stem if current.project_path else "Untitled"
            self.notice.say(
                "info",
                f"The unsaved work on “{name}” is in the trash folder.",
                "It stays there for 30 days.",
                actions=[
                    ("Undo", lambda: self._bring_back(current, row)),
                    ("Copy path", lambda: copy_text(str(where))),
                ],
            )

        run_in_background(current.discard, done=done, failed=self._failed, owner=self)

    def _bring_back(self, recovery: Recovery, row: int) -> None:
        def done(_: object) -> None:
            at = min(row, len(self.recoveries))
            self.recoveries.insert(at, recovery)
            self._add_row(recovery, at)
            self.list.setCurrentItem(self.list.topLevelItem(at))
            self.notice.clear()

        run_in_background(recovery.bring_back, done=done, failed=self._failed, owner=self)

    def _set_busy(self, busy: bool) -> None:
        self.busy.setVisible(busy)
        for widget in (self.recover_button, self.discard_button, self.list):
            widget.setEnabled(not busy)
        if not busy:
            self._show_current()

    def reject(self) -> None:
        if not self.busy.isVisible():
            super().reject()


def when_text(iso: str) -> str:
    """UTC as this machine's clock says it: ``"24 November, 08:30"``."""
    try:
        local = datetime.fromisoformat(iso).astimezone()
    except ValueError:
        return iso
    return f"{local:%d %B %Y, %H:%M}".lstrip("0")
