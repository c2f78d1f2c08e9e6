"""SuGaR: an editable mesh, and Gaussians bound to it, from photos (Guédon and Lepetit, CVPR 2024).

A cloud of Gaussians is trained on the photos, then pulled onto a surface, by two terms added to the photometric loss:

    R = mean_p |d(p) - d_bar(p)|      or, in sdf mode,      mean_p ||f^(p)| - |f(p)||,
    N = mean_p |n_g - grad f / |grad f||^2

(:mod:`engines.blocks.splatting.surface_alignment`). Rays of the photos meet a level of the density d in points with
normals (:mod:`.level_set`), Poisson reconstruction makes them a mesh, flat Gaussians are bound to its triangles
(:mod:`.bound_gaussians`), and both are fitted to the photos once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any

import numpy as np
import torch

from engines.blocks.cameras import extent
from engines.blocks.image_scores import ImageScores
from engines.blocks.ray_casting import RayCaster, mesh_picture
from engines.blocks.splatting import Gaussians, without_fast_renderer
from engines.blocks.views import Views, held_out
from engines.core import Artifact, Example, Paper, Run, UserError, method
from engines.data import BoundGaussians, Curve, GaussianCloud, GridField, Image, Mesh, Photos, PointCloud, Table
from engines.shape.bake_texture import BakeTextureParams, textured
from engines.shape.gaussian_splatting import few_photos, start
from engines.shape.gaussian_splatting import memory as splatting_memory
from engines.shape.splatting_results import side_by_side, to_cloud
from engines.shape.sugar_coarse import CoarseTrainer, flatness, from_cloud
from engines.shape.sugar_mesh import (
    RAYS,
    ColouredSurface,
    Oriented,
    as_mesh,
    as_points,
    centre_points,
    density_grid,
    foreground,
    level_points,
    marched,
    surface_through,
)
from engines.shape.sugar_params import PUBLISHED, QUICK, SugarParams
from engines.shape.sugar_refine import THINNESS, Refiner, bind, sound

LOG_EVERY = 10
SHOWN_VIEWS = 6
PAPER = Paper(
    title="SuGaR: Surface-Aligned Gaussian Splatting for Efficient 3D Mesh Reconstruction and High-Quality Mesh "
    "Rendering",
    authors="Antoine Guédon and Vincent Lepetit",
    year=2024,
    venue="CVPR",
    url="https://arxiv.org/abs/2311.12775",
)


@dataclass(frozen=True)
class Sugar:
    coarse: Annotated[GaussianCloud | None, "the Gaussians, aligned with the surface"]
    density: Annotated[GridField | None, "of the aligned Gaussians; its level is where the surface lies"]
    points: Annotated[PointCloud | None, "where the mesh goes through"]
    mesh: Annotated[Mesh, "before it was refined"]
    bound: Annotated[BoundGaussians, "flat Gaussians in the refined mesh, which follow its edits"]
    refined: Annotated[Mesh, "the mesh after it was fitted to the photos with its Gaussians"]
    textured: Annotated[Mesh | None, "the same with a texture, if one was wanted"]
    stages: Annotated[Table, "how near renders come to photos that were kept back, after each stage"]
    scores: Annotated[Table | None, "the same for each such photo"]
    flatness: Annotated[Curve | None, "smallest scale of the Gaussians in parts of the middle one, before and after"]
    opacities: Annotated[Curve | None, "of the Gaussians, before and after"]
    renders: Annotated[tuple[Image, ...], "render, photo and error of such photos"]


def two_photos() -> Mapping[str, Artifact]:
    photos: Any = few_photos(4, 16, 50)["photos"]
    return {"photos": photos.replace(held_out=np.arange(len(photos)) >= 2)}


SMOKE = {
    **QUICK, "iterations": 60, "densify_from": 20, "densify_every": 30, "densify_until": 50, "entropy_steps": 10,
    "regularised_steps": 20, "samples": 500, "prune_opacity": 0.05, "level": 0.1, "poisson_depth": 5,
    "target_vertices": 150, "per_triangle": "1", "refine_steps": 20,
}  # fmt: skip


def memory(inputs: Mapping[str, Artifact], params: SugarParams) -> int:
    """Bytes: those of the trainer; and at each sample 17 numbers of each neighbour, about five times over."""
    aligned = 5 * 4 * 17 * params.samples * params.neighbours
    rays = 4 * RAYS * params.ray_samples * params.neighbours * 4
    found = 100 * params.surface_points + 400 * 2 * params.target_vertices * int(params.per_triangle)
    return splatting_memory(inputs, params) + max(aligned, rays + found)


@method(
    key="sugar",
    title="SuGaR",
    family="shape",
    job="Turn photos with known cameras into a mesh with Gaussians bound to it, that can be edited and drawn.",
    paper=PAPER,
    presets={"quick": QUICK, "paper": PUBLISHED},
    sample=Example(lambda: few_photos(24, 96, 1000), QUICK, "Photos of a torus"),
    smoke=Example(lambda: few_photos(6, 48, 300), SMOKE, "Six small photos"),
    degenerate=(
        Example(two_photos, SMOKE, "Two photos"),
        Example(lambda: few_photos(4, 32, 100), {**SMOKE, "prune_opacity": 0.99}, "Everything is pruned"),
        Example(lambda: few_photos(4, 32, 100), {**SMOKE, "box": (0, 0, 0, 1, 1, 0)}, "A box without room"),
    ),
    memory=memory,
    lighter=("limit", "samples", "image_scale", "target_vertices"),
    tags=("photos", "mesh", "radiance field", "Gaussian splatting", "editing", "splats", "Poisson"),
)  # fmt: skip
def sugar(
    photos: Annotated[Photos, "with their cameras"],
    cloud: Annotated[GaussianCloud | None, "trained on them already; else it is trained first"],
    mesh: Annotated[Mesh | None, "to bind Gaussians to; else it is made from the cloud"],
    params: SugarParams,
    run: Run,
) -> Sugar:
    """Train a cloud, align it with the surface, mesh it, bind Gaussians to the mesh, and refine both.

    With a mesh given, such as one that was edited, only the last two are left to do.
    """
    kept_back = held_out(photos, params.hold_out)
    training = np.flatnonzero(~kept_back)
    if len(training) < 3:
        raise UserError(
            f"{len(training)} photos are left to train on.",
            "A surface needs at least 3, from different places.",
            "Import more photos, or hold out fewer of them.",
        )
    if reason := without_fast_renderer(run.device):
        run.warn(reason)
    views = Views(photos, params.image_scale, run.device)
    size = extent([views.cameras[i] for i in training])
    if size == 0:
        raise UserError(
            "All cameras stand in one place.",
            "From there no photo shows how far anything is.",
            "Add photos from other places, or check how the poses were read.",
        )
    return Pipeline(photos, cloud, mesh, params, views, training, np.flatnonzero(kept_back), size, run).carry_out()


class Pipeline:
    """One run, which may begin in any of its phases."""

    def __init__(
        self, photos: Photos, cloud: GaussianCloud | None, mesh: Mesh | None, params: SugarParams, views: Views,
        training: np.ndarray, kept_back: np.ndarray, size: float, run: Run,
    ) -> None:  # fmt: skip
        self.photos, self.cloud, self.given, self.params, self.run = photos, cloud, mesh, params, run
        self.views, self.training, self.kept_back, self.size = views, training, kept_back, size
        self.trainer = CoarseTrainer(params, views, training, size, run)
        self.cameras = [views.cameras[i] for i in training]
        self.shares = self._shares()
        self.score = ImageScores(run)
        self.found: dict[str, Any] = {"levels": {}}
        """What the stages before gave, as arrays: travels in the checkpoints."""

    def _shares(self) -> dict[str, float]:
        """Of the run's time, by a rough count of work."""
        p = self.params
        work = {
            "Training": float(p.iterations if self.cloud is None else 0),
            "Clearing": float(p.entropy_steps),
            "Aligning": p.regularised_steps * (1 + p.samples / 4000),
            "Surface": 20.0 + p.surface_points / 2000,
            "Refining": 2.0 * p.refine_steps + 1,
            "Baking": 4.0 * len(self.photos) if p.texture else 0.0,
        }
        if self.given is not None:
            work = {name: work[name] for name in ("Refining", "Baking")}
        return {name: 0.97 * part / sum(work.values()) for name, part in work.items()}

    def carry_out(self) -> Sugar:
        saved = self.run.restored()
        if saved:
            self.found = saved["found"]
        if self.given is not None:
            refiner = self._refine(saved["refiner"] if saved else None)
        elif not saved or "trainer" in saved:
            self._coarse(saved["trainer"] if saved else None)
            self._mesh()
            refiner = self._refine(None)
        else:
            for phase in ("Training", "Clearing", "Aligning", "Surface"):
                for _ in self.run.steps(1, phase, start=1, share=self.shares[phase]):
                    pass
            refiner = self._refine(saved["refiner"])
        return self._finish(refiner)

    # Phases A to C

    def _coarse(self, saved: dict[str, Any] | None) -> None:
        p, trainer, run = self.params, self.trainer, self.run
        if saved:
            trainer.restore(saved)
        elif self.cloud is not None:
            trainer.begin(from_cloud(self.cloud, p.sh_degree, run))
            trainer.done = p.iterations
        else:
            trainer.begin(start(self.photos, trainer.params, self.views, run))
        self._phase("Training", 0, p.iterations)
        if trainer.done == p.iterations:
            self._remember("Splats", trainer.gaussians())
        self._phase("Clearing", p.iterations, trainer.prune_at)
        if trainer.done == trainer.prune_at:
            trainer.prune()
        self._phase("Aligning", trainer.prune_at, p.last_step)
        self._remember("Aligned splats", trainer.gaussians())

    def _phase(self, label: str, first: int, end: int) -> None:
        """Steps ``first`` to ``end`` of the cloud's training, as far as they are not done yet."""
        trainer, run = self.trainer, self.run
        begin = min(max(trainer.done, first), end)
        for index in run.steps(end - first, label, start=begin - first, share=self.shares[label]):
            step = first + index
            trainer.step(step)
            if step % LOG_EVERY == 0:
                run.log(step=step, **trainer.figures, **trainer.terms)
            if (step + 1) % max(100, self.params.last_step // 40) == 0 and len(self.kept_back):
                run.log(step=step, **{"PSNR, held out": trainer.held_out_psnr(self.kept_back[:3])})
            run.preview(trainer.preview)
            run.checkpoint(lambda: {"found": self.found, "trainer": trainer.state()})

    def _remember(self, stage: str, gaussians: Gaussians) -> None:
        """Measure a stage of the cloud."""
        self.found["levels"][stage] = self._scores(self.trainer.picture(int(i)) for i in self.kept_back)
        self.found[stage] = {
            "count": len(gaussians),
            "flatness": flatness(gaussians),
            "opacities": gaussians.opacity_logits.sigmoid().cpu().numpy().astype(np.float64),
        }

    def _scores(self, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> np.ndarray:
        """(photos kept back, kinds) of renders and photos."""
        rows = [self.score(shown, photo) for shown, photo in pairs]
        return self.score.table(rows) if rows else np.zeros((0, 2))

    # Phases D and E

    def _mesh(self) -> None:
        p, run, gaussians = self.params, self.run, self.trainer.gaussians()
        share, oriented = self.shares["Surface"], None
        box = foreground(self.cameras, self.size, p)
        resolution = 2**p.poisson_depth if p.extraction == "marching cubes" else p.density_resolution
        field = density_grid(gaussians, box, resolution, p, run, 0.2 * share)
        if p.extraction == "marching cubes":
            surface = marched(field, gaussians, p.level)
        else:
            if p.extraction == "centres":
                oriented = centre_points(gaussians, self.cameras, run, 0.5 * share)
            else:
                oriented = level_points(gaussians, self.cameras, self.trainer.fixed_background, p, run, 0.5 * share)
                if p.depth_from == "blended":
                    run.note("Rays start from the blended depth.")
            for _ in run.steps(1, "Reconstructing", share=0.3 * share):
                surface = surface_through(oriented, self.cameras, self.size, p, run)
        run.note(f"Mesh: {len(surface.vertices):,} vertices, {len(surface.faces):,} triangles.")
        self.found |= {
            "cloud": vars(gaussians),
            "density": {"values": field.values, "origin": field.origin, "spacing": field.spacing},
            "points": None if oriented is None else oriented._asdict(),
            "surface": surface._asdict(),
        }

    # Phase F

    def _triangles(self) -> Mesh:
        """The mesh to bind to: the given one, or what was found."""
        if self.given is not None:
            return sound(self.given, self.run)
        found = ColouredSurface(**self.found["surface"])
        return sound(as_mesh(found, self.photos.unit, self._name("Mesh")), self.run)

    def _refine(self, saved: dict[str, Any] | None) -> Refiner:
        p, run = self.params, self.run
        self.mesh = self._triangles()
        bound = bind(self.mesh, int(p.per_triangle), p.sh_degree, THINNESS * self.size)
        refiner = Refiner(bound, p, self.views, self.training, self.size, self.trainer.background, run)
        if saved:
            refiner.restore(saved)
        else:
            self._measure_bound("Bound, unrefined", refiner)
        for step in run.steps(p.refine_steps, "Refining", start=refiner.done, share=self.shares["Refining"]):
            refiner.step(step)
            if step % LOG_EVERY == 0:
                figures = {name: float(value) for name, value in refiner.figures.items()}
                if not np.isfinite(figures["loss"]):
                    raise UserError(
                        f"The loss is not finite at step {step} of refinement.", "The learning rates are too high.",
                        "Lower them.",
                    )  # fmt: skip
                run.log(step=p.last_step + step, **figures)
            run.preview(lambda: self._refined_preview(refiner))
            run.checkpoint(lambda: {"found": self.found, "refiner": refiner.state()})
        self._measure_bound("Bound, refined", refiner)
        return refiner

    def _measure_bound(self, stage: str, refiner: Refiner) -> None:
        background = self.trainer.fixed_background
        self.found["levels"][stage] = self._scores(refiner.picture(int(i), background) for i in self.kept_back)
        self.found[stage] = {"count": len(refiner.bound)}

    def _refined_preview(self, refiner: Refiner) -> dict[str, Artifact]:
        bound = refiner.result()
        shown, photo = refiner.picture(refiner.last, self.trainer.fixed_background)
        return {"bound": bound, "refined": bound.mesh, "view": side_by_side(shown, photo)}

    # Phase G

    def _texture(self, bound: BoundGaussians) -> Mesh:
        """The refined mesh with a texture, which is measured as the other stages are."""
        settings = BakeTextureParams(square=self.params.texture_square)
        mesh = textured(bound, self.views, self.photos, settings, self.run, self.shares["Baking"])
        caster, pairs = RayCaster(mesh.vertices, mesh.faces, self.run.check), []
        for i in self.kept_back:
            view = self.views[int(i)]
            made = mesh_picture(mesh, caster, view.camera)
            rgba = torch.from_numpy(made).permute(2, 0, 1).to(self.run.device)
            background = self.trainer.fixed_background
            shown = rgba[:3] * rgba[3:] + background[:, None, None] * (1 - rgba[3:])
            pairs.append((shown, view.over(background)))
        self.found["levels"]["Textured mesh"] = self._scores(pairs)
        self.found["Textured mesh"] = {"count": 0}
        return mesh

    # The result

    def _name(self, what: str) -> str:
        return self.photos.name_for(what)

    def _finish(self, refiner: Refiner) -> Sugar:
        found, unit = self.found, self.photos.unit
        bound = refiner.result().replace(name=self._name("Bound Gaussians"))
        textured = self._texture(bound) if self.params.texture else None
        pictures = []
        for number in self.run.steps(min(SHOWN_VIEWS, len(self.kept_back)), "Measuring"):
            index = int(self.kept_back[number])
            shown = side_by_side(*refiner.picture(index, self.trainer.fixed_background))
            pictures.append(shown.replace(name=PurePath(self.photos.label(index)).stem))
        stages, scores = self._tables()
        points, cloud = found.get("points"), found.get("cloud")
        if cloud is not None:
            cloud = to_cloud(Gaussians(**cloud), self.photos).replace(name=self._name("Aligned splats"))
        field = found.get("density")
        if field is not None:
            level = self.params.level
            name = self._name("Density")
            field = GridField(**field, quantity="density", length_unit=unit, level=level, name=name)
        before, after = found.get("Splats"), found.get("Aligned splats")
        return Sugar(
            coarse=cloud,
            density=field,
            points=None if points is None else as_points(Oriented(**points), unit, self._name("Surface points")),
            mesh=self.mesh,
            bound=bound,
            refined=bound.mesh.replace(name=self._name("Refined mesh")),
            textured=textured,
            stages=stages,
            scores=scores,
            flatness=histograms(before, after, "flatness", "smallest scale in parts of the middle one"),
            opacities=histograms(before, after, "opacities", "opacity"),
            renders=tuple(pictures),
        )

    def _tables(self) -> tuple[Table, Table | None]:
        """A row for each stage; and, for each photo kept back, a row with the figures of all stages."""
        kinds = self.score.kinds if len(self.kept_back) else ("PSNR", "SSIM")
        levels = {n: self.score.table(v) if len(v) else v for n, v in self.found["levels"].items()}
        names = list(levels)
        mean = [levels[n].mean(0) if len(levels[n]) else np.full(len(kinds), np.nan) for n in names]
        thin = [float(np.median(f)) if (f := self.found[n].get("flatness")) is not None else 0.0 for n in names]
        stages = Table(
            columns={
                "Stage": np.array(names),
                "Gaussians": np.array([self.found[n]["count"] for n in names]),
                **{kind: np.array([m[k] for m in mean]) for k, kind in enumerate(kinds)},
                "Smallest scale in parts of the middle, median": np.array(thin),
            },
            units={"PSNR": "dB"}, name="Stages",
        )  # fmt: skip
        if not len(self.kept_back):
            return stages, None
        for name, values in zip(names, mean, strict=True):
            self.run.note(f"{name}, held-out photos: {self.score.words(values)}.")
        columns = {"Photo": np.array([self.photos.label(int(i)) for i in self.kept_back])}
        for kind, what in enumerate(kinds):
            columns |= {f"{what}: {name}": levels[name][:, kind] for name in names}
        units = {f"PSNR: {name}": "dB" for name in names}
        return stages, Table(columns=columns, units=units, name="Scores")


def histograms(before: dict[str, Any] | None, after: dict[str, Any] | None, what: str, label: str) -> Curve | None:
    """The share of Gaussians over 40 bins of [0, 1], before and after the alignment; None if there was none."""
    if after is None:
        return None
    series = {}
    for name, values in (("before", before), ("after", after)):
        if values is not None:
            counts, edges = np.histogram(values[what], bins=40, range=(0.0, 1.0))
            series[name] = counts / max(1, counts.sum())
    return Curve(
        x=0.5 * (edges[1:] + edges[:-1]), series=series, x_label=label, y_label="share of Gaussians",
        name=label.capitalize(),
    )  # fmt: skip
