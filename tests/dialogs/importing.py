"""Steps in the import dialog that its tests share."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton


def ready(qtbot, dialog):
    """Waits until everything can be added."""
    qtbot.waitUntil(lambda: all(i.methods_known and i.state == "ready" for i in dialog.items), timeout=60_000)


def add(qtbot, dialog):
    """Presses *Add*; gives the names of what came into the project."""
    with qtbot.waitSignal(dialog.added, timeout=60_000) as told:
        qtbot.mouseClick(dialog.findChild(QPushButton, "import_dialog_add"), Qt.MouseButton.LeftButton)
    return told.args[0]
