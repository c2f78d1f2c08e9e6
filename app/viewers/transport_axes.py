"""Along which two or three directions clouds of any dimension are seen: coordinates, or principal components of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.viewers.overlay import number
from app.viewers.transport_content import Cloud, Journey

COMPONENTS = 3
"""So many principal components are offered."""
ENOUGH = 20_000
"""Points of each cloud from which components are found; of more, some that are evenly spaced."""
Choice = tuple[str, str, str]
"""What stands on the three axes: "0", "1", … a coordinate, "pc0" … a component; "" on the third: two axes are enough.
Where all three are empty, they are chosen here."""
AUTOMATIC: Choice = ("", "", "")


@dataclass(frozen=True, eq=False)
class Seen:
    """Clouds as they are drawn. ``places``: for each cloud (N, 2) or (N, 3); ``titles`` of these axes."""

    places: tuple[np.ndarray, ...]
    titles: tuple[str, ...]
    choice: Choice
    note: str = ""

    @property
    def in_space(self) -> bool:
        return len(self.titles) == 3


def choices(journey: Journey) -> list[tuple[str, str]]:
    """(key, title) of what can stand on an axis; none where there is no choice."""
    if journey.dimensions < 3:
        return []
    own = [(str(k), _named(name)) for k, name in enumerate(journey.coordinates)]
    if journey.dimensions == 3:
        return own
    return [(f"pc{k}", f"Component {k + 1}") for k in range(COMPONENTS)] + own


def automatic(dimensions: int) -> Choice:
    return ("0", "1", "2") if dimensions == 3 else ("pc0", "pc1", "") if dimensions > 3 else ("0", "1", "")


def valid(choice: Choice, journey: Journey) -> Choice:
    """The choice where it fits, else the one that is made here."""
    keys = {key for key, _ in choices(journey)}
    fits = {choice[0], choice[1]} <= keys and choice[0] != choice[1] and (not choice[2] or choice[2] in keys)
    return choice if fits and choice[2] not in choice[:2] else automatic(journey.dimensions)


def seen(journey: Journey, choice: Choice) -> Seen:
    """Project. Clouds on a line lie on two lines below each other,
    where one goes to the other. Not for the GUI thread."""
    if journey.is_listed:
        return Seen(tuple(c.points for c in journey.clouds), ("", ""), AUTOMATIC, journey.note)
    unit = f" ({journey.unit})" if journey.unit else ""
    if journey.dimensions == 1:
        rails = [float(k == 0 and journey.moves) for k in range(len(journey.clouds))]
        places = tuple(
            np.column_stack([c.points[:, 0], np.full(len(c.points), rail)])
            for c, rail in zip(journey.clouds, rails, strict=True)
        )
        return Seen(places, (journey.coordinates[0] + unit, ""), AUTOMATIC, journey.note)
    choice = valid(choice, journey)
    keys = [key for key in choice if key]
    note = journey.note
    middle, basis = np.zeros(journey.dimensions), {str(k): row for k, row in enumerate(np.eye(journey.dimensions))}
    told = [int(key[2:]) for key in keys if key.startswith("pc")]
    if told:
        middle, components, shares = principal(journey.clouds)
        basis |= {f"pc{k}": direction for k, direction in enumerate(components)}
        which = " and ".join(str(k + 1) for k in sorted(told)) if len(told) < 3 else "1 to 3"
        share = number(100 * float(shares[told].sum()), 3)
        words = f"Principal component{'s' if len(told) > 1 else ''} {which}: {share} % of the variance of all clouds"
        note = f"{note}   {words}".strip()
    titles = dict(choices(journey)) or {str(k): _named(name) for k, name in enumerate(journey.coordinates)}
    across = np.stack([basis[key] for key in keys], 1)
    plain = [] if told else [int(k) for k in keys]
    places = tuple((c.points - middle) @ across if told else c.points[:, plain] for c in journey.clouds)
    return Seen(places, tuple(titles[key] + unit for key in keys), choice, note)


def principal(clouds: Sequence[Cloud]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (D,), the first components (3, D) and their shares (3,) of the variance of the clouds together.

    Each cloud counts as much as the others, whatever its number of points. The sign of a component is such that its
    largest part is positive, so that an update does not turn the picture round.
    """
    parts = [c.points[:: max(1, len(c.points) // ENOUGH)] for c in clouds if len(c.points)]
    middle = np.mean([p.mean(0) for p in parts], 0)
    centred = np.concatenate([(p - middle) / np.sqrt(len(p) * len(parts)) for p in parts])
    total = float((centred**2).sum())
    count = min(COMPONENTS, *centred.shape)
    if total > 0 and min(centred.shape) > 2 * COMPONENTS:  # ARPACK refuses a matrix of zeros
        from scipy.sparse.linalg import svds

        _, values, vectors = svds(centred, count, v0=np.ones(min(centred.shape)))
        values, vectors = values[::-1], vectors[::-1]
    else:
        _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    components = np.zeros((COMPONENTS, centred.shape[1]))
    components[:count] = vectors[:count]
    signs = np.sign(components[np.arange(COMPONENTS), np.abs(components).argmax(1)])
    shares = np.zeros(COMPONENTS)
    shares[:count] = values[:count] ** 2 / (total or 1.0)
    return middle, components * signs[:, None], shares


def _named(name: str) -> str:
    return f"coordinate {name}" if name.isdigit() else name


__all__ = ["AUTOMATIC", "Choice", "Seen", "automatic", "choices", "principal", "seen", "valid"]
