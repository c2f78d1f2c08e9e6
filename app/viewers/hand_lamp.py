"""How strong the light on a hand is, and of what colour: its lamp and its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from app import theme
from app.viewers.hand_render import Light

ROWS = (
    ("strength", "Lamp", "Strength of the lamp, in percent", (0, 200)),
    ("ambient", "Surroundings", "Light from all around, in percent", (0, 150)),
    ("warmth", "Warmth", "Colour of the lamp, from blue to amber", (-100, 100)),
)


class LampRows(QWidget):
    def __init__(self, parent: QWidget, light: Callable[[], Light], set_light: Callable[[Light], Any]) -> None:
        super().__init__(parent)
        self.setObjectName("lamp")
        self.setAccessibleName("Light")
        self._light, self._set_light = light, set_light
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 8, 4)
        column.setSpacing(4)
        self.captured = QCheckBox("As photographed", self)
        self.captured.setObjectName("light-captured")
        self.captured.setAccessibleName("Light as photographed")
        self.captured.setToolTip("The light that the avatar learned from its photos")
        self.captured.toggled.connect(lambda on: self._set(captured=on))
        column.addWidget(self.captured)
        self.sliders: dict[str, QSlider] = {}
        self._values: dict[str, QLabel] = {}
        for key, title, tip, ends in ROWS:
            row = QHBoxLayout()
            row.setSpacing(6)
            name = QLabel(title, self)
            name.setFixedWidth(100)
            name.setIndent(12)
            theme.mark(name, tone="muted")
            slider = QSlider(Qt.Orientation.Horizontal, self)
            slider.setObjectName(f"light-{key}")
            slider.setAccessibleName(title)
            slider.setToolTip(tip)
            slider.setRange(*ends)
            slider.setPageStep(10)
            slider.valueChanged.connect(partial(self._moved, key))
            value = QLabel(self)
            value.setFixedWidth(46)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setFont(theme.tabular(value.font()))
            value.setAccessibleName(f"{title}, value")
            theme.mark(value, tone="muted")
            for widget in (name, slider, value):
                row.addWidget(widget, int(widget is slider))
            column.addLayout(row)
            self.sliders[key], self._values[key] = slider, value

    def _moved(self, key: str, value: int) -> None:
        self._set(**{key: value / 100, "captured": False})

    def _set(self, **changes: Any) -> None:
        self._set_light(replace(self._light(), **changes))

    def show_light(self, light: Light, has_captured: bool) -> None:
        """``has_captured``: the hand knows the light that it was photographed in."""
        blockers = [QSignalBlocker(w) for w in (self.captured, *self.sliders.values())]
        self.captured.setVisible(has_captured)
        self.captured.setChecked(light.captured)
        for key, slider in self.sliders.items():
            percent = round(100 * getattr(light, key))
            slider.setValue(percent)
            self._values[key].setText(f"{percent} %".replace("-", "−"))
        for blocker in blockers:
            blocker.unblock()
