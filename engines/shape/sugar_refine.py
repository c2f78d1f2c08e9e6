"""SuGaR's last phase: Gaussians bound to the triangles of a mesh, and both fitted to the photos.

Learned are the vertices and, of each Gaussian, two scales, its turn in the plane, opacity and colours:

    E = (1 - lambda) |I - I*|_1 + lambda (1 - SSIM(I, I*)) + 0.1 mean over edges of (1 - cos of the normals beside it)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.image_metrics import ssim
from engines.blocks.mesh_topology import face_areas
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.bound_gaussians import BARYCENTRICS, first_scales, gaussians_on
from engines.blocks.splatting.gaussians import C0
from engines.blocks.views import Views
from engines.core import Run, UserError
from engines.data import BoundGaussians, Mesh
from engines.shape.sugar_params import SugarParams

FIRST_OPACITY = 0.1
DEGREE_EVERY = 1000
THINNESS = 1e-6
"""Thickness in extents. Such a disc seen edge-on is drawn by the renderer's low-pass filter alone."""


def sound(mesh: Mesh, run: Run) -> Mesh:
    """The mesh without triangles that have no area: they have no frame. Raises :class:`UserError` if none is left."""
    areas = face_areas(mesh.vertices, mesh.faces)
    good = areas > 0
    if not good.any():
        raise UserError(
            "The mesh has no triangle with an area.",
            f"It has {len(mesh.vertices):,} vertices and {len(mesh.faces):,} triangles.",
            "Choose another mesh.",
        )
    if good.all():
        return mesh
    run.warn(f"{int((~good).sum()):,} of {len(good):,} triangles have no area; they were left out.")
    return mesh.only(good)


def edge_neighbours(faces: np.ndarray) -> np.ndarray:
    """(E, 2) the two faces beside each edge that has exactly two."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64), axis=1)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    ordered, owner = edges[order], order % len(faces)
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(1)])
    counts = np.diff(np.r_[starts, len(ordered)])
    pairs = starts[counts == 2]
    return np.stack([owner[pairs], owner[pairs + 1]], axis=1)


def bind(mesh: Mesh, per_triangle: int, degree: int, thickness: float) -> BoundGaussians:
    """Gaussians as they begin: faint, round in the plane, in the mesh's colours (grey if it has none)."""
    corners = mesh.vertices[mesh.faces]
    scales = np.repeat(first_scales(corners, per_triangle), per_triangle)
    places = BARYCENTRICS[per_triangle]
    rgb = np.full((len(mesh.vertices), 3), 0.5) if mesh.colors is None else mesh.colors[:, :3] / 255
    sh = np.zeros((len(scales), (degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = ((places @ rgb[mesh.faces]).reshape(-1, 3) - 0.5) / C0
    return BoundGaussians(
        vertices=mesh.vertices, faces=mesh.faces, colors=mesh.colors, barycentrics=places,
        log_scales=np.log(scales)[:, None].repeat(2, axis=1).astype(np.float32),
        turns=np.tile(np.array([1, 0], np.float32), (len(scales), 1)),
        opacity_logits=np.full(len(scales), np.log(FIRST_OPACITY / (1 - FIRST_OPACITY)), np.float32),
        sh=sh, thickness=thickness, unit=mesh.unit, name=mesh.name,
    )  # fmt: skip


class Refiner:
    """One refinement: the learned parameters and their optimiser."""

    def __init__(
        self, bound: BoundGaussians, params: SugarParams, views: Views, training: np.ndarray, size: float,
        background: Tensor | None, run: Run,
    ) -> None:  # fmt: skip
        self.bound, self.params, self.views, self.training, self.run = bound, params, views, training, run
        self.size, self.background = size, background
        device = run.device
        self.faces = torch.tensor(bound.faces, dtype=torch.int64, device=device)
        self.edges = torch.tensor(edge_neighbours(bound.faces), device=device)
        self.places = torch.tensor(bound.barycentrics, dtype=torch.float32, device=device)
        splatting = params
        rates = {
            "vertices": splatting.position_rate * size, "log_scales": splatting.scale_rate,
            "turns": splatting.rotation_rate, "opacity_logits": splatting.opacity_rate,
            "sh_dc": splatting.colour_rate, "sh_rest": splatting.colour_rate / 20,
        }  # fmt: skip
        values = {
            "vertices": bound.vertices, "log_scales": bound.log_scales, "turns": bound.turns,
            "opacity_logits": bound.opacity_logits, "sh_dc": bound.sh[:, :1], "sh_rest": bound.sh[:, 1:],
        }  # fmt: skip
        self.parts = {
            k: torch.tensor(v, dtype=torch.float32, device=device).requires_grad_() for k, v in values.items()
        }
        groups = [{"params": [part], "lr": rates[kind], "kind": kind} for kind, part in self.parts.items()]
        self.adam = torch.optim.Adam(groups, lr=0.0, eps=1e-15, fused=True)
        self.order = np.zeros(0, np.int64)
        self.done = 0
        self.last = int(training[0])
        self.figures: dict[str, Tensor] = {}

    def gaussians(self) -> Gaussians:
        """Built of the parameters: derivatives flow back to them."""
        p = self.parts
        sh = torch.cat([p["sh_dc"], p["sh_rest"]], dim=1)
        corners = p["vertices"][self.faces]
        return gaussians_on(
            corners, self.places, p["log_scales"], p["turns"], p["opacity_logits"], sh, self.bound.thickness
        )

    def bends(self) -> Tensor:
        """Mean over the edges between two faces of 1 - cos of their normals."""
        corners = self.parts["vertices"][self.faces]
        normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = torch.nn.functional.normalize(normals, dim=1, eps=1e-30)
        first, second = normals[self.edges[:, 0]], normals[self.edges[:, 1]]
        return (1 - (first * second).sum(1)).mean() if len(self.edges) else normals.new_zeros(())

    def step(self, step: int) -> None:
        """One photo."""
        params, run = self.params, self.run
        rate = params.position_rate * self.size * params.position_decay ** (step / max(1, params.refine_steps))
        self.adam.param_groups[0]["lr"] = rate
        if not len(self.order):
            self.order = run.rng.permutation(self.training)
        self.last, self.order = int(self.order[0]), self.order[1:]
        view = self.views[self.last]
        background = self.background
        if background is None:
            background = torch.rand(3, generator=run.generator, device=run.device)
        degree = min(params.sh_degree, step // DEGREE_EVERY)
        image, truth = render(self.gaussians(), view.camera, background=background, degree=degree).image, None
        truth = view.over(background)
        if params.transparency == "ignore" and view.alpha is not None:
            image, truth = image * view.alpha, view.colours * view.alpha
        l1, alike, bends = (image - truth).abs().mean(), ssim(image, truth), self.bends()
        loss = (1 - params.dssim) * l1 + params.dssim * (1 - alike) + params.consistency_weight * bends
        loss.backward()
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self.done = step + 1
        self.figures = {"loss": loss.detach(), "L1": l1.detach(), "SSIM": alike.detach(), "bends": bends.detach()}

    @torch.no_grad()
    def picture(self, index: int, background: Tensor) -> tuple[Tensor, Tensor]:
        """Render and photo (3, H, W)."""
        view = self.views[index]
        degree = min(self.params.sh_degree, max(0, self.done - 1) // DEGREE_EVERY)
        shown = render(self.gaussians(), view.camera, background=background, degree=degree)
        return shown.image.clamp(0, 1), view.over(background)

    @torch.no_grad()
    def result(self) -> BoundGaussians:
        """The bound Gaussians as they are now; vertices take the mean colour of the Gaussians around them."""
        p = {kind: part.detach().cpu().numpy() for kind, part in self.parts.items()}
        degree = min(self.params.sh_degree, max(0, self.done - 1) // DEGREE_EVERY)
        sh = np.concatenate([p["sh_dc"], p["sh_rest"]], axis=1)[:, : (degree + 1) ** 2]
        count = len(self.bound.barycentrics)
        opacity = 1 / (1 + np.exp(-p["opacity_logits"].astype(float)))
        rgb = np.clip(0.5 + C0 * p["sh_dc"][:, 0].astype(float), 0, 1)
        weighted = np.concatenate([rgb * opacity[:, None], opacity[:, None]], axis=1)
        of_face = weighted.reshape(-1, count, 4).sum(1)
        sums = np.zeros((len(self.bound.vertices), 4))
        for corner in range(3):
            np.add.at(sums, self.bound.faces[:, corner], of_face)
        colours = np.full((len(sums), 4), 255, np.uint8)
        colours[:, :3] = np.rint(255 * sums[:, :3] / np.maximum(sums[:, 3:], 1e-12)).astype(np.uint8)
        return self.bound.replace(
            vertices=p["vertices"].astype(np.float64), log_scales=p["log_scales"], turns=p["turns"],
            opacity_logits=p["opacity_logits"], sh=sh, colors=colours,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        moments = {
            k: {m: s[m] for m in ("step", "exp_avg", "exp_avg_sq")}
            for k, p in self.parts.items()
            if (s := self.adam.state.get(p))
        }
        return {
            "done": self.done, "order": self.order, "parts": {k: p.detach() for k, p in self.parts.items()},
            "moments": moments,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.done, self.order = state["done"], np.asarray(state["order"])
        with torch.no_grad():
            for kind, part in self.parts.items():
                part.copy_(state["parts"][kind])
        for kind, moments in state["moments"].items():
            self.adam.state[self.parts[kind]] = {k: v.clone() for k, v in moments.items()}
