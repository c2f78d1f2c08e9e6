"""What is done with the views: show, add, split, detach, close, link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.window.frames import ArtifactFrame
from app.window.path_acts import with_cloud
from app.window.pose_acts import with_hand

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class ViewActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.views = window.views

    def show_artifacts(self, ids: list[str], key: str = "") -> None:
        self.window.show_workspace()
        if not key:
            shown = self.views.current.artifact_ids() if self.views.current is not None else ()
            ids = with_hand(self.window.bench, with_cloud(self.window.bench, ids, shown), shown)
        self.views.show_artifacts(ids, key)

    def edit(self, entry_id: str) -> None:
        """Edit an artifact in a view of its own."""
        self.window.show_workspace()
        frame = self.views.show_artifacts([entry_id])
        if isinstance(frame, ArtifactFrame):
            frame.when_shown(lambda viewer: viewer.start_editing() if hasattr(viewer, "start_editing") else None)

    def show_selected(self) -> None:
        self.window.project_panel.open_selected()

    def add_artifacts(self, ids: list[str]) -> None:
        """As layers of the current view; in a view of their own where that cannot show them."""
        if not self.views.add_to_current(ids):
            self.show_artifacts(ids)

    def add_to_view(self) -> None:
        self.add_artifacts(self.window.project_panel.selected_artifacts())

    def has_view(self) -> bool:
        return self.views.current is not None

    def split_right(self) -> None:
        self.views.split("right")

    def split_below(self) -> None:
        self.views.split("bottom")

    def detach_view(self) -> None:
        self.views.detach()

    def close_view(self) -> None:
        self.views.close_frame()

    def next_view(self) -> None:
        frames = [f for pane in self.views.panes() for f in pane.frames()]
        if frames and self.views.current in frames:
            self.views.reveal(frames[(frames.index(self.views.current) + 1) % len(frames)])

    def link_cameras(self, linked: bool) -> None:
        self.views.link_cameras(linked)
