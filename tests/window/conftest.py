"""A real window on a real project; tests find widgets by their accessible names and click them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from app.background import wait_for_all


def find(root: QWidget, accessible: str, kind: type = QWidget):
    """The visible widget with this accessible name (or object name)."""
    found = [
        w for w in root.findChildren(kind) if accessible in (w.accessibleName(), w.objectName()) and not w.isHidden()
    ]
    shown = [w for w in found if w.isVisible()] or found
    assert shown, f"no widget is called '{accessible}'"
    return shown[0]


@pytest.fixture
def themed(light):
    yield light
    wait_for_all(5)


@pytest.fixture
def window(themed, qtbot):
    """The main window with the catalog loaded, on an empty project."""
    from app.window.main_window import MainWindow

    made = MainWindow()
    made.resize(1400, 900)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    made.bench.load_catalog()
    qtbot.waitUntil(lambda: made.bench.catalog is not None, timeout=60_000)
    yield made
    made.leave()
    wait_for_all(10)
    made.deleteLater()
    QApplication.sendPostedEvents(None, 52)  # deferred deletes
    QApplication.processEvents()


@pytest.fixture
def click(qtbot):
    def press(widget: QWidget) -> None:
        assert widget.isEnabled(), f"{widget.accessibleName()} is disabled"
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    return press


@pytest.fixture
def add(window, qtbot):
    """Put artifacts into the project and wait until the tree shows them."""

    def put(*artifacts, **options) -> list[str]:
        entries = [window.bench.project.add(a, **options) for a in artifacts]
        ids = [e.id for e in entries]
        qtbot.waitUntil(lambda: all(window.project_panel.model.index_of(i).isValid() for i in ids))
        return ids

    return put
