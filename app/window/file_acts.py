"""New, open, save, import, export: what is done with projects and files."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QBuffer, QIODevice, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QMenu

from app import theme
from app.background import run_in_background
from app.project import Project
from app.settings import settings
from app.window.requests import Note

if TYPE_CHECKING:
    from app.samples import Sample
    from app.window.main_window import MainWindow

log = logging.getLogger("fieldwright.window")
SUFFIX = ".fieldwright"
PROJECT_FILTER = f"Fieldwright projects (*{SUFFIX});;All files (*)"
THUMBNAIL = QSize(288, 192)


class FileActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.bench = window.bench
        self._autosave = QTimer(self)
        self._autosave.timeout.connect(self._save_by_itself)
        self._set_autosave()
        settings().changed.connect(self._setting_changed)

    # --- projects ---

    @property
    def project_name(self) -> str:
        path = self.bench.project.path
        return path.stem if path is not None else "Untitled"

    def new_project(self) -> None:
        def go() -> None:
            self.bench.replace(Project.new())
            self.window.show_workspace()

        self.ask_to_keep(go)

    def close_project(self) -> None:
        def go() -> None:
            self.bench.replace(Project.new())
            self.window.show_home()

        self.ask_to_keep(go)

    def open_dialog(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.window, "Open a project", settings().folder(), PROJECT_FILTER)
        if path:
            self.open_path(path)

    def open_path(self, path: str | Path) -> None:
        """Open a project file; another one that is open is offered to be saved first."""
        settings().remember_folder(path)

        def go() -> None:
            was_home = self.window.at_home
            self.window.show_busy(f"Opening {Path(path).name}")

            def failed(error: BaseException) -> None:
                self.window.show_home() if was_home else self.window.show_workspace()
                self.bench.fail(error)

            self.bench.open(path, self.window.show_workspace, failed)

        self.ask_to_keep(go)

    def ask_to_keep(self, go: Callable[[], object]) -> None:
        """Call ``go`` once what is unsaved is saved or given up; not at all when the user cancels."""
        details = self._loss()
        if not details:
            go()
            return
        from app.dialogs.save_changes import SaveChangesDialog

        dialog = SaveChangesDialog(self.project_name, self.window, details=details)

        def answered(_: int) -> None:
            if dialog.choice == "save":
                self.save(then=go)
            elif dialog.choice == "discard":
                go()

        dialog.finished.connect(answered)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _loss(self) -> str:
        """What would be lost by closing now, or ""."""
        running = sum(not j.ended for j in self.bench.queue.jobs)
        if running and settings().get("confirm_quit_with_jobs"):
            jobs = "A job is" if running == 1 else f"{running} jobs are"
            return f"{jobs} still at work and would be cancelled. A run can be resumed from its last checkpoint."
        dirty = self.bench.project.dirty and (self.bench.project.entries or self.bench.project.runs)
        return "What you did since the last save is lost if you don't save it." if dirty else ""

    # --- saving ---

    def can_save(self) -> bool:
        return not self.bench.project.read_only

    def save(self, then: Callable[[], object] | None = None) -> None:
        path = self.bench.project.path
        if path is None or self.bench.project.read_only:
            self.save_as(then)
        else:
            self._write(None, then)

    def save_as(self, then: Callable[[], object] | None = None) -> None:
        suggested = str(Path(settings().folder()) / f"{self.project_name.lower().replace(' ', '-')}{SUFFIX}")
        path, _ = QFileDialog.getSaveFileName(self.window, "Save the project", suggested, PROJECT_FILTER)
        if path:
            self.save_to(path, then)

    def save_to(self, path: str | Path, then: Callable[[], object] | None = None) -> None:
        where = Path(path)
        if where.suffix != SUFFIX:
            where = where.with_name(where.name + SUFFIX)
        settings().remember_folder(where)
        self._write(where, then)

    def _write(self, path: Path | None, then: Callable[[], object] | None) -> None:
        self.keep_view()

        def done() -> None:
            self.window.refresh_title()
            if then is not None:
                then()

        self.bench.save(path, done)

    def keep_view(self) -> None:
        """Put layout and views into the project."""
        view: dict[str, Any] = dict(self.bench.project.view)
        view["views"] = self.window.views.state()
        thumbnail = self._thumbnail()
        if thumbnail:
            view["thumbnail"] = thumbnail
        try:
            self.bench.project.set_view(view)
        except Exception:
            log.exception("the views could not be kept")

    def _thumbnail(self) -> str:
        frame = self.window.views.current
        viewers = frame.viewers() if frame is not None else []
        if not viewers or not viewers[0].isVisible():
            return ""
        try:
            pixels = viewers[0].screenshot(THUMBNAIL.width(), THUMBNAIL.height())  # type: ignore[attr-defined]
        except Exception:
            # As text: a traceback that is kept keeps a QPainter alive longer than what it paints on.
            log.warning("no thumbnail could be made:\n%s", traceback.format_exc())
            return ""
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        store = QBuffer()
        store.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(store, "JPG", 82)  # type: ignore[call-overload]
        return base64.b64encode(store.data().data()).decode()

    def _setting_changed(self, key: str) -> None:
        if key == "autosave_minutes":
            self._set_autosave()

    def _set_autosave(self) -> None:
        minutes = settings().get("autosave_minutes")
        if minutes > 0:
            self._autosave.start(minutes * 60_000)
        else:
            self._autosave.stop()

    def _save_by_itself(self) -> None:
        project = self.bench.project
        if project.dirty and project.path is not None and not project.read_only:
            self._write(None, None)

    # --- import and export ---

    def can_edit(self) -> bool:
        return not self.bench.project.read_only

    def import_data(self, paths: Sequence[str] = ()) -> None:
        from app.dialogs.import_dialog import ImportDialog

        self.window.show_workspace()
        dialog = ImportDialog(self.bench.project, list(paths), self.window)
        dialog.added.connect(self._imported)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def can_make(self) -> bool:
        return self.can_edit() and self.bench.catalog is not None

    def new_dataset(self) -> None:
        from app.dialogs.new_dataset import NewDatasetDialog

        self.window.show_workspace()
        dialog = NewDatasetDialog(self.bench.project, self.window)
        dialog.added.connect(self._imported)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _imported(self, ids: list[str]) -> None:
        self.window.after_sync(lambda: self._show_new(ids))

    def _show_new(self, ids: list[str]) -> None:
        self.window.project_panel.select(ids)
        if ids:
            self.window.views.show_artifacts(ids[:1])

    def export_selected(self) -> None:
        ids = self.window.project_panel.selected_artifacts()
        frame = self.window.views.current
        if not ids and frame is not None:
            ids = frame.artifact_ids()
        self.export(ids)

    def export(self, ids: Sequence[str]) -> None:
        if not ids:
            self.bench.notice(Note("Select what to export in the project first."))
            return
        from app.dialogs.export_dialog import ExportDialog

        dialog = ExportDialog(self.bench.project, list(ids), self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def dropped(self, paths: Sequence[str]) -> None:
        """Files were dropped on the window."""
        projects = [p for p in paths if p.endswith(SUFFIX)]
        others = [p for p in paths if not p.endswith(SUFFIX)]
        if projects:
            self.open_path(projects[0])
        elif others:
            self.import_data(others)

    # --- samples ---

    def open_sample(self, key: str, *, run: bool = False, ready: Callable[[], object] | None = None) -> None:
        """Load a sample into an empty project, show it, and open the method it suggests."""
        from app import samples

        def go() -> None:
            if self.bench.project.entries or self.bench.project.runs:
                self.bench.replace(Project.new())
            self.window.show_busy("Opening the sample")
            project = self.bench.project

            def work() -> tuple[Sample, dict[str, str]]:
                found = samples.sample(key)
                loaded = found.load()
                items = [(a, a.name, f"Sample: {found.title}") for a in loaded.values()]
                added = project.add_all(items, f"Open the sample {found.title}")
                return found, {name: entry.id for name, entry in zip(loaded, added, strict=True)}

            run_in_background(work, done=loaded, failed=self._sample_failed, owner=self)

        def loaded(found: tuple[Sample, dict[str, str]]) -> None:
            sample, ids = found
            self.window.show_workspace()
            self.window.after_sync(lambda: self._show_sample(sample, ids, run, ready))

        self.ask_to_keep(go)

    def _sample_failed(self, error: BaseException) -> None:
        self.window.show_home()
        self.bench.fail(error)

    def _show_sample(self, sample: Sample, ids: dict[str, str], run: bool, ready: Callable[[], object] | None) -> None:
        first = list(ids.values())[:1]
        self.window.project_panel.select(first)
        self.window.views.show_artifacts(first)
        inputs = {name: ids[name] for name in sample.inputs}
        self.window.run_acts.when_methods_are_there(lambda: self._suggest(sample, inputs, run, ready))

    def _suggest(self, sample: Sample, inputs: dict[str, str], run: bool, ready: Callable[[], object] | None) -> None:
        page = self.window.method_panel.open_method(sample.method)
        if page is not None:
            page.inputs.set_ids(inputs)
        if page is not None and sample.preset:
            page.form.set_preset(sample.preset)
        if page is not None and sample.params:
            page.form.set_params(sample.settings())
        if run and page is not None:
            page.run()
        if ready is not None:
            ready()

    # --- recent ---

    def fill_recent(self, menu: QMenu) -> None:
        menu.clear()
        for path in settings().recent():
            action = menu.addAction(theme.icon("project"), Path(path).name, lambda p=path: self.open_path(p))
            action.setToolTip(path)
            action.setEnabled(Path(path).exists())
        if menu.isEmpty():
            menu.addAction("Nothing yet").setEnabled(False)
