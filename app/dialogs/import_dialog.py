"""Import files: read them in the background, look at what they hold, choose how to add them, add them in one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.dialogs.adding import add_together
from app.dialogs.frame import Dialog, ask_open_folder, ask_open_paths, column, size_text
from app.dialogs.import_item import KEEP, ImportItem, together
from app.dialogs.import_page import ImportPage
from app.dialogs.notice import Notice
from app.dialogs.preview import Factory, PreviewPane
from app.settings import settings
from app.viewers.registry import Shown, create

if TYPE_CHECKING:
    from app.project import Project

STATUS = {
    "reading": ("time", "muted", "Reading…"),
    "preparing": ("time", "muted", "Preparing…"),
    "ready": ("ok", "good", "Ready"),
    "refused": ("error", "bad", "Cannot be added"),
    "cancelled": ("cancel", "muted", "Cancelled"),
}
EMPTY = "Drop files here or folders of photos, or choose Add files.\n\nNothing is added before you have seen it."


class FileList(QListWidget):
    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Delete):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


class ImportDialog(Dialog):
    """``added(ids)`` after the artifacts are in the project, which is one step of undo."""

    added = Signal(list)

    def __init__(
        self,
        project: Project,
        paths: Sequence[str | Path] = (),
        parent: QWidget | None = None,
        *,
        viewer_factory: Factory = create,
    ) -> None:
        super().__init__("import_dialog", "Import", parent, (1180, 760))
        self.project = project
        self.setAcceptDrops(True)
        self.items: list[ImportItem] = []
        self._pages: dict[ImportItem, ImportPage] = {}
        self._filters = "All files (*)"
        self._empty_text = EMPTY
        self._adding = False
        self.body.setContentsMargins(0, 0, 0, 0)

        self.files = FileList(objectName="import_files")
        self.files.setAccessibleName("Files")
        self.files.setIconSize(QSize(18, 18))
        self.files.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.files.currentRowChanged.connect(lambda _: self._select())
        left = column("Files", self.files)
        self.preview = PreviewPane(EMPTY, factory=viewer_factory)
        self.preview.stopped.connect(self._stop)
        middle = QFrame()
        middle.setProperty("kind", "panel")
        centre = QVBoxLayout(middle)
        centre.setContentsMargins(12, 12, 12, 12)
        centre.addWidget(self.preview)
        self.stack = QStackedWidget(objectName="import_pages")
        self._nothing = QLabel("What a file holds appears here.", wordWrap=True)
        self._nothing.setProperty("tone", "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack.addWidget(self._nothing)
        right = column("", self.stack)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        for widget, width, stretch in ((left, 232, 0), (middle, 600, 1), (right, 348, 0)):
            split.addWidget(widget)
            widget.setMinimumWidth(min(width, 300))
            split.setStretchFactor(split.indexOf(widget), stretch)
        split.setSizes([232, 600, 348])
        self.body.addWidget(split, 1)
        self.notice = Notice("import_notice")
        self.body.addWidget(self.notice)

        self.files_button = self.add_button("Add &files…", self.choose_files, left=True, icon="add")
        self.folder_button = self.add_button("Add f&older…", self.choose_folder, left=True, icon="add")
        self.folder_button.setToolTip("A folder of photos: with their cameras (COLMAP, nerfstudio or LLFF), or alone.")
        self.remove_button = self.add_button("Remove from list", self.remove_current, "quiet", left=True)
        self.cancel_button = self.add_button("Cancel", self.reject)
        self.add_button_ = self.add_button("&Add", self.add, "primary")
        self.files.delete_pressed.connect(self.remove_current)
        run_in_background(_file_filters, done=self._know_filters, failed=lambda _: None, owner=self)
        self.add_files(paths)
        self._select()
        self._refresh()

    # files -------------------------------------------------------------------------------------------

    def _know_filters(self, filters: str) -> None:
        self._filters = filters
        patterns = filters.split(")")[0].split("(")[1].split()
        names = sorted({p[2:].upper() for p in patterns if p.startswith("*.")})
        self._empty_text = f"{EMPTY}\n\nKnown formats: {', '.join(names)}."
        if self.current is None:
            self._select()

    def choose_files(self) -> None:
        self.add_files(ask_open_paths(self, "Import files", self._filters))

    def choose_folder(self) -> None:
        self.add_files(ask_open_folder(self, "Import a folder"))

    def add_files(self, paths: Sequence[str | Path]) -> None:
        """Put files on the list and begin to read them. Those that are there already are passed over.

        Several pictures from one folder are one entry, as photos of one scene.
        """
        single, groups = together([Path(path) for path in paths])
        for folder, files in groups.items():
            self._list(ImportItem(folder, self, tuple(files)))
        for path in single:
            if not any(item.path == path and not item.parts for item in self.items):
                self._list(ImportItem(path, self))
        if paths:
            settings().remember_folder(paths[0])
            if self.files.currentRow() < 0:
                self.files.setCurrentRow(0)
        self._refresh()

    def _list(self, item: ImportItem) -> None:
        item.changed.connect(lambda: self._item_changed(item))
        item.progressed.connect(lambda f, text: self._progress(item, f, text))
        self.items.append(item)
        QListWidgetItem(self.files).setToolTip(str(item.path))
        item.read()

    def _separate(self, item: ImportItem) -> None:
        """Pictures that were taken for photos of one scene are listed one by one."""
        self.files.setCurrentRow(self.items.index(item))
        self.remove_current()
        for path in item.parts:
            self._list(ImportItem(path, self))
        self.files.setCurrentRow(len(self.items) - len(item.parts))
        self._refresh()

    def remove_current(self) -> None:
        row = self.files.currentRow()
        if row < 0:
            return
        item = self.items.pop(row)
        item.cancel()
        page = self._pages.pop(item, None)
        if page is not None:
            self.stack.removeWidget(page)
            page.deleteLater()
        self.files.takeItem(row)
        item.deleteLater()
        self._select()
        self._refresh()

    @property
    def current(self) -> ImportItem | None:
        row = self.files.currentRow()
        return self.items[row] if 0 <= row < len(self.items) else None

    def page(self) -> ImportPage | None:
        """The page of the file on show."""
        return self._pages.get(self.current) if self.current is not None else None

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.add_files([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    # showing -----------------------------------------------------------------------------------------

    def _select(self) -> None:
        item = self.current
        if item is None:
            self.stack.setCurrentWidget(self._nothing)
            self.preview.show_progress(None)
            self.preview.show_nothing(self._empty_text, "import")
            self.remove_button.setEnabled(False)
            return
        self.remove_button.setEnabled(True)
        if item not in self._pages:
            page = ImportPage(item, self)
            page.renamed.connect(self._refresh)
            page.separated.connect(lambda: QTimer.singleShot(0, lambda: self._separate(item)))
            self._pages[item] = page
            self.stack.addWidget(page)
        self.stack.setCurrentWidget(self._pages[item])
        self._show_preview(item)

    def _item_changed(self, item: ImportItem) -> None:
        if item is self.current:
            self._show_preview(item)
        self._refresh()

    def _stop(self) -> None:
        if self.current is not None:
            self.current.cancel()

    def _progress(self, item: ImportItem, fraction: float, text: str) -> None:
        if item is self.current and item.state in ("preparing", "reading"):
            self.preview.show_progress(fraction, f"{text}…" if text else "")

    def _show_preview(self, item: ImportItem) -> None:
        key = str(self.items.index(item)) if item in self.items else ""
        if item.state == "reading":
            size = f", {size_text(item.file_bytes)}" if item.file_bytes else ""
            self.preview.show_progress(-1.0)
            self.preview.show_nothing(f"Reading {item.path.name}{size}…")
            return
        if item.source is None:
            self.preview.show_progress(None)
            what = "There is nothing to show. The reason is on the right." if item.error else "Reading was cancelled."
            self.preview.show_nothing("There is a question to answer on the right." if item.asks else what)
            return
        if item.state == "preparing":
            self.preview.show_progress(-1.0, "Preparing…")
            if self.preview.shown and self.preview.shown[0].id.startswith(f"{key}:"):
                return  # the last contours stay until the new ones are there
        else:
            self.preview.show_progress(None)
        shown: list[Shown] = []
        ghosts = set()
        prepared = item.plan != KEEP and item.answer is not None
        if prepared:
            shown = [Shown(f"{key}:{name}", f"{item.name} {name}".strip(), a) for name, a in item.outputs().items()]
            ghosts = {s.id for s in shown[1:]}
        source = item.source
        if not any(type(source) is type(s.artifact) for s in shown):
            shown.append(Shown(f"{key}:source", item.name, source))
        if item.plan == KEEP and (several := item.together):
            shown = [Shown(f"{key}:{i}", a.name or f"Part {i + 1}", a) for i, a in enumerate(several)]
        parts = shown if not prepared and item.plan == KEEP else shown[:1] if prepared else []
        status = "; ".join(s.artifact.summary() for s in parts) or source.summary()
        if item.state == "preparing":
            status = "Preparing…"
        self.preview.show_items(shown, status, ghosts)

    def _refresh(self) -> None:
        for row, item in enumerate(self.items):
            icon, role, text = STATUS[item.state]
            if item.state == "ready" and item.problems:
                icon, role, text = "warning", "warn", "Ready, with problems"
            elif item.asks:
                icon, role, text = "warning", "warn", "Has a question"
            entry = self.files.item(row)
            if entry is not None:
                name = f"{len(item.parts)} photos of {item.path.name}" if item.parts else item.path.name
                entry.setText(f"{name}\n{text}")
                entry.setIcon(theme.icon(icon, role))
                entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{name}, {text}")
        ready = [item for item in self.items if item.state == "ready"]
        busy = [item for item in self.items if item.state in ("reading", "preparing")]
        count = len(ready)
        self.add_button_.setEnabled(count > 0 and not busy)
        total = len(self.items)
        self.add_button_.setText(_add_text(count, total))
        why = ""
        if busy:
            why = f"{busy[0].path.name} is still {'being read' if busy[0].state == 'reading' else 'being prepared'}."
        elif not count:
            why = "There is nothing yet that can be added."
        self.add_button_.setToolTip(why)
        self.remove_button.setEnabled(self.current is not None)

    # adding ------------------------------------------------------------------------------------------

    def add(self) -> None:
        """Add all that is ready to the project."""
        ready = [item for item in self.items if item.state == "ready"]
        additions = [a for item in ready for a in item.additions()]
        if not additions:
            return
        label = f"Import {ready[0].path.name}" if len(ready) == 1 else f"Import {len(ready)} files"
        self._adding = True
        self.preview.can_stop = False
        self.setEnabled(False)
        self.preview.show_progress(-1.0, "Adding to the project…")
        run_in_background(
            add_together, self.project, additions, label, done=self._added, failed=self._not_added, owner=self
        )

    def _added(self, ids: list[str]) -> None:
        self._adding = False
        self.setEnabled(True)
        self.added.emit(ids)
        self.accept()

    def _not_added(self, error: BaseException) -> None:
        self._adding = False
        self.preview.can_stop = True
        self.setEnabled(True)
        self.preview.show_progress(None)
        self.notice.say_error(error)

    def reject(self) -> None:
        if not self._adding:  # a step that is half way can be undone, not stopped
            super().reject()

    def done(self, result: int) -> None:
        for item in self.items:
            item.blockSignals(True)
            item.cancel()
        self.preview.close_viewers()
        super().done(result)


def _add_text(ready: int, total: int) -> str:
    if total < 2 or not ready:
        return "&Add"
    return f"&Add {total} files" if ready == total else f"&Add {ready} of {total} files"


def _file_filters() -> str:
    from engines.files import READERS

    every = sorted({p for reader in READERS.values() for p in reader.patterns})
    lines = [f"All known files ({' '.join(every)})"]
    lines += [f"{r.title} ({' '.join(r.patterns)})" for r in READERS.values() if r.patterns]
    return ";;".join([*lines, "All files (*)"])
