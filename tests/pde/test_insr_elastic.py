"""The sub-problem of an elastic step against closed forms, sources of bodies, and bodies that fall or are held."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.moving_bodies import Potential, obstacle_mesh
from engines.blocks.pde.siren import values
from engines.core import Noted, Run, UserError
from engines.data import MeshField
from engines.data.bodies import cell_measures
from engines.pde.elastic_bodies import dropped_body, mesh_body
from engines.pde.insr_elastic import InsrElasticParams, Stepping, falling, insr_elastic

SMALL = {"width": 16, "layers": 1, "samples": 64, "vertices": 30, "iterations": 120, "learning_rate": 2e-3}


def stepping(body, **changes) -> Stepping:
    return Stepping(body, InsrElasticParams.parse(SMALL | changes), Run(seed=0))


@pytest.mark.parametrize("shape", ["square", "cube"])
def test_the_start_is_rest_and_costs_inertia_alone(shape):
    made = stepping(falling(2, shape=shape, speed=3.0)["body"])
    flat = made.start()
    assert float(values(made.shape, flat, made.potential.points).abs().max()) == 0
    (points,) = made.draw()
    main, rest = made.step(flat, None, 0.0).loss(flat, points)
    assert float(main) == pytest.approx(10 * 3.0**2)  # it stays where it is instead of moving on with its velocity
    assert float(rest) == 0


def test_a_free_step_moves_on_and_a_force_speeds_up_by_half_of_f_dt_over_inertia():
    body = falling(3, gap=10.0, speed=1.0, force=40.0, force_until=0.1)["body"]
    made = insr_elastic(
        body, params=insr_elastic.params.parse(SMALL | {"steps": 2, "iterations": 300}), run=Run(seed=0)
    )
    moved = made.motion.displacements[:, :, 1] / body.length
    fast = 1.0 + 0.1 * 40 / (2 * 10)
    assert moved[1] == pytest.approx(np.full(16, -0.1 * fast), abs=3e-3)
    assert moved[2] == pytest.approx(np.full(16, -0.2 * fast), abs=8e-3)
    assert made.energy.series["kinetic energy"][-1] == pytest.approx(10 * fast**2, rel=0.05)
    where = torch.tensor(body.points[:, :2], dtype=torch.float32)
    found = evaluator(made.trajectory, step=2)(where).numpy()
    np.testing.assert_allclose(found, made.motion.displacements[2][:, :2], atol=1e-5)


def test_a_square_that_falls_on_a_plane_stops_there_and_gains_no_energy():
    body = falling(6, gap=0.1, contact=1e5)["body"]
    params = insr_elastic.params.parse(SMALL | {"steps": 6, "width": 32, "iterations": 100, "samples": 120})
    made = insr_elastic(body, params=params, run=Run(seed=0))
    energy = made.energy.series["total energy"]
    assert (np.diff(energy) < 0.01 * energy[0]).all()
    assert energy[-1] < 0.8 * energy[0]
    assert made.shape.series["depth in obstacles"].max() < 0.05
    assert made.shape.series["volume"].min() > 0.9
    assert made.obstacles is not None


def test_held_faces_stay_where_they_are_held():
    field = box()
    body = mesh_body(
        field, params=mesh_body.params.parse({"held": "left", "obstacle": "none", "force": (0, 0, -1)}), run=Run()
    )
    assert body.held.sum() == 9
    to = np.where(body.held[:, None], [-0.2, 0, 0], 0.0)
    made = insr_elastic(
        body.replace(held_displacements=to), params=insr_elastic.params.parse(SMALL | {"steps": 2}), run=Run(seed=0)
    )
    held = made.motion.displacements[-1][body.held]
    np.testing.assert_allclose(held, to[body.held], atol=0.04)


def box() -> MeshField:
    from engines.blocks.tetrahedra import box_mesh

    points, cells = box_mesh(-np.ones(3), np.ones(3), (2, 2, 2))
    return MeshField(points=points, cells=cells[:, [1, 0, 2, 3]], values=np.zeros((1, 1, len(points))), times=[0.0])


def test_a_mesh_becomes_a_body_and_what_is_wrong_with_it_is_said():
    field, heard = box(), []

    class Ear:
        def emit(self, event):
            heard.append(event)

        def wants_preview(self):
            return False

    cells = np.concatenate([field.cells, [[0, 0, 1, 2]]])
    other = field.replace(points=np.vstack([field.points, [9, 9, 9]]), cells=cells, values=np.zeros((1, 1, 28)))
    body = mesh_body(other, params=mesh_body.params(), run=Run(listener=Ear()))
    assert cell_measures(body.points, body.cells).sum() == pytest.approx(8)
    assert len(body.points) == 27
    words = " ".join(e.text for e in heard if isinstance(e, Noted))
    assert "without volume" in words
    assert "no cell" in words
    twice = field.replace(
        points=np.vstack([field.points, field.points + 5]), cells=np.concatenate([field.cells, field.cells + 27]),
        values=np.zeros((1, 1, 54)),
    )  # fmt: skip
    heard.clear()
    mesh_body(twice, params=mesh_body.params(), run=Run(listener=Ear()))
    assert any("2 parts" in e.text for e in heard if isinstance(e, Noted))


@pytest.mark.parametrize("obstacle", ["plane", "sphere"])
@pytest.mark.parametrize("shape", ["square", "cube"])
def test_obstacles_stand_below_the_body_by_their_gap(shape, obstacle):
    body = dropped_body(params=dropped_body.params.parse({"shape": shape, "obstacle": obstacle, "gap": 0.3}), run=Run())
    potential = Potential.of(body, dtype=torch.float64)
    nearest = min(float(o.distance(potential.points).min()) for o in potential.obstacles) * body.length
    if obstacle == "plane":
        assert nearest == pytest.approx(0.3)
    else:  # the nearest vertex need not be in the middle of the face
        assert nearest >= 0.3 - 1e-9
    mesh = obstacle_mesh(body)
    low = body.points[:, 2 if shape == "cube" else 1].min()
    assert mesh.vertices[:, 2 if shape == "cube" else 1].max() == pytest.approx(low - 0.3, abs=2e-3)


def test_a_body_within_an_obstacle_is_refused():
    body = falling(2)["body"].replace(spheres=np.array([[0, 0, 0, 0.2]]))
    with pytest.raises(UserError, match="deep within an obstacle"):
        insr_elastic(body, params=insr_elastic.params.parse(SMALL), run=Run())
