"""The line below a transport view: how much of it is on show, or what lies under the cursor."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app import theme


class TransportFoot(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("foot")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 3, 12, 3)
        self.label = QLabel(self)
        self.label.setObjectName("readout")
        self.label.setAccessibleName("What is on show")
        self.label.setFont(theme.tabular(self.label.font()))
        self.label.setMinimumWidth(40)
        self.label.setSizePolicy(self.label.sizePolicy().Policy.Ignored, self.label.sizePolicy().Policy.Fixed)
        theme.mark(self.label, tone="muted")
        row.addWidget(self.label, 1)
        self._text, self._of_point = "", ""

    @property
    def text(self) -> str:
        """All of it, whatever there is room for."""
        return self._of_point or self._text

    def say(self, text: str) -> None:
        self._text = text
        self._show()

    def say_of_point(self, text: str) -> None:
        """What lies under the cursor, which goes before; "" of nothing."""
        self._of_point = text
        self._show()

    def _show(self) -> None:
        room = max(0, self.label.width())
        words = QFontMetrics(self.label.font()).elidedText(self.text, Qt.TextElideMode.ElideRight, room)
        self.label.setText(words or " ")
        self.label.setToolTip(self.text if words != self.text else "")

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._show()


__all__ = ["TransportFoot"]
