"""A texture for the mesh that Gaussians are bound to (Guédon and Lepetit, CVPR 2024, supplement on textures).

Every triangle gets a place in one picture, two to a square of pixels (:mod:`engines.blocks.texture_atlas`). The colour
of a texel is the mean of what the cameras that see it show there, those that look straight at it first
(:mod:`engines.blocks.texture_baking`): of renders of the Gaussians, from all cameras, or of the photos themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.mesh_topology import face_areas
from engines.blocks.splatting import render
from engines.blocks.splatting.bound_gaussians import tensors
from engines.blocks.texture_atlas import atlas
from engines.blocks.texture_baking import bake
from engines.blocks.views import Views
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import BoundGaussians, Mesh, Photos
from engines.shape.gaussian_splatting import few_photos
from engines.shape.sugar_refine import bind

SQUARE = 10


class BakeTextureParams(Params):
    square: int = Param(
        SQUARE, ge=4, le=64, unit="pixels", help="Side of the square that two triangles share; (side - 2) texels along "
        "the legs of each", source="reference implementation",
    )  # fmt: skip
    colours_of: Literal["renders", "photos"] = Param(
        "renders", source="reference implementation: renders", label="Colours of",
        help="Renders of the Gaussians from all cameras, or the photos themselves, without those that were held out",
    )  # fmt: skip
    render_scale: float = Param(
        2.0, ge=0.1, le=8, source="own choice", help="Pixels of a render along a side, in those of the photo"
    )
    least_opacity: float = Param(
        0.2, ge=0, le=1, source="own choice",
        help="Triangles are left out where the pictures are more transparent than this on average, such as the apron "
        "around an open surface; 0: all stay",
    )  # fmt: skip


def _bound(opacity: float) -> BoundGaussians:
    """Gaussians on a painted torus, as they begin."""
    mesh = torus_mesh(Torus(), around=48, tube=24)
    colors = np.full((len(mesh.vertices), 4), 255, np.uint8)
    colors[:, :3] = np.rint(127.5 + 110 * np.sin(7 * mesh.vertices + [0, 1, 2]))
    bound = bind(mesh.replace(colors=colors), 3, 0, 1e-6)
    logits = np.full(len(bound), np.log(opacity / (1 - opacity)), np.float32)
    return bound.replace(opacity_logits=logits, log_scales=bound.log_scales + np.float32(0.3), name="Torus")


def _torus(views: int = 12, size: int = 96) -> Mapping[str, Artifact]:
    return {"bound": _bound(0.95), "photos": few_photos(views, size, 50)["photos"]}


def _elsewhere() -> Mapping[str, Artifact]:
    inputs = dict(_torus(4, 24))
    bound = _bound(0.95)
    return {**inputs, "bound": bound.replace(vertices=bound.vertices + 100.0)}


def _no_triangles() -> Mapping[str, Artifact]:
    bound = _bound(0.95)
    none = {name: getattr(bound, name)[:0] for name in ("log_scales", "turns", "opacity_logits", "sh")}
    return {**_torus(4, 24), "bound": bound.replace(faces=np.zeros((0, 3), np.int32), **none)}


def memory(inputs: Mapping[str, Artifact], params: Params) -> int:
    """Bytes: for each texel a sum, a colour, and the picture, and what is worked on at a time."""
    bound = inputs["bound"]
    assert isinstance(bound, BoundGaussians)
    assert isinstance(params, BakeTextureParams)
    return len(bound.faces) * params.square**2 * 25 + 200_000_000


@method(
    key="bake-texture",
    title="Bake a texture",
    family="shape",
    job="Paint a mesh with the colours of the Gaussians that are bound to it, as one picture that other tools show.",
    role="preparation",
    presets={"from photos": {"colours_of": "photos"}},
    sample=Example(_torus, title="A painted torus"),
    smoke=Example(functools.partial(_torus, 4, 32), {"square": 5, "render_scale": 1}, "A painted torus, small"),
    degenerate=(
        Example(_elsewhere, title="A mesh that no camera sees"),
        Example(_no_triangles, title="No triangle"),
        Example(lambda: {"bound": _bound(0.95), "photos": few_photos(4, 16, 50)["photos"].replace(held_out=[True] * 5)},
                {"colours_of": "photos"}, "Only held-out photos"),
    ),
    memory=memory,
    tags=("SuGaR", "texture", "UV", "OBJ", "mesh", "photos"),
)  # fmt: skip
def bake_texture(
    bound: Annotated[BoundGaussians, "on a mesh, as SuGaR gives them"],
    photos: Annotated[Photos, "whose cameras look at them"],
    params: BakeTextureParams,
    run: Run,
) -> Annotated[Mesh, "with a texture, for OBJ and GLB files"]:
    """Look at the mesh from every camera, and keep for each texel the mean of what they show there."""
    return textured(bound, Views(photos, 1.0, run.device), photos, params, run)


def textured(
    bound: BoundGaussians, views: Views, photos: Photos, params: BakeTextureParams, run: Run, share: float | None = None
) -> Mesh:
    """The mesh of ``bound`` with its texture; ``share`` is the part of the run that it takes."""
    good = face_areas(bound.vertices, bound.faces) > 0
    if not good.any():
        raise UserError(
            "The mesh has no triangle with an area.", f"It has {len(good):,} triangles.", "Choose another one."
        )
    used = np.arange(len(photos))
    if params.colours_of == "photos" and photos.held_out is not None:
        used = np.flatnonzero(~photos.held_out)
        if not len(used):
            raise UserError(
                "All photos are held out.", "None is left to take colours from.", "Take the colours of renders."
            )
    place = atlas(bound.vertices, bound.faces, params.square)
    gaussians = tensors(bound, run.device)

    @torch.no_grad()
    def picture(number: int) -> np.ndarray:
        index = int(used[number])
        if params.colours_of == "photos":
            view = views[index]
            parts = view.colours if view.alpha is None else torch.cat([view.colours, view.alpha[None]])
            return np.asarray(parts.permute(1, 2, 0).cpu().numpy())
        camera = views.cameras[index]
        size = (max(1, round(side * params.render_scale)) for side in (camera.width, camera.height))
        shown = render(gaussians, camera.resized(*size), background=torch.zeros(3, device=run.device))
        alpha = shown.alpha[None]
        rgb = (shown.image / alpha.clamp_min(1e-6)).clamp(0, 1)  # on black: what is seen through is left out
        return np.asarray(torch.cat([rgb, alpha]).permute(1, 2, 0).cpu().numpy())

    cameras = [views.cameras[int(i)] for i in used]
    steps = run.steps(len(used), "Baking", share=share)
    baked = bake(bound.vertices, bound.faces, place, cameras, picture, steps, run.check)
    unseen = int((~baked.seen).sum())
    if unseen:
        run.warn(
            f"{unseen:,} of {baked.seen.size:,} texels ({unseen / baked.seen.size:.1%}) are seen by no camera; they "
            f"took the colours around them."
        )
    kept = good & (baked.opacity >= params.least_opacity)
    if not kept.any():
        raise UserError(
            f"No triangle is shown with an opacity of {params.least_opacity:g} or more.",
            f"The largest is {baked.opacity.max():.2g}.",
            "Choose a smaller least opacity.",
        )
    if params.least_opacity:
        run.note(f"{int((good & ~kept).sum()):,} of {len(kept):,} triangles are transparent; they were left out.")
    mesh = bound.mesh.only(kept)
    place = atlas(mesh.vertices, mesh.faces, params.square)
    width, height = place.size
    run.note(f"Texture of {width:,} × {height:,} pixels for {len(mesh.faces):,} triangles.")
    name = bound.name.replace("Bound Gaussians", "Textured mesh") or "Textured mesh"
    return mesh.replace(uv=place.uv, texture=place.picture(baked.colours[kept]), name=name)
