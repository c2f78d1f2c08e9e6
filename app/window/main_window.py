"""The main window: puts the panels together and keeps their layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QSurface
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QMenuBar, QStackedWidget, QVBoxLayout, QWidget

from app import theme
from app.background import wait_for_all
from app.dialogs.log import LogModel
from app.project import Project
from app.settings import settings
from app.window.actions import Actions
from app.window.banner import ProjectBanner
from app.window.box_acts import BoxActs
from app.window.chrome import MenuRow, StatusStrip, TopCorner
from app.window.edit_acts import EditActs
from app.window.file_acts import FileActs
from app.window.frames import Frame
from app.window.home import HomePage
from app.window.jobs_panel import JobsPanel
from app.window.log_panel import LogPanel
from app.window.method_panel import MethodPanel
from app.window.notices import NoticeCorner
from app.window.palette import Command, CommandPalette, commands_of
from app.window.panels import Panels
from app.window.path_acts import PathActs
from app.window.pose_acts import PoseActs
from app.window.run_acts import RunActs
from app.window.tree import ProjectPanel
from app.window.view_acts import ViewActs
from app.window.views import ViewArea
from app.window.widgets import Busy, name, paint_apart
from app.window.workbench import Workbench


class MainWindow(QMainWindow):
    left = Signal()
    """The window closed for good. (Qt does not quit by itself when the last window was hidden before.)"""

    def __init__(self, project: Project | None = None, log_model: LogModel | None = None) -> None:
        super().__init__()
        # 3D views are native windows of their own; what stands beside them need not be.
        QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontCreateNativeWidgetSiblings)
        name(self, "Fieldwright", "MainWindow")
        self.setWindowIcon(theme.app_icon())
        self.setAcceptDrops(True)
        self.setMinimumHeight(560)  # what the panels need across is left to the layout
        self._menu_bar = QMenuBar()
        name(self._menu_bar, "Menus")
        self.bench = Workbench(project, self)
        self._closing = False
        self.home = HomePage()
        self.views = ViewArea(self.bench)
        self._busy = Busy()
        self._centre = QStackedWidget()
        for page in (self.home, self.views, self._busy):
            self._centre.addWidget(page)
        self.project_panel = ProjectPanel(self.bench)
        self.method_panel = MethodPanel(self.bench)
        self.jobs_panel = JobsPanel(self.bench)
        self.log_panel = LogPanel(log_model or LogModel(self))
        content = {
            "project": self.project_panel,
            "method": self.method_panel,
            "jobs": self.jobs_panel,
            "log": self.log_panel,
        }
        self.panels = Panels(self, content)
        self.file_acts = FileActs(self)
        self.run_acts = RunActs(self)
        self.edit_acts = EditActs(self)
        self.view_acts = ViewActs(self)
        self.path_acts = PathActs(self)
        self.pose_acts = PoseActs(self)
        self.box_acts = BoxActs(self)
        self.actions_ = Actions(self, self.file_acts, self.run_acts, self.edit_acts, self.view_acts)
        self._build_centre()
        self._build_menus()
        self._strip = StatusStrip(self.bench)
        self.setStatusBar(self._strip)
        self.setMenuWidget(MenuRow(self._menu_bar, TopCorner(self)))
        self.notices = NoticeCorner(self, (self.project_panel, self.method_panel, self._centre))
        self._connect()
        self.panels.restore()
        self.show_home() if project is None else self.show_workspace()
        self._project_replaced()

    def menuBar(self) -> QMenuBar:
        return self._menu_bar  # it shares its row with the quick actions, so Qt's own idea of it is replaced

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WinIdChange:
            # Qt makes the window anew for the first 3D view in it; native children that were there would be lost.
            QTimer.singleShot(0, self, self._paint_parts_apart)
        return super().event(event)

    def _paint_parts_apart(self) -> None:
        handle = self.windowHandle()
        if handle is not None and handle.surfaceType() == QSurface.SurfaceType.OpenGLSurface:
            self.panels.paint_apart()
            paint_apart(self._strip)
            self.notices.arrange()

    # --- building ---

    def _build_centre(self) -> None:
        """The pages, and above them what is the matter with the project."""
        offers = {
            "save": ("Save", self.file_acts.save),
            "save-as": ("Save as…", self.file_acts.save_as),
            "log": ("Show the log", lambda: self.show_panel("log")),
        }
        middle = QWidget()
        name(middle, "Centre")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.banner = ProjectBanner(self.bench, offers)
        column.addWidget(self.banner)
        column.addWidget(self._centre, 1)
        self.setCentralWidget(middle)

    def _build_menus(self) -> None:
        menus = self.actions_.menus
        menus["recent"].aboutToShow.connect(lambda: self.file_acts.fill_recent(menus["recent"]))
        self.panels.fill_menu(menus["panels"])
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
        bench.undo_changed.connect(self.edit_acts.show_undo)
        bench.edit_wanted.connect(self.view_acts.edit)
        panel.selection_changed.connect(self._selection_changed)
        panel.show_wanted.connect(self.view_acts.show_artifacts)
        panel.add_to_view_wanted.connect(self.view_acts.add_artifacts)
        panel.use_wanted.connect(self.edit_acts.use)
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
        self.method_panel.pick_wanted.connect(self.box_acts.toggled)
        self.method_panel.undo_changed.connect(self.edit_acts.show_undo)
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
        self.panels.step_aside()
        self.home.refresh()
        self._centre.setCurrentWidget(self.home)
        self.home.setFocus()

    def show_workspace(self) -> None:
        """Tree, views, method and jobs."""
        self._centre.setCurrentWidget(self.views)
        self.panels.come_back()
        self.actions_.refresh()

    def show_busy(self, text: str) -> None:
        self._busy.text.setText(text)
        self._centre.setCurrentWidget(self._busy)

    @property
    def at_home(self) -> bool:
        return self._centre.currentWidget() is self.home

    def show_panel(self, key: str) -> None:
        self.show_workspace()
        self.panels.show(key)

    def after_sync(self, act: Callable[[], object]) -> None:
        """Call ``act`` after the changes that were told so far have reached the panels."""
        QTimer.singleShot(0, lambda: QTimer.singleShot(0, act))

    # --- the project ---

    def _project_replaced(self) -> None:
        self.notices_clear()
        self.views.restore(self.bench.project.view.get("views"))
        self.refresh_title()
        self.edit_acts.show_undo()

    def notices_clear(self) -> None:
        for box in self.notices.boxes():
            box.dismiss()

    def _project_changed(self, kind: str, ids: Any) -> None:
        if kind in ("dirty", "saved", "artifacts", "runs"):
            self.refresh_title()
        if kind in ("history", "artifacts", "runs"):
            self.edit_acts.show_undo()
            self.actions_.refresh()

    def refresh_title(self) -> None:
        project = self.bench.project
        tail = " (read-only)" if project.read_only else ""
        self.setWindowTitle(f"{self.file_acts.project_name}{tail}[*] - Fieldwright")
        self.setWindowModified(bool(project.dirty))

    # --- selection and views ---

    def _selection_changed(self) -> None:
        self.method_panel.set_selection(self.project_panel.selected_artifacts())
        self.actions_.refresh()

    def _fill_view_menu(self, menu: QMenu, frame: Frame) -> None:
        menu.addAction(self.actions_["link"])
        menu.addAction(self.actions_["picture"])
        ids = frame.artifact_ids()
        if ids:
            menu.addAction(theme.icon("export"), "Export what is shown…", lambda: self.file_acts.export(ids))

    # --- layout ---

    def _keep_layout(self) -> None:
        at_home = self.at_home
        self.show_workspace()  # panels that step aside for the home page are not meant to be remembered as closed
        self.panels.keep()
        if at_home:
            self.show_home()

    def reset_layout(self) -> None:
        self.show_workspace()
        self.panels.reset()

    def full_screen(self, on: bool) -> None:
        self.showFullScreen() if on else self.showNormal()

    def _show_theme(self) -> None:
        for key, action in self._theme_actions.items():
            action.setChecked(key == settings().get("theme"))

    def _setting_changed(self, key: str) -> None:
        if key == "theme":
            self._apply_theme()

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        self.edit_acts.show_undo()

    def _apply_theme(self) -> None:
        theme.apply(QApplication.instance(), settings().get("theme"))  # type: ignore[arg-type]
        self._show_theme()

    # --- dialogs ---

    def show_palette(self) -> None:
        self.actions_.refresh()
        commands = [*commands_of(self.actions_.listed()), *self._things()]
        self.palette_dialog = CommandPalette(commands, self)
        self.palette_dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.palette_dialog.show()

    def _things(self) -> Iterator[Command]:
        """Methods, artifacts and runs for the palette."""
        bench = self.bench
        for method in bench.catalog or ():
            act = lambda key=method.key: (self.show_panel("method"), self.method_panel.open_method(key))  # noqa: E731
            yield Command(method.title, "Method", act, theme.icon("method"))
        for entry in bench.project.entries.values():
            act = lambda i=entry.id: self.view_acts.show_artifacts([i])  # noqa: E731
            run = bench.project.runs.get(entry.run or "")
            group = ("Data" if entry.role == "dataset" else "Result") if run is None else f"Result of {run.title}"
            yield Command(entry.name, group, act, theme.icon(entry.type))
        for run in bench.project.runs.values():
            act = lambda i=run.id: self.run_acts.inspect(i)  # noqa: E731
            yield Command(run.title, "Run", act, theme.icon(run.status))

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
