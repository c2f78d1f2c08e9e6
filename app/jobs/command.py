"""The command line that repeats a run: what the window shows is what a script can say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engines.core import Artifact, Method, Params

if TYPE_CHECKING:
    from app.project import Entry, Project, RunRecord

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


def is_a(entry: Entry, kind: type[Artifact]) -> bool:
    """Whether the project's artifact is of this type."""
    return issubclass(Artifact.registry.get(entry.type, Artifact), kind)


def command_of(record: RunRecord, project: Project, method: Method) -> str:
    """The line that repeats a run of the project; an unsaved one is called ``project.fieldwright``.

    Raises UserError when the run's settings no longer fit the method.
    """
    kinds = {spec.name: spec.type for spec in method.inputs}
    inputs = {}
    for name, artifact_id in record.inputs.items():
        entry = project.entries.get(artifact_id)
        fitting = [e.name for e in project.entries.values() if is_a(e, kinds.get(name, Artifact))]
        plain = entry is not None and fitting.count(entry.name) == 1
        inputs[name] = f"@{entry.name if entry is not None and plain else artifact_id}"
    return command_line(
        method,
        method.params.parse(record.params),
        inputs=inputs,
        seed=record.seed,
        device=record.device,
        preset=record.preset if record.preset in method.presets else None,
        threads=int(record.versions["threads"]) if record.versions.get("threads", "").isdigit() else None,
        project=str(project.path) if project.path else UNSAVED,
    )
