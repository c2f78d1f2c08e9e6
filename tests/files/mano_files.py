"""Files in the layout of MANO, written as Python 2 and chumpy wrote them; of the open hand, since MANO is not free."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from engines.blocks.hand_anatomy import MANO_PARENTS
from engines.files.rigged_glb import the_open_hand


@contextmanager
def chumpy() -> Iterator[types.ModuleType]:
    """A module of that name, as far as pickles need it. It is gone afterwards."""
    made = {}
    for name, kind in (("chumpy", ""), ("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        module = made[name] = types.ModuleType(name)
        if kind:
            setattr(module, kind, type(kind, (), {"__module__": name}))
    sys.modules.update(made)
    try:
        yield made["chumpy"]
    finally:
        for name in made:
            del sys.modules[name]


def contents(side: str = "right", **changes: Any) -> dict[str, Any]:
    hand = the_open_hand(side)
    draw = np.random.default_rng(3)
    regressor = np.linalg.lstsq(hand.vertices.T, hand.joints.T, rcond=None)[0].T
    tree = np.stack([np.where(MANO_PARENTS < 0, 2**32 - 1, MANO_PARENTS), np.arange(16)]).astype(np.int64)
    given = {
        "v_template": hand.vertices,
        "f": hand.faces.astype(np.uint32),
        "weights": hand.weights,
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "kintree_table": tree,
        "shapedirs": draw.normal(size=(len(hand.vertices), 3, 10)) * 1e-3,
        "posedirs": np.zeros((4, 3, 135)),
        "hands_mean": draw.normal(size=45) * 0.1,
        "hands_components": np.eye(45),
        "bs_style": "lbs",
    }
    return given | changes


def write(path: Path, given: dict[str, Any], protocol: int = 2) -> Path:
    """As a pickle in which the shapes are a selection from a chumpy array."""
    with chumpy():
        shapes = given["shapedirs"]
        inner = sys.modules["chumpy.ch"].Ch()
        inner.__dict__.update(x=np.concatenate([shapes.reshape(-1), np.ones(7)]), _dirty_vars={"x"}, dterms=("x",))
        outer = sys.modules["chumpy.reordering"].Select()
        outer.__dict__.update(a=inner, idxs=np.arange(shapes.size), preferred_shape=shapes.shape)
        path.write_bytes(pickle.dumps(given | {"shapedirs": outer}, protocol=protocol))
    return path


def small() -> dict[str, Any]:
    """Three joints and four vertices, for tests that read it often."""
    return {
        "v_template": np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]),
        "f": np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
        "weights": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]]),
        "J_regressor": scipy.sparse.csc_matrix(np.eye(3, 4)),
        "kintree_table": np.array([[2**32 - 1, 0, 1], [0, 1, 2]]),
        "shapedirs": np.ones((4, 3, 2)),
    }
