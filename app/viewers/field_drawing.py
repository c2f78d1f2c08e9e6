"""What a field view draws: each field's plane with the same colours, what lies over it, and the differences."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg

from app.viewers import field_ellipses, field_flow, field_values
from app.viewers.field_head import in_words
from app.viewers.field_pane import FieldPane
from app.viewers.field_values import Plane, Quantity
from app.viewers.overlay import ColourBar, number

if TYPE_CHECKING:
    from app.viewers.field_sources import FieldSource
    from app.viewers.field_view import FieldView

REST = 0.12
"""Seconds between two drawings of streamlines while time goes on: they take longer than a frame."""
HASTY_NODES = 96
"""Along each side, for contour lines meanwhile."""


Kind = tuple[str, bool]


def _kind(source: FieldSource, quantity: Quantity | None) -> Kind:
    """What must agree for two fields to be compared by colour: the quantity, and whether they are errors.

    An error has the name of its component, but beside the field itself it would be of one colour all over.
    """
    return quantity.key if quantity is not None else "", "error" in source.name.lower()


class Drawing:
    def __init__(self, view: FieldView) -> None:
        self._view = view
        self.planes: list[Plane | None] = []
        """Of the fields on show, in their order."""
        self.colours = ("viridis", 0.0, 1.0)
        self._streamed: dict[int, float] = {}

    def redraw(self) -> None:
        view, sources = self._view, self._view.shown_sources
        place = (view.strip.time, view.axis, view.position)
        asked = [source.quantity(view.key) for source in sources]
        self.planes = [
            source.plane(quantity, *place) if quantity is not None else None
            for source, quantity in zip(sources, asked, strict=True)
        ]
        kinds = [_kind(s, q) for s, q in zip(sources, asked, strict=True)]
        scales = {kind: self._colours(sources, asked, kinds, kind) for kind in dict.fromkeys(kinds)}
        self.colours = scales[kinds[0]]
        for k, (source, shown) in enumerate(zip(sources, self.planes, strict=True)):
            colours = scales[kinds[k]]
            levels = field_flow.levels_between(*colours[1:]) if view.contour_action.isChecked() else np.zeros(0)
            pane = view.panes[k]
            pane.set_known(shown is not None, "" if shown is not None else source.note)
            if shown is None:
                pane.head.say(source.name, [source.note])
                continue
            self._draw(pane, shown, colours, levels)
            self._flow(k, pane, source)
            pane.map.set_overlays(self._gaussians(shown))
            several = len(sources) > 1
            own = f", {source.time_name} = {number(shown.time)}" if abs(shown.time - view.strip.time) > 1e-9 else ""
            pane.head.say(
                f"{source.name if several else shown.title}{own if several else ''}",
                in_words(field_values.measures(shown)),
                _tip(source, shown),
            )
        self._differences(sources, asked)

    def _colours(
        self, sources: list[FieldSource], asked: list[Quantity | None], kinds: list[Kind], kind: Kind
    ) -> tuple[str, float, float]:
        """One scale for all fields of a kind. What the user chose is of the first."""
        pairs = [(s, q) for s, q, own in zip(sources, asked, kinds, strict=True) if q is not None and own == kind]
        key = tuple((source.version, quantity.key) for source, quantity in pairs)

        def values() -> np.ndarray:
            parts = [source.some_values(quantity).ravel() for source, quantity in pairs]
            return np.concatenate(parts) if parts else np.zeros(0)

        return self._view.colours.of(key, values, chosen=kind == kinds[0])

    def _draw(
        self, pane: FieldPane, shown: Plane, colours: tuple[str, float, float], levels: np.ndarray
    ) -> None:  # fmt: skip
        view = self._view
        pane.map.show_plane(shown, colours, view.smooth_action.isChecked())
        nodes = HASTY_NODES if view.strip.playing else field_flow.CONTOUR_NODES
        pane.map.contours.draw(field_flow.contours(shown, levels, nodes))
        pane.map.mark_time(view.strip.time if shown.is_strip else None)
        title = "difference" if shown.title.startswith("difference of") else shown.title
        pane.bar.show_bar(ColourBar(title, *colours, shown.unit), levels)

    def _flow(self, k: int, pane: FieldPane, source: FieldSource) -> None:
        view = self._view
        wanted = view.arrow_action.isChecked(), view.stream_action.isChecked()
        flow = source.flow(view.strip.time, view.axis, view.position) if any(wanted) else None
        nothing = np.zeros((0, 2))
        if flow is None or not wanted[0]:
            pane.map.arrows.draw(nothing)
        else:
            # As long as at the time of the fastest flow, so that a flow that slows down is seen to.
            speed = np.hypot(flow[0].values, flow[1].values)
            longest = max(self._fastest(source), 1e-300) if np.isfinite(speed).any() else 1.0
            across = int(np.clip(max(pane.map.width(), pane.map.height()) / 22, 8, 32))
            pane.map.arrows.draw(field_flow.arrows(*flow, longest, across), "pairs", hasty=view.strip.playing)
        if flow is None or not wanted[1]:
            pane.map.set_streams(nothing, nothing)
        elif not view.strip.playing or time.perf_counter() - self._streamed.get(k, 0.0) > REST:
            lines = field_flow.streamlines(*flow)
            size = 0.016 * max(np.ptp(flow[0].right), np.ptp(flow[0].up))
            pane.map.set_streams(lines, field_flow.heads(lines, size), hasty=view.strip.playing)
            self._streamed[k] = time.perf_counter()

    def _gaussians(self, shown: Plane) -> list[pg.GraphicsObject]:
        """The ellipses of what lies over the fields."""
        view = self._view
        if not view.gaussian_action.isChecked() or not view.overlays:
            return []
        source = view.shown_sources[0]
        elsewhere = {source.time_name: view.strip.time}
        if source.dimensions == 3:
            elsewhere[source.coordinates[view.axis]] = view.position
        found = []
        for item in view.overlays:
            features = field_ellipses.on_plane(item.artifact, shown.names, elsewhere)
            if features is not None:
                found += field_ellipses.ellipses(features, self.colours[0], view.devicePixelRatioF())
        return found

    def _fastest(self, source: FieldSource) -> float:
        quantity = next((q for q in source.quantities if q.kind == "magnitude"), None)
        if quantity is None:
            return 0.0
        _, low, high = self._view.speeds.of((source.version, quantity.key), lambda: source.some_values(quantity))
        return max(abs(low), abs(high))

    # ---- differences --------------------------------------------------------------------------------------
    def _differences(self, sources: list[FieldSource], asked: list[Quantity | None]) -> None:
        view = self._view
        panes = view.panes[len(sources) :]
        first = self.planes[0] if self.planes else None
        for pane in panes:
            pane.set_known(first is not None)
        if not panes or first is None:
            return
        others = [shown for shown in self.planes[1:] if shown is not None]
        key = (tuple(s.version for s in sources), view.key, view.axis, view.position)
        colours = view.difference_colours.of(key, lambda: self._some_differences(sources, asked))
        levels = field_flow.levels_between(*colours[1:]) if view.contour_action.isChecked() else np.zeros(0)
        for pane, shown, source in zip(panes, others, sources[1:], strict=False):
            away = field_values.difference(first, shown)
            self._draw(pane, away, colours, levels)
            pane.map.arrows.draw(np.zeros((0, 2)))
            pane.map.set_streams(np.zeros((0, 2)), np.zeros((0, 2)))
            pane.map.set_overlays([])
            words = in_words(field_values.measures(away))
            relative = _relative(away, first)
            words = [f"relative L² {number(relative, 3)}", *words] if relative is not None else words
            pane.head.say(f"{source.name} − {sources[0].name}", words, "Interpolated on the nodes of the first field.")

    def _some_differences(self, sources: list[FieldSource], asked: list[Quantity | None]) -> np.ndarray:
        view = self._view
        times = sources[0].times
        found = [np.zeros(0)]
        for k in np.unique(np.linspace(0, len(times) - 1, 8).astype(int)):
            place = (float(times[k]), view.axis, view.position)
            planes = [s.plane(q, *place) for s, q in zip(sources, asked, strict=True) if q is not None]
            known = [p for p in planes if p is not None]
            if len(known) > 1 and known[0] is planes[0]:
                found += [field_values.difference(known[0], other).values.ravel() for other in known[1:]]
        return np.concatenate(found)


def _relative(away: Plane, first: Plane) -> float | None:
    """The norm of a difference over that of the first, where both are known everywhere the difference is."""
    kept = np.where(np.isfinite(away.values), first.values, np.nan)
    norms = [
        field_values.measures(p)
        for p in (away, Plane(kept, first.right, first.up, first.names, is_strip=first.is_strip))
    ]
    if norms[0] is None or norms[1] is None or norms[1].norm == 0:
        return None
    return norms[0].norm / norms[1].norm


def _tip(source: FieldSource, shown: Plane) -> str:
    over = " and ".join(shown.names) if not shown.is_curve else shown.names[0]
    return f"{source.artifact.summary()}\nMean, L² norm and integral over {over}, by the trapezoidal rule."
