"""Points that were pinned in a field view and the line across it, and the curves that they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.viewers.field_head import in_words
from app.viewers.field_plots import Trace
from app.viewers.field_values import IN_PLANE, Plane, difference, measures
from app.viewers.overlay import number

if TYPE_CHECKING:
    from app.viewers.field_view import FieldView

MOST_PINS = 7
"""As many as there are colours for."""
SAMPLES = 400
"""Points along the line."""


class Marks:
    def __init__(self, view: FieldView) -> None:
        self._view = view
        self.pins: list[tuple[float, ...]] = []
        """Points in space, with as many coordinates as the field has."""
        self.line: np.ndarray | None = None
        """Ends (2, 2) in the plane on show."""
        self._histories: dict[tuple[object, ...], np.ndarray] = {}

    # ---- edits ---
    def pin(self, right: float, up: float) -> None:
        """Pin a point of the plane, or take away the one that is there. Of too many, the oldest goes."""
        view = self._view
        shown = next((plane for plane in view.drawing.planes if plane is not None), None)
        if shown is None or np.isnan(shown.at(right, up)):
            return
        point = self._in_space(shown, right, up)
        reach = 0.015 * np.array([np.ptp(shown.right), np.ptp(shown.up)])
        for k, old in enumerate(self.pins):
            place = self._in_plane(old)
            counted = 1 if shown.is_strip else 2  # a point of a strip is there at all times
            if place is not None and (np.abs(np.subtract(place, (right, up))) <= reach)[:counted].all():
                del self.pins[k]
                break
        else:
            self.pins = [*self.pins, point][-MOST_PINS:]
        view.redraw()

    def draw_line(self, ends: np.ndarray | None, done: bool = True) -> None:
        self.line = ends
        if done or not self._view.plots.isHidden():
            self.redraw()
            return
        for pane in self._view.panes:  # curves that came into view now would move the map under the mouse
            pane.map.set_line(ends)

    def forget_line(self) -> None:
        self.line = None

    def clear(self) -> None:
        self.pins, self.line = [], None

    # ---- places ---
    def _in_space(self, shown: Plane, right: float, up: float) -> tuple[float, ...]:
        view = self._view
        dimensions = view.shown_sources[0].dimensions
        if dimensions == 1:
            return (right,)
        if dimensions == 2:
            return (right, up)
        point = [view.position] * 3
        for axis, at in zip(IN_PLANE[view.axis], (right, up), strict=True):
            point[axis] = at
        return tuple(point)

    def _in_plane(self, point: tuple[float, ...]) -> tuple[float, float] | None:
        """Where a point lies on the plane on show; None where it does not."""
        view = self._view
        source = view.shown_sources[0]
        if len(point) != source.dimensions:
            return None
        if source.dimensions == 1:
            return point[0], view.strip.time
        if source.dimensions == 2:
            return point[0], point[1]
        nodes = source.nodes(view.axis)
        step = float(np.diff(nodes).min()) if len(nodes) > 1 else np.inf
        if abs(point[view.axis] - view.position) > step / 2:
            return None
        right, up = IN_PLANE[view.axis]
        return point[right], point[up]

    # ---- drawing ---
    def redraw(self) -> None:
        view = self._view
        pins = [place for point in self.pins if (place := self._in_plane(point)) is not None]
        for pane in view.panes:
            pane.map.set_pins(pins)
            pane.map.set_line(self.line)
        histories = self._history_traces() if view.strip.has_times else []
        profiles = self._profile_traces()
        single = view.is_single_curve
        away = self._differences() if single and view.difference_action.isChecked() else []
        if view.plots.set_shown(bool(histories), bool(profiles), head=single, differences=bool(away)):
            view.graphics.share_room()
        if single:
            self._say_measures()
        if away:
            view.plots.differences.show_traces(away, self._along(), "difference", None)
        if histories:
            self._show_histories(histories)
        if profiles:
            self._show_profiles(profiles)

    def _history_traces(self) -> list[Trace]:
        view, sources = self._view, self._view.shown_sources
        found = []
        for k, point in enumerate(self.pins):
            for j, source in enumerate(sources):
                quantity = source.quantity(view.key)
                if quantity is None or len(point) != source.dimensions:
                    continue
                key = (source.version, quantity.key, point)
                if key not in self._histories:
                    values = source.history(quantity, point)
                    if values is None:
                        continue
                    self._histories = dict(list(self._histories.items())[-40:])
                    self._histories[key] = values
                where = "(" + ", ".join(number(c, 3) for c in point) + ")"
                name = f"{where} {source.name}" if len(sources) > 1 else where
                found.append(Trace(source.times, self._histories[key], name, k, j))
        return found

    def _show_histories(self, traces: list[Trace]) -> None:
        view, source = self._view, self._view.shown_sources[0]
        bottom = f"{source.time_name} ({source.time_unit})" if source.time_unit else source.time_name
        view.plots.history.show_traces(traces, bottom, self._value_title(), None)
        view.plots.history.mark_time(view.strip.time)

    def _profile_traces(self) -> list[Trace]:
        view = self._view
        found = []
        for j, (source, shown) in enumerate(zip(view.shown_sources, view.drawing.planes, strict=False)):
            if shown is None:
                continue
            if source.dimensions == 1:
                values = shown.row(view.strip.time) if shown.is_strip else shown.values[:, 0]
                found.append(Trace(shown.right, values, source.name, j, 0))
            elif self.line is not None:
                at = np.linspace(0, 1, SAMPLES)
                points = self.line[0] + at[:, None] * (self.line[1] - self.line[0])
                length = float(np.linalg.norm(self.line[1] - self.line[0]))
                found.append(Trace(at * length, shown.at(points[:, 0], points[:, 1]), source.name, j, 0))
        return found

    def _differences(self) -> list[Trace]:
        """Of curves: each other minus the first, on its nodes."""
        view = self._view
        first, *others = view.drawing.planes
        if first is None:
            return []
        named = list(zip(view.shown_sources[1:], others, strict=True))
        return [
            Trace(
                first.right, difference(first, other).values[:, 0], f"{source.name} − {view.shown_sources[0].name}", k
            )
            for k, (source, other) in enumerate(named, 1)
            if other is not None
        ]

    def _say_measures(self) -> None:
        """In the head of the curves: they have no map with a head of its own."""
        view = self._view
        known = [(s.name, p) for s, p in zip(view.shown_sources, view.drawing.planes, strict=True) if p is not None]
        if len(known) == 1:
            view.plots.head.say(known[0][1].title, in_words(measures(known[0][1])))
        elif known:
            words = [f"{name}: {', '.join(in_words(measures(plane))[:4])}" for name, plane in known]
            view.plots.head.say(known[0][1].title, words)

    def _along(self) -> str:
        source = self._view.shown_sources[0]
        name = source.coordinates[0] if source.dimensions == 1 else "distance along the line"
        return f"{name} ({source.length_unit})" if source.length_unit else name

    def _show_profiles(self, traces: list[Trace]) -> None:
        view = self._view
        _, low, high = view.drawing.colours
        fixed = (low, high) if view.strip.has_times and view.panes else None
        view.plots.profile.show_traces(traces, self._along(), self._value_title(), fixed)

    def _value_title(self) -> str:
        shown = next((plane for plane in self._view.drawing.planes if plane is not None), None)
        if shown is None:
            return ""
        return f"{shown.title} ({shown.unit})" if shown.unit else shown.title
