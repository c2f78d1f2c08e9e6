"""The curves below a map: values at the pinned points over time, and along a line or a field in one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import plotting
from app.viewers.field_head import Head
from app.viewers.overlay import number
from app.viewers.plot_axis import FewTicks

STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


@dataclass(frozen=True, eq=False)
class Trace:
    """A curve: ``hue`` is the number of its colour, ``style`` of its kind of line."""

    x: np.ndarray
    y: np.ndarray
    name: str
    hue: int
    style: int = 0


class TracePlot(pg.PlotWidget):
    hovered = Signal(str)
    """The values of the curves under the cursor; "" beside them."""

    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent, axisItems={side: FewTicks(side) for side in ("left", "bottom")}, enableMenu=False)
        self.setObjectName(title.lower().replace(" ", "-"))
        self.setAccessibleName(title)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumHeight(96)
        self.plot: pg.PlotItem = self.getPlotItem()
        self.plot.hideButtons()
        self.plot.layout.setContentsMargins(4, 6, 10, 0)
        self.plot.getAxis("left").setWidth(58)
        self.legend = self.plot.addLegend(offset=(-8, 4))
        self.now = pg.InfiniteLine(angle=90)
        self.plot.addItem(self.now, ignoreBounds=True)
        self.now.hide()
        self._curves: list[pg.PlotDataItem] = []
        self._names: list[str] = []
        self._scale = 1.0
        self.traces: list[Trace] = []
        self._ends: tuple[float, float] | None = None
        self._words = ("", "")
        self.scene().sigMouseMoved.connect(self._hover)
        self.dress()

    def show_traces(self, traces: Sequence[Trace], bottom: str, left: str, y_range: tuple[float, float] | None) -> None:
        """``y_range`` keeps the scale while time goes on; None: as the curves need it."""
        self.traces = list(traces)
        names = [trace.name for trace in traces]
        if names != self._names:
            self._names = names
            for curve in self._curves:
                self.plot.removeItem(curve)
            several = len(set(names)) > 1
            self._curves = [pg.PlotDataItem(name=name if several else None, connect="finite") for name in names]
            for curve in self._curves:
                curve.opts["antialias"] = True
                self.plot.addItem(curve)
            self.legend.setVisible(several)
        for curve, trace in zip(self._curves, traces, strict=True):
            curve.setData(trace.x, trace.y)
        self.set_pens(self._scale)
        self.plot.setLabel("bottom", bottom)
        self.plot.setLabel("left", left)
        self._words = (bottom, left)
        known = [(float(trace.x[0]), float(trace.x[-1])) for trace in traces if len(trace.x)]
        ends = (min(a for a, _ in known), max(b for _, b in known)) if known else None
        if ends is not None and ends != self._ends:  # what the user zoomed to stays while time goes on
            self.plot.setXRange(*ends, padding=0.01)
        self._ends = ends
        if y_range is not None:
            self.plot.setYRange(*y_range, padding=0.06)
        else:
            self.plot.enableAutoRange(axis="y")

    def describe(self, x: float) -> str:
        """Where, and the value of each curve there; "" where there is none."""
        found = []
        for trace in self.traces:
            if len(trace.x) and trace.x[0] <= x <= trace.x[-1]:
                name = f"{trace.name}: " if len(self.traces) > 1 else ""
                found.append(f"{name}{number(float(np.interp(x, trace.x, trace.y)), 5)}")
        (where, what), values = self._words, ", ".join(found)
        return f"{where} = {number(x, 4)}   {what} = {values}" if found else ""

    def _hover(self, at: QPointF) -> None:
        inside = self.plot.vb.sceneBoundingRect().contains(at)
        self.hovered.emit(self.describe(self.plot.vb.mapSceneToView(at).x()) if inside else "")

    def leaveEvent(self, event) -> None:
        self.hovered.emit("")
        super().leaveEvent(event)

    def mark_time(self, time: float | None) -> None:
        self.now.setVisible(time is not None)
        if time is not None:
            self.now.setValue(time)

    def set_pens(self, scale: float) -> None:
        self._scale = scale
        for curve, trace in zip(self._curves, self.traces, strict=False):
            curve.setPen(pg.mkPen(theme.series_color(trace.hue), width=1.7 * scale, style=STYLES[trace.style % 4]))
        self.now.setPen(pg.mkPen(theme.colors().accent, width=1.2 * scale, style=Qt.PenStyle.DashLine))

    def dress(self) -> None:
        plotting.dress(self.plot)
        self.plot.showGrid(x=True, y=True, alpha=0.12)
        self.legend.setLabelTextColor(theme.colors().muted)
        under = QColor(theme.colors().plot)
        under.setAlpha(215)
        self.legend.setBrush(under)
        self.set_pens(self._scale)


class FieldPlots(QWidget):
    """Profile at the left, history at the right; either is there only while it has something to show.

    A field that is one curve has no map: its measures stand in the ``head``, and differences in a plot of their own.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.head = Head(self)
        column.addWidget(self.head)
        row = QHBoxLayout()
        row.setSpacing(0)
        column.addLayout(row, 1)
        self.history = TracePlot(self, "History at the points")
        self.profile = TracePlot(self, "Along the line")
        self.differences = TracePlot(self, "Differences")
        self.all = (self.profile, self.differences, self.history)
        for plot in self.all:
            row.addWidget(plot, 1)
        self.set_shown(False, False)

    def set_shown(self, history: bool, profile: bool, *, head: bool = False, differences: bool = False) -> bool:
        """Whether they come into view with this."""
        before, now = not self.isHidden(), history or profile
        self.head.setVisible(head)
        self.differences.setVisible(differences)
        self.history.setVisible(history)
        self.profile.setVisible(profile)
        self.setVisible(now)
        return now and not before

    def dress(self) -> None:
        for plot in self.all:
            plot.dress()

    def set_pens(self, scale: float) -> None:
        for plot in self.all:
            plot.set_pens(scale)
