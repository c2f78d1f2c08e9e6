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


def _panel(plotter, pixels: np.ndarray, middle, width: float, turn: float):
    """A photo that stands upright, turned about its middle."""
    import pyvista

    height = width * pixels.shape[0] / pixels.shape[1]
    board = pyvista.Plane(center=(0, 0, 0), direction=(0, 0, 1), i_size=width, j_size=height)
    board = board.rotate_y(turn).translate(middle)
    plotter.add_mesh(board, texture=pyvista.Texture(np.ascontiguousarray(pixels[..., :3])), ambient=0.75, diffuse=0.3)


def colours_scene(plotter, source: Measure, target: Measure, photo, other):
    """The photo, its palette on the way to the other one, and the photo in the other's colours."""
    import pyvista

    from engines.transport.colour_transfer import colour_transfer

    plan = coupled(source, target)
    changed = colour_transfer.run({"image": photo, "coupling": plan}, colour_transfer.params(), Run())["image"]
    _panel(plotter, photo.pixels, (-3.55, 0.7, 0), 4.9, 24)
    _panel(plotter, changed.pixels, (3.55, 0.7, 0), 4.9, -24)
    _panel(plotter, other.pixels, (0, -1.5, 0.8), 2.8, 0)
    rows, columns, mass = plan.entries()
    every = np.concatenate([source.points, target.points])
    low, size = every.min(0), np.ptp(every, axis=0).max()

    def place(points: np.ndarray, x: float) -> np.ndarray:
        found = (points - low) / size - 0.5 * np.ptp(every, axis=0) / size
        return np.stack([x + 0.9 * found[:, 2], 1.45 + 2.3 * found[:, 0], 1.5 * found[:, 1]], 1)

    starts, ends = place(source.points, -0.75), place(target.points, 0.75)
    shades = [m.colors[:, :3] for m in (source, target)]
    for points, colours, weights in ((starts, shades[0], source.mass), (ends, shades[1], target.mass)):
        cloud = pyvista.PolyData(points)
        cloud["size"] = 0.05 + 0.9 * np.sqrt(weights)
        balls = cloud.glyph(geom=pyvista.Sphere(theta_resolution=14, phi_resolution=14, radius=0.09), scale="size",
                            orient=False, factor=6.0)  # fmt: skip
        per_ball = balls.n_points // len(points)
        balls["shade"] = np.repeat(colours, per_ball, axis=0)
        plotter.add_mesh(balls, scalars="shade", rgb=True, **LOOK | {"smooth_shading": True})
    heavy = np.argsort(-mass)[:90]
    for i in heavy:
        line = pyvista.Line(starts[rows[i]], ends[columns[i]]).tube(radius=0.007, n_sides=6)
        plotter.add_mesh(line, color=shades[0][rows[i]] / 255, ambient=0.5, diffuse=0.5)
    plotter.view_vector((0.0, 0.12, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.48)
    return plotter


def experts_scene(plotter, matrix):
    """Tokens as balls below the expert that takes them, each with room for as many."""
    import pyvista
    from matplotlib import colormaps

    plan = coupled(matrix, None)
    rows, columns, mass = plan.entries()
    taker = np.zeros(plan.shape[0], int)
    np.maximum.at(taker, rows, 0)
    order = np.argsort(mass)
    taker[rows[order]] = columns[order]
    count = plan.shape[1]
    shades = [colormaps["viridis"](0.08 + 0.84 * e / (count - 1))[:3] for e in range(count)]
    ball = pyvista.Sphere(radius=0.155, theta_resolution=18, phi_resolution=18)
    for expert in range(count):
        x = 1.35 * (expert - (count - 1) / 2)
        own = np.flatnonzero(taker == expert)
        spots = np.arange(len(own))
        places = np.stack([x + 0.36 * (spots % 3 - 1), -0.36 * (spots // 3) - 0.6, 0 * spots], 1)
        plotter.add_mesh(
            pyvista.PolyData(places).glyph(geom=ball, scale=False, orient=False), color=shades[expert],
            **LOOK | {"smooth_shading": True},
        )  # fmt: skip
        head = pyvista.Box((x - 0.52, x + 0.52, 0, 0.9, -0.3, 0.3))
        plotter.add_mesh(head, color=shades[expert], **LOOK)
    plotter.view_vector((0.25, 0.35, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.4)
    return plotter


def coupled(source, target: Measure | None):
    inputs = {"source": source} if target is None else {"source": source, "target": target}
    return solve_exactly.run(inputs, solve_exactly.params(), Run())["coupling"]


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
        plotter.add_mesh(arrow, color="#8c8c8c", ambient=0.5, diffuse=0.6)
    plotter.view_vector((0.0, -0.5, 1.0), (0, 1, 0))
    plotter.camera.zoom(1.38)
    return plotter
