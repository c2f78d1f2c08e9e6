"""Short methods that are carried out at once, beside the queue, as one edit of the project. No Qt.

For what a person does with the mouse: it cannot wait until a training run has ended. The record is that of any other
run, so that the same can be done again, from the window or the command line; undo takes back run and results together.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from uuid import uuid4

from app.jobs.command import command_of
from app.project import Entry, Project, RunRecord
from app.project.records import now
from engines.core import Method, Params, Run, versions


def carry_out(
    project: Project, method: Method, input_ids: Mapping[str, str], params: Params, *, title: str, name: str, label: str
) -> list[Entry]:
    """Run a method on what the project holds; its outputs are called ``name``. ``label`` is what undo says.

    Raises :class:`UserError` for what a user can mend, and what the method raises.
    """
    inputs = {key: project.artifact(i) for key, i in input_ids.items()}
    started, began = now(), time.monotonic()
    outputs = method.run(inputs, params, Run(seed=0, device="cpu"))
    entries = project.entries
    record = RunRecord(
        id=uuid4().hex[:12],
        method=method.key,
        title=title,
        status="finished",
        versions=versions(),
        started=started,
        seconds=time.monotonic() - began,
        params=params.model_dump(mode="json"),
        inputs=dict(input_ids),
        input_hashes={key: entries[i].hash for key, i in input_ids.items() if i in entries},
    )
    record = record.replace(command=command_of(record, project, method))
    named = {key: artifact.replace(name=name) for key, artifact in outputs.items()}
    return project.add_run(record, named, label, role="dataset" if method.role == "preparation" else "result")


def edited_name(name: str, taken: Iterable[str]) -> str:
    """``torus (edited)``, ``torus (edited 2)``, … : the first that is free."""
    stem, others, number = re.sub(r" \(edited(?: \d+)?\)$", "", name), set(taken), 2
    found = f"{stem} (edited)"
    while found in others:
        found, number = f"{stem} (edited {number})", number + 1
    return found
