"""Poses of hand views: kept in the project, and opened with the hand that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.project import Entry
from app.viewers.hand_links import wishes
from app.window import kept
from app.window.workbench import Workbench
from engines.data import PoseSequence

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView
    from app.window.main_window import MainWindow

HANDS = ("HandAvatar", "RiggedTemplate", "HandCapture")


class PoseActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        wishes.save_wanted.connect(self.save)
        wishes.undo_moved.connect(window.edit_acts.show_undo)

    def save(self, view: HandView, poses: PoseSequence) -> None:
        """Make poses part of the project, if the view is in this window."""
        frame = next((frame for frame in self.window.views.frames() if view in frame.viewers()), None)
        if frame is not None:
            view.strip.is_heard = True
            kept.keep(self.window, poses, "Poses", frame, "pose sequence")


def with_hand(bench: Workbench, ids: Sequence[str], on_show: Sequence[str] = ()) -> list[str]:
    """An avatar alone is looked at with the capture that it was learned from; poses alone move a hand: that of their
    run, one that is ``on_show``, or the latest."""
    entry = bench.entry(ids[0]) if len(ids) == 1 else None
    if entry is None or entry.type not in ("HandAvatar", "PoseSequence"):
        return list(ids)
    run = bench.project.runs.get(entry.run or "")
    near = list(run.inputs.values()) if run is not None else []
    if entry.type == "HandAvatar":
        wanted: tuple[str, ...] = ("HandCapture",)
    else:
        wanted = HANDS
        near += [i for r in bench.project.runs.values() if entry.id in r.inputs.values() for i in r.inputs.values()]
        near += [*on_show, *reversed(list(bench.project.entries))]
    found = _first(bench, near, wanted)
    return [entry.id] if found is None else [found.id, entry.id] if wanted is HANDS else [entry.id, found.id]


def _first(bench: Workbench, ids: Sequence[str], types: tuple[str, ...]) -> Entry | None:
    entries = (bench.entry(i) for i in ids)
    return next((e for e in entries if e is not None and e.type in types), None)
