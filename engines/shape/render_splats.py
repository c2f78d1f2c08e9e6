"""Pictures, depth or coverage of a Gaussian cloud, from the cameras of photos or from a ring around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch

from engines.blocks.camera_routes import circle
from engines.blocks.cameras import Camera
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.initial import initial_cloud
from engines.blocks.views import camera_of
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import GaussianCloud, Image, Photos


class RenderParams(Params):
    shows: Literal["colours", "depth", "coverage"] = Param(
        "colours", help="Colours; the blended distance along the view; or how much of the background is hidden",
        source="own choice",
    )  # fmt: skip
    count: int = Param(24, ge=1, le=1000, help="At most so many pictures, evenly chosen", source="own choice")
    width: int = Param(
        640, ge=16, le=4096, unit="pixels", help="Of a picture from the ring; photos keep their shape", source="own"
    )
    height: int = Param(480, ge=16, le=4096, unit="pixels", help="Of a picture from the ring", source="own choice")
    elevation: float = Param(20.0, ge=-89, le=89, unit="°", help="Of the ring's cameras", source="own choice")
    distance: float = Param(
        2.2, gt=0.1, le=100, help="Of the ring's cameras from the middle, in radii of the cloud", source="own choice"
    )
    up: Literal["x", "y", "z", "-x", "-y", "-z"] = Param("z", help="Which way is up", source="own choice")
    background: Literal["black", "white"] = Param("white", help="Behind everything", source="own choice")


@dataclass(frozen=True)
class Renders:
    renders: Annotated[tuple[Image, ...], "one for each camera"]


def ball() -> Mapping[str, Artifact]:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    g = initial_cloud(points, 0.5 + 0.5 * points, 0)
    arrays = (t.numpy() for t in (g.means, g.quaternions, g.log_scales, g.opacity_logits, g.sh))
    names = ("means", "quaternions", "log_scales", "opacity_logits", "sh")
    return {"cloud": GaussianCloud(**dict(zip(names, arrays, strict=True)), name="Ball")}


def nothing() -> Mapping[str, Artifact]:
    shapes = {"means": (0, 3), "quaternions": (0, 4), "log_scales": (0, 3), "opacity_logits": (0,), "sh": (0, 1, 3)}
    return {"cloud": GaussianCloud(**{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})}


@method(
    key="render-splats",
    title="Render splats",
    family="shape",
    job="Draw a Gaussian cloud from the cameras of photos, or from a ring around it.",
    role="preparation",
    sample=Example(ball, {"count": 12, "width": 320, "height": 240}, "A ball"),
    smoke=Example(ball, {"count": 3, "width": 64, "height": 48}, "A ball, small"),
    degenerate=(Example(nothing, title="No Gaussians"),),
    tags=("splats", "novel views", "depth"),
)
def render_splats(
    cloud: GaussianCloud,
    photos: Annotated[Photos | None, "whose cameras are used; a ring around the cloud if there are none"],
    params: RenderParams,
    run: Run,
) -> Renders:
    """Each picture is what :func:`engines.blocks.splatting.render` gives; depth is scaled over all of them."""
    if not len(cloud):
        raise UserError("The cloud has no Gaussians.", "There is nothing to draw.", "Choose another cloud.")
    g = to_gaussians(cloud).map(lambda t: t.to(run.device))
    cameras = ring(cloud, params) if photos is None else [camera_of(photos, i) for i in range(len(photos))]
    if len(cameras) > params.count:
        cameras = [cameras[i] for i in np.linspace(0, len(cameras) - 1, params.count).round().astype(int)]
    background = torch.full((3,), 1.0 if params.background == "white" else 0.0, device=run.device)
    found, unseen = [], 0
    for number in run.steps(len(cameras), "Rendering"):
        with torch.no_grad():
            shown = render(g, cameras[number], background=background, with_depth=params.shows == "depth")
        unseen += not bool(shown.touched.any())
        if params.shows == "depth":
            assert shown.depth is not None
            depth = torch.where(shown.alpha > 0.5, shown.depth / shown.alpha.clamp_min(1e-6), torch.nan)
            found.append(depth[None].cpu().numpy())
        else:
            found.append((shown.image if params.shows == "colours" else shown.alpha[None]).clamp(0, 1).cpu().numpy())
    if unseen:
        run.warn(f"In {unseen} of {len(cameras)} views none of the {len(cloud):,} Gaussians can be seen.")
    if params.shows == "depth":
        found = _scaled(found, run)
    name = cloud.name or "Splats"
    return Renders(
        tuple(
            Image(pixels=np.rint(255 * picture.transpose(1, 2, 0)).astype(np.uint8), name=f"{name}, view {i}")
            for i, picture in enumerate(found, 1)
        )
    )


def to_gaussians(cloud: GaussianCloud) -> Gaussians:
    """The cloud's arrays as tensors, on the CPU."""
    arrays = (cloud.means, cloud.quaternions, cloud.log_scales, cloud.opacity_logits, cloud.sh)
    return Gaussians(*(torch.from_numpy(np.array(a, np.float32)) for a in arrays))


def ring(cloud: GaussianCloud, params: RenderParams) -> list[Camera]:
    """Cameras on a circle about the middle of the cloud."""
    low, high = cloud.bounds
    middle, radius = 0.5 * (low + high), max(0.5 * float(np.linalg.norm(high - low)), 1e-6)
    poses = circle(middle, axis(params.up), params.distance * radius, params.elevation, params.count)
    focal, width, height = 1.1 * min(params.width, params.height), params.width, params.height
    return [Camera(pose, focal, focal, width / 2, height / 2, width, height) for pose in poses]


def axis(up: str) -> np.ndarray:
    """(3,) a direction from its name, such as ``"-y"``."""
    found = np.zeros(3)
    found["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    return found


def _scaled(depths: list[np.ndarray], run: Run) -> list[np.ndarray]:
    """Near is bright, far is dark, nothing is black; one scale for all."""
    known = np.concatenate([d[np.isfinite(d)] for d in depths])
    near, far = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    run.note(f"Depth from {near:.4g} (white) to {far:.4g} (dark grey).")
    return [np.nan_to_num(1 - 0.85 * (d - near) / max(far - near, 1e-12), nan=0.0) for d in depths]
