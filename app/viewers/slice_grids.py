"""What a slice view can cut: volumes and grid fields as they are, and components of still fields in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.viewers import field_values
from app.viewers.registry import Shown
from engines.core import Artifact, UserError
from engines.data import GridField, SampledField, Volume


@dataclass(frozen=True, eq=False)
class Choice:
    """One grid that can be cut: an artifact, or a ``component`` of one."""

    id: str
    name: str
    artifact: Artifact
    component: int = 0


def choices(items: Sequence[Shown]) -> list[Choice]:
    found = []
    for item in items:
        artifact = item.artifact
        if isinstance(artifact, Volume | GridField):
            found.append(Choice(item.id, item.name, artifact))
        elif isinstance(artifact, SampledField) and artifact.dimensions == 3 and len(artifact.times) == 1:
            names = artifact.components
            for k, name in enumerate(names):
                more = (f"/{name}", f", {name}") if len(names) > 1 else ("", "")
                found.append(Choice(item.id + more[0], item.name + more[1], artifact, k))
    return found


class Grids:
    """The grids of a view; of fields only that which is on show is made, and kept."""

    def __init__(self) -> None:
        self.choices: list[Choice] = []
        self._made: tuple[Artifact, int, GridField | None] | None = None

    def show(self, items: Sequence[Shown]) -> None:
        self.choices = choices(items)

    def grid(self, key: str) -> Volume | GridField | None:
        """That with this id, else the first; None where there is none, or where it has values that are no numbers."""
        chosen = next((c for c in self.choices if c.id == key), self.choices[0] if self.choices else None)
        if chosen is None or isinstance(chosen.artifact, Volume | GridField):
            return None if chosen is None else chosen.artifact  # type: ignore[return-value]
        if self._made is None or self._made[:2] != (chosen.artifact, chosen.component):
            self._made = (chosen.artifact, chosen.component, _of_field(chosen.artifact, chosen.component))  # type: ignore[arg-type]
        return self._made[2]


def _of_field(field: SampledField, component: int) -> GridField | None:
    name = field.components[component]
    try:
        return field_values.as_grid(field, field_values.Quantity(name, name, "component", (component,)), 0)
    except UserError:
        return None
