"""The tools of the slice view: its buttons, keys and fields."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from app.viewers import colour_row

if TYPE_CHECKING:
    from app.viewers.slice_view import SliceView

_AXES = (
    ("X", "X", "Across X", "slice"),
    ("Y", "Y", "Across Y", "slice"),
    ("Z", "Z", "Across Z", "slice"),
    ("Planes", "I", "Along the planes of the input slices", "Slices"),
)


def fill(view: SliceView) -> None:
    bar, act = view.bar, view.bar.action
    view.fields = bar.choice("field", "Field to show", "GridField")
    view.fields.activated.connect(lambda _: view.choose_field(view.fields.currentData()))
    axes = QActionGroup(view)
    view.axis_actions = []
    for axis, (word, key, tip, icon) in enumerate(_AXES):
        run = partial(_chosen, view, axis)
        made = act(f"axis-{word.lower()}", tip, icon, run, key, checkable=True, words=word, keep=90, shrinks=axis == 3)
        axes.addAction(made)
        view.axis_actions.append(made)
    bar.gap()
    view.fit_action = act("fit", "Show everything", "frame", view.fit, "F", keep=60)
    view.line_action = act(
        "level-line", "Level line", "path", lambda _: view.redraw(), "V",
        checkable=True, checked=True, help="Where the field crosses its level.", keep=50,
    )  # fmt: skip
    view.contour_action = act(
        "contours", "Input contours", "line-segments", lambda _: view.redraw(), "N",
        checkable=True, checked=True, keep=55,
    )  # fmt: skip
    view.sigmoid_action = act(
        "sigmoid", "Probability instead of logit", "percent", lambda _: view.transform_changed(), "B",
        checkable=True, checked=True, words="Probability", shrinks=True, keep=45,
    )  # fmt: skip
    view.smooth_action = act(
        "smooth", "Smooth between the nodes", "opacity", lambda _: view.redraw(), "M",
        checkable=True, checked=True, help="Off: each node or voxel is a block of its own.", keep=42,
    )  # fmt: skip
    bar.stretch()
    view.colours = colour_row.fill(view, "Drag with the right button on the image to change the window.")
    act("screenshot", "Save a picture", "camera", view.save_picture, "S", keep=35)


def _chosen(view: SliceView, axis: int, on: bool) -> None:
    if on:
        view.set_axis(axis)
