"""NumPy archives (``.npz``): fields, solutions, models, photos, Gaussians, camera paths and videos as arrays and one
JSON text, without pickle.

``kind`` is a JSON text that names the type and its settings; the other entries are the arrays: ``values``, ``origin``
and ``spacing`` of a field, ``weights/<name>`` of a model, and the arrays of the others by their names.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Artifact, Param, Params
from engines.data import (
    BoundGaussians,
    CameraPath,
    CostMatrix,
    Coupling,
    DepthVideo,
    Displacements,
    ElasticBody,
    GaussianCloud,
    GridField,
    HandAvatar,
    HandCapture,
    Measure,
    MeshField,
    Model,
    Photos,
    PhotoSet,
    PoseSequence,
    RiggedTemplate,
    SampledField,
    Solution,
    SpectrumTable,
    Trajectory,
    TransportMap,
    UnposedPhotos,
    Video,
)
from engines.files import guard
from engines.files.gridded import FieldOptions, Stored, field_from
from engines.files.npy import array_bytes, read_array
from engines.files.registry import Loaded, reader, writer
from engines.files.settings import restored, settings_of
from engines.files.voxels import GZIP_RATIO

MOST_ENTRIES = 100_000
WHOLE: dict[str, type[Artifact]] = {
    "Photos": Photos,
    "UnposedPhotos": UnposedPhotos,
    "GaussianCloud": GaussianCloud,
    "BoundGaussians": BoundGaussians,
    "CameraPath": CameraPath,
    "Video": Video,
    "DepthVideo": DepthVideo,
}
"""Types that are written as they are: arrays by name, the rest in ``kind``."""
SETTINGS: dict[type[Artifact], dict[str, type]] = {
    BoundGaussians: {"thickness": float},
    CameraPath: {"seconds": float, "width": int, "height": int, "rate": float, "closed": bool, "even_speed": bool},
    Video: {"width": int, "height": int, "rate": float},
    DepthVideo: {"rate": float},
}
"""What they have besides arrays, unit and names."""
DECLARED: dict[str, type[Artifact]] = {
    k.__name__: k
    for k in (
        SampledField,
        MeshField,
        ElasticBody,
        Solution,
        Trajectory,
        SpectrumTable,
        RiggedTemplate,
        PoseSequence,
        HandCapture,
        HandAvatar,
        Measure,
        CostMatrix,
        Coupling,
        TransportMap,
        Displacements,
    )
}
"""Types whose settings and nested artifacts follow from their declaration."""


class NpzWriteOptions(Params):
    compress: bool = Param(True, help="Pack the arrays with deflate")


@reader(
    key="npz",
    title="NumPy archive",
    extensions=(".npz",),
    gives=(GridField, Model, *WHOLE.values(), *DECLARED.values()),
    options=FieldOptions,
)
def read_npz(path: Path, options: FieldOptions) -> Loaded:
    """Archives of others are read as fields: arrays of values, and vectors of nodes such as t, x, y.

    Where nothing is asked for, and the names say it: as clouds of points or as costs.
    """
    from engines.files.npz_points import NpzPointsOptions, points_from, says_so

    arrays = archive_arrays(path)
    if "kind" not in arrays and options == type(options)() and says_so(arrays):
        return points_from(path, arrays, NpzPointsOptions())
    if "kind" not in arrays:
        return field_from(path, {name: Stored.of(values) for name, values in arrays.items()}, options)
    kind = arrays.pop("kind", None)
    try:
        settings = json.loads(str(kind[()])) if kind is not None and kind.dtype.kind == "U" and kind.ndim == 0 else {}
        settings = settings if isinstance(settings, dict) else {}
    except (ValueError, RecursionError):
        settings = {}
    missing = guard.refuse(
        path,
        "is not an archive of this program.",
        f"Its entries are {', '.join(list(arrays)[:6]) or 'none'}; 'kind' does not say what they are.",
        "Save single arrays as .npy.",
    )
    if settings.get("type") in tuple(WHOLE):
        return Loaded((_whole(WHOLE[settings["type"]], path, settings, arrays, missing),))
    if settings.get("type") in tuple(DECLARED):
        try:
            return Loaded((restored(DECLARED[settings["type"]], settings, arrays, path.stem),))
        except ValueError as error:
            raise guard.refuse(path, "has wrong settings.", f"{error}.") from None
    if settings.get("type") == "Model":
        weights = {k.removeprefix("weights/"): v for k, v in arrays.items() if k.startswith("weights/")}
        config = settings.get("config", {})
        model = Model(
            name=path.stem, weights=weights, method=str(settings.get("method", "")), config=json.dumps(config)
        )
        return Loaded((model,))
    if settings.get("type") != "GridField" or not {"values", "origin", "spacing"} <= set(arrays):
        raise missing
    level = settings.get("level")
    field = GridField(
        name=path.stem,
        values=arrays["values"],
        origin=arrays["origin"],
        spacing=arrays["spacing"],
        quantity=str(settings.get("quantity", "value")),
        unit=str(settings.get("unit", "")),
        length_unit=str(settings.get("length_unit", "")),
        level=float(level) if isinstance(level, (int, float)) and np.isfinite(level) else None,
    )
    return Loaded((field,))


def _whole(
    kind: type[Artifact], path: Path, settings: dict[str, Any], arrays: dict[str, np.ndarray], missing: Exception
) -> Artifact:
    specs = kind.array_specs()
    if not {name for name, spec in specs.items() if not spec.optional} <= set(arrays):
        raise missing
    fields: dict[str, Any] = {name: values for name, values in arrays.items() if name in specs}
    if isinstance(settings.get("unit"), str) and hasattr(kind, "unit"):
        fields["unit"] = settings["unit"]
    if isinstance(settings.get("names"), list) and issubclass(kind, PhotoSet):
        fields["names"] = tuple(str(name) for name in settings["names"])
    for name, wanted in SETTINGS.get(kind, {}).items():
        value = settings.get(name)
        if wanted is bool:
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
        if not fits:
            raise missing
        fields[name] = wanted(value)  # type: ignore[arg-type]
    return kind(name=path.stem, **fields)


def archive_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of the archive, in order; sizes are checked before anything is unpacked."""
    found: dict[str, np.ndarray] = {}
    with guard.foreign(path, "NumPy archive"), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        size = path.stat().st_size
        total = sum(e.file_size for e in entries)
        if len(entries) > MOST_ENTRIES or total > size * GZIP_RATIO:
            raise guard.refuse(path, "unpacks to too much data.", f"{len(entries):,} entries, {total:,} bytes.")
        guard.room(path, total)
        for entry in entries:
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise guard.refuse(path, "is packed in an unknown way.", "Stored and deflated entries are read.")
            try:
                with archive.open(entry) as stream:
                    raw = stream.read(entry.file_size + 1)
            except zlib.error as error:
                raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None
            name = entry.filename.removesuffix(".npy")
            found[name] = read_array(path, io.BytesIO(raw), len(raw))
    return found


def _save(path: Path, settings: dict[str, Any], arrays: dict[str, np.ndarray], compress: bool) -> None:
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, values in {"kind": np.array(json.dumps(settings)), **arrays}.items():
            # A fixed time makes equal artifacts equal files.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            with archive.open(entry, "w", force_zip64=True) as stream:
                stream.write(array_bytes(values))


@writer(
    key="npz",
    title="NumPy archive",
    extensions=(".npz",),
    takes=(GridField, Model, *WHOLE.values(), *DECLARED.values()),
    options=NpzWriteOptions,
)
def write_npz(item: Artifact, path: Path, options: NpzWriteOptions) -> None:
    if type(item) in WHOLE.values():
        about: dict[str, Any] = {"type": type(item).__name__, "unit": getattr(item, "unit", "")}
        if isinstance(item, PhotoSet):
            about["names"] = item.names
        about |= {name: getattr(item, name) for name in SETTINGS.get(type(item), {})}
        _save(path, about, item.parts(), options.compress)
        return
    if type(item) in DECLARED.values():
        _save(path, settings_of(item), item.parts(), options.compress)
        return
    if isinstance(item, Model):
        settings = {"type": "Model", "method": item.method, "config": json.loads(item.config)}
        _save(path, settings, {f"weights/{k}": v for k, v in item.weights.items()}, options.compress)
        return
    assert isinstance(item, GridField)
    settings = {
        "type": "GridField",
        "quantity": item.quantity,
        "unit": item.unit,
        "length_unit": item.length_unit,
        "level": item.level,
    }
    arrays = {"values": item.values, "origin": item.origin, "spacing": item.spacing}
    _save(path, settings, arrays, options.compress)
