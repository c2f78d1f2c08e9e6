"""Parts of the slice view: the plot whose wheel moves through the slices, its lines, and the strip below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QSlider, QWidget

from app import theme
from app.viewers import plotting, sections
from app.viewers.plot_axis import FewTicks
from app.viewers.slice_legend import line_style

LEVEL, INPUT = "#14181D", "#00778F"
"""Of the level line and the input contours: one dark and thin, the other the accent, wider, with dots. Both lie on the
picture, which is as light in the dark theme."""
DOTS_FROM = 9.0
"""Pixels between neighbouring vertices from which they are marked."""


class Viewport(pg.PlotWidget):
    """A plot whose wheel moves through the slices; with Ctrl it zooms."""

    wheeled = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, axisItems={side: FewTicks(side) for side in ("left", "bottom")}, enableMenu=False)
        self.setObjectName("section")
        self.setAccessibleName("Section")
        self.setFrameShape(self.Shape.NoFrame)
        plot: pg.PlotItem = self.getPlotItem()
        plot.setAspectLocked(True)
        plot.hideButtons()
        plot.layout.setContentsMargins(4, 6, 10, 0)
        plot.getAxis("left").setWidth(40)
        plot.getAxis("bottom").setHeight(20)

    def dress(self) -> None:
        plotting.dress_sparely(self.getPlotItem())

    def limit_ticks(self, rect: tuple[float, float, float, float]) -> None:
        """Numbers only where the picture is."""
        left, bottom, width, height = rect
        for side, ends in (("bottom", (left, left + width)), ("left", (bottom, bottom + height))):
            axis = self.getPlotItem().getAxis(side)
            axis.between = ends
            axis.picture = None
            axis.update()

    def wheelEvent(self, event) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
        else:
            self.wheeled.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()


class Lines:
    """The level line and the input contours on top of a picture, told apart by colour, width and dots."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self.loop_halo, self.loops, self.halo, self.level = (pg.PlotDataItem(connect="finite") for _ in range(4))
        self.dots = pg.ScatterPlotItem(pen=None, pxMode=True)
        for item in (self.loop_halo, self.loops, self.dots, self.halo, self.level):
            if isinstance(item, pg.PlotDataItem):
                item.opts["antialias"] = True
            plot.addItem(item, ignoreBounds=True)
        self._vertices = np.zeros((0, 2))
        self._spacing = 0.0
        self._scale = 1.0
        self._near_only = False

    def set_level(self, lines: Sequence[np.ndarray]) -> None:
        for item in (self.halo, self.level):
            item.setData(*sections.joined(lines))

    def set_loops(self, loops: Sequence[np.ndarray], near_only: bool = False) -> None:
        """``near_only``: they are of a plane beside the section, and drawn weaker."""
        if near_only != self._near_only:
            self._near_only = near_only
            self.set_pens(self._scale)
        for item in (self.loop_halo, self.loops):
            item.setData(*sections.joined(loops))
        self._vertices = np.concatenate([loop[:-1] for loop in loops]) if loops else np.zeros((0, 2))
        steps = [np.linalg.norm(np.diff(loop, axis=0), axis=1) for loop in loops]
        self._spacing = float(np.median(np.concatenate(steps))) if steps else 0.0
        self.mark_vertices()

    def mark_vertices(self) -> None:
        """Dots where zoomed in so far that they do not run into each other."""
        pixel = self._plot.vb.viewPixelSize()[0]
        apart = self._spacing / pixel if pixel > 0 and not self._near_only else 0.0
        if apart >= DOTS_FROM and len(self._vertices) <= 20_000:
            self.dots.setData(self._vertices[:, 0], self._vertices[:, 1], size=6 * self._scale, brush=pg.mkBrush(INPUT))
        elif len(self.dots.data):
            self.dots.clear()

    def set_pens(self, scale: float) -> None:
        """Pens of plots are as wide in pixels of the screen at every scale: they are told the scale."""
        self._scale = scale
        near = self._near_only
        for item, colour, width, dashed in (
            (self.loop_halo, "#FFFFFF90" if near else "#FFFFFFD0", 3.0 if near else 5.0, False),
            (self.loops, INPUT, 1.8 if near else 2.8, near),
            (self.halo, "#FFFFFF70", 2.6, False),
            (self.level, LEVEL, 1.2, False),
        ):
            item.setPen(pg.mkPen(colour, width=width * scale, style=line_style(dashed)))
        self.mark_vertices()


class Foot(QWidget):
    """Where the slice is, a slider to move it, and the value under the cursor; in two lines where it is narrow."""

    NARROW = 480

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="panel")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(12, 4, 12, 4)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName("position")
        self.slider.setAccessibleName("Position of the slice")
        self.slider.setMinimumWidth(60)
        self.position = QLabel(self)
        self.position.setObjectName("position-text")
        self.readout = QLabel(self)
        self.readout.setObjectName("readout")
        self.readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for label in (self.position, self.readout):
            label.setFont(theme.tabular(label.font()))
            theme.mark(label, tone="muted")
        self.narrow: bool | None = None
        self._slides = True
        self._arrange(False)

    def set_slider(self, on: bool) -> None:
        """Whether there is something to slide along."""
        self._slides = on
        self.slider.setVisible(on)
        self._arrange(bool(self.narrow))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, super().minimumSizeHint().height())

    def say(self, text: str, brief: str = "") -> None:
        """What is under the cursor, or in brief if the whole has no room.

        Where it is narrow it takes the place of the position meanwhile.
        """
        room = self.width() - 24 if self.narrow else self.readout.width()
        text = brief if brief and self.readout.fontMetrics().horizontalAdvance(text) > room else text
        self.readout.setText(text)
        self.position.setVisible(not (self.narrow and text))
        self.readout.setVisible(not self.narrow or bool(text))

    def _arrange(self, narrow: bool) -> None:
        self.narrow = narrow
        for widget in (self.slider, self.position, self.readout):
            self._grid.removeWidget(widget)
        if narrow:
            self._grid.addWidget(self.slider, 0, 0, 1, 2)
            self._grid.addWidget(self.position, 1, 0)
            self._grid.addWidget(self.readout, 1, 1)
        else:
            for k, widget in enumerate((self.slider, self.position, self.readout)):
                self._grid.addWidget(widget, 0, k)
        for column, stretch in enumerate((0, 1, 0) if narrow else (2 if self._slides else 0, 0, 3)):
            self._grid.setColumnStretch(column, stretch)
        self.position.setMinimumWidth(0 if narrow else 150)
        self.say(self.readout.text())

    def resizeEvent(self, event) -> None:
        narrow = self.width() < self.NARROW
        if narrow != self.narrow:
            self._arrange(narrow)
