"""Curves over a shared axis: static ones, and the live series of runs, several overlaid."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QFileDialog, QSlider, QStackedLayout, QToolButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

from app import theme
from app.viewers import plotting
from app.viewers.curve_series import Series, decimated, line_icon, smoothed
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.toolbar import EmptyState, ViewBar
from engines.data import Curve

Key = tuple[str, str]
"""Run (or "" where there is one only) and name of the series."""

_DASHES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
)
REFRESH_MS = 60


class CurvesView(QWidget):
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("curves")
        self.setAccessibleName("Curves")
        self._series: dict[Key, Series] = {}
        self._chips: dict[Key, QToolButton] = {}
        self._hidden: set[Key] = set()
        self._from_artifacts: set[Key] = set()
        self.smoothing = 0.0
        self._pen_scale = self.devicePixelRatioF()  # pens of plots do not grow with the screen's scale by themselves
        self._labels: tuple[str, str] = ("step", "")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh)

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._make_bar()
        column.addWidget(self.bar)
        self.graphics = pg.PlotWidget(self)
        self.graphics.setAccessibleName("Plot of the curves")
        self.graphics.setObjectName("plot")
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.showGrid(x=True, y=True, alpha=0.18)
        self.plot.layout.setContentsMargins(8, 8, 16, 6)
        self._cross = pg.InfiniteLine(angle=90, movable=False)
        self._cross.setVisible(False)
        self.plot.addItem(self._cross, ignoreBounds=True)
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.graphics.viewport().installEventFilter(self)
        self.plot.disableAutoRange()
        self._follows = True  # the view holds everything until the user zooms or pans
        self._range_timer = QTimer(self)
        self._range_timer.setSingleShot(True)
        self._range_timer.timeout.connect(self._draw_visible)
        self.plot.vb.sigXRangeChanged.connect(lambda *_: self._range_timer.start(0))
        self.plot.vb.sigResized.connect(lambda *_: self._range_timer.start(0))
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))

        self._legend = QWidget(self)
        self._legend.setObjectName("legend")
        self._legend.setAccessibleName("Legend")
        self._chip_row = QFlowLayout(self._legend)
        self._chip_row.setContentsMargins(8, 4, 8, 4)
        self._chip_row.setHorizontalSpacing(4)
        self._chip_row.setVerticalSpacing(4)
        column.addWidget(self._legend)

        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "curves", "No curves yet", "They appear here as soon as a run logs its first values."
        )
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.graphics)
        column.addWidget(body, 1)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self._refresh()

    def _make_bar(self) -> None:
        self.bar = ViewBar(self)
        self.bar.action("fit", "Show everything", "frame", self.fit, "F")
        self.x_log = self.bar.action(
            "x-log", "Logarithmic x axis", "curves", self._set_log, checkable=True, words="Log x"
        )
        self.y_log = self.bar.action(
            "y-log", "Logarithmic y axis", "curves", self._set_log, "G", checkable=True, words="Log y"
        )
        self.bar.gap()
        self.bar.label("Smoothing")
        self.smoothing_slider = QSlider(Qt.Orientation.Horizontal, self.bar)
        self.smoothing_slider.setRange(0, 100)
        self.smoothing_slider.setFixedWidth(110)
        self.smoothing_slider.setObjectName("smoothing")
        self.smoothing_slider.setAccessibleName("Smoothing")
        self.smoothing_slider.setToolTip("Exponential moving average; the measured values stay behind it, paler.")
        self.smoothing_slider.valueChanged.connect(self._set_smoothing)
        self.bar.add(self.smoothing_slider)
        self.bar.stretch()
        self.bar.action("export-csv", "Save as CSV", "export", self._ask_export)
        self.bar.action("screenshot", "Save a picture", "camera", self._save_picture, "S")

    # ---- content ------------------------------------------------------------------------------------------
    def set_series(self, name: str, x: Any, y: Any, run: str = "") -> None:
        """Set the whole of one series, x increasing. Cheap to call often: the plot follows 16 times a second."""
        key = (run, name)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(self.plot)
            series.on = key not in self._hidden
            self._add_chip(key)
            self._restyle()
        x, y = np.asarray(x, float), np.asarray(y, float)
        count = min(len(x), len(y))
        series.x, series.y, series.dirty = x[:count], y[:count], True
        if not self._timer.isActive():
            self._timer.start(REFRESH_MS)

    def remove_series(self, name: str, run: str = "") -> None:
        series = self._series.pop((run, name), None)
        if series is not None:
            self.plot.removeItem(series.raw)
            self.plot.removeItem(series.line)
            self._chips.pop((run, name)).deleteLater()
            self._restyle()
            self._timer.start(REFRESH_MS)

    def clear(self) -> None:
        for run, name in list(self._series):
            self.remove_series(name, run)

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        curves = [(item, item.artifact) for item in items if isinstance(item.artifact, Curve)]
        wanted: set[Key] = set()
        for item, curve in curves:
            order = np.argsort(curve.x, kind="stable")
            for name, values in curve.series.items():
                key = (item.name if len(curves) > 1 else "", name)
                wanted.add(key)
                self.set_series(name, curve.x[order], values[order], key[0])
        for run, name in self._from_artifacts - wanted:
            self.remove_series(name, run)
        if curves and not self._from_artifacts:
            self.x_log.setChecked(curves[0][1].x_log)
            self.y_log.setChecked(curves[0][1].y_log)
        self._from_artifacts = wanted
        if curves:
            self.set_labels(curves[0][1].x_label, curves[0][1].y_label)
        self._refresh()

    def set_labels(self, x: str, y: str) -> None:
        self._labels = (x, y)
        self.plot.setLabel("bottom", x or None)
        self.plot.setLabel("left", y or None)
        plotting.dress(self.plot)

    @property
    def series(self) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
        return {key: (s.x, s.y) for key, s in self._series.items()}

    # ---- looks --------------------------------------------------------------------------------------------
    def pen_of(self, key: Key, width: float = 1.7) -> QPen:
        """Several runs: colour per run, dash per quantity. One run: colour per quantity."""
        runs = list(dict.fromkeys(run for run, _ in self._series))
        names = list(dict.fromkeys(name for _, name in self._series))
        several = len(runs) > 1
        colour = theme.series_color(runs.index(key[0]) if several else names.index(key[1]))
        dash = _DASHES[names.index(key[1]) % len(_DASHES)] if several else Qt.PenStyle.SolidLine
        return pg.mkPen(colour, width=width * self._pen_scale, style=dash)

    def _restyle(self) -> None:
        for key, series in self._series.items():
            pen = self.pen_of(key)
            series.line.setPen(pen)
            pale = QColor(pen.color())
            pale.setAlpha(70)
            series.raw.setPen(pg.mkPen(pale, width=self._pen_scale))
            self._chips[key].setIcon(line_icon(pen))

    def _add_chip(self, key: Key) -> None:
        chip = QToolButton(self._legend)
        chip.setCheckable(True)
        chip.setChecked(key not in self._hidden)
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setIconSize(QSize(20, 12))
        chip.setObjectName(f"series-{key[0]}-{key[1]}" if key[0] else f"series-{key[1]}")
        title = " · ".join(part for part in key if part)
        chip.setAccessibleName(f"Show {title}")
        chip.setToolTip(f"Show or hide {title}")
        chip.setFont(theme.tabular(chip.font()))
        chip.toggled.connect(lambda on, key=key: self._toggle(key, on))
        self._chips[key] = chip
        self._chip_row.addWidget(chip)

    def _toggle(self, key: Key, on: bool) -> None:
        self._hidden.discard(key) if on else self._hidden.add(key)
        self._refresh()
        self._restyle()

    def _apply_visibility(self) -> None:
        for key, series in self._series.items():
            series.on = key not in self._hidden
            series.line.setVisible(series.on)
            series.raw.setVisible(series.on and self.smoothing > 0)

    def _refresh(self) -> None:
        for series in self._series.values():
            if series.dirty:
                series.dirty = False
                series.smooth = smoothed(series.y, self.smoothing)
                # One or two points make no line: show them.
                series.line.setSymbol("o" if len(series.x) <= 2 else None)
                series.line.setSymbolSize(5)
        self._apply_visibility()
        if self._follows:
            self.fit()
        self._draw_visible()
        self._say_values(None)
        self._legend.setVisible(bool(self._series))
        self._stack.setCurrentWidget(self.graphics if self._series else self.empty)

    def _say_values(self, x: float | None) -> None:
        for key, chip in self._chips.items():
            series = self._series[key]
            value = (series.at(x) if x is not None else float(series.y[-1])) if len(series.y) else None
            title = " · ".join(part for part in key if part)
            chip.setText(f" {title}  {number(value)}" if value is not None else title)

    def _set_log(self, _on: bool) -> None:
        self.plot.setLogMode(self.x_log.isChecked(), self.y_log.isChecked())
        self.fit()

    def _set_smoothing(self, place: int) -> None:
        # 0..100 to weights 0..0.998, finer towards the strong end where small changes matter.
        self.smoothing = 0.0 if place == 0 else 1 - 10 ** (-2.7 * place / 100)
        for series in self._series.values():
            series.dirty = True
        self._timer.start(REFRESH_MS)

    def fit(self) -> None:
        """Show everything, and go on doing so as series grow."""
        self._follows = True
        logs = (self.x_log.isChecked(), self.y_log.isChecked())
        spans = []
        for k, log in enumerate(logs):
            ends = []
            for series in self._series.values():
                values = series.x if k == 0 else series.smooth if self.smoothing > 0 else series.y
                values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
                if series.on and len(values):
                    ends += [values.min(), values.max()]
            low, high = (min(ends), max(ends)) if ends else (1.0, 10.0) if log else (0.0, 1.0)
            if log:
                low, high = np.log10(low), np.log10(high)
            spans.append((low, high) if high > low else (low - 0.5, high + 0.5))
        self.plot.vb.setRange(xRange=spans[0], yRange=spans[1], padding=0.04)

    def _draw_visible(self) -> None:
        """Hand the plot what it can show of each series, and no more."""
        (low, high), _ = self.plot.vb.viewRange()
        if self.x_log.isChecked():
            low, high = 10**low, 10**high
        columns = max(200, int(self.graphics.width()))
        for series in self._series.values():
            if series.dirty:  # new points, which the next refresh smooths; a change of range may come before it
                continue
            series.line.setData(*decimated(series.x, series.smooth, low, high, columns))
            raw = self.smoothing > 0 and series.on
            series.raw.setData(*(decimated(series.x, series.y, low, high, columns) if raw else ([], [])))

    # ---- crosshair ----------------------------------------------------------------------------------------
    def _hover(self, at: QPointF) -> None:
        box = self.plot.vb.sceneBoundingRect()
        inside = box.contains(at)
        self._cross.setVisible(inside and bool(self._series))
        if not inside:
            self._say_values(None)
            self.plot.setTitle(None)
            return
        x = float(self.plot.vb.mapSceneToView(at).x())
        self._cross.setPos(x)
        self.show_values_at(10**x if self.x_log.isChecked() else x)

    def show_values_at(self, x: float) -> None:
        """Write each series' value at ``x`` into the legend."""
        self._say_values(x)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == event.Type.Leave:
            self._cross.setVisible(False)
            self._say_values(None)
        elif event.type() == event.Type.MouseButtonDblClick:
            self.fit()
        return False

    # ---- leaving ------------------------------------------------------------------------------------------
    def export_csv(self, path: str | Path) -> None:
        """One row per x, one column per series; empty where a series has no value. Raises OSError."""
        keys = list(self._series)
        xs = np.unique(np.concatenate([self._series[key].x for key in keys] or [np.zeros(0)]))
        columns = []
        for key in keys:
            column = np.full(len(xs), np.nan)
            column[np.searchsorted(xs, self._series[key].x)] = self._series[key].y
            columns.append(column)
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([self._labels[0] or "x", *(" · ".join(p for p in key if p) for key in keys)])
            for i, x in enumerate(xs.tolist()):
                rows.writerow([_plain(x), *("" if np.isnan(c[i]) else _plain(float(c[i])) for c in columns)])

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save curves", "curves.csv", "Comma-separated values (*.csv)")
        if path:
            self.export_csv(path)

    def _save_picture(self) -> None:
        from app.viewers.capture_dialog import CaptureDialog

        CaptureDialog(self, self.window()).open()

    def picture(self, width: int, height: int) -> QImage:
        """The plot with its legend above it."""
        self._refresh()
        scale = self._pen_scale = plotting.scale_of(width)
        self._restyle()
        legend = round(30 * scale) if self._series else 0
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(QColor(theme.colors().plot))
        painter = QPainter(image)
        painter.drawImage(0, legend, plotting.grab(self.graphics, width, height - legend))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(scale, scale)
        painter.setFont(theme.font(0.95, numbers=True))
        left = 16.0
        for key, series in self._series.items():
            if series.on:
                title = " · ".join(part for part in key if part)
                painter.setPen(self.pen_of(key, 2.0 / self._pen_scale))
                painter.drawLine(QPointF(left, 17), QPointF(left + 20, 17))
                painter.setPen(QColor(theme.colors().text))
                painter.drawText(QPointF(left + 26, 21), title)
                left += 44 + painter.fontMetrics().horizontalAdvance(title)
        painter.end()
        self._pen_scale = self.devicePixelRatioF()
        self._restyle()
        return image

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._pen_scale = self.devicePixelRatioF()
            self._restyle()
        super().changeEvent(event)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def _theme_changed(self) -> None:
        plotting.dress(self.plot)
        self._cross.setPen(pg.mkPen(theme.colors().faint, width=1))
        self._restyle()

    def state(self) -> dict[str, Any]:
        return {
            "x_log": self.x_log.isChecked(),
            "y_log": self.y_log.isChecked(),
            "smoothing": self.smoothing_slider.value(),
            "hidden": sorted(list(key) for key in self._hidden),
        }

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self.x_log.setChecked(state.get("x_log") is True)
        self.y_log.setChecked(state.get("y_log") is True)
        smoothing = state.get("smoothing")
        if isinstance(smoothing, int):
            self.smoothing_slider.setValue(smoothing)
        hidden = state.get("hidden")
        if isinstance(hidden, list):
            self._hidden = {(str(k[0]), str(k[1])) for k in hidden if isinstance(k, list) and len(k) == 2}
            for key, chip in self._chips.items():
                chip.setChecked(key not in self._hidden)

    def closeEvent(self, event) -> None:
        self._timer.stop()
        super().closeEvent(event)


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
