"""A field over time as a folder of frames: ``name_0.00.npy``, ``name_0.01.npy``, … with the time in each name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engines.core import Param, UserError
from engines.data import SampledField
from engines.files import guard
from engines.files.grid_assembly import assembled, not_finite, plain
from engines.files.grid_axes import NAMED, Axis, named_axes
from engines.files.gridded import GridOptions
from engines.files.npy import read_array
from engines.files.registry import Loaded, Tell, reader, silent

MOST_FRAMES = 20_000
FRAME = re.compile(r"(.*?)[_\-. ]?([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\.npy", re.DOTALL)


class FrameOptions(GridOptions):
    series: str = Param("", empty="the largest", help="Beginning of the names of the frames")


@reader(
    key="frames", title="Folder of NumPy frames", extensions=(), gives=(SampledField,), options=FrameOptions,
    names=("*[0-9].npy",), whole_folder=True,
)  # fmt: skip
def read_frames(path: Path, options: FrameOptions, tell: Tell = silent) -> Loaded:
    """Frames that are missing in an even series are named; the axes of a frame are told by the options."""
    series = _series(path)
    name = options.series.strip() or max(series, key=lambda k: (len(series[k]), k), default="")
    if name not in series:
        raise guard.refuse(
            path,
            f"holds no frames '{name[:60]}'." if series else "holds no frames.",
            f"Series: {', '.join(list(series)[:8]) or 'none'}.",
            "Frames are called like 'heat_0.25.npy'.",
        )
    frames = sorted(series[name], key=lambda frame: frame[0])
    times = np.array([time for time, _ in frames])
    if len(frames) > MOST_FRAMES or (np.diff(times) <= 0).any():
        twice = times[1:][np.diff(times) <= 0][:3]
        raise guard.refuse(
            path,
            f"has {len(frames):,} frames." if len(frames) > MOST_FRAMES else "has two frames of one time.",
            f"Times that are there twice: {', '.join(f'{t:g}' for t in twice) or 'none'}.",
            "Leave one of each, and not more than 20,000.",
        )
    values = _stacked(path, [file for _, file in frames], tell)
    shape = values.shape[1:]
    names = named_axes(path, options.axes, len(shape)) if options.axes.strip() else NAMED.get(len(shape), ())
    if len(names) != len(shape) or len(shape) > 4 or "t" in names:
        raise guard.refuse(
            path, f"has frames with {len(shape)} axes.", "One to three of space and one of components are read.",
            "Say what the axes of a frame are, without time.",
        )  # fmt: skip
    axes = [Axis("t", len(times), times), *(Axis(n, k) for n, k in zip(names, shape, strict=True))]
    field = assembled(path, {name or "u": values}, axes, options.ranges)
    others = [f"{k or 'without a name'} ({len(v):,})" for k, v in series.items() if k != name]
    problems = [f"Other series of frames were left out: {', '.join(others[:6])}."] if others else []
    return Loaded((field,), (*_gaps(frames), *problems, *not_finite(field)), tuple(file for _, file in frames))


def _series(path: Path) -> dict[str, list[tuple[float, Path]]]:
    """Times and files by the beginning of their names."""
    found: dict[str, list[tuple[float, Path]]] = {}
    for file in sorted(path.iterdir()):
        match = FRAME.fullmatch(file.name)
        if match is not None and file.is_file() and np.isfinite(float(match[2])):
            found.setdefault(match[1], []).append((float(match[2]), file))
    return found


def _gaps(frames: list[tuple[float, Path]]) -> tuple[str, ...]:
    """The frames that an even series should have and does not."""
    times = np.array([time for time, _ in frames])
    if len(times) < 3:
        return ()
    step = float(np.median(np.diff(times)))
    count = (times[-1] - times[0]) / step
    steps = np.diff(times) / step
    if count > MOST_FRAMES or np.abs(steps - np.rint(steps)).max() > 0.01 or np.rint(steps).max() < 2:
        return ()
    there = set(np.rint((times - times[0]) / step).astype(int).tolist())
    lost = [i for i in range(round(count)) if i not in there]
    match = FRAME.fullmatch(frames[0][1].name)
    digits = len(match[2].partition(".")[2]) if match is not None else 2
    names = ", ".join(f"{times[0] + i * step:.{digits}f}" for i in lost[:12])
    more = f" and {len(lost) - 12:,} others" if len(lost) > 12 else ""
    return (f"{len(lost):,} of {round(count) + 1:,} frames are missing: those at {names}{more}.",)


def _stacked(path: Path, files: list[Path], tell: Tell) -> np.ndarray:
    """(T, ...) all frames; they must be alike."""
    guard.room(path, sum(file.stat().st_size for file in files))
    first = _frame(files[0])
    whole = np.empty((len(files), *first.shape), first.dtype)
    for index, file in enumerate(files):
        frame = _frame(file)
        if frame.shape != first.shape:
            raise guard.refuse(
                path,
                f"has a frame of another size: '{file.name}'.",
                f"It is {'×'.join(map(str, frame.shape))}; '{files[0].name}' is {'×'.join(map(str, first.shape))}.",
                "Make all frames alike.",
            )
        whole[index] = frame
        if index % 16 == 0:
            tell(index / len(files), "Reading frames")
    return whole


def _frame(file: Path) -> np.ndarray:
    with file.open("rb") as stream:
        values = read_array(file, stream, file.stat().st_size)
    if values.dtype.kind not in "biuf" or not values.size or not values.ndim:
        raise UserError(
            f"'{file.name}' holds no frame.",
            f"It is {values.shape} of {values.dtype}; real numbers along one axis or more are read.",
            "Save it again.",
        )
    return plain(values)
