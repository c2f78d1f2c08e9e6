"""A camera path once around a scene, as its photos stand about it or as its Gaussians fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np

from engines.blocks.camera_routes import around, circle, field_of_view, middle_of, orbit, up_of
from engines.blocks.views import camera_of
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import CameraPath, GaussianCloud, Photos
from engines.shape.render_splats import axis

WIDEST_GAP = 100.0
"""Degrees without a photo, beyond which the user is told."""
USUAL_ANGLE = 45.0
"""Of the lens where nothing says another, in degrees."""


class OrbitParams(Params):
    seconds: float = Param(10.0, ge=0.1, le=3600, unit="s", help="Once around", source="own choice")
    elevation: float | None = Param(
        None,
        ge=-89,
        le=89,
        unit="°",
        empty="as the photos",
        source="own choice",
        help="Above the middle; without photos 20°",
    )
    distance: float = Param(
        1.0, ge=0.05, le=20, help="1: as far as the photos, or so that the whole cloud is seen", source="own choice"
    )
    up: Literal["automatic", "x", "y", "z", "-x", "-y", "-z"] = Param(
        "automatic", help="Which way is up; automatic: as in the photos, or z", source="own choice"
    )
    clockwise: bool = Param(False, help="As seen from above", source="own choice")
    field_of_view: float | None = Param(
        None, ge=1, le=150, unit="°", empty="as the photos", source="own choice",
        help="From the bottom to the top of the picture; without photos 45°",
    )  # fmt: skip
    width: int = Param(1280, ge=16, le=8192, unit="pixels", help="Of a picture", source="own choice")
    height: int = Param(720, ge=16, le=8192, unit="pixels", help="Of a picture", source="own choice")
    rate: float = Param(25.0, ge=1, le=120, unit="1/s", help="Pictures a second", source="own choice")


def photos_about(poses: np.ndarray) -> Photos:
    """Small grey photos with these cameras (N, 4, 4), for examples."""
    count = len(poses)
    return Photos.of(
        [np.full((12, 16, 3), 128, np.uint8)] * count,
        world_to_camera=poses,
        intrinsics=np.tile([16.0, 16.0, 8.0, 6.0], (count, 1)),
        name="Ring of photos",
    )


def _ring() -> Mapping[str, Artifact]:
    return {"photos": photos_about(circle(np.array([0.2, 0.1, 0.5]), np.array([0, 0, 1.0]), 3.0, 25.0, 12))}


def _parallel() -> Mapping[str, Artifact]:
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, 0, 3] = np.arange(4)
    return {"photos": photos_about(poses)}


@method(
    key="orbit-path",
    title="Orbit path",
    family="shape",
    job="Lead a camera once around a scene, at constant speed.",
    role="preparation",
    sample=Example(_ring, title="Around a ring of photos"),
    degenerate=(
        Example(lambda: {}, title="Neither photos nor a cloud"),
        Example(_parallel, title="Photos that all look the same way"),
    ),
    tags=("camera path", "video", "turntable"),
)
def orbit_path(
    photos: Annotated[Photos | None, "whose cameras say what the scene is, and which way is up"],
    cloud: Annotated[GaussianCloud | None, "what to go around, where there are no photos"],
    params: OrbitParams,
    run: Run,
) -> CameraPath:
    """With photos about the point nearest to all their lines of sight, else about the middle of the cloud."""
    middle, distance, elevation, angle = None, 0.0, 20.0, params.field_of_view or USUAL_ANGLE
    up = None if params.up == "automatic" else axis(params.up)
    if photos is not None and len(photos):
        cameras = [camera_of(photos, i) for i in range(len(photos))]
        up = up_of(cameras) if up is None else up
        middle = middle_of(cameras)
        if middle is not None:
            distance, elevation, gap = around(cameras, middle, up)
            if params.field_of_view is None:
                angle = float(np.clip(np.median([field_of_view(camera) for camera in cameras]), 1, 150))
            if gap > WIDEST_GAP:
                run.warn(f"No photo was taken over {gap:.0f}° of the orbit; from there the scene may look unfinished.")
    if middle is None and cloud is not None and len(cloud):
        low, high = cloud.bounds
        middle = 0.5 * (low + high)
        radius = max(0.5 * float(np.linalg.norm(high - low)), 1e-6)
        distance = radius / np.sin(np.radians(angle / 2))
    if middle is None and photos is not None and len(photos):
        raise UserError(
            "The photos do not look at one place.",
            "Their lines of sight run side by side, so there is nothing to go around.",
            "Choose a cloud as well, or use 'Tour past photos'.",
        )
    if middle is None:
        raise UserError("There is nothing to go around.", mend="Choose photos or a Gaussian cloud.")
    elevation = float(np.clip(elevation if params.elevation is None else params.elevation, -85, 85))
    made = orbit(
        middle,
        np.array([0, 0, 1.0]) if up is None else up,
        distance * params.distance,
        elevation,
        params.seconds,
        angle,
        width=params.width,
        height=params.height,
        rate=params.rate,
        unit=next((one.unit for one in (photos, cloud) if one is not None and one.unit), ""),
        name="Orbit",
    )
    run.note(f"Around ({', '.join(f'{v:.4g}' for v in middle)}) from {distance * params.distance:.4g} away.")
    if not params.clockwise:
        return made
    order = -np.arange(len(made)) % len(made)
    return made.replace(world_to_camera=made.world_to_camera[order])
