"""What ``fieldwright methods`` and ``fieldwright info`` show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.project import Project, Provenance
from app.terminal import Terminal, artifact_facts
from app.window.wording import duration_text, size_text
from engines.core import FAMILIES, Catalog, Method, ParamSpec
from engines.files import Loaded


def show_methods(methods: Catalog, search: str, terminal: Terminal) -> None:
    found = methods.search(search) if search else list(methods)
    for broken in methods.broken:
        last = broken.report.strip().splitlines()[-1]
        terminal.warn(f"'{broken.name}' could not be loaded: {last}")
    if terminal.machine:
        terminal.json([method_facts(method) for method in found])
        return
    for family, title in [*FAMILIES.items(), *((f, f) for f in {m.family for m in found} - set(FAMILIES))]:
        rows = [[m.key, m.title, m.role, m.job] for m in found if m.family == family]
        terminal.grid(title, ["Key", "Title", "Role", "What it does"], rows)
    if not found:
        terminal.say("No method has these words." if search else "There are no methods.")


def show_method(method: Method, terminal: Terminal) -> None:
    if terminal.machine:
        terminal.json(method_facts(method))
        return
    terminal.say(f"{method.title} ({method.key}), {method.role}", style="bold")
    terminal.say(f"{method.job}\n\n{method.description}\n")
    inputs = [[s.name, s.type.title, "optional" if s.optional else "", s.help] for s in method.inputs]
    terminal.grid("Inputs", ["Name", "Type", "", "Meaning"], inputs)
    outputs = [
        [s.name, s.type.title, "several" if s.many else "optional" if s.optional else ""] for s in method.outputs
    ]
    terminal.grid("Outputs", ["Name", "Type", ""], outputs)
    settings = [
        [
            s.name,
            _shown(s.default) if s.default not in (None, (), []) else s.empty,
            s.range_text,
            s.unit,
            s.help + (f" ({s.source})" if s.source else ""),
        ]
        for s in method.params.specs()
    ]
    terminal.grid("Settings", ["Name", "Default", "Allowed", "Unit", "Meaning"], settings)
    presets = [
        [name, ", ".join(f"{k}={_shown(v)}" for k, v in values.items())] for name, values in method.presets.items()
    ]
    terminal.grid("Presets", ["Name", "Settings"], presets)
    if method.paper is not None:
        terminal.say(f"\n{method.paper.bibtex}")


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def method_facts(method: Method) -> dict[str, Any]:
    return {
        "key": method.key,
        "title": method.title,
        "family": method.family,
        "role": method.role,
        "job": method.job,
        "description": method.description,
        "tags": list(method.tags),
        "inputs": [
            {"name": s.name, "type": s.type.__name__, "optional": s.optional, "help": s.help} for s in method.inputs
        ],
        "outputs": [
            {"name": s.name, "type": s.type.__name__, "optional": s.optional, "many": s.many} for s in method.outputs
        ],
        "settings": [_setting_facts(spec) for spec in method.params.specs()],
        "presets": {name: dict(values) for name, values in method.presets.items()},
        "paper": dataclasses.asdict(method.paper) if method.paper is not None else None,
    }


def _setting_facts(spec: ParamSpec) -> dict[str, Any]:
    facts = dataclasses.asdict(spec)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}


def show_loaded(file: Path, loaded: Loaded, terminal: Terminal) -> None:
    if terminal.machine:
        artifacts = [{"name": a.name, **artifact_facts(a)} for a in loaded.artifacts]
        terminal.json({"path": str(file), "artifacts": artifacts, "problems": list(loaded.problems)})
        return
    for problem in loaded.problems:
        terminal.warn(problem)
    rows = [[a.name or file.stem, type(a).title, a.summary(), size_text(a.nbytes)] for a in loaded.artifacts]
    terminal.grid(file.name, ["Name", "Type", "Content", "Size"], rows)


def show_project(project: Project, terminal: Terminal) -> None:
    entries, runs = list(project.entries.values()), list(project.runs.values())
    if terminal.machine:
        records = [
            {
                "id": r.id,
                "title": r.title,
                "method": r.method,
                "status": r.status,
                "seed": r.seed,
                "device": r.device,
                "started": r.started,
                "seconds": r.seconds,
                "params": dict(r.params),
                "inputs": dict(r.inputs),
                "outputs": dict(r.outputs),
                "versions": dict(r.versions),
                "can_resume": r.has_checkpoint and r.status != "finished",
                "error": r.error,
                "command": r.command,
            }
            for r in runs
        ]
        artifacts = [entry.to_json() | {"link_state": project.link_state(entry.id)} for entry in entries]
        terminal.json({"path": str(project.path), "artifacts": artifacts, "runs": records})
        return
    rows = [[e.id, e.name, e.type, e.role, e.summary, size_text(e.nbytes)] for e in entries]
    terminal.grid("Artifacts", ["Id", "Name", "Type", "Role", "Content", "Size"], rows)
    show_origins(project, terminal)
    lines = [[r.id, r.title, r.status, str(r.seed), r.device, duration_text(r.seconds)] for r in runs]
    terminal.grid("Runs", ["Id", "Title", "Status", "Seed", "Device", "Time"], lines)
    if not rows and not lines:
        terminal.say("The project is empty.")


def show_origins(project: Project, terminal: Terminal) -> None:
    """How datasets were made outside of runs, and which of them lie in files outside of the project."""
    entries = list(project.entries.values())
    made = [(e, e.provenance) for e in entries if e.provenance is not None or e.origin]
    rows = [
        [e.name, p.role, p.method, str(p.seed), _settings_text(p.params), _file_text(e.origin, p)]
        if p is not None and p.method
        else [e.name, "", "", "", "", _file_text(e.origin, p)]
        for e, p in made
    ]
    terminal.grid("Origins", ["Name", "Role", "Method", "Seed", "Settings", "From"], rows)
    links = [(e, e.link) for e in entries if e.link is not None]
    if links:
        total = size_text(sum(link.whole_size for _, link in links))
        terminal.grid(
            f"Linked: {len(links)} of {len(entries)} artifacts, {total} outside of the project",
            ["Name", "File", "Size", "State"],
            [[e.name, link.path, size_text(link.whole_size), project.link_state(e.id) or ""] for e, link in links],
        )


def _settings_text(values: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_shown(value)}" for key, value in values.items() if value != "")


def _file_text(origin: str, how: Provenance | None) -> str:
    read = f"read as {how.reader} {_settings_text(how.options)}".strip() if how is not None and how.reader else ""
    return ", ".join(part for part in (origin, read) if part)
