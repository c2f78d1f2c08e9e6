"""Curves of runs and artifacts over one shared x axis: a small plot for each quantity, or all in one plot."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QAction, QImage, QPen
from PySide6.QtWidgets import QFileDialog, QSlider, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import curve_bar, curve_looks, curve_output, curve_state, plotting
from app.viewers.capture import ask_for_picture
from app.viewers.curve_grid import CurveGrid
from app.viewers.curve_legend import Legend
from app.viewers.curve_looks import Key
from app.viewers.curve_panel import CurvePanel
from app.viewers.curve_series import Series, decimated, smoothed
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.core import ELAPSED
from engines.data import Curve

REFRESH_MS = 60
PAINTING, SHARE = 4.0, 0.05
"""Painting takes about so many times as long as a refresh; both may have this share of the window's time."""


class CurvesView(QWidget):
    title_changed = Signal(str)
    together: QAction
    x_log: QAction
    y_log: QAction
    against_time: QAction
    smoothing_slider: QSlider

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("curves")
        self.setAccessibleName("Curves")
        self._series: dict[Key, Series] = {}
        self.hidden: set[Key] = set()
        self._from_artifacts: set[Key] = set()
        self._panels: dict[str, CurvePanel] = {}
        self.smoothing = 0.0
        self._pen_scale = self.devicePixelRatioF()  # pens of plots do not grow with the screen's scale by themselves
        self._labels: tuple[str, str] = ("step", "")
        self._follows = True  # the view holds everything until the user zooms or pans
        self._syncing = False
        self._pause_ms = 0  # that new points wait for, so that the window has time for all else on a slow machine
        self._timer, self._range_timer = QTimer(self), QTimer(self)
        for timer, run in ((self._timer, self._refresh), (self._range_timer, self._draw_visible)):
            timer.setSingleShot(True)
            timer.timeout.connect(run)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._clocks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.bar = ViewBar(self)
        curve_bar.fill(self)
        self._show_clock(False)
        column.addWidget(self.bar)
        self.legend = Legend(self, self._toggled)
        column.addWidget(self.legend)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "curves", "No curves yet", "They appear here as soon as a run logs its first values."
        )
        self.grid = CurveGrid(body)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.grid)
        column.addWidget(body, 1)
        theme.signals.changed.connect(self._theme_changed)
        self._arrange()
        self._refresh()

    # ---- content ------------------------------------------------------------------------------------------
    def set_series(self, name: str, x: Any, y: Any, run: str = "") -> None:
        """Set the whole of one series, x increasing. Cheap to call often: the plot follows up to 16 times a second."""
        if name == ELAPSED:
            self._set_clock(run, np.asarray(x, float), np.asarray(y, float))
            return
        key = (run, name)
        series = self._series.get(key)
        is_new = series is None
        if series is None:
            series = self._series[key] = Series()
            series.on = key not in self.hidden
            self._arrange()
        x, y = np.asarray(x, float), np.asarray(y, float)
        count = min(len(x), len(y))
        series.steps, series.y, series.dirty = x[:count], y[:count], True
        series.x = self._placed(run, series.steps)
        if not self._timer.isActive():
            self._timer.start(REFRESH_MS if is_new else max(REFRESH_MS, self._pause_ms))

    def _show_clock(self, on: bool) -> None:
        """Offer the change between steps and seconds, where it is known when they were logged."""
        self.against_time.setVisible(on)  # its button follows

    def _set_clock(self, run: str, steps: np.ndarray, seconds: np.ndarray) -> None:
        """When each step of a run was logged: its series can be shown against that."""
        new = run not in self._clocks
        self._clocks[run] = steps, np.maximum.accumulate(seconds) if len(seconds) else seconds
        if new:
            self._show_clock(True)
        if self.against_time.isChecked():
            self.retime()

    def _placed(self, run: str, steps: np.ndarray) -> np.ndarray:
        """Where steps lie on the x axis: at themselves, or at the seconds at which they were logged."""
        clock = self._clocks.get(run)
        if clock is None or not self.against_time.isChecked() or not len(clock[0]):
            return steps
        return np.interp(steps, *clock)

    def retime(self) -> None:
        """Take over whether steps or seconds are on the x axis."""
        for (run, _), series in self._series.items():
            series.x, series.dirty = self._placed(run, series.steps), True
        for panel in self._panels.values():
            self._label(panel)
        self._follows = True
        self._refresh()

    def remove_series(self, name: str, run: str = "") -> None:
        series = self._series.pop((run, name), None)
        if series is not None:
            series.move_to(None)
            self._arrange()
            self._timer.start(REFRESH_MS)

    def clear(self) -> None:
        for run, name in list(self._series):
            self.remove_series(name, run)
        self._clocks.clear()
        self._show_clock(False)

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        curves = [(item, item.artifact) for item in items if isinstance(item.artifact, Curve)]
        wanted: set[Key] = set()
        first = bool(curves) and not self._from_artifacts
        if first:
            # Series that share a label of their y axis are of one quantity: they belong in one plot.
            self.together.setChecked(bool(curves[0][1].y_label))
            self.x_log.setChecked(curves[0][1].x_log)
            self.y_log.setChecked(curves[0][1].y_log)
        for item, curve in curves:
            order = np.argsort(curve.x, kind="stable")
            for name, values in curve.series.items():
                key = (item.name if len(curves) > 1 else "", name)
                wanted.add(key)
                # Several series over the union of their x have no number where another has its own: each is one line.
                known = order[~np.isnan(values[order])]
                self.set_series(name, curve.x[known], values[known], key[0])
        for run, name in self._from_artifacts - wanted:
            self.remove_series(name, run)
        self._from_artifacts = wanted
        if curves:
            self.set_labels(curves[0][1].x_label, curves[0][1].y_label)
        self._refresh()

    def set_labels(self, x: str, y: str) -> None:
        self._labels = (x, y)
        for panel in self._panels.values():
            self._label(panel)

    def _label(self, panel: CurvePanel) -> None:
        x, y = self._labels
        x = "seconds" if self._clocks and self.against_time.isChecked() else x
        panel.set_labels(*((x, y) if self.together.isChecked() else ("", "")))
        panel.set_x_word(x)

    @property
    def series(self) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
        return {key: (s.x, s.y) for key, s in self._series.items()}

    @property
    def runs(self) -> list[str]:
        return list(dict.fromkeys(run for run, _ in self._series))

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for _, name in self._series))

    @property
    def plot(self) -> pg.PlotItem:
        """The first plot."""
        return next(iter(self._panels.values())).plot

    # ---- which plots there are ----------------------------------------------------------------------------
    def mode_changed(self) -> None:
        """Take over whether all stand together, and which are hidden."""
        self._arrange()
        self._refresh()

    def _arrange(self) -> None:
        """A plot for each quantity (or one), the series in theirs, and the legend."""
        together = self.together.isChecked()
        wanted = [""] if together and self._series else self.names
        for gone in [name for name in self._panels if name not in wanted]:
            panel = self._panels.pop(gone)
            for series in self._series.values():
                series.leave(panel.plot)
            panel.hide()
            panel.deleteLater()
        for name in wanted:
            if name not in self._panels:
                self._panels[name] = self._make_panel(name)
        for (_, name), series in self._series.items():
            series.move_to(self._panels["" if together else name].plot)
        self._panels = {name: self._panels[name] for name in wanted}
        self.grid.set_panels(list(self._panels.values()))
        several = len(self.runs) > 1
        entries: dict[Hashable, tuple[str, str, bool]] = {}
        if together and len(self._series) > 1:
            for run, name in self._series:
                title = " · ".join(part for part in (run, name) if part)
                words = f"series-{run}-{name}" if run else f"series-{name}"
                entries[run, name] = (words, title, (run, name) not in self.hidden)
        elif several:
            for run in self.runs:
                on = any(key[0] == run and key not in self.hidden for key in self._series)
                entries[run] = (f"run-{run}", run, on)
        self.legend.set_entries(entries)
        for panel in self._panels.values():
            panel.heading.setVisible(not together or not entries)
            panel.heading.name = panel.name or (self.names[0] if len(self._series) == 1 else "")
        self._restyle()

    def _make_panel(self, name: str) -> CurvePanel:
        panel = CurvePanel(self.grid.sheet, name)
        panel.set_logs(self.x_log.isChecked(), self.y_log.isChecked())
        panel.hovered.connect(lambda x, panel=panel: self._hover(x, panel))
        panel.zoomed.connect(lambda: setattr(self, "_follows", False))
        panel.x_range_changed.connect(self._follow_x)
        panel.asked_for_all.connect(self.fit)
        self._label(panel)
        return panel

    # ---- looks --------------------------------------------------------------------------------------------
    def pen_of(self, key: Key, width: float = 1.6) -> QPen:
        together = self.together.isChecked()
        return curve_looks.pen(key, self.runs, self.names, width * self._pen_scale, together=together)

    def _restyle(self) -> None:
        for key, series in self._series.items():
            pen = self.pen_of(key)
            curve_looks.dress(series, pen, self._pen_scale)
            for entry in (key, key[0]):
                self.legend.dress(entry, pen)

    def _toggled(self, entry: Hashable, on: bool) -> None:
        keys = {key for key in self._series if entry in (key, key[0])}
        self.hidden = self.hidden - keys if on else self.hidden | keys
        self._refresh()

    def _refresh(self) -> None:
        began = time.thread_time()
        for key, series in self._series.items():
            if series.dirty:
                series.dirty = False
                series.smooth = smoothed(series.y, self.smoothing)
                # One or two points make no line: show them.
                series.line.setSymbol("o" if len(series.x) <= 2 else None)
                series.line.setSymbolSize(5)
            series.on = key not in self.hidden
            series.line.setVisible(series.on)
            series.raw.setVisible(series.on and self.smoothing > 0)
        if self._follows:
            self.fit()
        self._draw_visible()
        self.show_values_at(None)
        self._stack.setCurrentWidget(self.grid if self._series else self.empty)
        self._pause_ms = min(round(1000 * (time.thread_time() - began) * PAINTING / SHARE), 1000)

    def show_values_at(self, x: float | None) -> None:
        """Write each series' value at ``x``, or its last, into headings and legend."""
        several, together = len(self.runs) > 1, self.together.isChecked()
        found: dict[str, list[tuple[float, str]]] = {}
        for key, series in self._series.items():
            value = (series.at(x) if x is not None else float(series.y[-1])) if len(series.y) else None
            if value is None:
                continue
            if key in self.legend.chips:
                title = " · ".join(part for part in key if part)
                self.legend.say(key, f" {title}  {number(value)}")
            if series.on:
                colour = self.pen_of(key).color().name() if several else ""
                found.setdefault("" if together else key[1], []).append((value, colour))
        for name, panel in self._panels.items():
            panel.heading.say(found.get(name, []))

    def set_log(self) -> None:
        """Take over which axes are logarithmic."""
        for panel in self._panels.values():
            panel.set_logs(self.x_log.isChecked(), self.y_log.isChecked())
        self.fit()
        self._draw_visible()

    def set_smoothing(self, place: int) -> None:
        # 0..100 to weights 0..0.998, finer towards the strong end where small changes matter.
        self.smoothing = 0.0 if place == 0 else 1 - 10 ** (-2.7 * place / 100)
        for series in self._series.values():
            series.dirty = True
        self._timer.start(REFRESH_MS)

    # ---- ranges -------------------------------------------------------------------------------------------
    def fit(self) -> None:
        """Show everything, and go on doing so as series grow."""
        self._follows = True
        smooth, together = self.smoothing > 0, self.together.isChecked()
        x_span = curve_looks.span(list(self._series.values()), 0, smooth, self.x_log.isChecked())
        self._syncing = True
        for name, panel in self._panels.items():
            within = [series for key, series in self._series.items() if together or key[1] == name]
            y_span = curve_looks.span(within, 1, smooth, self.y_log.isChecked())
            panel.plot.vb.setRange(xRange=x_span, padding=0.02)
            panel.plot.vb.setRange(yRange=y_span, padding=0.08)
        self._syncing = False

    def _follow_x(self, panel: CurvePanel) -> None:
        self._range_timer.start(0)
        if self._syncing or panel not in self._panels.values():  # one on its way out has nothing to say any more
            return
        self._syncing = True
        span = panel.plot.vb.viewRange()[0]
        for other in self._panels.values():
            if other is not panel:
                other.plot.vb.setXRange(*span, padding=0)
        self._syncing = False

    def _draw_visible(self) -> None:
        """Hand the plots what they can show of each series, and no more."""
        self._range_timer.stop()  # ranges that have just changed are heeded here: once is enough
        together = self.together.isChecked()
        for (_, name), series in self._series.items():
            if series.dirty:  # new points, which the next refresh smooths; a change of range may come before it
                continue
            panel = self._panels["" if together else name]
            low, high = panel.plot.vb.viewRange()[0]
            if self.x_log.isChecked():
                low, high = 10**low, 10**high
            columns = max(200, panel.graphics.width())
            series.line.setData(*decimated(series.x, series.smooth, low, high, columns))
            raw = self.smoothing > 0 and series.on
            series.raw.setData(*(decimated(series.x, series.y, low, high, columns) if raw else ([], [])))

    def _hover(self, x: float | None, panel: CurvePanel) -> None:
        for other in self._panels.values():
            other.show_cross(x, log=self.x_log.isChecked(), here=other is panel)
        self.show_values_at(x)

    # ---- leaving ------------------------------------------------------------------------------------------
    def export_csv(self, path: str | Path) -> None:
        """One row per x, one column per series; empty where a series has no value. Raises OSError."""
        curve_output.write_csv(path, self._labels[0] or "x", self.series)

    def ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save curves", "curves.csv", "Comma-separated values (*.csv)")
        if path:
            self.export_csv(path)

    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        """The plots with their legend above them."""
        self._refresh()
        self._pen_scale = plotting.scale_of(width)
        self._restyle()
        entries = {
            chip.text().strip(): self.pen_of(next(k for k in self._series if entry in (k, k[0])))
            for entry, chip in self.legend.chips.items()
            if chip.isChecked()
        }
        image = curve_output.picture(self.grid.panels, entries, width, height)
        self._pen_scale = self.devicePixelRatioF()
        self._restyle()
        return image

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._pen_scale = self.devicePixelRatioF()
            self._restyle()
        return super().event(event)

    def _theme_changed(self) -> None:
        for panel in self._panels.values():
            panel.dress()
        self._restyle()

    def state(self) -> dict[str, Any]:
        return curve_state.of(self)

    def restore(self, state: dict[str, Any]) -> None:
        curve_state.restore(self, state)

    def closeEvent(self, event) -> None:
        self._timer.stop()
        self._range_timer.stop()
        super().closeEvent(event)
