"""The project as a tree: Data, Runs, Results."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont

from app import theme
from app.project import Entry
from app.window.pane import ARTIFACT_MIME
from app.window.wording import STATUS_WORDS, age_text, count_text, duration_text, moment, size_text, time_text
from app.window.workbench import Workbench
from engines.core import Artifact

ID_ROLE = Qt.ItemDataRole.UserRole + 1
KIND_ROLE = Qt.ItemDataRole.UserRole + 2  # "section", "artifact" or "run"
MARK_ROLE = Qt.ItemDataRole.UserRole + 3  # icons at the end of the row
AnyIndex = QModelIndex | QPersistentModelIndex

SECTIONS = (("data", "Data", "data"), ("runs", "Runs", "runs"), ("results", "Results", "results"))
STATUS_ROLES = {
    "finished": "good",
    "running": "accent",
    "paused": "warn",
    "failed": "bad",
    "interrupted": "warn",
    "queued": "muted",
    "cancelled": "muted",
}


def first_fact(summary: str) -> str:
    """``"u, v on 49×49 nodes"`` of ``"u, v on 49×49 nodes, 11 times"``: single words before it belong to it."""
    found = re.match(r"(?:\w+[,;] )*.*?(?=[,;] |$)", summary, re.DOTALL)
    return found[0] if found else summary


@dataclass(eq=False)
class Node:
    kind: str
    id: str
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def row(self) -> int:
        return self.parent.children.index(self) if self.parent is not None else 0


class ProjectModel(QAbstractItemModel):
    """Two columns: the name, and a few muted words: what a dataset holds, how a run went, whose a result is."""

    rename_wanted = Signal(str, str, str)  # kind, id, name

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._root = Node("root", "")
        for key, _, _ in SECTIONS:
            self._root.children.append(Node("section", key, self._root))
        self._stale: dict[str, str] = {}
        bench.project_changed.connect(self._changed)
        bench.project_replaced.connect(self.rebuild)
        bench.current_changed.connect(self._refresh_stale)
        bench.catalog_loaded.connect(self._repaint)
        theme.signals.changed.connect(self._repaint)
        self.rebuild()

    # --- following the project ---

    def _wanted(self) -> dict[str, list[tuple[str, str]]]:
        project = self.bench.project
        entries = list(project.entries.values())
        return {
            "data": [("artifact", e.id) for e in entries if e.role == "dataset"],
            "runs": [("run", r.id) for r in project.runs.values()],
            "results": [("artifact", e.id) for e in entries if e.role == "result"],
        }

    def rebuild(self) -> None:
        self.beginResetModel()
        for section in self._root.children:
            section.children = [Node(kind, i, section) for kind, i in self._wanted()[section.id]]
        self._stale = self._find_stale()
        self.endResetModel()

    def _changed(self, kind: str, ids: Any) -> None:
        if kind in ("artifacts", "runs"):
            self.sync()

    def sync(self) -> None:
        """Insert and remove what came and went, so that selection, editing and expansion stay."""
        wanted = self._wanted()
        for row, section in enumerate(self._root.children):
            index = self.index(row, 0)
            now = wanted[section.id]
            keep = set(now)
            for at in range(len(section.children) - 1, -1, -1):
                child = section.children[at]
                if (child.kind, child.id) not in keep:
                    self.beginRemoveRows(index, at, at)
                    del section.children[at]
                    self.endRemoveRows()
            have = [(c.kind, c.id) for c in section.children]
            for at, item in enumerate(now):
                if at >= len(have) or have[at] != item:
                    if item in have:  # an undo put things in another order
                        self.rebuild()
                        return
                    self.beginInsertRows(index, at, at)
                    section.children.insert(at, Node(*item, section))
                    have.insert(at, item)
                    self.endInsertRows()
        self._stale = self._find_stale()
        self._repaint()

    def _find_stale(self) -> dict[str, str]:
        entries = self.bench.project.entries.values()
        return {e.id: reason for e in entries if e.role == "result" and (reason := self.bench.stale_reason(e))}

    def _refresh_stale(self) -> None:
        stale = self._find_stale()
        if stale != self._stale:
            self._stale = stale
            self._repaint()

    def _repaint(self) -> None:
        for row, section in enumerate(self._root.children):
            parent = self.index(row, 0)
            self.dataChanged.emit(parent, self.index(row, 1))
            if section.children:
                last = len(section.children) - 1
                self.dataChanged.emit(self.index(0, 0, parent), self.index(last, 1, parent))

    def stale_reason(self, entry_id: str) -> str:
        return self._stale.get(entry_id, "")

    # --- Qt's model ---

    def node(self, index: AnyIndex) -> Node:
        return index.internalPointer() if index.isValid() else self._root

    def index(self, row: int, column: int, parent: AnyIndex = QModelIndex()) -> QModelIndex:
        children = self.node(parent).children
        if 0 <= row < len(children) and 0 <= column < 2:
            return self.createIndex(row, column, children[row])
        return QModelIndex()

    def parent(self, index: AnyIndex = QModelIndex()) -> QModelIndex:  # type: ignore[override]
        above = self.node(index).parent if index.isValid() else None
        if above is None or above is self._root:
            return QModelIndex()
        return self.createIndex(above.row, 0, above)

    def index_of(self, item_id: str) -> QModelIndex:
        for section in self._root.children:
            for node in (section, *section.children):
                if node.id == item_id:
                    return self.createIndex(node.row, 0, node)
        return QModelIndex()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:
        return len(self.node(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:
        return 2

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        node = self.node(index)
        if node.kind == "section":
            return Qt.ItemFlag.ItemIsEnabled
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == 0 and not self.bench.project.read_only and node.kind == "artifact":
            flags |= Qt.ItemFlag.ItemIsEditable
        if node.kind == "artifact":
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node = self.node(index)
        if role == ID_ROLE:
            return node.id
        if role == KIND_ROLE:
            return node.kind
        if node.kind == "section":
            return self._section_data(node, index.column(), role)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 1:
            return QColor(theme.colors().muted)
        if role == Qt.ItemDataRole.FontRole and index.column() == 1:
            return theme.font(0.94, numbers=True)
        return self._run_data(node.id, index, role) if node.kind == "run" else self._entry_data(node.id, index, role)

    def _section_data(self, node: Node, column: int, role: int) -> Any:
        _, title, icon = next(s for s in SECTIONS if s[0] == node.id)
        if role == Qt.ItemDataRole.DisplayRole:
            return title if column == 0 else (str(len(node.children)) if node.children else "")
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return theme.icon(icon)
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(theme.colors().muted)
        if role == Qt.ItemDataRole.FontRole and column == 0:
            font = theme.font(0.94)
            font.setWeight(QFont.Weight.DemiBold)
            return font
        return None

    def _entry_data(self, entry_id: str, index: AnyIndex, role: int) -> Any:
        entry = self.bench.entry(entry_id)
        if entry is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return entry.name if index.column() == 0 else self._few_words(entry)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return theme.icon(entry.type if entry.type in theme.ICONS else "artifact")
        if role == MARK_ROLE and index.column() == 0:
            marks = ["starred:accent"] if entry.starred else []
            return marks + (["stale:warn"] if self._stale.get(entry_id) else [])
        if role == Qt.ItemDataRole.ToolTipRole:
            kind = Artifact.registry[entry.type].title if entry.type in Artifact.registry else entry.type
            run = self.bench.project.runs.get(entry.run or "")
            lines = [entry.name, f"{kind}, {entry.summary}", f"{size_text(entry.nbytes)} in memory"]
            lines += [f"Made by {run.title}" if run is not None else "", f"From {entry.origin}" if entry.origin else ""]
            lines += [f"Added {time_text(moment(entry.created))}"]
            stale = self._stale.get(entry_id)
            lines += [f"Out of date: {stale}"] if stale else []
            return "\n".join(line for line in lines if line)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            tail = ", starred" if entry.starred else ""
            return entry.name + tail + (", out of date" if self._stale.get(entry_id) else "")
        return None

    def _few_words(self, entry: Entry) -> str:
        """A result's run; of other data the first of its facts. The tooltip has them all."""
        run = self.bench.project.runs.get(entry.run or "")
        if entry.role == "result" and run is not None:
            return run.title or self.bench.method_title(run.method)
        return first_fact(entry.summary)

    def _run_data(self, run_id: str, index: AnyIndex, role: int) -> Any:
        run = self.bench.project.runs.get(run_id)
        if run is None:
            return None
        words = STATUS_WORDS.get(run.status, run.status)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            if index.column() == 0:
                return run.title or self.bench.method_title(run.method)
            return duration_text(run.seconds) if run.status == "finished" else words  # the icon says the rest
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return theme.icon(run.status, STATUS_ROLES.get(run.status, "muted"))
        if role == Qt.ItemDataRole.ToolTipRole:
            lines = [
                f"{run.title} ({self.bench.method_title(run.method)})",
                f"{words}, {duration_text(run.seconds)} on {run.device or 'no device yet'}",
                f"Preset {run.preset}, seed {run.seed}" if run.preset else f"Seed {run.seed}",
                f"Started {age_text(moment(run.started))}" if run.started else "",
                count_text(len(run.outputs), "result") if run.outputs else "",
                run.note,
            ]
            return "\n".join(line for line in lines if line)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            return f"{run.title}, {words}"
        return None

    def setData(self, index: AnyIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        text = str(value).strip()
        node = self.node(index)
        if role != Qt.ItemDataRole.EditRole or not text or text == self.data(index, role):
            return False
        self.rename_wanted.emit(node.kind, node.id, text)
        return True

    def mimeTypes(self) -> list[str]:
        return [ARTIFACT_MIME]

    def mimeData(self, indexes: Any) -> QMimeData:
        ids = dict.fromkeys(self.node(i).id for i in indexes if self.node(i).kind == "artifact")
        data = QMimeData()
        data.setData(ARTIFACT_MIME, " ".join(ids).encode())
        return data


class TreeFilter(QSortFilterProxyModel):
    """Keeps what matches the words typed; sections always stay."""

    def __init__(self) -> None:
        super().__init__()
        self._words: list[str] = []
        self._starred = False

    def set_filter(self, text: str, starred: bool = False) -> None:
        self._words, self._starred = text.lower().split(), starred
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: AnyIndex) -> bool:
        model = self.sourceModel()
        index = model.index(row, 0, parent)
        if index.data(KIND_ROLE) == "section":
            return True
        if self._starred and "starred:accent" not in (index.data(MARK_ROLE) or ()):
            return False
        text = f"{index.data()} {model.index(row, 1, parent).data()} {index.data(Qt.ItemDataRole.ToolTipRole)}".lower()
        return all(word in text for word in self._words)
