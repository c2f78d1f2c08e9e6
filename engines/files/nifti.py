"""NIfTI volumes (``.nii``, ``.nii.gz``). Positions are RAS, as the format defines them; they are read in mm."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Param, Params
from engines.data import GridField, Volume
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.voxels import VolumeReadOptions, data_bytes, grid_of, three_axes, volume_from

HEADER_SIZES = {348: 1, 540: 2}
LABEL_INTENT = 1002
UNITS = {"meter": "m", "mm": "mm", "micron": "µm", "unknown": ""}


class NiftiWriteOptions(Params):
    compress: bool = Param(True, help="Only for names that end in .nii.gz; .nii is never compressed")


@reader(key="nifti", title="NIfTI volume", extensions=(".nii", ".nii.gz"), gives=(Volume,), options=VolumeReadOptions)
def read_nifti(path: Path, options: VolumeReadOptions) -> Loaded:
    raw = guard.read_bytes(path)
    packed = raw[:2] == b"\x1f\x8b"
    header, offset = _header(path, _start(path, raw) if packed else raw)
    with guard.foreign(path, "NIfTI"):
        shape, dtype = tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype()
        slope, inter = header.get_slope_inter()
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        unit = UNITS.get(header.get_xyzt_units()[0], "")
        said_label = int(header["intent_code"]) == LABEL_INTENT
    if dtype.names or dtype.kind not in "iuf":
        raise guard.refuse(path, "holds no plain numbers.", "Colour and complex volumes are not read.")
    need = data_bytes(path, shape, dtype.itemsize, max(0, len(raw) - (0 if packed else offset)), packed)
    if packed:
        raw = _unpacked(path, raw, offset + need)
    values, problems = three_axes(
        path, np.frombuffer(raw, dtype, need // dtype.itemsize, offset).reshape(shape, order="F"), options.frame
    )
    if slope is not None and (slope, inter) != (1.0, 0.0):
        values = (values * np.float64(slope) + np.float64(inter)).astype(np.float32)
    return volume_from(path, values, affine, unit, options, problems, said_label)


def _start(path: Path, packed: bytes) -> bytes:
    """The first bytes of gzip data, enough for a header."""
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, 1024)
    except zlib.error as error:
        raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None


def _unpacked(path: Path, packed: bytes, expected: int) -> bytes:
    """The first ``expected`` bytes of gzip data (extensions and padding may follow)."""
    machine = zlib.decompressobj(wbits=31)
    try:
        data = machine.decompress(packed, expected)
    except zlib.error as error:
        raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None
    if len(data) < expected:
        raise guard.refuse(
            path,
            "is shorter than its header says.",
            f"It unpacks to {len(data):,} of {expected:,} bytes.",
            "It is cut off: copy or export it again.",
        )
    return data


def _header(path: Path, start: bytes) -> tuple[Any, int]:
    """nibabel's header object and where the data begins."""
    import nibabel

    size = {int.from_bytes(start[:4], order) for order in ("little", "big")} & set(HEADER_SIZES)
    if not size or len(start) < min(size):
        raise guard.refuse(path, "is not a NIfTI file.", "Its header is missing or cut off.")
    number = min(size)
    kind = nibabel.Nifti1Header if HEADER_SIZES[number] == 1 else nibabel.Nifti2Header
    with guard.foreign(path, "NIfTI"):
        header = kind(start[:number], check=False)
        if not bytes(header["magic"]).startswith((b"n+1", b"n+2")):
            raise guard.refuse(
                path, "is not a single-file NIfTI.", "Pairs of .hdr and .img are not read.", "Convert it to .nii."
            )
        offset = float(header["vox_offset"])
        if not number <= offset < 2**40:
            raise guard.refuse(path, "has a wrong header.", f"The data is said to begin at byte {offset:g}.")
    return header, int(offset)


@writer(
    key="nifti",
    title="NIfTI volume",
    extensions=(".nii.gz", ".nii"),
    takes=(Volume, GridField),
    options=NiftiWriteOptions,
)
def write_nifti(item: Volume | GridField, path: Path, options: NiftiWriteOptions) -> None:
    """The affine is stored in float32, as the format has it."""
    import nibabel

    values, affine, unit = grid_of(item)
    if values.dtype == bool or values.dtype == np.float16:
        values = values.astype(np.uint8 if values.dtype == bool else np.float32)
    large = max(values.shape) > 32767
    kind = (
        nibabel.Nifti2Image
        if large or (values.dtype.itemsize == 8 and values.dtype.kind in "iu")
        else nibabel.Nifti1Image
    )
    image = kind(values, affine, dtype=values.dtype)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1, strip_shears=True)
    image.header.set_xyzt_units({"m": "meter", "mm": "mm", "µm": "micron"}.get(unit, "unknown"))
    if isinstance(item, Volume) and item.is_label:
        image.header["intent_code"] = LABEL_INTENT
    if not path.name.lower().endswith(".gz"):
        path.write_bytes(image.to_bytes())
        return
    level = 6 if options.compress else 0
    path.write_bytes(gzip.compress(image.to_bytes(), level, mtime=0))
