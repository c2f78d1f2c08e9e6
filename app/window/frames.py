"""What a tab of the view area holds: artifacts in a viewer, a run, a comparison, an inspector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app import theme
from app.background import Task
from app.project import Entry
from app.viewers.registry import VIEWERS, Shown, ViewerSpec, viewers_for
from app.window.edit_chain import EditChain, keep_edits
from app.window.widgets import Busy, EmptyState, name
from app.window.workbench import Workbench
from engines.core import Artifact, Params, UserError

log = logging.getLogger("fieldwright.window")
BUSY_AFTER_MS = 150


class Frame(QWidget):
    """The content of one tab. Subclasses register themselves under their ``kind`` to be restorable."""

    kind = ""
    kinds: ClassVar[dict[str, type[Frame]]] = {}
    title_changed = Signal()
    layers_changed = Signal()
    """Which viewers there are has changed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.kind:
            Frame.kinds[cls.kind] = cls

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self.setMinimumSize(160, 120)

    def title(self) -> str:
        return ""

    def icon(self) -> QIcon:
        return theme.icon("view")

    def key(self) -> str:
        """Frames with the same key show the same thing."""
        return ""

    def viewers(self) -> list[QWidget]:
        """The viewers in it, the main one first."""
        return []

    def choices(self) -> list[ViewerSpec]:
        """Other ways to show the same."""
        return []

    def activate(self) -> None:
        """The tab became visible: load what it shows."""

    def accepts(self, ids: Sequence[str]) -> bool:
        """Whether these artifacts can be shown in it too."""
        return False

    def add(self, ids: Sequence[str]) -> None:
        pass

    def artifact_ids(self) -> list[str]:
        return []

    def project_changed(self, kind: str, ids: Any) -> None:
        """Something of the project changed."""

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def restored(cls, bench: Workbench, state: Mapping[str, Any]) -> Frame | None:
        """A frame from :meth:`state`, or None when what it showed is gone."""
        return None

    def release(self) -> None:
        """Free what it holds; it is deleted next."""
        for viewer in self.viewers():
            viewer.close()


def common_viewers(types: Sequence[type[Artifact]]) -> list[ViewerSpec]:
    """Viewers that can show all of these together, the most telling first."""
    if not types:
        return []
    found = [s for t in dict.fromkeys(types) for s in viewers_for(t)]
    fits = [
        spec
        for spec in dict.fromkeys(found)
        if all(spec.shows(t, overlay=True) for t in types) and any(spec.shows(t) for t in types)
    ]
    if len(set(types)) > 1 and any(s.key == "scene" for s in fits):
        fits.sort(key=lambda s: s.key != "scene")  # several kinds of things belong together in space
    return fits


class ArtifactFrame(Frame):
    """One or more artifacts of the project in one viewer, as layers."""

    kind = "artifacts"

    def __init__(
        self, bench: Workbench, ids: Sequence[str], viewer_key: str = "", state: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(bench)
        self._ids = list(ids)
        self._key = viewer_key or self._default_key()
        self._pending: dict[str, Any] | None = dict(state) if state else None
        self._viewer: QWidget | None = None
        self._loaded: dict[str, Artifact] = {}
        self._task: Task | None = None
        self._edits = EditChain()
        self._waiting: list[Callable[[Any], object]] = []
        self._busy_timer = QTimer(self, singleShot=True, interval=BUSY_AFTER_MS)
        self._stack = QStackedWidget()
        self._blank, self._busy = QWidget(), Busy("Loading")
        for page in (self._blank, self._busy):
            self._stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self._busy_timer.timeout.connect(lambda: self._stack.setCurrentWidget(self._busy))
        name(self, f"View of {self.title()}", "ArtifactFrame")

    # --- what it shows ---

    def _types(self, ids: Sequence[str] | None = None) -> list[type[Artifact]]:
        entries = [self.bench.entry(i) for i in (self._ids if ids is None else ids)]
        return [Artifact.registry[e.type] for e in entries if e is not None and e.type in Artifact.registry]

    def _default_key(self) -> str:
        fits = common_viewers(self._types())
        return fits[0].key if fits else ""

    def choices(self) -> list[ViewerSpec]:
        return common_viewers(self._types())

    @property
    def viewer_key(self) -> str:
        return self._key

    def set_viewer(self, key: str) -> None:
        """Show the same artifacts in another viewer."""
        if key != self._key and key in VIEWERS:
            self._drop_viewer()
            self._key, self._pending = key, None
            self.activate()

    def title(self) -> str:
        entries = [e for e in map(self.bench.entry, self._ids) if e is not None]
        if not entries:
            return "Empty view"
        more = f" + {len(entries) - 1}" if len(entries) > 1 else ""
        return f"{entries[0].name}{more}"

    def icon(self) -> QIcon:
        spec = VIEWERS.get(self._key)
        return theme.icon(spec.icon if spec else "view")

    def key(self) -> str:
        return f"{self._key}:{','.join(sorted(self._ids))}"

    def viewers(self) -> list[QWidget]:
        return [self._viewer] if self._viewer is not None else []

    def artifact_ids(self) -> list[str]:
        return list(self._ids)

    def accepts(self, ids: Sequence[str]) -> bool:
        spec = VIEWERS.get(self._key)
        types = self._types(ids)
        return spec is not None and bool(types) and all(spec.shows(t, overlay=True) for t in types)

    def add(self, ids: Sequence[str]) -> None:
        new = [i for i in ids if i not in self._ids]
        if new:
            self._ids += new
            self.title_changed.emit()
            self.activate()

    # --- loading ---

    def activate(self) -> None:
        missing = [i for i in self._ids if i not in self._loaded and self.bench.entry(i) is not None]
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if missing:
            self._busy.text.setText(f"Loading {self.title()}")
            self._busy_timer.start()
            self._task = self.bench.load(missing, self._arrived, self._failed, owner=self)
        else:
            self._arrived({})

    def _arrived(self, found: dict[str, Artifact]) -> None:
        self._busy_timer.stop()
        self._task = None
        self._loaded |= found
        shown = [
            Shown(self._edits.shown_as(i), entry.name, self._loaded[i])
            for i in self._ids
            if (entry := self.bench.entry(i)) is not None and i in self._loaded
        ]
        spec = VIEWERS.get(self._key)
        if not shown or spec is None:
            self._show_page(
                EmptyState("view", "Nothing to show", "What was here is no longer in the project. Undo brings it back.")
            )
            return
        made = self._viewer is None
        if self._viewer is None:
            try:
                self._viewer = spec.create(self)
            except Exception as error:
                self._failed(error)
                raise
            self._stack.addWidget(self._viewer)
            keep_edits(self._viewer, self._edit, self.bench)
        self._viewer.show_artifacts(shown)  # type: ignore[attr-defined]
        if self._pending:
            self._viewer.restore(self._pending)  # type: ignore[attr-defined]
            self._pending = None
        self._stack.setCurrentWidget(self._viewer)
        if made:
            self.layers_changed.emit()
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act(self._viewer)

    def when_shown(self, act: Callable[[Any], object]) -> None:
        """Call ``act`` with the viewer as soon as it shows what it is to show."""
        if self._viewer is not None and self._task is None:
            act(self._viewer)
        else:
            self._waiting.append(act)

    def _edit(self, shown_id: str, params: Params) -> None:
        """Somebody edited in the viewer what it shows under this id: the edited one takes its place here."""
        entry_id = next((i for i in self._ids if self._edits.shown_as(i) == shown_id), shown_id)

        def done(entry: Entry) -> None:
            self._ids = self._edits.replaced(self._ids, entry_id, entry.id)
            self._loaded.pop(entry_id, None)
            self.title_changed.emit()
            self.activate()

        def failed(error: BaseException) -> None:
            if self._viewer is not None:
                self._viewer.edit_failed()  # type: ignore[attr-defined]
            self.bench.fail(error)

        self.bench.edit(entry_id, params, done, failed)

    def _failed(self, error: BaseException) -> None:
        self._busy_timer.stop()
        self._task = None
        text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        log.warning("%s could not be shown: %s", self.title(), error, exc_info=error)
        self._show_page(
            EmptyState("error", f"{self.title()} cannot be shown", text, [("Try again", "again", self._retry)])
        )

    def _retry(self) -> None:
        self._drop_viewer()
        self.activate()

    def _show_page(self, page: QWidget) -> None:
        self._drop_viewer(keep_state=True)
        self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)

    def _drop_viewer(self, keep_state: bool = False) -> None:
        while self._stack.count() > 2:
            widget = self._stack.widget(2)
            if widget is self._viewer and self._viewer is not None:
                if keep_state:
                    self._pending = self._viewer_state()
                self._viewer.close()
                self._viewer = None
            self._stack.removeWidget(widget)
            widget.deleteLater()

    def _viewer_state(self) -> dict[str, Any]:
        try:
            return dict(self._viewer.state())  # type: ignore[union-attr]
        except Exception:
            log.exception("the state of a view could not be read")
            return {}

    def project_changed(self, kind: str, ids: Any) -> None:
        if kind != "artifacts":
            return
        before, self._ids = self._ids, self._edits.followed(self._ids, lambda i: self.bench.entry(i) is not None)
        self.title_changed.emit()
        gone = [i for i in self._ids if self.bench.entry(i) is None and i in self._loaded]
        back = [i for i in self._ids if self.bench.entry(i) is not None and i not in self._loaded]
        for i in [*gone, *(i for i in before if i not in self._ids)]:
            self._loaded.pop(i, None)
        renamed = self._viewer is not None and bool(set(ids or ()) & set(self._ids))
        if (gone or back or renamed or before != self._ids) and self.isVisible():
            self.activate()

    # --- keeping ---

    def state(self) -> dict[str, Any]:
        inner = self._viewer_state() if self._viewer is not None else (self._pending or {})
        return {"kind": self.kind, "viewer": self._key, "artifacts": list(self._ids), "state": inner}

    @classmethod
    def restored(cls, bench: Workbench, state: Mapping[str, Any]) -> Frame | None:
        ids = [i for i in state.get("artifacts", ()) if isinstance(i, str) and bench.entry(i) is not None]
        key = state.get("viewer", "")
        inner = state.get("state")
        if not ids or key not in VIEWERS:
            return None
        return cls(bench, ids, key, inner if isinstance(inner, Mapping) else None)

    def release(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._drop_viewer()


Factory = Callable[[Workbench, Mapping[str, Any]], Frame | None]
