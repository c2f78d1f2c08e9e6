"""Small things to look at and to run on."""

from __future__ import annotations

import numpy as np

from engines.core import catalog
from engines.core.run import Run
from engines.data import Curve, GridField, Mesh, Slices, Table


def smoke(**changes):
    """OReX's settings of smoke size."""
    method = catalog().get("orex")
    return method.params.parse({**method.smoke.params, "steps": 60, **changes})


def table() -> Table:
    return Table(name="Scores", columns={"iou": np.array([0.9, 0.95]), "label": np.array(["a", "b"])})


def curve() -> Curve:
    return Curve(name="Loss", x=np.arange(8.0), series={"bce": np.linspace(1, 0.1, 8)})


def mesh() -> Mesh:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return Mesh(name="Corner", vertices=vertices, faces=faces)


def field() -> GridField:
    axis = np.linspace(-1, 1, 12)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return GridField(
        name="Ball",
        values=(x**2 + y**2 + z**2 - 0.4).astype("f4"),
        origin=np.full(3, -1.0),
        spacing=np.full(3, axis[1] - axis[0]),
        level=0.0,
    )


def slices() -> Slices:
    """A few planes through a torus, made by the source method."""
    method = catalog().get("torus-slices")
    made = method.run({}, method.params.parse({"planes": 4, "points_per_contour": 30}), Run(seed=0))
    return next(a for a in made.values() if isinstance(a, Slices))
