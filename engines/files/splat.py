"""``.splat``: 32 bytes for each Gaussian, without colours that depend on the view.

Position and linear scale as float32, then RGB and opacity, then the quaternion w, x, y, z as 128 q + 128, in bytes.
The file has no header; large and opaque Gaussians come first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.blocks.splatting.gaussians import C0
from engines.data import GaussianCloud
from engines.files import guard
from engines.files.gaussians import base_colours, logits_of, opacities_of, usable_cloud
from engines.files.registry import Loaded, NoOptions, reader, writer

RECORD = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("turn", "u1", 4)])


@reader(key="splat", title="Splat file", extensions=(".splat",), gives=(GaussianCloud,))
def read_splat(path: Path, options: NoOptions) -> Loaded:
    raw = guard.read_bytes(path)
    size = len(raw)
    if size % RECORD.itemsize:
        raise guard.refuse(
            path,
            "is not a .splat file, or is cut off.",
            f"It has {size:,} bytes; each Gaussian takes {RECORD.itemsize}.",
        )
    guard.room(path, 5 * size)
    table = np.frombuffer(raw, RECORD)
    scales = table["scale"]
    odd = ~np.isfinite(table["mean"]).all(1) | ~(scales >= 0).all(1) | ~(scales < 1e12).all(1)
    if 2 * odd.sum() > len(table):  # there is no other way to tell
        raise guard.refuse(path, "is not a .splat file.", "Most of its positions and sizes make no sense.")
    with np.errstate(all="ignore"):
        log_scales = np.log(scales)
    log_scales[~(scales >= 0)] = np.nan
    sh = ((table["rgba"][:, :3] / 255 - 0.5) / C0).astype(np.float32)[:, None]
    return usable_cloud(
        path,
        table["mean"].copy(),
        (table["turn"].astype(np.float32) - 128) / 128,
        log_scales,
        logits_of(table["rgba"][:, 3] / 255, 1 / 255),
        sh,
    )


@writer(key="splat", title="Splat file", extensions=(".splat",), takes=(GaussianCloud,))
def write_splat(cloud: GaussianCloud, path: Path, options: NoOptions) -> None:
    """In decreasing order of volume times opacity; colours are those without what depends on the view."""
    opacities = opacities_of(cloud.opacity_logits)
    weight = cloud.log_scales.sum(1, dtype=np.float64) + np.log(np.maximum(opacities, 1e-30))
    order = np.argsort(-weight, kind="stable")
    table = np.zeros(len(cloud), RECORD)
    table["mean"] = cloud.means[order]
    table["scale"] = np.exp(np.minimum(cloud.log_scales[order], 80))
    table["rgba"][:, :3] = (255 * base_colours(cloud)[order]).round()
    table["rgba"][:, 3] = (255 * opacities[order]).round()
    turns = cloud.quaternions[order].astype(np.float64)
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    table["turn"] = (128 * turns + 128).round().clip(0, 255)
    path.write_bytes(table.tobytes())
