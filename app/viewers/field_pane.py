"""One of the maps of a field view, with whose it is and its measures above and its colours at its right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers.field_colours import ScaleBar
from app.viewers.field_head import HEAD, Head
from app.viewers.field_map import FieldMap

LEFT, RIGHT, TOP, BELOW = 58, 10, 8, 40
"""Pixels around a map's picture: for its axes."""
CENTRED = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)


class FieldPane(QWidget):
    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumSize(90, 90)
        self.head = Head(self)
        self.map = FieldMap(self, title)
        self.bar = ScaleBar(self)
        self._known, self.note = True, ""
        self.map.reshaped.connect(self.arrange)
        theme.signals.changed.connect(self.update)

    def set_known(self, known: bool, note: str = "") -> None:
        """Whether there is something to draw already; ``note`` says why not, in the place of the map."""
        if note != self.note:
            self.note = note
            self.update()
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
        if self.note and not self._known:
            painter.setFont(theme.font())
            painter.setPen(QColor(theme.colors().muted))
            painter.drawText(self.rect().adjusted(24, HEAD, -24, -8), CENTRED, self.note)
        painter.end()
