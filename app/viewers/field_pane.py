"""One of the maps of a field view, with whose it is and its measures above and its colours at its right."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers.field_colours import ScaleBar
from app.viewers.field_map import FieldMap
from app.viewers.field_values import Measures
from app.viewers.overlay import BESIDE, number

HEAD = 24
LEFT, RIGHT, TOP, BELOW = 58, 10, 8, 40
"""Pixels around a map's picture: for its axes."""
TAIL = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def in_words(found: Measures | None) -> list[str]:
    """The measures, most wanted first."""
    if found is None:
        return ["no values here"]
    least = 1e-10 * max(abs(found.low), abs(found.high))

    def told(value: float, digits: int = 4) -> str:
        return number(value if abs(value) > least else 0.0, digits)

    words = [f"min {told(found.low)}", f"max {told(found.high)}", f"mean {told(found.mean, 3)}"]
    return [*words, f"L² norm {told(found.norm)}", f"integral {told(found.integral)}"]


class Head(QWidget):
    """The name at the left, the measures at the right: as many as there is room for."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEAD)
        self.setObjectName("field-head")
        self.title, self.words = "", [""]
        theme.signals.changed.connect(self.update)

    def say(self, title: str, words: list[str], tip: str = "") -> None:
        self.title, self.words = title, words
        self.setAccessibleName(f"{title}: {', '.join(words)}")
        self.setToolTip(tip)
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().plot))
        box = QRectF(self.rect()).adjusted(10, 0, -10, 0)
        bold, plain = theme.font(0.95, bold=True), theme.font(0.88, numbers=True)
        measure, wide = QFontMetricsF(plain), QFontMetricsF(bold)
        name = min(wide.horizontalAdvance(self.title), 0.6 * box.width())
        words = list(self.words)
        while words and measure.horizontalAdvance("   ".join(words)) > box.width() - name - 16:
            words.pop()
        painter.setFont(plain)
        painter.setPen(QColor(theme.colors().muted))
        painter.drawText(box, TAIL, "   ".join(words))
        painter.setFont(bold)
        painter.setPen(QColor(theme.colors().text))
        room = box.width() - (measure.horizontalAdvance("   ".join(words)) + 16 if words else 0)
        painter.drawText(box, BESIDE, wide.elidedText(self.title, Qt.TextElideMode.ElideRight, room))
        painter.end()


class FieldPane(QWidget):
    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumSize(120, 120)
        self.head = Head(self)
        self.map = FieldMap(self, title)
        self.bar = ScaleBar(self)
        self._known = True
        self.map.reshaped.connect(self.arrange)
        theme.signals.changed.connect(self.update)

    def set_known(self, known: bool) -> None:
        """Whether there is something to draw already."""
        if known == self.map.isHidden():
            self.map.setVisible(known)
            self._known = known
            self.arrange()

    def arrange(self) -> None:
        """The map as large as its aspect lets it be, its axes beside it, and its colours beside that."""
        width, height = self.width(), self.height() - HEAD
        self.head.setGeometry(0, 0, self.width(), HEAD)
        bar = ScaleBar.WIDTH if width >= 220 else 0
        self.bar.setVisible(bar > 0 and self._known)
        box = [width - bar - LEFT - RIGHT, height - TOP - BELOW]
        aspect = self.map.aspect
        if aspect is not None and min(box) > 0:
            box = [min(box[0], round(box[1] * aspect)), min(box[1], round(box[0] / aspect))]
        across, down = box[0] + LEFT + RIGHT, box[1] + TOP + BELOW
        x, y = max(0, (width - bar - across) // 2), HEAD + max(0, (height - down) // 2)
        self.map.setGeometry(x, y, across, down)
        self.bar.setGeometry(x + across, y, bar, down)

    def sizeHint(self) -> QSize:
        return QSize(420, 360)

    def resizeEvent(self, event) -> None:
        self.arrange()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().plot))
        painter.end()
