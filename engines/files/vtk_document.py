"""The XML files of VTK as documents: arrays that are ascii, base64 or appended, plain or packed with zlib.

That is all that VTK and ParaView write by default. Read and written without VTK, whose C++ parsers may crash on
damaged files.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ElementTree
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from engines.core import Param, Params
from engines.files import guard
from engines.files.triangles import numbers

TYPES = {"Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4", "Int64": "i8",
         "UInt64": "u8", "Float32": "f4", "Float64": "f8"}  # fmt: skip
NAMES = {code: name for name, code in TYPES.items()}


class VtkWriteOptions(Params):
    compress: bool = Param(True, help="Pack the arrays with zlib")


@dataclass
class Document:
    path: Path
    root: ElementTree.Element
    order: str
    header: np.dtype
    packed: bool
    appended: bytes
    appended_base64: bool


def open_document(path: Path, kind: str) -> Document:
    raw = guard.read_bytes(path)
    appended, marker = b"", re.search(rb"<AppendedData\b[^>]*>", raw)
    base64_ = False
    if marker is not None:
        begin, end = raw.find(b"_", marker.end()) + 1, raw.rfind(b"</AppendedData>")
        if begin <= marker.end() or end < begin:
            raise guard.refuse(path, "is cut off.", "Its appended data does not end.")
        base64_ = b"base64" in marker[0]
        appended = raw[begin:end]
        raw = raw[: marker.end()] + raw[end:]
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise guard.refuse(path, "has declarations that VTK files do not need.", "", "Export it again.")
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise guard.refuse(path, "is not a VTK XML file.", f"{error}.") from None
    if root.tag != "VTKFile" or root.get("type") != kind:
        raise guard.refuse(path, f"is not a VTK {kind} file.", f"It is '{root.get('type', root.tag)[:40]}'.")
    compressor = root.get("compressor", "")
    if compressor not in ("", "vtkZLibDataCompressor"):
        raise guard.refuse(path, "is packed in an unknown way.", f"{compressor[:60]}.", "Export it with zlib or none.")
    order = ">" if root.get("byte_order") == "BigEndian" else "<"
    header = np.dtype(order + TYPES.get(root.get("header_type", "UInt32"), "u4"))
    if header.kind != "u":
        header = np.dtype(order + "u4")
    return Document(path, root, order, header, bool(compressor), appended, base64_)


def data_array(document: Document, element: ElementTree.Element | None, count: int, what: str) -> np.ndarray:
    """(count, components) of a DataArray; more or fewer values than ``count`` tuples are refused."""
    path = document.path
    if element is None:
        raise guard.refuse(path, f"has no {what}.")
    code = TYPES.get(element.get("type", ""))
    width = element.get("NumberOfComponents", "1")
    if code is None or not re.fullmatch(r"[1-9]\d?", width):
        raise guard.refuse(path, f"holds {what} of an unknown kind.", f"type is '{element.get('type', '')[:40]}'.")
    dtype, total = np.dtype(document.order + code), count * int(width)
    guard.room(path, total * dtype.itemsize)
    form = element.get("format", "ascii")
    if form == "ascii":
        values = numbers((element.text or "").encode())
        if values is not None and dtype.kind in "iu" and len(values):
            limits = np.iinfo(dtype)
            values = values if values.min() >= limits.min and values.max() <= limits.max else None
        data = None if values is None else values.astype(dtype).tobytes()
    elif form == "binary":
        data = _payload(document, (element.text or "").strip().encode(), True, total * dtype.itemsize)
    elif form == "appended":
        offset = element.get("offset", "")
        if not re.fullmatch(r"\d{1,15}", offset) or int(offset) >= max(len(document.appended), 1):
            raise guard.refuse(path, f"has a wrong offset for {what}.", f"It is '{offset[:40]}'.")
        data = _payload(document, document.appended[int(offset) :], document.appended_base64, total * dtype.itemsize)
    else:
        data = None
    if data is None or len(data) != total * dtype.itemsize:
        raise guard.refuse(
            path, f"has a wrong number of values for {what}.", f"{total:,} numbers of {dtype.name} were expected."
        )
    return np.frombuffer(data, dtype).reshape(count, int(width))


def _payload(document: Document, text: bytes, coded: bool, expected: int) -> bytes | None:
    """The bytes of one array after its header, None when they are not what the header says."""
    size = document.header.itemsize
    if not document.packed:
        raw = _decoded(text, size + expected) if coded else text
        if len(raw) < size or int(np.frombuffer(raw, document.header, 1)[0]) != expected:
            return None
        return raw[size : size + expected]
    head = _decoded(text, 3 * size) if coded else text
    if len(head) < 3 * size:
        return None
    blocks, block, last = (int(v) for v in np.frombuffer(head, document.header, 3))
    if blocks * size > len(text) or (blocks and (blocks - 1) * block + (last or block) != expected):
        return None
    whole = (3 + blocks) * size
    head = _decoded(text, whole) if coded else text
    if len(head) < whole:
        return None
    sizes = np.frombuffer(head, document.header, blocks, 3 * size).tolist()
    # In base64 the header is coded on its own and padded; the blocks follow as one piece.
    body = _decoded(text[-(-whole // 3) * 4 :], sum(sizes)) if coded else text[whole:]
    if sum(sizes) > len(body):
        return None
    parts, at = [], 0
    for index, length in enumerate(sizes):
        want = (last or block) if index == blocks - 1 else block
        parts.append(guard.unzip(document.path, body[at : at + length], want))
        at += length
    return b"".join(parts)


def _decoded(text: bytes, count: int) -> bytes:
    """The first ``count`` bytes of base64 text."""
    try:
        return base64.b64decode(text[: -(-count // 3) * 4], validate=True)[:count]
    except (binascii.Error, ValueError):
        return b""


def whole_numbers(document: Document, text: str | None, count: int, what: str) -> list[int]:
    parts = (text or "").split()
    if len(parts) != count or not all(re.fullmatch(r"-?\d{1,12}", p) for p in parts):
        raise guard.refuse(document.path, f"has a wrong {what}.", f"Found '{(text or '')[:60]}'.")
    return [int(p) for p in parts]


def reals(document: Document, text: str, count: int, what: str) -> np.ndarray:
    values = numbers(text.encode("utf-8", "replace"))
    if values is None or len(values) != count or not np.isfinite(values).all():
        raise guard.refuse(document.path, f"has a wrong {what}.", f"Found '{text[:60]}'.")
    return values


def text_of(coded: str | None) -> str:
    """A string of field data: VTK writes the codes of its characters, with a zero at the end."""
    codes = numbers((coded or "").encode("utf-8", "replace"))
    if codes is None or not ((codes >= 1) & (codes < 256))[:-1].all():
        return ""
    return bytes(int(c) for c in codes if 0 < c < 256).decode("utf-8", "replace")


class Appended:
    """Collects arrays for the appended part of a file."""

    def __init__(self, compress: bool) -> None:
        self.compress, self.blobs, self.size = compress, [], 0

    def element(self, name: str, values: np.ndarray) -> str:
        values = np.ascontiguousarray(values)
        code = values.dtype.str[1:]
        raw, block = values.astype("<" + code).tobytes(), 1 << 20
        if self.compress:
            parts = [zlib.compress(raw[i : i + block], 6) for i in range(0, len(raw), block)]
            head = [len(parts), block, len(raw) % block, *map(len, parts)]
        else:
            parts, head = [raw], [len(raw)]
        blob = np.array(head, "<u8").tobytes() + b"".join(parts)
        width = f' NumberOfComponents="{values.shape[1]}"' if values.ndim > 1 else ""
        text = f'<DataArray type="{NAMES[code]}" Name={quoteattr(name)}{width} format="appended" offset="{self.size}"/>'
        self.blobs.append(blob)
        self.size += len(blob)
        return text

    def save(self, path: Path, kind: str, body: str) -> None:
        packed = ' compressor="vtkZLibDataCompressor"' if self.compress else ""
        head = f'<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64"{packed}>'
        with path.open("wb") as out:
            out.write(f'<?xml version="1.0"?>\n{head}\n{body}\n<AppendedData encoding="raw">_'.encode())
            for blob in self.blobs:
                out.write(blob)
            out.write(b"</AppendedData>\n</VTKFile>\n")
