"""What was put together in a view becomes part of the project, as an edit that can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.project import Entry
from app.window.frames import Frame
from app.window.requests import Note
from app.window.workbench import Workbench
from engines.core import Artifact

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


def known(bench: Workbench, artifact: Artifact) -> Entry | None:
    """The same, if the project has it already."""
    digest, kind = artifact.content_hash(), type(artifact).__name__
    return next((e for e in bench.project.entries.values() if e.hash == digest and e.type == kind), None)


def added(bench: Workbench, artifact: Artifact, name: str, frame: Frame, done: Callable[[Entry], None]) -> None:
    """Put it into the project, under the name or the name and a number."""
    taken = {entry.name for entry in bench.project.entries.values()}
    free, number = name, 2
    while free in taken:
        free, number = f"{name} {number}", number + 1
    bench.add([artifact.replace(name=free)], origin=f"view of {frame.title()}", done=lambda entries: done(entries[0]))


def keep(window: MainWindow, artifact: Artifact, name: str, frame: Frame, what: str) -> None:
    """Put it into the project unless it is there, and say so; ``what`` is it called in a sentence: "path"."""
    bench = window.bench
    found = known(bench, artifact)
    if found is not None:
        bench.notice(Note(f"This {what} is in the project already, as '{found.name}'."))
        window.project_panel.select([found.id])
        return

    def tell(entry: Entry) -> None:
        window.after_sync(lambda: window.project_panel.select([entry.id]))
        bench.notice(Note(f"'{entry.name}' is in the project now", "good", detail=entry.summary))

    added(bench, artifact, name, frame, tell)
