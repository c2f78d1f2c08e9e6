"""Tools of the 3D view that take the mouse: measuring a distance, and moving the clipping plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from vtkmodules.vtkCommonDataModel import vtkPlane

from app import theme
from app.viewers.camera import Pose
from app.viewers.overlay import draw_label, number

if TYPE_CHECKING:
    from app.viewers.layer import Layer

GRAB = 11.0  # pixels around a handle that take it
SNAP = 9.0  # pixels within which contours and points are snapped to
CLICK = 4.0  # a press that moved less than this many pixels is a click

Project = Callable[[np.ndarray], np.ndarray]


def away(a: QPointF, b: QPointF) -> float:
    return math.hypot(a.x() - b.x(), a.y() - b.y())


def pick(layers: Sequence[Layer], pose: Pose, size: tuple[int, int], at: QPointF, clip: Clip) -> np.ndarray | None:
    """The visible point (3,) under a pixel of a view of this size, or None.

    The nearest surface, or a contour or point within ``SNAP`` pixels that is not behind it.
    """
    origin, direction = pose.ray(at.x(), at.y(), *size)
    length = float(np.linalg.norm(origin - pose.focal)) + 4 * clip.size
    best: np.ndarray | None = None
    best_depth = np.inf
    shown = [layer for layer in layers if layer.style.visible]
    for layer in shown:
        found = layer.hit(origin, direction, length)
        if found is not None and (depth := float((found - origin) @ direction)) < best_depth:
            best, best_depth = found, depth
    for layer in shown:
        points = layer.pick_points()
        if points is None or not len(points):
            continue
        seen = pose.project(points, *size)
        near = np.hypot(seen[:, 0] - at.x(), seen[:, 1] - at.y()) < SNAP
        if clip.active:
            near &= (points - clip.origin) @ clip.normal >= 0
        near &= seen[:, 2] < best_depth + 0.02 * clip.size
        if near.any():
            index = np.flatnonzero(near)
            chosen = index[seen[index, 2].argmin()]
            best, best_depth = points[chosen], float(seen[chosen, 2])
    return best


class Measure:
    """Two clicks on what is shown give their distance; drags still turn the view."""

    def __init__(self, pick: Callable[[QPointF], np.ndarray | None], changed: Callable[[], None]) -> None:
        self.pick, self.changed = pick, changed
        self.active = False
        self.points: list[np.ndarray] = []
        self.unit = ""

    @property
    def distance(self) -> float | None:
        return float(np.linalg.norm(self.points[1] - self.points[0])) if len(self.points) == 2 else None

    @property
    def text(self) -> str:
        return "" if self.distance is None else f"{number(self.distance)} {self.unit}".strip()

    def set_active(self, on: bool) -> None:
        self.active = on
        self.points = []
        self.changed()

    def click(self, at: QPointF) -> None:
        found = self.pick(at)
        if found is not None:
            self.points = [*self.points, found] if len(self.points) == 1 else [found]
            self.changed()

    def paint(self, painter: QPainter, project: Project) -> None:
        if not self.active or not self.points:
            return
        seen = [QPointF(x, y) for x, y, _ in project(np.array(self.points))]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text, panel = QColor(theme.colors().text), QColor(theme.colors().panel)
        if len(seen) == 2:
            painter.setPen(QPen(panel, 4))
            painter.drawLine(*seen)
            painter.setPen(QPen(text, 1.6))
            painter.drawLine(*seen)
        painter.setPen(QPen(panel, 1.5))
        painter.setBrush(text)
        for point in seen:
            painter.drawEllipse(point, 4.5, 4.5)
        painter.restore()
        if len(seen) == 2:
            across = seen[1] - seen[0]
            length = math.hypot(across.x(), across.y()) or 1.0
            side = QPointF(-across.y(), across.x()) / length
            draw_label(painter, (seen[0] + seen[1]) / 2 + side * (20 if side.y() < 0 else -20), self.text)


class Clip:
    """A plane that hides what lies behind it. Its knob moves it along its normal; the arrow's tip turns it."""

    def __init__(self, ray: Callable[[QPointF], Any], project: Project, changed: Callable[[], None]) -> None:
        self.ray, self.project, self.changed = ray, project, changed
        self.active = False
        self.plane = vtkPlane()
        self.origin, self.normal = np.zeros(3), np.array([1.0, 0.0, 0.0])
        self.bounds = np.array([[-1.0] * 3, [1.0] * 3])
        self._held = ""
        self._start: tuple[np.ndarray, float] = (np.zeros(3), 0.0)
        self._hover = ""

    @property
    def size(self) -> float:
        return float(np.linalg.norm(self.bounds[1] - self.bounds[0])) or 1.0

    @property
    def tip(self) -> np.ndarray:
        return self.origin + self.normal * self.size * 0.22

    def set_plane(self, origin: Any, normal: Any) -> None:
        normal = np.asarray(normal, float).reshape(3)
        length = float(np.linalg.norm(normal))
        if length < 1e-12 or not np.isfinite([*normal, *np.asarray(origin, float)]).all():
            return
        self.origin, self.normal = np.asarray(origin, float).reshape(3).copy(), normal / length
        self.plane.SetOrigin(*self.origin)
        self.plane.SetNormal(*self.normal)
        self.changed()

    def align(self, axis: int) -> None:
        """Through the middle, across an axis; a second time turns it round."""
        normal = np.eye(3)[axis]
        if self.active and np.allclose(self.normal, normal):
            normal = -normal
        self.set_plane(self.bounds.mean(0), normal)

    def _handle_at(self, at: QPointF) -> str:
        knob, tip = self.project(np.array([self.origin, self.tip]))
        if away(at, QPointF(*knob[:2])) < GRAB:
            return "knob"
        return "tip" if away(at, QPointF(*tip[:2])) < GRAB else ""

    def _along_normal(self, at: QPointF, through: np.ndarray) -> float:
        """How far along the normal the ray passes closest to the line through a point."""
        start, direction = self.ray(at)
        across = float(direction @ self.normal)
        gap = through - start
        denominator = 1 - across**2
        if denominator < 1e-6:
            return 0.0
        return float((across * (direction @ gap) - self.normal @ gap) / denominator)

    def press(self, at: QPointF) -> bool:
        if not self.active:
            return False
        self._held = self._handle_at(at)
        self._start = (self.origin.copy(), self._along_normal(at, self.origin))
        return bool(self._held)

    def move(self, at: QPointF, held: bool) -> bool:
        if not self.active:
            return False
        if not held:
            hover = self._handle_at(at)
            if hover != self._hover:
                self._hover = hover
                self.changed()
            return False
        if self._held == "knob":
            origin, start = self._start
            moved = origin + self.normal * (self._along_normal(at, origin) - start)
            low, high = self._reach()
            along = float(np.clip(moved @ self.normal, low, high))
            self.set_plane(moved + self.normal * (along - float(moved @ self.normal)), self.normal)
        elif self._held == "tip":
            self.set_plane(self.origin, self._turned(at))
        return True

    def release(self, at: QPointF) -> bool:
        self._held = ""
        return True

    def _turned(self, at: QPointF) -> np.ndarray:
        """The normal whose arrow ends under the mouse: where the ray meets the sphere of the arrow's tip."""
        start, direction = self.ray(at)
        radius = self.size * 0.22
        gap = start - self.origin
        b, c = float(direction @ gap), float(gap @ gap) - radius**2
        root = b * b - c
        away = bool((self.normal @ direction) > 0)
        along = -b + (math.sqrt(root) if away else -math.sqrt(root)) if root > 0 else -b
        return start + direction * along - self.origin

    def _reach(self) -> tuple[float, float]:
        corners = np.array(np.meshgrid(*self.bounds.T)).reshape(3, -1).T @ self.normal
        return float(corners.min()), float(corners.max())

    def outline(self) -> np.ndarray:
        """(n, 3) corners, in order, of the plane's cut through the box of what is shown."""
        helper = np.eye(3)[int(np.abs(self.normal).argmin())]
        u = np.cross(self.normal, helper)
        u /= np.linalg.norm(u)
        v = np.cross(self.normal, u)
        low, high = self.bounds
        pad = 0.03 * self.size
        box = np.array([low - pad, high + pad])
        corners = np.array([[box[i, 0], box[j, 1], box[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
        side = (corners - self.origin) @ self.normal
        hits = []
        for a, b in pairs:
            if (side[a] < 0) != (side[b] < 0):
                hits.append(corners[a] + (corners[b] - corners[a]) * side[a] / (side[a] - side[b]))
        if len(hits) < 3:
            return np.zeros((0, 3))
        found = np.array(hits)
        centre = found.mean(0)
        return found[np.argsort(np.arctan2((found - centre) @ v, (found - centre) @ u))]

    def paint(self, painter: QPainter, project: Project, size: QSizeF) -> None:
        if not self.active:
            return
        accent = QColor(theme.colors().accent)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        corners = self.outline()
        if len(corners):
            fill = QColor(accent)
            fill.setAlpha(16)
            painter.setPen(QPen(accent, 1.2))
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y, _ in project(corners)]))
        knob, tip = (QPointF(x, y) for x, y, _ in project(np.array([self.origin, self.tip])))
        painter.setPen(QPen(accent, 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(knob, tip)
        painter.setPen(QPen(QColor(theme.colors().panel), 1.5))
        painter.setBrush(accent)
        painter.drawEllipse(knob, *(2 * [8.0 if self._hover == "knob" else 6.5]))
        painter.drawEllipse(tip, *(2 * [6.5 if self._hover == "tip" else 5.0]))
        painter.restore()
