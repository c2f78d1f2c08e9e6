"""The main window: puts the panels together and keeps their layout."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QMenu, QMenuBar, QStackedWidget, QWidget

from app import theme
from app.background import wait_for_all
from app.dialogs.log import LogModel
from app.project import Project
from app.settings import settings
from app.window.actions import Actions
from app.window.chrome import DockTitle, MenuRow, StatusStrip, TopCorner
from app.window.file_acts import FileActs
from app.window.frames import Frame
from app.window.home import HomePage
from app.window.jobs_panel import JobsPanel
from app.window.log_panel import LogPanel
from app.window.method_panel import MethodPanel
from app.window.notices import NoticeCorner
from app.window.palette import Command, CommandPalette, commands_of
from app.window.run_acts import RunActs
from app.window.tree import ProjectPanel
from app.window.views import ViewArea
from app.window.widgets import Busy, name
from app.window.workbench import Workbench

log = logging.getLogger("fieldwright.window")
LAYOUT_VERSION = 3
PANELS = (
    ("project", "Project", Qt.DockWidgetArea.LeftDockWidgetArea),
    ("method", "Method", Qt.DockWidgetArea.RightDockWidgetArea),
    ("jobs", "Jobs", Qt.DockWidgetArea.BottomDockWidgetArea),
    ("log", "Log", Qt.DockWidgetArea.BottomDockWidgetArea),
)


class MainWindow(QMainWindow):
    left = Signal()
    """The window closed for good. (Qt does not quit by itself when the last window was hidden before.)"""

    def __init__(self, project: Project | None = None, log_model: LogModel | None = None) -> None:
        super().__init__()
        name(self, "Fieldwright", "MainWindow")
        self.setWindowIcon(theme.app_icon())
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 560)
        self._menu_bar = QMenuBar()
        name(self._menu_bar, "Menus")
        self.bench = Workbench(project, self)
        self._closing = False
        self._panels_hidden: list[str] | None = None
        self.home = HomePage()
        self.views = ViewArea(self.bench)
        self._busy = Busy()
        self._centre = QStackedWidget()
        for page in (self.home, self.views, self._busy):
            self._centre.addWidget(page)
        self.setCentralWidget(self._centre)
        self.project_panel = ProjectPanel(self.bench)
        self.method_panel = MethodPanel(self.bench)
        self.jobs_panel = JobsPanel(self.bench)
        self.log_panel = LogPanel(log_model or LogModel(self))
        self._docks: dict[str, QDockWidget] = {}
        self._build_docks()
        self.file_acts = FileActs(self)
        self.run_acts = RunActs(self)
        self.actions_ = Actions(self, self.file_acts, self.run_acts)
        self._build_menus()
        self._strip = StatusStrip(self.bench)
        self.setStatusBar(self._strip)
        self.setMenuWidget(MenuRow(self._menu_bar, TopCorner(self)))
        self.notices = NoticeCorner(self, self._centre)
        self._connect()
        self._restore_layout()
        self.show_home() if project is None else self.show_workspace()
        self._project_replaced()

    def menuBar(self) -> QMenuBar:
        return self._menu_bar  # it shares its row with the quick actions, so Qt's own idea of it is replaced

    # --- building ---

    def _build_docks(self) -> None:
        self.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AllowNestedDocks
        )
        for corner, side in (
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
        ):
            self.setCorner(corner, side)
        content: dict[str, QWidget] = {
            "project": self.project_panel,
            "method": self.method_panel,
            "jobs": self.jobs_panel,
            "log": self.log_panel,
        }
        for key, title, area in PANELS:
            dock = QDockWidget(title, self)
            dock.setObjectName(f"dock:{key}")
            dock.setAccessibleName(f"{title} panel")
            dock.setWidget(content[key])
            dock.setTitleBarWidget(DockTitle(dock, title))
            self.addDockWidget(area, dock)
            self._docks[key] = dock
        self._default_layout()

    def _default_layout(self) -> None:
        for key, _, area in PANELS:
            dock = self._docks[key]
            dock.setFloating(False)
            self.addDockWidget(area, dock)
            dock.show()
        self.tabifyDockWidget(self._docks["jobs"], self._docks["log"])
        self._docks["log"].hide()
        self._docks["jobs"].raise_()
        self.resizeDocks([self._docks["project"], self._docks["method"]], [280, 344], Qt.Orientation.Horizontal)
        self.resizeDocks([self._docks["jobs"]], [252], Qt.Orientation.Vertical)

    def _build_menus(self) -> None:
        menus = self.actions_.menus
        menus["recent"].aboutToShow.connect(lambda: self.file_acts.fill_recent(menus["recent"]))
        for number, (key, _, _) in enumerate(PANELS, 1):
            action = self._docks[key].toggleViewAction()
            action.setShortcut(f"Ctrl+{number}")
            menus["panels"].addAction(action)
        self._theme_actions = {}
        for key, title in (("system", "As the system"), ("light", "Light"), ("dark", "Dark")):
            action = menus["theme"].addAction(title, lambda key=key: settings().set("theme", key))
            action.setCheckable(True)
            self._theme_actions[key] = action
        self._show_theme()
        self.actions_["link"].setChecked(self.views.cameras_linked)

    def _connect(self) -> None:
        bench, panel = self.bench, self.project_panel
        bench.project_replaced.connect(self._project_replaced)
        bench.project_changed.connect(self._project_changed)
        bench.noticed.connect(self.notices.show)
        bench.saved.connect(self.refresh_title)
        panel.selection_changed.connect(self._selection_changed)
        panel.show_wanted.connect(lambda ids, key: self._show_artifacts(ids, key))
        panel.add_to_view_wanted.connect(self._add_to_view)
        panel.use_wanted.connect(self._use)
        panel.run_wanted.connect(self.run_acts.show_run)
        panel.inspect_wanted.connect(self.run_acts.inspect)
        panel.again_wanted.connect(self.run_acts.again)
        panel.resume_wanted.connect(self.run_acts.resume)
        panel.compare_wanted.connect(self.run_acts.compare)
        panel.export_wanted.connect(self.file_acts.export)
        panel.import_wanted.connect(self.file_acts.import_data)
        panel.sample_wanted.connect(self.show_home)
        self.method_panel.run_started.connect(self.run_acts.started)
        self.method_panel.page_changed.connect(self.actions_.refresh)
        self.method_panel.undo_changed.connect(self._show_undo)
        self.jobs_panel.show_wanted.connect(self.run_acts.show_run)
        self.jobs_panel.inspect_wanted.connect(self.run_acts.inspect)
        self.jobs_panel.resume_wanted.connect(self.run_acts.resume)
        self.jobs_panel.list.currentItemChanged.connect(lambda *_: self.actions_.refresh())
        self.views.current_changed.connect(self.actions_.refresh)
        self.views.menu_wanted.connect(self._fill_view_menu)
        self.home.sample_wanted.connect(self.file_acts.open_sample)
        self.home.open_wanted.connect(lambda p: self.file_acts.open_path(p) if p else self.file_acts.open_dialog())
        self.home.new_wanted.connect(self.file_acts.new_project)
        self.home.import_wanted.connect(self.file_acts.import_data)
        settings().changed.connect(self._setting_changed)
        QApplication.instance().focusChanged.connect(self._focus_changed)  # type: ignore[union-attr]

    # --- pages ---

    def show_home(self) -> None:
        """The home page; the panels step aside."""
        if self._panels_hidden is None:
            self._panels_hidden = [k for k, dock in self._docks.items() if not dock.isHidden()]
            for dock in self._docks.values():
                dock.hide()
        self.home.refresh()
        self._centre.setCurrentWidget(self.home)
        self.home.setFocus()

    def show_workspace(self) -> None:
        """Tree, views, method and jobs."""
        self._centre.setCurrentWidget(self.views)
        if self._panels_hidden is not None:
            for key in self._panels_hidden:
                self._docks[key].show()
            self._panels_hidden = None
        self.actions_.refresh()

    def show_busy(self, text: str) -> None:
        self._busy.text.setText(text)
        self._centre.setCurrentWidget(self._busy)

    @property
    def at_home(self) -> bool:
        return self._centre.currentWidget() is self.home

    def show_panel(self, key: str) -> None:
        self.show_workspace()
        self._docks[key].show()
        self._docks[key].raise_()

    def after_sync(self, act: Callable[[], object]) -> None:
        """Call ``act`` after the changes that were told so far have reached the panels."""
        QTimer.singleShot(0, lambda: QTimer.singleShot(0, act))

    # --- the project ---

    def _project_replaced(self) -> None:
        self.notices_clear()
        self.views.restore(self.bench.project.view.get("views"))
        self.refresh_title()
        self._show_undo()

    def notices_clear(self) -> None:
        for box in self.notices.boxes():
            box.dismiss()

    def _project_changed(self, kind: str, ids: Any) -> None:
        if kind in ("dirty", "saved", "artifacts", "runs"):
            self.refresh_title()
        if kind in ("history", "artifacts", "runs"):
            self._show_undo()
            self.actions_.refresh()

    def refresh_title(self) -> None:
        project = self.bench.project
        tail = " (read-only)" if project.read_only else ""
        self.setWindowTitle(f"{self.file_acts.project_name}{tail}[*] - Fieldwright")
        self.setWindowModified(bool(project.dirty))

    # --- undo ---

    def can_undo(self) -> bool:
        stack = self.method_panel.focused_undo_stack()
        return stack.canUndo() if stack is not None else self.bench.project.history.can_undo

    def can_redo(self) -> bool:
        stack = self.method_panel.focused_undo_stack()
        return stack.canRedo() if stack is not None else self.bench.project.history.can_redo

    def _show_undo(self) -> None:
        stack = self.method_panel.focused_undo_stack()
        history = self.bench.project.history
        undo = stack.undoText() if stack is not None else history.undo_label
        redo = stack.redoText() if stack is not None else history.redo_label
        for key, words, label in (("undo", "&Undo", undo), ("redo", "&Redo", redo)):
            shown = f"{words} {label[:1].lower()}{label[1:]}" if label else words
            self.actions_[key].setText(shown)
        self.actions_["undo"].setEnabled(self.can_undo())
        self.actions_["redo"].setEnabled(self.can_redo())

    def undo(self) -> None:
        stack = self.method_panel.focused_undo_stack()
        stack.undo() if stack is not None else self.bench.project.history.undo()
        self._show_undo()

    def redo(self) -> None:
        stack = self.method_panel.focused_undo_stack()
        stack.redo() if stack is not None else self.bench.project.history.redo()
        self._show_undo()

    # --- selection ---

    def has_artifacts(self) -> bool:
        return bool(self.project_panel.selected_artifacts())

    def has_selection(self) -> bool:
        return self.has_artifacts() or bool(self.project_panel.selected_runs())

    def _selection_changed(self) -> None:
        self.method_panel.set_selection(self.project_panel.selected_artifacts())
        self.actions_.refresh()

    def _show_artifacts(self, ids: list[str], key: str = "") -> None:
        self.show_workspace()
        self.views.show_artifacts(ids, key)

    def show_selected(self) -> None:
        self.project_panel.open_selected()

    def _add_to_view(self, ids: list[str]) -> None:
        if not self.views.add_to_current(ids):
            self._show_artifacts(ids)

    def add_to_view(self) -> None:
        self._add_to_view(self.project_panel.selected_artifacts())

    def _use(self, entry_id: str) -> None:
        self.show_panel("method")
        self.method_panel.set_selection([entry_id])
        if self.method_panel.page is None:
            self.method_panel.gallery.list.setFocus()

    def rename(self) -> None:
        self.project_panel.rename_selected()

    def star(self) -> None:
        self.project_panel.star_selected()

    def remove(self) -> None:
        self.project_panel.remove_selected()

    def focus_filter(self) -> None:
        self.show_panel("project")
        self.project_panel.filter.setFocus()
        self.project_panel.filter.selectAll()

    def focus_methods(self) -> None:
        self.show_panel("method")
        self.method_panel.show_gallery()
        self.method_panel.gallery.search.setFocus()

    # --- views ---

    def has_view(self) -> bool:
        return self.views.current is not None

    def split_right(self) -> None:
        self.views.split("right")

    def split_below(self) -> None:
        self.views.split("bottom")

    def detach_view(self) -> None:
        self.views.detach()

    def close_view(self) -> None:
        self.views.close_frame()

    def next_view(self) -> None:
        frames = [f for pane in self.views.panes() for f in pane.frames()]
        if frames and self.views.current in frames:
            self.views.reveal(frames[(frames.index(self.views.current) + 1) % len(frames)])

    def link_cameras(self, linked: bool) -> None:
        self.views.link_cameras(linked)

    def _fill_view_menu(self, menu: QMenu, frame: Frame) -> None:
        menu.addAction(self.actions_["link"])
        menu.addAction(self.actions_["picture"])
        ids = frame.artifact_ids()
        if ids:
            menu.addAction(theme.icon("export"), "Export what is shown…", lambda: self.file_acts.export(ids))

    # --- layout ---

    def _restore_layout(self) -> None:
        store = settings()
        geometry, state = store.get("window/geometry"), store.get("window/state")
        if not (geometry and self.restoreGeometry(geometry)):
            self._default_size()
        if state:
            try:
                restored = self.restoreState(state, LAYOUT_VERSION)
            except Exception:
                restored = False
            if not restored or all(dock.isHidden() for dock in self._docks.values()):
                self._default_layout()

    def _default_size(self) -> None:
        screen = QGuiApplication.primaryScreen()
        room = screen.availableSize() if screen is not None else QSize(1440, 900)
        self.resize(min(1520, room.width() - 40), min(960, room.height() - 48))

    def _keep_layout(self) -> None:
        at_home = self.at_home
        self.show_workspace()  # panels that step aside for the home page are not meant to be remembered as closed
        settings().set("window/geometry", self.saveGeometry())
        settings().set("window/state", self.saveState(LAYOUT_VERSION))
        settings().sync()
        if at_home:
            self.show_home()

    def reset_layout(self) -> None:
        self.show_workspace()
        self._default_layout()

    def full_screen(self, on: bool) -> None:
        self.showFullScreen() if on else self.showNormal()

    def _show_theme(self) -> None:
        for key, action in self._theme_actions.items():
            action.setChecked(key == settings().get("theme"))

    def _setting_changed(self, key: str) -> None:
        if key == "theme":
            self._apply_theme()

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        self._show_undo()

    def _apply_theme(self) -> None:
        theme.apply(QApplication.instance(), settings().get("theme"))  # type: ignore[arg-type]
        self._show_theme()

    # --- dialogs ---

    def show_palette(self) -> None:
        self.actions_.refresh()
        commands = commands_of(self.actions_.listed())
        for method in self.bench.catalog or ():
            act = lambda key=method.key: (self.show_panel("method"), self.method_panel.open_method(key))  # noqa: E731
            commands.append(Command(method.title, "Method", act, theme.icon("method")))
        for entry in self.bench.project.entries.values():
            act = lambda i=entry.id: self._show_artifacts([i])  # noqa: E731
            commands.append(
                Command(entry.name, "Result" if entry.role == "result" else "Data", act, theme.icon(entry.type))
            )
        for run in self.bench.project.runs.values():
            act = lambda i=run.id: self.run_acts.inspect(i)  # noqa: E731
            commands.append(Command(run.title, "Run", act, theme.icon(run.status)))
        self.palette_dialog = CommandPalette(commands, self)
        self.palette_dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.palette_dialog.show()

    def show_settings(self) -> None:
        from app.dialogs.settings_dialog import SettingsDialog

        self._open(SettingsDialog(self))

    def show_shortcuts(self) -> None:
        from app.dialogs.shortcuts import ShortcutsDialog

        self._open(ShortcutsDialog(self))

    def show_about(self) -> None:
        from app.dialogs.about import AboutDialog

        self._open(AboutDialog(self))

    def show_cite(self) -> None:
        from app.window.cite import CiteDialog

        self._open(CiteDialog(self.bench, self))

    def _open(self, dialog: Any) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # --- files dropped, closing ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [u.toLocalFile() for u in event.mimeData().urls() if u.isLocalFile()]
        event.acceptProposedAction()
        QTimer.singleShot(0, lambda: self.file_acts.dropped(paths))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._closing:
            event.accept()
            return
        event.ignore()
        self.file_acts.ask_to_keep(self.leave)

    def offer_recovery(self, hooks: Any = None) -> None:
        """Offer back what an earlier session could not save, and show why it ended."""
        from app.window.recovering import offer

        offer(self, hooks)

    def leave(self) -> None:
        """Close for good, without asking."""
        self._closing = True
        self._keep_layout()
        self.hide()
        self.views.close_all()
        self.jobs_panel.detail.show_job(None)
        self.bench.shut_down()
        wait_for_all(10.0)
        self.close()
        self.left.emit()
