"""Baking a texture from Gaussians and from photos, and what it must refuse or say."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from engines.blocks.ray_casting import RayCaster, mesh_picture
from engines.blocks.views import camera_of
from engines.core import Noted, Run, UserError
from engines.shape.bake_texture import _torus, bake_texture


class Ear:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def emit(self, event) -> None:
        if isinstance(event, Noted):
            self.texts.append(event.text)

    def wants_preview(self) -> bool:
        return False


@functools.cache
def inputs():
    return dict(_torus(8, 64))


def go(ear=None, change=None, **params):
    given = {**inputs(), **(change or {})}
    outputs = bake_texture.run(
        given, bake_texture.params.parse({"render_scale": 1, **params}), Run(listener=ear or Ear())
    )
    (mesh,) = outputs.values()
    return mesh


def picture(mesh, index):
    """(H, W, 4) of the mesh from the camera of a photo."""
    return mesh_picture(
        mesh, RayCaster(mesh.vertices, mesh.faces), camera_of(inputs()["photos"], index), oversampling=2
    )


def test_the_textured_mesh_looks_like_its_gaussians():
    from engines.blocks.splatting import render
    from engines.blocks.splatting.bound_gaussians import tensors

    bound = inputs()["bound"]
    ear = Ear()
    mesh = go(ear)
    assert np.array_equal(mesh.vertices, bound.vertices)
    assert len(mesh.faces) == len(bound.faces)
    assert np.array_equal(mesh.colors, bound.colors)
    shown = render(tensors(bound), camera_of(inputs()["photos"], 2))
    found = picture(mesh, 2)
    # Gaussians of this size stand out by half a pixel or so: the rim is not looked at.
    wanted, sure = shown.image.permute(1, 2, 0).numpy(), binary_erosion(found[..., 3] == 1)
    assert sure.sum() > 300
    assert np.abs(found[..., :3] - wanted)[sure].mean() < 0.04
    plain = picture(mesh.replace(uv=None, texture=None, colors=None), 2)
    assert np.abs(plain[..., :3] - wanted)[sure].mean() > 0.15
    assert not any("no camera" in text for text in ear.texts)


def test_colours_of_photos_leave_out_those_that_were_held_out():
    photos = inputs()["photos"]
    assert photos.held_out.sum() == 2
    mesh = go(colours_of="photos")
    seen = photos.pixels(2) / 255
    solid = (picture(mesh, 2)[..., 3] == 1) & (seen[..., 3] == 1)
    assert np.abs(picture(mesh, 2)[..., :3] - seen[..., :3])[solid].mean() < 0.06
    black = [photos.pixels(i).copy() for i in range(len(photos))]
    for index in np.flatnonzero(photos.held_out):
        black[index][..., :3] = 0
    other = photos.of(black, **{k: getattr(photos, k) for k in ("world_to_camera", "intrinsics", "held_out")})
    assert np.array_equal(go(change={"photos": other}, colours_of="photos").texture, mesh.texture)


def test_transparent_triangles_are_left_out_and_counted():
    bound = inputs()["bound"]
    low = bound.vertices[bound.faces][:, :, 0].max(1) < 0  # half of the ring
    logits = np.where(np.repeat(low, len(bound.barycentrics)), -9, bound.opacity_logits).astype(np.float32)
    ear = Ear()
    faint = bound.replace(opacity_logits=logits)
    mesh = go(ear, {"bound": faint}, least_opacity=0.5)
    gone = len(bound.faces) - len(mesh.faces)
    assert 0.6 * low.sum() < gone < 1.2 * low.sum()
    assert any(f"{gone:,} of {len(bound.faces):,} triangles are transparent" in text for text in ear.texts)
    assert mesh.uv.shape == (len(mesh.faces), 3, 2)
    assert len(go(change={"bound": faint}, least_opacity=0).faces) == len(bound.faces)
    with pytest.raises(UserError, match="opacity of 1 or more"):
        go(change={"bound": bound.replace(opacity_logits=bound.opacity_logits - 5)}, least_opacity=1)


def test_texels_out_of_all_pictures_are_counted():
    bound = inputs()["bound"]
    ear = Ear()
    go(ear, {"bound": bound.replace(vertices=bound.vertices + 1.0)}, square=5)
    (said,) = [text for text in ear.texts if "no camera" in text]
    assert f"of {6 * len(bound.faces):,} texels" in said


def test_triangles_without_area_are_left_out():
    bound = inputs()["bound"]
    faces = bound.faces.copy()
    faces[5, 1] = faces[5, 0]
    assert len(go(change={"bound": bound.replace(faces=faces)}, least_opacity=0).faces) == len(faces) - 1
