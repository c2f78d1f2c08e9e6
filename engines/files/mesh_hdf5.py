"""Fields on meshes in HDF5: ``points``, ``cells``, ``values`` (t, c, v) and ``displacements`` (t, v, 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engines.data import MeshField
from engines.files import guard
from engines.files.hdf5 import arrays_of, text
from engines.files.settings import TYPE, restored, settings_of

PARTS = ("points", "cells", "values", "displacements")


def own_mesh_field(path: Path, file: Any) -> MeshField:
    """A field that :func:`put_mesh_field` wrote into an open file."""
    try:
        found = arrays_of(path, file)
        arrays = {name: found[name].read() for name in PARTS if name in found} | {"times": found["t"].read()}
        field = restored(MeshField, json.loads(text(file, "settings")), arrays, path.stem)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise guard.refuse(path, "is not a whole field.", f"{type(error).__name__}: {error}."[:200]) from None
    assert isinstance(field, MeshField)
    return field


def put_mesh_field(field: MeshField, file: Any, compress: bool) -> None:
    file.attrs["settings"] = json.dumps(settings_of(field) | {TYPE: "MeshField"})
    file.create_dataset("t", data=field.times)
    for name in PARTS:
        values = getattr(field, name)
        if values is not None:
            packed = {"compression": "gzip", "shuffle": True} if compress and values.size else {}
            file.create_dataset(name, data=values, **packed)
