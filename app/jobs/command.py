"""The command line that repeats a run: what the window shows is what a script can say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engines.core import Method, Params

if TYPE_CHECKING:
    from app.project import Project, RunRecord

UNSAVED = "project.fieldwright"


def command_line(
    method: Method,
    params: Params,
    *,
    inputs: Mapping[str, str],
    seed: int,
    device: str = "auto",
    preset: str | None = None,
    project: str = "",
    threads: int | None = None,
    isolated: bool = False,
) -> str:
    """One line for a POSIX shell.

    ``inputs`` maps each input to a file or, in ``project``, to ``@name`` or ``@id``. Settings are written as far
    as they differ from the preset.
    """
    words = ["fieldwright", "run", method.key]
    for name, source in inputs.items():
        words += ["--input", f"{name}={source}"]
    if preset and preset != "standard":
        words += ["--preset", preset]
    for name, text in params.texts(method.preset(preset)).items():
        words += ["--set", f"{name}={text}"]
    words += ["--seed", str(seed), "--device", device]
    if threads:
        words += ["--threads", str(threads)]
    if isolated:
        words += ["--isolated"]
    if project:
        words += ["--project", project]
    return shlex.join(words)


def command_of(record: RunRecord, project: Project, method: Method) -> str:
    """The line that repeats a run of the project; an unsaved one is called ``project.fieldwright``.

    Raises UserError when the run's settings no longer fit the method.
    """
    names = [entry.name for entry in project.entries.values()]
    inputs = {}
    for name, artifact_id in record.inputs.items():
        entry = project.entries.get(artifact_id)
        plain = entry is not None and names.count(entry.name) == 1
        inputs[name] = f"@{entry.name if entry is not None and plain else artifact_id}"
    return command_line(
        method,
        method.params.parse(record.params),
        inputs=inputs,
        seed=record.seed,
        device=record.device,
        preset=record.preset if record.preset in method.presets else None,
        project=str(project.path) if project.path else UNSAVED,
    )
