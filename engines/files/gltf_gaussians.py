"""Gaussian clouds in glTF: the extension KHR_gaussian_splatting (Khronos, review draft of 2025), uncompressed.

Rotations are x, y, z, w, scales logarithms, opacities between 0 and 1. glTF has y up: the axes are turned, and with
them the colours that depend on the view.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.core import Param, Params
from engines.data import GaussianCloud
from engines.files import guard
from engines.files.gaussians import FLIP, base_colours, logits_of, opacities_of, turned, usable_cloud
from engines.files.gltf_document import Arrays, glb_bytes
from engines.files.registry import Loaded, writer

EXTENSION = "KHR_gaussian_splatting"
Up = Literal["-y", "y", "z"]
TO_Y_UP = {"-y": FLIP, "y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}
FINEST = 2.0**-23
"""An opacity nearer to 1 than a quarter of this is 1 in single precision."""


class GltfGaussianOptions(Params):
    up: Up = Param("-y", help="Which axis points up in the cloud; -y in the frame of most photos, y in the file")


def gaussians_of(
    path: Path, arrays: Arrays, primitive: dict[str, Any], matrix: np.ndarray, up: Up, unit: str
) -> Loaded:
    """The Gaussians of a primitive where the scene shows them (matrix (4, 4)).

    Raises :class:`UserError` for what cannot be read; wrong structure raises KeyError and its like.
    """
    extension = primitive["extensions"][EXTENSION]
    packed = [name for name in extension.get("extensions", {}) if "compression" in name]
    if packed:
        raise guard.refuse(path, f"is packed with {packed[0][:60]}.", "", "Export it without compression, or as .spz.")
    kernel = str(extension.get("kernel", "ellipse"))
    if kernel != "ellipse":
        raise guard.refuse(path, f"has Gaussians of the kernel '{kernel[:40]}'.", "Read is 'ellipse'.")
    attributes = primitive["attributes"]
    means = arrays.numbers(attributes["POSITION"], 3)
    count = len(means)
    parts = {"ROTATION": 4, "SCALE": 3, "OPACITY": 1}
    rotation, scale, opacity = (arrays.numbers(attributes[f"{EXTENSION}:{n}"], w) for n, w in parts.items())
    coefficients = []
    for degree in range(4):
        names = [f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{n}" for n in range(2 * degree + 1)]
        if degree and names[0] not in attributes:
            break
        coefficients += [arrays.numbers(attributes[n], 3) for n in names]
    if any(len(part) != count for part in (rotation, scale, opacity, *coefficients)):
        raise ValueError("its arrays differ in length")
    guard.room(path, 8 * count * (11 + 3 * len(coefficients)))
    if not ((opacity >= 0) & (opacity <= 1) | ~np.isfinite(opacity)).all():
        raise guard.refuse(path, "has opacities outside of 0 to 1.", "", "Export it again.")
    problems: tuple[str, ...] = ()
    if extension.get("colorSpace", "srgb_rec709_display") != "srgb_rec709_display":
        problems = (f"Colours are given as {str(extension['colorSpace'])[:40]}; they were read as sRGB.",)
    logits = np.where(np.isfinite(opacity), logits_of(opacity, FINEST), np.nan)[:, 0]
    loaded = usable_cloud(
        path, means, rotation[:, [3, 0, 1, 2]], scale, logits, np.stack(coefficients, axis=1), unit, problems
    )
    cloud: GaussianCloud = loaded.artifacts[0]  # type: ignore[assignment]
    with np.errstate(all="ignore"):
        back = TO_Y_UP[up].T
        linear, shift = back @ matrix[:3, :3], back @ matrix[:3, 3]
    if not (np.isfinite(linear).all() and np.isfinite(shift).all() and 1e-12 < abs(np.linalg.det(linear)) < 1e12):
        raise guard.refuse(path, "shows its Gaussians flat or not finite.", "", "Check the transforms of its scene.")
    if not np.array_equal(linear, np.eye(3)) or shift.any():
        with np.errstate(all="ignore"):
            cloud = turned(cloud, linear, shift if shift.any() else None)
    return Loaded((cloud,), loaded.problems)


@writer(
    key="gltf-gaussians",
    title="glTF with Gaussian splatting",
    extensions=(".glb", ".gltf"),
    takes=(GaussianCloud,),
    options=GltfGaussianOptions,
)
def write_gltf_gaussians(cloud: GaussianCloud, path: Path, options: GltfGaussianOptions) -> None:
    """Programs that do not know the extension show coloured points. ``.gltf`` holds its data as base64."""
    change = TO_Y_UP[options.up]
    item = cloud if options.up == "y" else turned(cloud, change)
    quaternions = item.quaternions.astype(np.float64)[:, [1, 2, 3, 0]]
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    opacities = opacities_of(item.opacity_logits)
    rgba = np.concatenate([base_colours(item), opacities[:, None]], axis=1)
    parts: dict[str, tuple[np.ndarray, str]] = {
        "POSITION": (item.means, "VEC3"),
        "COLOR_0": ((255 * rgba).round().astype(np.uint8), "VEC4"),
        f"{EXTENSION}:ROTATION": (quaternions.astype("<f4"), "VEC4"),
        f"{EXTENSION}:SCALE": (item.log_scales, "VEC3"),
        f"{EXTENSION}:OPACITY": (opacities.astype("<f4"), "SCALAR"),
    }
    for k in range(item.sh.shape[1]):
        degree = int(k**0.5)
        parts[f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{k - degree * degree}"] = (item.sh[:, k], "VEC3")
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    blobs, at = [], 0
    for values, kind in parts.values():
        whole = values.dtype == np.uint8
        blob = values.tobytes() if whole else values.astype("<f4").tobytes()
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(blob), "target": 34962})
        accessors.append({"bufferView": len(accessors), "componentType": 5121 if whole else 5126, "count": len(item)})
        accessors[-1] |= {"type": kind} | ({"normalized": True} if whole else {})
        blobs.append(blob)
        at += len(blob)
    if len(item):
        accessors[0] |= {"min": item.means.min(0).tolist(), "max": item.means.max(0).tolist()}
    how = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display", "sortingMethod": "cameraDistance",
           "projection": "perspective"}  # fmt: skip
    primitive = {"attributes": {n: i for i, n in enumerate(parts)}, "mode": 0, "extensions": {EXTENSION: how}}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Fieldwright"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": cloud.name or "Gaussians"}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": at}],
        "bufferViews": views,
        "accessors": accessors,
    }
    if path.suffix.lower() == ".glb":
        path.write_bytes(glb_bytes(document, b"".join(blobs)))
        return
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(b"".join(blobs)).decode()
    path.write_text(json.dumps(document), encoding="utf-8")
