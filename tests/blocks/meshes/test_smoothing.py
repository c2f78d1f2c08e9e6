"""Laplacians, quantile rules, edges and normals against dense matrices and loops over vertices."""

import numpy as np
import pytest
import torch

from engines.blocks import mesh_topology
from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.mesh_topology import edges_of
from engines.blocks.meshes.linear_maps import LinearMap
from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.smoothing import (
    EdgeGrowth,
    above_quantile,
    below_quantile,
    roughness,
    smoothness,
    uniform_laplacian,
)
from engines.blocks.meshes.subdivision import loop_subdivision
from engines.files.rigged_glb import the_open_hand

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
OPEN = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2]])


def dense(faces, count):
    found = np.zeros((count, count))
    around: list[set[int]] = [set() for _ in range(count)]
    for face in faces.tolist():
        for v in face:
            around[v] |= set(face) - {v}
    for v, neighbours in enumerate(around):
        found[v, list(neighbours)] = 1 / max(len(neighbours), 1)
        found[v, v] = -1.0 if neighbours else 0.0
    return found


def test_the_laplacian_is_the_dense_matrix():
    hand = the_open_hand()
    for faces, count in ((hand.faces, 1159), (OPEN, 6)):
        np.testing.assert_allclose(uniform_laplacian(faces, count).matrix.toarray(), dense(faces, count), atol=1e-16)
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1159, 5)))
    laplacian, full = uniform_laplacian(hand.faces, 1159), torch.from_numpy(dense(hand.faces, 1159))
    torch.testing.assert_close(laplacian(values), full @ values)
    torch.testing.assert_close(laplacian(values[0].float()), (full @ values[0]).float(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(roughness(laplacian, values), (full @ values).norm(dim=2) / 1159)


def test_roughness_of_something_even_is_0_with_a_slope_of_0():
    laplacian = uniform_laplacian(TETRAHEDRON, 4)
    values = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)  # as displacements begin
    found = roughness(laplacian, values)
    assert (found == 0).all()
    found.sum().backward()
    assert (values.grad == 0).all()


def test_derivatives_of_maps_roughness_edges_and_normals():
    rng = np.random.default_rng(1)
    laplacian, normals = uniform_laplacian(OPEN, 6), VertexNormals(OPEN, 5)
    rest = rng.normal(size=(5, 3))
    growth = EdgeGrowth(OPEN, rest)
    values = torch.from_numpy(rng.normal(size=(2, 6, 3))).requires_grad_()
    vertices = torch.from_numpy(rest * 1.1).requires_grad_()
    assert torch.autograd.gradcheck(laplacian, values)
    assert torch.autograd.gradgradcheck(laplacian, values)
    assert torch.autograd.gradcheck(lambda x: roughness(laplacian, x), values)
    assert torch.autograd.gradcheck(growth, vertices)
    assert torch.autograd.gradcheck(normals, vertices)


@pytest.mark.parametrize("count", [*range(2, 14), 1159, 4630])
def test_the_quantile_selects_exactly_three_quarters(count):
    values = torch.from_numpy(np.random.default_rng(count).permutation(count) + 1.0)
    above, below = above_quantile(values), below_quantile(values)
    assert int(above.sum()) == 3 * count // 4
    assert int(below.sum()) == -(-(count - 1) // 4)
    limit = values.quantile(0.25)
    assert torch.equal(above, values > limit)
    assert torch.equal(below, values < limit)


def test_quantiles_of_equal_values_and_of_batches():
    values = torch.tensor([[3.0, 1.0, 1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    for quantile in (0.0, 0.25, 0.5, 0.6, 1.0):
        limit = values.quantile(quantile, dim=1, keepdim=True)
        assert torch.equal(above_quantile(values, quantile), values > limit)
        assert torch.equal(below_quantile(values, quantile), values < limit)


def test_smoothness_weighs_each_vertex_and_selection_carries_no_slope():
    values = torch.tensor([0.1, 0.4, 0.2, 0.3, 0.5], requires_grad=True)
    assert smoothness(values, torch.tensor([1.0, 0.0, 2.0, 0.0, 0.5])).item() == pytest.approx(0.75)
    total = smoothness(values, above_quantile(values))
    total.backward()
    assert total.item() == pytest.approx(1.2)
    assert values.grad.tolist() == [0, 1, 0, 1, 1]


def test_edges_that_shrink_cost_nothing_and_none_more_than_1():
    rest = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    growth = EdgeGrowth(np.array([[0, 1, 2]]), rest)
    assert growth(torch.from_numpy(0.5 * rest)).item() == 0
    # |e|^2 of 1, 1, 2 become 1.21, 1.21, 2.42
    assert growth(torch.from_numpy(1.1 * rest)).item() == pytest.approx((0.21 + 0.21 + 0.42) / 3)
    assert growth(torch.from_numpy(np.stack([3 * rest, rest]))).tolist() == [1, 0]


def test_normals_are_those_by_area_in_every_precision():
    hand = the_open_hand()
    finer = loop_subdivision(hand.faces, 1159, 1)
    vertices = finer.smooth @ hand.vertices
    expected = mesh_topology.vertex_normals(vertices, finer.faces)
    normals = VertexNormals(finer.faces, len(vertices))
    np.testing.assert_allclose(normals(torch.from_numpy(vertices)), expected, atol=1e-12)
    single = normals(torch.tensor(vertices, dtype=torch.float32)).double().numpy()
    assert np.degrees(np.arccos((single * expected).sum(1).clip(-1, 1))).max() < 0.1
    batch = normals(torch.from_numpy(np.stack([vertices, vertices[:, [1, 0, 2]]])))
    np.testing.assert_allclose(batch[1], -expected[:, [1, 0, 2]], atol=1e-12)  # mirrored: inside out
    np.testing.assert_allclose(batch[0], expected, atol=1e-12)
    assert torch.equal(normals(torch.from_numpy(vertices)), normals(torch.from_numpy(vertices)))


def test_normals_of_a_torus_point_away_from_its_ring():
    torus = Torus()
    mesh = torus_mesh(torus)
    found = VertexNormals(mesh.faces, len(mesh.vertices))(torch.tensor(mesh.vertices)).numpy()
    ring = mesh.vertices * [1, 1, 0]
    ring *= torus.major / np.linalg.norm(ring, axis=1, keepdims=True)
    away = mesh.vertices - ring
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    assert ((found * away).sum(1) > np.cos(np.radians(3))).all()


def test_a_vertex_without_triangles_has_the_normal_0():
    normals = VertexNormals(OPEN, 6)(torch.rand(6, 3, generator=torch.Generator().manual_seed(0)))
    assert normals[5].tolist() == [0, 0, 0]
    assert (VertexNormals(OPEN, 5)(torch.zeros(5, 3)) == 0).all()


def test_a_map_holds_its_matrix_in_each_precision():
    matrix = np.random.default_rng(3).normal(size=(4, 7)) * (np.random.default_rng(4).random((4, 7)) < 0.5)
    linear = LinearMap(matrix)
    for dtype, close in ((torch.float32, 1e-6), (torch.float64, 1e-15)):
        values = torch.rand(2, 3, 7, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
        found = linear(values)
        assert found.dtype == dtype
        assert found.shape == (2, 3, 4, 2)
        torch.testing.assert_close(found, torch.from_numpy(matrix).to(dtype) @ values, atol=close, rtol=1e-5)


def test_edges_of_the_hand():
    assert len(edges_of(the_open_hand().faces)) == 3471
