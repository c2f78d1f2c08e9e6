"""A box along the axes in a 3D view, with a handle on each face and one in its middle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from app import theme
from app.viewers.gizmo import along
from app.viewers.tool import Tool
from app.viewers.toolbar import on_key
from app.viewers.tools import GRAB, away

Box = tuple[float, ...]
"""Lowest x, y and z, then the highest; or nothing."""
MIDDLE = 6
THINNEST = 1e-3
"""In sizes of the content: no face is dragged closer to its opposite."""
CORNERS = np.array([[(k >> axis) & 1 for axis in range(3)] for k in range(8)])
EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
FACES = [[k for k in (0, 1, 3, 2, 4, 5, 7, 6) if CORNERS[k][axis] == side] for axis in range(3) for side in (0, 1)]


@dataclass(frozen=True)
class Host:
    """The view that the box stands in."""

    tools: list[Tool]
    ray: Callable[[QPointF], tuple[np.ndarray, np.ndarray]]
    project: Callable[[np.ndarray], np.ndarray]
    content_box: Callable[[], np.ndarray | None]
    """(2, 3) around what is shown."""
    repaint_above: Callable[[], object]
    keys: QWidget | None = None
    """The widget on which Enter and Esc end it; None: the view sees to that."""


class BoxTool(QObject):
    """The first box of an empty value is that of what is shown; it counts once it is touched."""

    changed = Signal(object)
    """The box (six numbers), while it is dragged."""
    dropped = Signal()
    ended = Signal()
    """By the user, or because the view is closed."""

    def __init__(self, host: Host, above: QWidget) -> None:
        """``above``: the widget that the card with its name floats on."""
        super().__init__(above)
        self.host, self._above = host, above
        self.is_active = False
        self.ends = np.array([[-1.0] * 3, [1.0] * 3])  # (2, 3)
        self.is_set = False
        """Whether somebody chose it; else it is only proposed."""
        self.hover: int | None = None
        self.held: int | None = None
        self._from = self.ends
        self._grip = QPointF()
        self.card: Card | None = None
        self._ends: list[QAction] = []

    # ---- for others ---------------------------------------------------------------------------------------
    def start(self, title: str, value: Box, help: str = "") -> None:
        """Show the box of this value and let it be dragged."""
        if self.card is None:
            self.card = Card(self._above, self.stop, self.fit)
        self.card.say(title, help)
        if not self.is_active:
            self.is_active = True
            self.host.tools.insert(0, self)
            if self.host.keys is not None:
                keys = self.host.keys
                self._ends = [on_key(keys, key, self.stop) for key in ("Return", "Enter", "Esc")]
        self.set_value(value)

    def set_value(self, value: Box) -> None:
        """Another box, by other means; an empty one proposes what is shown."""
        if not self.is_active or self.held is not None:
            return
        self.is_set = len(value) == 6
        found = np.array(value, float).reshape(2, 3) if self.is_set else self.host.content_box()
        if found is not None and np.isfinite(found).all():
            self.ends = np.array(found, float)
        self.host.repaint_above()

    def value(self) -> Box:
        digits = max(0, 4 - int(np.floor(np.log10(max(float(np.ptp(self.ends, axis=0).max()), 1e-300)))))
        return tuple(float(round(v, digits)) for v in self.ends.ravel())

    def fit(self) -> None:
        """Take the box of what is shown."""
        found = self.host.content_box()
        if found is not None and self.is_active:
            self._take(np.array(found, float))
            self.dropped.emit()

    def stop(self) -> None:
        if not self.is_active:
            return
        self.is_active, self.held, self.hover = False, None, None
        if self in self.host.tools:
            self.host.tools.remove(self)
        ends, self._ends = self._ends, []
        for action in ends:
            action.deleteLater()
        if self.card is not None:
            self.card.hide()
        self.host.repaint_above()
        self.ended.emit()

    # ---- handles ------------------------------------------------------------------------------------------
    def handles(self) -> np.ndarray:
        """(7, 3) the middles of the faces (low x, high x, low y, …), and the middle of all."""
        middle = self.ends.mean(0)
        found = np.tile(middle, (7, 1))
        for face in range(6):
            found[face, face // 2] = self.ends[face % 2, face // 2]
        return found

    def handle_at(self, at: QPointF) -> int | None:
        """The handle under a pixel; of several, the nearest to the viewer."""
        seen = self.host.project(self.handles())
        near = [k for k in range(7) if away(at, QPointF(*seen[k, :2])) < GRAB]
        return min(near, key=lambda k: seen[k, 2], default=None)

    def press(self, at: QPointF) -> bool:
        self.held = self.handle_at(at)
        self._from, self._grip = self.ends.copy(), at
        return self.held is not None

    def move(self, at: QPointF, held: bool) -> bool:
        if not held:
            before, self.hover = self.hover, self.handle_at(at)
            if before != self.hover:
                self.host.repaint_above()
            return False
        if self.held is None:
            return False
        if away(at, self._grip) >= 1:
            self._take(self._shifted(at) if self.held == MIDDLE else self._pulled(at, self.held))
        return True

    def release(self, at: QPointF) -> bool:
        was, self.held = self.held, None
        if was is not None:
            self.dropped.emit()
        return was is not None

    def _pulled(self, at: QPointF, face: int) -> np.ndarray:
        axis, side = divmod(face, 2)
        through, direction = self._from.mean(0), np.eye(3)[axis]
        through[axis] = self._from[side, axis]
        by = along(direction, through, self.host.ray(at)) - along(direction, through, self.host.ray(self._grip))
        ends = self._from.copy()
        least = THINNEST * float(np.linalg.norm(np.ptp(self._from, axis=0)))
        opposite = ends[1 - side, axis]
        wanted = ends[side, axis] + by
        ends[side, axis] = max(wanted, opposite + least) if side else min(wanted, opposite - least)
        return ends

    def _shifted(self, at: QPointF) -> np.ndarray:
        """All of it, with the view."""
        middle = self._from.mean(0)
        _, facing = self.host.ray(QPointF(*self.host.project(middle[None])[0, :2]))

        def under(where: QPointF) -> np.ndarray:
            origin, direction = self.host.ray(where)
            return origin + direction * (float((middle - origin) @ facing) / max(float(direction @ facing), 1e-9))

        return self._from + under(at) - under(self._grip)

    def _take(self, ends: np.ndarray) -> None:
        self.ends, self.is_set = ends, True
        self.host.repaint_above()
        self.changed.emit(self.value())

    # ---- painting -----------------------------------------------------------------------------------------
    def paint(self, painter: QPainter) -> None:
        if not self.is_active:
            return
        corners = self.ends[CORNERS, np.arange(3)]
        seen = self.host.project(corners)
        handles = self.host.project(self.handles())
        accent, panel = QColor(theme.colors().accent), QColor(theme.colors().panel)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        lit = self.held if self.held is not None else self.hover
        if lit is not None and lit != MIDDLE:
            fill = QColor(accent)
            fill.setAlpha(45)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF([QPointF(*seen[k, :2]) for k in _around(FACES[lit])]))
        farthest = int(seen[:, 2].argmax())
        style = Qt.PenStyle.SolidLine if self.is_set else Qt.PenStyle.DashLine
        for a, b in EDGES:
            behind = farthest in (a, b)
            line = (QPointF(*seen[a, :2]), QPointF(*seen[b, :2]))
            halo, ink = QColor(panel), QColor(accent)
            halo.setAlphaF(0.25 if behind else 0.7)
            ink.setAlphaF(0.45 if behind else 1.0)
            for pen in (QPen(halo, 3.6), QPen(ink, 1.2 if behind else 1.8, style)):
                painter.setPen(pen)
                painter.drawLine(*line)
        for k in np.argsort(-handles[:, 2]):
            where = QPointF(*handles[k, :2])
            size = 7.5 if k == lit else 5.5
            painter.setPen(QPen(panel, 1.6))
            painter.setBrush(QColor(theme.colors().text) if k == MIDDLE else accent)
            painter.drawEllipse(where, size, size)
        painter.restore()


def _around(corners: list[int]) -> list[int]:
    """The four corners of a face one after the other along its edges."""
    a, b, c, d = corners
    return [a, b, c, d] if bin(b ^ c).count("1") == 1 and bin(d ^ a).count("1") == 1 else [a, b, d, c]


class Card(QFrame):
    """Says what the box is for, at the upper left of the view."""

    def __init__(self, parent: QWidget, done: Callable[[], None], fit: Callable[[], None]) -> None:
        super().__init__(parent)
        self.setObjectName("box-card")
        self.setAccessibleName("Box in the view")
        theme.mark(self, kind="box")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 6, 6)
        row.setSpacing(8)
        self.words = QLabel(self)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAccessibleName("What the box is for")
        theme.mark(self.words, kind="heading")
        row.addWidget(self.words)
        hint = QLabel("Drag its faces or its middle.", self)
        hint.setTextFormat(Qt.TextFormat.PlainText)
        hint.setAccessibleName("How to set it")
        row.addWidget(hint)
        for text, tip, act in (
            ("Around all", "As large as what is shown", fit),
            ("Done", "Back to the settings (Enter or Esc)", done),
        ):
            button = QPushButton(text, self)
            button.setAccessibleName(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(lambda *_, act=act: act())
            row.addWidget(button)

    def say(self, title: str, help: str) -> None:
        self.words.setText(title)
        self.setToolTip(help)
        self.adjustSize()
        self.move(8, 8)
        self.show()
