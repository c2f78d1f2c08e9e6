"""What the panels ask of the workbench and what it tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engines.core import Method, Params, UserError


@dataclass(frozen=True)
class Note:
    """A quiet notice. ``act`` is what its button does."""

    text: str
    tone: str = "info"
    button: str = ""
    act: Callable[[], object] | None = None
    detail: str = ""


@dataclass(frozen=True)
class Request:
    """A run that somebody wants: inputs by id and settings."""

    method: Method
    input_ids: Mapping[str, str]
    params: Params
    seed: int = 0
    device: str = "auto"
    isolated: bool = False
    preset: str | None = None


@dataclass(frozen=True)
class Estimate:
    """What a request would need, and why it cannot run (None when it can)."""

    memory: int | None = None
    problem: UserError | None = None


@dataclass(frozen=True)
class Current:
    """What the method panel is set to now: the basis of "out of date"."""

    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    input_ids: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
