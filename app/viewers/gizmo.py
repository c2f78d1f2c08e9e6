"""Handles in a 3D view that move, turn and scale what they belong to. Painted by Qt, dragged with the mouse.

Arrows along the axes and a middle that moves with the view; rings about the axes; and knobs along the axes of what is
scaled, which turn with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from scipy.spatial.transform import Rotation

from app import theme
from app.viewers.overlay import AROUND, AXIS_HUES
from app.viewers.tools import GRAB, away
from engines.blocks.mesh_parts import Placement

Kind = Literal["move", "turn", "scale"]
KINDS: tuple[Kind, ...] = ("move", "turn", "scale")
REACH = 88.0
"""Pixels from the middle to the tip of an arrow."""
SHORT = 14.0
"""Pixels; an axis that looks shorter points at the viewer and cannot be dragged."""
STEP = 15.0
"""Degrees that a turn snaps to while Control is held."""
EDGE_ON = 0.2
"""Cosine between a ring's axis and the line of sight below which its plane says too little."""
MIDDLE = 3
Ray = Callable[[QPointF], tuple[np.ndarray, np.ndarray]]
Project = Callable[[np.ndarray], np.ndarray]


def along(axis: np.ndarray, through: np.ndarray, ray: tuple[np.ndarray, np.ndarray]) -> float:
    """How far along a line, from a point on it, a ray passes closest to it."""
    start, direction = ray
    across = float(direction @ axis)
    gap = through - start
    denominator = 1 - across**2
    return 0.0 if denominator < 1e-6 else float((across * (direction @ gap) - axis @ gap) / denominator)


class Gizmo:
    def __init__(
        self, ray: Ray, project: Project, dragged: Callable[[Placement], None], dropped: Callable[[], None]
    ) -> None:
        """``dragged`` gets where it was pulled to; ``dropped`` is called when the mouse lets go of it."""
        self.ray, self.project, self.dragged, self.dropped = ray, project, dragged, dropped
        self.kind: Kind = "move"
        self.placement: Placement | None = None
        """What it belongs to; None: there is nothing to hold."""
        self.snapping: Callable[[], bool] = lambda: False
        self.hover: int | None = None
        self.held: int | None = None
        self._grip = QPointF()
        self._from: Placement | None = None

    # ---- where its parts are ------------------------------------------------------------------------------
    @property
    def centre(self) -> np.ndarray:
        assert self.placement is not None
        return self.placement.pivot + self.placement.move

    def axes(self) -> np.ndarray:
        """(3, 3) rows: directions of the handles."""
        assert self.placement is not None
        return self.placement.turn.T if self.kind == "scale" else np.eye(3)

    def reach(self) -> float:
        """World units that look ``REACH`` pixels long at the middle."""
        origin, direction = self.ray(QPointF(*self.project(self.centre[None])[0, :2]))
        helper = np.eye(3)[int(np.abs(direction).argmin())]
        side = np.cross(direction, helper)
        side /= np.linalg.norm(side) or 1.0
        size = float(np.linalg.norm(self.centre - origin)) * 1e-3
        a, b = self.project(np.stack([self.centre, self.centre + side * size]))[:, :2]
        pixels = float(np.linalg.norm(b - a)) / size
        return REACH / max(pixels, 1e-12)

    def tips(self) -> np.ndarray:
        """(4, 2) pixels: of the three axes, and of the middle."""
        length = self.reach()
        return self.project(np.concatenate([self.centre + length * self.axes(), self.centre[None]]))[:, :2]

    def ring(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """(65, 2) pixels of a ring, and which of its points (65,) are at the viewer's side."""
        angle = np.linspace(0, 2 * np.pi, 65)
        u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        out = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
        seen = self.project(self.centre + 0.85 * self.reach() * out)
        _, direction = self.ray(QPointF(*self.project(self.centre[None])[0, :2]))
        return seen[:, :2], out @ direction <= 0.05

    def handle_at(self, at: QPointF) -> int | None:
        """0 to 2 for an axis, 3 for the middle."""
        if self.placement is None:
            return None
        if self.kind == "turn":
            best, found = 8.0, None
            for axis in range(3):
                points, front = self.ring(axis)
                distances = np.hypot(points[:, 0] - at.x(), points[:, 1] - at.y())[front]
                if len(distances) and distances.min() < best:
                    best, found = float(distances.min()), axis
            return found
        tips = self.tips()
        if away(at, QPointF(*tips[MIDDLE])) < GRAB:
            return MIDDLE
        for axis in range(3):
            arm = tips[axis] - tips[MIDDLE]
            length = float(np.linalg.norm(arm))
            if length < SHORT:
                continue
            local = np.array([at.x(), at.y()]) - tips[MIDDLE]
            on, off = float(local @ arm) / length, abs(float(arm[0] * local[1] - arm[1] * local[0])) / length
            if off < 7 and 0.25 * length < on < length + GRAB:
                return axis
        return None

    # ---- the mouse ----------------------------------------------------------------------------------------
    def press(self, at: QPointF) -> bool:
        self.held = self.handle_at(at)
        self._grip, self._from = at, self.placement
        return self.held is not None

    def move(self, at: QPointF, held: bool) -> bool:
        if not held:
            before, self.hover = self.hover, self.handle_at(at)
            return before != self.hover
        if self.held is None or self._from is None:
            return False
        if away(at, self._grip) >= 1:
            pull = {"move": self._moved, "turn": self._turned, "scale": self._scaled}[self.kind]
            now, self.placement = self.placement, self._from  # all is reckoned from where it began
            try:
                found = pull(at, self.held)
            finally:
                self.placement = now
            self.dragged(found)
        return True

    def release(self, at: QPointF) -> bool:
        was, self.held = self.held, None
        if was is not None:
            self.dropped()
        return was is not None

    def _moved(self, at: QPointF, handle: int) -> Placement:
        start = self._from
        assert start is not None
        if handle == MIDDLE:
            shift = self._in_view(at) - self._in_view(self._grip)
        else:
            axis = np.eye(3)[handle]
            shift = axis * (along(axis, self.centre, self.ray(at)) - along(axis, self.centre, self.ray(self._grip)))
        return replace(start, move=start.move + shift)

    def _in_view(self, at: QPointF) -> np.ndarray:
        """(3,) under a pixel, as far away as the middle is."""
        _, facing = self.ray(QPointF(*self.project(self.centre[None])[0, :2]))
        origin, direction = self.ray(at)
        return origin + direction * (float((self.centre - origin) @ facing) / max(float(direction @ facing), 1e-9))

    def _turned(self, at: QPointF, handle: int) -> Placement:
        start = self._from
        assert start is not None
        axis = np.eye(3)[handle]
        middle = self.project(self.centre[None])[0, :2]
        _, facing = self.ray(QPointF(*middle))
        if abs(float(axis @ facing)) > EDGE_ON:
            angle = self._angle(at, axis) - self._angle(self._grip, axis)
            angle = (angle + math.pi) % (2 * math.pi) - math.pi
        else:
            # From the side a ring is a line: as far as the mouse goes along it.
            line = self.project(np.stack([self.centre, self.centre + np.cross(axis, facing) * self.reach()]))[:, :2]
            tangent = line[0] - line[1]
            pulled = np.array([at.x() - self._grip.x(), at.y() - self._grip.y()])
            angle = float(pulled @ tangent) / max(float(tangent @ tangent), 1e-9)
        if self.snapping():
            angle = math.radians(STEP * round(math.degrees(angle) / STEP))
        return replace(start, turn=Rotation.from_rotvec(angle * axis).as_matrix() @ start.turn)

    def _angle(self, at: QPointF, axis: np.ndarray) -> float:
        """Of a pixel about an axis through the middle, in the plane across it."""
        origin, direction = self.ray(at)
        slope = float(direction @ axis)
        slope = slope if abs(slope) > 1e-6 else math.copysign(1e-6, slope)
        out = origin + direction * (float((self.centre - origin) @ axis) / slope) - self.centre
        number = int(np.abs(axis).argmax())
        return math.atan2(out[(number + 2) % 3], out[(number + 1) % 3])

    def _scaled(self, at: QPointF, handle: int) -> Placement:
        start = self._from
        assert start is not None
        if handle == MIDDLE:
            pulled = (at.x() - self._grip.x()) - (at.y() - self._grip.y())
            return replace(start, scale=start.scale * math.exp(pulled / 150))
        axis = self.axes()[handle]
        began = along(axis, self.centre, self.ray(self._grip))
        factor = along(axis, self.centre, self.ray(at)) / began if abs(began) > 1e-12 else 1.0
        scale = start.scale.copy()
        scale[handle] *= max(factor, 0.01)
        return replace(start, scale=scale)

    # ---- painting -----------------------------------------------------------------------------------------
    def paint(self, painter: QPainter) -> None:
        if self.placement is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(0.85, bold=True))
        rings = self.kind == "turn"
        for axis in range(3):
            self._paint_ring(painter, axis) if rings else self._paint_arm(painter, axis)
        middle = QPointF(*self.tips()[MIDDLE])
        lit = MIDDLE in (self.hover, self.held) and not rings
        painter.setPen(QPen(QColor(theme.colors().panel), 1.5))
        painter.setBrush(QColor(theme.colors().accent if lit else theme.colors().text))
        half = 3.0 if rings else 6.5 if lit else 5.5
        if self.kind == "scale":
            painter.drawRect(QRectF(middle.x() - half, middle.y() - half, 2 * half, 2 * half))
        else:
            painter.drawEllipse(middle, half, half)
        painter.restore()

    def _pens(self, axis: int) -> tuple[QPen, QPen]:
        lit = axis in (self.hover, self.held)
        halo = QColor(theme.colors().panel)
        halo.setAlphaF(0.85)
        width = 3.4 if lit else 2.2
        cap = Qt.PenCapStyle.RoundCap
        return (
            QPen(halo, width + 2.2, Qt.PenStyle.SolidLine, cap),
            QPen(QColor(AXIS_HUES[axis]), width, Qt.PenStyle.SolidLine, cap),
        )

    def _paint_ring(self, painter: QPainter, axis: int) -> None:
        points, front = self.ring(axis)
        halo, pen = self._pens(axis)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for part, width in ((~front, 0.35), (front, 1.0)):
            for start, end in _runs(part):
                line = QPolygonF([QPointF(x, y) for x, y in points[start:end]])
                if width == 1.0:
                    painter.setPen(halo)
                    painter.drawPolyline(line)
                colour = QColor(AXIS_HUES[axis])
                colour.setAlphaF(width)
                pen.setColor(colour)
                painter.setPen(pen)
                painter.drawPolyline(line)
        nearest = points[front][len(points[front]) // 2] if front.any() else points[0]
        self._letter(painter, axis, nearest, nearest - self.tips()[MIDDLE])

    def _paint_arm(self, painter: QPainter, axis: int) -> None:
        tips = self.tips()
        arm = tips[axis] - tips[MIDDLE]
        length = float(np.linalg.norm(arm))
        if length < SHORT:
            return
        unit = arm / length
        a, b = QPointF(*(tips[MIDDLE] + 9 * unit)), QPointF(*tips[axis])
        for pen in self._pens(axis):
            painter.setPen(pen)
            painter.drawLine(a, b)
        painter.setPen(QPen(QColor(theme.colors().panel), 1.2))
        painter.setBrush(QColor(AXIS_HUES[axis]))
        if self.kind == "scale":
            painter.drawRect(QRectF(b.x() - 5, b.y() - 5, 10, 10))
        else:
            side = np.array([-unit[1], unit[0]])
            corners = (tips[axis] + 8 * unit, tips[axis] - 5 * unit + 5.5 * side, tips[axis] - 5 * unit - 5.5 * side)
            painter.drawPolygon(QPolygonF([QPointF(*c) for c in corners]))
        self._letter(painter, axis, tips[axis], arm)

    def _letter(self, painter: QPainter, axis: int, at: np.ndarray, outward: np.ndarray) -> None:
        length = float(np.linalg.norm(outward)) or 1.0
        metrics = QFontMetricsF(painter.font())
        box = QRectF(0, 0, metrics.horizontalAdvance("X") + 4, metrics.height())
        box.moveCenter(QPointF(*(at + 17 * outward / length)))
        for colour, aside in ((theme.colors().panel, AROUND), (AXIS_HUES[axis], ((0.0, 0.0),))):
            painter.setPen(QColor(colour))
            for x, y in aside:
                painter.drawText(box.translated(x, y), Qt.AlignmentFlag.AlignCenter, "XYZ"[axis])


def _runs(part: np.ndarray) -> list[tuple[int, int]]:
    """Where stretches of True begin and end, the point after each taken in."""
    steps = np.diff(part.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(int(a), int(min(b + 1, len(part)))) for a, b in zip(starts, ends, strict=True)]
