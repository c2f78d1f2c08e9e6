"""Camera paths of views: kept in the project, rendered as videos, and opened over what they were made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.project import Entry
from app.viewers.path_links import wishes
from app.window import kept
from app.window.frames import Frame
from app.window.requests import Note, Request
from app.window.run_frame import RunFrame
from app.window.workbench import Workbench
from engines.core import Artifact
from engines.data import CameraPath

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView
    from app.window.main_window import MainWindow

RENDER = "render-path"


class PathActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.bench = window.bench
        wishes.save_wanted.connect(self.save)
        wishes.render_wanted.connect(self.render)
        wishes.undo_moved.connect(window.edit_acts.show_undo)

    def _frame_of(self, view: SplatView) -> Frame | None:
        """The frame of this window that holds a view, which is told that it has been heard."""
        found = next((frame for frame in self.window.views.frames() if view in frame.viewers()), None)
        view.path.is_heard |= found is not None
        return found

    def save(self, view: SplatView, path: CameraPath) -> None:
        """Make a path part of the project, as an edit that can be undone."""
        frame = self._frame_of(view)
        if frame is None:
            return
        kept.keep(self.window, path, "Camera path", frame, "path")

    def render(self, view: SplatView, path: CameraPath) -> None:
        """Open the method that makes a video, with this path and what the view shows filled in."""
        frame = self._frame_of(view)
        if frame is None:
            return
        cloud = self._cloud(frame, view)
        if cloud is None:
            self._miss_cloud(view)
            return
        known = kept.known(self.bench, path)
        if known is not None:
            self._open(known.id, cloud)
            return

        def done(entry: Entry) -> None:
            self.window.after_sync(lambda: self._open(entry.id, cloud))

        kept.added(self.bench, path, "Camera path", frame, done)

    def _miss_cloud(self, view: SplatView) -> None:
        """Say what to do where there is no cloud that the project holds."""
        entries = [self.bench.entry(item.id) for item in view.items]
        bound = next((e.id for e in entries if e is not None and e.type == "BoundGaussians"), None)
        text = "There is no Gaussian cloud of the project in this view"
        if bound is None:
            why = "A run that is under way gives its cloud when it ends."
            self.bench.notice(Note(text, "bad", detail=why))
        else:
            why = "Gaussians on a mesh become one by 'Bound Gaussians to splats'."
            self.bench.notice(Note(text, "bad", "Open it", lambda: self._set_up("bound-to-splats", bound=bound), why))

    def _open(self, path_id: str, cloud_id: str) -> None:
        self._set_up(RENDER, cloud=cloud_id, path=path_id)

    def _set_up(self, key: str, **inputs: str) -> None:
        """Open a method with inputs filled in."""

        def open_now() -> None:
            method = self.bench.method(key)
            if method is not None:
                self.window.show_panel("method")
                self.window.method_panel.open_request(Request(method=method, input_ids=inputs, params=method.params()))

        self.window.run_acts.when_methods_are_there(open_now)

    def _cloud(self, frame: Frame, view: SplatView) -> str | None:
        """The id of the first Gaussian cloud on show that the project holds."""
        record = self.bench.project.runs.get(frame.run_id) if isinstance(frame, RunFrame) else None
        held: dict[str, str] = {}
        if record is not None:
            held |= {f"in/{name}": i for name, i in record.inputs.items()}
            held |= {f"out/{name}": i for name, i in record.outputs.items()}
        for item in view.items:
            entry = self.bench.entry(held.get(item.id, item.id))
            if entry is not None and entry.type == "GaussianCloud" and item.id not in view.hidden:
                return entry.id
        return None


def with_cloud(bench: Workbench, ids: Sequence[str], on_show: Sequence[str] = ()) -> list[str]:
    """A camera path alone is looked at over its cloud: that of its run or of a video along it, of what its run's
    photos became, one that is ``on_show``, or the latest."""
    project = bench.project
    entry = bench.entry(ids[0]) if len(ids) == 1 else None
    if entry is None or Artifact.registry.get(entry.type) is not CameraPath:
        return list(ids)
    made_by = project.runs.get(entry.run or "")
    near = [run for run in project.runs.values() if entry.id in run.inputs.values()]
    candidates = [i for run in (made_by, *near) if run is not None for i in run.inputs.values()]
    given = set(made_by.inputs.values()) if made_by is not None else set()
    siblings = [run for run in reversed(list(project.runs.values())) if given & set(run.inputs.values())]
    candidates += [i for run in siblings for i in run.outputs.values()]
    candidates += [*on_show, *reversed(list(project.entries))]
    for candidate in candidates:
        found = bench.entry(candidate)
        if found is not None and found.type == "GaussianCloud":
            return [entry.id, found.id]
    return [entry.id]
