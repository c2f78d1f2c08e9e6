"""A form made from a ``Params`` class: the same for methods, file readers and file writers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.form_field import Field
from app.form_lines import LinesEdit
from engines.core import Params, ParamSpec, TextError, UserError
from engines.core.params import UNFIT

CUSTOM = "Custom"


class _Edit(QUndoCommand):
    """A change of some settings; typing in one field makes one step."""

    def __init__(self, form: ParamForm, label: str, before: dict[str, Any], after: dict[str, Any], key: str) -> None:
        super().__init__(label)
        self._form, self._before, self._after, self._key = form, before, after, key

    def id(self) -> int:
        return 1 if self._key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Edit) or other._key != self._key:
            return False
        self._after = other._after
        self.setObsolete(self._after == self._before)
        return True

    def redo(self) -> None:
        self._form._apply(self._after)

    def undo(self) -> None:
        self._form._apply(self._before)


class ParamForm(QWidget):
    """Edits one ``Params``.

    ``changed`` after every edit (also while something is invalid), ``valid_changed(bool)`` when the form
    becomes valid or invalid. Edits can be undone through ``undo_stack``.
    """

    changed = Signal()
    valid_changed = Signal(bool)
    pick_wanted = Signal(str, bool)
    """A field's box is to be set in a view, or no longer; see :meth:`offer_picking`."""

    def __init__(
        self,
        params: type[Params],
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("ParamForm")
        self.setAccessibleName("Settings")
        self.params_class = params
        self.undo_stack = QUndoStack(self)
        self._presets = _in_order(params, presets or {})
        self._fields = {spec.name: Field(self, spec) for spec in params.specs()}
        self._base: Params = params()
        self._value: Params | None = self._base
        self._loading = False
        self._hidden: set[str] = set()
        self._build()
        self._state = self._raw_of(self._base)
        self._apply(self._state, quiet=True)
        for name, field in self._fields.items():
            editor = field.editor
            if isinstance(editor, QLineEdit):
                editor.textChanged.connect(lambda _, n=name: self._edited(n))
                editor.editingFinished.connect(self._tidy)
            elif isinstance(editor, LinesEdit):
                editor.textChanged.connect(lambda n=name: self._edited(n))
                editor.finished.connect(self._tidy)
            elif isinstance(editor, QComboBox):
                editor.currentIndexChanged.connect(lambda _, n=name: self._edited(n))
            elif isinstance(editor, QCheckBox):
                editor.toggled.connect(lambda _, n=name: self._edited(n))
            field.reset.clicked.connect(lambda _, n=name: self.reset(n))
            if field.pick is not None:
                field.pick.toggled.connect(lambda on, n=name: self.pick_wanted.emit(n, on))

    # --- what others use ---

    def params(self) -> Params:
        """The settings. Raises :class:`UserError` while a field is invalid."""
        return self.params_class.parse(self._state)

    @property
    def valid(self) -> bool:
        return self._value is not None

    def set_params(self, params: Params) -> None:
        """Show these settings (undoable); the preset they belong to is found, else they are custom."""
        self._push("Load settings", self._raw_of(params), "")

    def preset(self) -> str | None:
        """The name of the preset that the settings equal (``"standard"``: the defaults), or None."""
        return next((name for name, p in self._presets.items() if p == self._value), None)

    def set_preset(self, name: str) -> None:
        """Raises KeyError for a name that is not a preset of this form."""
        self._base = self._presets[name]
        self._push(f"Preset {name.capitalize()}", self._raw_of(self._base), "")

    def reset(self, name: str) -> None:
        """Take back one field to the preset that was chosen last."""
        field = self._fields[name]
        after = {**self._state, name: field.raw_of(getattr(self._base, name))}
        self._push(f"Reset {field.spec.label}", after, "")
        field.editor.setFocus()

    def reset_all(self) -> None:
        self._push("Reset settings", self._raw_of(self._base), "")

    def changed_fields(self) -> list[str]:
        """Fields that differ from the preset that was chosen last."""
        base = self._raw_of(self._base)
        return [name for name, raw in self._state.items() if raw != base[name]]

    def offer_picking(self) -> None:
        """Show the buttons by which boxes are set in a view: somebody listens to ``pick_wanted``."""
        for field in self._fields.values():
            if field.pick is not None:
                field.pick.show()

    def end_picking(self, name: str = "") -> None:
        """Nobody sets this field (all of them) in a view any more."""
        for key, field in self._fields.items():
            if field.pick is not None and name in ("", key):
                field.pick.setChecked(False)

    def value(self, name: str) -> Any:
        """What a field says now. Raises :class:`UserError` while it is wrong."""
        return getattr(self.params_class.parse({name: self._state[name]}), name)

    def set_value(self, name: str, value: Any) -> None:
        """Set one field (undoable); several in a row make one step until :meth:`end_step`."""
        field = self._fields[name]
        self._push(f"Change {field.spec.label}", {**self._state, name: field.raw_of(value)}, f"set {name}")

    def end_step(self) -> None:
        """What is set from now on is a new step of undo."""
        self._tidy()

    def spec(self, name: str) -> ParamSpec:
        return self._fields[name].spec

    def editor(self, name: str) -> QWidget:
        return self._fields[name].editor

    def error(self, name: str) -> str:
        """The text shown under a field ("" when it is fine)."""
        return self._fields[name].error.text() if not self._fields[name].error.isHidden() else ""

    def mark(self, error: UserError) -> bool:
        """Show what the method said of a text at the character in its field. Whether there is such a field."""
        return isinstance(error, TextError) and any(field.mark(error) for field in self._fields.values())

    def hide_field(self, name: str) -> None:
        """For a field that the caller sets by other means, through :meth:`set_params`."""
        field = self._fields[name]
        self._hidden.add(name)
        keep = field.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(False)
        field.reset.setSizePolicy(keep)
        for widget in (field.label, field.face, field.reset):
            widget.hide()

    def show_advanced(self, shown: bool = True) -> None:
        self._more.setChecked(shown)

    # --- building ---

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(theme.GRID)
        self._combo = QComboBox()
        self._combo.setObjectName("preset")
        self._combo.setAccessibleName("Preset")
        self._combo.installEventFilter(self)
        for name in self._presets:
            self._combo.addItem(name.capitalize(), name)
        self._combo.activated.connect(self._choose_preset)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 26, 0)
        heading = QLabel("Preset")
        heading.setBuddy(self._combo)
        line.addWidget(heading, 1)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line.addWidget(self._combo, 1)
        row.setVisible(len(self._presets) > 1)
        outer.addWidget(row)
        plain = [f for f in self._fields.values() if not f.spec.advanced]
        advanced = [f for f in self._fields.values() if f.spec.advanced]
        if not self._fields:
            nothing = QLabel("There is nothing to set.")
            theme.mark(nothing, tone="muted")
            outer.addWidget(nothing)
        outer.addWidget(self._rows(plain))
        self._more = QToolButton()
        self._more.setObjectName("advanced")
        self._more.setAccessibleName("Advanced settings")
        self._more.setCheckable(True)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more.setIconSize(QSize(12, 12))
        self._more.setStyleSheet("QToolButton:checked { background: transparent; border-color: transparent; }")
        self._more.setVisible(bool(advanced))
        outer.addWidget(self._more)
        self._advanced = self._rows(advanced)
        self._advanced.hide()
        self._more.toggled.connect(self._toggle_advanced)
        outer.addWidget(self._advanced)
        self._problem = QLabel()
        self._problem.setObjectName("error:form")
        self._problem.setAccessibleName("Problem with the settings")
        self._problem.setWordWrap(True)
        theme.mark(self._problem, tone="bad")
        self._problem.hide()
        outer.addWidget(self._problem)

    def _rows(self, fields: list[Field]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        for index, field in enumerate(fields):
            row, wide = 3 * index, field.spec.lines  # text of several lines stands below its label
            grid.addWidget(field.label, row, 0)
            grid.addWidget(field.face, row + wide, 0 if wide else 1, 1, 2 if wide else 1)
            grid.addWidget(field.reset, row + wide, 2, Qt.AlignmentFlag.AlignTop if wide else Qt.AlignmentFlag(0))
            grid.addWidget(field.error, row + 2, 0, 1, 2)
        return box

    def _toggle_advanced(self, shown: bool) -> None:
        self._advanced.setVisible(shown)
        self._show_state()

    # --- editing ---

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Turning the wheel scrolls the form; it must not change the value that happens to be under the pointer.
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _raw_of(self, params: Params) -> dict[str, Any]:
        return {name: f.raw_of(getattr(params, name)) for name, f in self._fields.items()}

    def _edited(self, name: str) -> None:
        if self._loading:
            return
        field = self._fields[name]
        after = {**self._state, name: field.raw()}
        typed = isinstance(field.editor, (QLineEdit, LinesEdit))
        self._push(f"Change {field.spec.label}", after, name if typed else "")

    def _choose_preset(self, index: int) -> None:
        name = self._combo.itemData(index)
        if name in self._presets:
            self.set_preset(name)

    def _push(self, label: str, after: dict[str, Any], key: str) -> None:
        if after == self._state:
            self._apply(after)
        else:
            self.undo_stack.push(_Edit(self, label, dict(self._state), after, key))

    def _tidy(self) -> None:
        """Typing in the same field later is a new step of undo."""
        if self.undo_stack.canUndo():
            top = self.undo_stack.command(self.undo_stack.index() - 1)
            if isinstance(top, _Edit):
                top._key = ""

    def _apply(self, state: dict[str, Any], *, quiet: bool = False) -> None:
        self._state = dict(state)
        self._loading = True
        for name, raw in state.items():
            self._fields[name].set_raw(raw)
        self._loading = False
        was_valid = self.valid
        self._check()
        self._show_state()
        if not quiet:
            self.changed.emit()
            if self.valid != was_valid:
                self.valid_changed.emit(self.valid)

    def _check(self) -> None:
        self._value, problem, wrong = None, "", False
        try:
            self._value = self.params()
        except UserError as error:
            problem = str(error)
        for name, field in self._fields.items():
            text = ""
            if self._value is None:
                try:
                    self.params_class.parse({name: self._state[name]})
                except UserError as error:
                    # Alone over the defaults it may not fit to the others, and yet be fine in itself.
                    text = "" if error.what == UNFIT else _reason(error, field.spec)
            wrong = wrong or bool(text)
            field.show_error(text)
        if wrong:
            problem = ""
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def _show_state(self) -> None:
        name = self.preset()
        if name is not None:
            self._base = self._presets[name]
        base = self._raw_of(self._base)
        hidden = 0
        for key, field in self._fields.items():
            differs = self._state[key] != base[key]
            field.reset.setVisible(differs and key not in self._hidden)
            field.reset.setToolTip(f"Back to {base[key]!s}" if base[key] != "" else "Back to none")
            hidden += differs and field.spec.advanced
            if field.error.text() and field.spec.advanced and not self._advanced.isVisible():
                self._more.setChecked(True)
        self._show_preset(name)
        tail = f" · {hidden} changed" if hidden and not self._more.isChecked() else ""
        self._more.setText(f"  Advanced{tail}")
        self._more.setIcon(theme.icon("down" if self._more.isChecked() else "right"))

    def _show_preset(self, name: str | None) -> None:
        custom = self._combo.findData(CUSTOM)
        if name is not None:
            if custom >= 0:
                self._combo.removeItem(custom)
            self._combo.setCurrentIndex(self._combo.findData(name))
            self._combo.setToolTip("")
            return
        base = next((n for n, p in self._presets.items() if p == self._base), "standard")
        if custom < 0:
            self._combo.addItem(CUSTOM, CUSTOM)
            custom = self._combo.count() - 1
        self._combo.setItemData(custom, f"{base.capitalize()}, with changes", Qt.ItemDataRole.ToolTipRole)
        self._combo.setToolTip(f"{base.capitalize()}, with changes")
        self._combo.setCurrentIndex(custom)


def _in_order(params: type[Params], presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Params]:
    """Quick, Standard, Paper, then the others; a preset that no longer parses is left out."""
    found: dict[str, Params] = {"standard": params()}
    for name, values in presets.items():
        try:
            found[name] = params.parse(values)
        except UserError:
            continue
    order = {"quick": 0, "standard": 1, "paper": 2}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], 3)))


def _reason(error: UserError, spec: ParamSpec) -> str:
    if spec.kind == "box":
        return "Enter six numbers: the lowest x, y and z, then the highest."
    if spec.kind in ("int", "float", "ints", "floats"):
        kind = {"int": "a whole number", "float": "a number", "ints": "whole numbers", "floats": "numbers"}[spec.kind]
        allowed = f" {spec.range_text}" if spec.range_text else ""
        return f"Enter {kind}{allowed}{f' {spec.unit}' if spec.unit and allowed else ''}."
    return error.mend or error.why or error.what
