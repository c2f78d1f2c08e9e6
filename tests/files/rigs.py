"""Small rigged glTF files, written without the program's own writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.files.gltf_document import glb_bytes

COMPONENT = {"f": 5126, "B": 5121, "H": 5123}
KIND = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def finger() -> dict[str, Any]:
    """A square tube along +y of 1 m: two rings of four vertices and one at the end, moved by two joints.

    The last vertex is there twice, as where a texture has a seam.
    """
    up = np.array([0, 1.0, 0])
    ring = np.array([[-0.1, 0, -0.1], [0.1, 0, -0.1], [0.1, 0, 0.1], [-0.1, 0, 0.1]])
    vertices = np.concatenate([ring, ring + up / 2, ring + up, ring[:1] + up])
    faces = [[i + r, (i + 1) % 4 + r, (i + 1) % 4 + r + 4] for r in (0, 4) for i in range(4)]
    faces += [[i + r, (i + 1) % 4 + r + 4, i + r + 4] for r in (0, 4) for i in range(4)]
    share = [*np.repeat([0.0, 0.5, 1.0], 4), 1.0]
    return {
        "vertices": vertices,
        "faces": np.array([[12 if i == 8 else i for i in face] if n % 2 else face for n, face in enumerate(faces)]),
        "weights": np.stack([1 - np.array(share), share], axis=1),
        "joints": np.array([[0, 0, 0], [0, 0.5, 0.0]]),
        "names": ("base", "end"),
        "parents": [-1, 0],
    }


def glb(folder: Path, name: str = "finger.glb", **changes: Any) -> Path:
    """``finger`` with changes: also ``armature`` (4, 4) above all, ``posed`` rotations of the nodes (J, 4) as x, y, z,
    w, ``flat`` for nodes without a hierarchy, ``skinless``, and weights ``in_bytes``."""
    given: dict[str, Any] = {**finger(), **changes}
    count, armature = len(given["joints"]), given.get("armature", np.eye(4))
    frames = given.get("frames", np.tile(np.eye(4), (count, 1, 1))).copy()
    frames[:, :3, 3] = given["joints"]
    every = np.pad(given["weights"], ((0, 0), (0, max(0, 4 - given["weights"].shape[1]))))
    top = np.argsort(-every, axis=1, kind="stable")[:, :4]
    shares = np.take_along_axis(every, top, 1)
    top = np.where(shares > 0, top, 0)
    if given.get("in_bytes"):
        shares = np.round(shares * 255).astype(np.uint8)
    else:
        shares = shares.astype(np.float32)
    nodes: list[dict[str, Any]] = []
    for joint in range(count):
        above = given["parents"][joint] if not given.get("flat") else -1
        local = frames[joint] if above < 0 else np.linalg.inv(frames[above]) @ frames[joint]
        node: dict[str, Any] = {"name": given["names"][joint]}
        if "posed" in given:
            node |= {"rotation": list(given["posed"][joint]), "translation": local[:3, 3].tolist()}
        else:
            node["matrix"] = local.T.reshape(-1).tolist()
        below = [] if given.get("flat") else [k for k in range(count) if given["parents"][k] == joint]
        nodes.append(node | ({"children": below} if below else {}))
    roots = [j for j in range(count) if given.get("flat") or given["parents"][j] < 0]
    nodes.append({"name": given.get("mesh_name", "tube"), "mesh": 0, "skin": 0})
    nodes.append({"name": "Armature", "children": [*roots, count], "matrix": armature.T.reshape(-1).tolist()})
    if given.get("skinless"):
        del nodes[count]["skin"]
    arrays = {
        "POSITION": given["vertices"].astype("<f4"),
        "JOINTS_0": top.astype(np.uint8),
        "WEIGHTS_0": shares,
        "indices": given["faces"].astype("<u2").reshape(-1, 1),
        "bind": np.linalg.inv(frames).transpose(0, 2, 1).reshape(count, 16).astype("<f4"),
    }
    views, accessors, binary = [], [], b""
    for array in arrays.values():
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        accessors.append(
            {
                "bufferView": len(accessors),
                "componentType": COMPONENT[array.dtype.char],
                "count": len(array),
                "type": KIND[array.shape[1]],
                "normalized": array.dtype == np.uint8 and array is shares,
            }
        )
        binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
    order = list(arrays)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [count + 1]}],
        "nodes": nodes,
        "meshes": [
            {
                "primitives": [
                    {"attributes": {n: order.index(n) for n in order[:3]}, "indices": order.index("indices"), "mode": 4}
                ]
            }
        ],
        "skins": [{"joints": list(range(count)), "inverseBindMatrices": order.index("bind")}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    (folder / name).write_bytes(glb_bytes(document, binary))
    return folder / name
