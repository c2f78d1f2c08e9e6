"""A camera path past the places where photos were taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np

from engines.blocks.camera_routes import circle, tour
from engines.blocks.views import camera_of
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import CameraPath, Photos
from engines.shape.orbit_path import photos_about


class TourParams(Params):
    order: Literal["shortest", "as listed"] = Param(
        "shortest", help="A short way past all of them, or one after the other", source="own choice"
    )
    closed: bool = Param(False, help="Back to the first in the end", source="own choice")
    count: int = Param(24, ge=2, le=500, help="At most so many photos, evenly chosen", source="own choice")
    seconds: float = Param(15.0, ge=0.1, le=3600, unit="s", help="Of the whole tour", source="own choice")
    width: int = Param(1280, ge=16, le=8192, unit="pixels", help="Of a picture", source="own choice")
    height: int = Param(720, ge=16, le=8192, unit="pixels", help="Of a picture", source="own choice")
    rate: float = Param(25.0, ge=1, le=120, unit="1/s", help="Pictures a second", source="own choice")


def _shuffled() -> Mapping[str, Artifact]:
    poses = circle(np.zeros(3), np.array([0, 0, 1.0]), 3.0, 20.0, 16)
    return {"photos": photos_about(poses[np.random.default_rng(2).permutation(16)])}


def _one() -> Mapping[str, Artifact]:
    return {"photos": photos_about(np.eye(4)[None])}


@method(
    key="tour-path",
    title="Tour past photos",
    family="shape",
    job="Lead a camera past the places where photos were taken, at constant speed.",
    role="preparation",
    sample=Example(_shuffled, title="A ring of photos in no order"),
    degenerate=(Example(_one, title="A single photo"),),
    tags=("camera path", "video", "photos"),
)
def tour_path(photos: Annotated[Photos, "past whose cameras"], params: TourParams, run: Run) -> CameraPath:
    """Through each camera exactly, with its field of view; of many photos, some that are evenly listed."""
    if len(photos) < 2:
        raise UserError(
            f"There {'is one photo' if len(photos) else 'are no photos'}.",
            "A tour leads past at least two.",
            "Choose other photos.",
        )
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(params.count, len(photos))).round().astype(int))
    made = tour(
        [camera_of(photos, int(i)) for i in chosen],
        params.seconds,
        shortest=params.order == "shortest",
        closed=params.closed,
        width=params.width,
        height=params.height,
        rate=params.rate,
        unit=photos.unit,
        name="Tour",
    )
    if len(chosen) < len(photos):
        run.note(f"Past {len(chosen)} of {len(photos):,} photos.")
    return made
