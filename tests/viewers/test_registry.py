import subprocess
import sys

from app.viewers.registry import VIEWERS, viewers_for
from engines.core import Artifact


def test_every_artifact_type_has_a_viewer():
    import engines.data

    named = [getattr(engines.data, name) for name in engines.data.__all__]
    kinds = [kind for kind in named if kind.__name__ in Artifact.registry]  # the others are only derived from
    assert [kind.__name__ for kind in kinds if not viewers_for(kind)] == []


def test_the_registry_needs_no_vtk_and_no_plots():
    code = "import sys, app.viewers.registry; print({'vtkmodules', 'pyqtgraph', 'torch'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_every_viewer_is_empty_closes_and_takes_junk_as_state(show):
    from app.viewers.empty_state import EmptyState

    for key in VIEWERS:
        viewer = show(key)
        assert viewer.findChild(EmptyState).isVisible(), key
        assert viewer.accessibleName(), key
        for junk in ({}, {"camera": 3, "layers": [1], "axis": "x", "places": {"9": "a"}, "range": "junk"}, None):
            viewer.restore(junk)
        viewer.show_artifacts([])
        assert isinstance(viewer.state(), dict)
        viewer.close()
        viewer.close()


def test_everything_to_click_has_a_name(show):
    from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QLineEdit

    for key in VIEWERS:
        viewer = show(key)
        for kind in (QAbstractButton, QComboBox, QLineEdit):
            for widget in viewer.findChildren(kind):
                if not widget.objectName().startswith("qt_"):
                    assert widget.accessibleName(), (key, widget, widget.objectName())
        for widget in viewer.findChildren(QAbstractSlider):
            if "ScrollBar" not in type(widget).__name__:
                assert widget.accessibleName(), (key, widget)
