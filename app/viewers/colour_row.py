"""The colour map of a view and the values at its ends, as tools on its bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from app import theme
from app.viewers import colour_maps
from app.viewers.overlay import number
from app.viewers.toolbar import ViewBar


class Coloured(Protocol):
    """A view with such tools; what they choose is kept by something with ``cmap``, ``low`` and ``high``."""

    bar: ViewBar
    cmaps: QComboBox
    low: QLineEdit
    high: QLineEdit

    def choose_cmap(self, name: str) -> None: ...
    def range_edited(self) -> None: ...


def fill(view: Coloured, hint: str = "") -> QWidget:
    """Put the tools on the bar; ``hint`` is said of the ends besides what they are. Returns what holds the tools."""
    row = view.bar.group("colours", "Colours", "palette", keep=40)
    view.cmaps = QComboBox()
    view.cmaps.setObjectName("cmap")
    view.cmaps.setAccessibleName("Colour map")
    view.cmaps.addItem("Automatic", "")
    for key, title in colour_maps.MAPS.items():
        view.cmaps.addItem(title, key)
    view.cmaps.activated.connect(lambda _: view.choose_cmap(view.cmaps.currentData()))
    row.addWidget(view.cmaps)
    view.low, view.high = QLineEdit(), QLineEdit()
    for edit, end in ((view.low, "Lowest"), (view.high, "Highest")):
        edit.setFixedWidth(76)
        edit.setObjectName(end.lower())
        edit.setAccessibleName(f"{end} value of the colour map")
        edit.setToolTip(f"{end} value shown; empty for automatic. {hint}".strip())
        edit.setFont(theme.tabular(edit.font()))
        edit.editingFinished.connect(view.range_edited)
        row.addWidget(edit)
    return row.parentWidget()


def show_range(view: Coloured, low: float, high: float) -> None:
    """Say which values are at the ends; what somebody types stays."""
    for edit, value in ((view.low, low), (view.high, high)):
        if not edit.hasFocus() or not edit.isModified():
            edit.setText(number(value, 3).replace("−", "-"))
            edit.setCursorPosition(0)  # the sign is to be seen, whatever there is room for


def take_range(view: Coloured, keeper: Any, redraw: Callable[[], None]) -> None:
    """What was typed at the ends; what is no number means automatic."""
    for edit, attribute in ((view.low, "low"), (view.high, "high")):
        if edit.isModified():
            try:
                value = float(edit.text().replace("−", "-").replace(",", "."))
            except ValueError:
                value = float("nan")
            setattr(keeper, attribute, value if np.isfinite(value) else None)
            edit.setModified(False)
    redraw()
