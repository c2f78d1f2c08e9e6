"""The card beside a view in which a mesh is edited: how to choose, what is chosen, and where it goes, in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.form_field import number_text
from app.viewers.part_choice import LASSO, PIECE, RECTANGLE
from engines.blocks.mesh_parts import Placement, turned_by

if TYPE_CHECKING:
    from app.viewers.part_editor import PartEditor

WIDTH = 288
ROWS = (("move", "Move"), ("turn", "Turn"), ("scale", "Scale"))


class PartPanel(QFrame):
    def __init__(self, parent: QWidget, editor: PartEditor) -> None:
        super().__init__(parent)
        self.setObjectName("part-panel")
        self.setAccessibleName("Edit the mesh")
        theme.mark(self, kind="box")
        self.setFixedWidth(WIDTH)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.editor = editor
        self.unit = ""
        self._buttons: list[QToolButton] = []
        self._kinds: dict[str, QToolButton] = {}
        self._tools: dict[str, QToolButton] = {}
        whole = QVBoxLayout(self)
        whole.setContentsMargins(10, 8, 10, 10)
        whole.setSpacing(6)
        self._body = QWidget(self)
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._choosing()
        self._line()
        self._placing()
        self._area = QScrollArea(self)  # in a low view; the buttons below stay
        self._area.setObjectName("part-area")
        self._area.setAccessibleName("Settings of the edit")
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidgetResizable(True)
        self._area.setWidget(self._body)
        for part in (self._area, self._area.viewport(), self._body):
            part.setAutoFillBackground(False)
        whole.addWidget(self._area, 1)
        whole.addLayout(self._ending())
        editor.changed.connect(self.show_state)
        self.show_state()

    # ---- building -----------------------------------------------------------------------------------------
    def _heading(self, text: str) -> QLabel:
        made = QLabel(text, self)
        theme.mark(made, kind="heading")
        self._column.addWidget(made)
        return made

    def _line(self) -> None:
        line = QFrame(self)
        theme.mark(line, kind="line")
        self._column.addWidget(line)

    def _button(self, row: QHBoxLayout, icon: str, title: str, tip: str, act: Callable[[], object]) -> QToolButton:
        made = QToolButton(self)
        made.setIcon(theme.icon(icon))
        made.setIconSize(QSize(18, 18))
        made.setAutoRaise(True)
        made.setAccessibleName(title)
        made.setObjectName(f"part-{title.lower().replace(' ', '-')}")
        made.setToolTip(f"{title}{tip}")
        made.clicked.connect(lambda *_: act())
        row.addWidget(made)
        self._buttons.append(made)
        return made

    def _choosing(self) -> None:
        self._heading("Choose a part")
        row = QHBoxLayout()
        row.setSpacing(2)
        group = QButtonGroup(self)
        for key, icon, title, tip in (
            (PIECE, "cursor", "Piece", "\nClick a connected piece; dragging turns the view."),
            (RECTANGLE, "selection", "Rectangle", "\nDrag one around the part; with Alt the view turns."),
            (LASSO, "scribble-loop", "Lasso", "\nDraw around the part; with Alt the view turns."),
        ):
            made = self._button(row, icon, title, tip, lambda key=key: self.editor.set_tool(key))
            made.setCheckable(True)
            group.addButton(made)
            self._tools[key] = made
        row.addSpacing(8)
        editor = self.editor
        for icon, title, tip, act in (
            ("selection-all", "All", " (A)", editor.choose_all),
            ("selection-slash", "Nothing", " (N)", editor.choose_none),
            ("selection-inverse", "Invert", " (I)", editor.invert),
            ("arrows-out-simple", "Grow", "\nTake in the vertices around.", editor.grow),
            ("arrows-in-simple", "Shrink", "\nLeave out the outermost vertices.", editor.shrink),
        ):
            self._button(row, icon, title, tip, act)
        row.addStretch(1)
        self._column.addLayout(row)
        self.through = QCheckBox("Choose through what is in front", self)
        self.through.setObjectName("part-through")
        self.through.setAccessibleName("Choose through what is in front")
        self.through.toggled.connect(self._set_through)
        self._column.addWidget(self.through)
        self.count = QLabel(self)
        self.count.setAccessibleName("What is chosen")
        self.count.setFont(theme.tabular(self.count.font()))
        self.count.setWordWrap(True)
        theme.mark(self.count, tone="muted")
        self._column.addWidget(self.count)

    def _set_through(self, on: bool) -> None:
        self.editor.through = on

    def _placing(self) -> None:
        self.place = self._heading("Place it")
        row = QHBoxLayout()
        row.setSpacing(2)
        group = QButtonGroup(self)
        for key, icon, title, tip in (
            ("move", "arrows-out-cardinal", "Move", " (M)"),
            ("turn", "arrows-clockwise", "Turn", " (T)\nWith Control in steps of 15°."),
            ("scale", "corners-out", "Scale", " (K)"),
        ):
            made = self._button(row, icon, f"{title} handles", tip, lambda key=key: self.editor.set_kind(key))
            made.setText(title)
            made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            made.setCheckable(True)
            group.addButton(made)
            self._kinds[key] = made
        row.addStretch(1)
        self._column.addLayout(row)
        grid = QGridLayout()
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        for axis, word in enumerate("XYZ"):
            head = QLabel(word, self)
            head.setAlignment(Qt.AlignmentFlag.AlignCenter)
            theme.mark(head, tone="muted")
            grid.addWidget(head, 0, axis + 1)
        self.labels: dict[str, QLabel] = {}
        self.fields: dict[str, list[QLineEdit]] = {}
        for line, (key, title) in enumerate(ROWS, 1):
            self.labels[key] = QLabel(title, self)
            grid.addWidget(self.labels[key], line, 0)
            self.fields[key] = []
            for axis in range(3):
                edit = self._number(f"{title} {'XYZ'[axis]}")
                edit.editingFinished.connect(lambda key=key, axis=axis: self._typed(key, axis))
                grid.addWidget(edit, line, axis + 1)
                self.fields[key].append(edit)
        self.labels["falloff"] = QLabel("Falloff", self)
        grid.addWidget(self.labels["falloff"], 4, 0)
        self.falloff = self._number("Falloff")
        self.falloff.setToolTip("How far around the part vertices follow, less and less. 0: none do.")
        self.falloff.editingFinished.connect(self._falloff_typed)
        grid.addWidget(self.falloff, 4, 1)
        self._column.addLayout(grid)

    def _number(self, name: str) -> QLineEdit:
        edit = QLineEdit(self)
        edit.setAccessibleName(name)
        edit.setObjectName(f"part-{name.lower().replace(' ', '-')}")
        edit.setFont(theme.font(0.92, numbers=True))
        edit.setMinimumWidth(40)
        edit.returnPressed.connect(lambda: self.editor.host.canvas.setFocus())
        return edit

    def _ending(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        self.leave = QPushButton("Close", self)
        self.leave.setToolTip("Stop editing; what was not applied is dropped.")
        self.back = QPushButton("Cancel", self)
        self.back.setToolTip("Back to where it was (Esc)")
        self.apply = QPushButton("Apply", self)
        self.apply.setToolTip("Make the edit a new result (Enter)")
        theme.mark(self.apply, kind="primary")
        for button, act in (
            (self.leave, self.editor.end),
            (self.back, self.editor.step_back),
            (self.apply, self.editor.apply),
        ):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
            button.setMinimumWidth(72)
            button.clicked.connect(lambda *_, act=act: act())
            row.addWidget(button)
        return row

    # ---- typing -------------------------------------------------------------------------------------------
    def _typed(self, key: str, axis: int) -> None:
        edit = self.fields[key][axis]
        place = self.editor.state.placement
        now = {"move": place.move, "turn": place.degrees, "scale": place.scale}[key]
        value = _read(edit.text())
        low = 1e-3 if key == "scale" else -np.inf
        if value is None or value < low:
            self.show_state()  # what was there before
        elif edit.text() != _shown(now[axis]):
            after = np.array(now)
            after[axis] = value
            change = {"turn": turned_by(after)} if key == "turn" else {key: after}
            self.editor.set_placement(replace(place, **change), f"{key}{axis}")

    def _falloff_typed(self) -> None:
        value = _read(self.falloff.text())
        if value is None or value < 0:
            self.show_state()
        else:
            self.editor.set_falloff(value)

    # ---- showing ------------------------------------------------------------------------------------------
    def show_state(self) -> None:
        editor = self.editor
        self.setVisible(editor.is_active)
        if not editor.is_active:
            return
        state, ready = editor.state, editor.topology is not None
        chosen, total = int(state.part.sum()), len(state.part)
        free = ready and not editor.busy
        for button in self._buttons:
            button.setEnabled(free)
        self._tools[editor.choice.tool].setChecked(True)
        self._kinds[editor.gizmo.kind].setChecked(True)
        if not ready:
            self.count.setText("Looking at the mesh…")
        elif chosen:
            self.count.setText(f"{chosen:,} of {total:,} vertices")
        else:
            self.count.setText("Click a piece of the mesh, or draw around a part.")
        unit = f", {self.unit}" if self.unit else ""
        self.labels["move"].setText(f"Move{unit}")
        self.labels["turn"].setText("Turn, °")
        self.labels["falloff"].setText(f"Falloff{unit}")
        place: Placement = state.placement
        for key, values in (("move", place.move), ("turn", place.degrees), ("scale", place.scale)):
            for edit, value in zip(self.fields[key], values, strict=True):
                edit.setEnabled(free and chosen > 0)
                if not (edit.hasFocus() and edit.isModified()):
                    with QSignalBlocker(edit):
                        edit.setText(_shown(value))
                        edit.setCursorPosition(0)
        self.falloff.setEnabled(free)
        if not (self.falloff.hasFocus() and self.falloff.isModified()):
            with QSignalBlocker(self.falloff):
                self.falloff.setText(number_text(state.falloff))
        self.apply.setEnabled(editor.is_pending and free)
        self.back.setEnabled(editor.is_pending and free)
        self.leave.setEnabled(not editor.busy)

    def arrange(self) -> None:
        """At the upper right of the view."""
        above = self.parentWidget()
        wanted = self._body.sizeHint().height() + self.apply.sizeHint().height() + 26
        self.setGeometry(max(0, above.width() - WIDTH - 8), 8, WIDTH, min(wanted, max(above.height() - 16, 120)))


def _shown(value: float) -> str:
    """Four figures; what is left of rounding is 0."""
    return number_text(float(f"{value:.4g}") if abs(value) > 1e-9 else 0)


def _read(text: str) -> float | None:
    try:
        value = float(text.replace(",", ".").strip() or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) and abs(value) < 1e9 else None
