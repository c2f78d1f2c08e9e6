"""The status strip at the bottom, and the corner beside the menus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QMenuBar,
    QProgressBar,
    QPushButton,
    QStatusBar,
    QToolButton,
    QWidget,
)

from app import theme
from app.window.widgets import ElidedLabel, label, name, tool_button
from app.window.wording import count_text, size_text
from app.window.workbench import Workbench

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class StatusStrip(QStatusBar):
    """What the jobs do, on the left; saving and the size of the project, on the right."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Status")
        self.bench = bench
        self.setSizeGripEnabled(False)
        self._jobs = ElidedLabel()
        self._jobs.setFont(theme.font(0.94, numbers=True))
        name(self._jobs, "What runs")
        self._saving = label()
        self._saving.setFont(theme.font(0.94))
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setFixedWidth(120)
        self._bar.setTextVisible(False)
        name(self._bar, "Progress of saving")
        self._project = label()
        self._project.setFont(theme.font(0.94, numbers=True))
        name(self._project, "Size of the project")
        self._jobs.setContentsMargins(10, 0, 0, 0)
        self._project.setContentsMargins(8, 0, 12, 0)
        self.addWidget(self._jobs, 1)
        for widget in (self._saving, self._bar, self._project):
            self.addPermanentWidget(widget)
        self._saving.hide()
        self._bar.hide()
        bench.saving.connect(self._show_saving)
        bench.saved.connect(lambda: self._show_saving(1.0, ""))
        bench.project_replaced.connect(self._attach)
        bench.project_changed.connect(lambda kind, _: self._show_project() if kind in ("artifacts", "runs") else None)
        bench.catalog_loaded.connect(self._show_jobs)
        self._attach()

    def _attach(self) -> None:
        self.bench.bridge.changed.connect(lambda _: self._show_jobs())
        self.bench.bridge.queue_changed.connect(self._show_jobs)
        self._show_jobs()
        self._show_project()

    def _show_jobs(self) -> None:
        from app.window.jobs_panel import summary

        text = summary(self.bench.queue.jobs)
        if not text and self.bench.catalog is None:
            text = "Loading the methods"
        self._jobs.setText(text)

    def _show_saving(self, fraction: float, text: str) -> None:
        busy = bool(text)
        self._saving.setVisible(busy)
        self._bar.setVisible(busy)
        self._saving.setText(text)
        self._bar.setValue(round(1000 * fraction))

    def _show_project(self) -> None:
        entries = self.bench.project.entries.values()
        total = sum(e.nbytes for e in entries)
        words = f"{count_text(len(entries), 'artifact')}, {size_text(total)}" if entries else ""
        self._project.setText(words)


class DockTitle(QWidget):
    """The head of a panel: its name, and two small buttons."""

    def __init__(self, dock: QDockWidget, title: str) -> None:
        super().__init__(dock)
        self.setProperty("kind", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 5, 6, 5)
        row.setSpacing(1)
        row.addWidget(label(title, kind="heading"), 1)
        detach = tool_button("detach", f"Detach or attach the {title.lower()} panel", size=13)
        detach.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        hide = tool_button("close", f"Close the {title.lower()} panel", dock.hide, size=13)
        for button in (detach, hide):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)


class MenuRow(QWidget):
    """The menus, and the quick actions at the other end of the row."""

    def __init__(self, menus: QMenuBar, corner: QWidget) -> None:
        super().__init__()
        self.setProperty("kind", "window")
        self.setObjectName("MenuRow")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet("QMenuBar { border: none; }")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(menus, 1, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(corner)


class TopCorner(QWidget):
    """Undo, redo, save and the command palette, beside the menus."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        name(self, "Quick actions")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 8, 2)
        row.setSpacing(2)
        for key in ("undo", "redo", "save"):
            button = QToolButton()
            button.setDefaultAction(window.actions_[key])
            button.setIconSize(QSize(16, 16))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            name(button, f"Quick {key}")
            row.addWidget(button)
        palette = QPushButton("Search commands    Ctrl+K")
        palette.setIcon(theme.icon("search"))
        palette.setMinimumWidth(228)
        name(palette, "Open the command palette")
        palette.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        palette.setStyleSheet("text-align: left; padding: 2px 10px; font-weight: 400;")
        palette.setProperty("kind", "search")
        palette.clicked.connect(window.show_palette)
        row.addSpacing(6)
        row.addWidget(palette)
