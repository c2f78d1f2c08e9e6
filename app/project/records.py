"""What the project tells others: entries, run records and changes, all immutable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from app.project.sources import Link, Provenance

Role = Literal["dataset", "result"]
Status = Literal["queued", "running", "paused", "finished", "cancelled", "failed", "interrupted"]
Kind = Literal["artifacts", "runs", "curves", "view", "saved", "dirty", "history"]

STATUSES: tuple[Status, ...] = ("queued", "running", "paused", "finished", "cancelled", "failed", "interrupted")
LIVE: tuple[Status, ...] = ("queued", "running", "paused")


def now() -> str:
    """The time as ISO text in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Entry:
    """One artifact as the tree shows it; no array is read for it.

    ``hash`` is the content hash, ``run`` and ``output`` say where it came from (None for what was imported),
    ``origin`` is the file it was imported from ("" if none), ``provenance`` how it was read and made from that.
    With a ``link`` its arrays are not in the project. ``created`` is ISO text in UTC.
    """

    id: str
    type: str
    name: str
    created: str
    hash: str
    run: str | None = None
    output: str | None = None
    summary: str = ""
    nbytes: int = 0
    role: Role = "dataset"
    starred: bool = False
    origin: str = ""
    provenance: Provenance | None = None
    link: Link | None = None

    def to_json(self) -> dict[str, Any]:
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return data | {key: data[key].to_json() for key in ("provenance", "link") if data[key] is not None}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Entry:
        """Tolerates missing fields and those of other versions."""

        def text(key: str) -> str:
            return str(data.get(key) or "")

        def maybe(key: str) -> str | None:
            return str(data[key]) if data.get(key) else None

        return Entry(
            id=text("id"),
            type=text("type"),
            name=text("name") or text("type"),
            created=text("created"),
            hash=text("hash"),
            run=maybe("run"),
            output=maybe("output"),
            summary=text("summary"),
            nbytes=int(data.get("nbytes") or 0),
            role="result" if data.get("role") == "result" else "dataset",
            starred=bool(data.get("starred")),
            origin=text("origin"),
            provenance=Provenance.from_json(data.get("provenance")),
            link=Link.from_json(data.get("link")),
        )


@dataclass(frozen=True)
class LogLine:
    """A line of a run's log; ``level`` is "note", "warning" or "error", ``seconds`` since the run started."""

    level: str
    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class RunRecord:
    """A run: what it was started with, how it went and what it gave.

    ``inputs`` and ``outputs`` name artifact ids; ``input_hashes`` tells later whether an input is still the same.
    ``has_checkpoint`` is set by the project. ``started`` is ISO text in UTC.
    """

    id: str
    method: str
    title: str = ""
    status: Status = "queued"
    seed: int = 0
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0
    params: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    input_hashes: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: tuple[LogLine, ...] = ()
    error: str = ""
    command: str = ""
    has_checkpoint: bool = False
    note: str = ""

    def replace(self, **changes: Any) -> RunRecord:
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["log"] = [[line.level, line.text, line.seconds] for line in self.log]
        for key in ("versions", "params", "inputs", "input_hashes", "outputs"):
            data[key] = dict(data[key])
        return data

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RunRecord:
        """Tolerates missing fields and those of other versions; an unknown status reads as interrupted."""

        def names(key: str) -> dict[str, str]:
            value = data.get(key)
            return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}

        params, log = data.get("params"), data.get("log")
        lines = [line for line in log if isinstance(line, (list, tuple)) and len(line) == 3] if log else []
        status = data.get("status")
        return RunRecord(
            id=str(data["id"]),
            method=str(data.get("method") or ""),
            title=str(data.get("title") or data.get("method") or ""),
            status=status if status in STATUSES else "interrupted",
            seed=int(data.get("seed") or 0),
            device=str(data.get("device") or "cpu"),
            versions=names("versions"),
            started=str(data.get("started") or ""),
            seconds=float(data.get("seconds") or 0.0),
            params=dict(params) if isinstance(params, Mapping) else {},
            preset=str(data["preset"]) if data.get("preset") else None,
            inputs=names("inputs"),
            input_hashes=names("input_hashes"),
            outputs=names("outputs"),
            log=tuple(LogLine(str(level), str(text), float(seconds)) for level, text, seconds in lines),
            error=str(data.get("error") or ""),
            command=str(data.get("command") or ""),
            has_checkpoint=bool(data.get("has_checkpoint")),
            note=str(data.get("note") or ""),
        )


@dataclass(frozen=True)
class Change:
    """What subscribers are told; ``ids`` are those of the artifacts or runs concerned (empty: maybe all)."""

    kind: Kind
    ids: tuple[str, ...] = ()
