"""PLY: meshes, point clouds with normals, colours and named values, and Gaussian clouds, as text or binary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.core import Param, Params
from engines.data import GaussianCloud, Mesh, PointCloud
from engines.files import guard
from engines.files.gaussian_ply import gaussians_in, lacks
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import checked_faces, fan, finite, first_bad_line, numbers

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
POSITION, NORMAL, COLOR = ("x", "y", "z"), ("nx", "ny", "nz"), ("red", "green", "blue")


class PlyReadOptions(Params):
    unit: str = Param("", help="Length unit of the coordinates, where the file does not say it")
    gaussians: bool = Param(True, help="Read vertices with opacity, scale and rotation as Gaussians, not as points")


class PlyWriteOptions(Params):
    encoding: Literal["binary", "ascii"] = Param("binary", help="Binary is smaller and keeps every bit")
    precision: Literal["double", "single"] = Param("double", help="Of the positions")


@dataclass
class _Element:
    name: str
    count: int
    scalars: list[tuple[str, str]] = field(default_factory=list)  # (name, dtype), until a list comes
    lists: list[tuple[str, str, str]] = field(default_factory=list)  # (name, count dtype, item dtype)
    order: list[str] = field(default_factory=list)  # "s" and "l" as they alternate
    found: dict[str, Any] = field(default_factory=dict)  # name -> values, or (flat values, counts)

    @property
    def smallest(self) -> int:
        """Bytes of one item with empty lists."""
        return sum(int(d[1]) for _, d in self.scalars) + sum(int(c[1]) for _, c, _ in self.lists)


@reader(
    key="ply",
    title="PLY mesh, point cloud or Gaussians",
    extensions=(".ply",),
    gives=(Mesh, PointCloud, GaussianCloud),
    options=PlyReadOptions,
)
def read_ply(path: Path, options: PlyReadOptions) -> Loaded:
    raw = guard.read_bytes(path)
    encoding, elements, unit, body = _header(path, raw)
    if encoding == "ascii":
        _ascii(path, raw, body, elements)
    else:
        _binary(path, raw, body, elements, ORDERS[encoding])
    vertices = next((e.found for e in elements if e.name == "vertex"), {})
    if options.gaussians and not any(e.count for e in elements if e.name == "face"):
        cloud = gaussians_in(path, vertices, options.unit or unit)
        if cloud is not None:
            return cloud
    return Loaded((_artifact(path, elements, options.unit or unit),), lacks(vertices) if options.gaussians else ())


def _header(path: Path, raw: bytes) -> tuple[str, list[_Element], str, int]:
    end = re.search(rb"(?m)^end_header[ \t]*\r?\n?", raw[: 1 << 20])
    if not re.match(rb"ply[ \t]*\r?\n", raw) or end is None:
        raise guard.refuse(path, "is not a PLY file.", "It has no header from 'ply' to 'end_header'.")
    encoding, unit, elements = "", "", []
    for number, line in enumerate(raw[: end.start()].decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        wrong = guard.refuse(path, f"has a wrong header at line {number}.", f"Found '{line.strip()[:60]}'.")
        match words:
            case ["format", kind, *_] if kind in ORDERS:
                encoding = kind
            case ["comment", "unit", name]:
                unit = name
            case ["element", name, count]:
                count_ = guard.integer_in(path, count, number, f"The number of {name} elements", 0, 2**40)
                elements.append(_Element(name, count_))
            case ["property", "list", count, item, name] if (
                elements and TYPES.get(count, "f")[0] in "iu" and item in TYPES
            ):
                elements[-1].lists.append((name, TYPES[count], TYPES[item]))
                elements[-1].order.append("l")
            case ["property", kind, name] if elements and kind in TYPES:
                elements[-1].scalars.append((name, TYPES[kind]))
                elements[-1].order.append("s")
            case [] | ["ply"] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise wrong
        if elements and len(elements[-1].order) > 4096:
            raise wrong
    if not encoding:
        raise guard.refuse(path, "has no known format line.", f"Known are: {', '.join(ORDERS)}.")
    for element in elements:
        names = [s[0] for s in element.scalars] + [entry[0] for entry in element.lists]
        if len(set(names)) < len(names):
            raise guard.refuse(path, f"names a property of '{element.name}' twice.")
    return encoding, elements, unit, end.end()


def _short(path: Path, element: _Element) -> Exception:
    return guard.refuse(
        path,
        "is shorter than its header says.",
        f"{element.count:,} '{element.name}' elements do not fit in what is left of the file.",
        "It is cut off or damaged: copy or export it again.",
    )


def _binary(path: Path, raw: bytes, at: int, elements: list[_Element], order: str) -> None:
    for element in elements:
        if element.count * element.smallest > len(raw) - at:
            raise _short(path, element)
        if not element.lists:
            dtype = np.dtype([(name, order + d) for name, d in element.scalars])
            table = np.frombuffer(raw, dtype, element.count, at) if element.scalars else np.zeros(0)
            element.found = {name: table[name] for name, _ in element.scalars}
            at += element.count * dtype.itemsize
            continue
        uniform = _uniform(raw, at, element, order)
        at = uniform if uniform is not None else _ragged(path, raw, at, element, order)


def _uniform(raw: bytes, at: int, element: _Element, order: str) -> int | None:
    """Read items that all have lists as long as the first one's; None when they have not."""
    fields: list[Any] = []
    cursor, scalars, lists = at, iter(element.scalars), iter(element.lists)
    for kind in element.order if element.count else ():
        if kind == "s":
            name, d = next(scalars)
            fields.append((name, order + d))
            cursor += int(d[1])
        else:
            name, c, item = next(lists)
            if cursor + int(c[1]) > len(raw):
                return None
            length = int(np.frombuffer(raw, order + c, 1, cursor)[0])
            cursor += int(c[1]) + length * int(item[1])
            if length < 0 or cursor > len(raw):
                return None
            fields += [(f"{name} count", order + c), (name, order + item, (length,))]
    dtype = np.dtype(fields)
    if element.count * dtype.itemsize > len(raw) - at:
        return None
    table = np.frombuffer(raw, dtype, element.count, at) if element.count else np.zeros(0, dtype)
    for name, _, _ in element.lists:
        if element.count and (table[f"{name} count"] != table[f"{name} count"][0]).any():
            return None
    element.found = {name: table[name] for name, _ in element.scalars if element.count}
    for name, _, _ in element.lists if element.count else ():
        element.found[name] = (table[name].reshape(-1), table[f"{name} count"].astype(np.int64))
    return at + element.count * dtype.itemsize


def _ragged(path: Path, raw: bytes, at: int, element: _Element, order: str) -> int:
    """Walk items one by one: where one begins is known only from the lists before it. Scalars are skipped."""
    starts: dict[str, list[int]] = {name: [] for name, _, _ in element.lists}
    lengths: dict[str, list[int]] = {name: [] for name, _, _ in element.lists}
    endian: Literal["little", "big"] = "big" if order == ">" else "little"
    plan = []
    scalars, lists = iter(element.scalars), iter(element.lists)
    for kind in element.order:
        plan.append((int(next(scalars)[1][1]), None) if kind == "s" else (0, next(lists)))
    for _ in range(element.count):
        for width, entry in plan:
            if entry is None:
                at += width
                continue
            name, c, item = entry
            size = int(c[1])
            length = int.from_bytes(raw[at : at + size], endian, signed=c[0] == "i")
            at += size
            starts[name].append(at)
            lengths[name].append(length)
            at += length * int(item[1])
            if length < 0 or at > len(raw):
                raise _short(path, element)
    data = np.frombuffer(raw, np.uint8)
    for name, _, item in element.lists:
        size, counts = int(item[1]), np.array(lengths[name], dtype=np.int64)
        first = np.repeat(np.array(starts[name], dtype=np.int64), counts)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        byte = (first + step * size)[:, None] + np.arange(size)
        element.found[name] = (np.ascontiguousarray(data[byte]).view(order + item).reshape(-1), counts)
    return at


def _ascii(path: Path, raw: bytes, body: int, elements: list[_Element]) -> None:
    """All numbers are parsed at once; the elements are then cut out of them."""
    guard.room(path, len(raw), guard.TEXT_LIMIT)
    values = numbers(raw[body:])
    if values is None:
        before = raw[:body].count(b"\n")
        number, shown = first_bad_line([(before + i, s) for i, s in enumerate(raw[body:].splitlines(), 1)])
        raise guard.refuse(path, f"has something that is no number at line {number}.", f"Found '{shown}'.")
    at = 0
    for element in elements:
        width = len(element.scalars) + len(element.lists)
        if element.count * width > len(values) - at:
            raise _short(path, element)
        if not element.lists:
            table = values[at : at + element.count * width].reshape(element.count, width)
            element.found = {name: table[:, i] for i, (name, _) in enumerate(element.scalars)}
            at += element.count * width
            continue
        at = _ascii_lists(path, values, at, element)
    if at < len(values):
        raise guard.refuse(
            path, "is longer than its header says.", f"{len(values) - at:,} numbers are left over at its end."
        )


def _ascii_lists(path: Path, values: np.ndarray, at: int, element: _Element) -> int:
    corners: list[np.ndarray] = []
    if element.order == ["l"] and element.count:
        length = values[at]
        row = int(length) + 1 if 0 <= length < 1e6 else 0
        if row and element.count * row <= len(values) - at:
            table = values[at : at + element.count * row].reshape(element.count, row)
            if (table[:, 0] == length).all():
                counts = np.full(element.count, row - 1)
                element.found = {element.lists[0][0]: (table[:, 1:].reshape(-1), counts)}
                return at + element.count * row
    counts_of: dict[str, list[int]] = {name: [] for name, _, _ in element.lists}
    parts: dict[str, list[np.ndarray]] = {name: corners.copy() for name, _, _ in element.lists}
    for _ in range(element.count):
        lists = iter(element.lists)
        for kind in element.order:
            if kind == "s":
                at += 1
                continue
            name = next(lists)[0]
            length = values[at] if at < len(values) else -1.0
            if not (0 <= length <= len(values) - at - 1) or length != int(length):
                raise _short(path, element)
            parts[name].append(values[at + 1 : at + 1 + int(length)])
            counts_of[name].append(int(length))
            at += 1 + int(length)
    if at > len(values):
        raise _short(path, element)
    for name, pieces in parts.items():
        flat = np.concatenate(pieces) if pieces else np.zeros(0)
        element.found[name] = (flat, np.array(counts_of[name], dtype=np.int64))
    return at


def _artifact(path: Path, elements: list[_Element], unit: str) -> Mesh | PointCloud:
    named = {e.name: e for e in reversed(elements)}
    vertex, face = named.get("vertex"), named.get("face")
    if vertex is None or not vertex.count or any(a not in vertex.found for a in POSITION):
        raise guard.refuse(path, "has no points.", "No 'vertex' element with x, y and z was found.")
    found = vertex.found
    points = finite(path, np.stack([found[a] for a in POSITION], axis=1).astype(np.float64), "vertex")
    extra: dict[str, Any] = {"name": path.stem, "unit": unit, "scalars": {}}
    used = set(POSITION)
    if all(a in found for a in NORMAL):
        normals = np.stack([found[a] for a in NORMAL], axis=1).astype(np.float32)
        used |= set(NORMAL)
        extra["normals"] = normals if np.isfinite(normals).all() else None
    if all(a in found for a in COLOR):
        extra["colors"] = _colors(vertex)
        used |= {*COLOR, "alpha"}
    for name, values in found.items():
        if name not in used and not isinstance(values, tuple):
            with np.errstate(over="ignore", invalid="ignore"):
                column = values.astype(np.float32)
            if not np.isfinite(column).all():
                raise guard.refuse(path, f"has values that are not finite in the property '{name}'.")
            extra["scalars"][name] = column
    lists = [] if face is None else [face.found[n] for n in ("vertex_indices", "vertex_index") if n in face.found]
    if face is not None and face.count and not lists:
        raise guard.refuse(path, "has faces without vertex indices.", "Expected the list 'vertex_indices'.")
    if not lists or not len(lists[0][0]):
        return PointCloud(points=points, **extra)
    corners, counts = lists[0]
    if corners.dtype.kind == "f" and not ((corners >= 0) & (corners < 2**31) & (corners == np.floor(corners))).all():
        raise guard.refuse(path, "has a face index that is no whole number.")
    faces = checked_faces(path, fan(corners.astype(np.int64), counts), len(points))
    return Mesh(vertices=points, faces=faces, **extra)


def _colors(vertex: _Element) -> np.ndarray:
    """(N, 4) uint8; colours given as floats run from 0 to 1."""
    kinds = dict(vertex.scalars)
    columns = [vertex.found[a].astype(np.float64) for a in COLOR]
    scale = 255.0 if kinds[COLOR[0]][0] == "f" else 255.0 / (65535.0 if kinds[COLOR[0]][1] == "2" else 255.0)
    full = 255.0 / scale
    columns.append(vertex.found["alpha"].astype(np.float64) if "alpha" in vertex.found else np.full(vertex.count, full))
    return np.nan_to_num(np.stack(columns, axis=1) * scale).clip(0, 255).round().astype(np.uint8)


@writer(
    key="ply",
    title="PLY mesh or point cloud",
    extensions=(".ply",),
    takes=(Mesh, PointCloud),
    options=PlyWriteOptions,
    holds=("colors",),
)
def write_ply(item: Mesh | PointCloud, path: Path, options: PlyWriteOptions) -> None:
    item = item.plain() if isinstance(item, Mesh) else item
    points = item.vertices if isinstance(item, Mesh) else item.points
    kind = "f8" if options.precision == "double" else "f4"
    columns: list[tuple[str, str, np.ndarray]] = [(a, kind, points[:, i]) for i, a in enumerate(POSITION)]
    if item.normals is not None:
        columns += [(a, "f4", item.normals[:, i]) for i, a in enumerate(NORMAL)]
    if item.colors is not None:
        columns += [(a, "u1", item.colors[:, i]) for i, a in enumerate((*COLOR, "alpha"))]
    taken = {*POSITION, *NORMAL, *COLOR, "alpha"}
    for name, values in item.scalars.items():
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "value"
        while plain in taken:
            plain += "_"
        taken.add(plain)
        columns.append((plain, "f4", values))
    names = {"f8": "double", "f4": "float", "u1": "uchar"}
    header = ["ply", "format ascii 1.0" if options.encoding == "ascii" else "format binary_little_endian 1.0"]
    if re.fullmatch(r"\S+", item.unit):
        header.append(f"comment unit {item.unit}")
    header += [f"element vertex {len(points)}", *(f"property {names[d]} {name}" for name, d, _ in columns)]
    faces = item.faces if isinstance(item, Mesh) else np.zeros((0, 3), np.int32)
    if isinstance(item, Mesh):
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with path.open("wb") as out:
        out.write(("\n".join([*header, "end_header"]) + "\n").encode())
        if options.encoding == "binary":
            table = np.zeros(len(points), np.dtype([(name, "<" + d) for name, d, _ in columns]))
            for name, _, values in columns:
                table[name] = values
            out.write(table.tobytes())
            rows = np.zeros(len(faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
            rows["count"], rows["corners"] = 3, faces
            out.write(rows.tobytes())
            return
        digits = {"f8": "%.17g", "f4": "%.9g", "u1": "%d"}
        form = " ".join(digits[d] for _, d, _ in columns)
        table64 = np.stack([np.asarray(v, np.float64) for _, _, v in columns], axis=1)
        np.savetxt(out, table64, fmt=form)
        np.savetxt(out, faces, fmt="3 %d %d %d")
