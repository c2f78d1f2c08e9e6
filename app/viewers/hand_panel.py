"""The panel beside a hand: named poses, and the fingers with their sliders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.viewers.hand_posing import Posing
from app.viewers.hand_sliders import FingerRow, folder
from engines.blocks.avatars.hand_poses import PRESETS, preset_angles

WIDTH = 276


class HandPanel(QWidget):
    def __init__(self, parent: QWidget, posing: Posing) -> None:
        super().__init__(parent)
        self.setObjectName("hand-panel")
        self.setAccessibleName("Pose of the hand")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="panel")
        self.setMinimumWidth(WIDTH - 36)
        self.posing = posing
        self.rows: list[FingerRow] = []
        self._open: set[str] = set()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 8, 4, 8)
        whole.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(2)
        self.presets = QComboBox(self)
        self.presets.setObjectName("presets")
        self.presets.setAccessibleName("Named poses")
        self.presets.setToolTip("Named poses; the wrist stays as it is")
        self.presets.setPlaceholderText("Named poses")
        for key, preset in PRESETS.items():
            self.presets.addItem(preset.title, key)
        self.presets.setCurrentIndex(-1)
        self.presets.activated.connect(lambda _: self._choose())
        top.addWidget(self.presets, 1)
        top.addSpacing(4)
        self._button(
            top,
            "mirror-pose",
            "swap",
            "Mirror the pose",
            "\nAs the other hand's rig would have it: for poses that were captured of it.",
            posing.mirror,
        )
        self._button(top, "reset-pose", "reset", "Reset the pose", " (Backspace)", posing.reset)
        whole.addLayout(top)
        line = QFrame(self)
        theme.mark(line, kind="line")
        whole.addWidget(line)
        self.area = QScrollArea(self)
        self.area.setObjectName("joints")
        self.area.setAccessibleName("Joints")
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        whole.addWidget(self.area, 1)
        self._whole = whole
        self._known: dict[str, np.ndarray] = {}
        posing.hand_changed.connect(self._rebuild)
        posing.changed.connect(self.show_pose)
        self._rebuild()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 400)

    def _button(
        self, row: QHBoxLayout, name: str, icon: str, title: str, more: str, act: Callable[[], object]
    ) -> QToolButton:
        made = QToolButton(self)
        made.setObjectName(name)
        made.setIcon(theme.icon(icon))
        made.setIconSize(QSize(18, 18))
        made.setAutoRaise(True)
        made.setAccessibleName(title)
        made.setToolTip(f"{title}{more}")
        made.clicked.connect(lambda *_: act())
        row.addWidget(made)
        return made

    def add_below(self, title: str, body: QWidget) -> QToolButton:
        """Something else that is folded out; returns its button."""
        line = QFrame(self)
        theme.mark(line, kind="line")
        self._whole.addWidget(line)
        fold = folder(self, title)
        fold.setObjectName(f"fold-{title.lower()}")
        fold.toggled.connect(body.setVisible)
        body.hide()
        self._whole.addWidget(fold)
        self._whole.addWidget(body)
        return fold

    def _rebuild(self) -> None:
        """The joints of another hand."""
        template = self.posing.template
        names, parents = ((), np.zeros(0)) if template is None else (template.joint_names, template.parents)
        self._known = {key: preset_angles(key, names, parents) for key in PRESETS}
        body = QWidget(self)
        body.setAutoFillBackground(False)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(2)
        self.rows = []
        for finger in self.posing.fingers:
            row = FingerRow(body, self.posing, finger)
            row.fold.setChecked(finger.key in self._open)
            row.unfolded.connect(self._remember)
            column.addWidget(row)
            self.rows.append(row)
        column.addStretch(1)
        self.area.setWidget(body)
        for part in (self.area.viewport(), body):
            part.setAutoFillBackground(False)
        self.presets.setEnabled(any(f.curls for f in self.posing.fingers))
        self.show_pose()

    def _remember(self, key: str, on: bool) -> None:
        self._open = self._open | {key} if on else self._open - {key}

    def _choose(self) -> None:
        self.posing.set_preset(self.presets.currentData(), self.presets.currentText())

    def show_pose(self) -> None:
        for row in self.rows:
            row.show_pose()
        angles = self.posing.angles
        fits = (
            known.shape == angles.shape and np.abs(known - angles)[1:].max(initial=0) < 0.01
            for known in self._known.values()
        )
        self.presets.setCurrentIndex(next((k for k, same in enumerate(fits) if same), -1))

    # ---- keeping ---
    def state(self) -> list[str]:
        """Which fingers are folded out."""
        return sorted(self._open)

    def restore(self, state: Any) -> None:
        if isinstance(state, list):
            self._open = {key for key in state if isinstance(key, str)}
            for row in self.rows:
                row.fold.setChecked(row.finger.key in self._open)
