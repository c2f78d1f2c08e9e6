"""MANO (.pkl): the hand model of Romero et al. 2017, under a licence of its own, read without executing anything.

    vertices = template + shapes . betas,   joints = regressor . vertices

Its pose-dependent offsets are not read: avatars learn their own. Left-hand files of version 1.2 have the sign of x
wrong in their shapes, told by their being those of the right hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from engines.blocks import hand_anatomy as anatomy
from engines.core import Param, Params, UserError
from engines.data import PoseSequence, RiggedTemplate
from engines.files import guard
from engines.files.pickled import array_of, unpickled
from engines.files.registry import Loaded, reader
from engines.files.rigged_glb import Side
from engines.files.triangles import checked_faces

LICENCE = (
    "MANO is free for research after registration at mano.is.tue.mpg.de, and may not be passed on: "
    "it does not come along."
)
SAME_SHAPES = 1.0
"""Sum of the differences in m below which the shapes of a left hand are those of the right one."""


class ManoOptions(Params):
    side: Side = Param("automatic", help="Which hand it is; automatic: as its name says, else as its thumb lies")
    shape: tuple[float, ...] = Param(
        (), help="Weights of the shapes ('betas'), up to 10; none: the mean hand", unit="standard deviations"
    )


@dataclass(frozen=True)
class ManoModel:
    """Arrays of the file, in m and radians. ``mean_pose`` (J, 3) is what poses are relative to that are not 'flat'."""

    name: str
    side: str
    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    regressor: np.ndarray
    parents: np.ndarray
    shapes: np.ndarray
    mean_pose: np.ndarray

    @property
    def joint_names(self) -> tuple[str, ...]:
        count = len(self.parents)
        return anatomy.MANO_NAMES if count == 16 else tuple(f"joint{i}" for i in range(count))

    def template(self, shape: np.ndarray | tuple[float, ...] = ()) -> RiggedTemplate:
        """The hand of this shape, at rest."""
        betas = np.asarray(shape, dtype=np.float64).reshape(-1)
        if len(betas) > self.shapes.shape[2]:
            raise UserError(
                f"There are {len(betas)} weights of shapes, and the model has {self.shapes.shape[2]} shapes.",
                mend="Give fewer.",
            )
        vertices = self.vertices + self.shapes[:, :, : len(betas)] @ betas
        joints = self.regressor @ vertices
        names = self.joint_names
        return RiggedTemplate(
            name=self.name, vertices=vertices, faces=self.faces, weights=self.weights, joints=joints,
            parents=self.parents, joint_names=names, side=self.side,
            axes=anatomy.axes_of_bones(vertices, self.weights, joints, self.parents, names, self.side),
        )  # fmt: skip


@reader(
    key="mano",
    title="MANO hand model",
    extensions=(".pkl",),
    gives=(RiggedTemplate, PoseSequence),
    options=ManoOptions,
)
def read_mano(path: Path, options: ManoOptions) -> Loaded:
    problems: list[str] = []
    model = mano_model(path, options.side, problems, shaped=bool(options.shape))
    template = model.template(options.shape)
    found: tuple[RiggedTemplate] | tuple[RiggedTemplate, PoseSequence] = (template,)
    if model.mean_pose.any():
        mean = PoseSequence.of(model.mean_pose[None], model.joint_names, name=f"{path.stem} mean pose")
        found = template, mean
    return Loaded(found, tuple(problems))


def mano_model(
    path: Path, side: Literal["automatic", "left", "right"], problems: list[str], *, shaped: bool = False
) -> ManoModel:
    """The model in a file. ``shaped``: its shapes will be used, so that their sign matters."""
    held = unpickled(path)
    if not isinstance(held, dict):
        raise guard.refuse(path, "is no hand model.", "It holds no dictionary.", LICENCE)
    try:
        vertices, faces = _array(held, "v_template", (-1, 3)), _array(held, "f", (-1, 3))
        weights = _array(held, "weights", (len(vertices), -1))
        count = weights.shape[1]
        regressor = _array(held, "J_regressor", (count, len(vertices)))
        tree = _array(held, "kintree_table", (2, count)).astype(np.int64)
        shapes = (
            _array(held, "shapedirs", (len(vertices), 3, -1))
            if "shapedirs" in held
            else np.zeros((len(vertices), 3, 0))
        )
        mean = _array(held, "hands_mean", (3 * (count - 1),)) if "hands_mean" in held else np.zeros(3 * (count - 1))
    except (KeyError, ValueError, TypeError, OverflowError, AttributeError, IndexError) as error:
        detail = f"{error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "is no hand model.", detail, f"Use the file as it was published. {LICENCE}") from error
    parents = np.where(tree[0] >= count, -1, tree[0])  # the root's is 2³² − 1
    if parents[0] != -1 or (parents[1:] < 0).any() or (parents[1:] >= np.arange(1, count)).any():
        raise guard.refuse(path, "has joints that are no tree.", "'kintree_table' lists parents before their children.")
    sums = weights.sum(1)
    if (np.abs(sums - 1) > 1e-3).any():
        problems.append(
            f"The weights of {int((np.abs(sums - 1) > 1e-3).sum()):,} vertices miss 1: they were normalised."
        )
    weights = np.maximum(weights, 0) / np.where(sums > 0, sums, 1)[:, None]
    names = anatomy.MANO_NAMES if count == 16 else ()
    shape_says = anatomy.side_told_by_shape(regressor @ vertices, names, parents) if names else ""
    hand = side if side != "automatic" else anatomy.side_in(path.stem) or shape_says
    if shape_says and hand and hand != shape_says:
        problems.append(f"It is called a {hand} hand, but its thumb lies as that of a {shape_says} one.")
    model = ManoModel(
        path.stem, hand, vertices, checked_faces(path, faces.astype(np.int64), len(vertices)), weights, regressor,
        parents.astype(np.int32), shapes, np.concatenate([np.zeros((1, 3)), mean.reshape(-1, 3)]),
    )  # fmt: skip
    return _signed(path, model, problems) if hand == "left" and shaped else model


def _signed(path: Path, left: ManoModel, problems: list[str]) -> ManoModel:
    """With the sign of x as it should be; the file of the right hand tells, where it lies beside."""
    other = next((p for p in path.parent.glob("*.pkl") if p != path and anatomy.side_in(p.stem) == "right"), None)
    if other is None:
        problems.append(
            "Whether the shapes have their known sign error cannot be told: the right hand is not beside it."
        )
        return left
    right = mano_model(other, "right", [])
    alike = right.shapes.shape == left.shapes.shape
    if not alike or np.abs(left.shapes[:, 0] - right.shapes[:, 0]).sum() >= SAME_SHAPES:
        return left
    problems.append("The sign of x was turned in its shapes: they were those of the right hand.")
    return ManoModel(**{**vars(left), "shapes": left.shapes * np.array([-1.0, 1, 1])[:, None]})


def _array(held: dict[str, object], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """A finite array (-1: any length). Raises ValueError and its like."""
    if key not in held:
        raise ValueError(f"there is no '{key}'")
    try:
        found = array_of(held[key])
    except ValueError as error:
        raise ValueError(f"'{key}': {error}") from None
    if found.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, found.shape, strict=True)):
        raise ValueError(f"'{key}' is {'×'.join(map(str, found.shape))}")
    found = found.astype(np.float64)
    if not np.isfinite(found).all() or not found.size:
        raise ValueError(f"'{key}' is not finite, or empty")
    return found
