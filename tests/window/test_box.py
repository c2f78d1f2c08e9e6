"""The foreground box of a method's form, set in a view of its inputs."""

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton

from engines.core import catalog
from tests.viewers.test_splat_view import shell, until
from tests.window.conftest import find

LEFT = Qt.MouseButton.LeftButton


def page_of(window, add, *artifacts):
    window.file_acts.new_project()
    ids = add(*artifacts)
    window.show_panel("method")
    window.method_panel.open_method("sugar")
    window.project_panel.select(ids)
    return window.method_panel.page, ids


def pull(view, face, by):
    seen = view.box.host.project(np.stack([view.box.handles()[face], view.box.handles()[face] + by]))[:, :2]
    start, end = (QPoint(*p.round().astype(int).tolist()) for p in seen)
    QTest.mousePress(view.canvas, LEFT, pos=start)
    for share in (0.25, 0.5, 0.75, 1.0):
        QTest.mouseMove(view.canvas, start + (end - start) * share)
    QTest.mouseRelease(view.canvas, LEFT, pos=end)


def test_a_box_is_dragged_in_a_view_of_the_inputs_and_undone_in_the_form(window, add):
    photos = catalog().get("sugar").smoke.inputs()["photos"]
    page, ids = page_of(window, add, photos, shell(500))
    page.inputs.set_ids({"photos": ids[0], "cloud": ids[1]})
    form, field = page.form, find(page, "Foreground box", QLineEdit)
    pick = find(page, "Pick Foreground box in view", QPushButton)
    pick.click()
    until(lambda: window.views.current is not None and window.views.current.viewers())
    view = window.views.current.viewers()[0]
    until(lambda: view.box.is_active and view.latest is not None)
    assert view.objectName() == "splat-view"
    assert {item.id for item in view.items} == set(ids)
    assert field.text() == "", "a proposal is no choice"
    view.look_from(0)
    pull(view, 1, np.array([-0.4, 0, 0]))
    values = [float(v) for v in field.text().split(",")]
    assert len(values) == 6
    assert np.allclose(values, view.box.value())
    assert form.params().box == view.box.value()
    first = field.text()
    pull(view, 5, np.array([0, 0, -0.3]))
    assert field.text() != first
    form.undo_stack.undo()
    assert field.text() == first, "one drag is one step"
    assert np.allclose(view.box.value(), values), "the view follows"
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "-1 -1 -1 1 1 0.5")
    assert view.box.value() == (-1, -1, -1, 1, 1, 0.5)
    find(page, "Reset Foreground box").click()
    assert field.text() == ""
    assert not view.box.is_set
    find(view, "Done").click()
    assert not pick.isChecked()
    assert not view.box.is_active


def test_photos_alone_are_shown_in_space_and_another_press_ends_it(window, add):
    photos = catalog().get("sugar").smoke.inputs()["photos"]
    page, _ = page_of(window, add, photos)
    pick = find(page, "Pick Foreground box in view", QPushButton)
    pick.click()
    until(lambda: window.views.current is not None and window.views.current.viewers())
    view = window.views.current.viewers()[0]
    until(lambda: view.box.is_active)
    assert view.objectName() == "scene"
    pick.click()
    assert not view.box.is_active
    pick.click()
    assert view.box.is_active, "the same view again"
    assert len(window.views.frames()) == 1
    window.views.close_all()
    assert not pick.isChecked(), "the view is gone"


def test_without_inputs_it_says_what_to_do(window):
    window.file_acts.new_project()
    window.show_panel("method")
    page = window.method_panel.open_method("sugar")
    pick = find(page, "Pick Foreground box in view", QPushButton)
    pick.click()
    assert not pick.isChecked()
    until(lambda: any("Choose the inputs first" in box.note.text for box in window.notices.boxes()))
