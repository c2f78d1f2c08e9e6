"""How values spread: a column of a table, a scalar of a mesh, a field, the weights of a model."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QSpinBox, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import plotting
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.core import Artifact
from engines.data import (
    Curve,
    Displacements,
    GaussianFeatures,
    GridField,
    Measure,
    Mesh,
    MeshField,
    Model,
    PointCloud,
    SampledField,
    Table,
    Volume,
)

_MOST = 2_000_000
"""Larger arrays are thinned out evenly: the shape of a histogram does not change by more."""


@dataclass(frozen=True)
class Shares:
    """Counts as shares, so that items of different size can be compared."""

    of: str
    """What is counted, in the plural."""
    title: str
    """What the values are."""
    cut: float = 1.0
    """The axis ends where this share of every item is below; how much lies beyond is said in words."""


def values_of(artifact: Artifact) -> dict[str, np.ndarray]:
    """What of an artifact can be counted: name to values of any shape."""
    if isinstance(artifact, Mesh | PointCloud):
        return dict(artifact.scalars)
    if isinstance(artifact, Table):
        return {k: v for k, v in artifact.columns.items() if v.dtype.kind in "fiub"}
    if isinstance(artifact, SampledField | MeshField):
        # Thinned out in time and along the first axis before the copy that all of a component would be.
        step = max(1, artifact.values.size // max(1, artifact.values.shape[1]) // (4 * _MOST))
        cut = artifact.values[::step] if len(artifact.times) >= step else artifact.values[:, :, ::step]
        return {name: cut[:, k] for k, name in enumerate(artifact.components)}
    if isinstance(artifact, GaussianFeatures):
        return {k: v for k, v in artifact.table().columns.items() if k != "channel"}
    if isinstance(artifact, Curve):
        return dict(artifact.series)
    if isinstance(artifact, GridField):
        return {artifact.quantity: artifact.values}
    if isinstance(artifact, Volume):
        return {"value": artifact.values}
    if isinstance(artifact, Model):
        return {k: v for k, v in artifact.weights.items() if v.dtype.kind in "fiub"}
    return {}


@dataclass(frozen=True, eq=False)
class Counted:
    """Named values of one item. Where points have ``weights`` (N,), the mass in each bin is shown, not a count."""

    title: str
    values: dict[str, np.ndarray]
    weights: np.ndarray | None = None

    def finite(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The values that are numbers, and what each weighs."""
        values, weights = self.values[name], self.weights
        if weights is None:
            return finite(values), None
        good = np.isfinite(values)
        return values[good].astype(float), weights[good]


def parts_of(item: Shown) -> list[Counted]:
    """What is counted of an item: coordinates of a measure; those of displacements before, after and at the target."""
    artifact = item.artifact
    if isinstance(artifact, Measure):
        return [_coordinates(item.name, artifact.points, artifact.mass, artifact.coordinates)]
    if isinstance(artifact, Displacements):
        if not len(artifact.starts):
            return []
        moved = artifact.moved
        known = [("before", artifact.starts, moved.mass), ("after", artifact.ends, moved.mass)]
        if artifact.target is not None:
            known.append(("target", artifact.target.points, artifact.target.mass))
        return [_coordinates(f"{item.name}: {when}", p, mass, moved.coordinates) for when, p, mass in known]
    return [Counted(item.name, values_of(artifact))]


def _coordinates(title: str, points: np.ndarray, mass: np.ndarray, names: Sequence[str]) -> Counted:
    return Counted(title, {name: points[:, k] for k, name in enumerate(names)}, mass)


def _worded(name: str) -> str:
    """Words begin with a capital; symbols such as u stay what they are."""
    return name.capitalize() if name.islower() and len(name) > 2 else name


def finite(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)[:: max(1, values.size // _MOST)].astype(float)
    return flat[np.isfinite(flat)]


class _Suffixed(pg.AxisItem):
    """Numbers with their unit."""

    suffix = ""

    def tickStrings(self, values, scale, spacing):
        if not self.suffix:
            return super().tickStrings(values, scale, spacing)
        plain = [f"{10.0**v:g}" for v in values] if self.logMode else super().tickStrings(values, scale, spacing)
        return [f"{text}{self.suffix}" for text in plain]


class HistogramView(QWidget):
    """Several items are drawn over each other, over the same bins."""

    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, bar: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("histogram-view")
        self.setAccessibleName("Histogram")
        self._items: list[Counted] = []
        self._name = ""
        self._shares: Shares | None = None
        self.counts: list[np.ndarray] = []
        self.edges = np.zeros(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self._has_bar = bar
        self.names = self.bar.choice("values", "Values to count", "histogram")
        self.names.activated.connect(lambda _: self.choose(self.names.currentData()))
        bins = self.bar.group("bins-group", "Bins", "sliders-horizontal")
        self.bins = QSpinBox()
        self.bins.setRange(2, 500)
        self.bins.setValue(60)
        self.bins.setObjectName("bins")
        self.bins.setAccessibleName("Number of bins")
        self.bins.valueChanged.connect(lambda _: self._draw())
        self.bins.setPrefix("Bins ")
        bins.addWidget(self.bins)
        self.log = self.bar.action(
            "y-log", "Logarithmic counts", "histogram", lambda _: self._draw(), "G", checkable=True, words="Log y"
        )
        self.bar.action("fit", "Show everything", "frame", lambda: self.plot.enableAutoRange(), "F")
        self.bar.stretch()
        self.facts = self.bar.text("facts", "Mean and spread")
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "histogram",
            "Nothing to count",
            "Choose something with values: a table, a field, a volume, or a mesh with scalars.",
        )
        self.shares_axis = _Suffixed("left")
        self.graphics = pg.PlotWidget(self, axisItems={"left": self.shares_axis}, enableMenu=False)
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.graphics.setAccessibleName("Plot of the counts")
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.plot.hideButtons()
        self.plot.showGrid(y=True, alpha=0.18)
        self.plot.layout.setContentsMargins(8, 8, 16, 6)
        self._legend = pg.LabelItem(justify="left")
        self._legend.setParentItem(self.plot.vb)
        self._legend.anchor((1, 0), (1, 0), offset=(-4, -2))
        self._legend.hide()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.graphics)
        column.addWidget(body, 1)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self._draw()

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        units: dict[str, str] = {}
        parts = [part for item in items for part in parts_of(item)]
        for item in items:
            of_all = getattr(item.artifact, "unit", "") if isinstance(item.artifact, Measure | Displacements) else ""
            units |= {name: of_all for part in parts_of(item) for name in part.values} if of_all else {}
            units |= getattr(item.artifact, "units", {})
        self._set(parts, units, None)

    def set_values(
        self,
        items: Sequence[tuple[str, dict[str, np.ndarray]]],
        units: dict[str, str] | None = None,
        shares: Shares | None = None,
    ) -> None:
        """Plain data: a title and named values for each item."""
        self._set([Counted(title, found) for title, found in items], units or {}, shares)

    def _set(self, items: Sequence[Counted], units: dict[str, str], shares: Shares | None) -> None:
        self._shares = shares
        self._items = [item for item in items if item.values]
        self._units = units
        names = list(dict.fromkeys(name for item in self._items for name in item.values))
        self.names.clear()
        for name in names:
            self.names.addItem(_worded(name), name)
        if self._name not in names:
            self._name = names[0] if names else ""
        self.names.setCurrentIndex(max(0, self.names.findData(self._name)))
        self.bar.set_shown(self.names.parentWidget(), len(names) > 1)
        self._draw()

    def choose(self, name: str) -> None:
        self._name = name
        self._draw()

    def _draw(self) -> None:
        found = [(item.title, *item.finite(self._name)) for item in self._items if self._name in item.values]
        shown = [(title, values) for title, values, _ in found if len(values)]
        weighed = [weights for _, values, weights in found if len(values)]
        self._stack.setCurrentWidget(self.graphics if shown else self.empty)
        self.bar.setVisible(self._has_bar and bool(self._items))
        self.plot.clear()
        self.counts = []
        if not shown:
            return
        shares, unit = self._shares, self._units.get(self._name, "")
        low, largest = min(v.min() for _, v in shown), max(v.max() for _, v in shown)
        high = largest if shares is None else max(float(np.quantile(v, shares.cut)) for _, v in shown)
        if high <= low:
            low, high = low - 0.5, high + 0.5
        self.edges = np.linspace(low, high, self.bins.value() + 1)
        for k, (title, values) in enumerate(shown):
            counts, _ = np.histogram(values, self.edges, weights=weighed[k])
            self.counts.append(counts)
            colour = QColor(theme.colors().accent if len(shown) == 1 else theme.series_color(k))
            fill = QColor(colour)
            fill.setAlpha(150 if len(shown) == 1 else 80)
            each = 1.0 if shares is None else 100.0 / len(values)
            least = 0.5 * (1.0 if shares is None else 100.0 / max(len(v) for _, v in shown))
            least = least if weighed[k] is None else 0.5 * float(counts[counts > 0].min(initial=1.0))
            heights = np.log10(np.maximum(counts * each, least)) if self.log.isChecked() else counts * each
            floor = np.log10(least) if self.log.isChecked() else 0.0
            self.plot.addItem(
                pg.PlotDataItem(
                    self.edges,
                    heights,
                    stepMode="center",
                    fillLevel=floor,
                    fillBrush=fill,
                    pen=pg.mkPen(colour, width=1.2),
                    name=title,
                )
            )
        self.plot.enableAutoRange()
        self.plot.vb.updateAutoRange()  # before the axis reads the old range as powers of ten
        self.plot.getAxis("left").setLogMode(self.log.isChecked())
        name = _worded(self._name)
        name = name if shares is None else shares.title
        # Without the last argument pyqtgraph scales small numbers by a thousand.
        self.plot.setLabel("bottom", f"{name} ({unit})" if unit else name, siPrefixEnableRanges=())
        self.plot.setLabel("left", self._counts(weighed) if shares is None else shares.of, siPrefixEnableRanges=())
        self.shares_axis.suffix = "" if shares is None else " %"
        self._legend.setVisible(shares is not None)
        plotting.dress(self.plot)
        values = shown[0][1]
        means = [float(np.average(v, weights=w)) for (_, v), w in zip(shown, weighed, strict=True)]
        self.facts.setText("")
        if shares is not None:  # in the plot, which is exported too, and where there is room for all of it
            self._say_in_plot(shown, high, unit)
        elif len(shown) == 1 and weighed[0] is None:
            self.facts.setText(
                f"mean {number(float(values.mean()))}   median {number(float(np.median(values)))}   "
                f"95 % below {number(float(np.percentile(values, 95)))}   largest {number(float(values.max()))} {unit}"
            )
        else:
            dot = '<span style="color:{}">■</span> {} {}'
            self.facts.setTextFormat(Qt.TextFormat.RichText)
            self.facts.setText(
                "&nbsp;&nbsp; ".join(
                    dot.format(theme.series_color(k), title, f"mean {number(means[k], 3)} {unit}".rstrip())
                    for k, (title, _) in enumerate(shown)
                )
            )

    @staticmethod
    def _counts(weighed: Sequence[np.ndarray | None]) -> str:
        return "count" if all(w is None for w in weighed) else "mass"

    def _say_in_plot(self, shown: Sequence[tuple[str, np.ndarray]], high: float, unit: str) -> None:
        """Whose colour is whose, with the mean and how much lies beyond the end of the axis."""
        lines = []
        for k, (title, values) in enumerate(shown):
            beyond = float((values > high).mean()) * 100
            rest = f"; {number(beyond, 2)} % beyond {number(high, 3)} {unit}".rstrip() if beyond else ""
            rest += f", up to {number(float(values.max()), 3)} {unit}".rstrip() if beyond else ""
            mark = f'<span style="color:{theme.series_color(k)}">■</span>'
            lines.append(f"{mark} {html.escape(title)}: mean {number(float(values.mean()), 3)} {unit}".rstrip() + rest)
        self._legend.setText("<br>".join(lines), color=theme.colors().text)

    def _theme_changed(self) -> None:
        plotting.dress(self.plot)
        if self._items:
            self._draw()

    def picture(self, width: int, height: int) -> QImage:
        return plotting.grab(self.graphics, width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {"values": self._name, "bins": self.bins.value(), "y_log": self.log.isChecked()}

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._name = str(state.get("values", "")) or self._name
        bins = state.get("bins")
        if isinstance(bins, int) and not isinstance(bins, bool):
            self.bins.setValue(bins)
        self.log.setChecked(state.get("y_log") is True)
        index = self.names.findData(self._name)
        if index >= 0:
            self.names.setCurrentIndex(index)
        elif self.names.count():
            self._name = self.names.itemData(0)
        self._draw()
