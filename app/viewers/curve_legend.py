"""The legend of curves: one line of buttons that show and hide, which scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QToolButton, QWidget

from app import theme
from app.viewers.curve_series import line_icon

HEIGHT = 32


class Legend(QScrollArea):
    """Its entries are named by any key; ``toggled(key, on)`` is called when one is pressed."""

    def __init__(self, parent: QWidget, toggled: Callable[[Hashable, bool], None]) -> None:
        super().__init__(parent)
        self._toggled = toggled
        self.setObjectName("legend")
        self.setAccessibleName("Legend")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFixedHeight(HEIGHT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        sheet = QWidget(self)
        theme.mark(sheet, kind="page")
        self._row = QHBoxLayout(sheet)
        self._row.setContentsMargins(8, 2, 8, 2)
        self._row.setSpacing(4)
        self._row.addStretch(1)
        self.setWidget(sheet)
        self.chips: dict[Hashable, QToolButton] = {}

    def set_entries(self, entries: Mapping[Hashable, tuple[str, str, bool]]) -> None:
        """Key to object name, title and whether it is on."""
        for key in [key for key in self.chips if key not in entries]:
            chip = self.chips.pop(key)
            self._row.removeWidget(chip)
            chip.deleteLater()
        for key, (name, title, on) in entries.items():
            chip = self.chips.get(key)
            if chip is None:
                chip = self.chips[key] = QToolButton(self.widget())
                chip.setCheckable(True)
                chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
                chip.setIconSize(QSize(18, 12))
                chip.setFont(theme.tabular(chip.font()))
                chip.setText(f" {title}")
                chip.toggled.connect(lambda on, key=key: self._toggled(key, on))
                self._row.insertWidget(self._row.count() - 1, chip)
            chip.setObjectName(name)
            chip.setAccessibleName(f"Show {title}")
            chip.setToolTip(f"Show or hide {title}")
            chip.blockSignals(True)
            chip.setChecked(on)
            chip.blockSignals(False)
        self.setVisible(bool(entries))

    def dress(self, key: Hashable, pen: QPen) -> None:
        if key in self.chips:
            self.chips[key].setIcon(line_icon(pen))

    def say(self, key: Hashable, text: str) -> None:
        chip = self.chips.get(key)
        if chip is not None and chip.text() != text:
            chip.setText(text)

    def wheelEvent(self, event) -> None:
        turn = event.angleDelta().y() or event.angleDelta().x()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - turn // 2)
        event.accept()
