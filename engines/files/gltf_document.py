"""What is common to glTF files: the JSON document, its buffers, and views of the arrays in them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import UserError
from engines.files import guard

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


def open_document(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The document and its buffers, of a GLB or a glTF file. Raises UserError for anything out of place."""
    raw = guard.read_bytes(path)
    if raw[:4] != b"glTF" and path.suffix.lower() == ".gltf":
        document = _parsed(path, raw)
        return document, [_buffer(path, entry) for entry in _entries(document)]
    document, binary = _chunks(path, raw)
    for entry in _entries(document):
        if "uri" in entry:
            raise guard.refuse(
                path,
                "needs a file outside itself.",
                f"It names '{str(entry['uri'])[:60]}'.",
                "Export it as one GLB with everything embedded.",
            )
    return document, [binary]


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document.get("buffers")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _buffer(path: Path, entry: dict[str, Any]) -> bytes:
    """A buffer that is named or written in a glTF file."""
    uri = entry.get("uri")
    if not isinstance(uri, str):
        return b""
    if not uri.startswith("data:"):
        return guard.read_bytes(guard.beside(path, uri, "a buffer"))
    head, _, body = uri.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("it is not base64")
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error) as error:
        raise guard.refuse(path, "has damaged data.", f"{error}."[:200]) from None


def files_beside(path: Path, document: dict[str, Any]) -> tuple[Path, ...]:
    """The buffers and pictures that a glTF file names and that are there."""
    entries = [e for kind in ("buffers", "images") for e in document.get(kind, []) if isinstance(e, dict)]
    names = [e["uri"] for e in entries if isinstance(e.get("uri"), str) and not e["uri"].startswith("data:")]
    found = []
    for name in dict.fromkeys(names):
        with contextlib.suppress(UserError):
            found.append(guard.beside(path, name, "a file"))
    return tuple(found)


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8-sig"))
        if not isinstance(document, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "has a damaged scene description.", f"{error}"[:200]) from None
    return document


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
    return _parsed(path, found.get(JSON_CHUNK, b"")), found.get(BINARY_CHUNK, b"")


class Arrays:
    """Views of the arrays of one document. Wrong structure raises KeyError, TypeError and their like."""

    def __init__(self, path: Path, document: dict[str, Any], buffers: list[bytes]) -> None:
        self.path, self.document, self.buffers = path, document, buffers

    def raw(self, index: int, width: int | None) -> np.ndarray:
        """(count, width) view of a buffer; bounds are checked before anything is made."""
        entry = self.document["accessors"][index_of(index)]
        if "sparse" in entry or "bufferView" not in entry:
            raise guard.refuse(self.path, "uses sparse or empty arrays.", "", "Export it again without them.")
        view = self.document["bufferViews"][index_of(entry["bufferView"])]
        buffer = index_of(view.get("buffer", 0))
        if buffer >= len(self.buffers):
            raise guard.refuse(self.path, "needs a file outside itself.", "", "Export it with everything embedded.")
        data = self.buffers[buffer]
        dtype, columns = np.dtype(COMPONENTS[entry["componentType"]]), WIDTHS[entry["type"]]
        if width is not None and columns != width:
            raise ValueError(f"an array has {columns} columns instead of {width}")
        count, item = index_of(entry["count"]), columns * dtype.itemsize
        stride = index_of(view.get("byteStride", item)) or item
        start = index_of(view.get("byteOffset", 0)) + index_of(entry.get("byteOffset", 0))
        end = min(index_of(view.get("byteOffset", 0)) + index_of(view["byteLength"]), len(data))
        if count < 1 or stride < item or start + (count - 1) * stride + item > end:
            raise guard.refuse(self.path, "is shorter than its scene says.", f"{count:,} items do not fit in its data.")
        return np.ndarray((count, columns), dtype, data, start, (stride, dtype.itemsize))

    def bytes(self, view: int) -> bytes:
        """A whole buffer view."""
        entry = self.document["bufferViews"][view]
        buffer = index_of(entry.get("buffer", 0))
        start, length = index_of(entry.get("byteOffset", 0)), index_of(entry["byteLength"])
        if buffer >= len(self.buffers) or start + length > len(self.buffers[buffer]):
            raise guard.refuse(
                self.path, "is shorter than its scene says.", f"{length:,} bytes do not fit in its data."
            )
        return self.buffers[buffer][start : start + length]

    def numbers(self, index: int, width: int) -> np.ndarray:
        """(count, width) float32; normalised integers become fractions."""
        values = self.raw(index, width)
        if values.dtype.kind == "f" or not self.document["accessors"][index_of(index)].get("normalized", False):
            return values.astype(np.float32)
        return np.maximum(values / np.float32(np.iinfo(values.dtype).max), -1).astype(np.float32)


def index_of(value: Any) -> int:
    """A whole number that is not negative (a negative one would count from the end)."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{str(value)[:40]!r} is no index")
    return value


def node_matrix(node: dict[str, Any]) -> np.ndarray:
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


def glb_bytes(document: dict[str, Any], binary: bytes) -> bytes:
    """A whole GLB file."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    head = b"glTF" + _u32(2) + _u32(12 + 8 + len(text) + 8 + len(binary))
    return head + _u32(len(text)) + _u32(JSON_CHUNK) + text + _u32(len(binary)) + _u32(BINARY_CHUNK) + binary


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
