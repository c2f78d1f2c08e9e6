"""Gaussians in the triangles of a mesh (sheet 30, acceptance 3 and 5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.cameras import Camera, look_at
from engines.blocks.quaternions import quaternions_of, rotation_matrices
from engines.blocks.splatting import render
from engines.blocks.splatting.bound_gaussians import (
    BARYCENTRICS,
    RADII,
    first_scales,
    moved,
    tensors,
    to_cloud,
    triangle_frames,
)
from engines.blocks.splatting.twin import harmonics
from engines.core import UserError
from engines.data import BoundGaussians
from engines.shape.sugar_refine import bind

EQUILATERAL = np.array([[0, 0], [1, 0], [0.5, 3**0.5 / 2]])


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_places_sum_to_one_and_are_as_many_as_they_say(count):
    places = BARYCENTRICS[count]
    assert places.shape == (count, 3)
    np.testing.assert_allclose(places.sum(1), 1, atol=1e-15)
    assert len({tuple(np.round(p, 12)) for p in places}) == count


def spacing(count: int) -> tuple[float, float]:
    """Smallest distance of a centre from a side, and half the smallest distance of two centres."""
    centres = BARYCENTRICS[count] @ EQUILATERAL
    to_side = BARYCENTRICS[count].min() * 3**0.5 / 2
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2) + np.where(np.eye(count), np.inf, 0)
    return to_side, float(apart.min() / 2)


def test_discs_touch_the_sides_and_each_other_for_one_and_four():
    assert spacing(1)[0] == pytest.approx(RADII[1], abs=1e-9)
    assert spacing(4)[0] == pytest.approx(RADII[4], abs=1e-9)
    assert spacing(4)[1] == pytest.approx(RADII[4], abs=1e-9)


def test_discs_of_three_and_six_overlap_as_the_sheet_says():
    assert spacing(3)[1] == pytest.approx(0.125, abs=1e-9)
    assert spacing(6)[1] == pytest.approx(0.125, abs=1e-9)
    assert RADII[3] > 0.125
    assert RADII[6] > 0.125


def test_the_frame_of_a_triangle():
    rng = np.random.default_rng(0)
    corners = torch.tensor(rng.normal(size=(50, 3, 3)))
    frames = triangle_frames(corners)
    torch.testing.assert_close(frames.transpose(1, 2) @ frames, torch.eye(3).double().expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(50).double())
    for side in range(3):  # the first column is normal to every side
        along = corners[:, side] - corners[:, side - 1]
        assert ((frames[:, :, 0] * along).sum(1).abs() < 1e-12).all()
    first = corners[:, 0] - corners[:, 1]
    torch.testing.assert_close((frames[:, :, 1] * first).sum(1), first.norm(dim=1))


def test_quaternions_give_their_rotation_back_with_finite_slopes():
    rng = np.random.default_rng(1)
    given = torch.tensor(np.concatenate([rng.normal(size=(100, 4)), np.eye(4), [[1, 1, 0, 0], [0, 1, 1, 0]]]))
    turns = rotation_matrices(given).requires_grad_()
    found = quaternions_of(turns)
    torch.testing.assert_close(rotation_matrices(found), turns)
    found.sum().backward()
    assert torch.isfinite(turns.grad).all()


def bound_torus(count: int = 6, seed: int = 0, around: int = 96) -> BoundGaussians:
    """In random colours, opaque, of many sizes and turns."""
    mesh = torus_mesh(Torus(), around, around // 2)
    rng = np.random.default_rng(seed)
    bound = bind(mesh, count, 0, 1e-6)
    total = len(bound)
    return bound.replace(
        log_scales=bound.log_scales + rng.normal(0, 0.3, (total, 2)),
        turns=rng.normal(size=(total, 2)),
        opacity_logits=rng.normal(1, 2, total),
        sh=rng.normal(0, 0.8, (total, 1, 3)),
    )


def test_it_begins_with_discs_in_their_triangles():
    mesh = torus_mesh(Torus())
    bound = bind(mesh, 4, 1, 1e-6)
    assert len(bound) == 4 * len(mesh.faces)
    found = tensors(bound)
    corners = mesh.vertices[mesh.faces]
    np.testing.assert_allclose(np.exp(bound.log_scales[:, 0]), np.repeat(first_scales(corners, 4), 4), rtol=1e-5)
    np.testing.assert_allclose(found.opacity_logits.sigmoid().numpy(), 0.1, atol=1e-6)
    centres = found.means.numpy().reshape(-1, 4, 3)
    np.testing.assert_allclose(centres[:, 0], corners.mean(1), atol=1e-6)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    axes = found.rotations().numpy()[:, :, 0].reshape(-1, 4, 3)
    np.testing.assert_allclose(np.abs((axes * normals[:, None]).sum(2)), 1, atol=1e-5)
    cloud = to_cloud(bound)
    assert len(cloud) == len(bound)
    assert cloud.log_scales.min() == pytest.approx(np.log(1e-6))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rigid_motion_of_all_vertices_gives_the_same_picture_from_the_moved_camera(seed):
    bound = bound_torus(3, seed, around=36)
    camera = Camera(look_at([1.4, -1.6, 1.1], [0, 0, 0]), 75.0, 75.0, 32.0, 32.0, 64, 64)
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    shift = rng.normal(size=3)
    after = moved(bound, bound.vertices @ turn.T + shift)
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = turn.T, -turn.T @ shift
    other = replace(camera, world_to_camera=camera.world_to_camera @ back)

    def picture(of: BoundGaussians, from_: Camera) -> torch.Tensor:
        """In double precision: else the order of Gaussians at one depth, not the geometry, decides."""
        from engines.blocks.splatting.bound_gaussians import gaussians_on

        t = [torch.tensor(v, dtype=torch.float64) for v in (
            of.vertices[of.faces], of.barycentrics, of.log_scales, of.turns, of.opacity_logits, of.sh
        )]  # fmt: skip
        return render(gaussians_on(*t, of.thickness), from_).image

    one, two = picture(bound, camera), picture(after, other)
    assert one.std() > 0.05
    assert (one - two).abs().max() < 1e-4
    # In the precision of training a few pixels may differ by an alpha of 1/255 that is cut off on one side only.
    off = (render(tensors(bound), camera).image - render(tensors(after), other).image).abs()
    assert off.mean() < 1e-4
    assert (off > 1e-3).float().mean() < 1e-3


def test_colours_turn_with_their_triangles():
    """Seen from where the turn takes the eye, a Gaussian has the colour that it had; those at rest keep every bit."""
    bound, rng = bound_torus(), np.random.default_rng(3)
    bound = bound.replace(sh=rng.normal(size=(len(bound), 9, 3)).astype(np.float32) * 0.2)
    turn = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    part = bound.vertices[:, 0] > 0
    after = moved(bound, np.where(part[:, None], bound.vertices @ turn.T, bound.vertices))
    whole = np.repeat(part[bound.faces].all(1), len(bound.barycentrics))
    still = np.repeat(~part[bound.faces].any(1), len(bound.barycentrics))
    assert np.array_equal(after.sh[still], bound.sh[still])
    for eye in rng.normal(size=(5, 3)):
        eye /= np.linalg.norm(eye)
        before, there = (harmonics(torch.tensor(v[None]), 2).numpy()[0] for v in (eye, turn @ eye))
        colours = [np.einsum("k,nkc->nc", y, sh[whole]) for y, sh in ((before, bound.sh), (there, after.sh))]
        np.testing.assert_allclose(colours[1], colours[0], atol=2e-6)
    assert np.abs(after.sh[~whole & ~still] - bound.sh[~whole & ~still]).max() > 1e-3, "stretched ones turn too"


def test_growing_the_mesh_grows_the_gaussians():
    bound = bound_torus()
    twice = moved(bound, 2 * bound.vertices)
    np.testing.assert_allclose(twice.log_scales - bound.log_scales, np.log(2), atol=1e-5)
    np.testing.assert_allclose(tensors(twice).means.numpy(), 2 * tensors(bound).means.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_scales": np.zeros((5, 2)), "turns": np.ones((5, 2)), "opacity_logits": np.zeros(5),
          "sh": np.zeros((5, 1, 3))}, "5 Gaussians for"),
        ({"barycentrics": np.full((6, 3), 0.4)}, "places of the Gaussians"),
        ({"thickness": 0.0}, "no thickness"),
        ({"turns": np.zeros((6 * 4, 2))}, None),
        ({"faces": np.array([[0, 1, 99999]])}, "does not exist"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(change, words):
    bound = bound_torus()
    if words is None:
        change, words = {"turns": np.zeros_like(bound.turns)}, "no thickness or no direction"
    with pytest.raises(UserError, match=words):
        bound.replace(**change)
