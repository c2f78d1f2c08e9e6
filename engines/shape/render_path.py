"""A video of a Gaussian cloud along a camera path: its colours, its depth, or both."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.camera_paths import Track, picture_times
from engines.blocks.camera_routes import orbit
from engines.blocks.splatting import render
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import CameraPath, DepthVideo, GaussianCloud, Image, Video
from engines.shape.render_splats import ball, nothing, to_gaussians

MOST_PICTURES = 20_000
MOST_KEPT = 200_000_000
"""Bytes of pictures in a checkpoint; those beyond are rendered anew when a run is resumed, which is quicker."""


class RenderPathParams(Params):
    shows: Literal["colours", "depth", "both"] = Param(
        "colours", help="Colours as a video; how far away things are; or both", source="own choice"
    )
    width: int | None = Param(
        None, ge=16, le=8192, unit="pixels", empty="as the path", help="Of a picture", source="own choice"
    )
    height: int | None = Param(
        None, ge=16, le=8192, unit="pixels", empty="as the path", help="Of a picture", source="own choice"
    )
    rate: float | None = Param(
        None, ge=0.1, le=240, unit="1/s", empty="as the path", help="Pictures a second", source="own choice"
    )
    background: Literal["black", "white"] = Param("white", help="Behind everything", source="own choice")
    covered: float = Param(
        0.5, ge=0.01, le=0.99, help="There is a depth where more of the background is hidden", source="own choice",
        advanced=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Filmed:
    video: Annotated[Video | None, "the colours"]
    depth: Annotated[DepthVideo | None, "the distance along the view"]


def _around(cloud: Mapping[str, Artifact], seconds: float) -> Mapping[str, Artifact]:
    path = orbit(np.zeros(3), np.array([0, 0, 1.0]), 3.2, 20.0, seconds, 45.0, width=320, height=240, name="Orbit")
    return {**cloud, "path": path}


@method(
    key="render-path",
    title="Render camera path",
    family="shape",
    job="Make a video of a Gaussian cloud along a camera path.",
    role="preparation",
    sample=Example(lambda: _around(ball(), 3.0), title="Around a ball"),
    smoke=Example(
        lambda: _around(ball(), 1.0),
        {"shows": "both", "width": 48, "height": 32, "rate": 6},
        "Around a ball, small",
    ),
    degenerate=(Example(lambda: _around(nothing(), 1.0), title="No Gaussians"),),
    memory=lambda inputs, params: _memory(inputs, params),
    tags=("splats", "video", "camera path", "depth"),
)
def render_path(
    cloud: GaussianCloud,
    path: Annotated[CameraPath, "made in the splat view, by Orbit path or Tour past photos, or imported"],
    params: RenderPathParams,
    run: Run,
) -> Filmed:
    """Each picture is what :func:`engines.blocks.splatting.render` gives. Depth is blended: sum of weights times z,
    over the sum of weights."""
    if not len(cloud):
        raise UserError("The cloud has no Gaussians.", "There is nothing to draw.", "Choose another cloud.")
    width, height, times = _asked(path, params)
    if len(times) > MOST_PICTURES:
        raise UserError(
            f"The video would have {len(times):,} pictures.",
            f"Up to {MOST_PICTURES:,} are made.",
            "Choose fewer pictures a second, or a shorter path.",
        )
    cameras = Track(path).cameras(times, width, height)
    g = to_gaussians(cloud).map(lambda t: t.to(run.device))
    background = torch.full((3,), 1.0 if params.background == "white" else 0.0, device=run.device)
    wants_depth = params.shows != "colours"
    saved: dict[str, Any] = run.restored() or {"files": [], "depth": [], "seen": []}
    files, depths, counts = list(saved["files"]), list(saved["depth"]), [int(n) for n in saved["seen"]]
    size, kept = sum(part.nbytes for part in (*files, *depths)), len(counts)
    for number in run.steps(len(cameras), "Rendering", start=len(counts)):
        with torch.no_grad():
            shown = render(g, cameras[number], background=background, with_depth=wants_depth)
        counts.append(int((shown.touched > 0).sum()))
        run.log(gaussians_in_view=counts[-1])
        pixels = shown.image.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        if params.shows != "depth":
            files.append(np.frombuffer(png(pixels), np.uint8))
        if wants_depth:
            assert shown.depth is not None
            there = shown.alpha > params.covered
            depth = torch.where(there, shown.depth / shown.alpha.clamp_min(1e-6), torch.zeros_like(shown.alpha))
            depths.append(depth.clamp_min(0).cpu().numpy())
        run.preview(lambda pixels=pixels, number=number: Image(pixels=pixels, name=f"Picture {number + 1}"))  # type: ignore[misc]
        size += sum(made[-1].nbytes for made in (files, depths) if made)
        kept = number + 1 if size <= MOST_KEPT else kept
        run.checkpoint(
            lambda kept=kept: {"files": files[:kept], "depth": depths[:kept], "seen": counts[:kept]}  # type: ignore[misc]
        )
    if unseen := counts.count(0):
        run.warn(f"In {unseen} of {len(cameras)} pictures none of the {len(cloud):,} Gaussians can be seen.")
    rate, name = params.rate or path.rate, f"{cloud.name or 'Splats'}, {path.name or 'path'}"
    video = Video.packed([f.tobytes() for f in files], width, height, rate, name) if files else None
    depth_video = None
    if depths:
        depth_video = DepthVideo(depth=np.stack(depths), rate=rate, unit=cloud.unit, name=f"{name}, depth")
        run.note("Depth from {:.4g} to {:.4g} {}".format(*depth_video.range, cloud.unit).rstrip() + ".")
    return Filmed(video, depth_video)


def _asked(path: CameraPath, params: RenderPathParams) -> tuple[int, int, np.ndarray]:
    """Width, height and times (M,); one side alone keeps the shape of the path's pictures."""
    width, height = params.width, params.height
    if width is None and height is None:
        width, height = path.width, path.height
    elif width is None and height is not None:
        width = max(16, round(height * path.width / path.height))
    elif height is None and width is not None:
        height = max(16, round(width * path.height / path.width))
    assert width is not None
    assert height is not None
    return width, height, picture_times(path, params.rate or 0.0)


def _memory(inputs: Mapping[str, Artifact], params: RenderPathParams) -> int:
    """PNG takes at most what the colours take, mostly half; depths are held twice when they are joined."""
    path = inputs.get("path")
    if not isinstance(path, CameraPath):
        return 0
    width, height, times = _asked(path, params)
    for_each = (2 if params.shows != "depth" else 0) + (8 if params.shows != "colours" else 0)
    return int(width * height * len(times) * for_each + 200e6)


def png(pixels: np.ndarray) -> bytes:
    """The file of a picture (H, W, 3) uint8."""
    from PIL import Image as Picture

    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, "PNG", compress_level=3)
    return out.getvalue()
