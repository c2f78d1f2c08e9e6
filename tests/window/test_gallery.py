"""Which methods fit what is selected, and finding one."""

import pytest

from app.window.gallery import ROW_ROLE, gallery_rows, missing_input, shortened
from app.window.requests import Request
from app.window.wording import with_article
from engines.core import catalog
from engines.data import Mesh, Slices, Volume
from tests.window import samples
from tests.window.conftest import find


def _titles(rows):
    return [r.heading or r.method.key for r in rows]


def test_methods_that_fit_come_first_and_the_others_say_why():
    rows = gallery_rows(catalog(), [Slices], [Slices])
    titles = _titles(rows)
    assert titles[0] == "Fits the selection"
    assert titles.index("orex") < titles.index("Makes a new dataset") < titles.index("Needs other data")
    assert titles.index("Needs other data") < titles.index("slice-volume")
    reason = next(r.reason for r in rows if r.method is not None and r.method.key == "slice-volume")
    assert "volume" in reason
    assert "slices" in reason


def test_a_method_with_two_inputs_takes_the_second_from_the_project():
    compare = catalog().get("compare-meshes")
    assert missing_input(compare, [Mesh], [Mesh]) == ""
    assert missing_input(compare, [Volume], [Mesh])
    assert missing_input(catalog().get("torus-slices"), [Volume], []) == ""


def test_with_nothing_at_hand_everything_but_the_sources_waits():
    rows = gallery_rows(catalog(), [], [])
    assert _titles(rows)[0] == "Makes a new dataset"
    assert all(r.reason.startswith("Needs") for r in rows if r.method is not None and r.method.inputs)


def test_search_and_opening_by_click(window, add, click, qtbot):
    window.file_acts.new_project()
    (entry,) = add(samples.slices(), name="Ring")
    window.project_panel.select([entry])
    gallery = window.method_panel.gallery
    search = find(window, "Search methods")
    qtbot.keyClicks(search, "orex neural")
    methods = [r.method.key for r in gallery.model.rows if r.method is not None]
    assert methods[0] == "orex"
    assert "torus-slices" not in methods
    search.clear()
    qtbot.keyClicks(search, "no such thing")
    assert find(gallery, "No method matches").isVisible()
    search.clear()
    row = next(i for i, r in enumerate(gallery.model.rows) if r.method is not None and r.method.key == "orex")
    index = gallery.model.index(row)
    assert index.data(ROW_ROLE).reason == ""
    from PySide6.QtCore import Qt

    qtbot.mouseClick(gallery.list.viewport(), Qt.MouseButton.LeftButton, pos=gallery.list.visualRect(index).center())
    page = window.method_panel.page
    assert page is not None
    assert page.method.key == "orex"
    assert page.inputs.ids() == {"slices": entry}


def test_the_card_shows_paper_and_copies_bibtex(window, click, qtbot, qapp):
    window.show_workspace()
    page = window.method_panel.open_method("orex")
    page.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: page.card._text.toPlainText() != "")
    click(find(page, "Copy BibTeX"))
    assert "OReX" in qapp.clipboard().text()
    assert qapp.clipboard().text().startswith("@")


def test_claims_are_read_tolerantly(tmp_path):
    import json

    from app.window.card import claims_of

    path = tmp_path / "results.json"
    assert claims_of("orex", [path]) == []
    path.write_text("{broken")
    assert claims_of("orex", [path]) == []
    rows = [{"method": "orex", "claim": "IoU", "holds": True, "iou": 0.97}, {"method": "other", "claim": "no"}]
    path.write_text(json.dumps({"claims": rows}))
    assert [c["claim"] for c in claims_of("orex", [path])] == ["IoU"]


@pytest.mark.parametrize("width", [120, 240, 2000])
def test_what_does_not_fit_in_two_lines_ends_after_a_whole_word(themed, width):
    from PySide6.QtCore import QRect, Qt
    from PySide6.QtGui import QFontMetrics

    text = "Turn photos with known cameras into a mesh with Gaussians bound to it, that can be edited and drawn."
    metrics = QFontMetrics(themed.font())
    shown = shortened(text, metrics, width, 2)
    drawn = metrics.boundingRect(QRect(0, 0, width, 1000), int(Qt.TextFlag.TextWordWrap), shown)
    assert drawn.height() <= 2 * metrics.lineSpacing()
    assert shown == text or text.startswith(shown.removesuffix(" …"))
    assert (shown == text) == (width == 2000)


def test_kinds_of_data_in_a_sentence_keep_the_names_of_people():
    assert [with_article(t) for t in ("Mesh", "Gaussian cloud", "Bound Gaussians")] == [
        "a mesh", "a Gaussian cloud", "bound Gaussians",
    ]  # fmt: skip


def test_pages_of_a_project_that_was_left_hear_no_more(window, add, qtbot):
    from PySide6.QtWidgets import QApplication

    from app.project import Project
    from app.window.workbench import Request

    method = window.bench.method("compare-meshes")
    window.show_workspace()
    window.method_panel.open_request(Request(method, {}, method.preset("standard"), preset="standard"))
    assert window.method_panel.page is not None
    window.bench.replace(Project.new())
    QApplication.sendPostedEvents(None, 52)  # deferred deletes
    with qtbot.captureExceptions() as errors:
        add(samples.mesh())
    assert errors == []


def test_a_request_for_what_came_just_now_shows_it(window):
    first = window.bench.project.add(samples.slices())
    panel, method = window.method_panel, window.bench.method("orex")
    panel.open_request(Request(method, {"slices": first.id}, method.params()))
    second = window.bench.project.add(samples.slices(), name="later")
    panel.open_request(Request(method, {"slices": second.id}, method.params()))
    assert panel.page.request().input_ids["slices"] == second.id
