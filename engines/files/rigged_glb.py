"""Rigged glTF 2.0 (.glb, .gltf): a surface with the joints that move it, as a template for poses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from engines.assets import asset_path
from engines.blocks import hand_anatomy as anatomy
from engines.core import Param, Params
from engines.data import RiggedTemplate
from engines.files import guard
from engines.files.gltf_document import files_beside, open_document
from engines.files.gltf_skin import Rig, Skeleton, rig_in
from engines.files.registry import Loaded, Question, read, reader

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
SHORTEST, LONGEST = 0.02, 1.0
"""Of a hand, in m: beyond these its unit is another one."""
USUAL = 0.2
"""Length of a hand in m."""

Unit = Literal["as the format", "m", "cm", "mm", "inch"]
Side = Literal["automatic", "left", "right"]


class RiggedGlbOptions(Params):
    length: Unit = Param("as the format", help="Its unit; glTF says metres, which is doubted for giant hands")
    side: Side = Param("automatic", help="Which hand it is; automatic: as its names say, else as its thumb lies")
    reduce: bool = Param(
        True, help="Of the 25 joints of a WebXR hand keep the 16 that poses are given for: tips and palm are no joints"
    )


@reader(
    key="rigged-glb",
    title="Rigged template (glTF)",
    extensions=(".glb", ".gltf"),
    gives=(RiggedTemplate,),
    options=RiggedGlbOptions,
)
def read_rigged_glb(path: Path, options: RiggedGlbOptions) -> Loaded:
    document, buffers = open_document(path)
    problems: list[str] = []
    try:
        rig = rig_in(path, document, buffers, problems)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        detail = f"{type(error).__name__}: {error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "has a damaged scene description.", detail) from error
    if rig is None:
        raise guard.refuse(
            path,
            "has no skin.",
            "None of its surfaces is bound to joints, so it cannot be posed.",
            "Rig it and export it with its skin, read it as a glTF scene, or use the open hand.",
        )
    template = _template(path, rig, options, problems)
    return Loaded((template,), tuple(problems), files_beside(path, document))


def the_open_hand(side: str = "right") -> RiggedTemplate:
    """The left or the right hand that comes along. Raises :class:`UserError` when the assets are not there."""
    template = read(asset_path(f"templates/generic-hand/{side}.glb"), format="rigged-glb").artifacts[0]
    assert isinstance(template, RiggedTemplate)
    return template.replace(name=f"Open hand ({side})")


def _template(path: Path, rig: Rig, options: RiggedGlbOptions, problems: list[str]) -> RiggedTemplate:
    names, frames, parents = rig.skeleton.names, rig.skeleton.frames, rig.skeleton.parents
    weights = rig.weights
    webxr = set(anatomy.WEBXR_PARENTS) <= set(names)
    if webxr:  # the joints lie flat beside each other: their names say how they hang together
        kept = [names.index(name) for name in anatomy.WEBXR_PARENTS]
        left_out = np.setdiff1d(np.arange(len(names)), kept)
        if weights[:, left_out].any():
            raise guard.refuse(path, "moves a WebXR hand by joints that such a hand has not.")
        names, frames, weights = tuple(anatomy.WEBXR_PARENTS), frames[kept], weights[:, kept]
        above = anatomy.WEBXR_PARENTS
        parents = np.array([names.index(above[name]) if above[name] else -1 for name in names], np.int32)
    else:
        names, frames, parents, weights = _one_tree(Skeleton(names, frames, parents), weights, problems)
    frames = frames.copy()
    scale = _metres(path, rig.vertices, names, options.length)
    vertices, frames[:, :3, 3] = rig.vertices * scale, frames[:, :3, 3] * scale
    joints = frames[:, :3, 3]
    side = _side(path, rig, names, parents, joints, options.side, problems)
    if webxr:
        radial, normal = anatomy.across_the_palm(joints, names, parents)
        turns = frames[:, :3, :3] / np.linalg.norm(frames[:, :3, :3], axis=1, keepdims=True)
        palm = -normal if side == "left" else normal
        axes = anatomy.axes_of_frames(turns, radial, palm, names)
    else:
        axes = anatomy.axes_of_bones(vertices, weights, joints, parents, names, side)
    if webxr and options.reduce:
        weights, kept = _reduced(weights, names)
        joints, axes = joints[kept], axes[kept]
        names, parents = anatomy.MANO_NAMES, anatomy.MANO_PARENTS
    return RiggedTemplate(
        name=path.stem, vertices=vertices, faces=rig.faces, weights=weights, joints=joints, parents=parents,
        axes=axes, colors=rig.colors, joint_names=names, side=side,
    )  # fmt: skip


def _reduced(weights: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, list[int]]:
    """Weights (V, 16) of the joints of MANO from those of 25, and which of the 25 these are."""
    target = [anatomy.MANO_NAMES.index(anatomy.REDUCED[name]) for name in names]
    kept = {target: name for name, target in anatomy.KEPT.items()}
    return weights @ np.eye(len(anatomy.MANO_NAMES))[target], [names.index(kept[name]) for name in anatomy.MANO_NAMES]


def _one_tree(
    skeleton: Skeleton, weights: np.ndarray, problems: list[str]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Names, frames, parents and weights with one root: a new one where there are several, or where it is not first."""
    names, frames, parents = skeleton.names, skeleton.frames, skeleton.parents
    roots = np.flatnonzero(parents < 0)
    if len(roots) == 1:
        return names, frames, parents, weights
    problems.append(f"Its skeleton has {len(roots)} roots; a joint called 'root' was put above them.")
    top = np.eye(4)
    top[:3, 3] = frames[roots, :3, 3].mean(0)
    name = next(n for n in ("root", *(f"root {i}" for i in range(len(names) + 1))) if n not in names)
    return (
        (name, *names),
        np.concatenate([top[None], frames]),
        np.concatenate([[-1], parents + 1]).astype(np.int32),
        np.concatenate([np.zeros((len(weights), 1)), weights], axis=1),
    )


def _metres(path: Path, vertices: np.ndarray, names: tuple[str, ...], unit: Unit) -> float:
    """How long its unit is. Raises :class:`Question` where it says nothing that can be."""
    if unit != "as the format":
        return METRES[unit]
    doubtful(path, vertices, names)
    return 1.0


def doubtful(path: Path, vertices: np.ndarray, names: tuple[str, ...]) -> None:
    """Raises :class:`Question` when a hand of these ``vertices`` in m is none."""
    length = float(np.ptp(vertices, axis=0).max())
    if not anatomy.is_hand(names) or SHORTEST <= length <= LONGEST:
        return
    likely = sorted(METRES, key=lambda unit: abs(np.log(max(length * METRES[unit], 1e-300) / USUAL)))
    fits = [unit for unit in likely if unit != "m" and SHORTEST <= length * METRES[unit] <= LONGEST]
    guess = f"In {fits[0]} it would be {length * METRES[fits[0]]:.2g} m long. " if fits else ""
    raise Question(
        f"'{path.name}' holds a hand that is {length:.3g} m long.",
        f"{guess}Hands are between {100 * SHORTEST:g} cm and {LONGEST:g} m.",
        "Choose the unit of length ('length').",
        {f"It is in {unit}": {"length": unit} for unit in (*fits, "m")},
    )


def _side(
    path: Path,
    rig: Rig,
    names: tuple[str, ...],
    parents: np.ndarray,
    joints: np.ndarray,
    chosen: Side,
    problems: list[str],
) -> str:
    if not anatomy.is_hand(names):
        return "" if chosen == "automatic" else chosen
    shaped = anatomy.side_told_by_shape(joints, names, parents)
    said = [anatomy.side_in(name) for name in (path.stem, *rig.names)] + [anatomy.side_in(name) for name in names]
    named = next((side for side in said if side), "")
    side = chosen if chosen != "automatic" else named or shaped
    if shaped and side and side != shaped:
        problems.append(f"It is called a {side} hand, but its thumb lies as that of a {shaped} one.")
    return side
