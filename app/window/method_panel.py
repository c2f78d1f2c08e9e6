"""The method panel: the gallery, and the page of the method that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QUndoStack
from PySide6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget

from app.window.gallery import Gallery
from app.window.method_page import MethodPage
from app.window.requests import Current, Request
from app.window.widgets import name
from app.window.workbench import Workbench


class MethodPanel(QWidget):
    run_started = Signal(str)
    page_changed = Signal()
    undo_changed = Signal()
    pick_wanted = Signal(object, str, bool)
    """A page, the field of its form that is to be set in a view, and whether it is (no longer)."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Method")
        self.bench = bench
        self._selected: list[str] = []
        self._pages: dict[str, MethodPage] = {}
        self.gallery = Gallery(bench)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.gallery)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self.gallery.chosen.connect(self.open_method)
        bench.project_replaced.connect(self._forget)

    @property
    def page(self) -> MethodPage | None:
        current = self._stack.currentWidget()
        return current if isinstance(current, MethodPage) else None

    def set_selection(self, ids: Sequence[str]) -> None:
        self._selected = list(ids)
        self.gallery.set_selection(ids)
        if self.page is not None and ids:
            self.page.propose(ids)

    def open_method(self, key: str) -> MethodPage | None:
        """Show the page of a method; what was set on it before is still there."""
        method = self.bench.method(key)
        if method is None:
            return None
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = MethodPage(method, self.bench)
            page.back_wanted.connect(self.show_gallery)
            page.run_started.connect(self.run_started)
            page.form.undo_stack.indexChanged.connect(self._undo_moved)
            page.form.pick_wanted.connect(lambda name, on, page=page: self.pick_wanted.emit(page, name, on))
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)
        page.propose(self._selected, opening=True)
        page.activate()
        self.page_changed.emit()
        return page

    def open_request(self, request: Request) -> None:
        """Show a method set as an earlier run was."""
        page = self.open_method(request.method.key)
        if page is not None:
            page.set_request(request)

    def show_gallery(self) -> None:
        if self.page is not None:
            self.page.form.end_picking()
        self._stack.setCurrentWidget(self.gallery)
        self.gallery.list.setFocus()
        self.bench.set_current(Current())
        self.page_changed.emit()

    def run_current(self) -> None:
        if self.page is not None:
            self.page.run()

    def focused_undo_stack(self) -> QUndoStack | None:
        """The undo stack of the form that has the keyboard, if any."""
        widget = QApplication.focusWidget()
        page = self.page
        if page is not None and widget is not None and page.form.isAncestorOf(widget):
            return page.form.undo_stack
        return None

    def _undo_moved(self, index: int) -> None:
        self.undo_changed.emit()

    def _forget(self) -> None:
        """Another project: pages speak of artifacts that are gone."""
        self._stack.setCurrentWidget(self.gallery)
        for page in self._pages.values():
            page.form.end_picking()
            self._stack.removeWidget(page)
            page.deleteLater()
        self._pages.clear()
        self.page_changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.page is not None:
            self.show_gallery()
        else:
            super().keyPressEvent(event)
