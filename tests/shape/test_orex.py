import functools

import numpy as np
import pytest
import torch

from engines.blocks.analytic_shapes import Sphere, slice_solid, solid_mesh
from engines.blocks.iterative_field import IterativeField
from engines.blocks.iterative_loss import IterativeLoss, Loss
from engines.blocks.mesh_topology import face_components, is_watertight
from engines.core import Cancelled, Checkpointed, Control, Logged, Noted, Previewed, Run, UserError
from engines.shape.orex import QUICK, prepare, reconstruct, torus_example
from engines.shape.orex_params import AS_PUBLISHED, OrexParams
from engines.shape.orex_plan import Samples, batches, stages
from engines.shape.sample_field import sample_field

SMALL = {
    "steps": 300, "batch": 1024, "iterations": 2, "white_noise": 128, "hull_samples": 1024, "resolution": 40,
    "width": 32, "depth": 3, "epochs": (30, 70), "samples": (2, 3), "radius_exponents": (3, 4),
}  # fmt: skip


class Ear:
    def __init__(self, watched=False, act=lambda event: None):
        self.events, self.watched, self.act = [], watched, act

    def emit(self, event):
        self.events.append(event)
        self.act(event)

    def wants_preview(self):
        return self.watched

    def of(self, kind):
        return [e for e in self.events if isinstance(e, kind)]

    def said(self):
        return " ".join(e.text for e in self.of(Noted))


def params(**changes):
    return OrexParams.parse({**SMALL, **changes})


def balls(*middles, planes=5, radius=0.5):
    """Slices of a ball at each (x, y, z), labelled 1, 2, ... and cut by planes across x."""
    parts = []
    offsets = np.linspace(-0.8, 0.8, planes) * radius + middles[0][0]
    for middle in middles:
        solid = Sphere(radius, tuple(middle))
        parts.append(slice_solid(solid, np.tile([1.0, 0, 0], (planes, 1)), offsets, 60).replace(name="Balls"))
    first = parts[0]
    starts = np.cumsum([0, *(len(p.vertices) for p in parts[:-1])])
    return first.replace(
        vertices=np.concatenate([p.vertices for p in parts]),
        loop_starts=np.concatenate([p.loop_starts + s for p, s in zip(parts, starts, strict=True)]),
        loop_planes=np.concatenate([p.loop_planes for p in parts]),
        loop_labels=np.concatenate([np.full(p.loop_count, i + 1) for i, p in enumerate(parts)]),
        loop_parents=np.full(sum(p.loop_count for p in parts), -1),
    )


@functools.cache
def torus():
    return torus_example(10, 80)


@functools.cache
def fitted():
    ear = Ear(watched=True)
    run = Run(seed=1, listener=ear, preview_seconds=0.1)
    return reconstruct.run(torus(), params(steps=300), run), ear


def test_a_torus_comes_back_from_oblique_slices():
    outputs, _ = fitted()
    scores = {k: v[0] for k, v in outputs["scores"].columns.items()}
    assert scores["IoU"] > 0.85
    assert scores["Watertight"] == 1
    assert scores["Volume"] == pytest.approx(scores["Reference volume"], rel=0.1)
    reference = torus()["reference"]
    np.testing.assert_allclose(outputs["mesh"].bounds, reference.bounds, atol=0.1)


def test_field_and_mesh_share_the_frame_of_the_file():
    outputs, _ = fitted()
    field, mesh = outputs["field"], outputs["mesh"]
    assert (field.quantity, field.level) == ("logit", 0.0)
    index = np.rint((mesh.vertices - field.origin) / field.spacing).astype(int)
    assert np.abs(field.values[tuple(index.T)]).mean() < 0.5 * np.abs(field.values).mean()
    middle = np.rint((np.array([0.55, 0, 0]) - field.origin) / field.spacing).astype(int)
    assert field.values[tuple(middle)] < 0  # inside the tube
    centre = np.rint((np.zeros(3) - field.origin) / field.spacing).astype(int)
    assert field.values[tuple(centre)] > 0  # in the hole


def test_it_can_be_watched():
    _, ear = fitted()
    keys = {key for e in ear.of(Logged) for key in e.values}
    assert keys == {"BCE", "hinge", "learning rate", "IoU"}
    overlap = [e.values["IoU"] for e in ear.of(Logged) if "IoU" in e.values]
    assert len(overlap) == 6
    assert overlap[-1] > 0.85
    assert "level 1" in ear.said()
    assert "level 2" in ear.said()
    shown = ear.of(Previewed)
    assert shown
    assert set(shown[-1].artifacts) == {"mesh", "field"}
    bce = [e.values["BCE"] for e in ear.of(Logged) if "BCE" in e.values]
    assert bce[-1] < 0.7 * bce[0]


def test_crossings_and_model():
    outputs, _ = fitted()
    density = outputs["crossings"].series["density"]
    assert density.mean() == pytest.approx(1)
    again = sample_field.run({"model": outputs["model"]}, sample_field.params(resolution=40), Run())
    np.testing.assert_array_equal(again["mesh"].faces, outputs["mesh"].faces)
    np.testing.assert_allclose(again["mesh"].vertices, outputs["mesh"].vertices, atol=1e-6)
    finer = sample_field.run({"model": outputs["model"]}, sample_field.params(resolution=90), Run())
    assert is_watertight(finer["mesh"].faces)
    assert len(finer["mesh"].faces) > 3 * len(again["mesh"].faces)


def test_place_and_size_of_the_file_do_not_matter():
    plain = balls((0, 0, 0))
    moved = plain.replace(vertices=plain.vertices * 3e4 + [1e5, -2e5, 5], offsets=plain.offsets * 3e4 + 1e5)
    a, b = (reconstruct.run({"slices": s}, params(steps=60), Run(seed=2)) for s in (plain, moved))
    assert len(a["mesh"].faces) == pytest.approx(len(b["mesh"].faces), rel=0.02)
    np.testing.assert_allclose((b["mesh"].bounds - [1e5, -2e5, 5]) / 3e4, a["mesh"].bounds, atol=0.02)


def test_each_label_gets_its_own_surface_named_after_it():
    ear = Ear()
    slices = balls((0, 0, 0), (0, 2.0, 0))
    inputs = {"slices": slices, "reference": solid_mesh(Sphere(), 20, "Ball")}
    outputs = reconstruct.run(inputs, params(steps=80), Run(seed=1, listener=ear))
    assert [outputs[f"mesh/{i}"].name for i in (1, 2)] == ["Label 1", "Label 2"]
    assert outputs["mesh/2"].vertices[:, 1].mean() == pytest.approx(2, abs=0.1)
    assert {"field/1", "field/2", "model/1", "model/2"} <= set(outputs)
    assert "scores" not in outputs
    assert "no scores" in ear.said()
    assert {"BCE, Label 1", "BCE, Label 2"} <= {k for e in ear.of(Logged) for k in e.values}
    together = reconstruct.run({"slices": slices}, params(steps=150, labels="together"), Run(seed=1))
    assert np.ptp(together["mesh"].vertices[:, 1]) > 2.5


def test_labels_on_one_plane_only_are_left_out_with_a_warning():
    slices = balls((0, 0, 0), (0, 2.0, 0))
    keep = np.ones(slices.loop_count, bool)
    keep[np.flatnonzero(slices.loop_labels == 2)[1:]] = False
    ear = Ear()
    outputs = reconstruct.run({"slices": slices.select(keep)}, params(steps=40), Run(listener=ear))
    assert outputs["mesh"].name == "Label 1"
    assert "one slice cannot define a volume" in ear.said()


@functools.cache
def several_labels():
    ear = Ear()
    return two_balls(Run(seed=3, listener=ear, checkpoint_seconds=0.0)), ear.of(Checkpointed)


def two_balls(run):
    return reconstruct.run({"slices": balls((0, 0, 0), (0, 2.0, 0))}, params(steps=40), run)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.7])
def test_a_run_over_several_labels_resumes_as_if_nothing_had_happened(at):
    whole, kept = several_labels()
    again = two_balls(Run(seed=3, checkpoint=kept[int(at * len(kept))].checkpoint))
    assert {k: a.content_hash() for k, a in whole.items()} == {k: a.content_hash() for k, a in again.items()}


def test_cancel_in_the_middle_of_a_step_keeps_what_was_reached():
    control, ear, inputs = Control(), Ear(), {"slices": balls((0, 0, 0))}
    calls = []

    class Slow(IterativeLoss):
        def __call__(self, points, labels, check=None):
            calls.append(1)
            if len(calls) == 12:
                control.cancel()
            return super().__call__(points, labels, check)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engines.shape.orex.IterativeLoss", Slow)
        with pytest.raises(Cancelled):
            reconstruct.run(inputs, params(steps=40), Run(seed=1, control=control, listener=ear))
    resumed = ear.of(Checkpointed)[-1].checkpoint
    whole, again = (
        reconstruct.run(inputs, params(steps=40), Run(seed=1, checkpoint=c))["model"].content_hash()
        for c in (None, resumed)
    )
    assert whole == again


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_good_state(monkeypatch):
    calls = []

    class Failing(IterativeLoss):
        def __call__(self, points, labels, check=None):
            calls.append(1)
            loss = super().__call__(points, labels, check)
            if len(calls) > 155:
                self.gradient.fill_(torch.nan)
                return Loss(torch.tensor(torch.nan), loss.hinge, loss.active)
            return loss

    monkeypatch.setattr("engines.shape.orex.IterativeLoss", Failing)
    ear = Ear()
    outputs = reconstruct.run({"slices": balls((0, 0, 0))}, params(), Run(listener=ear))
    assert "not finite" in ear.said()
    assert len(calls) == 161
    assert all(np.isfinite(w).all() for w in outputs["model"].weights.values())
    assert is_watertight(outputs["mesh"].faces)


def test_planes_that_contradict_each_other_are_counted():
    slices = torus()["slices"]
    loops = np.ones(slices.loop_count, bool)
    loops[slices.loop_planes == 2] = False  # this plane now says that nothing is there
    ear = Ear()
    prepare(slices.select(loops), params(), Run(listener=ear))
    assert "contradict each other at" in ear.said()
    quiet = Ear()
    prepare(slices, params(), Run(listener=quiet))
    assert quiet.said() == ""


def test_contours_that_cross_themselves_count_by_the_even_odd_rule():
    slices = balls((0, 0, 0))
    vertices = slices.vertices.copy()
    vertices[[2, 40]] = vertices[[40, 2]]
    ear = Ear()
    (subject,) = prepare(slices.replace(vertices=vertices), params(), Run(listener=ear))
    assert "1 contours cross themselves" in ear.said()
    assert set(np.unique(subject.samples(0, params(), 0).labels)) == {0, 0.5, 1}


def test_parallel_contours_in_one_plane_twice_are_refused():
    one = balls((0, 0, 0), planes=3)
    doubled = one.replace(
        normals=one.normals[:2], offsets=np.zeros(2), vertices=one.vertices[60:] * [0, 1, 1], loop_starts=[0, 60],
        loop_planes=[0, 1], loop_labels=[1, 1], loop_parents=[-1, -1],
    )  # fmt: skip
    with pytest.raises(UserError, match="One slice cannot define a volume"):
        reconstruct.run({"slices": doubled}, params(), Run())


def test_too_little_training_is_said_in_words():
    with pytest.raises(UserError, match="no zero level set"):
        reconstruct.run(torus(), params(steps=1), Run())


@pytest.mark.parametrize("size", [7, 100, 250])
def test_batches_are_passes_in_random_order_and_can_start_anywhere(size):
    samples = Samples(np.arange(300, dtype=np.float32).reshape(100, 3), np.arange(100, dtype=np.float32))

    def take(count, skip=0):
        supply = batches(samples, size, (5, 6), skip, torch.device("cpu"))
        return [next(supply) for _ in range(count)]

    taken = take(20)
    labels = torch.cat([y for _, y in taken]).numpy()
    for n in range(len(labels) // 100):
        assert sorted(labels[100 * n : 100 * n + 100]) == list(range(100))
    assert not (labels[:100] == np.arange(100)).all()
    assert all((x[:, 0] == 3 * y).all() for x, y in taken)
    for (x, y), (later_x, later_y) in zip(taken[9:], take(11, 9), strict=True):
        assert torch.equal(x, later_x)
        assert torch.equal(y, later_y)


def test_steps_are_shared_out_as_the_epochs_are():
    plan = stages(OrexParams(steps=1300), [1000] * 6)
    assert [s.steps for s in plan] == [100, 100, 200, 200, 300, 400]
    assert [s.levels for s in plan] == [(0,), (0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)]
    assert [s.first for s in plan] == [0, 100, 200, 400, 600, 900]
    assert plan[0].epoch(0) == 0
    assert plan[-1].epoch(1299) == 649
    assert plan[2].epoch(200) == 100
    decays = {s.epoch(k) // 10 for s in plan for k in range(s.first, s.first + s.steps)}
    assert decays == set(range(65))
    assert pytest.approx(1e-5, rel=0.2) == 1e-2 * 0.9**64


def test_full_epochs_and_all_levels_at_once():
    plan = stages(OrexParams(steps=0, batch=1024), [1024 * 4, 1024 * 2, 0, 0, 0, 0])
    assert [s.steps for s in plan[:2]] == [50 * 4, 50 * 6]
    together = stages(OrexParams(steps=100, schedule="all at once"), [10] * 6)
    assert [(s.levels, s.steps, s.epochs) for s in together] == [((0, 1, 2, 3, 4, 5), 100, 650)]
    tiny = stages(OrexParams(steps=3), [10] * 6)
    assert sum(s.steps for s in tiny) == 3


def test_the_paper_preset_is_the_published_one():
    paper = reconstruct.preset("paper")
    assert (paper.iterations, paper.batch, paper.steps, paper.resolution) == (10, 16384, 0, 300)
    assert (paper.white_noise, paper.hull_samples, paper.hull_margin) == (2048, 16384, 0.05)
    assert paper.epochs == (50, 50, 100, 100, 150, 200)
    assert paper.samples == (2, 2, 3, 3, 4, 5)
    assert paper.radius_exponents == (4, 5, 5, 6, 6, 7)
    assert (paper.hinge_weight, paper.hinge_threshold) == (1e-4, 100)
    assert (paper.learning_rate, paper.weight_decay, paper.decay, paper.decay_epochs) == (1e-2, 1e-3, 0.9, 10)
    assert paper.architecture.size == 31_436 + 0
    assert paper.level_meshes
    assert set(QUICK) <= set(OrexParams.model_fields) >= set(AS_PUBLISHED)


def test_meshes_of_the_levels():
    outputs = reconstruct.run(
        {"slices": balls((0, 0, 0))}, params(steps=60, level_meshes=True, level_resolution=32), Run()
    )
    assert [outputs[f"levels/{i}"].name for i in (1, 2)] == ["Balls, after stage 1", "Balls, after stage 2"]


def test_levels_must_fit_together():
    with pytest.raises(UserError, match="one number for each level"):
        OrexParams.parse({"epochs": (1, 2)})


class Islanded(IterativeField):
    """The trained field with an island in a corner that nobody drew."""

    def logits(self, points, **options):
        away = (points - 0.8).norm(dim=1)
        return torch.minimum(super().logits(points, **options), 50 * (away - 0.12))


def test_islands_that_no_contour_speaks_for_are_left_out_of_the_mesh_only(monkeypatch):
    monkeypatch.setattr("engines.shape.orex.IterativeField", Islanded)
    ears, found, fitted = {}, {}, None
    for drop in (True, False):
        ears[drop] = Ear()
        settings = params(steps=300, drop_floating=drop, level_meshes=True, level_resolution=40)
        run = Run(seed=1, listener=ears[drop], checkpoint_seconds=0.0, checkpoint=fitted)
        found[drop] = reconstruct.run({"slices": balls((0, 0, 0))}, settings, run)
        fitted = fitted or ears[drop].of(Checkpointed)[-1].checkpoint
    assert "Balls: 1 piece of the surface was left out" in ears[True].said()
    assert "left out" not in ears[False].said()
    assert found[True]["field"].content_hash() == found[False]["field"].content_hash()
    for name in ("mesh", "levels/2"):
        kept, whole = found[True][name], found[False][name]
        assert face_components(whole.faces).max() == 1
        assert face_components(kept.faces).max() == 0
        assert is_watertight(kept.faces)
        assert len(np.unique(kept.faces)) == len(kept.vertices)
        assert kept.vertices.min(1).max() < 0.35 < whole.vertices.min(1).max()  # the corner is empty now
