"""The iterative field against plain autograd, finite differences and its own formulas."""

import numpy as np
import pytest
import torch

from engines.blocks.iterative_field import Architecture, IterativeField, iteration_embedding
from engines.blocks.iterative_loss import IterativeLoss, gradients

SMALL = Architecture(iterations=3, frequencies=4, hidden=8, width=16, depth=3)


def fresh(architecture=SMALL, seed=0, dtype=torch.float64):
    return IterativeField.initialised(architecture, torch.Generator().manual_seed(seed), dtype=dtype)


def batch(count=200, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 3, generator=generator, dtype=dtype) * 2 - 1
    labels = torch.randint(0, 3, (count,), generator=generator).to(dtype) / 2
    return points, labels


def steps(architecture, flat, points):
    """L_0, and the list of dL: the network as its formulas say, for autograd."""
    p = architecture.split(flat)
    x = points[:, None, :]
    encoded = torch.cat(
        [
            points,
            torch.cos(p["cosine_frequencies"][None, :, None] * x).flatten(1),
            torch.sin(p["sine_frequencies"][None, :, None] * x).flatten(1),
        ],
        dim=1,
    )
    logit, hidden = p["initial_state"][:1].expand(len(points), 1), p["initial_state"][1:].expand(len(points), -1)
    first = torch.cat([p["encoding_weight"], p["state_weight"]], dim=1)
    start, changes = logit[:, 0], []
    embedding = torch.as_tensor(iteration_embedding(architecture.iterations, architecture.hidden), dtype=flat.dtype)
    for i in range(architecture.iterations):
        u = torch.cat([encoded, logit, hidden + embedding[i]], dim=1)
        assert u.shape[1] == architecture.encoded + architecture.state
        u = torch.nn.functional.leaky_relu(u @ first.T + p["bias.0"], 0.01)
        for k in range(1, architecture.depth):
            u = torch.nn.functional.leaky_relu(u @ p[f"weight.{k}"].T + p[f"bias.{k}"], 0.01)
        out = u @ p["output_weight"].T + p["output_bias"]
        logit, hidden = logit + out[:, :1], out[:, 1:]
        changes.append(out[:, 0])
    return start, changes


def twin(field, points, labels, weight, threshold):
    """bce, hinge, gradient of the loss and slopes by autograd with create_graph."""
    flat = field.flat.clone().requires_grad_()
    points = points.clone().requires_grad_()
    start, changes = steps(field.architecture, flat, points)
    logits = start + torch.cumsum(torch.stack(changes), dim=0)
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits))
    (slopes,) = torch.autograd.grad(logits[-1].sum(), points, create_graph=True)
    hinge = (slopes.norm(dim=1) - threshold).clamp_min(0).mean()
    (bce + weight * hinge).backward()
    return bce.detach(), hinge.detach(), flat.grad, slopes.detach()


def test_the_published_sizes():
    sizes = Architecture()
    assert sizes.encoded + sizes.state == 66
    assert sizes.state == 33
    layers = 66 * 64 + 64 + 6 * (64 * 64 + 64) + 64 * 33 + 33
    assert sizes.size == layers + 2 * 5 + 33
    assert 31_000 < sizes.size < 31_900


def test_the_embedding_of_the_iteration():
    table = iteration_embedding(10, 32)
    assert table.shape == (10, 32)
    exact = [[2**k * i for k in range(16)] for i in range(10)]
    np.testing.assert_allclose(table[:, :16], np.sin(np.mod(exact, 2 * np.pi)), atol=1e-10)
    np.testing.assert_allclose(table[:, 16:], np.cos(np.mod(exact, 2 * np.pi)), atol=1e-10)
    np.testing.assert_allclose((table**2).sum(1), 16)


def test_initial_values():
    field = fresh(Architecture(), dtype=torch.float32)
    parts = field.parts
    assert parts["cosine_frequencies"].tolist() == parts["sine_frequencies"].tolist() == [1, 2, 4, 8, 16]
    for name in ("initial_state", "bias.0", "bias.3", "output_bias"):
        assert 0 <= parts[name].min() < 0.3
        assert 0.7 < parts[name].max() <= 1
    for name, fans in (("encoding_weight", 130), ("state_weight", 130), ("weight.2", 128), ("output_weight", 97)):
        bound = (6 / fans) ** 0.5
        assert 0.98 * bound < parts[name].abs().max() <= bound
        assert parts[name].mean().abs() < 0.1 * bound


def test_the_last_logit_is_the_first_plus_all_changes():
    field, (points, _) = fresh(), batch()
    start, changes = steps(SMALL, field.flat, points)
    torch.testing.assert_close(field.logits(points, chunk=64), start + sum(changes), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("architecture", [SMALL, Architecture(iterations=1), Architecture(depth=1, iterations=4)])
def test_loss_and_gradient_equal_autograd(architecture, share):
    """With none, some and nearly all of the samples steeper than the threshold."""
    field, (points, labels) = fresh(architecture), batch()
    norms = gradients(field, points).norm(dim=1).sort().values
    threshold = float(norms[int((1 - share) * (len(norms) - 1))]) + 1e-6
    loss = IterativeLoss(field, 0.7, threshold, chunk=64)
    found = loss(points, labels)
    bce, hinge, gradient, slopes = twin(field, points, labels, 0.7, threshold)
    torch.testing.assert_close(found.bce, bce, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.hinge, hinge, rtol=1e-12, atol=1e-12)
    assert abs(float(found.active) - share) < 0.02
    torch.testing.assert_close(loss.gradient, gradient, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(gradients(field, points, chunk=64), slopes, rtol=1e-10, atol=1e-12)


def test_float32_gradient_is_near_the_float64_one():
    field, (points, labels) = fresh(Architecture(iterations=5)), batch()
    single = IterativeField(field.architecture, field.flat.float())
    a, b = (IterativeLoss(f, 0.1, 1.0) for f in (field, single))
    a(points, labels)
    b(points.float(), labels.float())
    assert (a.gradient - b.gradient).norm() < 1e-4 * a.gradient.norm()


def test_hinge_gradient_against_finite_differences():
    field, (points, labels) = fresh(), batch(40)
    norms = gradients(field, points).norm(dim=1).sort().values
    threshold = float(norms[19] + norms[20]) / 2  # between two samples: at one the hinge has a kink

    def value(flat, weight):
        return float(IterativeLoss(IterativeField(SMALL, flat), weight, threshold)(points, labels).total(weight))

    loss = IterativeLoss(field, 1.0, threshold)
    loss(points, labels)
    with_hinge = loss.gradient.clone()
    rng = np.random.default_rng(0)
    for _ in range(6):
        direction = torch.from_numpy(rng.normal(size=SMALL.size))
        direction /= direction.norm()
        step = 1e-6 * direction
        numeric = (value(field.flat + step, 1.0) - value(field.flat - step, 1.0)) / 2e-6
        assert float(with_hinge @ direction) == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_spatial_gradient_against_finite_differences():
    field, (points, _) = fresh(), batch(50)
    found = gradients(field, points)
    for axis in range(3):
        step = 1e-6 * torch.eye(3, dtype=torch.float64)[axis]
        numeric = (field.logits(points + step) - field.logits(points - step)) / 2e-6
        torch.testing.assert_close(found[:, axis], numeric, rtol=1e-5, atol=1e-5)


def test_chunks_do_not_change_the_result():
    field, (points, labels) = fresh(), batch()
    whole, parts = (IterativeLoss(field, 0.3, 0.5, chunk=c) for c in (1000, 37))
    torch.testing.assert_close(whole(points, labels).bce, parts(points, labels).bce)
    torch.testing.assert_close(whole.gradient, parts.gradient)


def test_weights_travel_as_arrays():
    field, (points, _) = fresh(dtype=torch.float32), batch(dtype=torch.float32)
    again = IterativeField.from_weights(SMALL, field.weights())
    assert torch.equal(field.logits(points), again.logits(points))
