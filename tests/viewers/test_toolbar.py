"""The bars above the views, from narrow to wide: nothing cut, nothing on top of another, all to be had."""

import pytest
from PySide6.QtWidgets import QComboBox, QToolButton, QWidget

from app.viewers.registry import Shown
from tests.viewers.conftest import ball, ball_field, curve, picture, rings, scores, two_labels
from tests.viewers.fields import taylor_green
from tests.viewers.transports import clouds, independent, moved_pixel, shift

CONTENT = {
    "slice": lambda: [Shown("f", "Field", ball_field(9)), Shown("g", "Other", ball_field(9)), Shown("s", "S", rings())],
    "curves": lambda: [Shown("c", "Loss", curve())],
    "histogram": lambda: [Shown("t", "Scores", scores())],
    "image": lambda: [Shown("i", "Image", picture()), Shown("j", "Other image", picture())],
    "table": lambda: [Shown("t", "Scores", scores()), Shown("u", "More scores", scores())],
    "scene": lambda: [Shown("m", "Ball", ball())],
    "transport": lambda: [
        Shown("a", "Plan", independent(*clouds(dimensions=5))),
        Shown("b", "Other plan", independent(*clouds(dimensions=5))),
    ],
    "coupling": lambda: [Shown("a", "Plan", shift()), Shown("b", "Other plan", shift())],
    "potentials": lambda: [Shown("a", "Plan", moved_pixel()), Shown("b", "Other plan", moved_pixel())],
    "field": lambda: [Shown("f", "Flow", taylor_green(9)), Shown("g", "Other flow", taylor_green(9))],
}


def standing(bar) -> list[QWidget]:
    return [w for w in bar.children() if isinstance(w, QWidget) and w.isVisible() and not w.isWindow()]


@pytest.mark.parametrize("key", list(CONTENT))
def test_every_bar_fits_at_every_width(show, qtbot, key):
    view = show(key, 1200, 300)
    view.show_artifacts(CONTENT[key]())
    for width in (1200, 600, 420, 340, 300, 260, 220):
        view.resize(width, 300)
        qtbot.wait(10)
        assert view.width() == width, "the bar keeps the view from getting narrow"
        faces = standing(view.bar)
        for face in faces:
            assert view.bar.rect().contains(face.geometry()), (width, face.objectName())
            assert face.width() >= min(face.sizeHint().width(), face.maximumWidth()), (width, face.objectName())
            assert face.accessibleName(), face.objectName()
        boxes = [face.geometry() for face in faces]
        assert not any(a.intersects(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]), width
        assert view.bar.more.isVisible() == bool(view.bar.left_over())
        # What is not on the bar is behind its "…".
        names = {face.objectName() for face in faces} | {item.widget.objectName() for item in view.bar.left_over()}
        for action in view.actions():
            button = view.bar.findChild(QToolButton, f"{action.objectName()}-button")
            if button is not None and action.isVisible():
                assert button.objectName() in names


def test_words_become_icons_and_fields_a_button(show, qtbot):
    view = show("slice", 1100, 300)
    view.show_artifacts(CONTENT["slice"]())
    button = view.bar.findChild(QToolButton, "sigmoid-button")
    assert button.text() == "Probability"
    assert view.cmaps.isVisible()
    wide = button.width()
    view.resize(300, 300)
    qtbot.wait(10)
    assert not view.cmaps.isVisible()
    assert not button.isVisible() or button.width() < wide
    view.bar._open_more()
    texts = [action.text() for action in view.bar._menu.actions()]
    view.bar._menu.hide()
    assert "Colours…" in texts
    assert "Save a picture" in texts
    next(a for a in view.bar._menu.actions() if a.text() == "Colours…").trigger()
    assert view.cmaps.isVisible()
    assert isinstance(view.cmaps, QComboBox)
    view.resize(1100, 300)
    qtbot.wait(10)
    assert view.cmaps.isVisible()
    assert view.cmaps.window() is view.window()
    assert button.width() == wide


def test_what_is_not_offered_is_nowhere(show, qtbot):
    view = show("slice", 260, 300)
    view.show_artifacts([Shown("v", "Labels", two_labels())])
    qtbot.wait(10)
    shown = {face.objectName() for face in standing(view.bar)} | {i.widget.objectName() for i in view.bar.left_over()}
    assert not shown & {"sigmoid-button", "contours-button", "colours", "colours-button", "field-group"}
