"""A transport and its points in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.viewers.overlay import number
from app.viewers.transport_content import ENOUGH, MOST_LINKS, Journey
from engines.data import Coupling


def describe(journey: Journey, cloud: int, point: int) -> str:
    """A point of a cloud in words: where it is, its mass, and what goes from it or comes to it."""
    of = journey.clouds[cloud]
    name = of.names[point] if of.names else f"{of.title} {point}"
    where = ""
    if not journey.is_listed and journey.dimensions <= 3:
        place = ", ".join(number(float(v), 4) for v in of.points[point])
        where = f" at ({place}) {journey.unit}".rstrip()
    text = f"{name}{where}   mass {number(float(of.mass[point]), 4)}"
    if cloud > 1 or not journey.moves:
        return text
    entries = journey.entries
    found = entries.of_point(point, second=cloud == 1)
    if not len(found):
        return f"{text}   {'gets' if cloud == 1 else 'gives'} nothing"
    other = journey.clouds[1 - cloud]
    partner = int((entries.rows if cloud == 1 else entries.columns)[found[0]])
    if journey.arrows:
        away = float(np.linalg.norm(journey.clouds[1].points[partner] - of.points[point])) if cloud == 0 else 0.0
        return f"{text}   moves by {number(away, 4)} {journey.unit}".rstrip() if cloud == 0 else text
    called = other.names[partner] if other.names else f"{other.title} {partner}"
    way = ("gets", "from") if cloud == 1 else ("gives", "to")
    total, most = float(entries.mass[found].sum()), float(entries.mass[found[0]])
    several = f"; most {way[1]} {called}: {number(most, 4)}" if len(found) > 1 else f" {way[1]} {called}"
    places = f" {way[1]} {len(found):,} places" if len(found) > 1 else ""
    return f"{text}   {way[0]} {number(total, 4)}{places}{several}"


def status(journey: Journey, most: int, time: float, notes: Sequence[str]) -> str:
    """How much of it is on show with at most so many links at a time from 0 to 1, and what else is to be known."""
    parts = []
    entries, total = journey.entries, journey.entries.count
    if isinstance(journey.artifact, Coupling):
        parts.append(journey.artifact.kind)
    if journey.moves and most:
        word, count = "arrows" if journey.arrows else "links", min(most, total)
        few = f"{count:,} of {total:,} {word}, {percent(entries.share(count))} of the mass"
        parts.append(few if count < total else f"{count:,} {word}")
    if journey.moves and not most and journey.is_pictures and journey.way is not None and journey.way.kept < 0.999:
        few = f"{len(journey.way.mass):,} of {total:,} entries, {percent(journey.way.kept)} of the mass"
        parts.append(f"between: the heaviest {few}")
    many = total > MOST_LINKS and journey.dimensions > 1
    if many and most and 0 < time < 1 and entries.share(MOST_LINKS) < ENOUGH:
        of = "" if len(entries) == total else f" of the heaviest {len(entries):,}"
        parts.append(f"on the way: a sample of {MOST_LINKS:,} by mass{of}")
    return "   ".join(part for part in [*parts, *notes] if part)


def percent(share: float) -> str:
    """A share between 0 and 1, never rounded up to all."""
    return f"{100 * share:.0f} %" if share < 0.995 else f"{100 * min(share, 1):.4g} %"


__all__ = ["describe", "percent", "status"]
