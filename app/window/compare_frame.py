"""Runs compared, as a tab."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QStackedLayout, QWidget

from app import theme
from app.background import run_in_background
from app.project import Project, RunRecord
from app.window.frames import Frame
from app.window.widgets import Busy, EmptyState, name
from app.window.workbench import Workbench
from engines.blocks.pde.comparison import exact_field
from engines.blocks.pde.field_metrics import STORED
from engines.core import Artifact, UserError
from engines.data import Coupling, Displacements, Mesh, SampledField, Solution, Table, Trajectory

if TYPE_CHECKING:
    from app.viewers.compare_view import CompareView
    from app.viewers.compared import Compared
    from app.viewers.field_compare import FieldCompareView
    from app.viewers.transport_compare import TransportCompareView

log = logging.getLogger("fieldwright.window")
HELD = ("Mesh", "Table", "SampledField", "Solution", "Trajectory", "Coupling", "Displacements")
"""Types of what is compared."""


def gather(project: Project, runs: Sequence[str]) -> tuple[list[Compared], Mesh | None]:
    """What the comparison shows of each run, and the reference that they share. Reads files: not for the GUI thread."""
    from app.viewers.compared import Compared

    found = []
    for run_id in runs:
        record = project.runs[run_id]
        held = {k: project.artifact(i) for k, i in record.outputs.items() if _is(project, i, *HELD)}
        scores = held.get("scores")
        field = _field(held)
        found.append(
            Compared(
                title=record.title,
                mesh=next((a for a in held.values() if isinstance(a, Mesh)), None),
                curves=project.curves(run_id),
                params={"method": record.method, "seed": record.seed, **record.params},
                scores=scores if isinstance(scores, Table) else None,
                field=field,
                truth=_truth(project, record, field),
                stored=_stored(held, field),
                seconds=record.seconds,
                transport=next((a for a in held.values() if isinstance(a, (Displacements, Coupling))), None),
            )
        )
    return found, _reference(project, [project.runs[i] for i in runs])


def _field(outputs: Mapping[str, Artifact]) -> SampledField | None:
    """The field that a run is about: its output of that name, else the first that is one."""
    fields = {k: a for k, a in outputs.items() if isinstance(a, SampledField) and k != "error"}
    return fields.get("field") or next(iter(fields.values()), None)


def _truth(project: Project, record: RunRecord, field: SampledField | None) -> SampledField | None:
    """The reference that a run was given, else the exact solution of its problem, where that is known."""
    if field is None:
        return None
    given = record.inputs.get("reference", "")
    if _is(project, given, "SampledField"):
        return project.artifact(given)  # type: ignore[return-value]
    problem = record.inputs.get("problem", "")
    if not _is(project, problem, "Problem"):
        return None
    try:
        return exact_field(field, project.artifact(problem))  # type: ignore[arg-type]
    except UserError:
        return None


def _stored(outputs: Mapping[str, Artifact], field: SampledField | None) -> int:
    """What a run says of it, else the size of what it learned, else that of the field it shows."""
    scores = outputs.get("scores")
    if isinstance(scores, Table) and STORED in scores.columns:
        return int(scores.columns[STORED][0])
    for artifact in outputs.values():
        if isinstance(artifact, (Solution, Trajectory)):
            return artifact.size
    return 0 if field is None else field.values[0].size if len(field.times) else field.values.size


def _is(project: Project, entry_id: str, *types: str) -> bool:
    entry = project.entries.get(entry_id)
    return entry is not None and entry.type in types


def _reference(project: Project, records: Sequence[RunRecord]) -> Mesh | None:
    given = {r.inputs[k] for r in records for k in r.inputs if k == "reference"}
    wanted = next(iter(given), "") if len(given) == 1 else ""
    found = project.artifact(wanted) if wanted and _is(project, wanted, "Mesh") else None
    return found if isinstance(found, Mesh) else None


class CompareFrame(Frame):
    kind = "compare"

    def __init__(self, bench: Workbench, runs: Sequence[str], state: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench)
        self.runs = list(runs)
        self._viewer: QWidget | None = None
        self._pending = dict(state or {})
        self._asked = False
        name(self, self.title(), "CompareFrame")
        self.setProperty("kind", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(Busy("Comparing the runs"))

    def title(self) -> str:
        titles = [r.title for i in self.runs if (r := self.bench.project.runs.get(i)) is not None]
        if len(titles) > 2:
            return f"{len(titles)} runs compared"
        return " and ".join(titles) or "Comparison"

    def icon(self) -> QIcon:
        return theme.icon("compare")

    def key(self) -> str:
        return f"compare:{','.join(sorted(self.runs))}"

    def viewers(self) -> list[QWidget]:
        return [self._viewer] if self._viewer is not None else []

    def activate(self) -> None:
        if self._asked:
            return
        self._asked = True
        run_in_background(gather, self.bench.project, self.runs, done=self._show, failed=self._failed, owner=self)

    def _show(self, found: tuple[list[Compared], Mesh | None]) -> None:
        runs, reference = found
        view = self._view_for(runs, reference)
        self._viewer = view
        self._pages.addWidget(view)
        self._pages.setCurrentWidget(view)
        if self._pending:
            view.restore(self._pending)
        self.layers_changed.emit()

    def _view_for(
        self, runs: Sequence[Compared], reference: Mesh | None
    ) -> FieldCompareView | TransportCompareView | CompareView:
        """Fields of all runs where there are fields, how mass moves where it does, else surfaces of the first two."""
        if sum(run.field is not None for run in runs) > 1:
            from app.viewers.field_compare import FieldCompareView

            fields = FieldCompareView(self)
            fields.set_runs(runs)
            return fields
        if any(run.transport is not None for run in runs) and all(run.mesh is None for run in runs):
            from app.viewers.transport_compare import TransportCompareView

            transports = TransportCompareView(self)
            transports.set_runs(runs)
            return transports
        from app.viewers.compare_view import CompareView

        surfaces = CompareView(self)
        surfaces.set_runs(runs[0], runs[1], reference)
        return surfaces

    def _failed(self, error: BaseException) -> None:
        log.warning("the runs could not be compared", exc_info=error)
        page = EmptyState("error", "The runs cannot be compared", str(error))
        self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)

    def state(self) -> dict[str, Any]:
        inner = self._viewer.state() if self._viewer is not None else self._pending  # type: ignore[attr-defined]
        return {"kind": self.kind, "runs": self.runs, "state": inner}

    @classmethod
    def restored(cls, bench: Workbench, state: Mapping[str, Any]) -> Frame | None:
        runs = state.get("runs")
        if not isinstance(runs, list) or len(runs) < 2 or any(r not in bench.project.runs for r in runs):
            return None
        inner = state.get("state")
        return cls(bench, runs, inner if isinstance(inner, Mapping) else None)
