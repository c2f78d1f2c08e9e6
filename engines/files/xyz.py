"""Point clouds as text (``.xyz``): three coordinates per line, then a normal or a colour where there are six."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import PointCloud
from engines.files import guard
from engines.files.registry import Loaded, reader
from engines.files.triangles import finite, first_bad_line, numbers


class XyzReadOptions(Params):
    extra: Literal["auto", "normals", "colors"] = Param("auto", help="What columns four to six hold")
    unit: str = Param("", help="Length unit of the coordinates; the format does not say")


@reader(key="xyz", title="Point cloud as text", extensions=(".xyz",), gives=(PointCloud,), options=XyzReadOptions)
def read_xyz(path: Path, options: XyzReadOptions) -> Loaded:
    text = guard.read_text(path).replace(",", " ")
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] not in "#/"]
    if not lines:
        raise guard.refuse(path, "has no point.")
    width = len(lines[0][1].split())
    values = numbers("\n".join(line for _, line in lines).encode())
    if values is None or width < 3 or len(values) != len(lines) * width:
        number, shown = first_bad_line([(i, line.encode()) for i, line in lines])
        uneven = next(((i, line) for i, line in lines if len(line.split()) != width), (number, shown))
        at, shown = (number, shown) if number else uneven
        raise guard.refuse(path, f"is no list of points at line {at}.", f"Found '{shown.strip()[:60]}'.")
    table = values.reshape(-1, width)
    points = finite(path, table[:, :3], "point")
    extra = table[:, 3:6] if width >= 6 else None
    if extra is None or not np.isfinite(extra).all():
        return Loaded((PointCloud(name=path.stem, points=points, unit=options.unit),))
    unit_length = np.abs(np.linalg.norm(extra, axis=1) - 1).max() < 0.05
    if options.extra == "normals" or (options.extra == "auto" and unit_length):
        return Loaded((PointCloud(name=path.stem, points=points, normals=extra, unit=options.unit),))
    rgba = np.concatenate([extra.clip(0, 255).round(), np.full((len(extra), 1), 255)], axis=1).astype(np.uint8)
    return Loaded((PointCloud(name=path.stem, points=points, colors=rgba, unit=options.unit),))
