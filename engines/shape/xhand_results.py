"""What a training of XHand gives: the avatar, and how near it comes to photos and surfaces that it has not seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.blocks.avatars.avatar import Avatar
from engines.blocks.avatars.refinement import subdivided
from engines.blocks.image_metrics import psnr
from engines.blocks.image_scores import ImageScores
from engines.data import Curve, HandAvatar, HandCapture, Image, Table
from engines.shape.xhand_capture import posed
from engines.shape.xhand_stages import Stages

SHOWN_PICTURES = 6
MOST_KNOWN = 12
"""Of photos that were trained on, which are measured where none was kept back."""
KINDS = ("new camera", "new pose", "new camera and pose", "trained on")


def drawn(avatar: Avatar, stages: Stages, photo: int) -> tuple[dict[str, Tensor], Tensor]:
    """What an avatar shows of a photo, (3, H, W) each on black, and where the hand is in it (H, W) bool."""
    capture, view = stages.frames.capture, stages.frames.views[photo]
    frame, camera = int(capture.frame[photo]), int(capture.view[photo])
    poses = stages.poses()
    avatar.pose(poses.rotations[frame], poses.translations[frame], float(poses.scales[frame]))
    gammas = avatar.gammas()[camera] if bool(avatar.lit[camera]) else avatar.common_light()
    found = {"shaded": avatar.shaded(view.camera, gammas.cpu())}
    if avatar.has_renderer:
        found["neural"] = avatar.neural(view.camera, gammas.cpu())
    pictures = {name: image[..., :3].permute(2, 0, 1) for name, image in found.items()}
    if view.alpha is not None:
        inside = view.alpha > 0.5
        pictures["photo"] = view.over(view.colours.new_zeros(3))
    else:
        frames = stages.frames
        inside = frames.outline(photo).cpu() if frames.outlined else found["shaded"][..., 3] > 0.5
        pictures["photo"] = view.over(view.colours.new_zeros(3)) * inside
    return pictures, inside


def strip(stages: Stages, avatar: Avatar | None = None, photo: int | None = None) -> Image:
    """Shaded, neural and photo, as one image; without a photo, the one that was looked at last."""
    avatar = avatar or Avatar.of(stages.artifact(), stages.run.device)
    if photo is None:
        photo = int(stages.last.photos[0]) if stages.last is not None else int(stages.frames.training[0])
    pictures, _ = drawn(avatar, stages, photo)
    row = torch.cat(list(pictures.values()), dim=2)
    pixels = (255 * row.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return Image(pixels=pixels, name=", ".join(pictures).capitalize())


def measured(stages: Stages) -> tuple[HandAvatar, Table, Table, Curve | None, tuple[Image, ...]]:
    """The artifacts of :class:`engines.shape.xhand.Xhand`."""
    run, frames, capture = stages.run, stages.frames, stages.frames.capture
    artifact = stages.artifact()
    avatar = Avatar.of(artifact, run.device)
    photos = frames.held_out
    if not len(photos):
        run.note("The capture holds no photo back: the scores are of photos that were trained on.")
        photos = frames.training[:: max(1, len(frames.training) // MOST_KNOWN)][:MOST_KNOWN]
    score, rows, images, outputs = ImageScores(run), [], [], []
    for place in run.steps(len(photos), "Measuring", share=0.04):
        pictures, mask = drawn(avatar, stages, int(photos[place]))
        truth = pictures.pop("photo")
        outputs = list(pictures)
        row = []
        for shown in pictures.values():
            _, *others = score(shown, truth)
            row += [psnr(shown[:, mask], truth[:, mask]) if bool(mask.any()) else np.nan, *others]
        rows.append(row)
        if place % max(1, len(photos) // SHOWN_PICTURES) == 0 and len(images) < SHOWN_PICTURES:
            frame, view = int(capture.frame[photos[place]]), int(capture.view[photos[place]])
            called = f"{capture.frame_label(frame)}, {capture.view_label(view)}"
            images.append(strip(stages, avatar, int(photos[place])).replace(name=called))
    kinds = np.array([KINDS[_kind(stages, int(i))] for i in photos])
    errors = surface_errors(avatar, stages)
    numbers = np.array(rows, np.float64).reshape(len(photos), -1)
    names = [f"{kind}, {output}" for output in outputs for kind in score.kinds]
    columns: dict[str, np.ndarray] = {
        "Frame": np.array([capture.frame_label(int(capture.frame[i])) for i in photos]),
        "Camera": np.array([capture.view_label(int(capture.view[i])) for i in photos]),
        "New": kinds,
        **dict(zip(names, numbers.T, strict=True)),
    }
    units = {name: "dB" for name in names if name.startswith("PSNR")}
    if errors is not None:
        columns["Vertex RMS"] = errors.series["avatar"][capture.frame[photos]]
        units["Vertex RMS"] = "mm"
    scores = Table(columns=columns, units=units, name="Scores")
    return artifact, scores, _summary(scores, errors, stages), errors, tuple(images)


def _kind(stages: Stages, photo: int) -> int:
    capture, training = stages.frames.capture, stages.frames.training
    known_view = capture.view[photo] in capture.view[training]
    known_frame = capture.frame[photo] in capture.frame[training]
    return {(False, True): 0, (True, False): 1, (False, False): 2, (True, True): 3}[bool(known_view), bool(known_frame)]


def _summary(scores: Table, errors: Curve | None, stages: Stages) -> Table:
    """Means over the photos of each kind, and over all; the run's log gets the last line."""
    numbers = [name for name, column in scores.columns.items() if column.dtype.kind == "f"]
    kinds = [kind for kind in KINDS if (scores.columns["New"] == kind).any()]
    chosen = [scores.columns["New"] == kind for kind in kinds] + [np.ones(scores.rows, bool)]
    columns: dict[str, np.ndarray] = {
        "New": np.array([*kinds, "all"]),
        "Photos": np.array([int(c.sum()) for c in chosen]),
        **{name: np.array([scores.columns[name][c].mean() for c in chosen]) for name in numbers},
    }
    told = ", ".join(f"{name} {columns[name][-1]:.4g} {scores.units.get(name, '')}".strip() for name in numbers)
    stages.run.note(f"Held-out photos: {told}." if len(stages.frames.held_out) else f"Photos: {told}.")
    if errors is not None:
        bare = float(np.sqrt((errors.series["template"] ** 2).mean()))
        ours = float(np.sqrt((errors.series["avatar"] ** 2).mean()))
        stages.run.note(f"Vertex RMS over all frames: {ours:.3g} mm, of the bare template {bare:.3g} mm.")
    return Table(columns=columns, units=dict(scores.units), name="Scores on average")


def surface_errors(avatar: Avatar, stages: Stages) -> Curve | None:
    """Root of the mean square distance of vertices from where they truly are, in mm, by frame; and of the template's.

    Subdivision keeps old vertices in front: those that both surfaces have are compared.
    """
    capture: HandCapture = stages.frames.capture
    if capture.surface is None:
        return None
    poses = stages.poses()
    given = capture.poses.for_joints(capture.template.joint_names)
    levels = _levels(len(capture.template.vertices), len(avatar.rest))
    bare = posed(subdivided(capture.template, levels), capture.replace(poses=given))
    common = min(len(avatar.rest), capture.surface.shape[1])
    found = np.empty((len(poses), 2))
    for frame in stages.run.steps(len(poses), "Comparing surfaces"):
        shown = avatar.pose(poses.rotations[frame], poses.translations[frame], float(poses.scales[frame]))
        for column, vertices in enumerate((shown.vertices.double().cpu().numpy(), bare[frame])):
            away = vertices[:common] - capture.surface[frame, :common]
            found[frame, column] = 1e3 * np.sqrt((away**2).sum(1).mean())
    new = np.isin(np.arange(len(poses)), capture.frame[stages.frames.training], invert=True)
    series = {"avatar": found[:, 0], "template": found[:, 1], "avatar, new poses": np.where(new, found[:, 0], np.nan)}
    return Curve(
        x=np.arange(1, len(poses) + 1, dtype=float), series=series, x_label="frame", y_label="Vertex RMS (mm)",
        name="Distance from the true surface",
    )  # fmt: skip


def _levels(coarse: int, fine: int) -> int:
    """How often a template was subdivided: each time it has about four times as many vertices."""
    return round(np.log(max(fine, 1) / max(coarse, 1)) / np.log(4))
