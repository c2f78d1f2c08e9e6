"""Setting a box of a method's form in a view of the method's inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from app.viewers.registry import VIEWERS
from app.window.frames import ArtifactFrame, Frame, common_viewers
from app.window.method_page import MethodPage
from app.window.requests import Note
from engines.core import Artifact, UserError

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class BoxActs(QObject):
    """One field of one page at a time. Form and view follow each other."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.bench = window.bench
        self._end: Callable[[], None] = lambda: None
        self._wanted: tuple[MethodPage, str] | None = None

    def toggled(self, page: MethodPage, name: str, on: bool) -> None:
        """The button beside a field was pressed, or it came up again."""
        if not on:
            if self._wanted == (page, name):
                self._stop()
            return
        if self._wanted is not None:
            self._stop()
        self._wanted = (page, name)
        frame = self._frame(list(page.inputs.ids().values()))
        if frame is None:
            self._stop()
            self.bench.notice(Note("Choose the inputs first.", detail="The box is set in a view that shows them."))
            return
        frame.when_shown(lambda viewer: self._begin(viewer, page, name))

    def _frame(self, ids: list[str]) -> ArtifactFrame | None:
        """A view of these artifacts that can set a box: the one at hand, or a new one."""
        self.window.show_workspace()
        current: Frame | None = self.window.views.current
        if isinstance(current, ArtifactFrame) and _has_box(current) and set(ids) & set(current.artifact_ids()):
            return current
        known = [i for i in ids if (e := self.bench.entry(i)) is not None and e.type in Artifact.registry]
        able = {i for i in known if any(s.has_box and s.shows(self._kind(i), overlay=True) for s in VIEWERS.values())}
        shown = [i for i in known if i in able]
        fits = [s for s in common_viewers([self._kind(i) for i in shown]) if s.has_box]
        found = self.window.views.show_artifacts(shown, fits[0].key) if fits else None
        return found if isinstance(found, ArtifactFrame) else None

    def _kind(self, entry_id: str) -> type[Artifact]:
        entry = self.bench.entry(entry_id)
        assert entry is not None
        return Artifact.registry[entry.type]

    def _begin(self, viewer: QWidget, page: MethodPage, name: str) -> None:
        if self._wanted != (page, name) or not isValid(page):
            return
        box, form, spec = viewer.box, page.form, page.form.spec(name)  # type: ignore[attr-defined]

        def from_view(value: Any) -> None:
            form.set_value(name, value)

        def from_form() -> None:
            with contextlib.suppress(UserError):  # half typed: the form says what is wrong
                box.set_value(form.value(name))

        box.stop()
        try:
            value = form.value(name)
        except UserError:
            value = ()
        box.start(spec.label, value, spec.help)
        links = [
            (box.changed, from_view), (box.dropped, form.end_step), (form.changed, from_form), (box.ended, self._stop)
        ]  # fmt: skip
        for signal, slot in links:
            signal.connect(slot)

        def end() -> None:
            for signal, slot in links:
                signal.disconnect(slot)
            box.stop()

        self._end = end
        viewer.setFocus()

    def _stop(self) -> None:
        """Neither view nor form is bound to the other any more."""
        end, self._end = self._end, lambda: None
        wanted, self._wanted = self._wanted, None
        end()
        if wanted is not None and isValid(wanted[0]):
            wanted[0].form.end_picking(wanted[1])


def _has_box(frame: ArtifactFrame) -> bool:
    spec = VIEWERS.get(frame.viewer_key)
    return spec is not None and spec.has_box
