"""XHand: a hand avatar in real time, from video by several cameras (Gan et al. 2024, "XHand: Real-time Expressive Hand
Avatar").

A rigged template, subdivided to N vertices, learns how its surface, its colours and its skinning weights depend on the
pose theta. With z = MLP([theta / pi, l_v]) and a mean for each vertex (:mod:`engines.blocks.avatars.embedding`),

    dv, a, log w = mean_v + z_v softmax(Q)                       three feature embeddings
    v'           = s LBS(v + dv; theta, softmax(log w)) + t      the posed surface
    I            = clip(sigmoid(a) sum_k gamma_k Y_k(n), 0, 1)   its shading, gamma for each camera
    I_n          = renderer(x, I, n, a, z, ray, theta)           its picture, pixel by pixel; all of it detached

Four stages. On the first frame: colours, lights and its pose; then a displacement for each vertex as well. On all
frames: the embeddings, begun at what the first frame gave; then, with them, the renderer. What each minimises is below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch.nn.functional import l1_loss, mse_loss

from engines.blocks.avatars.avatar import STAGES
from engines.blocks.avatars.drawing import Shown
from engines.blocks.avatars.losses import mean_albedo
from engines.blocks.meshes.rasterising import without_fast_rasteriser
from engines.core import Artifact, Example, Paper, Run, UserError, method
from engines.data import Curve, HandAvatar, HandCapture, Image, Table
from engines.shape.made_hand import MadeHandParams, photograph_hand
from engines.shape.xhand_capture import Batch, Frames
from engines.shape.xhand_params import (
    CPU_DEMO,
    PUBLISHED,
    QUICK,
    HandTrainingParams,
    XhandParams,
    colours_alone,
)
from engines.shape.xhand_results import measured, strip
from engines.shape.xhand_stages import Losses, Stages

LOG_EVERY = 5
MEAN_ALBEDO_WEIGHT = 100.0
WEIGHTS_WEIGHT = 100.0
VERTEX_WEIGHT = 0.01
"""Of the posed surface's smoothness, in parts of that of its displacement; for uniform smoothing alone."""


def photometric(stages: Stages, batch: Batch, shown: Shown, image: torch.Tensor, share: float) -> torch.Tensor:
    """weight ((1 - a) mean |I - I*| where both show the hand + a D(I, I*)) of pictures (B, H, W, 3) on black."""
    truths = batch.truths
    seen, masks = shown.pixels, batch.masks
    if masks is None:  # what is behind the hand is not known to be black
        truths = truths * shown.fragments.mask[..., None]
    else:
        seen = seen[masks.flatten()[seen] > 0.5]
    ours, theirs = image.flatten(0, 2)[seen], truths.flatten(0, 2)[seen]
    difference = (1 - share) * (l1_loss(ours, theirs) if len(seen) else 0 * image.sum())
    if share:
        difference = difference + share * stages.likeness(image, truths)
    return stages.params.image_weight * difference


def outline(stages: Stages, batch: Batch, image: torch.Tensor) -> Losses:
    """How far the covered share of each pixel is from the photo's own mask, if that is to count."""
    if not stages.params.mask_weight or batch.masks is None or not batch.photographed:
        return {}
    return {"Outline": stages.params.mask_weight * mse_loss(image[..., 3], batch.masks)}


def albedo_loss(stages: Stages, batch: Batch) -> Losses:
    """First frame: 30 L1(I, photo) + MSE(mean albedo)."""
    _, shown = stages.draw(batch)
    image = shown.picture(shown.shaded(stages.avatar.gammas(batch.views)))
    return {
        "Photos": photometric(stages, batch, shown, image[..., :3], 0.0),
        "Mean albedo": mean_albedo(shown.albedo),
        **outline(stages, batch, image),
    }


def shape_loss(stages: Stages, batch: Batch) -> Losses:
    """First frame, displacements d as well: L1, smoothness of d, v + d and the albedo, mean albedo, longer edges."""
    p, keep = stages.params, stages.smoothing
    posed, shown = stages.draw(batch)
    image = shown.picture(shown.shaded(stages.avatar.gammas(batch.views)))
    surface = stages.avatar.rest + posed.displacement
    return {
        "Photos": photometric(stages, batch, shown, image[..., :3], 0.0),
        "Smoothness": stages.lap * (keep.rough(posed.displacement) + keep.fine(surface)),
        "Smooth albedo": p.albedo_weight * keep.rough(stages.avatar.albedo.mean),
        "Mean albedo": MEAN_ALBEDO_WEIGHT * mean_albedo(shown.albedo),
        "Edges": p.edge_weight * keep.growth(surface),
        **outline(stages, batch, image),
    }


def mesh_loss(stages: Stages, batch: Batch) -> Losses:
    """All frames, embeddings: the photos as I shows them, and all that keeps the surface near to what is known."""
    terms, *_ = _avatar_loss(stages, batch)
    return terms


def renderer_loss(stages: Stages, batch: Batch) -> Losses:
    """The same, and the photos as the neural renderer shows them."""
    terms, posed, shown, image = _avatar_loss(stages, batch)
    colours = stages.avatar.paint(posed, shown, shown.of_pixels(image[..., :3]))
    painted = shown.picture(colours, smooth=False)[..., :3]
    return {**terms, "Renderer": photometric(stages, batch, shown, painted, stages.params.perceptual)}


def _avatar_loss(stages: Stages, batch: Batch) -> tuple[Losses, Any, Shown, torch.Tensor]:
    p, keep, avatar = stages.params, stages.smoothing, stages.avatar
    posed, shown = stages.draw(batch)
    image = shown.picture(shown.shaded(avatar.gammas(batch.views)))
    scale = float(stages.scales[batch.frame])
    smoothness = stages.lap / 10 * keep.rough(posed.displacement)
    if p.smoothing == "uniform":
        smoothness = smoothness + VERTEX_WEIGHT * stages.lap * keep.all_of(posed.vertices)
    terms = {
        "Photos": photometric(stages, batch, shown, image[..., :3], p.perceptual),
        "Smoothness": smoothness,
        "Smooth albedo": keep.rough(posed.albedo),
        "Weights": keep.all_of(posed.weights) + WEIGHTS_WEIGHT * mse_loss(posed.weights, avatar.rest_weights),
        "Edges": p.edge_weight * scale**2 * keep.growth(posed.vertices / scale),
        "Displacement": l1_loss(posed.displacement, stages.first_displacement),
        **outline(stages, batch, image),
    }
    return terms, posed, shown, image


LOSSES = {"albedo": albedo_loss, "shape": shape_loss, "mesh": mesh_loss, "renderer": renderer_loss}


@dataclass(frozen=True)
class Xhand:
    avatar: Annotated[HandAvatar, "to be posed, seen from anywhere and exported"]
    scores: Annotated[Table, "how near its pictures come to photos that were kept back"]
    summary: Annotated[Table, "the same on average, by what was new: the camera, the pose or both"]
    errors: Annotated[Curve | None, "distance from the true surface in each frame, where that is known"]
    pictures: Annotated[tuple[Image, ...], "shaded, neural and photo, side by side, of such photos"]


def memory(inputs: Mapping[str, Artifact], params: HandTrainingParams) -> int:
    """Bytes: photos, what the networks remember of each vertex, and the renderer of each pixel, in one step."""
    capture: Any = inputs["capture"]
    p = params if isinstance(params, XhandParams) else colours_alone(params)
    sizes = capture.photos.sizes.astype(float)
    shrunk = min(1.0, p.side_length / max(1.0, sizes.max(initial=1)))
    pixels = sizes.prod(1) * shrunk**2
    vertices = 4**p.levels * len(capture.template.vertices)
    networks = 8 * p.displacement_width + 5 * (p.albedo_width + p.weights_width)
    by_vertex = 4 * vertices * (3 * networks + 40 * len(capture.template.joints) + 600)
    by_pixel = 4 * p.batch * pixels.max(initial=1) * (40 + (0.5 * (8 * p.renderer_width + 700) if p.neural else 100))
    return int(3e8 + min(4 * pixels.sum(), 2e9) + by_vertex + by_pixel)


PAPER = Paper(
    title="XHand: Real-time Expressive Hand Avatar",
    authors="Qijun Gan and Zijie Zhou and Jianke Zhu",
    year=2024,
    venue="arXiv:2407.21002",
    url="https://arxiv.org/abs/2407.21002",
)


def few_photos(**changes: Any) -> Mapping[str, Artifact]:
    given = {"views": 6, "held_out_views": 1, "poses": 5, "held_out_poses": 1, "resolution": 96, "levels": 1, **changes}
    return {"capture": photograph_hand(params=MadeHandParams(**given), run=Run(seed=1))}


def tiny() -> Mapping[str, Artifact]:
    return few_photos(views=2, poses=2, resolution=32, levels=0)


def in_millimetres() -> Mapping[str, Artifact]:
    capture: Any = tiny()["capture"]
    return {"capture": capture.replace(template=_times(capture.template, 1000.0))}


def looking_away() -> Mapping[str, Artifact]:
    capture: Any = tiny()["capture"]
    turned = capture.photos.world_to_camera.copy()
    turned[:, 2, 3] -= 100
    return {"capture": capture.replace(photos=capture.photos.replace(world_to_camera=turned))}


def _times(template: Any, factor: float) -> Any:
    return template.replace(vertices=factor * template.vertices, joints=factor * template.joints)


SMOKE = {
    **QUICK, "levels": 0, "side_length": 32, "albedo_epochs": 3, "shape_epochs": 3, "main_epochs": 4,
    "displacement_width": 16, "albedo_width": 8, "weights_width": 8, "renderer_width": 16, "batch": 2,
}  # fmt: skip
DEGENERATE = (
    Example(in_millimetres, SMOKE, "A hand in millimetres"),
    Example(looking_away, SMOKE, "Cameras that look away"),
)


@method(
    key="xhand",
    title="XHand",
    family="shape",
    job="Make an avatar of a hand, to be posed and seen from anywhere, from video by several cameras.",
    paper=PAPER,
    presets={"quick": QUICK, "CPU demo": CPU_DEMO, "paper": PUBLISHED},
    sample=Example(few_photos, QUICK, "A made hand"),
    smoke=Example(tiny, SMOKE, "A made hand, small"),
    degenerate=DEGENERATE,
    memory=memory,
    lighter=("levels", "side_length", "batch", "displacement_width"),
    tags=("hand", "avatar", "photos", "animation", "real time", "neural rendering"),
)
def xhand(
    capture: Annotated[HandCapture, "calibrated photos of one hand in many poses"],
    avatar: Annotated[HandAvatar | None, "to go on from: the stages that it has gone through are not done again"],
    params: XhandParams,
    run: Run,
) -> Xhand:
    """Colours and shape from the first frame, then detail that follows the pose and the renderer from all frames."""
    return train(capture, avatar, params, run)


@method(
    key="hand-template-baseline",
    title="Template with albedo",
    family="shape",
    role="baseline",
    job="Colour a hand's template and light it, from video by several cameras: what XHand's first stage gives.",
    presets={"quick": {k: v for k, v in QUICK.items() if k in HandTrainingParams.model_fields}},
    sample=Example(few_photos, {"levels": 1, "side_length": 96, "albedo_epochs": 30}, "A made hand"),
    smoke=Example(tiny, {"levels": 0, "side_length": 32, "albedo_epochs": 3, "batch": 2}, "A made hand, small"),
    degenerate=tuple(Example(e.inputs, title=e.title) for e in DEGENERATE),
    memory=memory,
    lighter=("levels", "side_length", "batch"),
    tags=("hand", "avatar", "photos", "baseline"),
)
def hand_template(
    capture: Annotated[HandCapture, "calibrated photos of one hand in many poses"],
    params: HandTrainingParams,
    run: Run,
) -> Xhand:
    """The bare template under spherical harmonics, with the colours that its first frame shows."""
    return train(capture, None, colours_alone(params), run)


def train(capture: HandCapture, given: HandAvatar | None, params: XhandParams, run: Run) -> Xhand:
    """The stages one after the other, from wherever the run or the given avatar stands."""
    if reason := without_fast_rasteriser(run.device):
        run.warn(reason)
    if given is not None:
        refuse_others(capture, given)
    stages = Stages(Frames(capture, params.side_length, run, outlined=params.cut_out), params, given, run, LOSSES)
    if stages.likeness.lacking and params.perceptual and params.main_epochs:
        run.note(f"{stages.likeness.lacking} In the loss, SSIM and slopes on three scales stand for it.")
    saved = run.restored()
    if saved:
        stages.restore(saved)
    ahead = to_do(stages, given)
    work = {stage: stages.steps(stage) * (3 if stage == "renderer" else 1) for stage in ahead}
    whole = max(1, sum(work.values()))

    def each() -> None:
        if stages.done % LOG_EVERY == 1 or stages.in_epoch[stages.stage] >= LOG_EVERY:
            run.log(step=stages.total_done, **stages.figures)
        run.preview(lambda: {"avatar": stages.artifact(), "view": strip(stages)})
        run.checkpoint(stages.state)

    for stage in ahead:
        if saved and STAGES.index(stage) < STAGES.index(saved["stage"]):
            for _ in run.steps(1, stage, start=1, share=0.95 * work[stage] / whole):
                pass
        else:
            stages.train(stage, 0.95 * work[stage] / whole, each)
    return Xhand(*measured(stages))


def to_do(stages: Stages, given: HandAvatar | None) -> list[str]:
    """The stages that have epochs, but for those that a given avatar has gone through; of a whole one, the last."""
    reached = given.configuration["stage"] if given is not None else ""
    first = STAGES.index(reached) + 1 if reached else 0
    found = [stage for stage in STAGES[min(first, len(STAGES) - 1) :] if stages.epochs(stage)]
    if not found:
        raise UserError(
            "There is nothing to train.", "All stages that are left have no epochs.", "Give one of them some epochs."
        )
    return found


def refuse_others(capture: HandCapture, given: HandAvatar) -> None:
    """Raise :class:`UserError` for an avatar of another hand or other cameras."""
    for what, ours, theirs in (
        ("side", given.template.side, capture.template.side),
        ("joints", given.template.joint_names, capture.template.joint_names),
        ("number of cameras", len(given.intrinsics), capture.view_count),
        ("number of frames", len(given.poses), len(capture.poses)),
    ):
        if ours != theirs:
            raise UserError(
                f"The avatar does not fit the capture: its {what} differs.",
                "Training goes on with the capture that it began with.",
                "Choose that capture, or leave the avatar out.",
            )
