"""What a dialog adds to a project: artifacts under their names, as one step of undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.core import Artifact

if TYPE_CHECKING:
    from app.project.project import Project


@dataclass(frozen=True)
class Addition:
    """What will be added under which name; ``origin`` is the file that it came from."""

    name: str
    artifact: Artifact
    origin: str = ""


def add_together(project: Project, additions: Sequence[Addition], label: str) -> list[str]:
    """Add all or none; returns their ids. Hashes the arrays: not for the GUI thread."""
    return [entry.id for entry in project.add_all([(a.artifact, a.name, a.origin) for a in additions], label)]
