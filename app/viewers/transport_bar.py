"""The tools of the transport view: its buttons, keys and fields."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox

if TYPE_CHECKING:
    from app.viewers.transport_view import TransportView

MOST = (200, 500, 1_000, 2_000, 5_000)
"""Links to choose from."""


def fill(view: TransportView) -> None:
    bar, act = view.bar, view.bar.action
    view.names = bar.choice("transports", "What to show", "Coupling", keep=75)
    view.names.activated.connect(lambda _: view.choose(view.names.currentData()))
    row = bar.group("axes-group", "What stands on the axes", "axes", keep=55)
    view.axes = []
    for axis in "xyz":
        box = QComboBox()
        box.setObjectName(f"axis-{axis}")
        box.setAccessibleName(f"What stands on the {axis} axis")
        box.setToolTip(f"What stands on the {axis} axis")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        box.setMaximumWidth(150)
        box.activated.connect(lambda _: view.choose_axes(tuple(b.currentData() or "" for b in view.axes)))
        row.addWidget(box)
        view.axes.append(box)
    bar.gap()
    view.fit_action = act("fit", "Show everything", "frame", view.fit, "F", keep=60)
    view.link_action = act(
        "links", "Links", "link", lambda _: view.redraw(), "K", checkable=True, checked=True, keep=65,
        help="A line for each entry of the plan: the thicker and stronger, the more mass it carries.",
    )  # fmt: skip
    view.most = bar.choice("most-links", "How many links at most, the heaviest", "sliders-horizontal", keep=30)
    for count in MOST:
        view.most.addItem(f"{count:,} links", count)
    view.most.setCurrentIndex(MOST.index(2_000))
    view.most.activated.connect(lambda _: view.redraw())
    view.point_action = act(
        "as-points", "Images as points", "Measure", lambda _: view.redraw(), "M", checkable=True, keep=45,
        help="Each pixel as a point of its mass, with links.",
    )  # fmt: skip
    view.crossing_action = act(
        "crossings", "Mark crossings", "x", lambda _: view.redraw(), "X", checkable=True, keep=25,
        help="Where arrows cross each other: those of the shortest total length never do.",
    )  # fmt: skip
    act("play", "Play or stop", "run", view.strip.toggle, "Space", button=False)
    act("earlier", "Earlier", "left", partial(view.strip.step, -1), ",", button=False)
    act("later", "Later", "right", partial(view.strip.step, 1), ".", button=False)
    bar.stretch()
    act("screenshot", "Save a picture or a movie", "camera", view.save_picture, "S", keep=35)
