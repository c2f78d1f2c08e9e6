"""Small measures, couplings and maps, for tests of every kind."""

from __future__ import annotations

import numpy as np

from engines.data import CostMatrix, Coupling, Displacements, Measure, TransportMap


def _draw() -> np.random.Generator:
    return np.random.default_rng(11)


def measure(**changes) -> Measure:
    """A histogram on a grid of two rows and three columns."""
    rows, columns = np.mgrid[1:-1:-1, 0:3]
    given = {
        "points": np.stack([columns.ravel(), rows.ravel()], 1).astype(float),
        "weights": _draw().uniform(0.1, 1, 6),
        "grid": (2, 3),
        "unit": "mm",
    }
    return Measure(**(given | changes))


def costs(**changes) -> CostMatrix:
    given = {"costs": _draw().normal(size=(2, 3)), "source_weights": [1, 2], "target_names": ("a", "b", "ü")}
    return CostMatrix(**(given | changes))


def coupling(**changes) -> Coupling:
    """By its entries: the second target gets nothing."""
    given = {
        "rows": [0, 1],
        "columns": [2, 0],
        "mass": [0.5, 0.25],
        "source_weights": [0.5, 0.5],
        "target_weights": [0.5, 0, 0.5],
        "source_potential": [0.25, -0.25],
        "target_potential": [1, 0, 2],
        "source": Measure(points=[[0.0], [1]]),
        "kind": "exact",
        "cost": "squared Euclidean",
    }
    return Coupling(**(given | changes))


def dense_coupling(**changes) -> Coupling:
    a, b = np.array([0.25, 0.75]), np.array([0.5, 0.125, 0.375])
    draw = _draw()
    given = {
        "plan": np.outer(a, b),
        "source_weights": a,
        "target_weights": b,
        "source": Measure(points=draw.normal(size=(2, 2)), weights=a),
        "target": Measure(points=draw.normal(size=(3, 2)), weights=b),
    }
    return Coupling(**(given | changes))


def affine_map(**changes) -> TransportMap:
    draw = _draw()
    given = {
        "weights": {"matrix": np.eye(2) * 2, "offset": np.ones(2)},
        "form": "affine",
        "source": Measure(points=draw.normal(size=(3, 2))),
        "target": Measure(points=draw.normal(size=(4, 2)), dimensions=("up", "down")),
        "cost": "squared Euclidean",
    }
    return TransportMap(**(given | changes))


def displacements(**changes) -> Displacements:
    draw = _draw()
    given = {"starts": draw.normal(size=(3, 2)), "ends": draw.normal(size=(3, 2)), "target": Measure(points=np.eye(2))}
    return Displacements(**(given | changes))
