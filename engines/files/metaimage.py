"""MetaImage volumes (``.mha``, ``.mhd`` with ``.raw`` or ``.zraw``). Positions in the file are LPS mm, as ITK has
them, and are turned to RAS.

``AnatomicalOrientation`` says once more in letters how the voxel axes run; ``TransformMatrix`` rules, as in ITK.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from engines.core import Param, Params
from engines.data import GridField, Volume
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.voxels import LPS, VolumeReadOptions, data_bytes, grid_of, in_millimetres, three_axes, volume_from

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i8", "MET_ULONG": "u8", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {"i1": "CHAR", "u1": "UCHAR", "i2": "SHORT", "u2": "USHORT", "i4": "INT", "u4": "UINT", "i8": "LONG_LONG",
         "u8": "ULONG_LONG", "f4": "FLOAT", "f8": "DOUBLE"}  # fmt: skip


class MetaImageWriteOptions(Params):
    compress: bool = Param(True, help="Pack the voxels with zlib")


@reader(
    key="metaimage", title="MetaImage volume", extensions=(".mha", ".mhd"), gives=(Volume,), options=VolumeReadOptions
)
def read_metaimage(path: Path, options: VolumeReadOptions) -> Loaded:
    with path.open("rb") as file:
        fields, end = _header(path, file.read(1 << 16))
    if fields.get("ObjectType", "Image") != "Image":
        raise guard.refuse(path, "is not an image.", f"It is a MetaIO '{fields['ObjectType'][:40]}'.")
    dims = int(_numbers(path, fields, "NDims", 1)[0])
    if not 2 <= dims <= 4:
        raise guard.refuse(path, f"has {dims} axes.", "Volumes of two to four axes are read.")
    shape = tuple(int(n) for n in _numbers(path, fields, "DimSize", dims))
    if fields.get("ElementNumberOfChannels", "1").strip() != "1":
        raise guard.refuse(path, "has several channels.", "", "Export one channel.")
    order = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")).lower() == "true"
    kind = fields.get("ElementType", "")
    if kind not in TYPES or fields.get("BinaryData", "True").lower() != "true":
        raise guard.refuse(
            path, "holds data of an unknown kind.", f"ElementType is '{kind[:40]}'; binary numbers are read."
        )
    dtype = np.dtype((">" if order else "<") + TYPES[kind])
    raw = _data(path, fields, end, shape, dtype)
    values = np.frombuffer(raw, dtype).reshape(shape, order="F")
    values, problems = three_axes(path, values, options.frame)
    return volume_from(path, values, LPS @ _affine(path, fields, dims), "mm", options, problems)


def _header(path: Path, start: bytes) -> tuple[dict[str, str], int]:
    """Fields up to ElementDataFile, and where the line after it begins."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(start) and "ElementDataFile" not in fields:
        end = start.find(b"\n", at)
        end = len(start) if end < 0 else end
        key, equals, value = start[at:end].decode("utf-8", "replace").partition("=")
        at = end + 1
        if not equals and key.strip():
            break
        fields[key.strip()] = value.strip()
    if not fields.get("ElementDataFile") or "DimSize" not in fields:
        raise guard.refuse(path, "is not a MetaImage file.", "Its header has no DimSize or no ElementDataFile.")
    return fields, at


def _numbers(path: Path, fields: dict[str, str], key: str, count: int) -> np.ndarray:
    try:
        values = np.array(fields.get(key, "").split(), dtype=np.float64)
    except ValueError:
        values = np.zeros(0)
    whole = key not in ("NDims", "DimSize") or (values == np.floor(values)).all()
    if len(values) != count or not np.isfinite(values).all() or not whole or (np.abs(values) > 1e15).any():
        raise guard.refuse(
            path, f"has a wrong header field {key}.", f"Expected {count} numbers; found '{fields.get(key, '')[:60]}'."
        )
    return values


def _data(path: Path, fields: dict[str, str], end: int, shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    name = fields["ElementDataFile"]
    if name == "LIST" or "%" in name:
        raise guard.refuse(path, "is spread over several files.", "", "Save it as one .mha file.")
    source = path if name == "LOCAL" else guard.beside(path, name, "a data file")
    skip = end if name == "LOCAL" else 0
    packed = fields.get("CompressedData", "False").lower() == "true"
    available = source.stat().st_size - skip
    need = data_bytes(path, shape, dtype.itemsize, max(available, 0), packed)
    header = int(_numbers(path, fields, "HeaderSize", 1)[0]) if "HeaderSize" in fields else 0
    if header == -1 and not packed:
        skip = source.stat().st_size - need
    elif not 0 <= header <= available:
        raise guard.refuse(path, "has a wrong header field HeaderSize.", f"It is {header}.")
    else:
        skip += header
    with source.open("rb") as file:
        file.seek(skip)
        if packed:
            return guard.unzip(path, file.read(available), need)
        raw = file.read(need)
    if len(raw) != need:
        raise guard.refuse(path, "is shorter than its header says.", f"{len(raw):,} of {need:,} bytes are there.")
    return raw


def _affine(path: Path, fields: dict[str, str], dims: int) -> np.ndarray:
    space = min(dims, 3)
    affine = np.eye(4)
    spacing = next((_numbers(path, fields, k, dims) for k in ("ElementSpacing", "ElementSize") if k in fields), None)
    direction = next(
        (_numbers(path, fields, k, dims * dims) for k in ("TransformMatrix", "Rotation", "Orientation") if k in fields),
        np.eye(dims).reshape(-1),
    ).reshape(dims, dims)
    origin = next((_numbers(path, fields, k, dims) for k in ("Offset", "Position", "Origin") if k in fields), None)
    scale = np.ones(dims) if spacing is None else spacing
    affine[:space, :space] = (direction[:space, :space] * scale[:space, None]).T  # a row is the direction of an axis
    if origin is not None:
        affine[:space, 3] = origin[:space]
    return affine


@writer(
    key="metaimage",
    title="MetaImage volume",
    extensions=(".mha",),
    takes=(Volume, GridField),
    options=MetaImageWriteOptions,
)
def write_metaimage(item: Volume | GridField, path: Path, options: MetaImageWriteOptions) -> None:
    """In LPS mm, as ITK expects. A sheared affine is kept, though some programs expect orthogonal directions."""
    values, affine, unit = grid_of(item)
    affine = LPS @ in_millimetres(affine, unit)[0]
    if values.dtype == bool:
        values = values.astype(np.uint8)
    code = values.dtype.str[1:]
    if code not in NAMES:
        values, code = values.astype(np.float32), "f4"
    raw = values.astype("<" + code).tobytes(order="F")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(options.compress),
        "TransformMatrix": _text((affine[:3, :3] / spacing).T.reshape(-1)),
        "Offset": _text(affine[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": _letters(affine),
        "ElementSpacing": _text(spacing),
        "DimSize": _text(values.shape),
        "ElementType": f"MET_{NAMES[code]}",
    }
    if options.compress:
        raw = zlib.compress(raw, 6)
        lines["CompressedDataSize"] = str(len(raw))
    with path.open("wb") as out:
        out.write("".join(f"{k} = {v}\n" for k, v in lines.items()).encode())
        out.write(b"ElementDataFile = LOCAL\n" + raw)


def _letters(affine: np.ndarray) -> str:
    """Where each voxel axis starts, as ITK spells it: "RAI" for axes that run to the left, the back and the head."""
    found = ""
    for axis in affine[:3, :3].T:
        main = int(np.abs(axis).argmax())
        found += ("LR", "PA", "SI")[main][int(axis[main] > 0)]
    return found


def _text(values: object) -> str:
    return " ".join(f"{v:.17g}" for v in np.asarray(values).tolist())
