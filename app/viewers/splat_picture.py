"""What a splat view shows besides its splats, on screen and in pictures of any size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QImage, QPainter

from app import theme
from app.viewers import drawn_picture, overlay, splat_ink
from app.viewers.camera import Pose
from app.viewers.colour_maps import rgb
from app.viewers.framing import Room
from app.viewers.pinhole import camera_of, seen_at
from app.viewers.splat_render import Blend, Frame, Request, compose

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView


def background_colours(background: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """RGB at the top and at the bottom, from 0 to 1."""
    if background in ("black", "white"):
        return ((0.0 if background == "black" else 1.0,) * 3,) * 2
    found = theme.colors()
    return rgb(found.view_top), rgb(found.view_bottom)


def colour_bars(view: SplatView) -> list[overlay.ColourBar]:
    if view.look.mode == "opacity":
        return [overlay.ColourBar("opacity", "viridis", 0.0, 1.0)]
    if view.look.mode == "depth" and view.latest is not None:
        return [overlay.ColourBar("depth", "viridis", *view.latest.depth_range, view.unit)]
    return []


def room(view: SplatView, width: float, height: float) -> Room:
    """What the splats may fill: not under the colour bar."""
    covered = view.editing.covered if width >= 2 * view.editing.covered else 0
    return Room(width, height, max(covered, overlay.bars_width(colour_bars(view), (width, height), (height, 0.0))))


def content_box(view: SplatView) -> np.ndarray | None:
    """(2, 3) around what is shown, strays apart; None when that is nothing."""
    points = [extent.points for extent in view.extents() if len(extent.points)]
    whole = np.concatenate(points) if points else None
    return None if whole is None else np.stack([whole.min(0), whole.max(0)])


def annotate(view: SplatView, painter: QPainter, size: QSizeF, pose: Pose, *, count: bool = True) -> None:
    """Axes, scale bar, colour bar, and how many Gaussians there are."""
    # The opacity of nothing is dark, whatever the background.
    with splat_ink.on_background("black" if view.look.mode == "opacity" else view.background):
        overlay.draw_axes(painter, size, pose)
        scale_ends = overlay.draw_scale_bar(painter, size, pose, view.unit)
        bars, flat = colour_bars(view), overlay.is_flat(size.width(), size.height())
        if flat:
            overlay.draw_flat_bars(painter, size, bars, scale_ends + 24, size.width() - 12)
        else:
            overlay.draw_colour_bars(painter, size, bars, size.height())
        if count and view.count_text and size.width() >= 320 and not (flat and bars):
            painter.setFont(overlay.small_font())
            line = QRectF(0, size.height() - 21, size.width() - 10, 16)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            overlay.draw_text(painter, line, right, view.count_text)


def frame_without_splats(request: Request) -> Frame:
    """Of a view in which only other things are to be seen."""
    width, height = request.drawn_size
    empty = np.zeros((height, width), np.float32)
    nothing = Blend(np.zeros((height, width, 3), np.float32), empty, empty)
    return Frame(request, nothing, nothing, 0, 0, 0.0)


def point_at(frame: Frame | None, share: tuple[float, float]) -> np.ndarray | None:
    """The point (3,) that is seen at so much of a picture's width and height, or None."""
    if frame is None:
        return None
    height, width = frame.depth.shape
    camera = camera_of(frame.request.pose, width, height, frame.request.lens)
    return drawn_picture.point_at(frame.depth, share, camera)


def in_sight(frame: Frame | None, points: np.ndarray, slack: float) -> np.ndarray:
    """(n,) which world points (n, 3) are not further than ``slack`` behind the splats of a picture."""
    if frame is None:
        return np.ones(len(points), bool)
    height, width = frame.depth.shape
    x, y, depths = seen_at(points, frame.request.pose, width, height, frame.request.lens).T
    behind = frame.depth[np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)]
    return np.asarray((depths > 0) & ((behind <= 0) | (depths <= behind + slack)))


def pose_for(view: SplatView, width: int, height: int, *, turning: bool = False) -> Pose:
    """The camera for a picture: where nobody chose a view, one that fills its size."""
    return drawn_picture.pose_for(view.framing, partial(room, view), width, height, turning=turning)


def draw(view: SplatView, width: int, height: int, pose: Pose) -> QImage:
    """The view at any size, in full detail. The window stays alive meanwhile."""
    scale = overlay.picture_scale(height)
    request = replace(view.request(width, height, pose), look=replace(view.look, dot=view.look.dot * scale))
    if view.solids is not None and view.solids.visible:
        found = view.solids.draw(pose, width, height, lens=view.lens, fine=True, pixel_scale=scale)
        request = replace(request, surfaces=found)
    if request.clouds:
        frame = drawn_picture.wait_for(lambda: view.drawing.renderer.draw(request))
    else:
        frame = frame_without_splats(request)
    image = drawn_picture.image_of(compose(frame))
    if view.items:
        overlay.onto_image(image, lambda painter, size: annotate(view, painter, size, pose, count=False))
    return image
