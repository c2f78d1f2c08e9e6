"""What ``fieldwright methods`` and ``fieldwright info`` show."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from app.project import Project
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
        [s.name, _shown(s.default), s.range_text, s.unit, s.help + (f" ({s.source})" if s.source else "")]
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
        artifacts = [dataclasses.asdict(entry) for entry in entries]
        terminal.json({"path": str(project.path), "artifacts": artifacts, "runs": records})
        return
    rows = [[e.id, e.name, e.type, e.role, e.summary, size_text(e.nbytes)] for e in entries]
    terminal.grid("Artifacts", ["Id", "Name", "Type", "Role", "Content", "Size"], rows)
    lines = [[r.id, r.title, r.status, str(r.seed), r.device, duration_text(r.seconds)] for r in runs]
    terminal.grid("Runs", ["Id", "Title", "Status", "Seed", "Device", "Time"], lines)
    if not rows and not lines:
        terminal.say("The project is empty.")
