"""The grids and elements that INSR-PDE is compared with: their orders, what they keep, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.core import Run, UserError
from engines.data import Problem
from engines.pde.fem_elastic import Elements, fem_elastic
from engines.pde.grid_flow import Box, carried, grid_flow
from engines.pde.grid_transport import grid_transport
from engines.pde.insr_elastic import falling


def wave(speed: str = "1") -> Problem:
    return Problem(
        coordinates=("t", "x"), lower=np.array([0.0, -3.0]), upper=np.array([0.5, 3.0]), time="t",
        equations=("2*u_t + 2*a*u_x = 0",), definitions={"a": speed},
        conditions=("u = exp(-4*x^2) at t = 0",), exact={"u": "exp(-4*(x - a*t)^2)"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "order"), [("upwind", 1), ("Lax-Wendroff", 2), ("WENO5", 3), ("semi-Lagrangian", 4)]
)
@pytest.mark.parametrize("speed", ["1", "-1"])
def test_schemes_have_their_order(scheme, order, speed):
    errors = []
    for unknowns in (151, 301, 601):
        params = grid_transport.params.parse({"scheme": scheme, "unknowns": unknowns, "time_step": 0.0473, "steps": 10})
        made = grid_transport(wave(speed), params=params, run=Run())
        errors.append(made.accuracy.series["mean error"][-1])
    slopes = np.diff(np.log(errors)) / np.log(0.5)
    assert slopes[-1] > order - 0.25, slopes


def test_a_whole_step_of_upwind_is_a_shift():
    params = grid_transport.params.parse(
        {"scheme": "upwind", "unknowns": 301, "courant": 1.0, "time_step": 0.1, "steps": 5}
    )
    made = grid_transport(wave(), params=params, run=Run())
    assert float(np.abs(made.error.values).max()) < 1e-12


@pytest.mark.parametrize(
    "changes",
    [
        {"equations": ("u_t + x*u_x = 0",)}, {"equations": ("u_t + u_x = u",)}, {"equations": ("u_t + u_x = 1",)},
        {"equations": ("u_t + u*u_x = 0",)}, {"conditions": ()},
    ],
)  # fmt: skip
def test_what_is_no_transport_is_refused(changes):
    with pytest.raises(UserError):
        grid_transport(wave().replace(exact={}, **changes), params=grid_transport.params(), run=Run())


def test_projection_leaves_what_has_no_divergence_and_takes_gradients_away():
    box, n = Box(32, (2.0, 1.0)), 32
    x, y = np.meshgrid((np.arange(n) + 0.5) * 2 / n, (np.arange(n) + 0.5) / n, indexing="ij")
    turning = np.stack(
        [np.pi * np.sin(np.pi * x / 2) * np.cos(np.pi * y), -np.pi / 2 * np.cos(np.pi * x / 2) * np.sin(np.pi * y)]
    )
    slope = np.stack([np.sin(np.pi * x) * np.cos(3 * np.pi * y), 3 * np.cos(np.pi * x) * np.sin(3 * np.pi * y)])
    np.testing.assert_allclose(box.project(turning), turning, atol=1e-12)
    np.testing.assert_allclose(box.project(slope), 0, atol=1e-12)
    noise = np.random.default_rng(0).normal(size=(2, n, n))
    once = box.project(noise)
    np.testing.assert_allclose(box.project(once), once, atol=1e-12)
    vorticity = (np.pi**2 / 4 + np.pi**2) * np.sin(np.pi * x / 2) * np.sin(np.pi * y)
    np.testing.assert_allclose(box.vorticity(turning), vorticity, atol=1e-9)


def test_a_flow_is_carried_along_itself():
    n = 64
    x, y = np.meshgrid((np.arange(n) + 0.5) / n, (np.arange(n) + 0.5) / n, indexing="ij")
    u = np.stack([np.sin(np.pi * x) * np.cos(np.pi * y), -np.cos(np.pi * x) * np.sin(np.pi * y)])
    fx, fy = x - 0.1 * u[0], y - 0.1 * u[1]
    expected = np.stack([np.sin(np.pi * fx) * np.cos(np.pi * fy), -np.cos(np.pi * fx) * np.sin(np.pi * fy)])
    assert np.abs(carried(u, 0.1, np.full(2, 1 / n), 3) - expected).max() < 1e-4


def test_taylor_green_keeps_its_energy_on_a_grid_better_with_cubic_reading():
    def drift(reading: str) -> float:
        params = grid_flow.params.parse({"cells": 32, "steps": 10, "reading": reading})
        energy = grid_flow(None, params=params, run=Run()).figures.series["kinetic energy"]
        return abs(energy[-1] / energy[0] - 1)

    assert drift("cubic") < 0.02
    assert drift("cubic") < drift("linear")


def test_elements_fall_freely_and_stop_at_a_plane():
    params = fem_elastic.params.parse({"steps": 3})
    free = fem_elastic(falling(3, gap=5.0, speed=1.0)["body"], params=params, run=Run())
    np.testing.assert_allclose(free.motion.displacements[3][:, 1], -0.3 * 0.5, atol=1e-6)
    made = fem_elastic(
        falling(4, gap=0.1, contact=1e5)["body"], params=fem_elastic.params.parse({"steps": 8}), run=Run()
    )
    energy = made.energy.series["total energy"]
    assert (np.diff(energy) < 1e-3).all()
    assert made.shape.series["depth in obstacles"].max() < 0.05


def test_the_potential_of_elements_is_that_of_a_uniform_stretch():
    elements = Elements(falling(2, shape="cube")["body"])
    q = 2 * elements.potential.points
    np.testing.assert_allclose(elements.gradients(q), np.broadcast_to(2 * np.eye(3), (48, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(elements.at_vertices(q)[3], 2 * np.eye(3), atol=1e-12)
    still = torch.zeros(3, dtype=torch.float64)
    value = float((elements.weights * elements.potential.stored(elements.gradients(q))).sum())
    assert value == pytest.approx(20 * 3 + 1000 * 49)
    assert float(elements.value(q, q, still, 0.1, 0.0)) >= value


def test_elements_agree_with_scikit_fem():
    """The stored energy of a field of displacements, integrated by another library over the same tetrahedra."""
    skfem = pytest.importorskip("skfem")
    elements = Elements(falling(3, shape="cube")["body"])
    rest = elements.potential.points
    move = 0.2 * torch.sin(2 * rest.flip(1)) + 0.1 * rest * rest
    mesh = skfem.MeshTet(rest.numpy().T.copy(), elements.potential.cells.numpy().T.copy())
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementTetP1()), intorder=1)
    field = np.zeros(basis.N)
    field[basis.nodal_dofs] = move.numpy().T

    @skfem.Functional
    def stored(w):
        F = w["u"].grad + np.eye(3)[:, :, None, None]
        F = np.moveaxis(F, (0, 1), (-2, -1))
        s = np.linalg.svd(F, compute_uv=False)
        return 20 * ((s - 1) ** 2).sum(-1) + 1000 * (np.linalg.det(F) - 1) ** 2

    theirs = float(stored.assemble(basis, u=basis.interpolate(field))) / 8  # our weights are shares of the volume
    ours = float((elements.weights * elements.potential.stored(elements.gradients(rest + move))).sum())
    assert ours == pytest.approx(theirs, rel=1e-10)
