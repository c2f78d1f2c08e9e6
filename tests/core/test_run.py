"""Run: progress, pause, cancel, previews, checkpoints and the only random numbers."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from engines.core import (
    Cancelled,
    Checkpoint,
    Checkpointed,
    Control,
    Logged,
    Noted,
    Previewed,
    Progressed,
    Run,
    UserError,
)
from engines.core.checkpoint import pack, unpack
from engines.data import PointCloud


class Ear:
    def __init__(self, watched: bool = False) -> None:
        self.events: list[object] = []
        self.watched = watched

    def emit(self, event) -> None:
        self.events.append(event)

    def wants_preview(self) -> bool:
        return self.watched

    def of(self, kind):
        return [e for e in self.events if isinstance(e, kind)]


def test_progress_runs_from_zero_to_one_over_loops_with_shares():
    ear = Ear()
    run = Run(listener=ear)
    for _ in run.steps(3, "first", share=0.5):
        time.sleep(0.06)
    for _ in run.steps(2, "second"):
        time.sleep(0.06)
    heard = ear.of(Progressed)
    assert [round(p.fraction, 3) for p in heard] == [0, 0.167, 0.333, 0.5, 0.5, 0.75, 1.0]
    assert heard[0].seconds_left is None
    assert {p.label for p in heard} == {"first", "second"}
    assert (heard[-1].step, heard[-1].total) == (2, 2)


def test_time_left_is_told_after_a_moment():
    ear = Ear()
    for _ in Run(listener=ear).steps(20, "work"):
        time.sleep(0.06)
    known = [p for p in ear.of(Progressed) if p.seconds_left]
    assert known
    assert all(abs(p.seconds_left - (20 - p.step) * 0.06) < 0.5 for p in known)


def test_progress_is_told_at_most_twenty_times_a_second():
    ear = Ear()
    began = time.monotonic()
    for _ in Run(listener=ear).steps(20_000, "work"):
        pass
    assert len(ear.of(Progressed)) <= (time.monotonic() - began) * 20 + 3


def test_an_early_end_of_a_loop_leaves_its_share_behind():
    ear = Ear()
    run = Run(listener=ear)
    for step in run.steps(100, "fit", share=0.6):
        if step == 3:
            break
    for _ in run.steps(1, "rest"):
        pass
    assert ear.of(Progressed)[-1].fraction == 1.0
    assert any(p.label == "rest" and p.fraction == pytest.approx(0.6) for p in ear.of(Progressed))


def test_a_loop_of_no_steps_is_fine():
    assert list(Run().steps(0, "nothing")) == []
    assert list(Run().steps(5, "done before", start=5)) == []


def test_cancel_acts_at_the_next_step_with_a_checkpoint():
    ear, control = Ear(), Control()
    run = Run(listener=ear, control=control)
    seen = []

    def body():
        for step in run.steps(100, "work"):
            seen.append(step)
            run.checkpoint(lambda: {"seen": list(seen)})
            if step == 4:
                control.cancel()

    with pytest.raises(Cancelled):
        body()
    assert seen == [0, 1, 2, 3, 4]
    (kept,) = ear.of(Checkpointed)
    assert kept.checkpoint.step == 5
    assert unpack(kept.checkpoint)["state"] == {"seen": seen}


def test_cancel_inside_a_step_does_not_store_a_half_changed_state():
    ear, control = Ear(), Control()
    run = Run(listener=ear, control=control)

    def body():
        for step in run.steps(10, "work"):
            if step == 3:
                control.cancel()
                run.check()
            run.checkpoint(lambda: {})

    with pytest.raises(Cancelled):
        body()
    assert ear.of(Checkpointed) == []


def test_pause_blocks_stores_and_goes_on():
    ear, control = Ear(), Control()
    run = Run(listener=ear, control=control)
    seen = []

    def body() -> None:
        for step in run.steps(50, "work"):
            seen.append(step)
            run.checkpoint(lambda: {})
            time.sleep(0.005)

    thread = threading.Thread(target=body)
    thread.start()
    time.sleep(0.05)
    control.pause()
    time.sleep(0.05)
    before, clock = len(seen), run.seconds
    time.sleep(0.2)
    assert len(seen) == before
    control.resume()
    thread.join(5)
    assert seen == list(range(50))
    assert len(ear.of(Checkpointed)) == 1
    assert run.seconds < clock + 1.0


def test_a_pause_after_the_cancel_does_not_block():
    control = Control()
    control.cancel()
    control.pause()
    control.wait()
    assert not control.paused


def test_log_counts_with_the_loop_and_takes_tensors():
    import torch

    ear = Ear()
    run = Run(listener=ear)
    for _ in run.steps(2, "fit"):
        run.log(loss=torch.tensor([0.5]), count=3)
    run.log(step=9, loss=np.float32(0.25))
    assert [(e.step, dict(e.values)) for e in ear.of(Logged)] == [
        (0, {"loss": 0.5, "count": 3.0}),
        (1, {"loss": 0.5, "count": 3.0}),
        (9, {"loss": 0.25}),
    ]


def test_previews_are_made_only_when_watched_and_seldom():
    cloud, made = PointCloud(points=np.zeros((1, 3))), []

    def make():
        made.append(1)
        return cloud

    blind, seeing = Run(listener=Ear()), Run(listener=(ear := Ear(watched=True)), preview_seconds=0.05)
    for _ in range(5):
        blind.preview(make)
    assert made == []
    for _ in range(10):
        seeing.preview(make)
        time.sleep(0.01)
    assert 1 <= len(made) <= 4
    assert ear.of(Previewed)[0].artifacts == {"preview": cloud}


def test_notes_and_warnings():
    ear = Ear()
    run = Run(listener=ear)
    run.note("fine")
    run.warn("look")
    assert [(n.level, n.text) for n in ear.of(Noted)] == [("note", "fine"), ("warning", "look")]


def test_a_loop_that_is_not_the_last_leaves_a_checkpoint_behind():
    ear = Ear()
    run = Run(listener=ear)
    for _ in run.steps(3, "fit", share=0.5):
        run.checkpoint(lambda: {"fitted": True})
    for _ in run.steps(1, "extract"):
        pass
    assert [e.checkpoint.step for e in ear.of(Checkpointed)] == [3]


def test_the_random_numbers_come_from_the_seed_and_from_nowhere_else():
    import torch

    def draw(seed):
        run = Run(seed=seed)
        return run.rng.random(3).tolist(), torch.rand(3, generator=run.generator).tolist()

    first = draw(5)
    np.random.seed(1)
    torch.manual_seed(1)
    outside = (np.random.random(2).tolist(), torch.rand(2).tolist())
    np.random.seed(1)
    torch.manual_seed(1)
    assert draw(5) == first
    assert (np.random.random(2).tolist(), torch.rand(2).tolist()) == outside  # a run leaves the global ones alone
    assert draw(6) != first


def test_a_restored_run_goes_on_with_the_same_random_numbers():
    import torch

    def numbers(run, start=0, stop=6):
        found = []
        for step in run.steps(stop, "draw", start=start):
            found.append((float(run.rng.normal()), float(torch.rand(1, generator=run.generator))))
            run.checkpoint(lambda step=step: {"step": step + 1})
        return found

    whole = numbers(Run(seed=2))
    ear, control = Ear(), Control()
    run = Run(seed=2, listener=ear, control=control)

    def body():
        for _step in run.steps(6, "draw"):
            run.rng.normal()
            torch.rand(1, generator=run.generator)
            run.checkpoint(lambda _step=_step: {"step": _step + 1})
            if _step == 2:
                control.cancel()

    with pytest.raises(Cancelled):
        body()
    again = Run(seed=2, checkpoint=ear.of(Checkpointed)[-1].checkpoint)
    assert numbers(again, start=again.restored()["step"]) == whole[3:]
    assert Run().restored() is None


def test_a_checkpoint_carries_nests_of_arrays_and_tensors():
    import torch

    state = {
        "tensors": [torch.arange(3), torch.ones(2, dtype=torch.bfloat16), torch.tensor(2.5)],
        "arrays": (np.eye(2), np.float32(3)),
        "plain": {"a": 1, 2: "two", "none": None, "flag": True, "bytes": b"\x00\xff", "inf": float("inf")},
        "empty": {},
    }
    packed = pack(7, state)
    assert packed.step == 7
    assert packed.nbytes > 0
    back = unpack(Checkpoint(7, dict(packed.arrays), packed.tree))
    assert back["plain"] == state["plain"]
    assert back["tensors"][1].dtype == torch.bfloat16
    assert torch.equal(back["tensors"][0], state["tensors"][0])
    assert isinstance(back["arrays"], tuple)
    assert np.array_equal(back["arrays"][0], np.eye(2))
    state["tensors"][0][0] = 99
    assert int(unpack(packed)["tensors"][0][0]) == 0  # a copy
    with pytest.raises(TypeError, match="cannot hold object"):
        pack(0, {"x": object()})


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: Checkpoint(c.step, {}, c.tree),
        lambda c: Checkpoint(c.step, c.arrays, "{"),
        lambda c: Checkpoint(c.step, c.arrays, "[]"),
        lambda c: Checkpoint(c.step, c.arrays, '{"v": 3}'),
        lambda c: Checkpoint(c.step, c.arrays, c.tree.replace("float32", "load").replace("uint8", "load")),
        lambda c: Checkpoint(c.step, {k: np.zeros(0, np.uint8) for k in c.arrays}, c.tree),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_words(damage):
    import torch

    run = Run()
    whole = {"state": {"w": torch.ones(2)}, "rng": run.rng.bit_generator.state, "generator": run.generator.get_state()}
    with pytest.raises(UserError, match="The checkpoint is damaged"):
        Run(checkpoint=damage(pack(1, whole))).restored()
