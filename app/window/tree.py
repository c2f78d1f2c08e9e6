"""The project panel: the tree with its filter, menus and keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.project import RunRecord
from app.viewers.registry import viewers_for
from app.window.requests import Note
from app.window.tree_model import ID_ROLE, KIND_ROLE, MARK_ROLE, SECTIONS, ProjectModel, TreeFilter
from app.window.widgets import EmptyState, name, tool_button
from app.window.wording import count_text
from app.window.workbench import Workbench
from engines.core import Artifact

FACTS_WIDTH, FACTS_LEAST = 136, 72
"""The second column is as wide as its words, but no wider than the first of these. Names that need more room take it
from there, down to the second."""


class _RowDelegate(QStyledItemDelegate):
    """Paints the star and the mark "out of date" at the end of a name."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # type: ignore[override]
        marks = index.data(MARK_ROLE) or []
        room = QStyleOptionViewItem(option)
        if marks:
            room.rect = option.rect.adjusted(0, 0, -18 * len(marks) - 2, 0)
            if option.state & option.state.State_Selected:
                painter.fillRect(option.rect, QColor(theme.colors().accent_soft))
        super().paint(painter, room, index)
        for position, mark in enumerate(marks):
            icon, role = mark.split(":")
            x = option.rect.right() - 18 * (len(marks) - position)
            theme.icon(icon, role).paint(painter, QRect(x, option.rect.center().y() - 7, 15, 15))

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # type: ignore[override]
        super().initStyleOption(option, index)
        if index.column() == 1:
            option.textElideMode = Qt.TextElideMode.ElideRight

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # type: ignore[override]
        hint = super().sizeHint(option, index)
        width = hint.width() + 18 * len(index.data(MARK_ROLE) or [])
        return QSize(min(width, FACTS_WIDTH) if index.column() == 1 else width, max(hint.height(), 26))


class ProjectTree(QTreeView):
    """The tree itself."""

    def __init__(self) -> None:
        super().__init__()
        name(self, "Project tree")
        self.setProperty("kind", "page")
        self.setHeaderHidden(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.setExpandsOnDoubleClick(False)
        self.setIconSize(QSize(16, 16))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setItemDelegate(_RowDelegate(self))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # runs are told apart by the number at the end

    def share_width(self) -> None:
        """Names first, then the facts beside them. Over all rows: the columns must not jump while one scrolls."""
        width, header = self.viewport().width(), self.header()
        names, facts = (max(self.sizeHintForColumn(column), 0) for column in (0, 1))
        facts = min(facts, max(width - names, FACTS_LEAST), width // 2)
        header.resizeSection(1, facts)
        header.resizeSection(0, width - facts)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.share_width()

    opened = Signal()
    removed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == QAbstractItemView.State.EditingState
        if not editing and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif not editing and event.matches(QKeySequence.StandardKey.Delete):
            self.removed.emit()
        else:
            super().keyPressEvent(event)


class ProjectPanel(QWidget):
    """What the project holds, and what can be done with it."""

    selection_changed = Signal()
    show_wanted = Signal(list, str)  # artifact ids, viewer key
    add_to_view_wanted = Signal(list)
    run_wanted = Signal(str)  # show a run
    inspect_wanted = Signal(str)
    export_wanted = Signal(list)
    use_wanted = Signal(str)  # use as input of the method
    again_wanted = Signal(str)
    resume_wanted = Signal(str)
    compare_wanted = Signal(list)
    import_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Project")
        self.bench = bench
        self.model = ProjectModel(bench)
        self._proxy = TreeFilter()
        self._proxy.setSourceModel(self.model)
        self.tree = ProjectTree()
        self.tree.setModel(self._proxy)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setResizeContentsPrecision(-1)  # all rows
        self._later = QTimer(self, singleShot=True, interval=0)  # once for a burst of changes
        self._later.timeout.connect(self.tree.share_width)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.addAction(theme.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        name(self.filter, "Filter the project")
        self.starred = tool_button("star", "Show only what has a star")
        self.starred.setCheckable(True)
        row = QHBoxLayout()
        row.setContentsMargins(8, 8, 8, 6)
        row.setSpacing(4)
        row.addWidget(self.filter, 1)
        row.addWidget(self.starred)
        row.addWidget(tool_button("import", "Import data (Ctrl+I)", self.import_wanted.emit))
        self._stack = QStackedWidget()
        self._stack.addWidget(self.tree)
        self._empty = EmptyState(
            "data",
            "The project is empty",
            "Import data, drop files here, or begin with a sample.",
            [("Import data", "import", self.import_wanted.emit), ("Open a sample", "sample", self.sample_wanted.emit)],
            compact=True,
        )
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self._stack, 1)
        self.filter.textChanged.connect(self._filter)
        self.starred.toggled.connect(self._filter)
        self.tree.doubleClicked.connect(self._open_index)
        self.tree.opened.connect(self.open_selected)
        self.tree.removed.connect(self.remove_selected)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self.tree.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())
        self.model.modelReset.connect(self._after_reset)
        self.model.rowsInserted.connect(self._after_insert)
        self.model.rowsRemoved.connect(lambda *_: self._show_empty())
        self.model.rename_wanted.connect(self._rename)
        for changed in (
            self._proxy.dataChanged, self._proxy.rowsInserted, self._proxy.rowsRemoved, self._proxy.modelReset,
            self._proxy.layoutChanged, self.tree.expanded, self.tree.collapsed, theme.signals.changed,
        ):  # fmt: skip
            changed.connect(self._share_width)
        self._after_reset()

    def _share_width(self, *_: object) -> None:  # a method, which is let go with the panel: the theme outlives it
        self._later.start()

    # --- selection ---

    def _selected(self, kind: str) -> list[str]:
        rows = self.tree.selectionModel().selectedRows(0)
        return [i.data(ID_ROLE) for i in rows if i.data(KIND_ROLE) == kind]

    def selected_artifacts(self) -> list[str]:
        return self._selected("artifact")

    def selected_runs(self) -> list[str]:
        return self._selected("run")

    def select(self, ids: list[str]) -> None:
        selection = self.tree.selectionModel()
        selection.clearSelection()
        for item in ids:
            index = self._proxy.mapFromSource(self.model.index_of(item))
            if index.isValid():
                flags = QItemSelectionModel.SelectionFlag
                selection.select(index, flags.Select | flags.Rows)
                selection.setCurrentIndex(index, flags.NoUpdate)
                self.tree.scrollTo(index)

    def _after_reset(self) -> None:
        self.tree.expandAll()
        self._show_empty()
        self.selection_changed.emit()

    def _after_insert(self, parent: QModelIndex, first: int, last: int) -> None:
        self.tree.expand(self._proxy.mapFromSource(parent))
        self._show_empty()

    def _show_empty(self) -> None:
        project = self.bench.project
        empty = not project.entries and not project.runs
        self._stack.setCurrentWidget(self._empty if empty else self.tree)

    def _filter(self) -> None:
        self._proxy.set_filter(self.filter.text(), self.starred.isChecked())
        self.tree.expandAll()

    # --- acts ---

    def _open_index(self, index: QModelIndex) -> None:
        index = index.siblingAtColumn(0)
        kind, item = index.data(KIND_ROLE), index.data(ID_ROLE)
        if kind == "artifact":
            self.show_wanted.emit([item], "")
        elif kind == "run":
            self.inspect_wanted.emit(item)
        else:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def open_selected(self) -> None:
        artifacts, runs = self.selected_artifacts(), self.selected_runs()
        if artifacts:
            self.show_wanted.emit(artifacts, "")
        elif runs:
            self.inspect_wanted.emit(runs[0])

    def rename_selected(self) -> None:
        index = self.tree.currentIndex().siblingAtColumn(0)
        if index.data(KIND_ROLE) == "artifact":
            self.tree.edit(index)

    def _rename(self, kind: str, item: str, text: str) -> None:
        # Not inside the delegate's commit: the change comes back to the model while the editor closes.
        QTimer.singleShot(0, lambda: self.bench.project.rename(item, text))

    def star_selected(self) -> None:
        chosen = [e for i in self.selected_artifacts() if (e := self.bench.entry(i)) is not None]
        lit = not all(e.starred for e in chosen)
        for entry in chosen:
            self.bench.project.star(entry.id, lit)

    def remove_selected(self) -> None:
        """Remove at once; undo brings back."""
        project = self.bench.project
        artifacts = self.selected_artifacts()
        runs = [r for r in self.selected_runs() if (j := self.bench.job_of(r)) is None or j.ended]
        if not artifacts and not runs:
            return
        if artifacts:
            project.remove(artifacts)
        for run in runs:
            project.remove_run(run)
        parts = [count_text(len(artifacts), "artifact")] if artifacts else []
        parts += [count_text(len(runs), "run")] if runs else []
        self.bench.notice(Note(f"Removed {' and '.join(parts)}", button="Undo", act=project.history.undo))

    # --- the menu ---

    def _show_menu(self, at: QPoint) -> None:
        menu = self.menu()
        if not menu.isEmpty():
            menu.popup(self.tree.viewport().mapToGlobal(at))

    def menu(self) -> QMenu:
        """The context menu of the selection."""
        menu = QMenu(self)
        name(menu, "Context menu of the project")
        artifacts, runs = self.selected_artifacts(), self.selected_runs()

        def add(text: str, icon: str, act: Callable[[], object], keys: str = "") -> None:
            action = menu.addAction(theme.icon(icon), text, act)
            if keys:
                action.setShortcut(QKeySequence(keys))

        if artifacts:
            self._artifact_menu(menu, add, artifacts)
        elif runs:
            self._run_menu(add, runs)
        else:
            add("Import data…", "import", self.import_wanted.emit, "Ctrl+I")
            add("Open a sample", "sample", self.sample_wanted.emit)
        return menu

    def _artifact_menu(self, menu: QMenu, add: Callable[..., None], ids: list[str]) -> None:
        add("Show" if len(ids) == 1 else "Show together", "show", lambda: self.show_wanted.emit(ids, ""), "Return")
        entry = self.bench.entry(ids[0])
        kinds = viewers_for(Artifact.registry[entry.type]) if entry and entry.type in Artifact.registry else []
        if len(ids) == 1 and len(kinds) > 1:
            inner = menu.addMenu("Show as")
            for spec in kinds:
                inner.addAction(theme.icon(spec.icon), spec.title, lambda k=spec.key: self.show_wanted.emit(ids, k))
        add("Add to the current view", "layers", lambda: self.add_to_view_wanted.emit(ids))
        if len(ids) == 1:
            add("Use as input", "method", lambda: self.use_wanted.emit(ids[0]))
            if entry is not None and entry.run and entry.run in self.bench.project.runs:
                add("Show the run it came from", "runs", lambda: self.inspect_wanted.emit(entry.run))
        menu.addSeparator()
        add("Export…", "export", lambda: self.export_wanted.emit(ids), "Ctrl+E")
        if len(ids) == 1:
            add("Rename", "rename", self.rename_selected, "F2")
        lit = all(e.starred for i in ids if (e := self.bench.entry(i)) is not None)
        add("Remove the star" if lit else "Add a star", "star", self.star_selected)
        menu.addSeparator()
        add("Remove", "remove", self.remove_selected, "Del")

    def _run_menu(self, add: Callable[..., None], ids: list[str]) -> None:
        runs = [r for i in ids if (r := self.bench.project.runs.get(i)) is not None]
        if len(runs) >= 2:
            words = "Compare the two runs" if len(runs) == 2 else "Compare the runs"
            add(words, "compare", lambda: self.compare_wanted.emit(ids))
        if len(runs) == 1:
            run = runs[0]
            add("Show in 3D and slices", "show", lambda: self.run_wanted.emit(run.id))
            add("Provenance", "info", lambda: self.inspect_wanted.emit(run.id), "Return")
            if resumable(run, self.bench):
                add("Resume", "resume", lambda: self.resume_wanted.emit(run.id))
            add("Run again with these settings", "again", lambda: self.again_wanted.emit(run.id))
        add("Remove", "remove", self.remove_selected, "Del")

    @property
    def sections(self) -> tuple[str, ...]:
        return tuple(title for _, title, _ in SECTIONS)


def resumable(run: RunRecord, bench: Workbench) -> bool:
    """Whether a run can go on from its last checkpoint."""
    job = bench.job_of(run.id)
    return (
        run.status in ("interrupted", "cancelled", "failed", "paused")
        and run.has_checkpoint
        and (job is None or job.ended)
    )
