"""The tools of the 3D view: its buttons and keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.viewers import navigation
from app.viewers.camera import STANDARD_VIEWS

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D

CLIP_HELP = "Drag its knob to move it, the tip of its arrow to turn it."


def fill(scene: Scene3D) -> None:
    """Make the actions of a scene and put their buttons on its bar."""
    act = scene.bar.action
    act("frame", "Show everything", "frame", scene.frame, "F", keep=80)
    views = [
        act(f"view-{title.lower()}", f"{title} view", "view", partial(scene.look_from, k), str(k + 1), button=False)
        for k, (title, _, _) in enumerate(STANDARD_VIEWS)
    ]
    scene.bar.menu("views", "Standard views (1 to 6)", "axes", views)
    scene.parallel = act("parallel", "Orthographic", "orthographic", scene.set_parallel, "P", checkable=True)
    scene.bar.gap()
    measure = partial(act, "measure", "Measure a distance", "measure", scene.set_measuring, "M", checkable=True)
    scene.measure_action = measure(help="Click two points.")
    clip = partial(act, "clip", "Clipping plane", "clip", scene.set_clipping, "C", checkable=True)
    scene.clip_action = clip(help=CLIP_HELP)
    scene.axis_buttons = axis_buttons(scene.bar, scene.clip_axis)
    scene.bar.add(scene.axis_buttons)
    scene.bar.set_shown(scene.axis_buttons, False)
    scene.bar.stretch()
    act("screenshot", "Save a picture or a turntable", "camera", scene.save_picture, "S", keep=30)
    scene.layers_action = act("layers", "Layers", "layers", scene.set_panel, "L", checkable=True, checked=True, keep=80)
    solo = act("solo", "Show only the chosen layer, or all", "show", scene.toggle_solo, "O", button=False)
    scene.panel.list.addAction(solo)
    act("reset", "Reset the view", "reset", scene.reset, "R", keep=20)
    navigation.add_keys(scene, scene.canvas)


def axis_buttons(parent: QWidget, cut: Callable[[int], object]) -> QWidget:
    """X, Y, Z: ``cut`` gets 0, 1 or 2."""
    holder = QWidget(parent)
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    for axis, name in enumerate("XYZ"):
        made = QToolButton(holder)
        made.setText(name)
        made.setAutoRaise(True)
        made.setObjectName(f"clip-{name.lower()}")
        made.setAccessibleName(f"Clip across {name}")
        made.setToolTip(f"Cut across {name}; again: the other side")
        made.clicked.connect(partial(cut, axis))
        row.addWidget(made)
    return holder
