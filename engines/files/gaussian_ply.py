"""Gaussian clouds in PLY as the first implementation wrote them (Kerbl et al. 2023): raw values in float32.

``f_rest`` holds the coefficients of degree 1 and up, all of red, then green, then blue; their number tells the degree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engines.data import GaussianCloud
from engines.files import guard
from engines.files.gaussians import ROWS, joined, usable_cloud
from engines.files.registry import Loaded, NoOptions, writer

MEANS, NORMALS = ("x", "y", "z"), ("nx", "ny", "nz")
BASE = ("f_dc_0", "f_dc_1", "f_dc_2")
SCALES, ROTATION = ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3")
NEEDED = (*MEANS, *BASE, "opacity", *SCALES, *ROTATION)
REST = {0: 1, 9: 4, 24: 9, 45: 16, 72: 16}
"""Number of ``f_rest`` values: coefficients that are kept (of degree 4, those up to degree 3)."""


def gaussians_in(path: Path, found: Mapping[str, Any], unit: str) -> Loaded | None:
    """The cloud that the properties of PLY vertices describe; None when they describe points."""
    if any(name not in found or isinstance(found[name], tuple) for name in NEEDED):
        return None
    rest = sum(name.startswith("f_rest_") for name in found)
    if rest not in REST or any(f"f_rest_{i}" not in found for i in range(rest)):
        raise guard.refuse(
            path,
            f"has {rest} 'f_rest' properties.",
            "Degrees 0 to 3 have 0, 9, 24 or 45, numbered from 0.",
            "Export the cloud again.",
        )
    kept, channel = REST[rest], rest // 3
    names = [*BASE, *(f"f_rest_{c * channel + k}" for k in range(kept - 1) for c in range(3))]
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [joined([found[n] for n in group]) for group in (MEANS, ROTATION, SCALES, ("opacity",), names)]
    problems = ("Colours of degree 4 were cut to degree 3.",) if rest == 72 else ()
    means, quaternions, log_scales, logits, colours = parts
    sh = colours.reshape(len(means), kept, 3)
    return usable_cloud(path, means, quaternions, log_scales, logits[:, 0], sh, unit, problems)


def lacks(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What points that look like Gaussians lack to be some."""
    if not any(name in found for name in (*BASE, *SCALES, *ROTATION)):
        return ()
    missing = [name for name in NEEDED if name not in found]
    return (f"It looks like a Gaussian cloud but has no '{missing[0]}': it was read as points.",) if missing else ()


@writer(key="gaussian-ply", title="PLY of Gaussian splatting", extensions=(".ply",), takes=(GaussianCloud,))
def write_gaussian_ply(cloud: GaussianCloud, path: Path, options: NoOptions) -> None:
    """Every bit is kept. Normals are written as 0: programs expect them."""
    coefficients = cloud.sh.shape[1] - 1
    names = [*MEANS, *NORMALS, *BASE, *(f"f_rest_{i}" for i in range(3 * coefficients)), "opacity", *SCALES, *ROTATION]
    header = ["ply", "format binary_little_endian 1.0"]
    if re.fullmatch(r"\S+", cloud.unit):
        header.append(f"comment unit {cloud.unit}")
    header += [f"element vertex {len(cloud)}", *(f"property float {name}" for name in names), "end_header"]
    with path.open("wb") as out:
        out.write(("\n".join(header) + "\n").encode())
        for start in range(0, len(cloud), ROWS):
            some = slice(start, start + ROWS)
            sh = cloud.sh[some]
            parts = (
                cloud.means[some], np.zeros_like(cloud.means[some]), sh[:, 0],
                sh[:, 1:].transpose(0, 2, 1).reshape(len(sh), -1), cloud.opacity_logits[some, None],
                cloud.log_scales[some], cloud.quaternions[some],
            )  # fmt: skip
            out.write(np.concatenate(parts, axis=1).astype("<f4").tobytes())
