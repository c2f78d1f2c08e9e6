"""What transport takes and gives in the import and the export dialog."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QRadioButton

from app.dialogs.export_plan import estimate, targets, write_all
from app.dialogs.facts import describe
from engines.core import UserError
from engines.data import CostMatrix, Coupling, Displacements, Measure
from tests import transports
from tests.dialogs.importing import add, ready
from tests.files import cells, made

pytestmark = pytest.mark.timeout(120)


def settled(qtbot, dialog, state="ready"):
    qtbot.waitUntil(lambda: all(i.state == state for i in dialog.items), timeout=60_000)


def answers(dialog) -> dict[str, QPushButton]:
    return {b.text(): b for b in dialog.page().error.findChildren(QPushButton) if b.isVisible()}


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def fact(dialog, name):
    return dialog.page().findChild(QLabel, f"fact:{name}").text()


def test_cells_are_asked_about_and_become_two_measures(open_dialog, project, tmp_path, qtbot):
    dialog = open_dialog(cells.before(tmp_path / "cells.h5ad"))
    for asked, words in (
        ("Which column tells treated cells from control?", "drug: DMSO, imatinib, ünïtinib"),
        ("Which label of 'drug' is control?", "DMSO (12 cells)"),
        ("Which label of 'drug' is treated?", "ünïtinib (8 cells)"),
    ):
        qtbot.waitUntil(lambda asked=asked: asked in dialog.page().error.message, timeout=60_000)
        assert not dialog.findChild(QPushButton, "import_dialog_add").isEnabled()
        assert dialog.files.item(0).text().endswith("Has a question")
        click(qtbot, answers(dialog)[words])
    ready(qtbot, dialog)
    assert not dialog.page().error.isVisible()
    assert "1 constant feature was left out" in dialog.page().problems.message
    assert fact(dialog, "Format") == "Single-cell data (AnnData)"
    assert fact(dialog, "Dimensions") == "5: gene 0, gene 1, gene 2, …"
    assert [s.name for s in dialog.preview.shown] == ["DMSO", "ünïtinib"]
    form = dialog.page().reader_form
    assert (form.params().condition, form.params().control, form.params().treated) == ("drug", "DMSO", "ünïtinib")
    keys = add(qtbot, dialog)
    assert [project.entries[key].name for key in keys] == ["cells (DMSO)", "cells (ünïtinib)"]
    assert [len(project.artifact(key).points) for key in keys] == [12, 8]
    told = project.entries[keys[1]].provenance
    assert (told.reader, told.options["treated"]) == ("h5ad", "ünïtinib")


def test_a_label_that_is_not_there_can_be_corrected_in_the_form(open_dialog, tmp_path, qtbot):
    dialog = open_dialog(cells.today(tmp_path / "cells.h5ad"))
    settled(qtbot, dialog, "refused")
    form = dialog.page().reader_form
    form.set_params(form.params().model_copy(update={"condition": "drug", "control": "DMSQ", "treated": "imatinib"}))
    qtbot.waitUntil(lambda: "no cells 'DMSQ'" in dialog.page().error.message, timeout=60_000)
    assert "DMSO (12), imatinib (10)" in dialog.page().error.message
    form = dialog.page().reader_form
    form.set_params(form.params().model_copy(update={"control": "DMSO"}))
    ready(qtbot, dialog)
    assert fact(dialog, "Points") in ("12", "10")


def test_a_table_is_read_as_points_where_that_is_chosen(open_dialog, project, tmp_path, qtbot):
    (tmp_path / "clouds.csv").write_text("group,x,y,weight\na,0,1,2\nb,2,3,1\na,4,5,1\n")
    dialog = open_dialog(tmp_path / "clouds.csv")
    ready(qtbot, dialog)
    assert fact(dialog, "Type") == "Table"
    assert dialog.page().findChild(QRadioButton, "plan:table-measure") is not None
    combo = dialog.page().findChild(QComboBox, "import_format")
    titles = [combo.itemText(i) for i in range(combo.count())]
    assert {"CSV table", "CSV points with weights", "CSV cost matrix"} <= set(titles)
    combo.setCurrentIndex(titles.index("CSV points with weights"))
    combo.activated.emit(combo.currentIndex())
    qtbot.waitUntil(lambda: len(dialog.items[0].found.facts if dialog.items[0].found else ()) == 2, timeout=60_000)
    ready(qtbot, dialog)
    assert fact(dialog, "Weights") == "1 to 2, 3 in all"
    keys = add(qtbot, dialog)
    assert [project.entries[key].name for key in keys] == ["clouds (a)", "clouds (b)"]


def test_an_image_is_offered_as_a_measure_and_resampled(open_dialog, project, tmp_path, qtbot):
    import PIL.Image

    pixels = np.random.default_rng(0).integers(0, 255, (20, 30), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "ink.png")
    dialog = open_dialog(tmp_path / "ink.png")
    ready(qtbot, dialog)
    assert dialog.page().findChild(QRadioButton, "plan:keep").text() == "As an image"
    dialog.page().findChild(QRadioButton, "plan:image-measure").click()
    qtbot.waitUntil(lambda: dialog.page().form is not None, timeout=60_000)
    form = dialog.page().form
    form.set_params(form.params().model_copy(update={"rows": 10}))
    item = dialog.items[0]
    qtbot.waitUntil(lambda: item.answer is not None and item.answer.outputs["measure"].grid == (10, 15), timeout=60_000)
    ready(qtbot, dialog)
    (key,) = add(qtbot, dialog)
    found = project.artifact(key)
    np.testing.assert_allclose(found.weights.sum(), 1)
    assert found.grid == (10, 15)
    assert project.entries[key].provenance.method == "image-measure"


# facts -----------------------------------------------------------------------------------------------


def rows(artifact):
    return dict(describe(artifact).rows)


def test_facts():
    grid = rows(transports.measure(weights=[0, 1, 2, 1, 0, 0]))
    assert (grid["Points"], grid["Grid"], grid["x"]) == ("6", "2 × 3", "0 to 2 mm")
    assert grid["Weights"] == "0 to 2, 4 in all, 3 of them zero"
    many = rows(Measure(points=np.zeros((4, 50))))
    assert (many["Dimensions"], many["Range"], many["Weights"]) == ("50", "0 to 0", "all alike")
    costs = rows(transports.costs())
    assert (costs["Sources"], costs["Targets"], costs["First targets"]) == ("2", "3", "a, b, ü")
    assert costs["Mass of targets"] == "all alike"
    plan = rows(transports.coupling())
    assert (plan["Entries"], plan["Problem"], plan["Potentials"]) == ("2 of 6", "exact", "of both sides")
    assert plan["Marginal errors"] == "0.25 of the sources, 0.25 of the targets"
    assert rows(transports.dense_coupling())["Potentials"] == "none"
    assert rows(transports.affine_map())["Learned on"] == "3 source and 4 target points"
    assert "to" in rows(transports.displacements())["Moved by"]


# export ----------------------------------------------------------------------------------------------


def large(kind):
    draw = np.random.default_rng(2)
    points, weights = draw.normal(size=(4_000, 2)), draw.uniform(size=4_000)
    if kind == "measure":
        return Measure(points=points, weights=weights, grid=(50, 80))
    if kind == "costs":
        return CostMatrix(costs=draw.normal(size=(60, 70)))
    if kind == "displacements":
        return Displacements(starts=points, ends=points[::-1], weights=weights)
    if kind == "entries":
        return Coupling(
            rows=np.arange(4_000), columns=np.arange(4_000), mass=weights, source_weights=weights,
            target_weights=weights, source_potential=weights, target_potential=weights,
        )  # fmt: skip
    return Coupling(plan=draw.uniform(size=(50, 80)), source_weights=np.ones(50), target_weights=np.ones(80),
                    source_potential=np.ones(50))  # fmt: skip


@pytest.mark.parametrize("kind", ["measure", "costs", "displacements", "entries", "dense"])
def test_sizes_hold_for_every_format(kind, project, tmp_path):
    (target,) = targets(project, [project.add(large(kind), name=kind).id], {})
    assert target.extension == ".csv"
    for writer in target.writers:
        target.choose(writer, writer.extensions[0])
        said, at_most = estimate(target, project)
        (written,) = write_all(project, [target], tmp_path, threading.Event(), lambda fraction, text: None)
        size = written.stat().st_size
        assert size <= said, (writer.key, size, said)
        assert at_most or size > said / 2, (writer.key, size, said)


def test_everything_of_transport_is_offered_with_a_size_and_written_or_refused_in_words(project, tmp_path):
    refused = set()
    for maker in made.TRANSPORTS:
        (target,) = targets(project, [project.add(maker(), name=maker.__name__).id], {})
        for writer in target.writers:
            target.choose(writer, writer.extensions[0])
            assert estimate(target, project)[0] > 0
            try:
                write_all(project, [target], tmp_path, threading.Event(), lambda fraction, text: None)
            except UserError:
                refused.add((maker.__name__, writer.key))
    assert refused == {("dense_coupling", "csv-potentials")}
