"""What every method promises, whoever wrote it."""

from __future__ import annotations

import contextlib
import json
import random
import shlex
import time
from pathlib import Path

import numpy as np
import pytest

from app.jobs import JobQueue, JobSpec
from app.jobs.command import command_line
from app.project import Project
from engines.core import Artifact, Cancelled, Checkpointed, Control, Logged, Previewed, Progressed, UserError, catalog
from engines.files import read, write, writers_for
from tests.contract.examples import METHODS, SEED, Ear, carry_out, hashes, inputs_of, smoke

ROOT = Path(__file__).resolve().parents[2]


def test_all_modules_and_plug_ins_can_be_imported():
    assert [f"{b.name}: {b.report}" for b in catalog().broken] == []
    assert {m.key for m in catalog()} >= {"orex", "shape-interpolation", "slice-mesh", "torus-slices"}


def test_it_says_what_it_is(method):
    assert method.title
    assert method.job.endswith(".")
    assert method.description
    for spec in method.params.specs():
        assert spec.help, f"{spec.name} has no help"
        assert spec.source or method.role != "method" or spec.kind == "bool", f"{spec.name} has no source"
    for preset in ("standard", *method.presets):
        assert method.preset(preset)
    if method.role == "method" and not method.key.startswith("toy-"):
        assert method.paper is not None
        assert {"quick", "paper"} <= set(method.presets)


def test_the_smoke_example_gives_what_is_declared_and_nothing_that_is_not_finite(method):
    done = smoke(method.key)
    declared = {spec.name: spec for spec in method.outputs}
    for name, artifact in done.outputs.items():
        assert isinstance(artifact, declared[name.split("/")[0]].type)
        assert artifact.summary()
        for key, spec in artifact.array_specs().items():
            value = getattr(artifact, key)
            parts = value.values() if spec.mapping else [] if value is None else [value]
            for part in parts:
                assert part.dtype.kind not in "fc" or not spec.finite or np.isfinite(part).all(), f"{name}, {key}"
    for name, spec in declared.items():
        assert spec.optional or spec.many or name in done.outputs


def test_the_smoke_example_is_quick(method):
    assert smoke(method.key).cpu_seconds < 6.0


def test_progress_never_goes_back_and_reaches_the_end(method):
    told = [event.fraction for event in smoke(method.key).ear.of(Progressed)]
    assert told == sorted(told)
    assert all(0.0 <= fraction <= 1.0 + 1e-9 for fraction in told)
    assert not told or told[-1] > 0.99


def test_same_seed_same_result_whoever_looks_and_whatever_the_global_generators_say(method):
    import torch

    done = smoke(method.key)
    np.random.seed(5)
    torch.manual_seed(5)
    random.seed(5)
    before = (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), random.getstate())
    ear = Ear(watched=True)
    again = carry_out(method, method.smoke, ear, preview_seconds=0.02)
    assert hashes(again) == hashes(done.outputs)
    after = (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), random.getstate())
    assert after == before, "it draws from a global generator"
    for shown in ear.of(Previewed):
        assert all(issubclass(kind, Artifact) for kind in shown.artifacts.values())


def test_the_inputs_stay_as_they_are(method):
    done = smoke(method.key)
    assert hashes(done.inputs) == hashes(method.smoke.inputs())


def test_a_run_that_was_interrupted_in_the_middle_and_near_its_end_equals_an_uninterrupted_one(method, tmp_path):
    done = smoke(method.key)
    points = len(done.ear.of(Logged))
    if points == 0:
        return  # it neither learns nor iterates: there is nothing to go on from
    middle = interrupted(method, points * 0.5)
    if middle is None:
        return
    middle = through_a_file(middle, tmp_path / "middle.fieldwright")
    end = interrupted(method, points * 0.49, middle)
    last = middle if end is None else through_a_file(end, tmp_path / "end.fieldwright")
    rest = Ear()
    assert hashes(carry_out(method, method.smoke, rest, checkpoint=last)) == hashes(done.outputs)
    assert len(rest.of(Logged)) < points, "it started again from the beginning"


def interrupted(method, points: float, checkpoint=None):
    """The last checkpoint of the smoke example, cancelled once it has logged so many points."""
    control = Control()
    ear = Ear(act=lambda ear: control.cancel() if len(ear.of(Logged)) >= max(1, points) else None)
    with contextlib.suppress(Cancelled):
        carry_out(method, method.smoke, ear, control=control, checkpoint=checkpoint)
    kept = ear.of(Checkpointed)
    return kept[-1].checkpoint if kept else None


def through_a_file(checkpoint, path):
    from app.project import RunRecord

    project = Project.new()
    project.put_run(RunRecord(id="r", method="m", status="running"))
    project.put_checkpoint("r", checkpoint)
    project.save(path)
    project.close()
    project = Project.open(path)
    found = project.checkpoint("r")
    project.close()
    return found


def start(queue: JobQueue, method):
    """The sample, which is large enough to be caught in the middle."""
    params = method.params.parse(method.sample.params)
    job = queue.submit(JobSpec(method.key, inputs_of(method.key, "sample"), params, SEED, "cpu"))
    until = time.monotonic() + 30
    while job.status == "queued" and time.monotonic() < until:
        time.sleep(0.002)
    return job


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_cancel_acts_within_half_a_second(method, after):
    queue, took = JobQueue(METHODS.__getitem__), []
    try:
        for _attempt in range(3):  # the machine may be busy with something else
            job = start(queue, method)
            job.wait(after)
            began = time.monotonic()
            job.cancel()
            assert job.wait(30)
            took.append(time.monotonic() - began)
            assert job.status in ("cancelled", "finished"), job.error
            if took[-1] < 0.5:
                return
    finally:
        queue.shutdown(30)
    pytest.fail(f"cancel took {', '.join(f'{t:.2f} s' for t in took)}")


def test_pause_halts_it_and_resume_goes_on(method):
    queue, heard = JobQueue(METHODS.__getitem__), []
    queue.subscribe(lambda job, event: heard.append(event))
    try:
        job = start(queue, method)
        job.wait(0.1)
        job.pause()
        until, before = time.monotonic() + 1.0, -1
        while before != len(heard) and time.monotonic() < until:
            before = len(heard)
            job.wait(0.3)
        if job.ended:
            assert job.status == "finished", job.error
            return
        assert len(heard) == before, "it went on while paused"
        job.resume()
        until = time.monotonic() + 20
        while len(heard) < before + 2 and not job.ended and time.monotonic() < until:
            time.sleep(0.01)
        assert len(heard) >= before + 2
    finally:
        job.cancel()
        assert queue.shutdown(30) == []


def test_degenerate_inputs_are_refused_in_words(method):
    assert method.degenerate or not method.inputs, "declare at least one degenerate example"
    for example in method.degenerate:
        with pytest.raises(UserError) as refused:
            carry_out(method, example)
        assert refused.value.what, example.title
        assert refused.value.mend or refused.value.why, f"{example.title}: say why, or how to mend it"


def test_its_memory_can_be_estimated(method):
    if method.memory is not None:
        need = method.memory(inputs_of(method.key, "smoke"), method.params.parse(method.smoke.params))
        assert 0 <= need < 64e9


def every_params(method):
    yield method.params()
    for values in (*method.presets.values(), method.sample.params, method.smoke.params):
        yield method.params.parse(values)


def test_params_survive_the_command_line_and_the_file(method):
    for params in every_params(method):
        assert method.params.parse(json.loads(json.dumps(params.model_dump(mode="json")))) == params
        for preset in (None, *method.presets):
            line = command_line(method, params, inputs={"slices": "@a b"}, seed=7, preset=preset)
            words = shlex.split(line)
            typed = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--set")
            assert method.params.parse(typed, method.preset(preset)) == params


def test_params_survive_the_form(method, qtbot):
    from app.forms import ParamForm

    form = ParamForm(method.params, method.presets)
    qtbot.addWidget(form)
    assert form.params() == method.params()
    for params in every_params(method):
        form.set_params(params)
        assert form.valid
        assert form.params() == params


def test_inputs_and_outputs_survive_a_project(method, tmp_path):
    done = smoke(method.key)
    project = Project.new()
    ids = {project.add(artifact).id: artifact for artifact in (*done.inputs.values(), *done.outputs.values())}
    project.save(tmp_path / "p.fieldwright")
    project.close()
    project = Project.open(tmp_path / "p.fieldwright")
    try:
        for artifact_id, artifact in ids.items():
            assert project.artifact(artifact_id).content_hash() == artifact.content_hash()
            assert project.entries[artifact_id].hash == artifact.content_hash()
    finally:
        project.close()


def test_every_input_and_output_has_a_viewer(method):
    from app.viewers.registry import viewers_for

    for spec in (*method.inputs, *method.outputs):
        kinds = [kind for kind in Artifact.registry.values() if issubclass(kind, spec.type)]  # it may be abstract
        assert kinds
        assert [kind.title for kind in kinds if not viewers_for(kind)] == []


def _written(artifact, writers, path: Path) -> Path:
    """By the first of the writers that does not refuse it: pictures are not made of every field, say."""
    for writer in writers:
        with contextlib.suppress(UserError):
            write(artifact, path.with_suffix(writer.extensions[0]), format=writer.key)
            return path.with_suffix(writer.extensions[0])
    pytest.fail(f"no writer takes this {type(artifact).title}")


def test_every_output_can_be_exported(method, tmp_path):
    from engines.files import readers_for

    for name, artifact in smoke(method.key).outputs.items():
        writers = writers_for(type(artifact))
        assert writers, f"nothing writes a {type(artifact).title}"
        path = _written(artifact, writers, tmp_path / name.replace("/", "-"))
        assert path.stat().st_size > 0
        if readers_for(path):
            assert read(path).artifacts


def test_it_has_a_card(method):
    if method.key.startswith("toy-"):
        return
    card = ROOT / "assets" / "methods" / f"{method.key}.md"
    assert card.is_file(), "every method has a card in assets/methods"
    assert len(card.read_text(encoding="utf-8").split()) >= 20


@pytest.mark.claim
@pytest.mark.timeout(600)
def test_the_sample_ends_within_a_minute(method):
    from engines.core import limit_threads

    limit_threads(2)
    inputs_of(method.key, "sample")
    began = time.monotonic()
    carry_out(method, method.sample)
    took = time.monotonic() - began
    print(f"{method.key}: sample in {took:.1f} s")
    assert took < 60
