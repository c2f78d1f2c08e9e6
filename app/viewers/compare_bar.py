"""The tools that both sides of a comparison share, and the colours that they share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QAction, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import overlay
from app.viewers.camera import STANDARD_VIEWS
from app.viewers.scene import Scene3D
from app.viewers.scene_bar import CLIP_HELP, axis_buttons

if TYPE_CHECKING:
    from app.viewers.compare_view import CompareView


class Legend(QWidget):
    """One colour bar in a line: numbers with their unit at both ends of the colours."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("legend")
        self.bar: overlay.ColourBar | None = None
        theme.signals.changed.connect(self.update)

    def set_bar(self, bar: overlay.ColourBar | None) -> None:
        if bar == self.bar:
            return
        self.bar = bar
        ends = "" if bar is None else f"{overlay.number(bar.low, 3)} to {overlay.number(bar.high, 3)} {bar.unit}"
        title = "" if bar is None else f"{bar.title[:1].upper()}{bar.title[1:]}"
        self.setToolTip(f"{title}, {ends}; one scale for both sides" if bar else "")
        self.setAccessibleName(f"Colours: {title}, {ends}" if bar else "Colours")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        if self.bar is None:
            return QSize(0, 22)
        metrics = QFontMetricsF(overlay.small_font())
        words = sum(metrics.horizontalAdvance(overlay.number(v, 3)) for v in (self.bar.low, self.bar.high))
        return QSize(round(words + metrics.horizontalAdvance(f" {self.bar.unit}")) + 112, 22)

    def paintEvent(self, event) -> None:
        if self.bar is None:
            return
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self.bar.unit:
            painter.setFont(overlay.small_font())
            written = QFontMetricsF(painter.font()).horizontalAdvance(f" {self.bar.unit}")
            box.setWidth(box.width() - written)
            unit = QRectF(box.right(), box.top(), written, box.height())
            overlay.draw_text(painter, unit, overlay.BESIDE, f" {self.bar.unit}", theme.colors().panel)
        overlay.draw_flat_bar(painter, box, self.bar, theme.colors().panel)
        painter.end()


def fill(view: CompareView) -> None:
    """Put the tools of both scenes on the bar of the comparison. Keys act in the side that has the focus."""
    bar, scenes = view.bar, view.scenes
    left = scenes[0]

    def keyed(action: QAction, key: str, help: str = "") -> QAction:
        # The key itself stays with the scenes: given twice it would be ambiguous, and do nothing.
        action.setToolTip(f"{action.text()} ({key})" + (f"\n{help}" if help else ""))
        return action

    keyed(bar.action("frame", "Show everything", "frame", left.frame, keep=80), "F")
    views = []
    for k, (title, _, _) in enumerate(STANDARD_VIEWS):
        name, look = f"view-{title.lower()}", partial(left.look_from, k)
        views.append(bar.action(name, f"{title} view\t{k + 1}", "view", look, button=False))
    bar.menu("views", "Standard views (1 to 6)", "axes", views)
    parallel = bar.action("parallel", "Orthographic", "orthographic", left.set_parallel, checkable=True)
    keyed(parallel, "P")
    left.camera_moved.connect(lambda: _follow_quietly(parallel, left.pose.parallel))
    bar.gap()

    def both(name: str, title: str, icon: str, key: str, members: list[QAction], help: str = "") -> QAction:
        made = bar.action(name, title, icon, lambda on: None, checkable=True)
        _together([made, *members])
        return keyed(made, key, help)

    measures, clips, layers = ([getattr(s, f"{name}_action") for s in scenes] for name in ("measure", "clip", "layers"))
    both("measure", "Measure a distance", "measure", "M", measures, "Click two points.")
    clip = both("clip", "Clipping plane", "clip", "C", clips, CLIP_HELP)
    axes = axis_buttons(bar, left.clip_axis)
    bar.add(axes)
    bar.set_shown(axes, False)
    clip.toggled.connect(lambda on: bar.set_shown(axes, on))
    _share_plane(scenes)
    bar.gap(12)
    bar.add(view.by_distance, keep=90)
    bar.gap(6)
    bar.add(view.legend, keep=60)
    bar.stretch()
    keyed(bar.action("screenshot", "Save a picture of both", "camera", view.save_picture, keep=30), "S: of one side")
    _share_layers(
        keyed(bar.action("layers", "Layers", "layers", lambda on: None, checkable=True, keep=40), "L"), layers
    )

    def reset() -> None:
        for scene in reversed(scenes):
            scene.reset()

    keyed(bar.action("reset", "Reset both views", "reset", reset, keep=20), "R: one side")


def _together(actions: list[QAction]) -> None:
    """All are on, or none."""

    def follow(on: bool) -> None:
        for action in actions:
            action.setChecked(on)

    for action in actions:
        action.toggled.connect(follow)


def _share_layers(shown: QAction, members: list[QAction]) -> None:
    """As the user has it: that a view opens or shuts its panel by itself, with its width, is each one's own."""

    def asked(on: bool) -> None:
        for action in members:
            action.setChecked(on)

    for action in (shown, *members):
        action.triggered.connect(asked)
    for action in members:
        action.toggled.connect(lambda _: _follow_quietly(shown, members[0].isChecked()))


def _follow_quietly(action: QAction, on: bool) -> None:
    if action.isChecked() != on:
        blocked = action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(blocked)


def _share_plane(scenes: list[Scene3D]) -> None:
    """The clipping plane that is moved at one side moves at the other."""
    busy: list[bool] = []

    def moved(source: Scene3D) -> None:
        if busy:
            return
        busy.append(True)
        try:
            for scene in scenes:
                if scene is not source and scene.clip.active:
                    scene.clip.set_plane(source.clip.origin, source.clip.normal)
        finally:
            busy.clear()

    for scene in scenes:
        scene.clip_moved.connect(partial(moved, scene))
