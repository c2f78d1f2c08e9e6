"""A window that comes to a screen of another scale: pens are as wide in its pixels, so views draw their lines anew."""

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.viewers.curves_view import CurvesView
from app.viewers.field_view import FieldView
from app.viewers.potentials_view import PotentialsView
from app.viewers.slice_view import SliceView


@pytest.mark.parametrize(
    ("cls", "part", "pens"),
    [
        (CurvesView, lambda view: view, "_restyle"),
        (FieldView, lambda view: view.graphics, "set_pens"),
        (PotentialsView, lambda view: view, "_dress"),
        (SliceView, lambda view: view.lines, "set_pens"),
    ],
)
def test_lines_are_drawn_anew(qtbot, monkeypatch, cls, part, pens):
    window = QWidget()
    qtbot.addWidget(window)
    view = cls(window)
    window.show()
    drawn = []
    monkeypatch.setattr(part(view), pens, lambda *_: drawn.append(True))
    QApplication.sendEvent(window.windowHandle(), QEvent(QEvent.Type.DevicePixelRatioChange))
    assert drawn
    view.close()


def test_layers_of_a_scene_are_drawn_anew(qtbot, monkeypatch):
    from app.viewers.scene import Scene3D

    class Layer:
        applied = pixel_scale = 0.0

        def apply(self) -> None:
            self.applied = self.pixel_scale

    window, layer = QWidget(), Layer()
    qtbot.addWidget(window)
    scene = Scene3D(window)
    window.show()
    with monkeypatch.context() as patched:
        patched.setitem(scene.layers, "cloud", layer)
        QApplication.sendEvent(window.windowHandle(), QEvent(QEvent.Type.DevicePixelRatioChange))
    assert layer.applied == scene.canvas.devicePixelRatioF()
    scene.shutdown()
