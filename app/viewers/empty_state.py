"""What a view says when it has nothing to show."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app import theme


class EmptyState(QWidget):
    """What to do next, in the middle of a view that has nothing to show."""

    def __init__(self, parent: QWidget, icon: str, title: str, text: str) -> None:
        super().__init__(parent)
        self.setObjectName("empty-state")
        self.setAccessibleName(f"{title}. {text}")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        heading = QLabel(title, self)
        heading.setFont(theme.font(1.15, bold=True))
        heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel(text, self)
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        words.setMaximumWidth(360)
        words.setMinimumWidth(120)
        theme.mark(words, tone="muted")
        column.addStretch(1)
        column.addWidget(self._icon)
        column.addWidget(heading)
        across = QHBoxLayout()  # centred, as wide as there is room and it may be: an alignment would keep it narrow
        across.addStretch(1)
        across.addWidget(words, 100)
        across.addStretch(1)
        column.addLayout(across)
        column.addStretch(1)
        theme.signals.changed.connect(self._paint_icon)
        self._paint_icon()

    def _paint_icon(self) -> None:
        self._icon.setPixmap(theme.pixmap(self._icon_name, 40, "faint"))
