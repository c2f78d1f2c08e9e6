"""Mathematics on screen: LaTeX as shapes, in the theme's colours and sharp at every scale.

The shapes come from Matplotlib's mathtext, which needs no TeX. It takes a second to start, so shapes are made beside
the GUI thread; until they are there the formula stands as it was typed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from PySide6.QtCore import QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import theme
from app.background import run_in_background

EM = 100.0
"""Size of the font in which shapes are kept."""
LEAST = 0.72
"""Wide formulas are drawn down to this share of their size before they are broken into lines."""


@dataclass(frozen=True, eq=False)
class Shape:
    """``path`` with the baseline at 0, and how far it reaches, for a font of size :data:`EM`."""

    path: QPainterPath
    width: float
    ascent: float
    descent: float


class _Signals(QObject):
    ready = Signal()
    """Shapes that were asked for are there."""


signals = _Signals()
_shapes: dict[str, Shape | None] = {}
_pending: list[str] = []
_lock = threading.Lock()
_busy = False


def shape(latex: str) -> Shape | None:
    """The shape of a formula; None where it cannot be set, or not yet (see ``signals.ready``)."""
    if latex in _shapes:
        return _shapes[latex]
    if latex not in _pending:
        _pending.append(latex)
        _start()
    return None


def is_settled(latex: str) -> bool:
    """Whether :func:`shape` gives its last answer."""
    return latex in _shapes


def _start() -> None:
    global _busy
    if not _busy and _pending:
        _busy = True
        run_in_background(_outlines, list(_pending), done=_arrived, failed=lambda _: _arrived({}), owner=signals)


def _arrived(found: dict[str, Shape | None]) -> None:
    global _busy
    _busy = False
    _shapes.update(found or dict.fromkeys(_pending))
    _pending[:] = [latex for latex in _pending if latex not in _shapes]
    _start()
    signals.ready.emit()


def _outlines(formulas: list[str]) -> dict[str, Shape | None]:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    maker, font = TextToPath(), FontProperties(size=EM, math_fontfamily="stix")
    found: dict[str, Shape | None] = {}
    with _lock:
        for latex in formulas:
            try:
                vertices, codes = maker.get_text_path(font, f"${latex}$", ismath=True)
                width, height, descent = maker.get_text_width_height_descent(f"${latex}$", font, ismath=True)
            except (ValueError, RuntimeError, KeyError):
                found[latex] = None  # mathtext does not know all of LaTeX
                continue
            found[latex] = Shape(_path(vertices, codes), float(width), float(height - descent), float(descent))
    return found


def _path(vertices, codes) -> QPainterPath:
    """From Matplotlib's codes, y upwards, to Qt's path, y downwards."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    points = [QPointF(float(x), -float(y)) for x, y in vertices]
    at = 0
    while at < len(codes):
        match int(codes[at]):
            case 1:
                path.moveTo(points[at])
            case 2:
                path.lineTo(points[at])
            case 3:
                path.quadTo(points[at], points[at + 1])
                at += 1
            case 4:
                path.cubicTo(points[at], points[at + 1], points[at + 2])
                at += 2
            case 79:
                path.closeSubpath()
        at += 1
    return path


def draw(painter: QPainter, at: QPointF, found: Shape, size: float, colour: QColor) -> None:
    """With the start of its baseline at a point; ``size`` in pixels for one em."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(at)
    painter.scale(size / EM, size / EM)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPath(found.path)
    painter.restore()


def parts(latex: str) -> list[str]:
    """A formula broken before each =, + and − that stands outside of all brackets."""
    found, depth, start, at = [], 0, 0, 0
    while at < len(latex):
        if latex.startswith((r"\left", r"\right"), at):
            depth += 1 if latex.startswith(r"\left", at) else -1
            at += 5
        elif latex[at] in "{}":
            depth += 1 if latex[at] == "{" else -1
        elif depth == 0 and latex[at : at + 3] in (" = ", " + ", " - "):
            found.append(latex[start:at])
            start = at + 1
            at += 2
        at += 1
    found.append(latex[start:])
    return [f"{part[0]}\\ {part[2:]}" if part[:2] in ("= ", "+ ", "- ") else part for part in found if part]


class MathText(QWidget):
    """One formula, in several lines where it has no room in one."""

    def __init__(self, parent: QWidget | None = None, latex: str = "", plain: str = "", size: float = 20.0) -> None:
        super().__init__(parent)
        self.latex, self.plain, self.size_ = latex, plain, size
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        signals.ready.connect(self._changed)
        theme.signals.changed.connect(self.update)
        self.set_formula(latex, plain)

    def set_formula(self, latex: str, plain: str) -> None:
        """``plain`` is how it was typed: for screen readers, and until it is typeset."""
        self.latex, self.plain = latex, plain
        self.setAccessibleName(plain)
        self.setToolTip(plain)
        self._changed()

    def _changed(self) -> None:
        height = self._lay_out(max(self.width(), 40))[1]
        if height != self.height():
            self.setFixedHeight(height)
        self.update()

    def _lay_out(self, width: float) -> tuple[list[tuple[Shape, QPointF, float]], int]:
        """Shapes with the place of their baselines and their size, and the height of all; none where not typeset."""
        whole = shape(self.latex) if self.latex else None
        if whole is None:
            return [], round(QFontMetricsF(theme.mono()).height() + 8)
        scale = self.size_ / EM
        fitting = min(1.0, width / max(whole.width * scale, 1.0))
        if fitting >= LEAST:
            size = self.size_ * fitting
            top = whole.ascent * size / EM + 3
            return [(whole, QPointF(0, top), size)], round(top + whole.descent * size / EM + 3)
        pieces = [shape(part) for part in parts(self.latex)]
        known = [piece for piece in pieces if piece is not None]
        if len(known) < len(pieces):
            known = [whole]
        widest = max(piece.width for piece in known) * scale
        size = self.size_ * min(1.0, width / max(widest + 24, 1.0))
        return self._wrapped(known, width, size)

    def _wrapped(
        self, pieces: list[Shape], width: float, size: float
    ) -> tuple[list[tuple[Shape, QPointF, float]], int]:
        scale, gap = size / EM, 0.3 * size
        lines: list[list[Shape]] = [[]]
        x = 0.0
        for piece in pieces:
            if lines[-1] and x + piece.width * scale > width:
                lines.append([])
                x = 24.0
            lines[-1].append(piece)
            x += piece.width * scale + gap
        found, y = [], 3.0
        for k, line in enumerate(lines):
            y += max(piece.ascent for piece in line) * scale
            x = 24.0 if k else 0.0
            for piece in line:
                found.append((piece, QPointF(x, y), size))
                x += piece.width * scale + gap
            y += max(piece.descent for piece in line) * scale + 6
        return found, round(y)

    def sizeHint(self) -> QSize:
        return QSize(200, self._lay_out(max(self.width(), 200))[1])

    def resizeEvent(self, event) -> None:
        self._changed()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        placed, _ = self._lay_out(self.width())
        if not placed:
            painter.setFont(theme.mono())
            painter.setPen(QColor(theme.colors().text))
            room = QFontMetricsF(painter.font())
            text = room.elidedText(self.plain, Qt.TextElideMode.ElideRight, self.width())
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        for found, at, size in placed:
            draw(painter, at, found, size, QColor(theme.colors().text))
        painter.end()
