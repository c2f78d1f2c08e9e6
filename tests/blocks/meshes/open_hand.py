"""The open hand that comes with the workbench, welded and on 16 joints: read byte by byte, not by the reader."""

from __future__ import annotations

import functools
import json
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.blocks.mesh_topology import welded

FILE = Path("assets/templates/generic-hand/right.glb")
KINDS = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}


class Hand(NamedTuple):
    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    parents: np.ndarray


@functools.cache
def open_hand() -> Hand:
    """1159 vertices, 2314 triangles; the wrist and three joints for each finger, thumb first."""
    raw = FILE.read_bytes()
    (length,) = struct.unpack_from("<I", raw, 12)
    document, binary = json.loads(raw[20 : 20 + length]), raw[28 + length :]

    def values(number: int) -> np.ndarray:
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        shape = (accessor["count"], *WIDTHS[accessor["type"]])
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        kind = KINDS[accessor["componentType"]]
        return np.frombuffer(binary, kind, int(np.prod(shape)), start).reshape(shape)

    part = document["meshes"][0]["primitives"][0]
    held = {name: values(number) for name, number in part["attributes"].items()}
    skin = document["skins"][0]
    names = [document["nodes"][n]["name"] for n in skin["joints"]]
    inverse_bind = values(skin["inverseBindMatrices"]).transpose(0, 2, 1).astype(float)
    places = np.linalg.inv(inverse_bind)[:, :3, 3]
    goes_to, kept, parents = [], [], []
    for k, name in enumerate(names):
        finger_base = name.endswith("metacarpal") and not name.startswith("thumb")
        if name.endswith("tip"):
            goes_to.append(goes_to[-1])
        elif finger_base:
            goes_to.append(0)
        else:
            first = name == "wrist" or name in ("thumb-metacarpal",) or name.endswith("-finger-phalanx-proximal")
            parents.append(-1 if name == "wrist" else 0 if first else len(kept) - 1)
            goes_to.append(len(kept))
            kept.append(k)
    weights = np.zeros((len(held["POSITION"]), len(kept)))
    for column in range(4):
        to = np.array(goes_to)[held["JOINTS_0"][:, column]]
        np.add.at(weights, (np.arange(len(weights)), to), held["WEIGHTS_0"][:, column])
    first, _, faces = welded(held["POSITION"], values(part["indices"]).reshape(-1, 3))
    weights = weights[first] / weights[first].sum(1, keepdims=True)
    return Hand(held["POSITION"][first].astype(float), faces, weights, places[kept], np.array(parents))
