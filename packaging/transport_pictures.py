"""Pictures of the samples of transport for the home page: mass on its way from one measure to the other."""

from __future__ import annotations

import numpy as np

from engines.blocks.transport.interpolation import interpolation
from engines.core import Run
from engines.data import Measure
from engines.transport.exact_transport import solve_exactly

BLUE, ORANGE = np.array([0, 114, 178]) / 255, np.array([230, 159, 0]) / 255
"""Source and target, from the Okabe-Ito palette."""
BAR = 0.92
LOOK = {"smooth_shading": False, "specular": 0.2, "specular_power": 20, "ambient": 0.3, "diffuse": 0.8}


def coupled(source: Measure, target: Measure):
    params = solve_exactly.params()
    return solve_exactly.run({"source": source, "target": target}, params, Run())["coupling"]


def blended(share: float) -> tuple[float, float, float]:
    """From blue to orange, by way of grey."""
    grey = np.full(3, 0.72)
    ends = (BLUE, grey, ORANGE)
    part, first = (2 * share, 0) if share < 0.5 else (2 * share - 1, 1)
    return tuple((1 - part) * ends[first] + part * ends[first + 1])


def digits_scene(plotter, source: Measure, target: Measure):
    """A bar for each pixel with mass: the first digit, half way, the last."""
    import pyvista

    way = interpolation(coupled(source, target))
    rows, columns = source.grid
    step = 0.78 * columns
    for index, time in enumerate((0.0, 0.5, 1.0)):
        mass = way.histogram(time)
        row, column = np.nonzero(mass > 0.05 * mass.max())
        heights = 7 * mass[row, column] / mass.max()
        bars = [
            pyvista.Box((x - BAR / 2, x + BAR / 2, y - BAR / 2, y + BAR / 2, 0, h))
            for x, y, h in zip(column + index * step, rows - 1.0 - row, heights, strict=True)
        ]
        plotter.add_mesh(pyvista.merge(bars), color=blended(time), **LOOK)
    plotter.view_vector((-0.12, -0.75, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.62)
    return plotter


def moons_scene(plotter, source: Measure, target: Measure):
    """Some of the points, where they go, and the lines between them."""
    import pyvista

    draw = np.random.default_rng(1)
    some = [Measure(points=m.points[np.sort(draw.choice(len(m.points), 260, replace=False))]) for m in (source, target)]
    plan = coupled(*some)
    rows, columns, _ = plan.entries()
    starts, ends = (np.pad(m.points[i], ((0, 0), (0, 1))) for m, i in zip(some, (rows, columns), strict=True))
    ball = pyvista.Sphere(radius=0.055, theta_resolution=16, phi_resolution=16)
    for points, colour in ((starts, BLUE), (ends, ORANGE)):
        plotter.add_mesh(
            pyvista.PolyData(points).glyph(geom=ball, scale=False, orient=False), color=tuple(colour),
            **LOOK | {"smooth_shading": True},
        )  # fmt: skip
    shown = draw.choice(len(rows), 70, replace=False)
    for share in np.linspace(0, 1, 9)[:-1]:
        pieces = [
            pyvista.Line((1 - share) * a + share * b, (0.875 - share) * a + (share + 0.125) * b)
            for a, b in zip(starts[shown], ends[shown], strict=True)
        ]
        plotter.add_mesh(
            pyvista.merge(pieces).tube(radius=0.012, n_sides=8), color=blended(share + 1 / 16), ambient=0.5, diffuse=0.5
        )
    plotter.view_vector((0.0, -0.55, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.45)
    return plotter


def cells_scene(plotter, source: Measure, target: Measure):
    """The cells over their first two principal components, a ball each, and where some of the untreated would go."""
    import pyvista

    places = [np.pad(m.points[:, [1, 0]] * [-1.0, 0.75], ((0, 0), (0, 1))) for m in (source, target)]
    draw = np.random.default_rng(4)
    ball = pyvista.Sphere(radius=0.3, theta_resolution=16, phi_resolution=16)
    for points, colour in zip(places, (BLUE, ORANGE), strict=True):
        lifted = points + np.array([0, 0, 0.3]) * draw.uniform(size=(len(points), 1))
        plotter.add_mesh(
            pyvista.PolyData(lifted).glyph(geom=ball, scale=False, orient=False), color=tuple(colour),
            **LOOK | {"smooth_shading": True},
        )  # fmt: skip
    rows, columns, _ = coupled(source, target).entries()
    for i in draw.choice(len(rows), 22, replace=False):
        start, end = places[0][rows[i]] + [0, 0, 0.7], places[1][columns[i]] + [0, 0, 0.7]
        way = end - start
        length = float(np.linalg.norm(way))
        arrow = pyvista.Arrow(
            start=start, direction=way, scale=length, tip_length=0.8 / length, tip_radius=0.28 / length,
            shaft_radius=0.075 / length,
        )  # fmt: skip
        plotter.add_mesh(arrow, color="#444444", ambient=0.4, diffuse=0.6)
    plotter.view_vector((0.0, -0.5, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.38)
    return plotter
