"""What a run tells the outside while it works. All events are immutable and can cross processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from engines.core.artifact import Artifact
from engines.core.checkpoint import Checkpoint

ELAPSED = "elapsed seconds"
"""The series in which a job keeps when each step of its other curves was logged."""


@dataclass(frozen=True)
class Progressed:
    """``fraction`` of the whole run in [0, 1]; ``seconds_left`` is None while it cannot be known."""

    fraction: float
    label: str
    step: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True)
class Logged:
    """Values of one step for the live curves; ``seconds`` since the run started."""

    step: int
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Previewed:
    """What the result looks like now."""

    artifacts: Mapping[str, Artifact]


@dataclass(frozen=True)
class Noted:
    """A line of the run's log."""

    level: Literal["note", "warning"]
    text: str
    seconds: float


@dataclass(frozen=True)
class Checkpointed:
    checkpoint: Checkpoint


Event = Progressed | Logged | Previewed | Noted | Checkpointed


class Listener(Protocol):
    """Receives the events of a run, on the run's own thread: it must return at once."""

    def emit(self, event: Event) -> None: ...

    def wants_preview(self) -> bool: ...


class Silent:
    """A listener for runs that nobody watches."""

    def emit(self, event: Event) -> None:
        pass

    def wants_preview(self) -> bool:
        return False
