"""A run in two views side by side: its inputs, and what it gives or would give by now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QIcon, QShowEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget
from shiboken6 import isValid

from app import theme
from app.jobs import Job
from app.settings import settings
from app.viewers import saved_state
from app.viewers.links import TimeLink
from app.viewers.registry import VIEWERS, create
from app.window.frames import Frame
from app.window.requests import Note
from app.window.run_sides import DRAWN, Side, sides
from app.window.widgets import EmptyState, name
from app.window.workbench import Workbench
from engines.core import Artifact

log = logging.getLogger("fieldwright.window")


class RunFrame(Frame):
    """Follows a job while it runs, and shows the results once they are in the project."""

    kind = "run"

    def __init__(self, bench: Workbench, run_id: str, state: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench)
        self.run_id = run_id
        self._pending = dict(state or {})
        self._inputs: dict[str, Artifact] = {}
        self._outputs: dict[str, Artifact] = {}
        self._loaded_ids: tuple[str, ...] = ()
        self._loading = False
        self._watching: Job | None = None
        self._views: dict[str, QWidget] = {}
        self._shown: tuple[QWidget | None, QWidget | None] = (None, None)
        name(self, f"Run {self.title()}", "RunFrame")
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.setChildrenCollapsible(False)
        self._left, self._right = QStackedWidget(), QStackedWidget()
        self._wait = EmptyState("view", "Nothing to see yet", "It appears with the first preview.", compact=True)
        self._right.addWidget(self._wait)
        for side in (self._left, self._right):
            side.setMinimumWidth(120)
            self._split.addWidget(side)
        self._split.setSizes(self._saved_sizes())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._split)
        self._times = TimeLink(self)
        self._bridge = bench.bridge
        self._bridge.previewed.connect(self._previewed)
        self._bridge.finished.connect(self._ended)

    def _saved_sizes(self) -> list[int]:
        return saved_state.sizes_in(self._pending.get("sizes")) or [520, 480]

    # --- what it is ---

    @property
    def job(self) -> Job | None:
        return self.bench.job_of(self.run_id)

    def title(self) -> str:
        record = self.bench.project.runs.get(self.run_id)
        job = self.job
        words = record.title if record is not None else (job.title if job is not None else "Run")
        return f"{words} · live" if job is not None and not job.ended else words

    def icon(self) -> QIcon:
        job = self.job
        return theme.icon("running", "accent") if job is not None and not job.ended else theme.icon("scene")

    def key(self) -> str:
        return f"run:{self.run_id}"

    def viewers(self) -> list[QWidget]:
        return [v for v in self._shown if v is not None]

    def artifact_ids(self) -> list[str]:
        record = self.bench.project.runs.get(self.run_id)
        return list(record.outputs.values()) if record is not None else []

    # --- showing ---

    def activate(self) -> None:
        job = self.job
        if job is not None and not job.ended:
            method = self.bench.method(job.spec.method)
            needed = {s.name for s in method.inputs if not s.optional} if method is not None else set(job.spec.inputs)
            self._inputs = {k: a for k, a in job.spec.inputs.items() if k in needed}
            self._outputs = dict(job.latest_preview or {})
            self._watch(job)
            self._show()
        else:
            self._load()

    def _watch(self, job: Job | None) -> None:
        """Previews are made only while somebody looks."""
        if self._watching is not None and self._watching is not job:
            self._watching.watch_preview(False)
        self._watching = job
        if job is not None:
            job.watch_preview(self.isVisible() and settings().get("live_preview"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._watch(self._watching)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._watching is not None:
            self._watching.watch_preview(False)

    def _previewed(self, job_id: str) -> None:
        job = self.job
        if job is None or job.id != job_id or job.outputs or not self.isVisible():
            return  # a preview that comes after the result is older
        self._outputs = dict(job.latest_preview or {})
        self._show()

    def _ended(self, job_id: str) -> None:
        job = self.job
        if job is None or job.id != job_id:
            return
        self._watch(None)
        self.title_changed.emit()
        if job.outputs:
            self._outputs = dict(job.outputs)
            self._show()

    def project_changed(self, kind: str, ids: Any) -> None:
        if kind not in ("runs", "artifacts"):
            return
        self.title_changed.emit()
        job = self.job
        if (job is None or job.ended) and self.isVisible():
            self._load()

    def _load(self) -> None:
        """Show what the project holds of the run."""
        record = self.bench.project.runs.get(self.run_id)
        if record is None or self._loading:
            return
        method = self.bench.method(record.method)
        optional = {s.name for s in method.inputs if s.optional} if method is not None else set()
        inputs = {k: i for k, i in record.inputs.items() if k not in optional and self.bench.entry(i) is not None}
        outputs = {k: i for k, i in record.outputs.items() if self._drawable(i)}
        ids = (*inputs.values(), *outputs.values())
        if not ids or ids == self._loaded_ids:
            return
        self._loading = True

        def done(found: dict[str, Artifact]) -> None:
            self._loading = False
            self._loaded_ids = ids
            self._inputs = {k: found[i] for k, i in inputs.items()}
            self._outputs = {k: found[i] for k, i in outputs.items()}
            self._show()

        def failed(error: BaseException) -> None:
            self._loading = False
            self.bench.fail(error)

        self.bench.load(ids, done, failed, owner=self)

    def _drawable(self, entry_id: str) -> bool:
        entry = self.bench.entry(entry_id)
        kind = Artifact.registry.get(entry.type) if entry is not None else None
        return kind is not None and issubclass(kind, DRAWN)

    def _show(self) -> None:
        left, right = sides(self._inputs, self._outputs)
        self._fill(left, 0)
        self._left.setVisible(bool(left.items) or not right.items)
        # In a turn of its own, so that events come between the two: each takes some 20 ms.
        QTimer.singleShot(0, self, self._show_right)

    def _show_right(self) -> None:
        _, right = sides(self._inputs, self._outputs)
        self._fill(right, 1)
        job = self.job
        self._right.setVisible(bool(right.items) or (job is not None and not job.ended))

    def _fill(self, side: Side, place: int) -> None:
        if not side.items:
            return
        stack = (self._left, self._right)[place]
        slot = side.slot
        if slot not in self._views:
            self._views[slot] = create(side.viewer, self)
            stack.addWidget(self._views[slot])
            if hasattr(self._views[slot], "edit_elsewhere"):
                self._views[slot].edit_elsewhere(self._edit_elsewhere)  # type: ignore[attr-defined]
        view = self._views[slot]
        stack.setCurrentWidget(view)
        view.show_artifacts(side.items)  # type: ignore[attr-defined]
        self._restore(slot, view)
        if self._shown[place] is not view:
            self._shown = (view, self._shown[1]) if place == 0 else (self._shown[0], view)
            self._times.link([v for v in self._shown if v is not None and hasattr(v, "time_moved")])
            self.layers_changed.emit()

    def _edit_elsewhere(self, shown_id: str) -> None:
        """What a run gave stays what it is: it is edited in a view of its own."""
        record = self.bench.project.runs.get(self.run_id)
        place, _, key = shown_id.partition("/")
        entry_id = (record.outputs if place == "out" else record.inputs).get(key) if record is not None else None
        if entry_id is not None and self.bench.entry(entry_id) is not None:
            self.bench.edit_wanted.emit(entry_id)
        else:
            self.bench.notice(Note("This can be edited once the run has ended and its result is in the project."))

    def _restore(self, key: str, viewer: QWidget) -> None:
        saved = self._pending.pop(key, None)
        if isinstance(saved, Mapping):
            viewer.restore(dict(saved))  # type: ignore[attr-defined]

    # --- keeping ---

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.kind, "run": self.run_id, "sizes": self._split.sizes()}
        found |= {key: value for key, value in self._pending.items() if _is_slot(key)}
        for key, viewer in self._views.items():
            try:
                found[key] = viewer.state()  # type: ignore[attr-defined]
            except Exception:
                log.exception("the state of a view could not be read")
        if not self._views and not any(found["sizes"]):
            found.pop("sizes")
        return found

    @classmethod
    def restored(cls, bench: Workbench, state: Mapping[str, Any]) -> Frame | None:
        run_id = state.get("run")
        if not isinstance(run_id, str) or (run_id not in bench.project.runs and bench.job_of(run_id) is None):
            return None
        inner = {k: v for k, v in state.items() if k == "sizes" or _is_slot(k)}
        return cls(bench, run_id, inner)

    def release(self) -> None:
        self._watch(None)
        if isValid(self._bridge):
            self._bridge.previewed.disconnect(self._previewed)
            self._bridge.finished.disconnect(self._ended)
        for viewer in self._views.values():
            viewer.close()


def _is_slot(key: object) -> bool:
    return isinstance(key, str) and key.partition("/")[0] in VIEWERS
