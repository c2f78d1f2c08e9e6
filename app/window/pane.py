"""One tabbed pane of the view area: tabs that can be dragged to other panes, and a corner with actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import QMimeData, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.window.frames import ArtifactFrame, Frame
from app.window.widgets import name, tool_button

VIEW_MIME = "application/x-fieldwright-view"
ARTIFACT_MIME = "application/x-fieldwright-artifacts"
Zone = Literal["centre", "left", "right", "top", "bottom"]


def zone_at(size: QSize, at: QPoint) -> Zone:
    """Which part of a pane something is dropped on: an edge splits it, the middle joins it."""
    x, y = at.x() / max(size.width(), 1), at.y() / max(size.height(), 1)
    edges: dict[Zone, float] = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}
    nearest = min(edges, key=lambda edge: edges[edge])
    return nearest if edges[nearest] < 0.25 else "centre"


MARK = 4


class DropMark(QWidget):
    """Shows where a dragged thing would land: a frame, native so that it lies over 3D views too."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_DontCreateNativeAncestors)
        self.hide()

    def show_zone(self, zone: Zone, area: QRect) -> None:
        self.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)
        box = QRect(area)
        half_width, half_height = area.width() // 2, area.height() // 2
        if zone in ("left", "right"):
            box.setWidth(half_width)
        if zone in ("top", "bottom"):
            box.setHeight(half_height)
        if zone == "right":
            box.moveLeft(area.left() + area.width() - half_width)
        if zone == "bottom":
            box.moveTop(area.top() + area.height() - half_height)
        self.setGeometry(box)
        inner = self.rect().adjusted(MARK, MARK, -MARK, -MARK)
        self.setMask(QRegion(self.rect()).subtracted(QRegion(inner)))  # a native child cannot be translucent
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().accent))
        painter.end()


WIDEST_TAB, NARROWEST_TAB = 320, 100
SPARE = 8
"""Pixels that Qt leaves free beside a tab's words."""


def width_cap(widths: Sequence[int], room: int) -> int:
    """How wide a tab may be so that all fit into ``room``: the longest titles give way first, short ones stay whole."""
    left = room
    for done, width in enumerate(sorted(widths)):
        share = left // (len(widths) - done)
        if width > share:
            return max(NARROWEST_TAB, min(share, WIDEST_TAB))
        left -= width
    return WIDEST_TAB


class ViewTabs(QTabBar):
    """Tabs that leave the bar when they are dragged off it."""

    dragged_off = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setMovable(True)
        self.setTabsClosable(True)
        self.setExpanding(False)
        self.setElideMode(Qt.TextElideMode.ElideRight)
        self.setUsesScrollButtons(True)
        self.setStyleSheet("QTabBar::tab { padding: 6px 8px 5px 8px; }")  # many stand side by side
        self.setIconSize(QSize(15, 15))
        self._pressed = -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = self.tabAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.MiddleButton and self._pressed >= 0:
            self.tabCloseRequested.emit(self._pressed)
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        off = at.y() < -18 or at.y() > self.height() + 18
        if self._pressed >= 0 and event.buttons() & Qt.MouseButton.LeftButton and off:
            self._pressed = -1
            # The bar is still moving the tab: let go of it first.
            release = QMouseEvent(
                QMouseEvent.Type.MouseButtonRelease,
                event.position(),
                event.globalPosition(),
                Qt.MouseButton.LeftButton,
                Qt.MouseButton.NoButton,
                event.modifiers(),
            )
            index = self.currentIndex()
            super().mouseReleaseEvent(release)
            self.dragged_off.emit(index)
            return
        super().mouseMoveEvent(event)

    def tabSizeHint(self, index: int) -> QSize:
        widths = [self._wanted_width(k) for k in range(self.count())]
        return QSize(min(widths[index], width_cap(widths, self.width())), super().tabSizeHint(index).height())

    def _wanted_width(self, index: int) -> int:
        return super().tabSizeHint(index).width() - SPARE

    def minimumTabSizeHint(self, index: int) -> QSize:
        return self.tabSizeHint(index)  # else all would shrink by the same share, and short titles lose theirs


class Pane(QWidget):
    """Tabs and what they hold."""

    emptied = Signal()
    activated = Signal()
    frames_changed = Signal()
    split_wanted = Signal(object, str)  # frame, "right" or "bottom"
    close_wanted = Signal(object)
    detach_wanted = Signal(object)
    dropped_view = Signal(str, str)  # frame token, zone
    dropped_artifacts = Signal(list, str)

    def __init__(self, menu: Callable[[QMenu, Frame], None] | None = None) -> None:
        super().__init__()
        name(self, "Views", "Pane")
        self.setAcceptDrops(True)
        self.setProperty("kind", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._menu = menu
        self.tabs = ViewTabs()
        name(self.tabs, "View tabs")
        self._stack = QStackedWidget()
        self._kind = QToolButton()
        self._kind.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._kind.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._kind.setIconSize(QSize(15, 15))
        self._kind.setToolTip("Show it in another viewer")
        name(self._kind, "Viewer")
        self._kind_menu = QMenu(self._kind)
        self._kind.setMenu(self._kind_menu)
        row = QHBoxLayout()
        row.setContentsMargins(4, 0, 6, 0)
        row.setSpacing(2)
        row.addWidget(self.tabs, 1)
        row.addWidget(self._kind)
        for icon, tip, side in (
            ("split-right", "Split right (Ctrl+\\)", "right"),
            ("split-below", "Split below (Ctrl+Shift+\\)", "bottom"),
        ):
            row.addWidget(tool_button(icon, tip, lambda side=side: self._ask_split(side)))
        more = tool_button("more", "View menu", self._show_menu)
        row.addWidget(more)
        bar = QWidget()
        bar.setProperty("kind", "bar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setLayout(row)
        self._more = more
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar)
        layout.addWidget(self._stack, 1)
        self._mark = DropMark(self)
        self.tabs.currentChanged.connect(self._switched)
        self.tabs.tabMoved.connect(self._moved)
        self.tabs.tabCloseRequested.connect(lambda i: self.close_wanted.emit(self.frame(i)))
        self.tabs.dragged_off.connect(self._drag)
        self.tabs.tabBarClicked.connect(lambda _: self.activated.emit())
        self.tabs.tabBarDoubleClicked.connect(lambda i: self.detach_wanted.emit(self.frame(i)) if i >= 0 else None)

    # --- frames ---

    def frames(self) -> list[Frame]:
        return [self._stack.widget(i) for i in range(self._stack.count())]  # type: ignore[misc]

    def frame(self, index: int) -> Frame | None:
        return self._stack.widget(index) if 0 <= index < self._stack.count() else None  # type: ignore[return-value]

    @property
    def current(self) -> Frame | None:
        return self.frame(self.tabs.currentIndex())

    def add(self, frame: Frame, *, index: int = -1, show: bool = True) -> None:
        at = self._stack.count() if index < 0 else index
        self._stack.insertWidget(at, frame)
        self.tabs.blockSignals(True)
        self.tabs.insertTab(at, frame.icon(), frame.title())
        self.tabs.setTabToolTip(at, frame.title())
        self.tabs.blockSignals(False)
        frame.title_changed.connect(lambda: self._retitle(frame))
        frame.layers_changed.connect(self._refreshed)
        if show:
            self.show_frame(frame)
        self.frames_changed.emit()

    def take(self, frame: Frame) -> None:
        """Remove a frame without deleting it."""
        index = self._stack.indexOf(frame)
        if index < 0:
            return
        frame.title_changed.disconnect()
        frame.layers_changed.disconnect(self._refreshed)
        self.tabs.blockSignals(True)
        self.tabs.removeTab(index)
        self.tabs.blockSignals(False)
        self._stack.removeWidget(frame)
        self._switched(self.tabs.currentIndex())
        self.frames_changed.emit()
        if self._stack.count() == 0:
            self.emptied.emit()

    def show_frame(self, frame: Frame) -> None:
        index = self._stack.indexOf(frame)
        if index != self.tabs.currentIndex():
            self.tabs.setCurrentIndex(index)
        else:
            self._switched(index)

    def _switched(self, index: int) -> None:
        frame = self.frame(index)
        if frame is not None:
            self._stack.setCurrentIndex(index)
            frame.activate()
        self._show_kind()
        self.activated.emit()

    def _moved(self, source: int, target: int) -> None:
        frame = self._stack.widget(source)
        self._stack.blockSignals(True)
        self._stack.removeWidget(frame)
        self._stack.insertWidget(target, frame)
        self._stack.blockSignals(False)
        self._stack.setCurrentIndex(self.tabs.currentIndex())

    def _retitle(self, frame: Frame) -> None:
        index = self._stack.indexOf(frame)
        if index >= 0:
            self.tabs.setTabText(index, frame.title())
            self.tabs.setTabIcon(index, frame.icon())
            self.tabs.setTabToolTip(index, frame.title())

    def _refreshed(self) -> None:
        self._show_kind()
        self.frames_changed.emit()

    def _show_kind(self) -> None:
        frame = self.current
        choices = frame.choices() if frame is not None else []
        self._kind.setVisible(len(choices) > 1)
        if not isinstance(frame, ArtifactFrame):
            return
        self._kind_menu.clear()
        for spec in choices:
            action = self._kind_menu.addAction(theme.icon(spec.icon), spec.title)
            action.triggered.connect(lambda _=False, key=spec.key: self._set_kind(frame, key))
            if spec.key == frame.viewer_key:
                self._kind.setText(f" {spec.title}")
                self._kind.setIcon(theme.icon(spec.icon))

    def _set_kind(self, frame: ArtifactFrame, key: str) -> None:
        frame.set_viewer(key)
        self._retitle(frame)
        self._show_kind()

    # --- menu, splits ---

    def _ask_split(self, side: str) -> None:
        if self.current is not None:
            self.split_wanted.emit(self.current, side)

    def _show_menu(self) -> None:
        frame = self.current
        if frame is None:
            return
        menu = QMenu(self)
        if self._menu is not None:
            self._menu(menu, frame)
        menu.addSeparator()
        menu.addAction(theme.icon("detach"), "Move to a window of its own", lambda: self.detach_wanted.emit(frame))
        menu.addAction(theme.icon("close"), "Close view", lambda: self.close_wanted.emit(frame))
        menu.popup(self._more.mapToGlobal(QPoint(0, self._more.height())))

    # --- dragging ---

    def _drag(self, index: int) -> None:
        frame = self.frame(index)
        if frame is None:
            return
        drag = QDrag(self)
        data = QMimeData()
        data.setData(VIEW_MIME, str(id(frame)).encode())
        drag.setMimeData(data)
        drag.setPixmap(theme.pixmap("view", 32, "accent"))
        result = drag.exec(Qt.DropAction.MoveAction)
        if result == Qt.DropAction.IgnoreAction and QApplication.widgetAt(self.cursor().pos()) is None:
            self.detach_wanted.emit(frame)

    def _takes(self, event: QDropEvent) -> bool:
        return event.mimeData().hasFormat(VIEW_MIME) or event.mimeData().hasFormat(ARTIFACT_MIME)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._takes(event):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if self._takes(event):
            self._mark.show_zone(zone_at(self.size(), event.position().toPoint()), self.rect())
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._mark.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._mark.hide()
        zone = zone_at(self.size(), event.position().toPoint())
        data = event.mimeData()
        if data.hasFormat(VIEW_MIME):
            self.dropped_view.emit(bytes(data.data(VIEW_MIME).data()).decode(), zone)
        elif data.hasFormat(ARTIFACT_MIME):
            self.dropped_artifacts.emit(bytes(data.data(ARTIFACT_MIME).data()).decode().split(), zone)
        event.acceptProposedAction()
