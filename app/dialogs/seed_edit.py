"""A seed, shown and changed: typed, or another one from the dice."""

from __future__ import annotations

import random

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QToolButton, QWidget

from app import theme

MAX_SEED = 2**31 - 1


class SeedEdit(QWidget):
    changed = Signal(int)

    def __init__(self, value: int, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QSpinBox(objectName=f"{prefix}_seed", minimum=0, maximum=MAX_SEED)
        self.box.setAccessibleName("Seed")
        self.box.setToolTip("The same seed gives the same result.")
        self.box.setFont(theme.font(numbers=True))
        self.box.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach it
        self.box.setValue(value)
        self.box.valueChanged.connect(self.changed)
        dice = QToolButton(objectName=f"{prefix}_new_seed")
        dice.setAccessibleName("New seed")
        dice.setToolTip("Another seed")
        dice.setIcon(theme.icon("seed"))
        dice.setFixedSize(22, 22)
        dice.clicked.connect(lambda: self.box.setValue(random.randrange(100_000)))
        label = QLabel("Seed")
        label.setBuddy(self.box)
        for widget in (label, self.box):  # columns as wide as those of the form above
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(label, 1)
        row.addWidget(self.box, 1)
        row.addWidget(dice)
