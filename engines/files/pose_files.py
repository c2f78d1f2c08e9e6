"""Pose sequences from CSV and JSON: an axis-angle for each joint of each pose (out: ``pose_files_out``).

CSV: a heading ``frame, time [s], wrist.x [rad], wrist.y [rad], …, translation.x [m], …, scale`` and a row for each
pose; without a heading the numbers of a row are the joints in the order of MANO, perhaps with a translation after them.
JSON: ``{"joint_names", "unit", "rate", "poses": [{"rotations": [[x, y, z], …], "translation", "scale", "name"}]}``, a
list of poses, or poses by the names of frames; ``pose`` and ``trans`` are those of MANO's annotations.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from engines.blocks.hand_anatomy import MANO_NAMES
from engines.blocks.meshes.rotations import matrix_to_axis_angle
from engines.core import Param, Params
from engines.data import PoseSequence
from engines.files import guard
from engines.files.registry import Loaded, Question, reader

MOST_BYTES = 1 << 27
RADIANS = {"rad": 1.0, "deg": np.pi / 180, "°": np.pi / 180, "degrees": np.pi / 180, "radians": 1.0}
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
WILD = 4 * np.pi
"""Radians beyond which angles are taken for degrees, if nothing says what they are."""
USUAL_RATE = 25.0
_COLUMN = re.compile(r"(?P<joint>.+?)[._ ](?P<part>[xyz]|r[123][123])\s*(\[(?P<unit>[^\[\]]+)\])?", re.IGNORECASE)
_PLACES = {"t": "translation", "trans": "translation", "translation": "translation"}


class PoseReadOptions(Params):
    angles: Literal["as the file", "rad", "deg"] = Param(
        "as the file", help="Their unit; radians where the file does not say"
    )
    rotations: Literal["axis-angle", "matrices"] = Param("axis-angle", help="What stands for each joint")
    rate: float | None = Param(None, gt=0, lt=10_000, unit="1/s", empty="as the file, or 25", help="Poses a second")


@dataclass
class Given:
    """What a file says. ``numbers`` (T, n) are the rotations of each pose, of ``names`` where it names its joints."""

    numbers: np.ndarray
    names: tuple[str, ...] = ()
    unit: str = ""
    rate: float | None = None
    translations: np.ndarray | None = None
    scales: np.ndarray | None = None
    frames: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)


@reader(
    key="poses",
    title="Pose sequence",
    extensions=(".poses.csv", ".poses.json"),
    gives=(PoseSequence,),
    options=PoseReadOptions,
    names=("*pose*.csv", "*pose*.json"),
)
def read_poses(path: Path, options: PoseReadOptions) -> Loaded:
    sequence, _, problems = poses_in(path, options)
    return Loaded((sequence,), tuple(problems))


def poses_in(path: Path, options: PoseReadOptions | None = None) -> tuple[PoseSequence, tuple[str, ...], list[str]]:
    """The poses, what their frames are called (empty where nothing says it), and problems."""
    options = options or PoseReadOptions()
    text = guard.read_text(path, MOST_BYTES)
    given = _json(path, text) if path.suffix.lower() == ".json" else _csv(path, text)
    count, width = given.numbers.shape
    if count == 0:
        raise guard.refuse(path, "holds no pose.")
    bad = ~np.isfinite(given.numbers).all(1)
    if bad.any():
        raise guard.refuse(
            path,
            f"has a pose that is not finite, number {int(np.argmax(bad)) + 1}.",
            f"{int(bad.sum()):,} of {count:,} hold NaN or infinity.",
            "Leave these poses out, or fill them in.",
        )
    per = 9 if options.rotations == "matrices" else 3
    if per == 3 and _matrices(given.numbers, len(given.names)):
        raise Question(
            f"'{path.name}' holds rotation matrices, not axis-angles.",
            f"Its {width} numbers a pose are {width // 9} matrices of 3×3.",
            "Say what stands for each joint ('rotations').",
            {"Convert the matrices": {"rotations": "matrices"}},
        )
    joints = len(given.names) or width // per
    if not joints or width != per * joints:
        named = f"{joints} joints are named" if given.names else f"{per} for each joint are expected"
        raise guard.refuse(
            path,
            f"has {width} numbers a pose.",
            f"{named}, and {width} is not {per}·{joints or 'J'}.",
            "Check how the poses were written.",
        )
    problems = given.problems
    values = given.numbers.reshape(count, joints, per)
    rotations = _converted(path, values) if per == 9 else values * _radians(path, values, given.unit, options.angles)
    names = given.names or _usual(joints)
    if not given.names and joints == 15:
        rotations = np.concatenate([np.zeros((count, 1, 3)), rotations], axis=1)
        problems.append("There are 15 joints: those of the fingers, as MANO orders them. The wrist does not turn.")
    sequence = PoseSequence.of(
        rotations, names, name=_stem(path), rate=options.rate or given.rate or USUAL_RATE,
        **{k: v for k, v in (("translations", given.translations), ("scales", given.scales)) if v is not None},
    )  # fmt: skip
    return sequence, given.frames, problems


def _usual(joints: int) -> tuple[str, ...]:
    return MANO_NAMES if joints in (15, 16) else tuple(f"joint{i}" for i in range(joints))


def _stem(path: Path) -> str:
    return re.sub(r"(\.poses)?\.(csv|json)$", "", path.name, flags=re.IGNORECASE)


def _matrices(numbers: np.ndarray, named: int) -> bool:
    """Whether these are rotation matrices one after the other."""
    width = numbers.shape[1]
    if not width or width % 9 or (named and width != 9 * named):
        return False
    m = numbers[:50].reshape(-1, 3, 3)
    return bool(np.abs(m @ m.transpose(0, 2, 1) - np.eye(3)).max() < 0.05)


def _converted(path: Path, values: np.ndarray) -> np.ndarray:
    m = values.reshape(*values.shape[:2], 3, 3)
    off = np.abs(m @ m.transpose(0, 1, 3, 2) - np.eye(3)).max(axis=(1, 2, 3))
    if off.max() > 0.05 or (np.linalg.det(m) < 0).any():
        worst = int(np.argmax(off))
        raise guard.refuse(
            path,
            f"has a matrix that does not only turn, in pose {worst + 1}.",
            f"|RRᵀ − I| is {off[worst]:.2g}, or it mirrors.",
            "Check how the poses were written.",
        )
    u, _, v = np.linalg.svd(m)  # the nearest rotation: files are rounded
    found: np.ndarray = matrix_to_axis_angle(torch.from_numpy(u @ v)).numpy()
    return found


def _radians(path: Path, values: np.ndarray, said: str, chosen: str) -> float:
    unit = said if chosen == "as the file" else chosen
    if unit:
        if unit.lower() not in RADIANS:
            raise guard.refuse(path, f"has angles in '{unit[:20]}'.", "", "Write them in rad or deg.")
        return float(RADIANS[unit.lower()])
    most = float(np.abs(values).max(initial=0))
    if most > WILD:
        raise Question(
            f"'{path.name}' has angles of up to {most:.4g}, and does not say in which unit.",
            "Joints do not turn round twice: these are hardly radians.",
            "Choose the unit of the angles ('angles').",
            {"They are degrees": {"angles": "deg"}, "They are radians": {"angles": "rad"}},
        )
    return 1.0


# --- CSV -----------------------------------------------------------------------------------------------


def _csv(path: Path, text: str) -> Given:
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not lines:
        raise guard.refuse(path, "holds no pose.")
    sign = max(",;\t", key=lines[0][1].count)
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO("\n".join(x for _, x in lines)), delimiter=sign)
        ]
    except csv.Error as error:
        raise guard.refuse(path, "is no clean CSV.", f"{error}.") from None
    if len(rows) != len(lines):
        raise guard.refuse(path, "is no clean CSV.", "A cell goes over several lines.")
    plain = all(guard.is_number(cell) for cell in rows[0])
    head = [] if plain else rows.pop(0)
    numbers = [n for n, _ in lines][0 if plain else 1 :]
    width = len(head) or len(rows[0])
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != width:
            raise guard.refuse(
                path, f"has a row of the wrong length at line {number}.", f"It has {len(row)} cells, not {width}.",
                "Check the separator, or export the poses again.",
            )  # fmt: skip
    if plain:
        return _bare(_cells(path, rows, numbers, list(range(width))))
    return _headed(path, head, rows, numbers)


def _bare(values: np.ndarray) -> Given:
    """Without a heading: MANO's 48 numbers, perhaps with a translation and a scale."""
    if values.shape[1] in (51, 52):
        scales = values[:, 51] if values.shape[1] == 52 else None
        return Given(values[:, :48], translations=values[:, 48:51], scales=scales)
    return Given(values)


def _headed(path: Path, head: list[str], rows: list[list[str]], numbers: list[int]) -> Given:
    parts: dict[str, dict[str, int]] = {}
    units: dict[str, str] = {}
    single: dict[str, int] = {}
    for index, title in enumerate(head):
        short = re.fullmatch(r"t([xyz])", title, re.IGNORECASE)
        match = _COLUMN.fullmatch(f"translation.{short[1]}" if short else title)
        if match is None:
            single[re.sub(r"\s*\[.*\]$", "", title).lower()] = index
            continue
        name = _PLACES.get(match["joint"].lower(), match["joint"])
        parts.setdefault(name, {})[match["part"].lower()] = index
        if match["unit"]:
            units[name] = match["unit"].strip()
    place = parts.pop("translation", None)
    wide = {len(found) for found in parts.values()}
    orders = {3: ["x", "y", "z"], 9: [f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]}
    if not parts or len(wide) != 1 or next(iter(wide)) not in orders:
        raise guard.refuse(
            path,
            "names no joints that could be posed.",
            f"Its heading is '{', '.join(head[:6])[:80]}'; for each joint there should be name.x, name.y and name.z.",
            "Correct the heading, or leave it out if the joints are those of MANO.",
        )
    order = orders[next(iter(wide))]
    if any(set(found) != set(order) for found in parts.values()) or (place and set(place) != {"x", "y", "z"}):
        raise guard.refuse(path, "has a joint without all of its numbers.", f"Each needs {', '.join(order)}.")
    found = Given(
        _cells(path, rows, numbers, [index for of in parts.values() for index in (of[p] for p in order)]),
        names=tuple(parts),
        unit=next((units[name] for name in parts if name in units), ""),
    )
    if len({units.get(name, "") for name in parts}) > 1:
        raise guard.refuse(path, "has joints in different units.", "", "Write all angles in one.")
    if place:
        unit = units.get("translation", "m")
        if unit not in METRES:
            raise guard.refuse(path, f"has translations in '{unit[:20]}'.", "", "Write them in m, cm or mm.")
        found.translations = METRES[unit] * _cells(path, rows, numbers, [place[p] for p in "xyz"])
    if "scale" in single:
        found.scales = _cells(path, rows, numbers, [single["scale"]])[:, 0]
    if "time" in single and len(rows) > 1:
        times = _cells(path, rows, numbers, [single["time"]])[:, 0]
        if times[-1] > times[0]:
            found.rate = round((len(times) - 1) / float(times[-1] - times[0]), 9)
    if "frame" in single:
        found.frames = tuple(row[single["frame"]] for row in rows)
    return found


def _cells(path: Path, rows: list[list[str]], numbers: list[int], columns: list[int]) -> np.ndarray:
    try:
        return np.array([[float(row[c]) for c in columns] for row in rows]).reshape(len(rows), len(columns))
    except ValueError:
        pass
    number, cell = next(
        (n, row[c]) for n, row in zip(numbers, rows, strict=True) for c in columns if not guard.is_number(row[c])
    )
    raise guard.refuse(
        path, f"has something that is no number at line {number}.", f"'{cell[:40]}'.", "Correct that line."
    )


# --- JSON ----------------------------------------------------------------------------------------------


def _json(path: Path, text: str) -> Given:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "is no valid JSON.", f"{error}"[:200].rstrip(".") + ".") from None
    try:
        return _described(path, document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        detail = f"{error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "describes no poses.", detail, "Check how the poses were written.") from error


def _described(path: Path, document: Any) -> Given:
    about = document if isinstance(document, dict) else {}
    if isinstance(document, dict) and "poses" in document:
        entries, frames = document["poses"], ()
    elif isinstance(document, dict):
        frames = tuple(name for name, entry in document.items() if isinstance(entry, (dict, list)))
        entries = [document[name] for name in frames]
        about = {}
    else:
        entries, frames = document, ()
    if isinstance(entries, dict):
        frames, entries = tuple(entries), list(entries.values())
    if not isinstance(entries, list) or not entries:
        raise ValueError("there is no list of poses")
    rows, places, scales, called = [], [], [], []
    for number, entry in enumerate(entries):
        body = entry if isinstance(entry, dict) else {"rotations": entry}
        rows.append(_flat(body.get("rotations", body.get("pose")), f"pose {number + 1}"))
        places.append(
            _flat(body.get("translation", body.get("trans", [0.0, 0.0, 0.0])), f"the translation of pose {number + 1}")
        )
        scales.append(_number(body.get("scale", 1.0), f"the scale of pose {number + 1}"))
        called.append(str(body.get("name", body.get("frame", ""))))
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError(f"poses have {min(lengths)} to {max(lengths)} numbers")
    if any(len(place) != 3 for place in places):
        raise ValueError("a translation has not 3 numbers")
    names = about.get("joint_names", [])
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError("'joint_names' is no list of names")
    rate = about.get("rate")
    return Given(
        np.array(rows, np.float64).reshape(len(rows), -1), tuple(names), str(about.get("unit", "") or ""),
        None if rate is None else _number(rate, "the rate"), np.array(places), np.array(scales),
        frames or (tuple(called) if all(called) else ()),
    )  # fmt: skip


def _flat(value: Any, what: str, depth: int = 0) -> list[float]:
    """The numbers of a list of lists."""
    if not isinstance(value, list) or depth > 3:
        raise ValueError(f"{what} is no list of numbers")
    if value and isinstance(value[0], list):
        return [number for row in value for number in _flat(row, what, depth + 1)]
    return [_number(entry, what) for entry in value]


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) == np.inf or value != value:
        raise ValueError(f"{what} is not finite, or no number: {str(value)[:30]}")
    return float(value)
