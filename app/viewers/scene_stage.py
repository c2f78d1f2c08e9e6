"""The canvas of the 3D view with what floats above it: overlay, layer panel, notice, empty state."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSizeF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QLabel, QWidget

from app import theme
from app.viewers import overlay
from app.viewers.canvas import Canvas
from app.viewers.empty_state import EmptyState
from app.viewers.layer_panel import LayerPanel
from app.viewers.overlay import Painter

MARGIN = 8
NARROW = 480
"""Below this width the layer panel would cover what it is about: it stays shut until somebody opens it."""


class Stage(QWidget):
    resized = Signal()

    def __init__(self, parent: QWidget, paint: Painter) -> None:
        super().__init__(parent)
        self.canvas = Canvas(self)
        self.empty = EmptyState(
            self,
            "scene",
            "Nothing to show yet",
            "Choose a mesh, slices, points, a volume or a field in the project, or drop a file here.",
        )
        self._paint = paint
        self.overlay = overlay.Overlay(self, self._paint_above)
        self.panel = LayerPanel(self)
        self._with_panel = self._arranging = False
        self.panel.resized.connect(self._panel_resized)
        self.notice = QLabel(self)
        self.notice.setObjectName("scene-notice")
        theme.mark(self.notice, kind="chip")
        self.notice.hide()
        self.caption = ""
        """Written at the upper left."""
        self.bars_elsewhere = False
        """A legend beside the view has the colour bars."""
        self.bars_at = (0.0, 0.0)
        """Height free for the colour bars, and their distance from the right edge."""
        if QGuiApplication.platformName() == "xcb":
            # Around a widget that OpenGL draws, Qt puts the whole window together with OpenGL, anew for every
            # repaint of any label or curve in it: 60 ms of a core in software GL. A native window of its own keeps
            # that to this widget. (What is to lie over it must be its child, or native as well.)
            self.setAttribute(Qt.WidgetAttribute.WA_DontCreateNativeAncestors)
            self.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        self._paint(painter, size)

    @property
    def is_narrow(self) -> bool:
        return self.width() < NARROW

    @property
    def covered(self) -> int:
        """Pixels at the right that are not to be reckoned with. In a narrow view the panel lies over the picture."""
        return 0 if self.panel.isHidden() or self.is_narrow else self.panel.width() + MARGIN

    def _panel_resized(self) -> None:
        """It shows other settings now: the colour bars make room."""
        if not self._arranging:
            self.arrange(self._with_panel)
            self.overlay.update()

    def arrange(self, with_panel: bool) -> None:
        self._with_panel, self._arranging = with_panel, True
        try:
            self._place(with_panel)
        finally:
            self._arranging = False

    def _place(self, with_panel: bool) -> None:
        box = self.rect()
        for widget in (self.canvas, self.overlay, self.empty):
            widget.setGeometry(box)
        panel = self.panel
        panel.setVisible(with_panel and box.width() >= panel.width())
        panel.fit_height(box.height() - 2 * MARGIN)
        height = min(panel.sizeHint().height(), box.height() - 2 * MARGIN)
        panel.setGeometry(QRect(max(0, box.width() - panel.width() - MARGIN), MARGIN, panel.width(), height))
        self.bars_at = (float(box.height()), 0.0)
        if not panel.isHidden():
            free = box.height() - panel.geometry().bottom() - MARGIN
            below = overlay.has_room_below(box.width(), box.height(), free)
            aside = (float(box.height()), float(self.covered))
            self.bars_at = (float(free), 0.0) if below or not self.covered else aside
        self.notice.move(MARGIN, MARGIN + (24 if self.caption else 0))

    def say(self, text: str) -> None:
        self.notice.setText(text)
        self.notice.adjustSize()
        self.notice.setVisible(bool(text))

    def resizeEvent(self, event) -> None:
        self.resized.emit()
