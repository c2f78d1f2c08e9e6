"""What a 3D view shows besides its objects, on screen and in pictures of any size."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter

from app.viewers import overlay
from app.viewers.camera import Pose
from app.viewers.framing import Room
from app.viewers.layer import Layer

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D


def paint_overlay(
    scene: Scene3D, painter: QPainter, size: QSizeF, pose: Pose, bars_at: tuple[float, float] | None = None
) -> None:
    """Axes, scale bar, colour bars and tools; ``bars_at`` as in :attr:`Stage.bars_at`."""
    overlay.draw_caption(painter, QSizeF(size.width() - scene.stage.covered, size.height()), scene.stage.caption)
    if not scene.layers:
        return
    project = partial(pose.project, width=size.width(), height=size.height())
    scene.clip.paint(painter, project, size)
    scene.measure.paint(painter, project)
    overlay.draw_axes(painter, size, pose)
    scale_ends = overlay.draw_scale_bar(painter, size, pose, scene.unit)
    free, right = bars_at or scene.stage.bars_at
    if overlay.is_flat(size.width(), size.height()):
        overlay.draw_flat_bars(painter, size, shown_bars(scene), scale_ends + 24, size.width() - right - 12)
    else:
        overlay.draw_colour_bars(painter, size, shown_bars(scene), free, right)


def shown_bars(scene: Scene3D) -> list[overlay.ColourBar]:
    """None where a legend beside the view has them."""
    return [] if scene.stage.bars_elsewhere else scene.colour_bars()


def bars_width(scene: Scene3D) -> float:
    """Pixels at the right of the view that its colour bars take."""
    size = (scene.canvas.width(), scene.canvas.height())
    return overlay.bars_width(shown_bars(scene), size, scene.stage.bars_at)


def colour_bars(layers: Iterable[Layer]) -> list[overlay.ColourBar]:
    """One for each way in which something visible is coloured by its values."""
    found = []
    for layer in layers:
        if layer.style.visible and layer.scalar:
            title, unit = layer.scalar_title
            bar = overlay.ColourBar(title, layer.cmap, *layer.value_range, unit)
            if bar not in found:
                found.append(bar)
    return found


def pose_for(scene: Scene3D, width: int, height: int, *, turning: bool = False) -> Pose:
    """The camera for a picture: where nobody chose a view, one that fills its size; ``turning``: all around."""
    scale = overlay.picture_scale(height)
    size = (width / scale, height / scale)
    bars = overlay.bars_width(shown_bars(scene), size, (size[1], 0.0))
    return scene.framing.pose_for(Room(*size, bars), turning=turning)


def draw(scene: Scene3D, width: int, height: int, pose: Pose, supersample: int) -> QImage:
    """Lines, points and text grow with the picture."""
    layers, scale = list(scene.layers.values()), overlay.picture_scale(height)
    was_moving = [layer.moving for layer in layers]
    for layer in layers:
        layer.moving, layer.pixel_scale = False, scale * supersample
        layer.apply()
    try:
        image = scene.canvas.picture(width, height, pose, supersample)
    finally:
        for layer, moving in zip(layers, was_moving, strict=True):
            layer.moving, layer.pixel_scale = moving, scene.canvas.devicePixelRatioF()
            layer.apply()
    overlay.onto_image(image, lambda painter, size: paint_overlay(scene, painter, size, pose, (size.height(), 0.0)))
    return image
