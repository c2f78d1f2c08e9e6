"""The tools of the hand view: its buttons, fields and keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.viewers import navigation
from app.viewers.hand_render import MODES
from app.viewers.toolbar import on_key

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

SIDES = ("Palm", "Back of the hand", "Right", "Left", "Fingertips", "Wrist")
"""Views 1 to 6, as they lie around a hand whose palm is looked at."""


def fill(view: HandView) -> None:
    """Make the actions of a hand view and put their buttons on its bar."""
    act = view.bar.action
    view.hands = view.bar.choice("hands", "Hand to show", "hand", keep=65)
    view.hands.activated.connect(lambda _: view.choose_hand(view.hands.currentData()))
    act("frame", "Show everything", "frame", view.frame, "F", keep=80)
    views = [
        act(f"view-{k + 1}", title, "view", partial(view.look_from, k), str(k + 1), button=False)
        for k, title in enumerate(SIDES)
    ]
    view.bar.menu("views", "Standard views (1 to 6)", "axes", views)
    view.bar.gap()
    view.modes = view.bar.choice("mode", "What to show (V for the next)", "show", keep=62)
    view.modes.setToolTip("What to show (V for the next)")
    view.modes.activated.connect(lambda _: view.set_mode(view.modes.currentData()))
    act("next-mode", "Next way to show the hand", "show", view.next_mode, "V", button=False)
    view.joints = view.bar.choice("joint", "Joint whose weights are shown", "share-network", keep=61)
    view.joints.setToolTip("Joint whose weights are shown")
    view.joints.activated.connect(lambda _: view.set_joint(view.joints.currentData()))
    view.mirror_action = act(
        "mirror", "As the other hand", "swap", view.set_mirrored, "M", checkable=True, keep=58,
        help="Shows it in a mirror; its poses stay what they are.",
    )  # fmt: skip
    view.bar.gap()
    view.captured.frames = view.bar.choice("frame-picker", "Captured pose", "image-square", keep=68)
    view.captured.frames.setToolTip("Captured pose (Page Up, Page Down)")
    view.captured.frames.setPlaceholderText("Own pose")
    view.captured.frames.activated.connect(lambda _: view.captured.take(view.captured.frames.currentData()))
    view.captured.cameras = view.bar.choice(
        "camera-picker", "Camera of the capture (Ctrl with Page Up, Page Down)", "video-camera", keep=66
    )
    view.captured.cameras.setToolTip("Camera of the capture (Ctrl with Page Up, Page Down)")
    view.captured.cameras.activated.connect(lambda _: view.captured.look_through(view.captured.cameras.currentData()))
    view.side_action = act(
        "side-by-side", "Side by side", "columns", view.set_side_by_side, "C", checkable=True, keep=64,
        help="Photo, shaded, neural and normals, as a camera of the capture saw them.",
    )  # fmt: skip
    view.side_action.setToolTip(
        "Side by side (C)\nPhoto, shaded, neural and normals, as a camera of the capture saw them."
    )
    view.bar.stretch()
    view.strip_action = act(
        "strip", "Motion", "film-strip", view.strip_shown, "T", checkable=True, keep=72,
        help="Poses that follow each other: put together, played, kept. K adds the pose on screen.",
    )  # fmt: skip
    view.panel_action = act(
        "panel", "Joints", "sliders-horizontal", view.panel_shown, "J", checkable=True, checked=True, keep=78,
        help="Sliders for the fingers, and named poses.",
    )  # fmt: skip
    act("screenshot", "Save a picture, a turntable or a movie", "camera", view.save_picture, "S", keep=30)
    act("reset", "Reset the view", "reset", view.reset, "R", keep=20)
    for widget in (view.canvas, view.pictures):  # these keys mean other things to sliders and fields
        on_key(widget, "Backspace", view.posing.reset)
        for key, by in (("PgUp", -1), ("PgDown", 1)):
            on_key(widget, key, partial(view.captured.step, by))
            on_key(widget, f"Ctrl+{key}", partial(view.captured.step_camera, by))
    navigation.add_keys(view, view.canvas)


def show_modes(view: HandView, offered: list[str]) -> None:
    """Which ways to show the hand there are."""
    before = [view.modes.itemData(k) for k in range(view.modes.count())]
    if before != offered:
        view.modes.clear()
        for key in offered:
            view.modes.addItem(MODES[key], key)
    view.modes.setCurrentIndex(view.modes.findData(view.mode))
    names = list(view.posing.joint_names)
    if [view.joints.itemText(k) for k in range(view.joints.count())] != names:
        view.joints.clear()
        for index, name in enumerate(names):
            view.joints.addItem(name, index)
    view.joint = min(view.joint, max(0, len(names) - 1))
    view.joints.setCurrentIndex(view.joint if names else -1)
    view.bar.set_shown(view.joints.parentWidget(), view.mode == "weight")
