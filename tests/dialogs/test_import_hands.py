"""Hands in the import dialog: captures over their photos, templates with their bones, and questions with answers."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from engines.data import HandCapture, RiggedTemplate
from engines.files.rigged_glb import the_open_hand
from tests.dialogs.importing import add, ready
from tests.files import hand_sets, rigs

pytestmark = pytest.mark.timeout(120)


def test_a_capture_is_shown_over_its_photos(open_dialog, project, qtbot, tmp_path):
    dialog = open_dialog(hand_sets.folder(tmp_path / "fist"))
    ready(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.preview.viewer is not None)
    assert dialog.preview.viewer.key == "hand-overlay"
    (key,) = add(qtbot, dialog)
    assert isinstance(project.artifact(key), HandCapture)
    assert project.entries[key].name == "fist"


def test_units_are_asked_and_a_button_answers(open_dialog, project, qtbot, tmp_path):
    dialog = open_dialog(hand_sets.folder(tmp_path / "fist", scale=1000.0))
    qtbot.waitUntil(lambda: dialog.items[0].state == "refused", timeout=60_000)
    page = dialog.page()
    assert "few cameras see the hand" in page.error.message
    answer = next(b for b in page.error.findChildren(QPushButton) if b.text() == "Cameras in mm, translations in m")
    qtbot.mouseClick(answer, Qt.MouseButton.LeftButton)
    ready(qtbot, dialog)
    assert dialog.items[0].options.cameras_in == "mm"
    (key,) = add(qtbot, dialog)
    assert project.entries[key].provenance.options["cameras_in"] == "mm"


def test_a_rigged_file_is_a_mesh_or_a_template(open_dialog, project, qtbot, tmp_path):
    hand = the_open_hand()
    path = rigs.glb(
        tmp_path, "hand.glb", vertices=1000 * hand.vertices, faces=hand.faces, weights=hand.weights,
        joints=1000 * hand.joints, names=hand.joint_names, parents=hand.parents.tolist(),
    )  # fmt: skip
    dialog = open_dialog(path)
    ready(qtbot, dialog)
    item = dialog.items[0]
    assert any("Rigged template" in text for text in item.problems)
    item.read(None, "rigged-glb")
    qtbot.waitUntil(lambda: item.state == "refused", timeout=60_000)
    (first, *_) = dialog.page().error.findChildren(QPushButton)
    assert first.text() == "It is in mm"
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    ready(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.preview.viewer is not None)
    assert dialog.preview.viewer.key == "scene"
    (key,) = add(qtbot, dialog)
    made = project.artifact(key)
    assert isinstance(made, RiggedTemplate)
    np.testing.assert_allclose(made.vertices, hand.vertices, atol=1e-6)


def test_what_was_refused_can_be_read_with_other_options(open_dialog, project, qtbot, tmp_path):
    dialog = open_dialog(hand_sets.folder(tmp_path / "fist"))
    ready(qtbot, dialog)
    item, page = dialog.items[0], dialog.page()
    page.reader_form.set_params(item.found.reader.options(template="/nowhere/MANO_RIGHT.pkl"))
    page.reader_form.changed.emit()
    qtbot.waitUntil(lambda: item.state == "refused", timeout=60_000)
    assert "no template" in page.error.message
    assert page.reader_form is not None
    page.reader_form.set_params(type(item.options)())
    page.reader_form.changed.emit()
    qtbot.waitUntil(lambda: item.state == "ready", timeout=60_000)
