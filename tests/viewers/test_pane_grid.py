"""Panes side by side, whatever they show."""

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QWidget

from app.viewers.pane_grid import PaneGrid


class Noted(QWidget):
    """Writes down what is asked of it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.asked: list[object] = []
        self.is_settled = True
        self.place_in_picture = None

    def fit(self) -> None:
        self.asked.append("fit")

    def dress(self) -> None:
        self.asked.append("dress")

    def begin_picture(self, scale: float) -> None:
        self.asked.append(("begin", scale))

    def paintEvent(self, event) -> None:
        self.place_in_picture = self.geometry()

    def end_picture(self) -> None:
        self.asked.append("end")

    def picture(self, width: int, height: int) -> QImage:
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(QColor("#123456"))
        return image

    def stop(self, patience: float = 1.0) -> None:
        self.asked.append(("stop", patience))


@pytest.fixture
def grid_of(qtbot):
    window = QWidget()
    qtbot.addWidget(window)

    def made(count: int, width: int, height: int) -> PaneGrid[Noted]:
        window.resize(width, height)
        grid = PaneGrid(window, Noted)
        grid.resize(width, height)
        window.show()
        grid.set_count(count)
        return grid

    return made


def columns(grid: PaneGrid[Noted]) -> int:
    return len({pane.x() for pane in grid.panes})


def test_as_many_columns_as_leave_the_panes_the_largest(grid_of):
    grid = grid_of(2, 900, 400)
    assert columns(grid) == 2
    grid.resize(400, 900)
    assert columns(grid) == 1
    grid.resize(900, 800)
    grid.set_count(4)
    assert columns(grid) == 2
    assert len({pane.y() for pane in grid.panes}) == 2
    assert max(pane.width() for pane in grid.panes) - min(pane.width() for pane in grid.panes) <= 1


def test_a_pane_that_goes_is_stopped_without_waiting_and_the_rest_stay(grid_of):
    grid = grid_of(3, 900, 400)
    kept, gone = grid.panes[:2], grid.panes[2]
    grid.set_count(2)
    assert grid.panes == kept
    assert gone.asked == [("stop", 0.0)]
    assert not gone.isVisible()
    assert all(not pane.asked for pane in kept)


def test_a_picture_stands_as_on_screen_and_leaves_no_trace(grid_of):
    grid = grid_of(2, 900, 400)
    places = [pane.geometry() for pane in grid.panes]
    grid.picture(400, 900)  # as high as would put one below the other
    assert [pane.asked for pane in grid.panes] == [[("begin", 0.5), "end"]] * 2
    in_picture = [pane.place_in_picture for pane in grid.panes]
    assert in_picture[0].top() == in_picture[1].top()
    assert in_picture[0].height() > 1700
    assert [pane.geometry() for pane in grid.panes] == places


def test_one_pane_alone_makes_its_own_picture(grid_of):
    grid = grid_of(1, 600, 400)
    assert grid.picture(60, 40).pixelColor(30, 20) == QColor("#123456")


def test_all_are_fitted_and_dressed_again_on_another_screen(grid_of):
    grid = grid_of(2, 900, 400)
    grid.fit()
    QApplication.sendEvent(grid.window().windowHandle(), QEvent(QEvent.Type.DevicePixelRatioChange))
    assert [pane.asked for pane in grid.panes] == [["fit", "dress"]] * 2
    assert grid.is_settled
    grid.panes[1].is_settled = False
    assert not grid.is_settled
