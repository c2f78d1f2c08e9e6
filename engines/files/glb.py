"""GLB (binary glTF 2.0): triangle geometry with the transforms of its scene; no materials, no external files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Param, Params
from engines.data import Mesh
from engines.files import guard
from engines.files.registry import Loaded, NoOptions, reader, writer
from engines.files.triangles import checked_faces, finite

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
MOST_CORNERS = 100_000_000  # one small mesh can stand in a scene many times
MOST_DEPTH = 64
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


class GlbReadOptions(Params):
    unit: str = Param("m", help="Length unit; glTF says metres")


@reader(key="glb", title="GLB scene", extensions=(".glb",), gives=(Mesh,), options=GlbReadOptions)
def read_glb(path: Path, options: GlbReadOptions) -> Loaded:
    raw = guard.read_bytes(path)
    document, binary = _chunks(path, raw)
    try:
        pieces = _Scene(path, document, binary).pieces()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        detail = f"{type(error).__name__}: {error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "has a damaged scene description.", detail) from error
    if not pieces:
        raise guard.refuse(path, "has no triangles.", "Its scene shows no mesh.")
    counts = [len(vertices) for vertices, _, _, _ in pieces]
    starts = np.cumsum([0, *counts[:-1]])
    normals = [n for _, _, n, _ in pieces]
    colors = [c for _, _, _, c in pieces]
    mesh = Mesh(
        name=path.stem,
        vertices=np.concatenate([v for v, _, _, _ in pieces]),
        faces=np.concatenate([f + s for (_, f, _, _), s in zip(pieces, starts, strict=True)]).astype(np.int32),
        normals=np.concatenate(normals) if all(n is not None for n in normals) else None,
        colors=np.concatenate(colors) if all(c is not None for c in colors) else None,
        unit=options.unit,
    )
    problems = (f"{len(pieces)} parts were joined into one mesh.",) if len(pieces) > 1 else ()
    return Loaded((mesh,), problems)


def _chunks(path: Path, raw: bytes) -> tuple[dict[str, Any], bytes]:
    if raw[:4] != b"glTF" or len(raw) < 20:
        raise guard.refuse(path, "is not a GLB file.", "It does not begin with 'glTF'.")
    version, length = (int.from_bytes(raw[i : i + 4], "little") for i in (4, 8))
    if version != 2:
        raise guard.refuse(path, f"has glTF version {version}.", "Version 2 is read.", "Export it again.")
    if length > len(raw):
        raise guard.refuse(path, "is cut off.", f"It announces {length:,} bytes and has {len(raw):,}.")
    found: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = (int.from_bytes(raw[at + i : at + i + 4], "little") for i in (0, 4))
        if size > length - at - 8:
            raise guard.refuse(path, "is cut off.", f"A part of {size:,} bytes does not fit.")
        found.setdefault(kind, raw[at + 8 : at + 8 + size])
        at += 8 + size
    try:
        document = json.loads(found.get(JSON_CHUNK, b"").decode("utf-8"))
        if not isinstance(document, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "has a damaged scene description.", f"{error}"[:200]) from None
    for entry in document.get("buffers") or []:
        if isinstance(entry, dict) and "uri" in entry:
            raise guard.refuse(
                path,
                "needs a file outside itself.",
                f"It names '{str(entry['uri'])[:60]}'.",
                "Export it as one GLB with everything embedded.",
            )
    return document, found.get(BINARY_CHUNK, b"")


class _Scene:
    """Walks the nodes of one document. Wrong structure raises KeyError, TypeError and their like."""

    def __init__(self, path: Path, document: dict[str, Any], binary: bytes) -> None:
        self.path, self.document, self.binary = path, document, binary
        self.found: list[tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]] = []
        self.corners = 0
        self.visits = 0

    def pieces(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]]:
        """(vertices, faces, normals, colours) of each part as the scene shows it."""
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes")
        if scenes:
            roots = scenes[self.document.get("scene", 0)].get("nodes", [])
        else:
            children = {c for node in nodes for c in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in children]
        for root in roots:
            self.visit(root, np.eye(4), 0)
        if not nodes:
            for index in range(len(self.document.get("meshes", []))):
                self.add(index, np.eye(4))
        return self.found

    def visit(self, index: int, parent: np.ndarray, depth: int) -> None:
        self.visits += 1
        if depth > MOST_DEPTH or self.visits > 100_000:
            raise guard.refuse(self.path, "has a scene that is nested too deeply.", "Its nodes may contain each other.")
        node = self.document["nodes"][_index(index)]
        matrix = parent @ _matrix(node)
        if "mesh" in node:
            self.add(node["mesh"], matrix)
        for child in node.get("children", []):
            self.visit(child, matrix, depth + 1)

    def add(self, mesh: int, matrix: np.ndarray) -> None:
        for primitive in self.document["meshes"][_index(mesh)]["primitives"]:
            mode = primitive.get("mode", 4)
            if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
                raise guard.refuse(self.path, "is packed with Draco.", "", "Export it without mesh compression.")
            if mode not in (4, 5, 6):
                continue  # points and lines
            attributes = primitive["attributes"]
            local = finite(self.path, self.accessor(attributes["POSITION"], 3).astype(np.float64))
            order = np.arange(len(local))
            if "indices" in primitive:
                order = self.accessor(primitive["indices"], 1).astype(np.int64).reshape(-1)
            self.corners += len(order) + len(local)
            if self.corners > MOST_CORNERS:
                raise guard.refuse(self.path, "is too large.", "Its scene has more than 100 million corners.")
            faces = checked_faces(self.path, _triangles(order, mode), len(local))
            with np.errstate(all="ignore"):
                vertices = local @ matrix[:3, :3].T + matrix[:3, 3]
            finite(self.path, vertices)
            if np.linalg.det(matrix[:3, :3]) < 0:
                faces = faces[:, ::-1]  # a mirror turns faces inside out
            self.found.append((vertices, faces, self.normals(attributes, matrix, len(local)), self.colors(attributes)))

    def normals(self, attributes: dict[str, int], matrix: np.ndarray, count: int) -> np.ndarray | None:
        if "NORMAL" not in attributes or abs(np.linalg.det(matrix[:3, :3])) < 1e-30:
            return None
        normals = self.accessor(attributes["NORMAL"], 3).astype(np.float64)
        if not np.array_equal(matrix[:3, :3], np.eye(3)):
            normals = normals @ np.linalg.inv(matrix[:3, :3])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        if len(normals) != count or not np.isfinite(lengths).all():
            return None
        off = (lengths > 0) & (np.abs(lengths - 1) > 1e-5)  # unit normals keep their bits
        return np.asarray(normals / np.where(off, lengths, 1), dtype=np.float32)

    def colors(self, attributes: dict[str, int]) -> np.ndarray | None:
        if "COLOR_0" not in attributes:
            return None
        values = self.accessor(attributes["COLOR_0"], None)
        scale = {"f": 255.0, "u": 255.0 / np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1.0}
        rgba = np.full((len(values), 4), 255.0)
        rgba[:, : values.shape[1]] = np.nan_to_num(values.astype(np.float64)) * scale.get(values.dtype.kind, 1.0)
        return rgba.clip(0, 255).round().astype(np.uint8)

    def accessor(self, index: int, width: int | None) -> np.ndarray:
        """(count, width) view of the binary part; bounds are checked before anything is made."""
        entry = self.document["accessors"][_index(index)]
        if "sparse" in entry or "bufferView" not in entry:
            raise guard.refuse(self.path, "uses sparse or empty arrays.", "", "Export it again without them.")
        view = self.document["bufferViews"][_index(entry["bufferView"])]
        if _index(view.get("buffer", 0)) != 0:
            raise guard.refuse(self.path, "needs a file outside itself.", "", "Export it with everything embedded.")
        dtype, columns = np.dtype(COMPONENTS[entry["componentType"]]), WIDTHS[entry["type"]]
        if width is not None and columns != width:
            raise ValueError(f"an array has {columns} columns instead of {width}")
        count, item = _index(entry["count"]), columns * dtype.itemsize
        stride = _index(view.get("byteStride", item)) or item
        start = _index(view.get("byteOffset", 0)) + _index(entry.get("byteOffset", 0))
        end = min(_index(view.get("byteOffset", 0)) + _index(view["byteLength"]), len(self.binary))
        if count < 1 or stride < item or start + (count - 1) * stride + item > end:
            raise guard.refuse(self.path, "is shorter than its scene says.", f"{count:,} items do not fit in its data.")
        return np.ndarray((count, columns), dtype, self.binary, start, (stride, dtype.itemsize))


def _index(value: Any) -> int:
    """A whole number that is not negative (a negative one would count from the end)."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{str(value)[:40]!r} is no index")
    return value


def _matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    length = (x * x + y * y + z * z + w * w) or 1.0
    s = 2 / length
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
        [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
        [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
    ]
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), dtype=np.float64).reshape(3)
    matrix[:3, 3] = np.array(node.get("translation", (0, 0, 0)), dtype=np.float64).reshape(3)
    return matrix


def _triangles(order: np.ndarray, mode: int) -> np.ndarray:
    """(F, 3) from a list (mode 4), a strip (5) or a fan (6) of corners."""
    if mode == 4:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if len(order) < 3:
        return np.zeros((0, 3), np.int64)
    i = np.arange(len(order) - 2)
    if mode == 6:
        return order[np.stack([np.zeros_like(i), i + 1, i + 2], axis=1)]
    return order[np.stack([i, i + 1 + i % 2, i + 2 - i % 2], axis=1)]


@writer(key="glb", title="GLB scene", extensions=(".glb",), takes=(Mesh,))
def write_glb(mesh: Mesh, path: Path, options: NoOptions) -> None:
    """Positions are stored in float32, as the format has them."""
    positions = mesh.vertices.astype("<f4")
    parts = [("POSITION", positions, 5126, "VEC3", 34962)]
    if mesh.normals is not None:
        parts.append(("NORMAL", mesh.normals.astype("<f4"), 5126, "VEC3", 34962))
    if mesh.colors is not None:
        parts.append(("COLOR_0", mesh.colors, 5121, "VEC4", 34962))
    parts.append(("indices", mesh.faces.astype("<u4").reshape(-1, 1), 5125, "SCALAR", 34963))
    views, accessors, blobs, at = [], [], [], 0
    for _, values, component, kind, target in parts:
        blob = values.tobytes()
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(blob), "target": target})
        accessors.append({"bufferView": len(accessors), "componentType": component, "count": len(values), "type": kind})
        blobs.append(blob)
        at += len(blob)
    if len(positions):
        accessors[0] |= {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    attributes = {name: i for i, (name, *_) in enumerate(parts) if name != "indices"}
    document = {
        "asset": {"version": "2.0", "generator": "Fieldwright"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": mesh.name or "mesh"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": len(parts) - 1, "mode": 4}]}],
        "buffers": [{"byteLength": at}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(blobs)  # every array has items of 4 bytes or more, so each begins aligned
    binary += b"\0" * (-len(binary) % 4)
    with path.open("wb") as out:
        out.write(b"glTF" + _u32(2) + _u32(12 + 8 + len(text) + 8 + len(binary)))
        out.write(_u32(len(text)) + _u32(JSON_CHUNK) + text)
        out.write(_u32(len(binary)) + _u32(BINARY_CHUNK) + binary)


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
