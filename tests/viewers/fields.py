"""Fields of which everything is known: made for the tests of the views that show them."""

import numpy as np

from engines.data import MeshField, SampledField


def taylor_green(nodes: int = 49, times: int = 5, **more) -> SampledField:
    """u = −cos x sin y, v = sin x cos y, both times exp(−t): vorticity 2 cos x cos y exp(−t), no divergence."""
    x = np.linspace(0, 2 * np.pi, nodes)
    X, Y = np.meshgrid(x, x, indexing="ij")
    t = np.linspace(0, 1, times)
    flow = np.stack([-np.cos(X) * np.sin(Y), np.sin(X) * np.cos(Y)])
    return SampledField.of(
        flow[None] * np.exp(-t)[:, None, None, None], x, x, times=t, components=("u", "v"),
        vectors=(("velocity", "u", "v"),), unit="m/s", length_unit="m", time_unit="s", **more,
    )  # fmt: skip


def pulse(nodes: int = 101, times: int = 21) -> SampledField:
    """exp(−((x − t) / 0.2)²): it runs to the right with speed 1."""
    x, t = np.linspace(-1, 2, nodes), np.linspace(0, 1, times)
    return SampledField.of(np.exp(-(((x - t[:, None]) / 0.2) ** 2)), x, times=t, length_unit="m", time_unit="s")


def linear(nodes: int = 11, times: int = 1) -> SampledField:
    """x + 10 y + 100 z (1 + t) on the unit cube, on nodes that differ between the axes."""
    x, y, z = np.linspace(0, 1, nodes), np.linspace(0, 1, nodes + 1), np.linspace(0, 1, nodes + 2) ** 2
    X, Y, Z = np.meshgrid(x, y, z, indexing="ij")
    t = np.arange(times, dtype=float)
    return SampledField.of(X + 10 * Y + 100 * Z * (1 + t)[:, None, None, None], x, y, z, times=t)


def heat(nodes: int = 25, times: int = 4) -> SampledField:
    """The heat kernel exp(−r²/4t) / (4πt)^1.5 in space."""
    x, t = np.linspace(-1, 1, nodes), np.linspace(0.03, 0.12, times)
    X, Y, Z = np.meshgrid(x, x, x, indexing="ij")
    square, at = (X**2 + Y**2 + Z**2)[None], t[:, None, None, None]
    return SampledField.of(np.exp(-square / (4 * at)) / (4 * np.pi * at) ** 1.5, x, x, x, times=t, length_unit="m")


def moving_box(times: int = 3) -> MeshField:
    """The unit cube as six tetrahedra, which moves along x; its value is the height z plus the time."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    cells = np.array([[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]])
    t = np.arange(times, dtype=float)
    shift = np.zeros((times, 8, 3))
    shift[..., 0] = t[:, None]
    return MeshField(
        points=corners, cells=cells, values=(corners[:, 2] + t[:, None])[:, None], times=t, displacements=shift,
        length_unit="m",
    )  # fmt: skip
