"""A view in a window of its own."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.window.frames import Frame
from app.window.widgets import name


class FloatingView(QWidget):
    """A window of its own for one view."""

    closed = Signal(object)

    def __init__(self, frame: Frame, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        name(self, frame.title(), "FloatingView")
        self.setWindowTitle(f"{frame.title()} - Fieldwright")
        self.frame = frame
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.resize(760, 620)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closed.emit(self)
        super().closeEvent(event)
