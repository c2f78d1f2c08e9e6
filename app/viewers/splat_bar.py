"""The tools of the splat view: its buttons, fields and keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMenu, QSlider, QToolButton

from app import theme
from app.viewers import navigation
from app.viewers.camera import STANDARD_VIEWS
from app.viewers.splat_words import BACKGROUNDS, MODES
from engines.data import CameraPath

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView


def fill(view: SplatView) -> None:
    """Make the actions of a splat view and put their buttons on its bar."""
    act = view.bar.action
    act("frame", "Show everything", "frame", view.frame, "F", keep=80)
    views = [
        act(f"view-{title.lower()}", f"{title} view", "view", partial(view.look_from, k), str(k + 1), button=False)
        for k, (title, _, _) in enumerate(STANDARD_VIEWS)
    ]
    view.bar.menu("views", "Standard views (1 to 6)", "axes", views)
    view.parallel = act("parallel", "Orthographic", "orthographic", view.set_parallel, "P", checkable=True)
    view.bar.gap()
    view.modes = view.bar.choice("mode", "What to show (V for the next)", "show", keep=60)
    view.modes.setToolTip("What to show (V for the next)")
    for key, title in MODES.items():
        view.modes.addItem(title, key)
    view.modes.activated.connect(lambda _: view.set_mode(view.modes.currentData()))
    act("next-mode", "Next way to show the cloud", "show", view.next_mode, "V", button=False)
    view.backgrounds = view.bar.choice("background", "Background (B for the next)", "image", keep=35)
    view.backgrounds.setToolTip("Background (B for the next)")
    for key, title in BACKGROUNDS.items():
        view.backgrounds.addItem(title, key)
    view.backgrounds.activated.connect(lambda _: view.set_background(view.backgrounds.currentData()))
    act("next-background", "Next background", "image", view.next_background, "B", button=False)
    _sliders(view)
    view.bar.stretch()
    view.things = view.bar.menu("things", "What is shown", "layers", [], keep=75)
    view.path_action = act(
        "path", "Camera path (T)", "path", view.path_strip_toggled, checkable=True, keep=72,
        help="Put a way of the camera together from views, and make a video of it. K adds the view on screen.",
    )  # fmt: skip
    act("screenshot", "Save a picture or a turntable", "camera", view.save_picture, "S", keep=30)
    act("reset", "Reset the view", "reset", view.reset, "R", keep=20)
    navigation.add_keys(view, view.canvas)


def _sliders(view: SplatView) -> None:
    row = view.bar.group("look", "Size and colour detail", "sliders-horizontal", keep=25)
    view.size_label, view.size_slider = _slider(
        row, "Size of the Gaussians", "Size of the Gaussians, in percent of their own", 1, 40
    )
    view.size_slider.setObjectName("gaussian-size")
    view.size_slider.valueChanged.connect(lambda v: view.set_size(v / 20))
    view.degree_label, view.degree_slider = _slider(
        row, "Colour detail", "How far colours follow the direction of view: degree of the spherical harmonics", 0, 3
    )
    view.degree_slider.setObjectName("degree")
    view.degree_slider.setFixedWidth(56)
    view.degree_slider.setPageStep(1)
    view.degree_slider.valueChanged.connect(view.set_degree)


def _slider(row, title: str, tip: str, low: int, high: int) -> tuple[QLabel, QSlider]:
    label = QLabel()
    label.setAccessibleName(f"{title}, value")
    label.setFont(theme.tabular(label.font()))
    label.setToolTip(tip)
    theme.mark(label, tone="muted")
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setAccessibleName(title)
    slider.setToolTip(tip)
    slider.setRange(low, high)
    slider.setFixedWidth(88)
    label.setBuddy(slider)
    row.addWidget(label)
    row.addWidget(slider)
    row.addSpacing(6)
    return label, slider


def fill_things(view: SplatView, button: QToolButton) -> None:
    """One entry to show and hide each thing that is there."""
    menu: QMenu = button.menu()
    menu.clear()
    for item in view.items:
        if isinstance(item.artifact, CameraPath):
            continue  # shown and hidden with the strip below
        action = menu.addAction(theme.icon(type(item.artifact).__name__), item.name)
        action.setIconVisibleInMenu(False)
        action.setCheckable(True)
        action.setChecked(item.id not in view.hidden)
        action.toggled.connect(partial(view.set_shown, item.id))
