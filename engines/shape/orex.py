"""OReX: a surface from planar cross-sections, by a neural field (Sawdayee, Vaxman, Bermano; CVPR 2023).

Contours on planes say where an unknown solid is and is not. A network L(x) (:mod:`engines.blocks.iterative_field`)
learns this from labelled points in and around the contours (:mod:`engines.blocks.contour_sampling`):

    E = mean_i BCE(sigmoid(L_i(x)), y) + lambda mean max(0, |grad L_N(x)| - alpha),        i = 1 .. N

Every iteration i of the network is supervised. The second term, the hinge, keeps the logit from saturating between
the nodes of the grid on which it is meshed, where linear zero crossings would be badly placed. Sampling is
hierarchical: level l = 0, 1, .. puts points at distance r_l = 0.5^e_l from the contours, nearer and nearer, and
training goes from level to level, keeping the points of the last few. Network, optimiser and learning rate carry
over.

The surface is the zero set of L_N by dual contouring. L_N > 0 is outside. All is done in a frame in which the
vertices' mean is the origin and the largest coordinate is 1 / 1.1, and undone in what is returned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from engines.blocks.adam import Adam
from engines.blocks.contour_sampling import Samples, flatten, plane_contours, points_on_contours
from engines.blocks.floating_pieces import floating_faces
from engines.blocks.iterative_field import IterativeField
from engines.blocks.iterative_loss import IterativeLoss
from engines.blocks.normalisation import Similarity
from engines.blocks.polygons import self_crossing
from engines.blocks.sectioning import conflicts
from engines.core import Artifact, Example, Paper, Run, UserError, method
from engines.data import Curve, GridField, Mesh, Model, Slices, Table
from engines.shape.analytic import TorusParams, torus_slices
from engines.shape.field_surface import crossing_histogram, extract, preview
from engines.shape.live_overlap import LiveOverlap
from engines.shape.orex_params import AS_PUBLISHED, QUICK, OrexParams, chunk_size, memory
from engines.shape.orex_plan import Subject, batches, stages
from engines.shape.sample_field import to_model
from engines.shape.surfaces import scored

LOG_EVERY, OVERLAP_EVERY = 10, 50


@dataclass(frozen=True)
class Reconstruction:
    mesh: Annotated[tuple[Mesh, ...], "the surface, one for each label"]
    field: Annotated[tuple[GridField, ...], "logit, positive outside; interpolated far from the surface"]
    model: Annotated[tuple[Model, ...], "the trained network"]
    crossings: Annotated[Curve, "where the surface crosses the grid's edges; flat is good, piles at 0 and 1 ripple"]
    levels: Annotated[tuple[Mesh, ...], "the surface after each level, if asked for"]
    scores: Annotated[Table | None, "how near the reference the surface is"]


def torus_example(planes: int, points: int) -> Mapping[str, Artifact]:
    return torus_slices.run({}, TorusParams(planes=planes, points_per_contour=points), Run(seed=3))


def one_plane() -> Mapping[str, Artifact]:
    slices: Any = torus_example(4, 40)["slices"]
    return {"slices": slices.select(slices.loop_planes == slices.loop_planes[0])}


def no_contours() -> Mapping[str, Artifact]:
    slices: Any = torus_example(4, 40)["slices"]
    return {"slices": slices.select(np.zeros(slices.loop_count, bool))}


PAPER = Paper(
    title="OReX: Object Reconstruction from Planar Cross-sections Using Neural Fields",
    authors="Haim Sawdayee and Amir Vaxman and Amit H. Bermano",
    year=2023,
    venue="CVPR",
    url="https://arxiv.org/abs/2211.12886",
)


@method(
    key="orex",
    title="OReX",
    family="shape",
    job="Reconstruct a smooth closed surface from contours drawn on a few planes.",
    paper=PAPER,
    presets={"quick": QUICK, "paper": AS_PUBLISHED},
    sample=Example(lambda: torus_example(12, 160), QUICK, "Torus, oblique slices"),
    smoke=Example(
        lambda: torus_example(6, 40),
        {
            "steps": 100, "batch": 1024, "iterations": 2, "white_noise": 128, "hull_samples": 512, "resolution": 32,
            "width": 32, "depth": 2, "epochs": (1, 1), "samples": (2, 2), "radius_exponents": (3, 4),
            "hinge_threshold": 10.0,
        },
        "A very small torus",
    ),
    degenerate=(
        Example(one_plane, {"steps": 10}, "Contours on one plane only"),
        Example(no_contours, {"steps": 10}, "No contours at all"),
    ),
    memory=memory,
    tags=("cross-sections", "contours", "neural field", "implicit surface", "segmentation", "medical"),
)  # fmt: skip
def reconstruct(
    slices: Annotated[Slices, "closed contours on two planes or more, in any directions"],
    reference: Annotated[Mesh | None, "the true surface, to measure against while training"],
    params: OrexParams,
    run: Run,
) -> Reconstruction:
    """Fit an inside-outside field to labelled points around the contours and mesh its zero set."""
    subjects = prepare(slices, params, run)
    overlap = LiveOverlap(reference, subjects[0].similarity) if reference and len(subjects) == 1 else None
    state = run.restored() or {"fitted": [], "levels": []}
    for number, subject in enumerate(subjects):
        share = 0.9 / len(subjects)
        if number < len(state["fitted"]):  # before the checkpoint
            for _ in run.steps(0, f"Fitting {subject.name}", share=share):
                pass
        else:
            fit(subject, params, run, state, overlap, share)
    return finish(subjects, reference, state, params, run)


def prepare(slices: Slices, params: OrexParams, run: Run) -> list[Subject]:
    """The surfaces to make. Warns of what looks wrong; raises :class:`UserError` when none can be made."""
    if slices.loop_count == 0:
        raise UserError("The slices have no contours.", "All planes are empty.", "Load slices with contours.")
    found = conflicts(slices)
    if found.conflicting:
        run.warn(
            f"Planes contradict each other at {found.conflicting:,} of {found.samples:,} points on the lines where "
            "they meet: one says inside, the other outside. The surface will be a compromise there."
        )
    crossed = int(self_crossing(flatten(slices), slices.loop_starts).sum())
    if crossed:
        run.warn(f"{crossed:,} contours cross themselves. What an odd number of turns surrounds counts as inside.")
    numbers = slices.labels.tolist() if params.labels == "each" else []
    parts = [(n, slices.only(n)) for n in numbers] if len(numbers) > 1 else [(0, slices)]
    subjects = []
    for number, part in parts:
        name = f"Label {number}" if len(parts) > 1 else slices.name or "Contours"
        if len(np.unique(part.loop_planes)) < 2:
            if len(parts) == 1:
                raise UserError(
                    "All contours lie on one plane.", "One slice cannot define a volume.", "Add a second slice."
                )
            run.warn(f"{name} has contours on one plane only and is left out: one slice cannot define a volume.")
            continue
        similarity = Similarity.of(part.vertices, length_unit=slices.unit)
        vertices = similarity.apply(part.vertices)
        subjects.append(Subject(number, name, similarity, plane_contours(part, vertices), vertices))
    if not subjects:
        raise UserError(
            "No label has contours on two planes.",
            "One slice cannot define a volume.",
            "Add slices, or join the labels.",
        )
    return subjects


def fit(
    subject: Subject, params: OrexParams, run: Run, state: dict[str, Any], overlap: LiveOverlap | None, share: float
) -> None:
    """Train one field and append its parameters to ``state["fitted"]``; go on from what ``state`` holds."""
    plan = stages(params, [subject.sample_count(level, params) for level in range(len(params.epochs))])
    total = plan[-1].first + plan[-1].steps
    field = subject.start(params, run)
    optimiser = Adam(field.flat, params.weight_decay)
    loss = IterativeLoss(field, params.hinge_weight, params.hinge_threshold, chunk_size(params))
    begin = state.get("step", 0)
    if begin:
        field.flat.copy_(state["flat"])
        optimiser.restore(state["optimiser"])
    curve = (lambda key: f"{key}, {subject.name}") if subject.label else str
    good = field.flat.clone()
    stage, supply = plan[0], iter(())
    for step in run.steps(total, f"Fitting {subject.name}", start=begin, share=share):
        if step == begin or step == stage.first + stage.steps:
            stage = next(s for s in plan if s.first <= step < s.first + s.steps)
            samples = Samples.join([subject.samples(level, params, run.seed) for level in stage.levels])
            run.note(
                f"{subject.name}, level {stage.levels[-1] + 1}: {len(samples.labels):,} samples, {stage.steps:,} steps"
            )
            key = (run.seed, subject.label + 2**31, 2**20 + stage.levels[-1])
            supply = batches(samples, params.batch, key, step - stage.first, run.device)
        points, labels = next(supply)
        now = loss(points, labels, lambda: run.check(whole=True))
        rate = params.learning_rate * params.decay ** (stage.epoch(step) // params.decay_epochs)
        optimiser.step(loss.gradient, rate)
        if step % LOG_EVERY == 0 or step == total - 1:
            if not math.isfinite(float(now.total(params.hinge_weight))):
                run.warn(f"The loss is not finite at step {step}: training stops, the last good state is kept.")
                field.flat.copy_(good)
                break
            good.copy_(field.flat)
            run.log(**{curve("BCE"): now.bce, curve("hinge"): now.hinge, curve("learning rate"): rate})
        if overlap is not None and (step % OVERLAP_EVERY == OVERLAP_EVERY - 1 or step == total - 1):
            run.log(**{"IoU": overlap(field)})
        if params.level_meshes and step == stage.first + stage.steps - 1:
            state["levels"].append(field.flat.detach().clone())
        state.update({"step": step + 1, "flat": field.flat, "optimiser": optimiser.state()})
        run.preview(lambda: preview(field, subject.similarity, subject.name, subject.surface_name))
        run.checkpoint(lambda: state)
    del state["step"], state["flat"], state["optimiser"]
    state["fitted"].append(field.flat.detach().clone())


def finish(
    subjects: list[Subject], reference: Mesh | None, state: dict[str, Any], params: OrexParams, run: Run
) -> Reconstruction:
    """Mesh what was fitted and measure it."""
    meshes, fields, models, levels, ratios = [], [], [], [], []
    for _, (subject, flat) in zip(
        run.steps(len(subjects), "Meshing", share=0.08), zip(subjects, state["fitted"], strict=True), strict=False
    ):
        field = IterativeField(params.architecture, flat)
        seeds = points_on_contours(subject.planes, 0.02)
        try:
            surface = extract(field, subject.similarity, params.resolution, params.vertex_pull, seeds, run)
        except UserError as error:
            if len(subjects) == 1:
                raise
            run.warn(f"{subject.name} is left out. {error}")
            continue
        mesh = supported(surface.mesh, subject, params, params.resolution, run)
        meshes.append(mesh.replace(name=subject.surface_name))
        fields.append(surface.field.replace(name=f"{subject.name}, field"))
        models.append(to_model(field, subject.similarity, subject.name))
        ratios.append(surface.ratios)
    for number, flat in enumerate(state["levels"]):
        subject = subjects[number // max(1, len(state["levels"]) // len(subjects))]
        field = IterativeField(params.architecture, flat)
        try:
            surface = extract(field, subject.similarity, params.level_resolution, params.vertex_pull, None, run)
            mesh = supported(surface.mesh, subject, params, params.level_resolution, run)
            levels.append(mesh.replace(name=f"{subject.name}, after stage {number + 1}"))
        except UserError:
            run.note(f"{subject.name} had no surface after stage {number + 1}.")
    if not meshes:
        raise UserError("No label gave a surface.", "The fields have no zero level set.", "Train longer.")
    return Reconstruction(
        tuple(meshes),
        tuple(fields),
        tuple(models),
        crossing_histogram(np.concatenate(ratios)),
        tuple(levels),
        scored(meshes, reference, run),
    )


def supported(mesh: Mesh, subject: Subject, params: OrexParams, resolution: int, run: Run) -> Mesh:
    """The mesh, meshed on ``resolution`` cells, without the pieces that no contour speaks for; the field keeps them."""
    if not params.drop_floating:
        return mesh
    diagonal = math.sqrt(3) * 2 / resolution  # of a cell: a vertex lies at most that far from a crossing in its cell
    gone, pieces = floating_faces(subject.similarity.apply(mesh.vertices), mesh.faces, subject.planes, diagonal)
    if not pieces:
        return mesh
    what = "piece of the surface was" if pieces == 1 else "pieces of the surface were"
    run.note(f"{subject.name}: {pieces:,} {what} left out; no contour comes near, no section asks for it.")
    kept, faces = np.unique(mesh.faces[~gone], return_inverse=True)
    return Mesh(vertices=mesh.vertices[kept], faces=faces.reshape(-1, 3).astype(mesh.faces.dtype))
