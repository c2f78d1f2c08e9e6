"""The tools of the field view: its buttons, keys and fields."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from app.viewers import colour_row

if TYPE_CHECKING:
    from app.viewers.field_view import FieldView


def fill(view: FieldView) -> None:
    bar, act = view.bar, view.bar.action
    view.fields = bar.choice("fields", "Fields to show", "SampledField", keep=70)
    view.fields.activated.connect(lambda _: view.choose_field(view.fields.currentData()))
    view.names = bar.choice("quantity", "Quantity to show", "list-dashes", keep=75)
    view.names.activated.connect(lambda _: view.choose_quantity(view.names.currentData()))
    axes = QActionGroup(view)
    view.axis_actions = []
    for axis, name in enumerate("XYZ"):
        run = partial(_chosen, view, axis)
        made = act(f"axis-{name.lower()}", f"Across {name}", "slice", run, name, checkable=True, words=name, keep=80)
        axes.addAction(made)
        view.axis_actions.append(made)
    bar.gap()
    view.fit_action = act("fit", "Show everything", "frame", view.fit, "F", keep=60)
    lines = partial(act, checkable=True)
    view.contour_action = lines("contours", "Contour lines", "contours", lambda _: view.redraw(), "N", checked=True)
    view.arrow_action = lines("arrows", "Arrows", "arrows", lambda _: view.redraw(), "A")
    view.stream_action = lines("streamlines", "Streamlines", "streamlines", lambda _: view.redraw(), "W")
    view.gaussian_action = lines(
        "gaussians", "Gaussians", "GaussianFeatures", lambda _: view.redraw(), "G", checked=True, keep=55,
        help="Each at one standard deviation. Warm: of positive weight, cool: of negative; strong: of large.",
    )  # fmt: skip
    view.smooth_action = lines(
        "smooth", "Smooth between the nodes", "opacity", lambda _: view.redraw(), "M",
        checked=True, keep=30, help="Off: each node is a block of its own.",
    )  # fmt: skip
    view.difference_action = lines(
        "difference", "Difference from the first field", "difference", lambda _: view.redraw(), "D", keep=72,
        help="Each other field minus the first, on its nodes.",
    )  # fmt: skip
    bar.gap()
    view.line_action = lines(
        "line", "Plot along a line", "line-segment", view.set_line_mode, "L", keep=65, help="Drag across the map."
    )
    view.clear_action = act("clear", "Remove points and line", "eraser", view.clear_marks, "Backspace", keep=25)
    act("play", "Play or stop", "run", view.strip.toggle, "Space", button=False)
    act("earlier", "Earlier", "left", partial(view.strip.step, -1), ",", button=False)
    act("later", "Later", "right", partial(view.strip.step, 1), ".", button=False)
    bar.stretch()
    colour_row.fill(view)
    view.facts_action = lines("facts", "Facts about the field", "info", view.set_facts, "I", keep=28)
    act("screenshot", "Save a picture or a movie", "camera", view.save_picture, "S", keep=35)


def _chosen(view: FieldView, axis: int, on: bool) -> None:
    if on:
        view.set_axis(axis)
