"""The edits of a project, each as a command that can be done, undone and done again."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable
from typing import Any

from app.project.content import Content
from app.project.history import Command
from app.project.ownership import clean_name, short_name
from app.project.records import LIVE, Entry, Role, RunRecord, now
from app.project.sources import Item, Link
from app.project.state import EntryState, RunState
from engines.core import Artifact, UserError


def new_state(
    content: Content, item: Item, role: Role = "dataset", run: str | None = None, output: str | None = None
) -> EntryState:
    """What the project holds of something new; a linked artifact stays in its file. Hashes the arrays."""
    artifact, link = item.artifact, item.link
    try:
        summary = artifact.summary()
    except Exception:  # a plug-in's bug in a line of text must not keep its result out of the project
        summary = ""
    entry = Entry(
        id=secrets.token_hex(6),
        type=type(artifact).__name__,
        name=clean_name(item.name or artifact.name) or artifact.title,
        created=now(),
        hash=artifact.content_hash(),
        run=run,
        output=output,
        summary=summary,
        nbytes=artifact.nbytes,
        role=role,
        origin=item.origin,
        provenance=item.provenance,
        link=link.seen_from(content.folder, None) if link is not None else None,
    )
    if link is not None:
        content.cache.put(entry.id, artifact)
    return EntryState(entry, content.next_order(), held=artifact if link is None else None)


def add(content: Content, states: list[EntryState], label: str = "") -> Command:
    keys = [state.entry.id for state in states]
    one = short_name(states[0].entry.name) if len(states) == 1 else f"{len(states)} items"
    return Command(label or f"Add {one}", lambda: content.change(put=states), lambda: content.change(drop=keys))


def add_run(content: Content, record: RunRecord, made: list[EntryState], label: str) -> Command:
    """A run that is over, with its outputs."""
    keys = [state.entry.id for state in made]
    outputs = {str(state.entry.output): state.entry.id for state in made}
    run = RunState(record.replace(outputs=outputs), content.next_order())
    return Command(
        label,
        lambda: content.change(put=made, runs=[run], whole_runs=True),
        lambda: content.change(drop=keys, drop_runs=[record.id]),
    )


def remove(content: Content, ids: Iterable[str]) -> Command | None:
    """Raises KeyError when one does not exist."""
    keys = list(dict.fromkeys(ids))
    with content.lock:
        states = [content.entries[key] for key in keys]
    if not states:
        return None
    label = f"Remove {short_name(states[0].entry.name)}" if len(states) == 1 else f"Remove {len(states)} items"
    return Command(label, lambda: content.change(drop=keys), lambda: content.change(put=states))


def change_entry(content: Content, key: str, label: str, **changes: Any) -> Command | None:
    """Change fields of an entry; None when they are so already. ``label`` gets the artifact's name behind it."""
    with content.lock:
        entry = content.entries[key].entry
    old = {name: getattr(entry, name) for name in changes}
    if old == changes:
        return None

    def put(values: dict[str, Any]) -> None:
        with content.lock:
            state = content.entries[key]
            state.entry = dataclasses.replace(state.entry, **values)
        content.change(put=[state])

    return Command(f"{label} {short_name(entry.name)}", lambda: put(changes), lambda: put(old))


def embed(content: Content, key: str, artifact: Artifact) -> Command:
    """Take into the project what was only linked. The link comes back by undo."""
    with content.lock:
        linked = content.entries[key]
    entry = dataclasses.replace(linked.entry, link=None)
    inside = EntryState(entry, linked.order, held=artifact)
    return Command(
        f"Embed {short_name(entry.name)}",
        lambda: content.change(put=[inside]),
        lambda: content.change(put=[linked]),
    )


def relink(content: Content, key: str, link: Link) -> Command | None:
    return change_entry(content, key, "Relink", link=link)


def annotate_run(content: Content, run_id: str, text: str) -> Command | None:
    with content.lock:
        old = content.runs[run_id].record.note
    if old == text:
        return None

    def put(note: str) -> None:
        with content.lock:
            state = content.runs[run_id]
            state.record = state.record.replace(note=note)
        content.change(runs=[state])

    return Command("Edit note", lambda: put(text), lambda: put(old))


def remove_run(content: Content, run_id: str) -> Command:
    """Raises :class:`UserError` while it runs."""
    with content.lock:
        state = content.runs[run_id]
    if state.record.status in LIVE:
        raise UserError("This run is not over yet.", mend="Cancel it first.")
    return Command(
        f"Remove run {short_name(state.record.title or state.record.method)}",
        lambda: content.change(drop_runs=[run_id]),
        lambda: content.change(runs=[state], whole_runs=True),
    )
