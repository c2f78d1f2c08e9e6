"""The XML files of VTK: ``.vti`` for fields on grids, ``.vtp`` for meshes.

Read and written without VTK, whose C++ parsers may crash on damaged files. Data may be ascii, base64 or appended,
plain or packed with zlib; that is all that VTK and ParaView write by default.
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
from engines.data import GridField, Mesh, PointCloud
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import checked_faces, fan, finite, numbers

TYPES = {"Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4", "Int64": "i8",
         "UInt64": "u8", "Float32": "f4", "Float64": "f8"}  # fmt: skip
NAMES = {code: name for name, code in TYPES.items()}


class VtkWriteOptions(Params):
    compress: bool = Param(True, help="Pack the arrays with zlib")


@dataclass
class _Document:
    path: Path
    root: ElementTree.Element
    order: str
    header: np.dtype
    packed: bool
    appended: bytes
    appended_base64: bool


def _open(path: Path, kind: str) -> _Document:
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
    return _Document(path, root, order, header, bool(compressor), appended, base64_)


def _array(document: _Document, element: ElementTree.Element | None, count: int, what: str) -> np.ndarray:
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


def _payload(document: _Document, text: bytes, coded: bool, expected: int) -> bytes | None:
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


def _whole_numbers(document: _Document, text: str | None, count: int, what: str) -> list[int]:
    parts = (text or "").split()
    if len(parts) != count or not all(re.fullmatch(r"-?\d{1,12}", p) for p in parts):
        raise guard.refuse(document.path, f"has a wrong {what}.", f"Found '{(text or '')[:60]}'.")
    return [int(p) for p in parts]


def _reals(document: _Document, text: str, count: int, what: str) -> np.ndarray:
    values = numbers(text.encode("utf-8", "replace"))
    if values is None or len(values) != count or not np.isfinite(values).all():
        raise guard.refuse(document.path, f"has a wrong {what}.", f"Found '{text[:60]}'.")
    return values


@reader(key="vti", title="VTK image data", extensions=(".vti",), gives=(GridField,))
def read_vti(path: Path, options: Params) -> Loaded:
    document = _open(path, "ImageData")
    image, pieces = document.root.find("ImageData"), document.root.findall("ImageData/Piece")
    if image is None or len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    extent = _whole_numbers(document, pieces[0].get("Extent") or image.get("WholeExtent"), 6, "extent")
    shape = tuple(extent[2 * i + 1] - extent[2 * i] + 1 for i in range(3))
    if min(shape) < 1:
        raise guard.refuse(path, "has an empty extent.", f"It is {extent}.")
    count = shape[0] * shape[1] * shape[2]
    arrays = [a for a in pieces[0].findall("PointData/DataArray") if a.get("NumberOfComponents", "1") == "1"]
    if not arrays:
        raise guard.refuse(path, "has no values at its nodes.", "One scalar point array is needed.")
    data = pieces[0].find("PointData")
    chosen = next((a for a in arrays if data is not None and a.get("Name") == data.get("Scalars")), arrays[0])
    name = chosen.get("Name") or "value"
    values = _array(document, chosen, count, f"'{name[:60]}'")[:, 0].reshape(shape, order="F")
    direction = _reals(document, image.get("Direction", "1 0 0 0 1 0 0 0 1"), 9, "direction")
    spacing = _reals(document, image.get("Spacing", "1 1 1"), 3, "spacing")
    origin = _reals(document, image.get("Origin", "0 0 0"), 3, "origin") + spacing * np.array(extent[::2])
    problems = (
        () if np.allclose(direction, np.eye(3).reshape(-1)) else ("The grid is rotated; the rotation was left out.",)
    )
    extras = {a.get("Name"): (a.text or "").strip() for a in document.root.findall("ImageData/FieldData/Array")}
    field = GridField(
        name=path.stem,
        values=values.astype(np.float32),
        origin=origin,
        spacing=spacing,
        quantity=name,
        unit=_text(extras.get("unit")),
        length_unit=_text(extras.get("length_unit")),
        level=_level(_text(extras.get("level"))),
    )
    more = f"{len(arrays) - 1} more arrays were not read."
    return Loaded((field,), (*problems, more) if len(arrays) > 1 else problems)


@reader(key="vtp", title="VTK poly data", extensions=(".vtp",), gives=(Mesh, PointCloud))
def read_vtp(path: Path, options: Params) -> Loaded:
    document = _open(path, "PolyData")
    pieces = document.root.findall("PolyData/Piece")
    if len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    piece = pieces[0]
    point_count = _whole_numbers(document, piece.get("NumberOfPoints"), 1, "number of points")[0]
    poly_count = _whole_numbers(document, piece.get("NumberOfPolys", "0"), 1, "number of polygons")[0]
    if point_count < 1 or poly_count < 0:
        raise guard.refuse(path, "has no points.")
    points = _array(document, piece.find("Points/DataArray"), point_count, "points")
    if points.shape[1] != 3:
        raise guard.refuse(path, "has points without three coordinates.")
    extra: dict[str, object] = {"name": path.stem, "scalars": {}}
    for element in piece.findall("PointData/DataArray"):
        name, values = element.get("Name") or "values", _array(document, element, point_count, "point values")
        if values.shape[1] == 1:
            with np.errstate(over="ignore"):
                extra["scalars"][name] = finite(path, np.repeat(values, 3, 1).astype(np.float32), "value")[:, 0]  # type: ignore[index]
        elif name.lower() == "normals" and values.shape[1] == 3:
            extra["normals"] = finite(path, values, "normal")
        elif values.dtype == np.uint8 and values.shape[1] in (3, 4) and "colors" not in extra:
            alpha = np.full((point_count, 4 - values.shape[1]), 255, np.uint8)
            extra["colors"] = np.concatenate([values, alpha], axis=1)
    vertices = finite(path, points.astype(np.float64))
    if not poly_count:
        return Loaded((PointCloud(points=vertices, **extra),))  # type: ignore[arg-type]
    named = {a.get("Name"): a for a in piece.findall("Polys/DataArray")}
    ends = _array(document, named.get("offsets"), poly_count, "polygon offsets")[:, 0].astype(np.int64)
    counts = np.diff(ends, prepend=0)
    if (counts < 0).any():
        raise guard.refuse(path, "has polygon offsets that go back.")
    corners = _array(document, named.get("connectivity"), int(ends[-1]), "polygon corners")[:, 0].astype(np.int64)
    faces = checked_faces(path, fan(corners, counts), point_count)
    return Loaded((Mesh(vertices=vertices, faces=faces, **extra),))  # type: ignore[arg-type]


def _text(coded: str | None) -> str:
    """A string of field data: VTK writes the codes of its characters, with a zero at the end."""
    codes = numbers((coded or "").encode("utf-8", "replace"))
    if codes is None or not ((codes >= 1) & (codes < 256))[:-1].all():
        return ""
    return bytes(int(c) for c in codes if 0 < c < 256).decode("utf-8", "replace")


def _level(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


class _Appended:
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


@writer(key="vti", title="VTK image data", extensions=(".vti",), takes=(GridField,), options=VtkWriteOptions)
def write_vti(field: GridField, path: Path, options: VtkWriteOptions) -> None:
    data = _Appended(options.compress)
    extent = " ".join(f"0 {n - 1}" for n in field.values.shape)
    place = [" ".join(f"{v:.17g}" for v in values) for values in (field.origin, field.spacing)]
    name = field.quantity or "value"
    array = data.element(name, field.values.reshape(-1, order="F"))
    level = "" if field.level is None else f"{field.level:.17g}"
    extras = {"unit": field.unit, "length_unit": field.length_unit, "level": level}
    texts = "".join(
        f'<Array type="String" Name="{k}" NumberOfTuples="1" format="ascii">{" ".join(map(str, v.encode()))} 0</Array>'
        for k, v in extras.items()
        if v
    )
    data.save(
        path,
        "ImageData",
        f'<ImageData WholeExtent="{extent}" Origin="{place[0]}" Spacing="{place[1]}">'
        + (f"<FieldData>{texts}</FieldData>" if texts else "")
        + f'<Piece Extent="{extent}"><PointData Scalars={quoteattr(name)}>{array}</PointData></Piece></ImageData>',
    )


@writer(
    key="vtp",
    title="VTK poly data",
    extensions=(".vtp",),
    takes=(Mesh, PointCloud),
    options=VtkWriteOptions,
    holds=("colors",),
)
def write_vtp(item: Mesh | PointCloud, path: Path, options: VtkWriteOptions) -> None:
    data = _Appended(options.compress)
    item = item.plain() if isinstance(item, Mesh) else item
    points = item.vertices if isinstance(item, Mesh) else item.points
    arrays = [data.element(name, values) for name, values in item.scalars.items()]
    if item.normals is not None:
        arrays.append(data.element("Normals", item.normals))
    if item.colors is not None:
        arrays.append(data.element("RGBA", item.colors))
    faces = item.faces if isinstance(item, Mesh) else np.zeros((0, 3), np.int32)
    corners = faces if len(faces) else np.arange(len(points))[:, None]
    cells = data.element("connectivity", corners.reshape(-1).astype(np.int64))
    cells += data.element("offsets", (np.arange(len(corners)) + 1) * corners.shape[1])
    count, kind = ("NumberOfPolys", "Polys") if len(faces) else ("NumberOfVerts", "Verts")
    attributes = ' Normals="Normals"' if item.normals is not None else ""
    data.save(
        path,
        "PolyData",
        f'<PolyData><Piece NumberOfPoints="{len(points)}" {count}="{len(corners)}"><PointData{attributes}>'
        f"{''.join(arrays)}</PointData><Points>{data.element('Points', points)}</Points>"
        f"<{kind}>{cells}</{kind}></Piece></PolyData>",
    )
