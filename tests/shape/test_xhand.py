"""XHand: its stages, what it refuses, and what it gives."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from engines.blocks.avatars.avatar import STAGES, Avatar
from engines.core import Noted, Run, UserError
from engines.data import HandAvatar, HandCapture
from engines.shape import xhand as module
from engines.shape.xhand import SMOKE, hand_template, tiny, xhand
from engines.shape.xhand_capture import Frames, posed
from engines.shape.xhand_stages import LONGER, Stages


class Ear:
    def __init__(self) -> None:
        self.events: list = []

    def emit(self, event) -> None:
        self.events.append(event)

    def wants_preview(self) -> bool:
        return False

    @property
    def notes(self) -> str:
        return " ".join(event.text for event in self.events if isinstance(event, Noted))


@functools.cache
def capture() -> HandCapture:
    return tiny()["capture"]


@functools.cache
def carried_out(**changes):
    return dict(xhand.run({"capture": capture()}, xhand.params.parse({**SMOKE, **changes}), Run(seed=3)))


def stages(run: Run | None = None, given: HandAvatar | None = None, **changes) -> Stages:
    params, run = xhand.params.parse({**SMOKE, **changes}), run or Run(seed=3)
    return Stages(Frames(capture(), params.side_length, run), params, given, run, module.LOSSES)


def test_each_stage_teaches_what_it_says():
    trained = stages()
    before = {}
    for stage in STAGES:
        trained.begin(stage)
        before = {k: v.clone() for k, v in trained.avatar.state_dict().items()}
        pose = trained.rotations.detach().clone()
        trained.train(stage, 0.2, lambda: None)
        after = trained.avatar.state_dict()
        moved = {k.split(".")[0] + (".mean" if k.endswith("mean") else "") for k, v in after.items()
                 if not torch.equal(v, before[k])}  # fmt: skip
        expected = {
            "albedo": {"albedo.mean", "lights"},
            "shape": {"albedo.mean", "lights", "displacement.mean"},
            "mesh": {"displacement", "albedo", "weights", "lights"},
            "renderer": {
                "displacement", "albedo", "weights", "lights", "renderer", "render_codes", "displacement.mean",
                "albedo.mean", "weights.mean",
            },
        }[stage]  # fmt: skip
        assert moved == expected, stage
        first = trained.frames.first
        assert torch.equal(trained.rotations[first], pose[first]) == (stage in STAGES[2:])
        others = [f for f in range(len(pose)) if f != first]
        assert torch.equal(trained.rotations[others], pose[others]), "only the first frame's pose is refined"


def test_smoothness_weighs_more_from_the_middle_of_the_shape_on():
    trained = stages(shape_epochs=4)
    seen = []
    trained.begin("shape")
    trained.train("shape", 0.2, lambda: seen.append(trained.lap / trained.params.lap_weight))
    half = len(seen) // 2
    assert seen == [1.0] * half + [LONGER] * half
    trained.begin("mesh")
    assert trained.lap == LONGER * trained.params.lap_weight


def test_means_become_the_average_over_the_frames():
    trained = stages()
    trained.begin("renderer")
    with torch.no_grad():
        for parameter in trained.avatar.displacement.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        conditions = trained.rotations[torch.from_numpy(trained.frames.frames).long()].flatten(1) / torch.pi
        expected = torch.stack([trained.avatar.displacement(c)[0] for c in conditions]).mean(0)
        trained._refresh_means()
    assert torch.equal(trained.avatar.displacement.mean, expected)


def test_without_conditioning_all_poses_have_the_same_surface_at_rest():
    avatar = Avatar.of(carried_out(conditioning=False, neural=False)["avatar"])
    bent = np.zeros((16, 3))
    bent[1:, 0] = 0.5
    assert torch.equal(avatar.pose(np.zeros((16, 3))).displacement, avatar.pose(bent).displacement)
    assert avatar.displacement.mean.abs().max() > 0
    assert not avatar.has_renderer
    other = Avatar.of(carried_out()["avatar"])
    assert not torch.equal(other.pose(np.zeros((16, 3))).displacement, other.pose(bent).displacement)
    assert other.has_renderer


def test_scores_say_what_was_new_in_each_photo():
    outputs = carried_out()
    scores, known = outputs["scores"].columns, capture()
    for frame, view, new in zip(scores["Frame"], scores["Camera"], scores["New"], strict=True):
        f, v = known.frame_names.index(frame), known.view_names.index(view)
        assert known.photos.held_out[known.photo(f, v)]
        training = ~known.photos.held_out
        old_frame, old_view = f in known.frame[training], v in known.view[training]
        assert new == {(1, 0): "new camera", (0, 1): "new pose", (0, 0): "new camera and pose"}[old_frame, old_view]
    assert {"PSNR, shaded", "PSNR, neural", "SSIM, shaded", "SSIM, neural", "Vertex RMS"} <= set(scores)
    summary = outputs["summary"].columns
    assert summary["PSNR, shaded"][-1] == pytest.approx(scores["PSNR, shaded"].mean())


def test_distances_of_the_bare_template_are_those_of_its_vertices():
    errors, known = carried_out()["errors"], capture()
    away = posed(known.template, known) - known.surface
    np.testing.assert_allclose(errors.series["template"], 1e3 * np.sqrt((away**2).sum(2).mean(1)), rtol=1e-9)


def test_training_goes_on_from_an_avatar_that_was_given():
    short = carried_out(main_epochs=0)["avatar"]
    assert short.configuration["stage"] == "shape"
    going_on = stages(given=short)
    assert module.to_do(going_on, short) == ["mesh", "renderer"]
    np.testing.assert_array_equal(going_on.avatar.displacement.mean.numpy(), short.weights["displacement.mean"])
    assert module.to_do(going_on, carried_out()["avatar"]) == ["renderer"]
    other = short.replace(template=short.template.replace(side="left"))
    with pytest.raises(UserError, match="side"):
        module.refuse_others(capture(), other)


def test_a_loss_that_is_not_finite_brings_the_last_good_parameters_back():
    ear = Ear()
    run = Run(seed=3, listener=ear)
    trained = stages(run, albedo_epochs=10)
    calls = 0
    plain = module.LOSSES["albedo"]

    def spoilt(who, batch):
        nonlocal calls
        calls += 1
        terms = plain(who, batch)
        return {**terms, "Photos": terms["Photos"] * (np.nan if calls == 4 else 1)}

    trained.loss = {**module.LOSSES, "albedo": spoilt}
    trained.begin("albedo")
    for step in range(3):
        assert trained._step(step)
    good = trained.good[0].clone()
    assert trained._step(3)
    assert torch.equal(trained.avatar.albedo.mean, good)
    assert "not finite at step 4" in ear.notes
    assert trained.optimiser.param_groups[0]["lr"] == pytest.approx(0.5 * trained.params.albedo_rate)
    assert trained._step(4)


def test_a_loss_that_never_is_finite_is_refused_at_the_start():
    trained = stages()
    trained.loss = {**module.LOSSES, "albedo": lambda who, batch: {"Photos": who.avatar.lights.sum() * np.nan}}
    trained.begin("albedo")
    with pytest.raises(UserError, match="Photos"):
        trained._step(0)


def test_cameras_that_never_see_the_hand_are_named():
    known, ear = capture(), Ear()
    turned = known.photos.world_to_camera.copy()
    turned[known.view == 0, 2, 3] -= 100
    blind = known.replace(photos=known.photos.replace(world_to_camera=turned))
    frames = Frames(blind, 32, Run(listener=ear))
    assert known.view_names[0] in ear.notes
    assert 0 not in blind.view[frames.training]


@pytest.mark.parametrize(("factor", "word"), [(1000.0, "millimetres"), (0.01, "kilometres")])
def test_a_hand_of_no_hand_s_size_is_asked_about(factor, word):
    known = capture()
    scaled = known.template.replace(vertices=factor * known.template.vertices, joints=factor * known.template.joints)
    with pytest.raises(UserError, match=word):
        Frames(known.replace(template=scaled), 32, Run())


def test_photos_of_several_sizes_go_in_batches_of_one_size():
    known = capture()
    images = [known.photos.pixels(i) for i in range(len(known.photos))]
    images[0] = np.repeat(images[0], 2, axis=1)
    sizes = {"world_to_camera": known.photos.world_to_camera, "intrinsics": known.photos.intrinsics.copy()}
    mixed = known.replace(photos=type(known.photos).of(images, **sizes))
    frames = Frames(mixed, 64, Run())
    batches = frames.of_frame(int(known.frame[0]), 8, np.random.default_rng(0))
    assert sorted(len(b) for b in batches) == [1, int((known.frame == known.frame[0]).sum()) - 1]
    assert {frames.batch(b).truths.shape[2] for b in batches} == {32, 64}


def without_masks() -> HandCapture:
    """The capture before a bright wall."""
    known = capture()
    pixels = [known.photos.pixels(i) for i in range(len(known.photos))]
    walled = [np.where(p[..., 3:] > 127, p[..., :3], 230).astype(np.uint8) for p in pixels]
    cameras = {k: getattr(known.photos, k) for k in ("world_to_camera", "intrinsics", "held_out")}
    return known.replace(photos=type(known.photos).of(walled, **cameras))


def test_photos_without_masks_are_cut_out_by_the_posed_template():
    bare, photos = without_masks(), np.array([0])
    outlined, whole = (Frames(bare, 64, Run(), outlined=on).batch(photos) for on in (True, False))
    true = Frames(capture(), 64, Run(), outlined=True).batch(photos)
    assert whole.masks is None
    assert whole.truths[0, 0, 0].min() > 0.8
    assert not outlined.photographed
    assert true.photographed
    ours, theirs = outlined.masks > 0.5, true.masks > 0.5
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.9
    assert outlined.truths[~ours].abs().max() == 0
    assert torch.equal(outlined.truths[ours & (true.masks == 1)], true.truths[ours & (true.masks == 1)])


def test_the_outline_of_the_template_is_no_evidence_of_the_hand_s_outline():
    trained = stages(mask_weight=10.0)
    batch = Frames(without_masks(), 32, Run(), outlined=True).batch(np.array([0]))
    assert module.outline(trained, batch, torch.rand(1, 32, 32, 4)) == {}
    own = Frames(capture(), 32, Run()).batch(np.array([0]))
    assert "Outline" in module.outline(trained, own, torch.rand(1, 32, 32, 4))


def test_the_baseline_is_the_template_with_the_colours_of_the_first_stage():
    out = hand_template.run(
        {"capture": capture()}, hand_template.params.parse(dict(hand_template.smoke.params)), Run(seed=3)
    )
    avatar = out["avatar"]
    assert avatar.configuration["stage"] == "albedo"
    assert not avatar.weights["displacement.mean"].any()
    assert avatar.weights["albedo.mean"].any()
    assert "PSNR, neural" not in out["scores"].columns
