"""One setting of a form: its label, editor, tooltip, reset button and the line that says what is wrong with it."""

from __future__ import annotations

import html
import math
import re
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.form_lines import LinesEdit
from engines.core import ParamSpec, TextError
from engines.core.params import SEVERAL


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


class ValueEdit(QLineEdit):
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
        if spec.optional or (spec.default in ("", ()) and spec.empty != "none"):
            self.setPlaceholderText(spec.empty)

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


class Field:
    """The widgets of one setting. ``form`` filters the events of its editor."""

    def __init__(self, form: QObject, spec: ParamSpec) -> None:
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
        self.face = self.editor
        """What stands beside the label: the editor, with what else belongs to it."""
        self.pick: QPushButton | None = None
        if spec.kind == "box":
            self.face, self.pick = _with_pick(spec, self.editor)
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
            longest = max(len(combo.itemText(i)) for i in range(combo.count()))
            combo.setMinimumContentsLength(min(max(6, longest), 16))  # "SIMPLE_RADIAL" is to be read in a narrow panel
            return combo
        return LinesEdit(spec.empty if spec.optional or not spec.default else "") if spec.lines else ValueEdit(spec)

    def raw(self) -> str | bool:
        """What the editor holds: text, or whether the box is ticked."""
        if isinstance(self.editor, QCheckBox):
            return self.editor.isChecked()
        if isinstance(self.editor, QComboBox):
            return str(self.editor.currentData())
        if isinstance(self.editor, LinesEdit):
            return self.editor.toPlainText()
        assert isinstance(self.editor, QLineEdit)
        return self.editor.text()

    def set_raw(self, raw: str | bool) -> None:
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(bool(raw))
        elif isinstance(self.editor, QComboBox):
            self.editor.setCurrentIndex(max(0, self.editor.findData(raw)))
        elif isinstance(self.editor, LinesEdit):
            self.editor.set_text(str(raw))
        elif isinstance(self.editor, QLineEdit) and self.editor.text() != raw:
            self.editor.setText(str(raw))
            if self.spec.kind == "box" and not self.editor.hasFocus():
                self.editor.setCursorPosition(0)

    def raw_of(self, value: Any) -> str | bool:
        """The editor's content for a value of the params."""
        if isinstance(self.editor, QCheckBox):
            return bool(value)
        if value is None:
            return ""
        if self.spec.kind in SEVERAL:
            return ", ".join(number_text(v) for v in value)
        if self.spec.kind in ("int", "float"):
            return number_text(value)
        return str(value)

    def mark(self, error: TextError) -> bool:
        """Show a mistake at its character, if the text that it is in is this one's."""
        if not isinstance(self.editor, LinesEdit) or not error.text:
            return False
        start = self.editor.toPlainText().find(error.text)
        if start >= 0:
            self.show_error(" ".join(part for part in (error.why, error.mend) if part))
            word = re.compile(r"\w+").match(error.text, error.column)
            self.editor.mark(start + error.column, len(word[0]) if word else 1)
        return start >= 0

    def show_error(self, text: str) -> None:
        if isinstance(self.editor, LinesEdit):
            self.editor.unmark()
        self.error.setText(text)
        self.error.setVisible(bool(text))
        if (self.editor.property("tone") == "bad") != bool(text):
            theme.mark(self.editor, tone="bad" if text else "")


def _with_pick(spec: ParamSpec, editor: QWidget) -> tuple[QWidget, QPushButton]:
    """The editor of a box above a button that lets a view set it."""
    if isinstance(editor, QLineEdit):
        editor.setPlaceholderText(spec.empty)
    face = QWidget()
    column = QVBoxLayout(face)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(editor)
    pick = QPushButton("Pick in view")
    pick.setIcon(theme.icon("perspective"))
    pick.setIconSize(QSize(15, 15))
    pick.setCheckable(True)
    pick.setAutoDefault(False)
    pick.setObjectName(f"pick:{spec.name}")
    pick.setAccessibleName(f"Pick {spec.label} in view")
    pick.setToolTip(f"Show the inputs and drag the faces of the {spec.label.lower()}")
    pick.toggled.connect(lambda on: pick.setText("End picking" if on else "Pick in view"))
    pick.hide()
    column.addWidget(pick)
    return face, pick


def _tooltip(spec: ParamSpec) -> str:
    default = spec.default if spec.default not in (None, (), []) else spec.empty
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
