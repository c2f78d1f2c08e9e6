"""Learned spectra: a stem for each component over the spectrum of the source, and a table of what is left, by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import plotting
from app.viewers.capture import ask_for_picture
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.plot_axis import FewTicks
from app.viewers.registry import Shown
from app.viewers.table_view import TableView
from app.viewers.timeline import Clock, Timeline
from app.viewers.toolbar import ViewBar
from engines.data import SpectrumTable

SHARE = 0.01
"""Components above this share of the heaviest count as left."""
DEPTH = 1e-8
"""The logarithmic axis ends at this share of the heaviest component."""
SECONDS = 6.0
"""How long the whole of a training takes when it is played."""
NARROW = 560
"""Below this width there is no room for the table."""
REACH = 14
"""Pixels around a stem's head in which the cursor means it."""


class SpectrumView(QWidget):
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spectrum-view")
        self.setAccessibleName("Spectrum")
        self._items: list[Shown] = []
        self._chosen = ""
        self._axis = 0
        self.index = -1
        """Of the recorded step that is shown; the last one is followed as more come."""
        self._follows = True
        self._is_zoomed = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._make_bar()
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "SpectrumTable",
            "No spectrum",
            "Choose one in the project, or use a method that learns it, such as GP-HM.",
        )
        self.split = QSplitter(Qt.Orientation.Horizontal, body)
        self.split.setChildrenCollapsible(False)
        self._make_plot()
        self.table = TableView(self.split, bar=False)
        self.table.setMinimumWidth(180)
        self.split.addWidget(self.graphics)
        self.split.addWidget(self.table)
        self.split.setStretchFactor(0, 1)
        self.split.setSizes([600, 320])
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.split)
        column.addWidget(body, 1)
        self._make_strip()
        column.addWidget(self.strip)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()

    def _make_bar(self) -> None:
        self.bar = ViewBar(self)
        self.spectra = self.bar.choice("spectra", "Spectrum to show", "SpectrumTable")
        self.spectra.activated.connect(lambda _: self._choose(self.spectra.currentData()))
        self.axes = self.bar.choice("axes", "Axis to show", "axes", keep=80)
        self.axes.activated.connect(lambda _: self._choose_axis(self.axes.currentIndex()))
        act = self.bar.action
        self.play_action = act("play", "Play or stop the training", "play", self.toggle, "Space", keep=90)
        self.log = act(
            "y-log", "Logarithmic weights", "curves", lambda _: self._draw(), "G", checkable=True, checked=True,
            words="Log y",
        )  # fmt: skip
        self.with_source = act(
            "source", "Spectrum of the source", "layers", lambda _: self._draw(), "B", checkable=True, checked=True,
            words="Source", help="Power of the source's Fourier components, scaled to the heaviest component.",
        )  # fmt: skip
        act("fit", "Show everything", "frame", self.fit, "F", keep=60)
        self.bar.stretch()
        self.readout = self.bar.text("readout", "Component under the cursor")
        act("screenshot", "Save a picture", "camera", self._save_picture, "S")

    def _make_plot(self) -> None:
        axes = {side: FewTicks(side) for side in ("left", "bottom")}
        self.graphics = pg.PlotWidget(self.split, axisItems=axes, enableMenu=False)
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.graphics.setAccessibleName("Weights over frequencies")
        self.graphics.setMinimumWidth(160)
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.plot.hideButtons()
        self.plot.showGrid(x=True, y=True, alpha=0.14)
        self.plot.layout.setContentsMargins(4, 8, 12, 4)
        self.plot.getAxis("left").setWidth(64)
        self.source = pg.PlotDataItem()
        self.stems, self.faint_stems = pg.PlotDataItem(connect="pairs"), pg.PlotDataItem(connect="pairs")
        self.heads, self.faint_heads = pg.ScatterPlotItem(), pg.ScatterPlotItem()
        for item in (self.source, self.faint_stems, self.faint_heads, self.stems, self.heads):
            self.plot.addItem(item)
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_is_zoomed", True))

    def _make_strip(self) -> None:
        self.strip = QWidget(self)
        theme.mark(self.strip, kind="bar")
        row = QHBoxLayout(self.strip)
        row.setContentsMargins(8, 4, 12, 4)
        self.timeline = Timeline(self.strip, "Step of the training")
        self.timeline.valueChanged.connect(self.show_index)
        self.at = QLabel(self.strip)
        self.at.setAccessibleName("Step")
        self.at.setFont(theme.tabular(self.at.font()))
        theme.mark(self.at, tone="muted")
        row.addWidget(self.timeline, 1)
        row.addWidget(self.at)
        self.clock = Clock(self, lambda: SECONDS if self.spectrum is not None else 0.0)
        self.clock.ticked.connect(self._ticked)
        self.clock.playing_changed.connect(
            lambda on: self.play_action.setIcon(theme.icon("pause" if on else "play"))
        )  # fmt: skip

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._items = [item for item in items if isinstance(item.artifact, SpectrumTable)]
        self.spectra.clear()
        for item in self._items:
            self.spectra.addItem(item.name, item.id)
        self.spectra.setCurrentIndex(max(0, self.spectra.findData(self._chosen)))
        self.bar.set_shown(self.spectra.parentWidget(), len(self._items) > 1)
        self._show()

    @property
    def spectrum(self) -> SpectrumTable | None:
        found = [item for item in self._items if item.id == self._chosen] or self._items
        return found[0].artifact if found else None  # type: ignore[return-value]

    def _choose(self, key: str) -> None:
        self._chosen = key
        self._show()

    def _choose_axis(self, axis: int) -> None:
        self._axis = axis
        self._show()
        self.fit()

    def _show(self) -> None:
        spectrum = self.spectrum
        self.bar.setVisible(spectrum is not None)
        self.strip.setVisible(spectrum is not None and len(spectrum.steps) > 1)
        self._stack.setCurrentWidget(self.empty if spectrum is None else self.split)
        if spectrum is None:
            self.clock.stop()
            return
        self._axis = min(self._axis, len(spectrum.axes) - 1)
        self.axes.clear()
        self.axes.addItems([f"Along {name}" for name in spectrum.axes])
        self.axes.setCurrentIndex(self._axis)
        self.bar.set_shown(self.axes.parentWidget(), len(spectrum.axes) > 1)
        self.bar.set_shown(self._button("source"), spectrum.source_amplitudes is not None)
        self.bar.set_shown(self._button("play"), len(spectrum.steps) > 1)
        self.timeline.blockSignals(True)
        self.timeline.setRange(0, len(spectrum.steps) - 1)
        self.timeline.blockSignals(False)
        self.show_index(len(spectrum.steps) - 1 if self._follows else self.index)

    def _button(self, name: str) -> QWidget:
        return self.bar.findChild(QWidget, f"{name}-button")

    def show_index(self, index: int) -> None:
        """Show a recorded step by its number, from 0."""
        spectrum = self.spectrum
        if spectrum is None:
            return
        last = len(spectrum.steps) - 1
        self.index = min(max(index, 0), last)
        self._follows = self.index == last and not self.clock.playing
        if self.timeline.value() != self.index:
            self.timeline.blockSignals(True)
            self.timeline.setValue(self.index)
            self.timeline.blockSignals(False)
        self.at.setText(f"step {int(spectrum.steps[self.index]):,} of {int(spectrum.steps[-1]):,}")
        self._draw()

    def toggle(self) -> None:
        """Play the training, or stop."""
        if self.clock.playing:
            self.clock.stop()
        elif self.spectrum is not None:
            last = len(self.spectrum.steps) - 1
            self.clock.start(0.0 if self.index == last else SECONDS * self.index / max(1, last))

    def _ticked(self, at: float) -> None:
        if self.spectrum is not None:
            self.show_index(int(at / SECONDS * len(self.spectrum.steps)))

    def hideEvent(self, event) -> None:
        self.clock.stop()
        super().hideEvent(event)

    # ---- drawing ------------------------------------------------------------------------------------------
    @property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """(Q,) frequencies and weights on show."""
        spectrum = self.spectrum
        if spectrum is None:
            return np.zeros(0), np.zeros(0)
        return np.abs(spectrum.frequencies[self.index, self._axis]), spectrum.weights[self.index, self._axis]

    def _levels(self) -> tuple[float, float]:
        """Where stems begin and the largest ends, for this axis over all steps: heights can be compared in time."""
        assert self.spectrum is not None
        largest = float(self.spectrum.weights[:, self._axis].max()) or 1.0
        return (np.log10(largest * DEPTH), np.log10(largest) + 0.3) if self.log.isChecked() else (0.0, 1.05 * largest)

    def _heights(self, values: np.ndarray) -> np.ndarray:
        low = self._levels()[0]
        return np.maximum(np.log10(np.maximum(values, 1e-300)), low) if self.log.isChecked() else values

    def _draw(self) -> None:
        spectrum = self.spectrum
        if spectrum is None:
            return
        self.plot.getAxis("left").setLogMode(self.log.isChecked())
        frequencies, weights = self.components
        left = weights > SHARE * weights.max(initial=0.0)
        self._draw_stems(self.stems, self.heads, frequencies[left], weights[left])
        self._draw_stems(self.faint_stems, self.faint_heads, frequencies[~left], weights[~left])
        self._draw_source(spectrum)
        axis = spectrum.axes[self._axis]
        per = f"cycles per {spectrum.unit}" if spectrum.unit else "cycles per unit"
        # Without the last argument pyqtgraph scales small numbers by a thousand.
        self.plot.setLabel("bottom", f"frequency along {axis} ({per})", siPrefixEnableRanges=())
        self.plot.setLabel("left", "weight", siPrefixEnableRanges=())
        left_over = spectrum.components(self._axis, self.index, SHARE)
        self.table.show_artifacts([Shown("components", "Components", left_over)])
        if not self._is_zoomed:
            self.fit()
        plotting.dress(self.plot)

    def _draw_stems(
        self, stems: pg.PlotDataItem, heads: pg.ScatterPlotItem, frequencies: np.ndarray, weights: np.ndarray
    ) -> None:
        heights = self._heights(weights)
        low = np.full(len(heights), self._levels()[0])
        stems.setData(np.repeat(frequencies, 2), np.stack([low, heights], 1).reshape(-1))
        heads.setData(frequencies, heights)

    def _draw_source(self, spectrum: SpectrumTable) -> None:
        shown = spectrum.source_amplitudes is not None and self.with_source.isChecked()
        self.source.setVisible(shown)
        if spectrum.source_amplitudes is None or spectrum.source_frequencies is None or not shown:
            return
        power = spectrum.source_amplitudes[self._axis] ** 2
        largest = float(spectrum.weights[self.index, self._axis].max()) or 1.0
        scaled = power / (power.max() or 1.0) * largest
        self.source.setData(spectrum.source_frequencies[self._axis], self._heights(scaled))
        self.source.setFillLevel(self._levels()[0])

    def fit(self) -> None:
        """Show all components; the source's spectrum beyond them is cut."""
        spectrum = self.spectrum
        if spectrum is None:
            return
        highest = float(np.abs(spectrum.frequencies[:, self._axis]).max()) or 1.0
        self.plot.setRange(xRange=(-0.02 * highest, 1.04 * highest), yRange=self._levels(), padding=0)
        self._is_zoomed = False

    def _hover(self, at: QPointF) -> None:
        text = ""
        if self.spectrum is not None and self.plot.vb.sceneBoundingRect().contains(at):
            frequencies, weights = self.components
            heads = zip(frequencies, self._heights(weights), strict=True)
            places = [self.plot.vb.mapViewToScene(QPointF(f, h)) for f, h in heads]
            apart = np.array([np.hypot(p.x() - at.x(), p.y() - at.y()) for p in places])
            nearest = int(apart.argmin()) if len(apart) else -1
            if nearest >= 0 and apart[nearest] <= REACH:
                text = self.describe(nearest)
        self.readout.setText(text)

    def describe(self, component: int) -> str:
        """A component in words."""
        assert self.spectrum is not None
        frequencies, weights = self.components
        scale = self.spectrum.length_scales[self.index, self._axis, component]
        return (
            f"frequency {number(float(frequencies[component]), 5)}   weight {number(float(weights[component]), 3)}   "
            f"length scale {number(float(scale), 3)} {self.spectrum.unit}".rstrip()
        )

    def _theme_changed(self) -> None:
        found = theme.colors()
        scale = self.devicePixelRatioF()  # pens of plots do not grow with the screen's scale by themselves
        strong, faint = QColor(found.accent), QColor(found.faint)
        self.stems.setPen(pg.mkPen(strong, width=2 * scale))
        self.heads.setPen(pg.mkPen(None))
        self.heads.setBrush(strong)
        self.heads.setSize(8)
        self.faint_stems.setPen(pg.mkPen(faint, width=1 * scale))
        self.faint_heads.setPen(pg.mkPen(None))
        self.faint_heads.setBrush(faint)
        self.faint_heads.setSize(5)
        behind = QColor(theme.series_color(1))
        behind.setAlpha(150)
        self.source.setPen(pg.mkPen(behind, width=1 * scale))
        behind.setAlpha(45)
        self.source.setFillBrush(behind)
        plotting.dress(self.plot)
        self._draw()

    def resizeEvent(self, event) -> None:
        self.table.setVisible(self.width() >= NARROW)
        super().resizeEvent(event)

    def _save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return plotting.grab(self.graphics, width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    # ---- state --------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        return {
            "spectrum": self._chosen, "axis": self._axis, "step": None if self._follows else self.index,
            "y_log": self.log.isChecked(), "source": self.with_source.isChecked(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._chosen = str(state.get("spectrum", ""))
        axis, step = state.get("axis"), state.get("step")
        if isinstance(axis, int) and not isinstance(axis, bool) and 0 <= axis < 4:
            self._axis = axis
        if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 1 << 31:
            self.index, self._follows = step, False
        self.log.setChecked(state.get("y_log") is not False)
        self.with_source.setChecked(state.get("source") is not False)
        self._show()

    def closeEvent(self, event) -> None:
        self.clock.stop()
        super().closeEvent(event)
