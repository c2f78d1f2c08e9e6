"""Scenes without divergence, the three sub-problems on velocities whose projection is known, and the method."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.pde.siren import values
from engines.core import Run
from engines.data import SampledField
from engines.pde.flow_scenes import flow_of
from engines.pde.insr_flow import InsrFlowParams, Splitting, insr_flow

SCENES = ["Taylor-Green", "two scales", "vortex pair"]


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_have_no_divergence_and_slip_along_the_walls(scene):
    flow, h = flow_of(None, scene), 1e-4
    points = torch.rand(400, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1.98 - 0.99
    x, y = torch.tensor([h, 0]).double(), torch.tensor([0, h]).double()
    divergence = flow.velocity(points + x)[:, 0] - flow.velocity(points - x)[:, 0]
    divergence = (divergence + flow.velocity(points + y)[:, 1] - flow.velocity(points - y)[:, 1]) / (2 * h)
    assert float(divergence.abs().max()) < 1e-4  # where vortices fade out only two derivatives exist
    wall = torch.stack([torch.ones(50).double(), torch.linspace(-1, 1, 50).double()], 1)
    for side in (1, -1):
        assert float(flow.velocity(side * wall)[:, 0].abs().max()) < 1e-12
        assert float(flow.velocity(side * wall.flip(1))[:, 1].abs().max()) < 1e-12


def test_taylor_green_is_the_sheets():
    points = torch.tensor([[0.2, -0.3], [-0.7, 0.6]]).double()
    x, y = ((points + 1) * math.pi).unbind(1)
    expected = torch.stack([x.sin() * y.cos(), -x.cos() * y.sin()], 1) / math.pi
    torch.testing.assert_close(flow_of(None, "Taylor-Green").velocity(points), expected)


def test_a_velocity_on_a_grid_is_read_between_its_nodes():
    x, y = np.linspace(0, 2, 21), np.linspace(-1, 3, 41)
    X, Y = np.meshgrid(x, y, indexing="ij")
    field = SampledField.of(
        np.stack([X * Y, X + 2 * Y]), x, y, components=("a", "b"), vectors=(("velocity", "b", "a"),)
    )
    flow = flow_of(field, "Taylor-Green")
    assert (flow.lower, flow.upper) == ((0.0, -1.0), (2.0, 3.0))
    at = torch.tensor([[0.55, 0.33], [1.21, 2.08]])
    expected = torch.stack([at[:, 0] + 2 * at[:, 1], at[:, 0] * at[:, 1]], 1)
    torch.testing.assert_close(flow.velocity(at), expected, atol=1e-3, rtol=1e-3)


def splitting(**changes) -> Splitting:
    params = InsrFlowParams.parse({"width": 16, "layers": 1, "samples": 200} | changes)
    return Splitting(flow_of(None, "Taylor-Green"), params, Run(seed=0))


def test_points_at_walls_lie_on_them():
    made = splitting()
    inside, walls = made.draw()
    assert inside.shape == (200, 2)
    assert walls.shape == (2, 10, 2)
    assert set(walls[0, :, 0].tolist()) == {-1.0, 1.0}
    assert set(walls[1, :, 1].tolist()) == {-1.0, 1.0}
    assert float(inside.abs().max()) < 1


def test_losses_are_what_the_splitting_says():
    made = splitting()
    u = made.velocity.initialised(made.run.generator)
    p = made.pressure.initialised(made.run.generator)
    inside, walls = made.draw()
    h = 1e-3
    ex, ey = torch.tensor([h, 0.0]), torch.tensor([0.0, h])
    at = lambda shape, flat, where: values(shape, flat.double(), where.double())  # noqa: E731
    dx = lambda shape, flat: (at(shape, flat, inside + ex) - at(shape, flat, inside - ex)) / (2 * h)  # noqa: E731
    dy = lambda shape, flat: (at(shape, flat, inside + ey) - at(shape, flat, inside - ey)) / (2 * h)  # noqa: E731
    divergence = dx(made.velocity, u)[:, 0] + dy(made.velocity, u)[:, 1]
    torch.testing.assert_close(made.divergence(u, inside).double(), divergence, rtol=1e-2, atol=1e-2)
    other = made.velocity.initialised(made.run.generator)
    foot = (inside - 0.05 * made.scale * values(made.velocity, other, inside)).clamp(-1, 1)
    main, wall = made.advection(other).loss(u, inside, walls)
    expected = (values(made.velocity, u, inside) - values(made.velocity, other, foot)).square().sum(1).mean()
    assert float(main) == pytest.approx(float(expected), rel=1e-5)
    a, b = values(made.velocity, u, walls[0]), values(made.velocity, u, walls[1])
    assert float(wall) == pytest.approx(float(a[:, 0].square().mean() + b[:, 1].square().mean()) / 2, rel=1e-5)
    main, _ = made.projection(u, p).loss(other, inside, walls)
    target = at(made.velocity, u, inside) - torch.cat([dx(made.pressure, p), dy(made.pressure, p)], 1)
    expected = (at(made.velocity, other, inside) - target).square().sum(1).mean()
    assert float(main) == pytest.approx(float(expected), rel=1e-3)


def test_three_steps_of_a_steady_flow_keep_it():
    params = {"steps": 2, "samples": 256, "first_iterations": 400, "iterations": 60, "width": 24, "layers": 2}
    made = insr_flow(None, None, params=insr_flow.params.parse(params), run=Run(seed=0))
    energy = made.figures.series["kinetic energy"]
    assert energy[0] == pytest.approx(1 / (4 * math.pi**2), rel=0.02)
    assert energy[-1] == pytest.approx(energy[0], rel=0.02)
    assert made.flow.components == ("u", "v", "pressure", "vorticity")
    assert float(made.error.values[-1].mean()) < 0.01
    vorticity = made.flow.component("vorticity", 0)
    x, y = np.meshgrid(made.flow.x, made.flow.y, indexing="ij")
    expected = 2 * np.sin((x + 1) * math.pi) * np.sin((y + 1) * math.pi)
    assert np.abs(vorticity - expected).mean() < 0.1


def test_a_problem_of_euler_gives_its_box_and_its_velocity():
    import torch

    from engines.core import Run, UserError, catalog
    from engines.pde.flow_scenes import flow_of_problem

    source = catalog().get("taylor-green")
    problem = source.run({}, source.params(), Run())["problem"]
    flow = flow_of_problem(problem)
    points = torch.rand(50, 2) * 2 - 1
    x, y = (torch.pi * points).unbind(1)
    expected = torch.stack([torch.sin(x) * torch.cos(y), -torch.cos(x) * torch.sin(y)], 1)
    torch.testing.assert_close(flow.velocity(points), expected, atol=1e-6, rtol=1e-5)
    assert (flow.lower, flow.upper, flow.steady) == ((-1.0, -1.0), (1.0, 1.0), True)
    viscous = source.run({}, source.preset("viscous"), Run())["problem"]
    with pytest.raises(UserError, match="without viscosity"):
        flow_of_problem(viscous)
    turned = problem.replace(equations=("-2*v_y - 2*u_x = 0", *problem.equations[:2]))
    assert flow_of_problem(turned).steady
    with pytest.raises(UserError, match="velocity at its start"):
        flow_of_problem(problem.replace(conditions=problem.conditions[:3]))
