"""A camera path while it is put together: plain values, each change a new one. No Qt in here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.blocks.cameras import Camera
from engines.core import UserError
from engines.data import CameraPath

LEG_SECONDS = 2.0
"""From the first key view to the second, as long as nobody says otherwise."""
SHORTEST = 0.05


@dataclass(frozen=True, eq=False)
class KeyView:
    world_to_camera: np.ndarray
    """(4, 4), OpenCV."""
    field_of_view: float
    """Degrees, from bottom to top."""

    @staticmethod
    def of(camera: Camera) -> KeyView:
        angle = float(np.degrees(2 * np.arctan(camera.height / 2 / camera.fy)))
        return KeyView(camera.world_to_camera, min(max(angle, 0.1), 170.0))


@dataclass(frozen=True, eq=False)
class PathEdit:
    """Key views, and the seconds from each to the next: the last of them leads back to the first of a closed path."""

    views: tuple[KeyView, ...] = ()
    legs: tuple[float, ...] = ()
    closed: bool = False
    even_speed: bool = True
    width: int = 1280
    height: int = 720
    rate: float = 25.0
    unit: str = ""

    def __len__(self) -> int:
        return len(self.views)

    @property
    def seconds(self) -> float:
        """Of the whole path; a single key view is held for a while."""
        used = self.legs if self.closed else self.legs[:-1]
        return float(sum(used)) if len(self) > 1 else LEG_SECONDS

    def path(self) -> CameraPath | None:
        """The path, or None as long as there is no key view."""
        if not self.views:
            return None
        return CameraPath(
            world_to_camera=np.stack([view.world_to_camera for view in self.views]),
            times=np.concatenate([[0.0], np.cumsum(self.legs[:-1])]),
            fields_of_view=np.array([view.field_of_view for view in self.views]),
            seconds=self.seconds,
            closed=self.closed and len(self) > 1,
            even_speed=self.even_speed,
            width=self.width,
            height=self.height,
            rate=self.rate,
            unit=self.unit,
        )

    # ---- changes ---
    def added(self, view: KeyView, after: int) -> PathEdit:
        """With one more, after the ``after``-th; in between, it shares the time of the leg that it divides."""
        at = min(max(after, -1), len(self) - 1) + 1
        mean = self.seconds / max(1, len(self) - (not self.closed)) if len(self) > 1 else LEG_SECONDS
        legs = list(self.legs)
        if at == len(self):
            if legs and not self.closed:
                legs[-1] = mean
            legs.append(mean)
        else:
            half = legs[at - 1] / 2
            legs[at - 1 : at] = [half, half]
        return replace(self, views=(*self.views[:at], view, *self.views[at:]), legs=tuple(legs))

    def removed(self, index: int) -> PathEdit:
        """Without one; the ones beside it stay when they were, and a path whose end goes becomes shorter."""
        legs = list(self.legs)
        gone = legs.pop(index)
        if 0 < index < len(self) - 1:
            legs[index - 1] += gone
        return replace(self, views=self.views[:index] + self.views[index + 1 :], legs=tuple(legs))

    def moved(self, index: int, by: int) -> PathEdit:
        """With one earlier or later among the others; the times stay."""
        to = index + by
        if not 0 <= to < len(self):
            return self
        views = list(self.views)
        views.insert(to, views.pop(index))
        return replace(self, views=tuple(views))

    def renewed(self, index: int, view: KeyView) -> PathEdit:
        return replace(self, views=(*self.views[:index], view, *self.views[index + 1 :]))

    def lasting(self, seconds: float) -> PathEdit:
        """As long as this, everything in proportion."""
        if len(self) < 2:
            return self
        factor = max(seconds, SHORTEST) / self.seconds
        return replace(self, legs=tuple(leg * factor for leg in self.legs))

    # ---- from and to elsewhere ---
    @staticmethod
    def of(path: CameraPath) -> PathEdit:
        """The same path; what an open one stands still at its end is left out."""
        times = path.times - path.times[0]
        last = path.seconds + float(path.times[0]) - float(path.times[-1])
        legs = [*np.diff(times).tolist(), last]
        if not path.closed or len(path) == 1:
            legs[-1] = float(np.mean(legs[:-1])) if len(legs) > 1 else LEG_SECONDS
        views = (
            KeyView(pose, float(angle)) for pose, angle in zip(path.world_to_camera, path.fields_of_view, strict=True)
        )
        return PathEdit(
            tuple(views), tuple(legs), path.closed, path.even_speed, path.width, path.height, path.rate, path.unit
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "views": [[*view.world_to_camera.reshape(-1).tolist(), view.field_of_view] for view in self.views],
            "legs": list(self.legs),
            "closed": self.closed,
            "even_speed": self.even_speed,
            "size": [self.width, self.height, self.rate],
            "unit": self.unit,
        }

    @staticmethod
    def from_json(data: Any) -> PathEdit | None:
        """What :meth:`to_json` gave, or None for anything else."""
        try:
            rows = [np.array(row, float).reshape(17) for row in data["views"]]
            width, height, rate = data["size"]
            edit = PathEdit(
                tuple(KeyView(row[:16].reshape(4, 4), float(row[16])) for row in rows),
                tuple(float(leg) for leg in data["legs"]),
                data["closed"] is True,
                data["even_speed"] is True,
                int(width),
                int(height),
                float(rate),
                str(data["unit"]),
            )
            if len(edit.legs) != len(edit.views) or not all(leg > 0 for leg in edit.legs):
                return None
            edit.path()
        except (TypeError, KeyError, ValueError, UserError):
            return None
        return edit
