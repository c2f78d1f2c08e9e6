import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QWidget

from app.background import wait_for_all
from app.dialogs.import_dialog import ImportDialog
from app.project.project import Project


@pytest.fixture
def app(light) -> QApplication:
    yield light
    wait_for_all(20)


@pytest.fixture
def project():
    made = Project.new()
    yield made
    made.close()


class PlainViewer(QWidget):
    """Takes what a viewer takes and remembers it; the real ones have tests of their own."""

    def __init__(self, key: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.key, self.items, self.restored = key, [], []

    def show_artifacts(self, items) -> None:
        self.items = list(items)

    def restore(self, state) -> None:
        self.restored.append(state)


@pytest.fixture
def viewer_factory():
    return PlainViewer


@pytest.fixture
def open_dialog(app, project, viewer_factory, qtbot):
    def make(*paths):
        dialog = ImportDialog(project, paths, viewer_factory=viewer_factory)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return make


@pytest.fixture
def csl_file(tmp_path):
    """A cylinder on five planes, written by hand."""
    lines = ["CSLC", "5 2", ""]
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for k in range(5):
        lines += [f"{k + 1} 12 1 0 0 1 {-float(k)}", ""]
        lines += [f"{np.cos(a):.6f} {np.sin(a):.6f} {float(k)}" for a in around]
        lines += ["", "12 1 " + " ".join(map(str, range(12))), ""]
    path = tmp_path / "small_cylinder.csl"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def stl_file(tmp_path):
    """A closed torus, as ASCII STL."""
    from engines.blocks.analytic_shapes import Torus, torus_mesh

    mesh = torus_mesh(Torus(), around=24, tube=12)
    lines = ["solid torus"]
    for face in mesh.vertices[mesh.faces]:
        lines += ["facet normal 0 0 0", "outer loop"]
        lines += [f"vertex {x:.6f} {y:.6f} {z:.6f}" for x, y, z in face]
        lines += ["endloop", "endfacet"]
    path = tmp_path / "torus.stl"
    path.write_text("\n".join([*lines, "endsolid torus"]))
    return path


@pytest.fixture
def nifti_file(tmp_path):
    """Two labels: a ball (2, the larger) and a box (1)."""
    import nibabel

    grid = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"))
    values = np.zeros((24, 24, 24), np.uint8)
    values[np.linalg.norm(grid - 14, axis=0) < 8] = 2
    values[2:5, 2:5, 2:6] = 1
    path = tmp_path / "organs.nii.gz"
    image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path
