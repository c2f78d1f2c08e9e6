"""A form made from a ``Params`` class: the same for methods, file readers and file writers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QUndoCommand, QUndoStack
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
from engines.core import Params, ParamSpec, UserError
from engines.core.params import UNFIT

CUSTOM = "Custom"


def number_text(value: float) -> str:
    """The shortest text that reads back as ``value``: ``1e-4``, ``0.25``, ``2000``."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return re.sub(r"e([+-])0*(\d)", lambda m: f"e{'-' if m[1] == '-' else ''}{m[2]}", short)


def step_number(value: float, direction: int, spec: ParamSpec) -> float:
    """The next value up or down: 1, 2, 5, 10, … where the field is logarithmic, else a round step of its size."""
    if spec.log and value > 0:
        exponent = math.floor(math.log10(value) + 1e-9)
        digit = value / 10**exponent
        ladder = [0.5, 1, 2, 5, 10, 20]
        wanted = [d for d in ladder if (d > digit * 1.0001 if direction > 0 else d < digit * 0.9999)]
        result = (min(wanted) if direction > 0 else max(wanted)) * 10.0**exponent
    else:
        size = abs(value) if value else 1.0
        step = 10.0 ** math.floor(math.log10(size) - 0.3)
        if spec.kind in ("int", "ints"):
            step = max(1.0, step)
        result = round(value / step + direction) * step
    result = float(f"{result:.10g}")
    if spec.minimum is not None and not spec.exclusive_minimum:
        result = max(result, spec.minimum)
    if spec.maximum is not None and not spec.exclusive_maximum:
        result = min(result, spec.maximum)
    beyond = (spec.exclusive_minimum and spec.minimum is not None and result <= spec.minimum) or (
        spec.exclusive_maximum and spec.maximum is not None and result >= spec.maximum
    )
    if beyond:
        return value
    return int(result) if spec.kind in ("int", "ints") else result


class _ValueEdit(QLineEdit):
    """A line of text with the unit inside; Up and Down step numbers."""

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__()
        self._spec = spec
        self.setFont(theme.font(numbers=True))
        self._unit = QLabel(spec.unit, self)
        self._unit.setFont(theme.font(0.92))
        theme.mark(self._unit, tone="muted")
        self._unit.setVisible(bool(spec.unit))
        if spec.unit:
            self.setTextMargins(0, 0, self._unit.sizeHint().width() + 5, 0)
        if spec.optional:
            self.setPlaceholderText("none")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = self._unit.sizeHint()
        self._unit.setGeometry(
            self.width() - size.width() - 8, (self.height() - size.height()) // 2, size.width(), size.height()
        )

    def event(self, event: QEvent) -> bool:
        # Undo and redo are the form's, which knows all fields, where the window has such actions.
        keys = QKeySequence.StandardKey
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and (event.matches(keys.Undo) or event.matches(keys.Redo)):
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        directions = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        direction = directions.get(Qt.Key(event.key()))
        if direction is None or self._spec.kind not in ("int", "float"):
            super().keyPressEvent(event)
            return
        try:
            stepped = step_number(float(self.text()), direction, self._spec)
        except (ValueError, OverflowError):
            return
        self.setText(number_text(stepped))
        self.selectAll()


class _Field:
    """The widgets of one setting."""

    def __init__(self, form: ParamForm, spec: ParamSpec) -> None:
        self.spec = spec
        self.label = QLabel(spec.label)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.label.setWordWrap(True)
        self.editor = self._make_editor()
        self.editor.setObjectName(f"param:{spec.name}")
        self.editor.setAccessibleName(spec.label)
        self.editor.setAccessibleDescription(spec.help)
        self.editor.installEventFilter(form)
        self.label.setBuddy(self.editor)
        tip = _tooltip(spec)
        self.label.setToolTip(tip)
        self.editor.setToolTip(tip)
        self.reset = QToolButton()
        self.reset.setIcon(theme.icon("reset"))
        self.reset.setIconSize(QSize(14, 14))
        self.reset.setFixedSize(22, 22)
        self.reset.setObjectName(f"reset:{spec.name}")
        self.reset.setAccessibleName(f"Reset {spec.label}")
        keep = self.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(keep)
        self.reset.hide()
        self.error = QLabel()
        self.error.setWordWrap(True)
        self.error.setObjectName(f"error:{spec.name}")
        self.error.setAccessibleName(f"Problem with {spec.label}")
        theme.mark(self.error, tone="bad")
        self.error.setFont(theme.font(0.92))
        self.error.hide()

    def _make_editor(self) -> QWidget:
        spec = self.spec
        if spec.kind == "bool" and not spec.optional:
            return QCheckBox()
        if spec.kind == "choice":
            combo = QComboBox()
            if spec.optional:
                combo.addItem("None", "")
            for choice in spec.choices:
                shown = choice.replace("_", " ").replace("-", " ") if choice.islower() else choice
                combo.addItem(shown[:1].upper() + shown[1:], choice)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(6)
            return combo
        return _ValueEdit(spec)

    def raw(self) -> str | bool:
        """What the editor holds: text, or whether the box is ticked."""
        if isinstance(self.editor, QCheckBox):
            return self.editor.isChecked()
        if isinstance(self.editor, QComboBox):
            return str(self.editor.currentData())
        assert isinstance(self.editor, QLineEdit)
        return self.editor.text()

    def set_raw(self, raw: str | bool) -> None:
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(bool(raw))
        elif isinstance(self.editor, QComboBox):
            self.editor.setCurrentIndex(max(0, self.editor.findData(raw)))
        elif isinstance(self.editor, QLineEdit) and self.editor.text() != raw:
            self.editor.setText(str(raw))

    def raw_of(self, value: Any) -> str | bool:
        """The editor's content for a value of the params."""
        if isinstance(self.editor, QCheckBox):
            return bool(value)
        if value is None:
            return ""
        if self.spec.kind in ("ints", "floats"):
            return ", ".join(number_text(v) for v in value)
        if self.spec.kind in ("int", "float"):
            return number_text(value)
        return str(value)

    def show_error(self, text: str) -> None:
        self.error.setText(text)
        self.error.setVisible(bool(text))
        if (self.editor.property("tone") == "bad") != bool(text):
            theme.mark(self.editor, tone="bad" if text else "")


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
        self._fields = {spec.name: _Field(self, spec) for spec in params.specs()}
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
            elif isinstance(editor, QComboBox):
                editor.currentIndexChanged.connect(lambda _, n=name: self._edited(n))
            elif isinstance(editor, QCheckBox):
                editor.toggled.connect(lambda _, n=name: self._edited(n))
            field.reset.clicked.connect(lambda _, n=name: self.reset(n))

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

    def editor(self, name: str) -> QWidget:
        return self._fields[name].editor

    def error(self, name: str) -> str:
        """The text shown under a field ("" when it is fine)."""
        return self._fields[name].error.text() if not self._fields[name].error.isHidden() else ""

    def hide_field(self, name: str) -> None:
        """For a field that the caller sets by other means, through :meth:`set_params`."""
        field = self._fields[name]
        self._hidden.add(name)
        keep = field.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(False)
        field.reset.setSizePolicy(keep)
        for widget in (field.label, field.editor, field.reset):
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

    def _rows(self, fields: list[_Field]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        for index, field in enumerate(fields):
            grid.addWidget(field.label, 2 * index, 0)
            grid.addWidget(field.editor, 2 * index, 1)
            grid.addWidget(field.reset, 2 * index, 2)
            grid.addWidget(field.error, 2 * index + 1, 0, 1, 2)
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
        self._push(f"Change {field.spec.label}", after, name if isinstance(field.editor, QLineEdit) else "")

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
    if spec.kind in ("int", "float", "ints", "floats"):
        kind = {"int": "a whole number", "float": "a number", "ints": "whole numbers", "floats": "numbers"}[spec.kind]
        allowed = f" {spec.range_text}" if spec.range_text else ""
        return f"Enter {kind}{allowed}{f' {spec.unit}' if spec.unit and allowed else ''}."
    return error.mend or error.why or error.what


def _tooltip(spec: ParamSpec) -> str:
    default = spec.default
    shown = ", ".join(number_text(v) for v in default) if isinstance(default, (tuple, list)) else default
    shown = number_text(shown) if isinstance(shown, float) else shown
    unit = f" {spec.unit}" if spec.unit else ""
    lines = [f"<b>{html.escape(spec.label)}</b>", html.escape(spec.help)]
    if spec.range_text and not spec.choices:
        lines.append(f"Range: {html.escape(spec.range_text)}{html.escape(unit)}")
    source = f" ({html.escape(spec.source)})" if spec.source else ""
    lines.append(f"Default: {html.escape(str(shown))}{html.escape(unit)}{source}")
    lines.append(f"<code>--set {spec.name}=…</code>")
    return "<p style='white-space:pre-wrap; margin:0'>" + "<br>".join(line for line in lines if line) + "</p>"
