"""Running, resuming and exporting without a window; what ``app/cli.py`` asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.jobs import Job, JobQueue, JobSpec
from app.jobs.command import is_a
from app.jobs.curves import curves_artifact
from app.jobs.recorder import Recorder, resume_spec
from app.project import Entry, Item, Project, Provenance, link_to
from app.terminal import BAD_INPUT, BUG, CANCELLED, FINE, Terminal, artifact_facts, finite, table_rows, watch
from app.window.wording import duration_text
from engines.core import Artifact, Catalog, InputSpec, Method, Params, UserError, catalog
from engines.data import Curve, Mesh, Table

if TYPE_CHECKING:
    from engines.files import Loaded

CURVES = "curves"


@dataclass(frozen=True)
class NewRun:
    """What was asked for on the command line. ``sample`` takes the method's own inputs and settings."""

    method: str
    inputs: Sequence[str]
    preset: str | None
    settings: Mapping[str, str]
    seed: int
    device: str
    exports: Mapping[str, str]
    isolated: bool
    sample: bool = False


@contextmanager
def opened(path: Path | None, terminal: Terminal, *, optional: bool = False, writing: bool = True) -> Iterator[Any]:
    """The project at ``path``, made when it is missing; None when there is none and it is ``optional``.

    What a session that was killed left in its journal is saved first, when the project is to be written.
    Raises UserError when it cannot be opened, or is in use elsewhere while it is to be written.
    """
    if path is None and optional:
        yield None
        return
    assert path is not None
    left = Project.recoverable(path) if writing and path.exists() else []
    if left:
        project = left[0].recover()
        if not project.read_only:
            project.save()
            terminal.warn(f"Unsaved work of a session that was interrupted was recovered: {left[0].summary}")
    elif path.exists():
        project = Project.open(path)
    else:
        project = Project.new()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"'{path.parent}' cannot be made.", f"{error.strerror}.", "Choose another folder."
            ) from None
        project.save(path)  # says now whether it can be written, and the journal stands beside it
    try:
        if writing and project.read_only:
            raise UserError(
                f"'{path.name}' cannot be changed now.",
                "It is open in another window, or may only be read.",
                "Close it there, or use another file.",
            )
        yield project
    finally:
        project.close()


def run(wanted: NewRun, project: Project | None, threads: int | None, terminal: Terminal) -> int:
    """Run a method to its end. Returns the exit code."""
    method = catalog().get(wanted.method)
    _check_exports(method, wanted.exports)
    if wanted.sample:
        inputs: dict[str, Artifact] = dict(method.sample.inputs())
        ids: dict[str, str] = {}
        params: Params = method.params.parse(method.sample.params)
    else:
        params = method.params.parse(wanted.settings, method.preset(wanted.preset))
        inputs, ids = _inputs(method, wanted.inputs, project, terminal)
    method.check(inputs, params)
    if project is None and not wanted.exports:
        terminal.warn("Nothing of this run will be kept. Use --project or --export.")
    spec = JobSpec(
        method=method.key,
        inputs=inputs,
        params=params,
        seed=wanted.seed,
        device=wanted.device,
        isolated=wanted.isolated,
        title=method.title,
        preset=wanted.preset,
        input_ids=ids,
    )
    return _see_through(spec, project, wanted.exports, threads, terminal)


def resume(
    run_id: str | None,
    project: Project,
    exports: Mapping[str, str],
    threads: int | None,
    isolated: bool,
    terminal: Terminal,
) -> int:
    """Go on with a run. Returns the exit code."""
    found = find_run(project, run_id) if run_id else _latest_resumable(project)
    spec = resume_spec(project, found, catalog().get, isolated=isolated)
    _check_exports(catalog().get(spec.method), exports)
    return _see_through(spec, project, exports, threads, terminal)


def export(
    project: Project, wanted: str, out: Path, options: Mapping[str, str], format: str | None, terminal: Terminal
) -> None:
    """Write an artifact, or a run's curves. Raises UserError when there is none, or no format fits."""
    from engines.files import WRITERS, write, writers_for

    try:
        artifact: Artifact = project.artifact(find_entry(project, wanted).id)
    except UserError as error:
        try:
            artifact = curves_artifact(project.curves(find_run(project, wanted)), wanted)
        except UserError:
            raise error from None
    if format is not None and format not in WRITERS:
        raise UserError(f"There is no format '{format}'.", mend=f"Use one of: {', '.join(sorted(WRITERS))}.")
    able = writers_for(type(artifact))
    fits = [w for w in able if (w.key == format if format else out.name.lower().endswith(w.extensions))]
    if isinstance(artifact, Mesh) and artifact.texture is not None and fits and "texture" not in fits[0].holds:
        terminal.warn("This format has no place for the texture, which was left out; OBJ and GLB keep it.")
    write(artifact, out, fits[0].options.parse(options) if fits and options else None, format)


def find_entry(project: Project, text: str, kind: type[Artifact] = Artifact) -> Entry:
    """An artifact by id or name. Raises UserError when there is none, or several of that name and ``kind``."""
    if text in project.entries:
        return project.entries[text]
    named = [entry for entry in project.entries.values() if entry.name == text]
    named = [entry for entry in named if is_a(entry, kind)] or named
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(f"{entry.id} ({entry.summary})" for entry in named)
        raise UserError(f"{len(named)} artifacts are called '{text}'.", mend=f"Use an id: {ids}.")
    names = ", ".join(f"'{entry.name}'" for entry in list(project.entries.values())[:12])
    raise UserError(f"The project has no artifact '{text}'.", mend=f"It has: {names or 'none yet'}.")


def find_run(project: Project, text: str) -> str:
    """A run's id from its id, the start of it, or its title (the latest of that title)."""
    for record in reversed(list(project.runs.values())):
        if text in (record.id, record.title):
            return record.id
    starts = [run_id for run_id in project.runs if run_id.startswith(text)]
    if len(starts) == 1:
        return starts[0]
    known = ", ".join(f"{r.id} ({r.title}, {r.status})" for r in project.runs.values())
    raise UserError(f"The project has no run '{text}'.", mend=f"It has: {known or 'none yet'}.")


def _latest_resumable(project: Project) -> str:
    for record in reversed(list(project.runs.values())):
        if record.has_checkpoint and record.status != "finished":
            return record.id
    raise UserError("The project has no run that can be resumed.", "None that was stopped has a checkpoint.")


def _inputs(
    method: Method, texts: Sequence[str], project: Project | None, terminal: Terminal
) -> tuple[dict[str, Artifact], dict[str, str]]:
    """Inputs by name, and the project's ids of them (files are added to the project)."""
    specs = {spec.name: spec for spec in method.inputs}
    inputs: dict[str, Artifact] = {}
    ids: dict[str, str] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        if not equals or (name not in specs and os.path.exists(text)):
            free = [spec.name for spec in method.inputs if spec.name not in inputs]
            if not free:
                raise UserError(f"{method.title} takes no further input.", mend=f"Leave out '{text}'.")
            name, source = free[0], text
        if name not in specs:
            raise UserError(f"{method.title} has no input '{name}'.", mend=f"Its inputs: {', '.join(specs) or 'none'}.")
        if source.startswith("@"):
            if project is None:
                raise UserError(f"'{source}' is in no project.", mend="Name the project with --project.")
            entry = find_entry(project, source[1:], specs[name].type)
            inputs[name], ids[name] = project.artifact(entry.id), entry.id
            continue
        path, inputs[name], reader = _from_file(source, specs[name], method, terminal)
        if project is not None:
            ids[name] = _placed(project, inputs[name], path, reader).id
    return inputs, ids


def _placed(project: Project, artifact: Artifact, path: Path, reader: str) -> Entry:
    """The project's entry of what a file held; the same content is not added twice."""
    digest = artifact.content_hash()
    for entry in project.entries.values():
        if entry.hash == digest and entry.type == type(artifact).__name__:
            return entry
    how = Provenance(reader=reader)
    return project.add(artifact, name=artifact.name or path.stem, origin=str(path.resolve()), provenance=how)


def items_of(path: Path, loaded: Loaded, reader: str, options: Mapping[str, str], *, link: bool) -> list[Item]:
    """What a file held, as it is added to a project: with how it was read, and linked if asked for."""
    from engines.files import READERS, file_of

    kind = READERS[reader].options
    how = Provenance(reader=reader, options=kind.parse(options).model_dump(mode="json"))
    where = path.resolve()
    return [
        Item(
            a,
            a.name or path.stem,
            str(where),
            how,
            link_to(file_of(where, reader), reader, how.options, index, files=loaded.files) if link else None,
        )
        for index, a in enumerate(loaded.artifacts)
    ]


def _from_file(source: str, spec: InputSpec, method: Method, terminal: Terminal) -> tuple[Path, Artifact, str]:
    """The file (``FILE`` or ``FORMAT:FILE``), what a method takes from it, and the reader.

    The reader is the first one that can give such a thing; others that can are told, where none was chosen.
    """
    from engines.files import READERS, read, readers_for

    chosen, _, rest = source.partition(":")
    path = Path(rest if chosen in READERS else source)
    able = [READERS[chosen]] if chosen in READERS else readers_for(path)
    fit = [r for r in able if any(issubclass(kind, spec.type) for kind in r.gives)]
    format = (fit or able)[0].key if able else ""
    loaded = read(path, None, format or None)
    for other in fit[1:]:
        if chosen not in READERS:
            terminal.remark(f"{path.name}: {fit[0].title}. As {other.title}: --input {spec.name}={other.key}:{source}")
    for problem in loaded.problems:
        terminal.warn(f"{path.name}: {problem}")
    fitting = [a for a in loaded.artifacts if isinstance(a, spec.type)]
    if not fitting:
        held = ", ".join(type(a).title for a in loaded.artifacts) or "nothing"
        raise UserError(
            f"'{path.name}' holds: {held}.",
            f"{method.title} takes {spec.type.title} as '{spec.name}'.",
            _bridge(catalog(), loaded.artifacts, spec),
        )
    return path, fitting[0], format


def _bridge(methods: Catalog, artifacts: Sequence[Artifact], spec: InputSpec) -> str:
    """Names a preparation that leads from what is there to what is needed."""
    for found in methods:
        gives = any(issubclass(out.type, spec.type) for out in found.outputs)
        if found.role in ("preparation", "method") and gives and any(found.accepts(a) for a in artifacts):
            return f"Prepare it first with: fieldwright run {found.key}."
    return "Convert it first."


def _check_exports(method: Method, exports: Mapping[str, str]) -> None:
    """Refuse before the run what could not be written after it."""
    from engines.files import writers_for

    outputs = {spec.name: spec for spec in method.outputs}
    for name, file in exports.items():
        spec = outputs.get(name.split("/")[0])
        if spec is None and name != CURVES:
            known = ", ".join([*outputs, CURVES])
            raise UserError(f"{method.title} gives no '{name}'.", mend=f"It gives: {known}.")
        kind = spec.type if spec is not None else Curve
        endings = sorted({e for w in writers_for(kind) for e in w.extensions})
        if not Path(file).name.lower().endswith(tuple(endings)):
            raise UserError(
                f"A {kind.title} cannot be written as '{Path(file).name}'.",
                mend=f"Use one of: {', '.join(endings) or 'none'}.",
            )


def _see_through(
    spec: JobSpec, project: Project | None, exports: Mapping[str, str], threads: int | None, terminal: Terminal
) -> int:
    queue = JobQueue(threads=threads)
    problems: list[BaseException] = []
    recorder = Recorder(project, queue, problems.append) if project is not None else None
    job = queue.submit(spec)
    watch(job, queue, terminal)
    queue.shutdown()
    if recorder is not None:
        recorder.close()
    if project is not None:
        project.save()
    for problem in problems:
        terminal.warn(f"Not everything could be recorded: {problem}")
    written = _write_exports(job, exports) if job.status == "finished" else []
    _tell_end(job, project, written, terminal)
    if job.status == "failed":
        return BAD_INPUT if job.user_error is not None else BUG
    return CANCELLED if job.status == "cancelled" else FINE


def _write_exports(job: Job, exports: Mapping[str, str]) -> list[Path]:
    from engines.files import write

    outputs, written = dict(job.outputs or {}), []
    for name, file in exports.items():
        if name == CURVES and name not in outputs:
            found: dict[str, Artifact] = {CURVES: curves_artifact(job.curves, f"{job.title} curves")}
        else:
            found = {key: a for key, a in outputs.items() if key == name or key.startswith(f"{name}/")}
        if not found:
            raise UserError(f"This run gave no '{name}'.", mend=f"It gave: {', '.join(outputs) or 'nothing'}.")
        for key, artifact in found.items():
            number = key.rpartition("/")[2] if key != name else ""
            path = numbered(Path(file), number)
            write(artifact, path)
            written.append(path)
    return written


def numbered(path: Path, number: str) -> Path:
    """``brain.ply`` and ``"2"`` give ``brain-2.ply``; a double ending such as ``.nii.gz`` stays whole."""
    stem, dot, rest = path.name.partition(".")
    return path.with_name(f"{stem}-{number}{dot}{rest}") if number else path


def _tell_end(job: Job, project: Project | None, written: Sequence[Path], terminal: Terminal) -> None:
    record = project.runs.get(job.run_id) if project is not None else None
    if terminal.machine:
        facts: dict[str, Any] = {
            "event": job.status,
            "run": job.run_id,
            "method": job.spec.method,
            "seed": job.spec.seed,
            "device": job.device,
            "seconds": round(job.seconds, 3),
            "values": {name: finite(value) for name, value in job.newest.items()},
            "outputs": {
                name: {
                    **artifact_facts(artifact),
                    "hash": artifact.content_hash(),
                    "id": record.outputs.get(name) if record is not None else None,
                }
                for name, artifact in (job.outputs or {}).items()
            },
            "project": str(project.path) if project is not None else None,
            "exports": [str(path) for path in written],
            "command": record.command if record is not None else None,
            "can_resume": job.status != "finished" and record is not None and record.has_checkpoint,
        }
        if job.status == "failed":
            facts["error"] = job.error
            if (user := job.user_error) is not None:
                facts |= {"what": user.what, "why": user.why, "mend": user.mend}
        terminal.json(facts)
        return
    if job.user_error is not None:
        terminal.error(job.user_error)
    elif job.status == "failed":
        terminal.bug(job.error)
    terminal.say(
        f"{job.title} {'was cancelled' if job.status == 'cancelled' else job.status} "
        f"after {duration_text(job.seconds)} on {job.device or 'no device'}."
    )
    outputs = job.outputs or {}
    terminal.grid("", ["Output", "Type", "Content"], [[n, type(a).title, a.summary()] for n, a in outputs.items()])
    for name, artifact in outputs.items():
        if isinstance(artifact, Table) and artifact.rows <= 20:
            terminal.grid(name, list(artifact.columns), table_rows(artifact))
    for path in written:
        terminal.say(f"Wrote {path}")
    if record is None or project is None:
        return
    terminal.say(f"Saved in {project.path} as run {record.id}.")
    if job.status != "finished" and record.has_checkpoint:
        terminal.say(f"Resume it with: fieldwright resume {project.path} {record.id}")
