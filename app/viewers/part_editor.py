"""Editing a mesh in a view: choose a part, and move, turn or scale it by handles or numbers. Its Gaussians follow.

The view shows what the edit would give; :attr:`PartEditor.applied` asks for it. What has been chosen and pulled since
the last edit has an undo stack of its own; the edits themselves are undone in the project.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPolygonF, QUndoCommand, QUndoStack

from app import theme
from app.background import Task, run_in_background
from app.viewers.gizmo import KINDS, Gizmo, Kind
from app.viewers.part_choice import TOOLS, Choice, Topology, inside
from app.viewers.splat_edit import SLACK, PartEdit
from engines.blocks.mesh_parts import PartParams, Placement, grown, part_text, shrunk
from engines.data import BoundGaussians

ASIDE = 0.1
"""In sizes of the mesh: a click on what is further from all of its vertices is on something else."""
PENDING = "Press Enter to apply this edit or Esc to take it back, then choose another part."


class Host(Protocol):
    """The view that an edit is made in."""

    canvas: Any

    def project(self, points: np.ndarray) -> np.ndarray: ...
    def ray(self, at: QPointF) -> tuple[np.ndarray, np.ndarray]: ...
    def pick(self, at: QPointF) -> np.ndarray | None: ...
    def in_sight(self, points: np.ndarray, slack: float) -> np.ndarray: ...
    def ask(self) -> None: ...


@dataclass(frozen=True, eq=False)
class State:
    """What is chosen, and where it is pulled to."""

    part: np.ndarray  # (V,) bool
    placement: Placement
    falloff: float = 0.0


class _Step(QUndoCommand):
    def __init__(self, editor: PartEditor, label: str, before: State, after: State, key: str) -> None:
        super().__init__(label)
        self._editor, self._before, self._after, self._key = editor, before, after, key

    def id(self) -> int:
        return 1 if self._key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Step) or other._key != self._key:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._editor._show(self._after)

    def undo(self) -> None:
        self._editor._show(self._before)


class PartEditor(QObject):
    changed = Signal()
    """The choice, where it is pulled, or what the mouse does."""
    applied = Signal(str, object)
    """Id of what is edited, and :class:`PartParams` of the edit."""
    left = Signal()
    said = Signal(str)
    """A hint for the user; "" when it is out of date."""

    def __init__(self, host: Host, owner: QObject) -> None:
        super().__init__(owner)
        self.host = host
        self.undo_stack = QUndoStack(self)
        self.id = ""
        self.bound: BoundGaussians | None = None
        self.topology: Topology | None = None
        self.through = False
        """Whether what is hidden behind something is chosen too."""
        self.busy = False
        """An edit is being made."""
        self._state = State(np.zeros(0, bool), Placement(np.zeros(3)))
        self._task: Task | None = None
        self._before: State | None = None  # a drag began from
        self._edit: PartEdit | None = None
        self.gizmo = Gizmo(host.ray, host.project, self._dragged, self._dropped)
        self.gizmo.snapping = lambda: bool(host.canvas.modifiers & Qt.KeyboardModifier.ControlModifier)
        alt = Qt.KeyboardModifier.AltModifier
        self.choice = Choice(self._region, self._clicked, host.canvas.update, lambda: bool(host.canvas.modifiers & alt))

    # ---- what is edited -----------------------------------------------------------------------------------
    @property
    def is_active(self) -> bool:
        return self.bound is not None

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_pending(self) -> bool:
        """Whether something was pulled and not applied."""
        return self.is_active and not self._state.placement.is_none

    def begin(self, key: str, bound: BoundGaussians) -> None:
        """Edit this from now on."""
        self.id, self.bound, self.topology, self.busy = key, bound, None, False
        self.undo_stack.clear()
        self._state = State(np.zeros(len(bound.vertices), bool), Placement(np.zeros(3)), self._state.falloff)
        self.host.canvas.tools.insert(0, self)
        self._learn(bound)
        self._show(self._state)

    def _learn(self, bound: BoundGaussians) -> None:
        def known(found: Topology) -> None:
            self._task = None
            if self.bound is not None:
                self.topology = found
                self._show(self._state)

        self._task = run_in_background(Topology.of, bound.faces, len(bound.vertices), done=known, owner=self)

    def rebase(self, bound: BoundGaussians) -> None:
        """The edit was made, or one was undone: the same mesh in another shape. What is chosen stays."""
        old = self.bound
        if old is None or bound is old:
            return
        same = bound.faces is old.faces or np.array_equal(bound.faces, old.faces)
        if not same or len(bound.vertices) != len(old.vertices):
            self.end()
            return
        self.bound, self.busy = bound, False
        self.undo_stack.clear()
        self.said.emit("")
        self._show(State(self._state.part, self._resting(self._state.part), self._state.falloff))

    def end(self) -> None:
        """Leave; what was not applied is dropped."""
        if self.bound is None:
            return
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.bound, self.topology, self.gizmo.placement, self._edit = None, None, None, None
        self.busy = False
        self.undo_stack.clear()
        if self in self.host.canvas.tools:
            self.host.canvas.tools.remove(self)
        self.said.emit("")
        self.changed.emit()
        self.host.ask()
        self.left.emit()

    def failed(self) -> None:
        """The edit that was asked for could not be made."""
        self.busy = False
        self.said.emit("")
        self.changed.emit()

    # ---- what the picture shows ---------------------------------------------------------------------------
    @property
    def edit(self) -> PartEdit | None:
        """What the worker has to draw."""
        bound, topology = self.bound, self.topology
        if bound is None or topology is None:
            return None
        if self._edit is None:
            state, found = self._state, theme.colors()
            ink, accent = (QColor(c).getRgbF()[:3] for c in (found.text, found.accent))
            self._edit = PartEdit(bound, topology.edges, state.part, state.placement, state.falloff, ink, accent)
        return self._edit

    def recolour(self) -> None:
        """The theme changed."""
        self._edit = None

    def paint(self, painter: QPainter) -> None:
        if self.is_active:
            self.gizmo.paint(painter)
            self.choice.paint(painter)

    # ---- changing what is chosen --------------------------------------------------------------------------
    def set_tool(self, tool: str) -> None:
        if tool in TOOLS:
            self.choice.tool = tool
            self.changed.emit()

    def set_kind(self, kind: Kind) -> None:
        if kind in KINDS:
            self.gizmo.kind, self.gizmo.hover = kind, None
            self.changed.emit()
            self.host.canvas.update()

    def choose(self, part: np.ndarray, label: str = "Choose") -> None:
        """Make ``part`` (V,) bool what is chosen; not while an edit waits to be applied."""
        if self.bound is None or self.busy or self.topology is None:
            return
        if self.is_pending:
            self.said.emit(PENDING)
            return
        if not np.array_equal(part, self._state.part):
            self._push(label, replace(self._state, part=part, placement=self._resting(part)))

    def _resting(self, part: np.ndarray) -> Placement:
        there = self.bound is not None and bool(part.any())
        return Placement(self.bound.vertices[part].mean(0) if there and self.bound is not None else np.zeros(3))

    def choose_all(self) -> None:
        self.choose(np.ones_like(self._state.part), "Choose all")

    def choose_none(self) -> None:
        self.choose(np.zeros_like(self._state.part), "Choose nothing")

    def invert(self) -> None:
        self.choose(~self._state.part, "Invert what is chosen")

    def grow(self) -> None:
        if self.topology is not None:
            self.choose(grown(self._state.part, self.topology.edges), "Grow")

    def shrink(self) -> None:
        if self.topology is not None:
            self.choose(shrunk(self._state.part, self.topology.edges), "Shrink")

    def _with_keys(self, found: np.ndarray) -> np.ndarray:
        """Shift adds, Control takes away."""
        held = self.host.canvas.modifiers
        if held & Qt.KeyboardModifier.ShiftModifier:
            return self._state.part | found
        if held & Qt.KeyboardModifier.ControlModifier:
            return self._state.part & ~found
        return found

    def _region(self, outline: QPolygonF) -> None:
        if self.bound is None:
            return
        canvas, vertices = self.host.canvas, self.bound.vertices
        found = inside(outline, self.host.project(vertices)[:, :2], canvas.width(), canvas.height())
        if not self.through and found.any():
            there = np.flatnonzero(found)
            slack = SLACK * float(np.linalg.norm(np.ptp(vertices, axis=0)))
            found[there] = self.host.in_sight(vertices[there], slack)
        self.choose(self._with_keys(found))

    def _clicked(self, at: QPointF) -> None:
        if self.bound is None or self.topology is None:
            return
        hit = self.host.pick(at)
        found = np.zeros(len(self.bound.vertices), bool)
        if hit is not None and len(found):
            away = ((self.bound.vertices - hit) ** 2).sum(1)
            nearest = int(away.argmin())
            if away[nearest] < (ASIDE * float(np.linalg.norm(np.ptp(self.bound.vertices, axis=0)))) ** 2:
                found = self.topology.pieces == self.topology.pieces[nearest]
        self.choose(self._with_keys(found), "Choose a piece")

    # ---- pulling ------------------------------------------------------------------------------------------
    def set_placement(self, placement: Placement, key: str = "") -> None:
        """From numbers; those with the same ``key`` in a row make one step of undo."""
        if self.bound is not None and not self.busy and self._state.part.any():
            self._push("Place the part", replace(self._state, placement=placement), key)

    def set_falloff(self, falloff: float) -> None:
        if self.bound is not None and not self.busy and falloff != self._state.falloff:
            self._push("Falloff", replace(self._state, falloff=max(float(falloff), 0.0)), "falloff")

    def _dragged(self, placement: Placement) -> None:
        if self._before is None:
            self._before = self._state
        self.host.canvas.stir()
        self._show(replace(self._state, placement=placement))

    def _dropped(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            words = {"move": "Move the part", "turn": "Turn the part", "scale": "Scale the part"}
            self.undo_stack.push(_Step(self, words[self.gizmo.kind], before, self._state, ""))

    def _push(self, label: str, after: State, key: str = "") -> None:
        self.undo_stack.push(_Step(self, label, self._state, after, key))

    def _show(self, state: State) -> None:
        if self.bound is None:
            return
        self._state, self._edit = state, None
        self.gizmo.placement = state.placement if state.part.any() and not self.busy else None
        if not self.is_pending and not self.busy:
            self.said.emit("")
        self.changed.emit()
        self.host.ask()
        self.host.canvas.update()

    # ---- ending an edit -----------------------------------------------------------------------------------
    def params(self) -> PartParams:
        """Of the edit as it is now."""
        state = self._state

        def three(values: np.ndarray) -> tuple[float, float, float]:
            x, y, z = (float(f"{v:.9g}") for v in values)
            return x, y, z

        place = state.placement
        return PartParams(
            vertices=part_text(state.part), move=three(place.move), turn=three(place.degrees),
            scale=three(place.scale), pivot=three(place.pivot), falloff=state.falloff,
        )  # fmt: skip

    def apply(self) -> None:
        """Ask for the edit; the view keeps showing it until it is there."""
        if self.is_pending and not self.busy and self._state.part.any():
            self.busy = True
            self.gizmo.placement = None
            self.said.emit("Applying…")
            self.changed.emit()
            self.host.canvas.update()
            self.applied.emit(self.id, self.params())

    def step_back(self) -> None:
        """Take back what was pulled; else choose nothing; else leave."""
        if self.busy:
            return
        if self.is_pending:
            rest = self._resting(self._state.part)
            self._push("Take back", replace(self._state, placement=rest))
        elif self._state.part.any():
            self.choose_none()
        else:
            self.end()

    # ---- the mouse ----------------------------------------------------------------------------------------
    def press(self, at: QPointF) -> bool:
        if self.busy:
            return False
        return self.gizmo.press(at) or self.choice.press(at)

    def move(self, at: QPointF, held: bool) -> bool:
        if self.gizmo.move(at, held):
            self.host.canvas.update()
            return True
        return self.choice.move(at, held)

    def release(self, at: QPointF) -> bool:
        return self.gizmo.release(at) or self.choice.release(at)
