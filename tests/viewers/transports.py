"""Clouds, images and couplings of known transport, for tests of their views."""

from __future__ import annotations

import numpy as np

from engines.data import Coupling, Displacements, Measure


def clouds(count=12, more=15, dimensions=2) -> tuple[Measure, Measure]:
    draw = np.random.default_rng(3)
    a, b = draw.dirichlet(np.full(count, 5.0)), draw.dirichlet(np.full(more, 5.0))
    return (
        Measure(points=draw.normal(size=(count, dimensions)), weights=a, unit="mm", name="Before"),
        Measure(points=draw.normal(size=(more, dimensions)) + 4, weights=b, unit="mm", name="After"),
    )


def independent(source: Measure, target: Measure, **more) -> Coupling:
    """Every source gives to every target: dense."""
    plan = np.outer(source.mass, target.mass)
    return Coupling(
        plan=plan, source_weights=source.mass, target_weights=target.mass, source=source, target=target,
        kind="independent", **more,
    )  # fmt: skip


def shift(count=8, by=(3.0, 1.0)) -> Coupling:
    """Each point goes to its own, shifted: one entry a row."""
    points = np.random.default_rng(4).normal(size=(count, 2))
    mass = np.arange(1.0, count + 1) / (count * (count + 1) / 2)
    source, target = Measure(points=points, weights=mass), Measure(points=points + by, weights=mass)
    index = np.arange(count)
    return Coupling(
        rows=index, columns=index, mass=mass, source_weights=mass, target_weights=mass, source=source, target=target,
        source_potential=points @ by, target_potential=-(points @ by), kind="exact",
    )  # fmt: skip


def image(pixels: np.ndarray, name="") -> Measure:
    """(rows, columns) mass, the first row uppermost."""
    rows, columns = pixels.shape
    y, x = np.mgrid[rows - 1 : -1 : -1, 0:columns]
    points = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    return Measure(points=points, weights=pixels.ravel() / pixels.sum(), grid=pixels.shape, name=name)


def moved_pixel(size=9) -> Coupling:
    """All mass of one pixel goes four columns to the right and two rows down."""
    first, last = np.zeros((size, size)), np.zeros((size, size))
    first[2, 1], last[4, 5] = 1, 1
    source, target = image(first, "First"), image(last, "Last")
    return Coupling(
        rows=[2 * size + 1], columns=[4 * size + 5], mass=[1.0], source_weights=source.mass,
        target_weights=target.mass, source=source, target=target, source_potential=source.points[:, 0],
        target_potential=target.points[:, 1],
    )  # fmt: skip


def line(nodes=41) -> Coupling:
    """A hump on a line that moves by half of it."""
    x = np.linspace(0, 2, nodes)
    a, b = np.exp(-40 * (x - 0.5) ** 2), np.exp(-40 * (x - 1.5) ** 2)
    a, b = a / a.sum(), b / b.sum()
    source = Measure(points=x[:, None], weights=a, grid=(nodes,), unit="m")
    target = Measure(points=x[:, None], weights=b, grid=(nodes,), unit="m")
    return independent(source, target, source_potential=x**2, target_potential=-x)


def arrows(count=20, crossed=True) -> Displacements:
    """From a column to another, upside down or not."""
    up = np.linspace(0, 1, count)
    starts = np.stack([np.zeros(count), up], 1)
    ends = np.stack([np.ones(count), up[::-1] if crossed else up], 1)
    return Displacements(starts=starts, ends=ends, target=Measure(points=ends + 0.1), unit="m")


def inked(shot: np.ndarray) -> float:
    """The share of a picture that is not of the colour of its corner."""
    return float((shot != shot[-1, -1]).any(-1).mean())
