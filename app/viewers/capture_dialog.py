"""Asks for size and kind before a picture or turntable is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.settings import settings
from app.viewers import capture
from engines.core import UserError

SIZES = (
    ("As on screen", 0, 0),
    ("Full HD, 1920 × 1080", 1920, 1080),
    ("4K, 3840 × 2160", 3840, 2160),
    ("Square, 1080 × 1080", 1080, 1080),
    ("HD, 1280 × 720", 1280, 720),
    ("Own size", -1, -1),
)


class CaptureDialog(QDialog):
    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("capture-dialog")
        self.setWindowTitle("Save a picture")
        self.setAccessibleName("Save a picture")
        self._stop = False
        self._busy = False
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        form = self._form = QFormLayout()
        form.setVerticalSpacing(8)
        column.addLayout(form)
        self.kind = self._combo("kind", "What")
        self.kind.addItem("Picture (PNG)", ".png")
        if hasattr(viewer, "pose"):
            self.kind.addItem("Turntable (MP4)", ".mp4")
            self.kind.addItem("Turntable (GIF)", ".gif")
        strip = getattr(viewer, "time_strip", None)
        if strip is not None and strip.has_times:
            self.kind.addItem("Movie of the time (MP4)", "time.mp4")
            self.kind.addItem("Movie of the time (GIF)", "time.gif")
        form.addRow("Save", self.kind)
        self.size = self._combo("size", "Size")
        for title, width, height in SIZES:
            self.size.addItem(title, (width, height))
        form.addRow("Size", self.size)
        self.width_box, self.height_box = QSpinBox(self), QSpinBox(self)
        row = QWidget(self)
        across = QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        for box, name in ((self.width_box, "Width"), (self.height_box, "Height")):
            box.setRange(16, capture.LARGEST)
            box.setSuffix(" px")
            box.setObjectName(name.lower())
            box.setAccessibleName(name)
            across.addWidget(box)
            if box is self.width_box:
                across.addWidget(QLabel("×", row))
        form.addRow("Pixels", row)
        self.seconds = QDoubleSpinBox(self)
        self.seconds.setRange(1, 120)
        self.seconds.setValue(6)
        self.seconds.setSuffix(" s")
        self.seconds.setObjectName("seconds")
        self.seconds.setAccessibleName("Duration")
        form.addRow("Duration", self.seconds)
        self.fps = QSpinBox(self)
        self.fps.setRange(5, 60)
        self.fps.setValue(25)
        self.fps.setSuffix(" frames a second")
        self.fps.setObjectName("fps")
        self.fps.setAccessibleName("Frames a second")
        form.addRow("Rate", self.fps)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 1000)
        self.bar.hide()
        column.addWidget(self.bar)
        self.message = QLabel(self)
        self.message.setWordWrap(True)
        self.message.setObjectName("message")
        self.message.hide()
        column.addWidget(self.message)
        buttons = QDialogButtonBox(self)
        self.save_button = buttons.addButton("Save…", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save_button.setObjectName("save")
        self.save_button.setAccessibleName("Save")
        self.save_button.setDefault(True)
        cancel = buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        cancel.setText("Cancel")
        cancel.setObjectName("cancel")
        buttons.accepted.connect(self._ask)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.kind.currentIndexChanged.connect(lambda _: self._kind_changed())
        self.size.currentIndexChanged.connect(lambda _: self._size_changed())
        self._size_changed()
        self._kind_changed()

    def _combo(self, name: str, title: str) -> QComboBox:
        made = QComboBox(self)
        made.setObjectName(name)
        made.setAccessibleName(title)
        return made

    def _kind_changed(self) -> None:
        film = self.kind.currentData() != ".png"
        self._form.setRowVisible(self.seconds, film)
        self._form.setRowVisible(self.fps, film)
        self.adjustSize()

    def _size_changed(self) -> None:
        width, height = self.size.currentData()
        if width == 0:
            ratio = self.viewer.devicePixelRatioF()
            area = getattr(self.viewer, "stage", None) or getattr(self.viewer, "graphics", None) or self.viewer
            width, height = round(area.width() * ratio), round(area.height() * ratio)
        if width > 0:
            self.width_box.setValue(width)
            self.height_box.setValue(height)
        own = self.size.currentData()[0] < 0
        self.width_box.setEnabled(own)
        self.height_box.setEnabled(own)

    def _ask(self) -> None:
        suffix = self.kind.currentData().removeprefix("time")
        filters = {".png": "PNG image (*.png)", ".mp4": "MP4 video (*.mp4)", ".gif": "GIF animation (*.gif)"}
        start = str(Path(settings().folder()) / f"view{suffix}")
        path, _ = QFileDialog.getSaveFileName(self, "Save", start, filters[suffix])
        if path:
            settings().remember_folder(path)
            self.save(Path(path).with_suffix(suffix))

    def save(self, path: Path) -> None:
        """Save with the settings chosen, and close when it is done."""
        width, height = self.width_box.value(), self.height_box.value()
        self.message.hide()
        self._busy = True
        self.save_button.setEnabled(False)
        try:
            if path.suffix == ".png":
                capture.save_png(self.viewer, path, width, height)
            else:
                self.bar.show()
                make = capture.save_movie if self.kind.currentData().startswith("time") else capture.save_turntable
                film = make(
                    self.viewer, path, self.seconds.value(), self.fps.value(), width, height,
                    lambda fraction, _: self.bar.setValue(round(1000 * fraction)), lambda: self._stop,
                )  # fmt: skip
                if not film:
                    self._busy = False
                    return super().reject()
        except UserError as error:
            self.message.setText(str(error))
            theme.mark(self.message, tone="bad")
            self.message.show()
            self.save_button.setEnabled(True)
            self._busy = False
            return None
        self._busy = False
        return self.accept()

    def reject(self) -> None:
        if self._busy:
            self._stop = True
        else:
            super().reject()
