"""How XHand is trained: which parameters learn in which stage, batch after batch, so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.blocks.avatars.avatar import STAGES, Avatar
from engines.blocks.avatars.drawing import Posed, Shown, show
from engines.blocks.avatars.losses import Likeness, Smoothing
from engines.blocks.avatars.refinement import subdivided
from engines.blocks.repairs import Repairs
from engines.core import Run, UserError
from engines.data import HandAvatar, PoseSequence
from engines.shape.xhand_capture import Batch, Frames
from engines.shape.xhand_params import XhandParams, build_of

LABELS = {"albedo": "Colours", "shape": "Shape", "mesh": "Detail by pose", "renderer": "Detail and renderer"}
LONGER = 10.0
"""By how much the weight of smoothness grows in the middle of the shape's epochs; it stays so."""

Losses = dict[str, Tensor]


class Stages:
    """One training run. ``loss`` names the terms of a step, weighted already, by stage."""

    def __init__(
        self, frames: Frames, params: XhandParams, given: HandAvatar | None, run: Run,
        loss: dict[str, Callable[[Stages, Batch], Losses]],
    ) -> None:  # fmt: skip
        self.frames, self.params, self.run, self.loss = frames, params, run, loss
        capture = frames.capture
        if given is None:
            fine = subdivided(capture.template, params.levels)
            self.avatar = Avatar(fine, capture.view_count, build_of(params), run.generator)
        else:
            self.avatar = Avatar.of(given, run.device)
        self.rotations = nn.Parameter(torch.from_numpy(np.array(frames.poses.rotations)).to(run.device, torch.float32))
        self.translations, self.scales = (
            torch.from_numpy(np.array(a)).to(run.device, torch.float32)
            for a in (frames.poses.translations, frames.poses.scales)
        )
        if given is not None:
            self.rotations.data.copy_(torch.from_numpy(np.array(given.poses.rotations)))
        rest = self.avatar.template
        self.smoothing = Smoothing(rest.faces, rest.vertices, params.smoothing, params.quantile)
        self.likeness = Likeness(run.device)
        self.repairs = Repairs(run)
        self.stage, self.done = "", 0
        self.queue: list[np.ndarray] = []
        """The batches that are left of an epoch."""
        self.lap = params.lap_weight * (LONGER if given is not None and given.configuration["stage"] != "albedo" else 1)
        self.first_displacement = self.avatar.displacement.mean.detach().clone()
        self.last: Batch | None = None
        self.figures: dict[str, float] = {}
        self.ended = False
        """Whether the loss was not finite too often."""
        self.in_epoch = {stage: frames.batches(self._frames_of(stage), params.batch) for stage in STAGES}
        """Batches in an epoch."""

    # The order of things

    def epochs(self, stage: str) -> int:
        p = self.params
        half = p.main_epochs // 2 if p.neural else p.main_epochs
        return {
            "albedo": p.albedo_epochs, "shape": p.shape_epochs, "mesh": half, "renderer": p.main_epochs - half
        }[stage]  # fmt: skip

    def steps(self, stage: str) -> int:
        """How many batches a stage takes."""
        return 0 if self.ended else self.epochs(stage) * self.in_epoch[stage]

    def _frames_of(self, stage: str) -> np.ndarray:
        return self.frames.frames if stage in STAGES[2:] else self.frames.frames[:1]

    @property
    def epoch(self) -> int:
        """Of this stage, counted from 0."""
        return self.done // self.in_epoch[self.stage]

    @property
    def total_done(self) -> int:
        """Steps of all stages up to now, for the curves."""
        before = STAGES[: STAGES.index(self.stage)]
        return self.done + sum(self.epochs(stage) * self.in_epoch[stage] for stage in before)

    def _progress(self, alone: bool) -> float:
        """How much of the training on all frames is done, or of this stage ``alone``."""
        before = 0 if alone or self.stage == "mesh" else self.epochs("mesh")
        whole = before + self.epochs(self.stage) if self.stage == "renderer" else self.params.main_epochs
        return (before * self.in_epoch[self.stage] + self.done) / max(1, whole * self.in_epoch[self.stage])

    def train(self, stage: str, share: float, each: Callable[[], None]) -> None:
        """All steps of a stage that are not done yet; ``each`` is called after each of them."""
        if self.stage != stage:
            self.begin(stage)
        for step in self.run.steps(self.steps(stage), LABELS[stage], start=self.done, share=share):
            self.ended = not self._step(step)
            self.done = step + 1
            if self.ended:
                break
            each()

    def begin(self, stage: str) -> None:
        """What learns, and how fast."""
        avatar, by_pose = self.avatar, stage in STAGES[2:]
        if by_pose and avatar.build.stage not in STAGES[2:]:
            self.first_displacement = avatar.displacement.mean.detach().clone()
        goes_on = self.stage == "mesh" and stage == "renderer"
        self.stage, self.done, self.queue = stage, 0, []
        p = self.params
        avatar.build = replace(avatar.build, stage=stage, embedding=p.conditioning, neural=p.neural)
        avatar.follow_pose(by_pose and p.conditioning)
        avatar.lit[torch.from_numpy(self._views_of(self._frames_of(stage))).long()] = True
        for tensor in (*avatar.parameters(), *(e.mean for e in avatar.embeddings), self.rotations):
            tensor.requires_grad_(False)
        groups = self._groups(stage)
        if goes_on:
            self.optimiser.add_param_group(groups[-1])
        else:
            self.optimiser = torch.optim.Adam(groups)
        for parameter in self._learning():
            parameter.requires_grad_(True)
        self._keep()

    def _views_of(self, frames: np.ndarray) -> np.ndarray:
        """The cameras of the photos of frames that are trained on."""
        capture, training = self.frames.capture, self.frames.training
        return np.unique(capture.view[training[np.isin(capture.frame[training], frames)]])

    def _groups(self, stage: str) -> list[dict[str, Any]]:
        p, avatar, slower = self.params, self.avatar, self.repairs.slower
        means = {"displacement": avatar.displacement.mean, "albedo": avatar.albedo.mean}

        def group(rate: float, *learning: Tensor, alone: bool = False) -> dict[str, Any]:
            return {"params": list(learning), "lr": slower * rate, "alone": alone}

        if stage in STAGES[:2]:
            found = [group(p.albedo_rate, means["albedo"]), group(p.light_rate, avatar.lights)]
            found += [group(p.pose_rate, self.rotations)] if p.pose_rate else []
            return found + ([group(p.displacement_rate, means["displacement"])] if stage == "shape" else [])
        networks = [q for embedding in avatar.embeddings for q in embedding.parameters()]
        if not p.conditioning:
            networks = [avatar.weights.mean]
        found = [group(p.rate, avatar.lights, *networks)]
        if not p.conditioning:
            found += [group(p.displacement_rate, means["displacement"]), group(p.albedo_rate, means["albedo"])]
        if stage == "renderer":
            own = [avatar.render_codes] if p.renderer_codes == "learned" else []
            found.append(group(p.renderer_rate, *avatar.renderer.parameters(), *own, alone=True))
        return found

    # One step

    def _step(self, step: int) -> bool:
        if not self.queue:
            self._new_epoch()
        if self.stage in STAGES[2:]:
            self.avatar.lights.requires_grad_(self.stage == "renderer" or self.epoch >= self.params.main_epochs // 4)
            for group, first in zip(self.optimiser.param_groups, self._groups(self.stage), strict=True):
                group["lr"] = first["lr"] * self.params.decay ** self._progress(group["alone"])
        self.last, self.queue = self.frames.batch(self.queue[0]), self.queue[1:]
        self.optimiser.zero_grad()
        try:
            terms = self.loss[self.stage](self, self.last)
        except FloatingPointError:
            return self._repair(step, {"places": np.nan})
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        self.figures = dict(zip(["loss", *terms], torch.stack([total, *terms.values()]).tolist(), strict=True))
        if not np.isfinite(self.figures["loss"]):
            return self._repair(step, self.figures)
        self._keep()
        self.optimiser.step()
        return True

    def _new_epoch(self) -> None:
        p, rng = self.params, self.run.rng
        frames = rng.permutation(self._frames_of(self.stage))
        self.queue = [photos for frame in frames for photos in self.frames.of_frame(int(frame), p.batch, rng)]
        if self.stage == "shape" and self.epoch == p.shape_epochs // 2 and self.lap == p.lap_weight:
            self.lap *= LONGER
        if self.stage == "renderer" and p.conditioning and p.refresh_every and self.epoch % p.refresh_every == 0:
            self._refresh_means()

    @torch.no_grad()
    def _refresh_means(self) -> None:
        """Each mean becomes the average over the frames of what its embedding says, before sigmoid and softmax."""
        conditions = self.rotations[torch.from_numpy(self.frames.frames).long()].flatten(1) / torch.pi
        for embedding in self.avatar.embeddings:
            said = [embedding(condition)[0] for condition in conditions]
            embedding.mean.copy_(torch.stack(said).mean(0))

    # What is seen

    def pose(self, frame: int) -> Posed:
        return self.avatar(self.rotations[frame], self.translations[frame], self.scales[frame])  # type: ignore[no-any-return]

    def draw(self, batch: Batch) -> tuple[Posed, Shown]:
        posed = self.pose(batch.frame)
        if not torch.isfinite(posed.vertices).all():
            raise FloatingPointError
        shown = show(posed, self.avatar.faces, self.avatar.edges, batch.cameras)
        if not len(shown.pixels):
            names = ", ".join(self.frames.capture.view_label(int(v)) for v in batch.views[:8])
            raise UserError(
                f"The hand has left the pictures of {names} while it was learned.",
                "The learning rates may be too high, or the poses wrong.",
                "Lower the rates, or look at the capture's poses over its photos.",
            )
        return posed, shown

    # What is kept

    def _learning(self) -> list[Tensor]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    def _keep(self) -> None:
        """These parameters gave a finite loss."""
        self.good = [p.detach().clone() for p in self._learning()]

    def _repair(self, step: int, terms: dict[str, float]) -> bool:
        if step == 0 and self.repairs.count == 0:
            bad = ", ".join(name for name, value in terms.items() if not np.isfinite(value))
            raise UserError(
                f"The loss is not a finite number at the start ({bad}).",
                "The photos or the poses have values that no hand has.",
                "Look at the capture's poses over its photos.",
            )
        with torch.no_grad():
            for parameter, good in zip(self._learning(), self.good, strict=True):
                parameter.copy_(good)
        goes_on = self.repairs.go_on(step)
        self.optimiser = torch.optim.Adam(self._groups(self.stage))
        return goes_on

    def poses(self) -> PoseSequence:
        """Those of the capture, with the first frame's as it was refined."""
        return self.frames.poses.replace(rotations=self.rotations.detach().cpu().numpy().astype(np.float64))

    def artifact(self) -> HandAvatar:
        capture = self.frames.capture
        return self.avatar.artifact(
            self.poses(), self.frames.capture_cameras(),
            view_names=tuple(capture.view_label(v) for v in range(capture.view_count)),
            name=f"{capture.name}, avatar" if capture.name else "Hand avatar",
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        return {
            "stage": self.stage, "done": self.done, "queue": self.queue, "lap": self.lap, "ended": self.ended,
            "repairs": self.repairs.count, "avatar": dict(self.avatar.state_dict()), "rotations": self.rotations.data,
            "first": self.first_displacement, "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.avatar.load_state_dict(state["avatar"])
        self.rotations.data.copy_(state["rotations"])
        self.repairs.count, self.ended = state["repairs"], state["ended"]
        self.begin(state["stage"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.queue = state["done"], [np.asarray(q) for q in state["queue"]]
        self.lap, self.first_displacement = state["lap"], state["first"]
