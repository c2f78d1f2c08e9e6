"""The panels around the views: where they stand, what is remembered of it, and how large the window is."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu, QWidget

from app.settings import settings
from app.window.chrome import DockTitle
from app.window.widgets import paint_apart

LAYOUT_VERSION = 3
PANELS = (
    ("project", "Project", Qt.DockWidgetArea.LeftDockWidgetArea),
    ("method", "Method", Qt.DockWidgetArea.RightDockWidgetArea),
    ("jobs", "Jobs", Qt.DockWidgetArea.BottomDockWidgetArea),
    ("log", "Log", Qt.DockWidgetArea.BottomDockWidgetArea),
)
NARROWEST = {"project": 216, "method": 312}
"""Pixels below which names and settings would be cut off."""
SHARE, ENOUGH, LARGEST = 0.85, QSize(1280, 800), QSize(1680, 1050)
"""A new window takes this share of the screen, but not less than is enough where there is room, nor more than helps."""


def first_size(room: QSize) -> QSize:
    """The window's size at its first start on a screen with this much room (pixels, frame left out)."""
    wanted = (room * SHARE).expandedTo(ENOUGH).boundedTo(LARGEST)
    return wanted.boundedTo(QSize(room.width() - 16, room.height() - 40))  # a frame and a title bar are to come


class Panels(QObject):
    """The docks by key. On the home page they step aside, which is not remembered as closed."""

    def __init__(self, window: QMainWindow, content: Mapping[str, QWidget]) -> None:
        super().__init__(window)
        self._window = window
        self.docks: dict[str, QDockWidget] = {}
        self._aside: list[str] | None = None
        window.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AllowNestedDocks
        )
        window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        for key, title, area in PANELS:
            dock = QDockWidget(title, window)
            dock.setObjectName(f"dock:{key}")
            dock.setAccessibleName(f"{title} panel")
            content[key].setMinimumWidth(NARROWEST.get(key, 0))
            dock.setWidget(content[key])
            dock.setTitleBarWidget(DockTitle(dock, title))
            window.addDockWidget(area, dock)
            self.docks[key] = dock
        self.reset()

    def paint_apart(self) -> None:
        """To be called once a 3D view is in the window (see :func:`~app.window.widgets.paint_apart`)."""
        for dock in self.docks.values():
            paint_apart(dock)

    def fill_menu(self, menu: QMenu) -> None:
        """One tick and one key (Ctrl+1 and so on) for each panel."""
        for number, (key, _, _) in enumerate(PANELS, 1):
            action = self.docks[key].toggleViewAction()
            action.setShortcut(f"Ctrl+{number}")
            menu.addAction(action)

    def reset(self) -> None:
        """Every panel where it belongs."""
        window, docks = self._window, self.docks
        for key, _, area in PANELS:
            docks[key].setFloating(False)
            window.addDockWidget(area, docks[key])
            docks[key].show()
        window.tabifyDockWidget(docks["jobs"], docks["log"])
        docks["log"].hide()
        docks["jobs"].raise_()
        window.resizeDocks([docks["project"], docks["method"]], [300, 344], Qt.Orientation.Horizontal)
        window.resizeDocks([docks["jobs"]], [252], Qt.Orientation.Vertical)

    def show(self, key: str) -> None:
        self.docks[key].show()
        self.docks[key].raise_()

    def step_aside(self) -> None:
        if self._aside is None:
            self._aside = [key for key, dock in self.docks.items() if not dock.isHidden()]
            for dock in self.docks.values():
                dock.hide()

    def come_back(self) -> None:
        if self._aside is not None:
            for key in self._aside:
                self.docks[key].show()
            self._aside = None

    def restore(self) -> None:
        """Size, place and panels as they were; as at the first start where nothing sound is remembered."""
        window, store = self._window, settings()
        geometry, state = store.get("window/geometry"), store.get("window/state")
        if not (geometry and window.restoreGeometry(geometry)):
            self._first_place()
        if state:
            try:
                restored = window.restoreState(state, LAYOUT_VERSION)
            except Exception:
                restored = False
            if not restored or all(dock.isHidden() for dock in self.docks.values()):
                self.reset()

    def keep(self) -> None:
        """Remember size, place and panels. Call it while no panel is aside."""
        settings().set("window/geometry", self._window.saveGeometry())
        settings().set("window/state", self._window.saveState(LAYOUT_VERSION))
        settings().sync()

    def _first_place(self) -> None:
        screen = QGuiApplication.primaryScreen()
        if screen is None:
            self._window.resize(ENOUGH)
            return
        room = screen.availableGeometry()
        size = first_size(room.size())
        self._window.resize(size)
        self._window.move(
            room.x() + (room.width() - size.width()) // 2, room.y() + (room.height() - size.height()) // 2
        )
