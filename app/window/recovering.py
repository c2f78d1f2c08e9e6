"""What is offered at the start: unsaved work of sessions that died, and the report of a crash."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from app.background import run_in_background
from app.project import Project, Recovery

if TYPE_CHECKING:
    from app.dialogs.recovery_dialog import RecoveryDialog
    from app.window.main_window import MainWindow

log = logging.getLogger("fieldwright.window")


def offer(window: MainWindow, hooks: Any = None) -> None:
    """Look for unsaved work in the background; ask only if there is some."""

    def found(recoveries: list[Recovery]) -> None:
        if recoveries:
            _ask(window, recoveries).finished.connect(lambda _: report())
        else:
            report()

    def report() -> None:
        """Why the last session ended; after its work was offered back, which matters more."""
        if hooks is not None:
            from app.dialogs.crash import offer_previous

            offer_previous(hooks, window)

    run_in_background(
        Project.recoverable,
        done=found,
        failed=lambda error: log.error("unsaved work could not be looked for", exc_info=error),
        owner=window,
    )


def _ask(window: MainWindow, recoveries: list[Recovery]) -> RecoveryDialog:
    from app.dialogs.recovery_dialog import RecoveryDialog

    def recovered(project: Project) -> None:
        window.bench.replace(project)
        window.show_workspace()

    dialog = RecoveryDialog(recoveries, window)
    dialog.recovered.connect(recovered)
    dialog.open()
    return dialog
