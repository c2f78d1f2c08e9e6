"""The view area in the middle: panes side by side and below each other, each with tabs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu, QSplitter, QStackedLayout, QWidget

from app.settings import settings
from app.window.floating import FloatingView
from app.window.frames import ArtifactFrame, Frame
from app.window.pane import Pane
from app.window.splits import layout_state, new_splitter, panes_in, rebuilt
from app.window.widgets import EmptyState, name
from app.window.workbench import Workbench

log = logging.getLogger("fieldwright.window")


class ViewArea(QWidget):
    """Panes in nested splitters."""

    current_changed = Signal()
    open_wanted = Signal()
    menu_wanted = Signal(object, object)  # menu, frame

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "View area")
        self.bench = bench
        self.setProperty("kind", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._stack = QStackedLayout(self)
        self._empty = EmptyState(
            "view",
            "No view is open",
            "Double-click something in the project to look at it, or drag it here.",
        )
        self._stack.addWidget(self._empty)
        self._root: QWidget | None = None
        self._active: Pane | None = None
        self.floating: list[FloatingView] = []
        self._links: Any = ()
        """Of cameras and of times; made when they are first wanted."""
        self._linking = settings().get("link_cameras")
        self._link_timer = QTimer(self, singleShot=True, interval=50)
        self._link_timer.timeout.connect(self._relink)
        bench.project_changed.connect(self._project_changed)

    # --- what there is ---

    def panes(self) -> list[Pane]:
        return list(panes_in(self._root))

    def frames(self) -> list[Frame]:
        return [f for pane in self.panes() for f in pane.frames()] + [w.frame for w in self.floating]

    @property
    def active_pane(self) -> Pane | None:
        panes = self.panes()
        return self._active if self._active in panes else (panes[0] if panes else None)

    @property
    def current(self) -> Frame | None:
        pane = self.active_pane
        return pane.current if pane is not None else None

    def find(self, key: str) -> Frame | None:
        return next((f for f in self.frames() if key and f.key() == key), None)

    # --- opening ---

    def show_artifacts(self, ids: Sequence[str], viewer_key: str = "", *, side: str = "") -> Frame | None:
        """Open artifacts together in the viewer that suits them, or bring up the view that has them."""
        found = [i for i in ids if self.bench.entry(i) is not None]
        if not found:
            return None
        return self.open(ArtifactFrame(self.bench, found, viewer_key), side=side)

    def open(self, frame: Frame, *, side: str = "") -> Frame:
        """Show a frame; one that shows the same already is shown instead."""
        same = self.find(frame.key())
        if same is not None:
            frame.release()
            frame.deleteLater()
            self.reveal(same)
            return same
        pane = self.active_pane
        if pane is None:
            pane = self._set_root(self._new_pane())
        elif side:
            pane = self._split(pane, side)
        pane.add(frame)
        return frame

    def reveal(self, frame: Frame) -> None:
        for pane in self.panes():
            if frame in pane.frames():
                self._active = pane
                pane.show_frame(frame)
                return
        for window in self.floating:
            if window.frame is frame:
                window.raise_()
                window.activateWindow()

    def add_to_current(self, ids: Sequence[str]) -> bool:
        """Add artifacts as layers of the current view. False when it cannot show them."""
        frame = self.current
        if frame is None or not frame.accepts(ids):
            return False
        frame.add(ids)
        return True

    def close_frame(self, frame: Frame | None = None) -> None:
        frame = frame or self.current
        if frame is None:
            return
        for pane in self.panes():
            if frame in pane.frames():
                pane.take(frame)
        for window in list(self.floating):
            if window.frame is frame:
                window.close()
                return
        frame.release()
        frame.deleteLater()
        self._link_timer.start()
        self.current_changed.emit()

    def close_all(self) -> None:
        for window in list(self.floating):
            window.close()
        for frame in self.frames():
            self.close_frame(frame)

    # --- splitting and moving ---

    def split(self, side: str) -> None:
        """Split the current pane; the new one shows the same artifacts."""
        frame = self.current
        if frame is not None:
            self._split_with(frame, side)

    def _split_with(self, frame: Frame, side: str) -> None:
        pane = next((p for p in self.panes() if frame in p.frames()), None)
        if pane is None:
            return
        if len(pane.frames()) > 1:
            self._move(frame, pane, side)
            return
        twin = Frame.kinds[frame.kind].restored(self.bench, frame.state()) if frame.kind else None
        if twin is not None:
            self._split(pane, side).add(twin)

    def _split(self, pane: Pane, side: str) -> Pane:
        fresh = self._new_pane()
        across = side in ("left", "right")
        orientation = Qt.Orientation.Horizontal if across else Qt.Orientation.Vertical
        parent = pane.parentWidget()
        after = side in ("right", "bottom")
        if isinstance(parent, QSplitter) and parent.orientation() == orientation:
            index = parent.indexOf(pane)
            sizes = parent.sizes()
            half = sizes[index] // 2
            parent.insertWidget(index + after, fresh)
            sizes[index : index + 1] = [half, half]
            parent.setSizes(sizes)
            return fresh
        extent = pane.width() if across else pane.height()
        splitter = new_splitter(orientation)
        if isinstance(parent, QSplitter):
            index, sizes = parent.indexOf(pane), parent.sizes()
            parent.insertWidget(index, splitter)  # not replaceWidget, after which nobody owns the new one
            splitter.addWidget(pane)
            parent.setSizes(sizes)
        else:
            self._stack.removeWidget(pane)
            splitter.addWidget(pane)
            self._root = splitter
            self._stack.addWidget(splitter)
            self._stack.setCurrentWidget(splitter)
        splitter.insertWidget(int(after), fresh)
        splitter.setSizes([extent // 2, extent - extent // 2])
        pane.show()
        splitter.show()
        return fresh

    def _move(self, frame: Frame, target: Pane, zone: str) -> None:
        source = next((p for p in self.panes() if frame in p.frames()), None)
        if source is target and (zone == "centre" or len(target.frames()) == 1):
            return
        place = target if zone == "centre" else self._split(target, zone)
        self._transfer(frame, place)

    def _transfer(self, frame: Frame, place: Pane) -> None:
        """Put a frame elsewhere. It is made anew: a 3D view cannot change its window with its context."""
        state, kind = frame.state(), type(frame)
        self.close_frame(frame)
        fresh = kind.restored(self.bench, state)
        if fresh is not None:
            place.add(fresh)
        elif not place.frames():
            self._collapse(place)

    def detach(self, frame: Frame | None = None) -> None:
        """Give a view a window of its own."""
        frame = frame or self.current
        if frame is None:
            return
        state, kind = frame.state(), type(frame)
        fresh = kind.restored(self.bench, state)
        if fresh is None:
            return
        self.close_frame(frame)
        window = FloatingView(fresh, self.window())
        window.closed.connect(self._floating_closed)
        self.floating.append(window)
        window.show()
        fresh.activate()

    def _floating_closed(self, window: FloatingView) -> None:
        if window in self.floating:
            self.floating.remove(window)
            window.frame.release()
            window.deleteLater()
            self._link_timer.start()

    # --- panes ---

    def _new_pane(self) -> Pane:
        pane = Pane(lambda menu, frame: self._fill_menu(menu, frame))
        pane.emptied.connect(lambda: self._collapse(pane))
        pane.activated.connect(lambda: self._activate(pane))
        pane.frames_changed.connect(self._link_timer.start)
        pane.split_wanted.connect(self._split_with)
        pane.close_wanted.connect(self.close_frame)
        pane.detach_wanted.connect(self.detach)
        pane.dropped_view.connect(lambda token, zone: self._drop_view(token, pane, zone))
        pane.dropped_artifacts.connect(lambda ids, zone: self._drop_artifacts(ids, pane, zone))
        return pane

    def _fill_menu(self, menu: QMenu, frame: Frame) -> None:
        self.menu_wanted.emit(menu, frame)

    def _set_root(self, widget: QWidget) -> Any:
        self._root = widget
        self._stack.addWidget(widget)
        self._stack.setCurrentWidget(widget)
        return widget

    def _activate(self, pane: Pane) -> None:
        self._active = pane
        self._link_timer.start()
        self.current_changed.emit()

    def _collapse(self, pane: Pane) -> None:
        """Remove an empty pane, and splitters that hold a single thing."""
        parent = pane.parentWidget()
        pane.hide()
        pane.setParent(None)
        pane.deleteLater()
        if not isinstance(parent, QSplitter):
            self._root = None
            self._stack.setCurrentWidget(self._empty)
            self.current_changed.emit()
            return
        if parent.count() == 1:
            only, above = parent.widget(0), parent.parentWidget()
            if isinstance(above, QSplitter):
                sizes = above.sizes()
                above.insertWidget(above.indexOf(parent), only)
                parent.setParent(None)
                above.setSizes(sizes)
            else:
                self._stack.removeWidget(parent)
                self._set_root(only)
            parent.setParent(None)
            parent.deleteLater()
            only.show()
        self.current_changed.emit()

    def _drop_view(self, token: str, pane: Pane, zone: str) -> None:
        frame = next((f for f in self.frames() if str(id(f)) == token), None)
        if frame is not None:
            # Not inside the drop: the drag's own event loop must end before its source is deleted.
            QTimer.singleShot(0, lambda: self._move(frame, pane, zone))

    def _drop_artifacts(self, ids: list[str], pane: Pane, zone: str) -> None:
        self._active = pane
        if zone == "centre":
            frame = pane.current
            if frame is not None and frame.accepts(ids):
                frame.add(ids)
            else:
                self.show_artifacts(ids)
        else:
            self._active = self._split(pane, zone)
            self.show_artifacts(ids)

    def dropped_on_empty(self, ids: list[str]) -> None:
        self.show_artifacts(ids)

    # --- linked cameras and times ---

    @property
    def cameras_linked(self) -> bool:
        return bool(self._linking)

    def link_cameras(self, linked: bool) -> None:
        self._linking = linked
        settings().set("link_cameras", linked)
        self._relink()

    def _relink(self) -> None:
        frames = [frame for pane in self.panes() if (frame := pane.current) is not None]
        viewers = [viewer for frame in frames for viewer in frame.viewers()]
        scenes = [viewer for viewer in viewers if hasattr(viewer, "camera_moved")]
        timed = [viewer for viewer in viewers if hasattr(viewer, "time_moved")]
        if not self._links and max(len(scenes), len(timed)) < 2:
            return
        from app.viewers.links import CameraLink, TimeLink

        if not self._links:
            self._links = (CameraLink(), TimeLink())
        for link, linked in zip(self._links, (scenes, timed), strict=True):
            link.link(linked if self._linking and len(linked) > 1 else [])

    # --- keeping ---

    def state(self) -> dict[str, Any]:
        """JSON-able layout with every frame's state."""
        return layout_state(self._root) if self._root is not None else {}

    def restore(self, state: Any) -> bool:
        """Bring back a layout; what is broken in it or no longer exists is left out."""
        self.close_all()
        try:
            built = rebuilt(state, self.bench, self._new_pane)
        except Exception:
            log.warning("the saved views could not be restored", exc_info=True)
            return False
        if built is None:
            return False
        self._set_root(built)
        for pane in self.panes():
            if pane.current is not None:
                pane.show_frame(pane.current)
        return True

    def _project_changed(self, kind: str, ids: Any) -> None:
        for frame in self.frames():
            frame.project_changed(kind, ids)
