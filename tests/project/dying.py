"""Processes that work on a project and say what was promised; the tests kill them at some moment.

``what`` is "save" (edits and saves), "run" (curves, checkpoints, outputs) or "journal" (edits, each waited for).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection

import numpy as np

from app.project import Project, RunRecord
from engines.core import Checkpoint
from engines.data import PointCloud

Say = Callable[..., None]


def cloud(number: int) -> PointCloud:
    points = np.random.default_rng(number).normal(size=(1_000 + number % 3 * 10_000, 3))
    return PointCloud(name=f"cloud {number}", points=points)


def work(path: str, what: str, state: str, promises: Connection) -> None:
    os.environ["FIELDWRIGHT_STATE"] = state
    opened = Project.open(path)
    promises.send(("open",))
    {"save": save, "run": run, "journal": journal}[what](opened, lambda *words: promises.send(words))


def save(project: Project, say: Say) -> None:
    kept: list[str] = []
    for number in count():
        made = cloud(number)
        kept.append(project.add(made).id)
        if number % 3 == 2:
            project.remove(kept.pop(0))
        project.save()
        say("saved", project.entries[kept[-1]].id, made.content_hash())


def run(project: Project, say: Say) -> None:
    for number in count():
        key = f"run{number}"
        project.put_run(RunRecord(id=key, method="orex", status="running"))
        say("run", key)
        for step in range(3):
            project.add_curve_points(key, [(step, {"loss": 1.0 / (step + 1)})])
            project.put_checkpoint(key, Checkpoint(step, {"0": np.full(30_000, step)}, "{}"))
            say("checkpoint", key, step)
        made = cloud(number)
        entry = project.finish_run(project.runs[key].replace(status="finished"), {"points": made})[0]
        say("finished", entry.id, made.content_hash())


def journal(project: Project, say: Say) -> None:
    for number in count():
        made = cloud(number)
        entry = project.add(made)
        project.rename(entry.id, f"renamed {number}")
        project.flush()
        say("named", entry.id, made.content_hash(), f"renamed {number}")
