"""The harmonics of the shading, by quadrature and against irradiance in closed form; positional encoding."""

import numpy as np
import pytest
import torch

from engines.blocks.meshes.encoding import SIZE, icosahedron_directions, positional_encoding
from engines.blocks.meshes.shading import gammas_of, harmonics, lambertian, lamp, surroundings


def sphere(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Directions and weights of a rule that integrates polynomials of degree 2 count - 1 exactly."""
    z, weight = np.polynomial.legendre.leggauss(count)
    phi = 2 * np.pi * np.arange(2 * count) / (2 * count)
    r = np.sqrt(1 - z**2)
    points = np.stack(
        [np.outer(r, np.cos(phi)), np.outer(r, np.sin(phi)), np.repeat(z[:, None], 2 * count, axis=1)], axis=-1
    )
    return points.reshape(-1, 3), np.repeat(weight, 2 * count) * np.pi / count


def test_harmonics_are_orthogonal_and_independent():
    points, weights = sphere()
    basis = harmonics(torch.from_numpy(points)).numpy()
    gram = basis.T * weights @ basis
    scale = np.sqrt(np.diag(gram))
    np.testing.assert_allclose(gram / np.outer(scale, scale), np.eye(9), atol=1e-13)
    assert np.linalg.matrix_rank(gram) == 9
    # Each is its factor a times an orthonormal harmonic: 1 of order 0, 3 of order 1, 5 of order 2.
    a = np.pi * np.array([1, 2 / np.sqrt(3), 2 / np.sqrt(8)])
    np.testing.assert_allclose(scale, np.repeat(a, [1, 3, 5]), rtol=1e-12)


def test_the_constants_are_the_papers():
    c = np.array([1, np.sqrt(3)]) / np.sqrt(4 * np.pi)
    a = np.array([np.pi, 2 * np.pi / np.sqrt(3), 2 * np.pi / np.sqrt(8)])
    c2 = 3 * np.sqrt(5) / np.sqrt(12 * np.pi)
    x, y, z = n = np.array([2, 3, 6]) / 7
    expected = [
        a[0] * c[0], -a[1] * c[1] * y, a[1] * c[1] * z, -a[1] * c[1] * x, a[2] * c2 * x * y, -a[2] * c2 * y * z,
        a[2] * c2 * (3 * z * z - 1) / (2 * np.sqrt(3)), -a[2] * c2 * x * z, a[2] * c2 * (x * x - y * y) / 2,
    ]  # fmt: skip
    np.testing.assert_allclose(harmonics(torch.from_numpy(n)), expected, rtol=1e-14)


def test_irradiance_of_constant_and_linear_surroundings_is_matched():
    """E(n) = integral of (L0 + L1 . w) max(0, n . w) dw = pi L0 + (2 pi / 3) L1 . n."""
    rng = np.random.default_rng(0)
    constant, linear = rng.uniform(0.5, 1, 3), rng.normal(0, 0.3, (3, 3))
    normals = rng.normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    gammas = surroundings(constant, linear)
    found = harmonics(torch.from_numpy(normals)).numpy() @ gammas
    np.testing.assert_allclose(found, np.pi * constant + 2 * np.pi / 3 * normals @ linear, atol=1e-12)
    points, weights = sphere(200)  # a second way: the integral itself
    cosine = np.maximum(normals[:5] @ points.T, 0) * weights
    np.testing.assert_allclose(found[:5], cosine @ (constant + points @ linear), atol=1e-3)


def test_any_quadratic_of_the_normal_is_matched():
    rng = np.random.default_rng(1)
    constant, linear, quadratic = rng.normal(size=3), rng.normal(size=(3, 3)), rng.normal(size=(3, 3, 3))
    quadratic = quadratic + quadratic.transpose(1, 0, 2)
    n = sphere(6)[0]
    expected = constant + n @ linear + np.einsum("pa,abc,pb->pc", n, quadratic, n)
    found = harmonics(torch.from_numpy(n)).numpy() @ gammas_of(constant, linear, quadratic)
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_a_lamp_lights_what_faces_it():
    colour, ambient, towards = np.array([1.0, 0.5, 0.25]), np.array([0.1, 0.2, 0.3]), np.array([0.0, 3.0, 4.0])
    n, _ = sphere(30)
    light = harmonics(torch.from_numpy(n)).numpy() @ lamp(towards, colour, ambient)
    exact = ambient + np.maximum(n @ towards / 5, 0)[:, None] * colour
    assert np.abs((light - exact) / colour).max() < 0.1
    points, weights = sphere(60)  # the best of all quadratics: what is left is orthogonal to each of them
    basis = harmonics(torch.from_numpy(points)).numpy()
    left = np.maximum(points @ towards / 5, 0) - basis @ lamp(towards, colour, 0 * ambient)[:, 0]
    assert np.abs((basis * weights[:, None]).T @ left).max() < 1e-3


def test_the_image_is_clipped_and_each_camera_has_its_light():
    rng = np.random.default_rng(2)
    normals = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(2, 4, 5, 3))), dim=-1)
    albedo = torch.from_numpy(rng.uniform(0, 1, (2, 4, 5, 3)))
    gammas = torch.from_numpy(rng.normal(0, 0.4, (2, 9, 3)))
    together = lambertian(albedo, normals, gammas)
    for one in range(2):
        torch.testing.assert_close(lambertian(albedo[one], normals[one], gammas[one]), together[one])
        raw = albedo[one] * (harmonics(normals[one]) @ gammas[one])
        torch.testing.assert_close(together[one], raw.clip(0, 1))
    assert together.min() == 0
    assert lambertian(albedo[0, 0, 0], normals[0, 0, 0], gammas[0]).shape == (3,)
    inner = torch.tensor([[0.2, 0.3, 0.4]], dtype=torch.float64, requires_grad=True)
    lit = torch.from_numpy(lamp(np.array([0, 0, 1.0]), np.full(3, 0.5), np.full(3, 0.2))).requires_grad_()
    normal = torch.tensor([[0.1, 0.2, 0.97]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambertian, (inner, normal, lit))


def test_21_directions_of_an_icosahedron():
    found = icosahedron_directions()
    assert found.shape == (21, 3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-15)
    between = np.abs(found @ found.T) - np.eye(21)
    assert between.max() < 0.86  # none twice, nor opposite; the next is 31.7 degrees away
    np.testing.assert_allclose(between.max(1), np.cos(np.radians(31.717474)), atol=1e-6)
    # Evenly spread: no direction is favoured.
    np.testing.assert_allclose(found.T @ found, 7 * np.eye(3), atol=1e-12)
    corners = np.abs(found[:6] @ found[:6].T)
    np.testing.assert_allclose(corners, np.where(np.eye(6), 1, 1 / 5**0.5), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_encoding_has_87_numbers(dtype):
    points = 3 * torch.randn(4, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    found = positional_encoding(points)
    assert found.shape == (4, 50, SIZE)
    assert found.dtype == dtype
    assert SIZE == 87
    scaled = 0.1 * points.double()
    phases = scaled @ torch.from_numpy(icosahedron_directions()).T
    parts = [scaled, phases.sin(), (2 * phases).sin(), phases.cos(), (2 * phases).cos()]
    expected = torch.cat(parts, dim=-1)
    torch.testing.assert_close(found.double(), expected, atol=1e-6 if dtype == torch.float32 else 1e-14, rtol=0)


def test_derivatives_of_the_encoding():
    points = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(positional_encoding, points)
