"""The project knows of its runs what the queue knows, also after a cancel, a failure and a resume."""

from __future__ import annotations

import pytest

from app.jobs import JobQueue, JobSpec
from app.jobs.command import command_of
from app.jobs.recorder import Recorder, resume_spec
from app.project import Project
from engines.core import UserError
from tests.jobs.test_queue import until
from tests.toys import TOYS, SpinParams, WalkParams, _cloud


@pytest.fixture
def project():
    made = Project.new()
    yield made
    made.close()


@pytest.fixture
def queue():
    made = JobQueue(TOYS.__getitem__)
    yield made
    assert made.shutdown(5) == []


@pytest.fixture
def recorder(project, queue):
    problems = []
    made = Recorder(project, queue, problems.append)
    yield made
    made.close()
    assert problems == []


def spec(project, preset=None, **params) -> JobSpec:
    known = list(project.entries.values()) or [project.add(_cloud()["points"], name="Start")]
    return JobSpec(
        "toy-walk",
        {"points": project.artifact(known[0].id)},
        WalkParams(**params),
        seed=3,
        device="cpu",
        title="Walk 1",
        preset=preset,
        input_ids={"points": known[0].id},
    )


def test_a_finished_run_is_in_the_project_with_its_provenance(project, queue, recorder):
    job = queue.submit(spec(project, preset="quick", iterations=30))
    assert job.wait(20)
    assert recorder.flush()
    (record,) = project.runs.values()
    (start,) = (e for e in project.entries.values() if e.role == "dataset")
    assert (record.id, record.status, record.seed, record.device) == (job.run_id, "finished", 3, "cpu")
    assert (record.title, record.preset) == ("Walk 1", "quick")
    assert record.params["iterations"] == 30
    assert record.inputs == {"points": start.id}
    assert record.input_hashes == {"points": start.hash}
    assert "torch" in record.versions
    assert record.started
    assert [line.text for line in record.log] == ["walked"]
    assert set(record.outputs) == {"path", "steps/1", "steps/2", "mesh"}
    for name, artifact_id in record.outputs.items():
        entry = project.entries[artifact_id]
        assert (entry.role, entry.run, entry.output) == ("result", record.id, name)
        assert entry.hash == job.outputs[name].content_hash()
    steps, values = project.curves(record.id)["size"]
    assert list(steps) == list(range(30))
    assert list(values) == list(job.curves["size"][1])
    assert not record.has_checkpoint


def test_an_input_that_the_project_does_not_hold_is_added_once(project, queue, recorder):
    for _ in range(2):
        job = queue.submit(JobSpec("toy-walk", _cloud(), WalkParams(iterations=3, levels=()), device="cpu"))
        assert job.wait(20)
    recorder.flush()
    assert len([e for e in project.entries.values() if e.role == "dataset"]) == 1
    assert len({r.inputs["points"] for r in project.runs.values()}) == 1


def test_a_source_gives_a_result_that_measures_or_a_dataset(project, queue, recorder):
    job = queue.submit(JobSpec("toy-spin", {}, SpinParams(seconds=0.01), device="cpu"))
    assert job.wait(20)
    recorder.flush()
    assert [e.role for e in project.entries.values()] == ["result"]


def test_a_cancelled_run_keeps_curves_checkpoint_and_preview_and_can_be_resumed(project, queue, recorder):
    whole = queue.submit(spec(project, iterations=200))
    assert whole.wait(20)
    job = queue.submit(spec(project, iterations=200, pause=0.005))
    job.watch_preview(True)
    until(lambda: job.latest_preview is not None and len(job.curves["size"][0]) > 10)
    job.cancel()
    assert job.wait(5)
    recorder.flush()
    record = project.runs[job.run_id]
    assert record.status == "cancelled"
    assert record.has_checkpoint
    assert set(record.outputs) == {"preview"}
    preview = record.outputs["preview"]
    assert preview in project.entries
    done = len(project.curves(job.run_id)["size"][0])
    assert project.checkpoint(job.run_id).step == done

    project.add_curve_points(job.run_id, [(done, {"size": -1.0})])  # logged after the checkpoint: done again
    again = queue.submit(resume_spec(project, job.run_id, TOYS.__getitem__))
    assert again.wait(20)
    recorder.flush()
    record = project.runs[job.run_id]
    assert record.status == "finished"
    assert len(project.runs) == 2
    assert list(project.curves(job.run_id)["size"][0]) == list(range(200))
    assert list(project.curves(job.run_id)["size"][1]) == list(whole.curves["size"][1])
    assert set(record.outputs) >= {"path", "mesh"}
    assert "preview" not in record.outputs  # it showed what the run would have given; now the run has given it
    assert preview not in project.entries
    assert project.entries[record.outputs["path"]].hash == whole.outputs["path"].content_hash()
    assert record.seconds > job.seconds


def test_a_preview_with_a_star_outlives_the_resumed_run(project, queue, recorder):
    job = queue.submit(spec(project, iterations=60, pause=0.005))
    job.watch_preview(True)
    until(lambda: job.latest_preview is not None and len(job.curves["size"][0]) > 10)
    job.cancel()
    assert job.wait(5)
    recorder.flush()
    preview = project.runs[job.run_id].outputs["preview"]
    project.star(preview)
    assert queue.submit(resume_spec(project, job.run_id, TOYS.__getitem__)).wait(20)
    recorder.flush()
    assert preview in project.entries
    assert "preview" not in project.runs[job.run_id].outputs


def test_a_failed_run_says_why_and_keeps_its_curves(project, queue, recorder):
    job = queue.submit(spec(project, fail="bug"))
    assert job.wait(20)
    recorder.flush()
    record = project.runs[job.run_id]
    assert record.status == "failed"
    assert "ZeroDivisionError" in record.error
    assert len(project.curves(job.run_id)["size"][0]) == 20


def test_what_cannot_be_resumed_is_refused_in_words(project, queue, recorder):
    with pytest.raises(UserError, match="There is no run 'x'"):
        resume_spec(project, "x", TOYS.__getitem__)
    job = queue.submit(spec(project, iterations=3))
    assert job.wait(20)
    recorder.flush()
    with pytest.raises(UserError, match="is finished"):
        resume_spec(project, job.run_id, TOYS.__getitem__)
    late = queue.submit(spec(project, fail="user"))
    assert late.wait(20)
    recorder.flush()
    with pytest.raises(UserError, match="has no checkpoint"):
        resume_spec(project, late.run_id, TOYS.__getitem__)


def test_the_command_line_names_what_differs_and_quotes_it(project, queue, recorder, tmp_path):
    project.save(tmp_path / "my project.fieldwright")
    job = queue.submit(spec(project, preset="quick", iterations=7, levels=(3, 4)))
    assert job.wait(20)
    recorder.flush()
    record = project.runs[job.run_id]
    assert record.command == (
        "fieldwright run toy-walk --input points=@Start --preset quick --set iterations=7 --set levels=3,4 "
        f"--seed 3 --device cpu --project '{tmp_path}/my project.fieldwright'"
    )
    with_threads = record.replace(versions={"threads": "2"})
    assert " --threads 2 " in command_of(with_threads, project, TOYS["toy-walk"])
    project.add(_cloud(6)["points"], name="Start")
    start = record.inputs["points"]
    assert f"--input points=@{start} " in command_of(project.runs[job.run_id], project, TOYS["toy-walk"])
