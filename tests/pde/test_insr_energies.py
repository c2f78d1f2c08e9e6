"""Energies against singular values, contact against its force, meshes against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.pde import contact
from engines.blocks.pde.elastic_energies import arap, cofactors, determinants, rotations, volume
from engines.blocks.tetrahedra import Sampler, boundary, box_mesh, lumped, measures, parts


def turned(count: int, d: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    if d == 3:
        return torch.tensor(Rotation.random(count, rng=rng).as_matrix())
    angle = torch.tensor(rng.uniform(0, 2 * np.pi, count))
    return torch.stack([torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_arap_is_the_distance_of_the_singular_values_from_one(d, dtype):
    R, V = turned(500, d), turned(500, d, 1)
    s = torch.tensor(np.random.default_rng(2).uniform(0.3, 2.0, (500, d)))
    F = (R @ V @ torch.diag_embed(s) @ V.transpose(1, 2)).to(dtype)
    error = 1e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(arap(F).double(), (s - 1).square().sum(1), atol=error, rtol=1e-5)
    torch.testing.assert_close(rotations(F).double(), R, atol=30 * error, rtol=0)
    torch.testing.assert_close(volume(F).double(), (s.prod(1) - 1).square(), atol=10 * error, rtol=1e-5)
    torch.testing.assert_close(determinants(F).double(), s.prod(1), atol=10 * error, rtol=1e-6)


@pytest.mark.parametrize("d", [2, 3])
def test_a_rigid_motion_costs_nothing_and_has_a_gradient_at_rest(d):
    F = torch.cat([torch.eye(d)[None].double(), turned(50, d)]).requires_grad_()
    total = (arap(F) + volume(F)).sum()
    (gradient,) = torch.autograd.grad(total, F)
    assert float(total.abs()) < 1e-20
    assert float(gradient.abs().max()) < 1e-12


def test_a_stretch_by_two_in_space_costs_49():
    F = 2 * torch.eye(3)[None]
    assert float(volume(F)) == pytest.approx(49)
    assert float(arap(F)) == pytest.approx(3)


@pytest.mark.parametrize("d", [2, 3])
def test_gradients_are_those_of_central_differences(d):
    generator = torch.Generator().manual_seed(3)
    F = torch.eye(d).double() + 0.4 * torch.randn(6, d, d, generator=generator, dtype=torch.float64)
    F.requires_grad_()
    assert torch.autograd.gradcheck(arap, F)
    assert torch.autograd.gradcheck(volume, F)


@pytest.mark.parametrize("d", [2, 3])
def test_a_reflection_is_not_mistaken_for_rest(d):
    mirror = torch.diag(torch.tensor([0.9, 1.1, -1.0][3 - d :], dtype=torch.float64))
    signed = torch.linalg.svdvals(mirror)
    signed[-1] *= -1
    assert float(arap(mirror[None])) == pytest.approx(float((signed - 1).square().sum()), rel=1e-3)
    assert float(volume(mirror[None])) > 3


def test_cofactors_are_the_gradient_of_the_determinant():
    F = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch.linalg.det(F).sum(), F)
    torch.testing.assert_close(cofactors(F), gradient)


PLANE = contact.Plane(torch.tensor([0.0, 0, -2]).double(), torch.tensor([0.0, 0, 1]).double())
SPHERE = contact.Sphere(torch.tensor([0.0, 0, -2]).double(), 1.0)


@pytest.mark.parametrize("obstacle", [PLANE, SPHERE], ids=["plane", "sphere"])
def test_contact_pushes_out_along_the_normal_by_its_depth(obstacle):
    q = torch.tensor([[0.1, 0.2, -2.3], [0.3, -0.2, -1.6], [0, 0, 3.0]]).double().requires_grad_()
    (gradient,) = torch.autograd.grad(contact.energy(q, [obstacle], 7.0).sum(), q)
    distance = obstacle.distance(q)
    (normal,) = torch.autograd.grad(distance.sum(), q)
    expected = -7.0 * (-distance).clamp(min=0)[:, None] * normal
    torch.testing.assert_close(gradient, expected.detach())
    assert float(gradient[2].abs().max()) == 0
    assert contact.depth(q.detach(), [obstacle]) == pytest.approx(float(-distance.detach().min()))


@pytest.mark.parametrize("obstacle", [PLANE, SPHERE], ids=["plane", "sphere"])
def test_in_the_published_form_the_gradient_is_minus_the_force(obstacle):
    q = torch.tensor([[0.1, 0.2, -2.3], [0, 0, 3.0]]).double().requires_grad_()
    (gradient,) = torch.autograd.grad(contact.published_energy(q, q.detach() + 1, [obstacle], 7.0).sum(), q)
    torch.testing.assert_close(gradient, -7.0 * obstacle.published_force(q.detach()))
    if obstacle is PLANE:  # for planes both forms push alike
        torch.testing.assert_close(gradient, torch.autograd.grad(contact.energy(q, [PLANE], 7.0).sum(), q)[0])


@pytest.mark.parametrize("cells", [(3, 2), (2, 3, 4)])
def test_a_box_is_filled_with_cells_of_positive_measure_that_fit_together(cells):
    d = len(cells)
    lower, upper = np.arange(d) - 1.0, np.arange(d) + 2.0
    points, found = box_mesh(lower, upper, cells)
    sizes = measures(torch.tensor(points), torch.tensor(found))
    assert float(sizes.min()) > 0
    assert float(sizes.sum()) == pytest.approx(3.0**d)
    assert float(lumped(torch.tensor(points), torch.tensor(found)).sum()) == pytest.approx(3.0**d)
    facets = boundary(found)
    expected = 2 * sum(cells) if d == 2 else 4 * (cells[0] * cells[1] + cells[1] * cells[2] + cells[0] * cells[2])
    assert len(facets) == expected
    corners = points[facets]
    if d == 3:  # the flux of x/3 through facets that turn outwards is the volume
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        assert (corners.mean(1) * normal).sum() / 3 == pytest.approx(27.0)
    assert parts(found, len(points)) == 1
    assert parts(np.concatenate([found, found + len(points)]), 2 * len(points)) == 2


def test_samples_are_uniform_by_volume():
    points, cells = box_mesh(np.zeros(3), np.ones(3), (2, 2, 2))
    points = torch.tensor(points) ** 2  # cells of unlike sizes
    cells = torch.tensor(cells)
    drawn = Sampler(points, cells).draw(20_000, torch.Generator().manual_seed(0))
    sizes = measures(points, cells)
    middle = (points[cells].mean(1) * sizes[:, None]).sum(0) / sizes.sum()
    sigma = drawn.std(0) / len(drawn) ** 0.5
    assert bool(((drawn.mean(0) - middle).abs() < 3 * sigma).all())
