"""The preparations slice-mesh and slice-volume, through the contract."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.polygons import signed_areas
from engines.blocks.sectioning import conflicts, plane_frames
from engines.core import Cancelled, Control, Noted, Run, UserError
from engines.data import Mesh, Slices, Volume
from engines.shape.slicing import slice_mesh, slice_volume


class Notes:
    def __init__(self):
        self.texts = []

    def emit(self, event):
        if isinstance(event, Noted):
            self.texts.append((event.level, event.text))

    def wants_preview(self):
        return False


def go(method, artifact, seed=0, notes=None, **params):
    name = method.inputs[0].name
    return method.run({name: artifact}, method.params.parse(params), Run(seed=seed, listener=notes or Notes()))


def torus():
    return torus_mesh(Torus(), around=96, tube=48)


def areas(slices):
    flat = np.einsum("vij,vj->vi", plane_frames(slices.normals)[slices.vertex_planes], slices.vertices)
    return signed_areas(flat, slices.loop_starts)


def test_declared_as_preparations():
    assert {slice_mesh.role, slice_volume.role} == {"preparation"}
    assert [(o.name, o.type) for o in slice_mesh.outputs] == [("slices", Slices), ("reference", Mesh)]
    assert [(o.name, o.type) for o in slice_volume.outputs] == [("slices", Slices)]
    assert slice_volume.params.model_fields["label"]


def test_parallel_planes_run_along_the_longest_side():
    mesh = torus()
    longest = mesh.replace(vertices=mesh.vertices * [1, 3, 1])
    slices = go(slice_mesh, longest, count=6)["slices"]
    assert (slices.normals == [0, 1, 0]).all()
    np.testing.assert_allclose(np.diff(slices.offsets), np.diff(slices.offsets)[0])
    assert go(slice_mesh, mesh, count=6, arrangement="z")["slices"].normals[0].tolist() == [0, 0, 1]


def test_the_volume_between_the_slices_is_that_of_the_torus():
    slices = go(slice_mesh, torus(), arrangement="x", count=200, margin=0.0025)["slices"]
    step = np.diff(slices.offsets)[0]
    assert areas(slices).sum() * step == pytest.approx(2 * np.pi**2 * 0.55 * 0.22**2, rel=0.01)


def test_random_planes_come_from_the_seed_and_agree():
    first, again, other = (go(slice_mesh, torus(), seed=s, arrangement="random", count=12)["slices"] for s in (1, 1, 2))
    assert first.content_hash() == again.content_hash() != other.content_hash()
    assert conflicts(first).conflicting == 0
    assert first.plane_count == 12


def test_the_mesh_is_kept_as_reference():
    mesh = torus()
    assert go(slice_mesh, mesh, count=3)["reference"] is mesh


def test_an_open_mesh_is_said():
    mesh, notes = torus(), Notes()
    go(slice_mesh, mesh.replace(faces=mesh.faces[200:]), notes=notes, arrangement="random", count=20)
    assert any(level == "warning" and "not closed" in text for level, text in notes.texts)


def test_one_plane_is_said():
    notes = Notes()
    go(slice_mesh, torus(), notes=notes, count=1)
    assert any("one slice cannot define a volume" in text for _, text in notes.texts)


def test_a_mesh_without_faces():
    with pytest.raises(UserError, match="no triangle"):
        go(slice_mesh, Mesh(vertices=np.zeros((3, 3)), faces=np.zeros((0, 3), int)))
    with pytest.raises(UserError, match="No plane meets"):
        go(slice_mesh, Mesh(vertices=np.zeros((3, 3)), faces=np.array([[0, 1, 2]])), count=3)


def test_cancelled_at_the_next_plane():
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        slice_mesh.run({"mesh": torus()}, slice_mesh.params(), Run(control=control))


# --- volumes --------------------------------------------------------------------------------------


def labels():
    grid = np.stack(np.meshgrid(*[np.arange(40) - 19.5] * 3, indexing="ij"))
    values = (np.linalg.norm(grid, axis=0) < 15).astype(np.int16) * 3
    values[(np.abs(grid) < 4).all(0)] = 7
    affine = np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:3, 3] = [10, 20, 30]
    return Volume(values=values, affine=affine, is_label=True, name="scan", unit="mm")


def test_every_label_is_cut_on_axial_planes():
    slices = go(slice_volume, labels(), every=5)["slices"]
    assert slices.labels.tolist() == [3, 7]
    assert (slices.normals == [0, 0, 1]).all()
    assert slices.unit == "mm"
    np.testing.assert_allclose(np.diff(slices.offsets), 5)
    middle = np.abs(slices.offsets - (30 + 19.5)).argmin()
    seven = areas(slices)[(slices.loop_planes == middle) & (slices.loop_labels == 7)]
    assert seven == pytest.approx([16.0], rel=0.01)  # 8 x 8 voxels of 0.5 mm, corners cut by marching squares
    hole = (slices.loop_planes == middle) & (slices.loop_labels == 3)
    assert areas(slices)[hole].sum() == pytest.approx(np.pi * 7.5**2 - 16, rel=0.05)


@pytest.mark.parametrize(("arrangement", "axis"), [("sagittal", 0), ("coronal", 1), ("axial", 2)])
def test_axes_follow_the_affine_not_the_array(arrangement, axis):
    volume = labels()
    swapped = volume.replace(
        values=volume.values.transpose(2, 0, 1), affine=volume.affine[:, [2, 0, 1, 3]] * np.array([1, 1, -1, 1])
    )
    slices = go(slice_volume, swapped, arrangement=arrangement, label=3, every=4)["slices"]
    assert np.abs(slices.normals).argmax(1).tolist() == [axis] * slices.plane_count


def test_oblique_planes_see_a_ball_from_everywhere():
    volume = labels()
    slices = go(slice_volume, volume, seed=4, arrangement="random", count=8, label=3)["slices"]
    center = volume.affine[:3, :3] @ np.full(3, 19.5) + volume.affine[:3, 3]
    outer = slices.vertices[np.repeat(slices.loop_parents < 0, slices.loop_counts)]
    distance = np.linalg.norm((outer - center) / volume.spacing, axis=1)
    assert distance == pytest.approx(15.0, abs=0.9)  # a mask is known to a voxel
    assert slices.labels.tolist() == [3]


def test_a_threshold_cuts_values():
    grid = np.stack(np.meshgrid(*[np.arange(40) - 19.5] * 3, indexing="ij"))
    volume = Volume(values=(20 - np.linalg.norm(grid, axis=0)).astype(np.float32), affine=np.eye(4))
    for arrangement in ("axial", "random"):
        slices = go(slice_volume, volume, threshold=8.0, arrangement=arrangement, count=6, every=6)["slices"]
        distance = np.linalg.norm(slices.vertices - 19.5, axis=1)
        assert distance == pytest.approx(12.0, abs=0.05)
        assert slices.labels.tolist() == [1]


def test_tolerance_gives_fewer_points_of_the_same_shape():
    fine = go(slice_volume, labels(), label=3, every=5)["slices"]
    coarse = go(slice_volume, labels(), label=3, every=5, tolerance=0.5)["slices"]
    assert len(coarse.vertices) < 0.5 * len(fine.vertices)
    assert areas(coarse).sum() == pytest.approx(areas(fine).sum(), rel=0.03)


def test_a_label_that_is_not_there_names_those_that_are():
    with pytest.raises(UserError, match=r"no label 5.*3, 7"):
        go(slice_volume, labels(), label=5)


def test_values_without_a_threshold_and_thresholds_above_all_values():
    volume = labels().replace(is_label=False)
    with pytest.raises(UserError, match="holds values, not labels"):
        go(slice_volume, volume)
    with pytest.raises(UserError, match="run from 0 to 7"):
        go(slice_volume, volume, threshold=100.0)
    assert go(slice_volume, volume, label=7, every=2)["slices"].labels.tolist() == [7]


def test_empty_labels_and_too_many():
    empty = Volume(values=np.zeros((4, 4, 4), np.uint8), affine=np.eye(4), is_label=True)
    with pytest.raises(UserError, match="no label"):
        go(slice_volume, empty)
    many = Volume(values=np.arange(1000).reshape(10, 10, 10), affine=np.eye(4), is_label=True)
    with pytest.raises(UserError, match="999 different values"):
        go(slice_volume, many)


def test_values_that_are_not_finite_are_outside():
    values = np.ones((12, 12, 12), np.float32)
    values[:3] = np.nan
    volume = Volume(values=values, affine=np.eye(4))
    slices = go(slice_volume, volume, threshold=0.5, every=3)["slices"]
    assert slices.vertices[:, 0].min() > 2
