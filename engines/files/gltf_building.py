"""glTF files out: arrays in one buffer, and the accessors that describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.files.gltf_document import COMPONENTS, WIDTHS, glb_bytes

VERTICES, INDICES = 34962, 34963
_CODES = {np.dtype(kind): code for code, kind in COMPONENTS.items()}
_KINDS = {width: kind for kind, width in WIDTHS.items()}


class GlbBuilder:
    """Collects arrays (count, width); :meth:`add` gives the number by which the document speaks of one."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self._blobs: list[bytes] = []
        self._length = 0

    def add(self, values: np.ndarray, target: int | None = None, *, fractions: bool = False) -> int:
        """``fractions``: whole numbers that stand for 0 to 1. Floats get their bounds, as positions and times need."""
        entry: dict[str, Any] = {
            "bufferView": self._view(values.tobytes(), target),
            "componentType": _CODES[values.dtype.newbyteorder("<")],
            "count": len(values),
            "type": _KINDS[values.shape[1]],
        }
        if fractions:
            entry["normalized"] = True
        if values.dtype.kind == "f" and len(values) and values.shape[1] <= 3:
            entry |= {"min": values.min(0).tolist(), "max": values.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def add_file(self, content: bytes) -> int:
        """A picture or such; gives the number of its view."""
        return self._view(content, None)

    def _view(self, blob: bytes, target: int | None) -> int:
        """Each begins at a multiple of four bytes, as the format wants it."""
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": len(blob)}
        self.views.append(view if target is None else view | {"target": target})
        blob += b"\0" * (-len(blob) % 4)
        self._blobs.append(blob)
        self._length += len(blob)
        return len(self.views) - 1

    def file(self, document: dict[str, Any]) -> bytes:
        """The whole GLB with what was added."""
        stored = {
            "asset": {"version": "2.0", "generator": "Fieldwright"},
            "buffers": [{"byteLength": self._length}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
        return glb_bytes(stored | document, b"".join(self._blobs))
