"""Sliders for the joints of a hand: a row for each finger, which folds out into its joints."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSlider, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.viewers.hand_posing import Posing
from engines.blocks.avatars.hand_poses import Finger, Joint, curl_of

TURNS = ("Bend", "Spread", "Twist")
WRIST_TURNS = ("Bend", "Tilt", "Twist")
NAMES, NUMBERS = 60, 50
"""Pixels: widths of names and of numbers."""


class _Slider(QSlider):
    """Goes back to ``resting`` on a double click."""

    def __init__(self, parent: QWidget, resting: int = 0) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._resting = resting
        self.setMinimumWidth(60)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(self._resting)


class TurnRow(QWidget):
    """One angle: its name, a slider and its number in degrees."""

    turned = Signal(float)
    begun = Signal()

    def __init__(self, parent: QWidget, title: str, whole: str, low: float, high: float) -> None:
        super().__init__(parent)
        self._low, self._high = round(low), round(high)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        name = QLabel(title, self)
        name.setFixedWidth(NAMES)
        name.setIndent(12)
        theme.mark(name, tone="muted")
        self.slider = _Slider(self)
        self.slider.setAccessibleName(whole)
        self.slider.setToolTip(f"{whole}, in degrees. A double click sets it to 0.")
        self.slider.setPageStep(10)
        self.number = QLineEdit(self)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setFixedWidth(NUMBERS)
        self.number.setStyleSheet("QLineEdit { padding: 1px 4px; min-height: 16px; }")
        self.number.setFont(theme.tabular(self.number.font()))
        self.number.setAccessibleName(f"{whole}, in degrees")
        self.number.editingFinished.connect(self._typed)
        row.addWidget(name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self._fit(0)
        self._tell(0)
        self.slider.sliderPressed.connect(self.begun)
        self.slider.valueChanged.connect(self._changed)

    def _fit(self, value: int) -> None:
        """What a captured pose does may lie outside of what is natural."""
        self.slider.setRange(min(self._low, value), max(self._high, value))

    def _changed(self, value: int) -> None:
        self._tell(value)
        self.turned.emit(float(value))

    def _typed(self) -> None:
        """What is no number leaves it as it was."""
        if not self.number.isModified():
            return
        try:
            value = round(float(self.number.text().strip().removesuffix("°").replace("−", "-").replace(",", ".")))
        except (ValueError, OverflowError):
            self._tell(self.slider.value())
            return
        self.begun.emit()
        self._fit(min(max(value, -180), 180))
        self.slider.setValue(value)
        self._tell(self.slider.value())

    def _tell(self, value: int) -> None:
        self.number.setText(f"{value}°".replace("-", "−"))

    def show_angle(self, degrees: float) -> None:
        value = round(degrees)
        if value != self.slider.value():
            blocker = QSignalBlocker(self.slider)
            self._fit(value)
            self.slider.setValue(value)
            blocker.unblock()
            self._tell(value)


def folder(parent: QWidget, title: str) -> QToolButton:
    """A button that shows and hides what is below it."""
    made = QToolButton(parent)
    made.setCheckable(True)
    made.setText(title)
    made.setIcon(theme.icon("right"))
    made.setIconSize(QSize(12, 12))
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    made.setAutoRaise(True)
    made.setAccessibleName(title)
    made.setStyleSheet("QToolButton:checked:!focus { background: transparent; border-color: transparent; }")
    made.toggled.connect(lambda on: made.setIcon(theme.icon("down" if on else "right")))
    return made


class FingerRow(QWidget):
    """A finger: how far it is rolled up, and folded out the angles of its joints."""

    unfolded = Signal(str, bool)

    def __init__(self, parent: QWidget, posing: Posing, finger: Finger) -> None:
        super().__init__(parent)
        self.setObjectName(f"finger-{finger.key}")
        self.setAccessibleName(finger.title)
        self.posing, self.finger = posing, finger
        self._rows: list[tuple[Joint, int, TurnRow]] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        head = QHBoxLayout()
        head.setSpacing(6)
        self.fold = folder(self, finger.title)
        self.fold.setObjectName(f"fold-{finger.key}")
        self.fold.setAccessibleName(f"{finger.title}, joints")
        self.fold.setToolTip("Show each joint")
        self.fold.setFixedWidth(112 if finger.curls else 160)
        self.fold.toggled.connect(self._unfold)
        head.addWidget(self.fold)
        self.curl = _Slider(self)
        self.percent = QLabel(self)
        if finger.curls:
            self.curl.setObjectName(f"curl-{finger.key}")
            self.curl.setAccessibleName(f"{finger.title}, rolled up")
            self.curl.setToolTip(f"How far the {finger.title.lower()} is rolled up, in percent")
            self.curl.setRange(0, 100)
            self.curl.setPageStep(10)
            self.percent.setFixedWidth(NUMBERS - 6)
            self.percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.percent.setFont(theme.tabular(self.percent.font()))
            self.percent.setAccessibleName(f"{finger.title}, rolled up by")
            theme.mark(self.percent, tone="muted")
            head.addWidget(self.curl, 1)
            head.addWidget(self.percent)
            self.curl.sliderPressed.connect(posing.begin)
            self.curl.valueChanged.connect(lambda v: posing.set_curl(self.finger, v / 100))
        else:
            self.curl.hide()
            self.percent.hide()
            self.curl.setAccessibleName(f"{finger.title}, not rolled up")
            head.addStretch(1)
        column.addLayout(head)
        self.body = QWidget(self)
        self._inside = QVBoxLayout(self.body)
        self._inside.setContentsMargins(6, 0, 0, 8)
        self._inside.setSpacing(2)
        self.body.hide()
        column.addWidget(self.body)

    def _unfold(self, on: bool) -> None:
        self.fold.setToolTip("Hide the joints" if on else "Show each joint")
        if on and not self._rows:  # 45 sliders at once would be felt
            self._build()
        self.body.setVisible(on)
        self.show_pose()
        self.unfolded.emit(self.finger.key, on)

    def _build(self) -> None:
        for joint in self.finger.joints:
            if len(self.finger.joints) > 1:
                heading = QLabel(joint.title, self.body)
                heading.setIndent(12)
                heading.setToolTip(self.posing.joint_names[joint.index])
                self._inside.addWidget(heading)
            titles = WRIST_TURNS if joint.role == "wrist" else TURNS
            for axis, (title, ends) in enumerate(zip(titles, joint.ranges, strict=True)):
                whole = f"{self.finger.title}, {joint.title.lower()}: {title.lower()}"
                row = TurnRow(self.body, title, whole if joint.role != "wrist" else f"Wrist: {title.lower()}", *ends)
                row.slider.setObjectName(f"turn-{joint.index}-{axis}")
                row.number.setObjectName(f"turn-{joint.index}-{axis}-number")
                row.begun.connect(self.posing.begin)
                row.turned.connect(partial(self.posing.set_angle, joint.index, axis))
                self._inside.addWidget(row)
                self._rows.append((joint, axis, row))

    def show_pose(self) -> None:
        """What the pose is by now."""
        angles: np.ndarray = self.posing.angles
        if self.finger.curls and len(angles):
            amount = round(100 * curl_of(self.finger, angles))
            blocker = QSignalBlocker(self.curl)
            self.curl.setValue(amount)
            blocker.unblock()
            self.percent.setText(f"{amount} %")
        if self.body.isVisibleTo(self):
            for joint, axis, row in self._rows:
                row.show_angle(float(angles[joint.index, axis]))
