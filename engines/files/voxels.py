"""What the volume formats share: options, size checks before anything is allocated, orientation, label detection.

Positions are RAS mm in the program (x to the patient's right, y to the front, z to the head), whatever a file has.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import GridField, Volume
from engines.files import guard
from engines.files.registry import Loaded

MOST_LABELS = 128  # an integer volume with more different values is taken for an image
GZIP_RATIO = 1100  # deflate cannot pack tighter than about 1 : 1032
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS to RAS and back: x and y turn round
MILLIMETRES = {"m": 1e3, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "nm": 1e-6}


class VolumeReadOptions(Params):
    kind: Literal["auto", "labels", "values"] = Param(
        "auto", help="What the voxels hold; auto takes whole numbers of at most 128 kinds for labels"
    )
    frame: int = Param(0, ge=0, help="Which frame of a time series to read", advanced=True)


def data_bytes(path: Path, shape: tuple[int, ...], itemsize: int, available: int, packed: bool) -> int:
    """Bytes that the header announces, refused when the file cannot hold them."""
    if not shape or min(shape) < 1:
        raise guard.refuse(path, "announces an empty volume.", f"Its size is {'×'.join(map(str, shape)) or 'missing'}.")
    need = prod(shape) * itemsize
    most = available * GZIP_RATIO if packed else available
    if need > most:
        raise guard.refuse(
            path,
            "is shorter than its header says.",
            f"{'×'.join(map(str, shape))} values need {need:,} bytes; {available:,} are there.",
            "It is cut off or its header is wrong: copy or export it again.",
        )
    guard.room(path, need)
    return need


def three_axes(path: Path, values: np.ndarray, frame: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The three space axes of an array whose later axes are time or channels."""
    problems: tuple[str, ...] = ()
    if not values.size:
        raise guard.refuse(path, "holds an empty volume.", f"Its size is {'×'.join(map(str, values.shape))}.")
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim == 4:
        if frame >= values.shape[3]:
            raise guard.refuse(path, f"has no frame {frame}.", f"It has {values.shape[3]} frames, from 0.")
        problems = (f"The file has {values.shape[3]} frames; frame {frame} was read.",)
        values = values[..., frame]
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise guard.refuse(path, f"has {values.ndim} axes.", "A volume has three.", "Choose one channel or frame.")
    return values, problems


def in_millimetres(affine: np.ndarray, unit: str) -> tuple[np.ndarray, str]:
    """An affine in mm when its unit is a known length; otherwise both as they are."""
    scale = MILLIMETRES.get(unit)
    return (affine, unit) if scale is None else (np.diag([scale, scale, scale, 1.0]) @ affine, "mm")


def grid_of(item: Volume | GridField) -> tuple[np.ndarray, np.ndarray, str]:
    """Values, affine (to RAS) and length unit of a volume or a field."""
    if isinstance(item, Volume):
        return item.values, item.affine, item.unit
    affine = np.diag([*item.spacing, 1.0])
    affine[:3, 3] = item.origin
    return item.values, affine, item.length_unit


def volume_from(
    path: Path,
    values: np.ndarray,
    affine: np.ndarray,
    unit: str,
    options: VolumeReadOptions,
    problems: tuple[str, ...] = (),
    said_label: bool = False,
) -> Loaded:
    """A checked :class:`Volume` in mm. ``affine`` leads to RAS; ``said_label``: the file says that it holds labels."""
    affine, unit = in_millimetres(affine, unit)
    affine = affine + 0.0  # turning round makes zeros negative, and the content hash would tell them apart
    if values.dtype.kind not in "biuf":
        raise guard.refuse(
            path, "holds no plain numbers.", f"Its values are {values.dtype}.", "Convert it to real numbers."
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-30:
        raise guard.refuse(
            path,
            "does not say where its voxels lie.",
            "Its spacing or directions are zero, not finite or not independent.",
            "Correct the header.",
        )
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    if native.dtype.kind == "f" and native.dtype.itemsize not in (4, 8):
        native = native.astype(np.float32)
    if native.dtype.kind == "f" and not np.isfinite(native).all():
        bad = int(native.size - np.isfinite(native).sum())
        if bad == native.size:
            raise guard.refuse(path, "holds no finite value.", "All voxels are NaN or infinite.")
        problems += (f"{bad:,} voxels are not finite.",)
    label = options.kind == "labels" or (options.kind == "auto" and (said_label or _few_whole_numbers(native)))
    return Loaded((Volume(name=stem(path), values=native, affine=affine, is_label=label, unit=unit),), problems)


def _few_whole_numbers(values: np.ndarray) -> bool:
    if values.dtype.kind not in "biu":
        return False
    low, high = int(values.min()), int(values.max())
    if high - low < 1 << 16:
        shifted = (values.reshape(-1)[:: max(1, values.size >> 24)].astype(np.int64) - low).astype(np.int32)
        return int(np.count_nonzero(np.bincount(shifted))) <= MOST_LABELS
    return len(np.unique(values.reshape(-1)[:: max(1, values.size >> 20)])) <= MOST_LABELS


def stem(path: Path) -> str:
    """The file's name without its extension, ``.nii.gz`` as one."""
    name = path.name
    return name[:-7] if name.lower().endswith(".nii.gz") else path.stem
