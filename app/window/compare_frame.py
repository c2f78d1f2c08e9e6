"""Two runs compared, as a tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme
from app.window.frames import Frame
from app.window.widgets import Busy, name
from app.window.workbench import Workbench


class CompareFrame(Frame):
    kind = "compare"

    def __init__(self, bench: Workbench, runs: Sequence[str], state: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench)
        self.runs = list(runs)
        self._viewer: QWidget | None = None
        self._pending = dict(state or {})
        name(self, self.title(), "CompareFrame")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._busy = Busy("Comparing")
        self._layout.addWidget(self._busy)

    def title(self) -> str:
        titles = [r.title for i in self.runs if (r := self.bench.project.runs.get(i)) is not None]
        return " and ".join(titles) or "Comparison"

    def icon(self) -> QIcon:
        return theme.icon("compare")

    def key(self) -> str:
        return f"compare:{','.join(sorted(self.runs))}"

    def viewers(self) -> list[QWidget]:
        return [self._viewer] if self._viewer is not None else []
