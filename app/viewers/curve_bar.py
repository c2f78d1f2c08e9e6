"""The tools of the curves view: its buttons, keys and its smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSlider

from app import theme

if TYPE_CHECKING:
    from app.viewers.curves_view import CurvesView


def fill(view: CurvesView) -> None:
    act = view.bar.action
    act("fit", "Show everything", "frame", view.fit, "F", keep=80)
    view.together = act(
        "together", "All in one plot", "layers", lambda _: view.mode_changed(), "T", checkable=True,
        words="Together", shrinks=True, help="Otherwise each quantity has a plot and a scale of its own.", keep=60,
    )  # fmt: skip
    view.x_log = act(
        "x-log", "Logarithmic x axis", "curves", lambda _: view.set_log(), "H", checkable=True, words="Log x"
    )
    view.y_log = act(
        "y-log", "Logarithmic y axis", "curves", lambda _: view.set_log(), "G", checkable=True, words="Log y"
    )
    view.against_time = act(
        "against-time", "Against seconds instead of steps", "time", lambda _: view.retime(), "I",
        checkable=True, words="Seconds", keep=50,
    )  # fmt: skip
    row = view.bar.group("smoothing-group", "Smoothing", "chart-line-up")
    label = QLabel("Smoothing")
    theme.mark(label, tone="muted")
    label.setContentsMargins(6, 0, 2, 0)
    view.smoothing_slider = QSlider(Qt.Orientation.Horizontal)
    view.smoothing_slider.setRange(0, 100)
    view.smoothing_slider.setFixedWidth(110)
    view.smoothing_slider.setObjectName("smoothing")
    view.smoothing_slider.setAccessibleName("Smoothing")
    view.smoothing_slider.setToolTip("Exponential moving average; the measured values stay behind it, paler.")
    view.smoothing_slider.valueChanged.connect(view.set_smoothing)
    row.addWidget(label)
    row.addWidget(view.smoothing_slider)
    view.bar.stretch()
    act("export-csv", "Save as CSV", "export", view.ask_export, "E", keep=30)
    act("screenshot", "Save a picture", "camera", view.save_picture, "S", keep=35)
