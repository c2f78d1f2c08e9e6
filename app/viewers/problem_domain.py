"""The box of a problem as a picture, with what holds on each of its faces beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import theme, typeset
from app.viewers.overlay import number
from engines.data import Problem

Face = tuple[int, int]
"""A coordinate, and its lower (0) or upper (1) end."""

MOST_LINES = 3
LINE = 24.0
FORMULA = 15.0
DEEP = np.array([0.42, -0.30])
"""Where the third direction goes in the picture of a box in space, by its length."""


@dataclass(frozen=True)
class Statement:
    """What holds on a face: LaTeX, or plain words where there is no formula."""

    latex: str
    plain: str


def faces_of(problem: Problem) -> dict[Face, list[Statement]]:
    """What holds on each face. Slow for long formulas. Raises UserError for conditions that cannot be read."""
    from engines.blocks.pde.equations import compile_problem
    from engines.blocks.typesetting import latex_condition

    found: dict[Face, list[Statement]] = {}
    for condition in compile_problem(problem).conditions:
        if condition.kind == "periodic":
            for side in (0, 1):
                found.setdefault((condition.axis, side), []).append(Statement("", "periodic"))
            continue
        holds = latex_condition(condition.text)[0]
        found.setdefault((condition.axis, condition.side), []).append(Statement(holds, condition.text))
    return found


class DomainPicture(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("domain")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.problem: Problem | None = None
        self.faces: Mapping[Face, Sequence[Statement]] = {}
        typeset.signals.ready.connect(self.update)
        theme.signals.changed.connect(self.update)

    def show_domain(self, problem: Problem, faces: Mapping[Face, Sequence[Statement]]) -> None:
        self.problem, self.faces = problem, faces
        count = len(problem.coordinates)
        self.setFixedHeight({1: 120, 2: 320, 3: 360}.get(count, 0))
        self.setVisible(count <= 3)
        told = [
            f"{problem.coordinates[axis]} = {number(float((problem.lower, problem.upper)[side][axis]))}: "
            + ", ".join(s.plain for s in lines)
            for (axis, side), lines in faces.items()
        ]
        self.setAccessibleName("Domain. " + "; ".join(told) if told else "Domain")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, self.height())

    # ---- painting ---
    def paintEvent(self, event) -> None:
        if self.problem is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(0.92, numbers=True))
        count = len(self.problem.coordinates)
        if count == 1:
            self._line(painter)
        elif count == 2:
            self._rectangle(painter)
        elif count == 3:
            self._box(painter)
        painter.end()

    @property
    def _order(self) -> list[int]:
        """Coordinates to the right, upwards and into the depth; time goes upwards."""
        assert self.problem is not None
        space = [self.problem.coordinates.index(n) for n in self.problem.space]
        time = [k for k in range(len(self.problem.coordinates)) if k not in space]
        return [*space, *time] if len(space) == 1 else [space[0], *time, *space[1:]] if time else space

    def _ends(self, axis: int) -> tuple[str, str]:
        assert self.problem is not None
        return tuple(number(float(end[axis]), 4) for end in (self.problem.lower, self.problem.upper))  # type: ignore[return-value]

    def _line(self, painter: QPainter) -> None:
        assert self.problem is not None
        y, left, right = 52.0, 0.22 * self.width(), 0.78 * self.width()
        painter.setPen(QPen(QColor(theme.colors().accent), 2.4))
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        painter.setBrush(QColor(theme.colors().accent))
        low, high = self._ends(0)
        for x, side, end in ((left, 0, low), (right, 1, high)):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.colors().accent))
            painter.drawEllipse(QPointF(x, y), 4, 4)
            self._words(painter, QPointF(x, y + 18), f"{self.problem.coordinates[0]} = {end}")
            self._statements(painter, (0, side), QPointF(x, y - 12), "below")

    def _rectangle(self, painter: QPainter) -> None:
        assert self.problem is not None
        across, up = self._order
        sides = [self._room((across, side)) for side in (0, 1)]
        left, right = max(sides[0] + 20, 70.0), self.width() - max(sides[1] + 20, 40.0)
        box = QRectF(left, 46, max(right - left, 60.0), self.height() - 46 - 74)
        most = 1.7 * box.height()
        if box.width() > most:
            box = QRectF(box.center().x() - most / 2, box.top(), most, box.height())
        painter.setPen(QPen(QColor(theme.colors().accent), 1.8))
        painter.setBrush(QColor(theme.colors().accent_soft))
        painter.drawRect(box)
        if self.problem.coordinates[up] == self.problem.time:  # open towards later times
            painter.setPen(QPen(QColor(theme.colors().accent_soft), 3.0))
            painter.drawLine(box.topLeft(), box.topRight())
            painter.setPen(QPen(QColor(theme.colors().accent), 1.4, Qt.PenStyle.DashLine))
            painter.drawLine(box.topLeft(), box.topRight())
        self._statements(painter, (across, 0), QPointF(box.left() - 12, box.center().y()), "left")
        self._statements(painter, (across, 1), QPointF(box.right() + 12, box.center().y()), "right")
        self._statements(painter, (up, 0), QPointF(box.center().x(), box.bottom() + 24), "under")
        self._statements(painter, (up, 1), QPointF(box.center().x(), box.top() - 10), "below")
        low, high = self._ends(across)
        self._words(painter, QPointF(box.left(), box.bottom() + 13), low)
        self._words(painter, QPointF(box.right(), box.bottom() + 13), high)
        self._words(painter, QPointF(box.center().x(), box.bottom() + 13), self.problem.coordinates[across])
        low, high = self._ends(up)
        self._words(painter, QPointF(box.left() - 8, box.bottom() - 8), low, right=True)
        self._words(painter, QPointF(box.left() - 8, box.top() + 8), high, right=True)
        self._words(painter, QPointF(box.left() + 12, box.center().y()), self.problem.coordinates[up])

    def _box(self, painter: QPainter) -> None:
        assert self.problem is not None
        across, up, deep = self._order
        size = min(170.0, 0.30 * self.width())
        start = QPointF(self.width() / 2 - 0.72 * size, self.height() / 2 + 0.62 * size)
        steps = {
            across: np.array([size, 0.0]),
            up: np.array([0.0, -size]),
            deep: size * DEEP,
        }

        def corner(**at: float) -> QPointF:
            place = sum(at[f"c{axis}"] * step for axis, step in steps.items())
            return QPointF(start.x() + float(place[0]), start.y() + float(place[1]))

        def point(*at: float) -> QPointF:
            return corner(**{f"c{axis}": at[k] for k, axis in enumerate((across, up, deep))})

        fronts = [
            [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)],
            [(1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)],
            [(0, 1, 0), (1, 1, 0), (1, 1, 1), (0, 1, 1)],
        ]
        painter.setPen(QPen(QColor(theme.colors().accent), 1.0, Qt.PenStyle.DashLine))
        for end in ((1, 0, 1), (0, 1, 1), (0, 0, 0)):
            painter.drawLine(point(0, 0, 1), point(*end))
        soft = QColor(theme.colors().accent_soft)
        for k, face in enumerate(fronts):
            tone = QColor(soft)
            tone.setAlpha((200, 140, 90)[k])
            painter.setPen(QPen(QColor(theme.colors().accent), 1.8))
            painter.setBrush(tone)
            painter.drawPolygon(QPolygonF([point(*c) for c in face]))
        names = self.problem.coordinates
        low, high = self._ends(across)
        below = QPointF(0, 14)
        self._words(painter, point(0, 0, 0) + below, low)
        self._words(painter, point(1, 0, 0) + below, high)
        self._words(painter, point(0.5, 0, 0) + below, names[across])
        low, high = self._ends(up)
        beside = QPointF(-8, 0)
        self._words(painter, point(0, 0, 0) + QPointF(-8, -8), low, right=True)
        self._words(painter, point(0, 1, 0) + beside, high, right=True)
        self._words(painter, point(0, 0.5, 0) + beside, names[up], right=True)
        low, high = self._ends(deep)
        self._words(painter, point(1, 0, 0.5) + QPointF(14, 10), names[deep])
        self._words(painter, point(1, 0, 1) + QPointF(18, 8), high)
        self._words(painter, point(1, 0, 0) + QPointF(22, 0), low)
        self._statements(painter, (across, 0), point(0, 0.62, 0.5) + QPointF(-size * 0.45, 0), "left")
        self._statements(painter, (across, 1), point(1, 0.55, 1) + QPointF(14, 0), "right")
        self._statements(painter, (up, 0), point(0.5, 0, 0) + QPointF(0, 34), "under")
        self._statements(painter, (up, 1), point(0.5, 1, 1) + QPointF(0, -10), "below")
        self._statements(painter, (deep, 0), point(0.5, 0.5, 0), "middle")
        behind = point(0.0, 1, 1) + QPointF(-12, -4)
        self._statements(painter, (deep, 1), behind, "left")

    # ---- words ---
    def _words(self, painter: QPainter, at: QPointF, text: str, *, right: bool = False) -> None:
        measure = QFontMetricsF(painter.font())
        box = QRectF(0, 0, measure.horizontalAdvance(text) + 2, measure.height())
        box.moveCenter(QPointF(at.x() - box.width() / 2 if right else at.x(), at.y()))
        painter.setPen(QColor(theme.colors().muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _lines(self, face: Face) -> list[Statement]:
        lines = list(self.faces.get(face, ()))
        return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], Statement("", "…")]

    def _width(self, statement: Statement) -> float:
        found = typeset.shape(statement.latex) if statement.latex else None
        if found is not None:
            return found.width * FORMULA / typeset.EM
        return QFontMetricsF(theme.font(0.92)).horizontalAdvance(statement.plain)

    def _room(self, face: Face) -> float:
        """Pixels beside the box for what is said of a face, at most a third of the picture."""
        widest = max((self._width(s) for s in self._lines(face)), default=0.0)
        return min(widest, self.width() / 3)

    def _statements(self, painter: QPainter, face: Face, at: QPointF, where: str) -> None:
        """``where``: on which side of the face they stand, or "below": above a point, "under": below it."""
        lines = self._lines(face)
        total = LINE * len(lines)
        top = {"below": at.y() - total, "under": at.y()}.get(where, at.y() - total / 2)
        for k, statement in enumerate(lines):
            width = self._width(statement)
            most = self.width() / 3 if where in ("left", "right") else 0.62 * self.width()
            shrunk = min(1.0, most / max(width, 1.0))
            x = {"left": at.x() - width * shrunk, "right": at.x()}.get(where, at.x() - width * shrunk / 2)
            x = min(max(x, 4.0), max(4.0, self.width() - width * shrunk - 4))
            middle = top + (k + 0.5) * LINE
            self._statement(painter, statement, QPointF(x, middle), FORMULA * shrunk)

    def _statement(self, painter: QPainter, statement: Statement, at: QPointF, size: float) -> None:
        found = typeset.shape(statement.latex) if statement.latex else None
        if found is not None:
            base = at.y() + 0.36 * size
            typeset.draw(painter, QPointF(at.x(), base), found, size, QColor(theme.colors().text))
            return
        painter.save()
        painter.setFont(theme.font(0.92))
        painter.setPen(QColor(theme.colors().text))
        box = QRectF(at.x(), at.y() - LINE / 2, self.width(), LINE)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, statement.plain)
        painter.restore()
