"""The form made from params: one control for each kind, errors beside their field, presets, undo."""

from typing import Literal

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLineEdit

from app.form_field import number_text, step_number
from app.forms import ParamForm
from engines.core import Param, Params, UserError
from tests.window.conftest import find


class Everything(Params):
    iterations: int = Param(
        2000, ge=1, le=100_000, help="Optimiser steps", unit="steps", source="paper, sec. 4", log=True
    )
    rate: float = Param(1e-4, gt=0, le=1, help="Learning rate", log=True)
    hinge: bool = Param(True, help="Bound the slope")
    meshing: Literal["dual_contouring", "marching_cubes"] = Param("dual_contouring", help="How the surface is made")
    title: str = Param("", help="A name")
    counts: tuple[int, ...] = Param((2, 2, 3), ge=1, le=10, help="Samples per edge")
    weights: tuple[float, ...] = Param((0.5, 1e-3), ge=0, help="Weights")
    limit: float | None = Param(None, help="Upper limit", advanced=True)


PRESETS = {"paper": {"iterations": 65_000}, "quick": {"iterations": 500, "counts": (1, 1)}}


@pytest.fixture
def form(themed, qtbot):
    made = ParamForm(Everything, PRESETS)
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_defaults_come_back_unchanged(form):
    assert form.params() == Everything()
    assert form.valid
    assert form.preset() == "standard"


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        ("iterations", "1234", 1234),
        ("rate", "2.5e-3", 0.0025),
        ("title", "Left hand", "Left hand"),
        ("counts", "1, 2 3", (1, 2, 3)),
        ("weights", "1e-2, 3", (0.01, 3.0)),
    ],
)
def test_what_is_typed_becomes_the_value(form, field, typed, value):
    editor = form.editor(field)
    assert isinstance(editor, QLineEdit)
    editor.selectAll()
    QTest.keyClicks(editor, typed)
    assert getattr(form.params(), field) == value


def test_boxes_and_lists_are_set_by_clicks(form, click):
    box = find(form, "Hinge", QCheckBox)
    box.click()
    combo = find(form, "Meshing", QComboBox)
    combo.setCurrentIndex(1)
    assert form.params().hinge is False
    assert form.params().meshing == "marching_cubes"


def test_an_optional_number_may_be_empty(form):
    editor = form.editor("limit")
    editor.setText("3")
    assert form.params().limit == 3.0
    editor.setText("")
    assert form.params().limit is None


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("iterations", "0", "≥ 1"),
        ("iterations", "many", "whole number"),
        ("rate", "0", "> 0"),
        ("rate", "nan", "number"),
        ("counts", "1, 99", "≤ 10"),
        ("counts", "1, x", "whole numbers"),
        ("weights", "-1", "≥ 0"),
    ],
)
def test_a_wrong_value_is_explained_beside_its_field(form, qtbot, field, typed, says):
    with qtbot.waitSignal(form.valid_changed) as told:
        form.editor(field).setText(typed)
    assert told.args == [False]
    assert says in form.error(field)
    assert not form.valid
    with pytest.raises(UserError):
        form.params()
    form.reset(field)
    assert form.valid
    assert form.error(field) == ""


def test_a_field_is_reset_by_its_button_which_shows_only_when_changed(form, click):
    button = form.findChild(QLineEdit, "param:rate").parent().findChild(type(find(form, "advanced")), "reset:rate")
    assert button.isHidden()
    form.editor("rate").setText("0.5")
    assert not button.isHidden()
    click(button)
    assert form.params().rate == 1e-4
    assert button.isHidden()


def test_presets_are_ordered_and_become_custom_when_changed(form):
    combo = find(form, "Preset", QComboBox)
    assert [combo.itemText(i) for i in range(combo.count())] == ["Quick", "Standard", "Paper"]
    combo.setCurrentIndex(0)
    combo.activated.emit(0)
    assert form.params().iterations == 500
    assert form.changed_fields() == []
    form.editor("iterations").setText("501")
    assert combo.currentText() == "Custom"
    assert form.preset() is None
    assert form.changed_fields() == ["iterations"]
    form.reset("iterations")
    assert combo.currentText() == "Quick"
    assert form.params().iterations == 500


def test_edits_can_be_undone_and_typing_is_one_step(form):
    editor = form.editor("title")
    QTest.keyClicks(editor, "abc")
    form.editor("iterations").setText("7")
    assert form.undo_stack.undoText() == "Change Iterations"
    form.undo_stack.undo()
    form.undo_stack.undo()
    assert form.params() == Everything()
    form.undo_stack.redo()
    assert form.params().title == "abc"


def test_params_can_be_shown_and_read_back(form):
    wanted = Everything(iterations=3, rate=0.25, hinge=False, counts=(4,), weights=(1e-9,), limit=2.5, title="x")
    form.set_params(wanted)
    assert form.params() == wanted


def test_advanced_settings_stand_behind_a_button_and_open_for_an_error(form, click):
    assert form.editor("limit").isHidden() or not form.editor("limit").isVisible()
    form.editor("limit").setText("wrong")
    assert form.editor("limit").isVisible()


def test_the_wheel_scrolls_and_changes_nothing(form):
    combo = find(form, "Meshing", QComboBox)
    combo.setFocus()
    at = QPointF(5, 5)
    event = QWheelEvent(
        at, combo.mapToGlobal(at), QPoint(), QPoint(0, -240), Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False
    )
    QApplication.sendEvent(combo, event)
    assert form.params() == Everything()


def test_arrow_keys_step_by_round_numbers(form):
    editor = form.editor("rate")
    QTest.keyClick(editor, Qt.Key.Key_Up)
    assert form.params().rate == 2e-4
    QTest.keyClick(editor, Qt.Key.Key_Down)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    assert form.params().rate == pytest.approx(5e-5)


@pytest.mark.parametrize("value", [1e-4, 0.25, 2000.0, 1e-9, 123456789.0, 0.1 + 0.2, -3.5e20])
def test_a_number_is_written_shortly_and_reads_back(value):
    assert float(number_text(value)) == value
    assert "e-0" not in number_text(value)


def test_steps_stay_inside_the_range():
    spec = next(s for s in Everything.specs() if s.name == "iterations")
    assert step_number(1, -1, spec) == 1
    assert step_number(90_000, 1, spec) == 100_000
    rate = next(s for s in Everything.specs() if s.name == "rate")
    value = 1.0
    for _ in range(60):
        value = step_number(value, -1, rate)
    assert value > 0


def test_every_control_has_a_name_a_tooltip_and_its_source(form):
    for spec in Everything.specs():
        editor = form.editor(spec.name)
        assert editor.accessibleName() == spec.label
        assert spec.help in editor.toolTip()
    assert "paper, sec. 4" in form.editor("iterations").toolTip()
