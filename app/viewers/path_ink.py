"""The camera path that is put together in a splat view, painted over its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app import theme
from app.viewers import overlay, splat_ink
from app.viewers.path_shapes import EDGES, frusta, frustum_depth
from app.viewers.splat_camera import camera_of
from engines.blocks.cameras import Camera

if TYPE_CHECKING:
    from app.viewers.path_strip import PathStrip
    from app.viewers.splat_view import SplatView

MOST_NUMBERS = 40


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
    found = []
    for p, q in zip(a, b, strict=True):
        if p[2] < near and q[2] < near:
            continue
        if p[2] < near:
            p = q + (p - q) * (q[2] - near) / (q[2] - p[2])
        if q[2] < near:
            q = p + (q - p) * (p[2] - near) / (p[2] - q[2])
        ends_2d = [QPointF(camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy) for x, y, z in (p, q)]
        if all(abs(end.x()) < 1e5 and abs(end.y()) < 1e5 for end in ends_2d):
            found.append(QLineF(*ends_2d))
    return found


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
    painter.setFont(overlay.small_font())
    every = max(1, len(corners) // MOST_NUMBERS)
    for index in np.flatnonzero(away > 1.2 * depth):
        chosen = index == strip.chosen
        points = corners[index]
        lines = _lines(camera, points[EDGES[:, 0]], points[EDGES[:, 1]], 0.05 * depth)
        painter.setPen(QPen(QColor(colours.view_bottom), 3.5))
        painter.drawLines(lines)
        painter.setPen(QPen(QColor(colours.accent if chosen else colours.text), 2.0 if chosen else 1.2))
        painter.drawLines(lines)
        pixels, depths = camera.pixels(points[:1])
        if depths[0] > 0.05 * depth and (index % every == 0 or chosen) and np.abs(pixels).max() < 1e5:
            box = QRectF(pixels[0, 0] - 16, pixels[0, 1] + 4, 32, 16)
            overlay.draw_text(painter, box, Qt.AlignmentFlag.AlignCenter, str(index + 1))
