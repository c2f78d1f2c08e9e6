"""A hand in each of its poses as meshes, numbered: PLY with colours at the vertices, or OBJ.

The index of ``hand.meshes.json`` names the meshes in the folder ``hand_meshes`` and how many belong to a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from engines.core import Param, Params, UserError
from engines.files.hand_bodies import HAND_TYPES, Hand, body_of, chosen_poses
from engines.files.obj import ObjWriteOptions, write_obj
from engines.files.ply import PlyWriteOptions, write_ply
from engines.files.registry import writer


class HandMeshOptions(Params):
    format: Literal["ply", "obj"] = Param("ply", help="PLY is smaller; colours at vertices in OBJ are not read by all")
    precision: Literal["single", "double"] = Param("single", help="Of the positions")
    poses: str = Param("", help="CSV or JSON with poses to use instead of its own")


@writer(
    key="hand-meshes",
    title="Meshes of the poses, numbered",
    extensions=(".meshes.json",),
    takes=HAND_TYPES,
    options=HandMeshOptions,
    folder=True,
    also="The meshes go to a folder of their own beside the file.",
)
def write_hand_meshes(hand: Hand, path: Path, options: HandMeshOptions) -> None:
    """Raises :class:`UserError` where there are no poses."""
    poses, body = chosen_poses(hand, options.poses), body_of(hand)
    if poses is None:
        raise UserError(
            "There are no poses to write meshes of.",
            "A template has none of its own.",
            "Name a file with poses, or write it as one mesh.",
        )
    folder = path.with_name(path.name.removesuffix(".meshes.json") + "_meshes")
    folder.mkdir()
    names = [f"{number:05d}.{options.format}" for number in range(len(poses))]
    for number, name in enumerate(names):
        mesh = body.mesh(poses, number)
        if options.format == "ply":
            write_ply(mesh, folder / name, PlyWriteOptions(precision=options.precision))
        else:
            write_obj(mesh, folder / name, ObjWriteOptions(digits=9 if options.precision == "single" else 17))
    index = {"rate": poses.rate, "meshes": [f"{folder.name}/{name}" for name in names]}
    path.write_text(json.dumps(index, indent=1), encoding="utf-8")
