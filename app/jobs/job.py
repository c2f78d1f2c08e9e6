"""A run while it is queued, running or paused, and what is left of it afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

import numpy as np

from app.jobs.execute import Outcome
from engines.core import (
    ELAPSED,
    Artifact,
    Checkpoint,
    Checkpointed,
    Control,
    Event,
    Logged,
    Noted,
    Params,
    Previewed,
    Progressed,
    UserError,
)

Status = Literal["queued", "running", "paused", "finished", "cancelled", "failed"]
ENDED: frozenset[Status] = frozenset({"finished", "cancelled", "failed"})


Points = tuple[Sequence[int] | np.ndarray, Sequence[float] | np.ndarray]
"""Steps and values of a curve."""


@dataclass(frozen=True)
class JobSpec:
    """What to run. ``device`` may be ``"auto"``; ``isolated`` gives the job a process of its own.

    The fields after ``isolated`` are for the record only: the project's ids of the inputs, the
    preset that was chosen, and, for a run that goes on from ``checkpoint``, its id and what it has so far.
    """

    method: str
    inputs: Mapping[str, Artifact]
    params: Params
    seed: int = 0
    device: str = "auto"
    checkpoint: Checkpoint | None = None
    isolated: bool = False
    title: str = ""
    preset: str | None = None
    input_ids: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    curves: Mapping[str, Points] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Submitted:
    """The job entered the queue."""


@dataclass(frozen=True)
class StatusChanged:
    """``status`` is the new one. Everything else of the job is up to date when this is told."""

    status: Status


@dataclass(frozen=True)
class Reordered:
    """The job moved in the queue."""


@dataclass(frozen=True)
class Removed:
    """The job was taken off the list."""


JobEvent = Event | Submitted | StatusChanged | Reordered | Removed


class _Series:
    """A growing curve. A snapshot is a read-only view that later points do not touch."""

    def __init__(self) -> None:
        self._steps, self._values, self._count = np.empty(64, np.int64), np.empty(64, np.float64), 0

    def append(self, step: int, value: float) -> None:
        if self._count == len(self._steps):
            self._steps = np.concatenate([self._steps, np.empty_like(self._steps)])
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._steps[self._count], self._values[self._count] = step, value
        self._count += 1

    def snapshot(self) -> tuple[np.ndarray, np.ndarray]:
        steps, values = self._steps[: self._count], self._values[: self._count]
        steps.flags.writeable = values.flags.writeable = False
        return steps, values


class Job:
    """One submitted :class:`JobSpec`. Every attribute may be read from any thread.

    ``run_id`` names the run in the project; it is the job's own ``id`` unless the job resumes a run.
    """

    def __init__(self, spec: JobSpec, tell: Callable[[Job, JobEvent], None], lock: threading.RLock) -> None:
        self.id = uuid4().hex[:12]
        self.run_id = spec.run_id or self.id
        self.spec = spec
        self.created = time.time()
        self.device = ""
        self.status: Status = "queued"
        self.progress: Progressed | None = None
        self.error = ""
        self.user_error: UserError | None = None
        self.outputs: Mapping[str, Artifact] | None = None
        self.latest_preview: Mapping[str, Artifact] | None = None
        self.checkpoint: Checkpoint | None = spec.checkpoint
        self.preview_watched = False
        self.control = Control()
        self._killer: Callable[[], None] | None = None
        self._kill_wanted = False
        self._tell, self._lock = tell, lock
        self._data = threading.Lock()
        self._series: dict[str, _Series] = {}
        self._log: list[Noted] = []
        self._ended = threading.Event()
        self._clock: float | None = None
        self._worked = spec.seconds
        self._started = False
        until = spec.checkpoint.step if spec.checkpoint is not None else 0
        for name, (steps, values) in spec.curves.items():
            for step, value in zip(steps, values, strict=True):
                if step < until:  # what came after the checkpoint is done again
                    self._add_point(name, int(step), float(value))

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.spec.method} {self.status}>"

    @property
    def title(self) -> str:
        return self.spec.title or self.spec.method

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Steps (int64) and values (float64) of each live curve, as read-only views (no copy)."""
        with self._data:
            return {name: series.snapshot() for name, series in self._series.items()}

    @property
    def newest(self) -> dict[str, float]:
        """The last value of each live curve; the clock is none."""
        return {k: float(values[-1]) for k, (_, values) in self.curves.items() if len(values) and k != ELAPSED}

    @property
    def log(self) -> list[Noted]:
        with self._data:
            return list(self._log)

    @property
    def seconds(self) -> float:
        """Time spent running; pauses do not count, earlier parts of a resumed run do."""
        with self._lock:
            return self._worked + (time.monotonic() - self._clock if self._clock is not None else 0.0)

    def watch_preview(self, watched: bool) -> None:
        """Say whether anybody looks: previews are made only then."""
        self.preview_watched = watched

    def pause(self) -> None:
        """Halt at the next step. A queued job is held back in the queue. A paused job keeps its device."""
        with self._lock:
            if self.status not in ("queued", "running"):
                return
            self.control.pause()
            self._set_status("paused")
        self._tell(self, StatusChanged("paused"))

    def resume(self) -> None:
        with self._lock:
            if self.status != "paused":
                return
            self._set_status("running" if self._started else "queued")
            self.control.resume()
            now = self.status
        self._tell(self, StatusChanged(now))

    def cancel(self) -> None:
        """Stop at the next step; a queued job is cancelled at once."""
        with self._lock:
            if self.ended:
                return
            self.control.cancel()
            waiting = not self._started
        if waiting:
            self.end(Outcome("cancelled"))

    def kill(self) -> None:
        """Stop now. An isolated job is gone within a second; a thread can only be asked to cancel."""
        self.cancel()
        with self._lock:
            self._kill_wanted = True
            killer = self._killer
        if killer is not None:
            killer()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has ended. False when it has not within ``timeout`` seconds."""
        return self._ended.wait(timeout)

    # What the queue and the runners say to the job.

    def begin(self, device: str) -> bool:
        """Mark the job as running. False when it was cancelled or held back meanwhile."""
        with self._lock:
            if self.status != "queued":
                return False
            self.device, self._started = device, True
            self._set_status("running")
        self._tell(self, StatusChanged("running"))
        return True

    def started_as(self, killer: Callable[[], None]) -> None:
        """``killer`` ends the run now; it is used at once if that was asked for meanwhile."""
        with self._lock:
            self._killer = killer
            wanted = self._kill_wanted
        if wanted:
            killer()

    def end(self, outcome: Outcome) -> None:
        with self._lock:
            if self.ended:
                return
            self.outputs, self.error, self.user_error = outcome.outputs, outcome.error, outcome.user_error
            self._set_status(outcome.status)
        self._tell(self, StatusChanged(outcome.status))
        self._ended.set()

    def emit(self, event: Event) -> None:
        """Take an event of the run (:class:`engines.core.Listener`), on the run's own thread."""
        if self.ended:
            return
        match event:
            case Progressed():
                self.progress = event
            case Logged():
                with self._data:
                    for name, value in event.values.items():
                        self._add_point(name, event.step, value)
                    self._add_point(ELAPSED, event.step, event.seconds + self.spec.seconds)
            case Previewed():
                self.latest_preview = event.artifacts
            case Noted():
                with self._data:
                    self._log.append(event)
            case Checkpointed():
                self.checkpoint = event.checkpoint
        self._tell(self, event)

    def wants_preview(self) -> bool:
        return self.preview_watched

    def _add_point(self, name: str, step: int, value: float) -> None:
        self._series.setdefault(name, _Series()).append(step, value)

    def _set_status(self, status: Status) -> None:
        now = time.monotonic()
        if self._clock is not None:
            self._worked += now - self._clock
        self._clock = now if status == "running" else None
        self.status = status
