"""How the command line speaks: to a person in words, to a machine in JSON, one document a line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table as Grid

from app.jobs import Job, JobEvent, JobQueue
from app.window.wording import left_text
from engines.core import Artifact, Noted, Progressed, UserError
from engines.data import Table

FINE, BUG, USAGE, BAD_INPUT, CANCELLED = 0, 1, 2, 3, 4
SECONDS_BETWEEN_LINES = 5.0


class Terminal:
    """Results go to stdout, everything else to stderr. With ``machine`` there are JSON lines on stdout only."""

    def __init__(self, machine: bool = False) -> None:
        self.machine = machine
        wide = None if sys.stdout.isatty() else 160  # a pipe has no width, and wrapped cells cannot be searched
        self.out = Console(highlight=False, soft_wrap=True, width=wide)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()

    def json(self, facts: Any) -> None:
        with self._lock:
            print(json.dumps(facts, default=_plain, ensure_ascii=False, allow_nan=False), flush=True)

    def say(self, text: str, style: str = "") -> None:
        """A line for people; machines do not get it."""
        if not self.machine:
            self.out.print(escape(text), style=style)

    def remark(self, text: str, style: str = "dim") -> None:
        """A line beside the results."""
        if not self.machine:
            self.err.print(escape(text), style=style)

    def warn(self, text: str) -> None:
        if self.machine:
            self.json({"event": "warning", "text": text})
        else:
            self.err.print(f"[yellow]Warning:[/] {escape(text)}")

    def grid(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table for people."""
        if self.machine or not rows:
            return
        table = Grid(*heads, title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.out.print(table)

    def error(self, error: UserError) -> None:
        """What is wrong; of a question of a reader, the settings that answer it, too."""
        answers: Mapping[str, Mapping[str, Any]] = getattr(error, "answers", {})
        if self.machine:
            event = {"event": "error", "what": error.what, "why": error.why, "mend": error.mend}
            self.json({**event, "answers": answers} if answers else event)
            return
        self.err.print(f"[bold red]Error:[/] {escape(error.what)}")
        for part in (error.why, error.mend):
            if part:
                self.err.print(f"  {escape(part)}")
        for words, choice in answers.items():
            typed = " ".join(f"--set {shlex.quote(f'{name}={value}')}" for name, value in choice.items())
            self.err.print(f"  {escape(typed)}  [dim]{escape(words)}[/]", soft_wrap=True)

    def bug(self, report: str) -> None:
        if self.machine:
            self.json({"event": "bug", "report": report})
            return
        self.err.print(escape(report), style="dim")
        self.err.print("[bold red]This is a bug.[/] Please report it with the lines above.")


def _plain(value: Any) -> Any:
    """What json cannot write by itself."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def finite(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return float(value) if np.isfinite(value) else None


def artifact_facts(artifact: Artifact) -> dict[str, Any]:
    facts = {"type": type(artifact).__name__, "summary": artifact.summary(), "bytes": artifact.nbytes}
    if isinstance(artifact, Table) and artifact.rows <= 100:
        facts["columns"] = {k: [_cell(v) for v in column.tolist()] for k, column in artifact.columns.items()}
    return facts


def _cell(value: Any) -> Any:
    return finite(value) if isinstance(value, float) else value


def table_rows(table: Table) -> list[list[str]]:
    columns = [column.tolist() for column in table.columns.values()]
    return [[f"{v:.5g}" if isinstance(v, float) else str(v) for v in row] for row in zip(*columns, strict=True)]


def watch(job: Job, queue: JobQueue, terminal: Terminal) -> None:
    """Show a job until it has ended. Ctrl+C (or SIGTERM) cancels it, a second one ends it at once."""
    show = _machine_lines(job, queue, terminal) if terminal.machine else _progress_bar(job, queue, terminal)
    with show, _interrupts(job, terminal):
        while not job.wait(0.1):
            pass


@contextmanager
def _interrupts(job: Job, terminal: Terminal) -> Iterator[None]:
    asked = 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            job.cancel()
            terminal.remark("Cancelling at the next step. Ctrl+C again stops at once.")
        elif job.spec.isolated:
            job.kill()
        else:  # a thread cannot be killed; the project's journal has the last checkpoint
            os._exit(CANCELLED)

    signals = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _machine_lines(job: Job, queue: JobQueue, terminal: Terminal) -> Iterator[None]:
    def take(told: Job, event: JobEvent) -> None:
        if told is not job:
            return
        if isinstance(event, Progressed):
            values = {name: finite(value) for name, value in job.newest.items()}
            terminal.json({"event": "progress", **vars(event), "values": values})
        elif isinstance(event, Noted):
            terminal.json({"event": event.level, "text": event.text, "seconds": event.seconds})

    leave = queue.subscribe(take)
    try:
        yield
    finally:
        leave()


@contextmanager
def _progress_bar(job: Job, queue: JobQueue, terminal: Terminal) -> Iterator[None]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", style="dim"),
        TextColumn("{task.fields[values]}", style="dim"),
        console=terminal.err,
        transient=True,
        refresh_per_second=8,
    )
    task: TaskID = bar.add_task(job.title, total=1.0, left="", values="")
    last = -1e9

    def take(told: Job, event: JobEvent) -> None:
        nonlocal last
        if told is not job:
            return
        if isinstance(event, Noted):
            bar.console.print(("[yellow]Warning:[/] " if event.level == "warning" else "") + escape(event.text))
        if not isinstance(event, Progressed):
            return
        left = left_text(event.seconds_left)
        newest = job.newest
        values = "  ".join(f"{name} {value:.4g}" for name, value in list(newest.items())[:3])
        bar.update(task, completed=event.fraction, description=escape(event.label), left=left, values=escape(values))
        if not terminal.err.is_terminal and time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            terminal.err.print(escape(f"{event.label}: {event.fraction:.0%}  {left}  {values}".rstrip()))

    leave = queue.subscribe(take)
    if terminal.err.is_terminal:
        bar.start()
    try:
        yield
    finally:
        leave()
        if terminal.err.is_terminal:
            bar.stop()
