"""What a dialog adds to a project: artifacts under their names, as one step of undo."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.core import Artifact

if TYPE_CHECKING:
    from app.project import Link, Project, Provenance


@dataclass(frozen=True)
class Addition:
    """What will be added under which name.

    ``origin`` is the file that it came from, ``provenance`` how it was read and made of ``made_from``; ``link`` makes
    the link to its file if it is to stay there.
    """

    name: str
    artifact: Artifact
    origin: str = ""
    provenance: Provenance | None = None
    made_from: Artifact | None = None
    link: Callable[[], Link] | None = None


def add_together(project: Project, additions: Sequence[Addition], label: str) -> list[str]:
    """Add all or none; returns their ids. Hashes arrays and linked files: not for the GUI thread."""
    from app.project import Item

    items = []
    for a in additions:
        how = a.provenance
        if how is not None and a.made_from is not None:
            how = dataclasses.replace(how, input_hash=a.made_from.content_hash())
        items.append(Item(a.artifact, a.name, a.origin, how, a.link() if a.link is not None else None))
    return [entry.id for entry in project.add_all(items, label)]
