"""Import of fields: what a file is read as can be chosen, also where the first reader refuses it."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QComboBox

from app.dialogs.import_item import preparations_for
from engines.data import SampledField, Volume
from engines.files import write
from engines.files.gridded import GridOptions
from tests.dialogs.test_import_dialog import add, facts, open_dialog, settle  # noqa: F401 - a fixture
from tests.files import grids, made

pytestmark = pytest.mark.timeout(120)


def read_as(qtbot, dialog, key):
    combo = dialog.page().findChild(QComboBox, "import_format")
    combo.setCurrentIndex(combo.findData(key))
    combo.activated.emit(combo.currentIndex())
    settle(qtbot, dialog)


def test_an_array_can_be_read_as_a_field(open_dialog, tmp_path, project, qtbot):  # noqa: F811
    np.save(tmp_path / "u.npy", np.arange(60.0).reshape(3, 4, 5))
    dialog = open_dialog(tmp_path / "u.npy")
    assert isinstance(dialog.items[0].source, Volume)
    read_as(qtbot, dialog, "npy-field")
    assert facts(dialog)["Nodes"] == "3 × 4 × 5"
    form = dialog.page().reader_form
    form.set_params(GridOptions(axes="t x y"))
    form.changed.emit()
    qtbot.waitUntil(lambda: dialog.items[0].options is not None and dialog.items[0].options.axes == "t x y")
    settle(qtbot, dialog)
    assert facts(dialog)["Times"] == "3"
    (key,) = add(qtbot, dialog)
    assert isinstance(project.artifact(key), SampledField)


def test_what_one_reader_refuses_another_may_read(open_dialog, tmp_path, qtbot):  # noqa: F811
    np.save(tmp_path / "u.npy", np.exp(1j * np.arange(9.0)))
    dialog = open_dialog(tmp_path / "u.npy")
    assert dialog.items[0].state == "refused"
    read_as(qtbot, dialog, "npy-field")
    assert dialog.items[0].state == "ready"
    assert {"u real", "u imaginary"} <= set(facts(dialog))


def test_problems_of_a_folder_of_frames_are_shown(open_dialog, tmp_path, qtbot):  # noqa: F811
    folder = tmp_path / "frames"
    folder.mkdir()
    dialog = open_dialog(grids.frames(folder, lost=(4,)))
    assert facts(dialog)["Times"].startswith("10")
    assert "0.40" in dialog.items[0].problems[0]
    assert dialog.page().problems.isVisible()


def test_a_problem_shows_its_formulas(open_dialog, tmp_path):  # noqa: F811
    write(made.problem(), tmp_path / "p.problem")
    assert facts(open_dialog(tmp_path / "p.problem"))["Equation"] == "u_t - nu*u_xx + u*u_x = 0"


def test_only_preparations_that_need_nothing_else_are_offered():
    keys = {method.key for method in preparations_for(SampledField)}
    assert "measure-field" in keys
    assert "compare-fields" not in keys
