"""Panes in nested splitters as a tree: walking it, and keeping it as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

from app.window.frames import Frame
from app.window.pane import Pane
from app.window.widgets import name
from app.window.workbench import Workbench


def new_splitter(orientation: Qt.Orientation) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setChildrenCollapsible(False)
    name(splitter, "Split")
    return splitter


def panes_in(widget: QWidget | None) -> Iterator[Pane]:
    """All panes at or below a pane or splitter, in reading order."""
    if isinstance(widget, Pane):
        yield widget
    elif isinstance(widget, QSplitter):
        for i in range(widget.count()):
            yield from panes_in(widget.widget(i))


def layout_state(widget: QWidget) -> dict[str, Any]:
    """A JSON-able description of a pane or splitter, with every frame's state."""
    if isinstance(widget, QSplitter):
        return {
            "split": "h" if widget.orientation() == Qt.Orientation.Horizontal else "v",
            "sizes": widget.sizes(),
            "children": [layout_state(widget.widget(i)) for i in range(widget.count())],
        }
    assert isinstance(widget, Pane)
    return {"tabs": [f.state() for f in widget.frames()], "current": widget.tabs.currentIndex()}


def rebuilt(state: Any, bench: Workbench, new_pane: Callable[[], Pane]) -> QWidget | None:
    """The pane or splitter that :func:`layout_state` described, or None when nothing of it exists any more.

    What is broken or gone is left out. May raise anything on a state that nobody wrote.
    """
    if not isinstance(state, Mapping):
        return None
    if "split" in state:
        parts = [
            (rebuilt(child, bench, new_pane), size)
            for child, size in zip(state["children"], state["sizes"], strict=False)
        ]
        kept = [(w, int(s)) for w, s in parts if w is not None]
        if len(kept) < 2:
            return kept[0][0] if kept else None
        splitter = new_splitter(Qt.Orientation.Horizontal if state["split"] == "h" else Qt.Orientation.Vertical)
        for widget, _ in kept:
            splitter.addWidget(widget)
        splitter.setSizes([s for _, s in kept])
        return splitter
    pane = new_pane()
    chosen = 0
    for index, tab in enumerate(state.get("tabs", ())):
        kind = Frame.kinds.get(tab.get("kind", "")) if isinstance(tab, Mapping) else None
        frame = kind.restored(bench, tab) if kind is not None else None
        if frame is not None:
            chosen = len(pane.frames()) if index == state.get("current") else chosen
            pane.add(frame, show=False)
    if not pane.frames():
        pane.deleteLater()
        return None
    pane.tabs.blockSignals(True)
    pane.tabs.setCurrentIndex(chosen)
    pane.tabs.blockSignals(False)
    return pane
