"""The camera path that is put together in a splat view, painted over its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app import theme
from app.viewers import overlay, splat_ink
from app.viewers.path_shapes import EDGES, frusta, frustum_depth
from app.viewers.pinhole import camera_of
from engines.blocks.cameras import Camera

if TYPE_CHECKING:
    from app.viewers.path_strip import PathStrip
    from app.viewers.splat_view import SplatView

MOST_FRUSTA = 32
"""Of more key views, some that are evenly spaced."""


def paint(strip: PathStrip, view: SplatView, painter: QPainter, size: QSizeF) -> None:
    """The way, the key views with their numbers, and what of the view the video shows."""
    if not view.items:
        return
    with splat_ink.on_background("black" if view.look.mode == "opacity" else view.background):
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _frame(strip, painter, size)
        path = strip.path
        if path is not None and not strip.clock.playing:
            camera = camera_of(view.pose, max(1, round(size.width())), max(1, round(size.height())), view.lens)
            _way(strip, painter, camera)
            depth = frustum_depth(path) if len(path) > 1 else 0.12 * view.pose.distance
            _views(strip, painter, camera, frusta(path, depth), depth)
        painter.restore()


def _frame(strip: PathStrip, painter: QPainter, size: QSizeF) -> None:
    """The sides of the video, where it is narrower than the view."""
    half = size.height() * strip.edit.width / strip.edit.height / 2
    if 2 * half < size.width() - 4:
        painter.setPen(QPen(QColor(theme.colors().muted), 1, Qt.PenStyle.DashLine))
        for x in (size.width() / 2 - half, size.width() / 2 + half):
            painter.drawLine(QLineF(x, 0, x, size.height()))


def _lines(camera: Camera, starts: np.ndarray, ends: np.ndarray, near: float) -> list[QLineF]:
    """What of the pieces (n, 3) to (n, 3) lies before the camera, in pixels."""
    a, b = (points @ camera.rotation.T + camera.translation for points in (starts, ends))
    seen = (a[:, 2] > near) | (b[:, 2] > near)
    a, b = a[seen], b[seen]
    for p, q in ((a, b), (b, a)):  # what begins behind is cut off just before the eye
        behind = p[:, 2] < near
        share = (near - p[behind, 2:]) / (q[behind, 2:] - p[behind, 2:])
        p[behind] += share * (q[behind] - p[behind])
    flat = np.concatenate([points[:, :2] / points[:, 2:] for points in (a, b)], 1)
    flat = flat * [camera.fx, camera.fy, camera.fx, camera.fy] + [camera.cx, camera.cy, camera.cx, camera.cy]
    return [QLineF(*row) for row in flat[(np.abs(flat) < 1e5).all(1)].tolist()]


def _way(strip: PathStrip, painter: QPainter, camera: Camera) -> None:
    line = strip.line
    if len(line) < 2:
        return
    near = 1e-3 * float(np.linalg.norm(np.ptp(line, axis=0)))
    lines = _lines(camera, line[:-1], line[1:], max(near, 1e-9))
    colours = theme.colors()
    for colour, width in ((colours.view_bottom, 4.0), (colours.accent, 2.0)):
        pen = QPen(QColor(colour), width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawLines(lines)


def _views(strip: PathStrip, painter: QPainter, camera: Camera, corners: np.ndarray, depth: float) -> None:
    """Those that the eye is not in."""
    colours = theme.colors()
    away = np.linalg.norm(corners[:, 0] - camera.centre, axis=1)
    every = -(-len(corners) // MOST_FRUSTA)
    shown = (away > 1.2 * depth) & (np.arange(len(corners)) % every == 0)
    chosen = np.arange(len(corners)) == strip.chosen
    for which, colour, width in (
        (shown & ~chosen, colours.text, 1.2),
        (chosen & (away > 1.2 * depth), colours.accent, 2.0),
    ):
        ends = corners[which][:, EDGES].reshape(-1, 2, 3)
        lines = _lines(camera, ends[:, 0], ends[:, 1], 0.05 * depth)
        for pen in (QPen(QColor(colours.view_bottom), width + 2), QPen(QColor(colour), width)):
            painter.setPen(pen)
            painter.drawLines(lines)
    painter.setFont(overlay.small_font())
    pixels, depths = camera.pixels(corners[:, 0])
    for index in np.flatnonzero((shown | chosen) & (away > 1.2 * depth) & (depths > 0.05 * depth)):
        if np.abs(pixels[index]).max() < 1e5:
            box = QRectF(pixels[index, 0] - 16, pixels[index, 1] + 4, 32, 16)
            overlay.draw_text(painter, box, Qt.AlignmentFlag.AlignCenter, str(index + 1))
