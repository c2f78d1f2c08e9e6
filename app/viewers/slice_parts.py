"""Parts of the slice view: the plot whose wheel moves through the slices, and the strip below it."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from app import theme


class Viewport(pg.PlotWidget):
    """A plot whose wheel moves through the slices; with Ctrl it zooms."""

    wheeled = Signal(int)

    def wheelEvent(self, event) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
        else:
            self.wheeled.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()


class Foot(QWidget):
    """Where the slice is, a slider to move it, and the value under the cursor."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 12, 5)
        row.setSpacing(12)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName("position")
        self.slider.setAccessibleName("Position of the slice")
        self.position = QLabel(self)
        self.position.setObjectName("position-text")
        self.position.setMinimumWidth(150)
        self.readout = QLabel(self)
        self.readout.setObjectName("readout")
        self.readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for label in (self.position, self.readout):
            label.setFont(theme.tabular(label.font()))
            theme.mark(label, tone="muted")
        row.addWidget(self.slider, 1)
        row.addWidget(self.position)
        row.addWidget(self.readout, 3)
