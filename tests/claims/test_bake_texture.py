"""What a texture is worth (sheet 30, table 3: bound Gaussians against a UV texture), on the sample photos of a ring.

SuGaR's quick preset gives bound Gaussians; their mesh, textured and in the colours of its vertices, is traced by rays
from the cameras of the photos that were held out, and held against these.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.blocks.image_metrics import psnr, ssim
from engines.blocks.ray_casting import RayCaster, mesh_picture
from engines.blocks.splatting import render
from engines.blocks.splatting.bound_gaussians import tensors
from engines.blocks.views import Views, held_out
from engines.core import Run, catalog
from engines.data import BoundGaussians, Mesh
from engines.files import read

pytestmark = [pytest.mark.claim, pytest.mark.timeout(7200)]

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "photos" / "transforms.json"
WHITE = torch.ones(3)


@functools.cache
def views() -> tuple[Views, list[int]]:
    photos = read(SAMPLE).artifacts[0]
    return Views(photos, 1.0, torch.device("cpu")), np.flatnonzero(held_out(photos, 8)).tolist()


@functools.cache
def bound_gaussians(seed: int) -> BoundGaussians:
    method = catalog().get("sugar")
    return method.run({"photos": views()[0].photos}, method.preset("quick"), Run(seed=seed))["bound"]


@functools.cache
def textured(seed: int, least_opacity: float) -> Mesh:
    method = catalog().get("bake-texture")
    inputs = {"bound": bound_gaussians(seed), "photos": views()[0].photos}
    (mesh,) = method.run(inputs, method.params.parse({"least_opacity": least_opacity}), Run(seed=seed)).values()
    return mesh


def levels(shows) -> dict[str, float]:
    """Means over the photos held out of what ``shows(camera)``, (3, H, W), gives."""
    known, kept = views()
    pairs = [(shows(known.cameras[i]), known[i].over(WHITE)) for i in kept]
    return {
        "PSNR": float(np.mean([psnr(*pair) for pair in pairs])),
        "SSIM": float(np.mean([float(ssim(*pair)) for pair in pairs])),
    }


def of_mesh(mesh: Mesh) -> dict[str, float]:
    caster = RayCaster(mesh.vertices, mesh.faces)

    def shows(camera) -> torch.Tensor:
        rgba = mesh_picture(mesh, caster, camera, oversampling=3)
        return torch.from_numpy((rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]).transpose(2, 0, 1).copy())

    return levels(shows)


def of_gaussians(bound: BoundGaussians) -> dict[str, float]:
    gaussians = tensors(bound)
    with torch.no_grad():
        return levels(lambda camera: render(gaussians, camera, background=WHITE).image.clamp(0, 1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_texture_is_nearer_to_photos_than_the_colours_of_vertices(claim, seed):
    row = claim("bake-texture", "Nearer to held-out photos than vertex colours", "photos of a ring, SuGaR quick", seed)
    found = row.measure(lambda: of_mesh(textured(seed, 0.2)))
    vertices = row.measure(lambda: of_mesh(textured(seed, 0.2).replace(uv=None, texture=None)), "vertex colours")
    uncut = row.measure(lambda: of_mesh(textured(seed, 0.0)), "with transparent triangles")
    splats = row.measure(lambda: of_gaussians(bound_gaussians(seed)), "bound Gaussians")
    row.conclude(
        found["PSNR"] > vertices["PSNR"] and found["SSIM"] > vertices["SSIM"],
        f"{found['PSNR']:.2f} dB, SSIM {found['SSIM']:.3f}, against {vertices['PSNR']:.2f} dB, {vertices['SSIM']:.3f} "
        f"(vertex colours), {uncut['PSNR']:.2f} dB (transparent triangles kept) and {splats['PSNR']:.2f} dB, "
        f"{splats['SSIM']:.3f} (bound Gaussians)",
    )
