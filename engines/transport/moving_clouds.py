"""Pairs of clouds to learn maps between: a curve made of moons, Gaussians whose map is known, a ring, a sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from engines.blocks.transport.bures import bures
from engines.core import Param, Params, Run, method
from engines.data import Measure, TransportMap


@dataclass(frozen=True)
class Pair:
    source: Annotated[Measure, "the cloud to be moved"]
    target: Annotated[Measure, "the cloud to move it onto"]


@dataclass(frozen=True)
class KnownPair:
    source: Annotated[Measure, "the cloud to be moved"]
    target: Annotated[Measure, "the cloud to move it onto"]
    known: Annotated[TransportMap, "the optimal map for the squared Euclidean cost"]


class MoonsToCurveParams(Params):
    points: int = Param(2000, ge=8, le=1_000_000, log=True, help="In each cloud", source="own choice")
    noise: float = Param(0.05, ge=0, le=1, help="Standard deviation around the shapes", source="OTT's tutorial")
    angle: float = Param(45.0, ge=-360, le=360, unit="°", help="By which the curve is turned", source="own choice")
    distance: float = Param(3.0, ge=-100, le=100, help="Of the curve to the right of the moons", source="own choice")


@method(
    key="moons-to-curve", title="Two moons and a curve", family="transport",
    job="Two clouds in the plane: half moons, and an S-shaped curve beside them.",
    presets={"quick": {"points": 500}}, tags=("cloud", "2D", "toy"),
)  # fmt: skip
def moons_to_curve(params: MoonsToCurveParams, run: Run) -> Pair:
    """The half moons of scikit-learn and its S-curve seen from the side, turned and shifted."""
    draw, count = run.rng, params.points
    t = np.pi * draw.uniform(size=count)
    upper = draw.uniform(size=count) < 0.5
    moons = np.where(upper[:, None], np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)])
    s = 3 * np.pi * (draw.uniform(size=count) - 0.5)
    curve = np.c_[np.sin(s), np.sign(s) * (np.cos(s) - 1)] @ _turned(np.deg2rad(params.angle)).T + [params.distance, 0]
    clouds = [cloud + params.noise * draw.normal(size=cloud.shape) for cloud in (moons, curve)]
    return Pair(*(Measure(name=n, points=c) for n, c in zip(("Two moons", "Curve"), clouds, strict=True)))


class GaussianCloudsParams(Params):
    points: int = Param(2000, ge=8, le=1_000_000, log=True, help="In each cloud", source="own choice")
    dimensions: int = Param(2, ge=1, le=1000, log=True, help="Of the space", source="sheet 35: 2, 4, 64")
    shift: float = Param(2.0, ge=-1e3, le=1e3, help="Of the target's mean, in each coordinate", source="sheet 35")


@method(
    key="gaussian-clouds", title="Gaussian clouds", family="transport",
    job="Two Gaussian clouds in any dimension, with the optimal map between them.",
    presets={"quick": {"points": 500}}, tags=("cloud", "exact", "Bures"),
)  # fmt: skip
def gaussian_clouds(params: GaussianCloudsParams, run: Run) -> KnownPair:
    """From N(0, I) to N(shift, A A' + 0.3 I), A of standard normal numbers."""
    d, draw = params.dimensions, run.rng
    a = draw.normal(size=(d, d))
    covariance, mean = a @ a.T + 0.3 * np.eye(d), np.full(d, params.shift)
    source = draw.normal(size=(params.points, d))
    target = mean + draw.normal(size=(params.points, d)) @ np.linalg.cholesky(covariance).T
    matrix, offset = bures(np.zeros(d), np.eye(d), mean, covariance)
    pair = Measure(name="Gaussian", points=source), Measure(name="Stretched Gaussian", points=target)
    known = TransportMap(
        name="Optimal map", form="affine", weights={"matrix": matrix, "offset": offset}, source=pair[0], target=pair[1],
        cost="squared Euclidean",
    )  # fmt: skip
    return KnownPair(*pair, known)


class RingParams(Params):
    points: int = Param(2000, ge=8, le=1_000_000, log=True, help="In each cloud", source="own choice")
    clusters: int = Param(8, ge=2, le=100, help="Small clouds on the ring", source="Makkuva et al. 2020")
    radius: float = Param(4.0, gt=0, le=1e3, help="Of the ring", source="own choice")
    width: float = Param(0.3, gt=0, le=1e3, help="Standard deviation of a small cloud", source="own choice")


@method(
    key="cloud-to-ring", title="A cloud and a ring of clouds", family="transport",
    job="One Gaussian in the plane, and small ones around it: the map has to tear.",
    presets={"quick": {"points": 500}}, tags=("cloud", "2D", "toy"),
)  # fmt: skip
def cloud_to_ring(params: RingParams, run: Run) -> Pair:
    """N(0, I) and as many small Gaussians as there are clusters, evenly on a circle."""
    draw = run.rng
    angle = 2 * np.pi * draw.integers(params.clusters, size=params.points) / params.clusters
    ring = params.radius * np.c_[np.cos(angle), np.sin(angle)] + params.width * draw.normal(size=(params.points, 2))
    return Pair(Measure(name="Cloud", points=draw.normal(size=(params.points, 2))), Measure(name="Ring", points=ring))


class SphereCloudsParams(Params):
    points: int = Param(2000, ge=8, le=1_000_000, log=True, help="In each cloud", source="own choice")
    width: float = Param(0.4, gt=0, le=10, help="Standard deviation before points are brought onto the sphere",
                         source="own choice")  # fmt: skip
    caps: int = Param(3, ge=1, le=20, help="Into how many caps the target falls", source="own choice")


@method(
    key="sphere-clouds", title="Clouds on a sphere", family="transport",
    job="A cap of the unit sphere, and several caps around the equator: for the geodesic cost.",
    presets={"quick": {"points": 500}}, tags=("cloud", "3D", "sphere"),
)  # fmt: skip
def sphere_clouds(params: SphereCloudsParams, run: Run) -> Pair:
    """A cap at the north pole, and ``caps`` at the equator, evenly."""
    draw, count = run.rng, params.points
    angle = 2 * np.pi * draw.integers(params.caps, size=count) / params.caps
    middles = [np.tile([0.0, 0, 1], (count, 1)), np.c_[np.cos(angle), np.sin(angle), np.zeros(count)]]
    clouds = [middle + params.width * draw.normal(size=(count, 3)) for middle in middles]
    clouds = [cloud / np.linalg.norm(cloud, axis=1, keepdims=True) for cloud in clouds]
    return Pair(*(Measure(name=n, points=c) for n, c in zip(("Polar cap", "Caps"), clouds, strict=True)))


def pair_of_moons(points: int) -> dict[str, Measure]:
    """Two moons and a curve as the inputs of a method, for its examples."""
    return _inputs(moons_to_curve(MoonsToCurveParams(points=points), Run()))


def pair_of_gaussians(points: int) -> dict[str, Measure]:
    """Two Gaussian clouds in the plane as the inputs of a method, for its examples."""
    return _inputs(gaussian_clouds(GaussianCloudsParams(points=points), Run()))


def _inputs(made: Pair | KnownPair) -> dict[str, Measure]:
    return {"source": made.source, "target": made.target}


def _turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


__all__ = [
    "KnownPair",
    "Pair",
    "cloud_to_ring",
    "gaussian_clouds",
    "moons_to_curve",
    "pair_of_gaussians",
    "pair_of_moons",
    "sphere_clouds",
]
