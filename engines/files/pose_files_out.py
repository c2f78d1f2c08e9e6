"""Pose sequences out, as the CSV and JSON that :mod:`engines.files.pose_files` describes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import PoseSequence
from engines.files.registry import writer


class PoseWriteOptions(Params):
    unit: Literal["rad", "deg"] = Param("rad", help="Of the angles")


@writer(
    key="poses-csv",
    title="Poses as CSV",
    extensions=(".poses.csv", ".csv"),
    takes=(PoseSequence,),
    options=PoseWriteOptions,
)
def write_csv(poses: PoseSequence, path: Path, options: PoseWriteOptions) -> None:
    """All digits are kept."""
    names = [f"{joint}.{axis} [{options.unit}]" for joint in poses.joint_names for axis in "xyz"]
    head = ["frame", "time [s]", *names, *(f"translation.{axis} [m]" for axis in "xyz"), "scale"]
    angles = _in(poses, options.unit).reshape(len(poses), -1)
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(head)
        for t in range(len(poses)):
            numbers = (t / poses.rate, *angles[t], *poses.translations[t], poses.scales[t])
            table.writerow([t, *(repr(float(v)) for v in numbers)])


@writer(
    key="poses-json",
    title="Poses as JSON",
    extensions=(".poses.json", ".json"),
    takes=(PoseSequence,),
    options=PoseWriteOptions,
)
def write_json(poses: PoseSequence, path: Path, options: PoseWriteOptions) -> None:
    angles = _in(poses, options.unit)
    document = {
        "joint_names": list(poses.joint_names),
        "unit": options.unit,
        "rate": poses.rate,
        "poses": [
            {
                "rotations": angles[t].tolist(),
                "translation": poses.translations[t].tolist(),
                "scale": float(poses.scales[t]),
            }
            for t in range(len(poses))
        ],
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _in(poses: PoseSequence, unit: str) -> np.ndarray:
    return poses.rotations if unit == "rad" else np.degrees(poses.rotations)
