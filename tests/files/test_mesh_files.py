"""Fields on meshes: read from other programs' files, written for them, and what is wrong with meshes."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import Mesh, MeshField
from engines.data.bodies import cell_measures
from engines.files import read, write
from engines.files.mesh_cells import MeshOptions
from engines.files.pvd import PvdWriteOptions
from engines.files.vtu import VtuWriteOptions
from tests.files import made, meshes

meshio = pytest.importorskip("meshio")
pyvista = pytest.importorskip("pyvista")

SPOT = made.REAL.parent / "fields" / "spot.mesh"
MEDIT = (
    "MeshVersionFormatted 1\nDimension 3\nVertices\n4\n0 0 0 1\n1 0 0 1\n0 1 0 2\n0 0 1 2\nTetrahedra\n1\n{} 0\nEnd\n"
)


def refused(path, *words, options=None):
    with pytest.raises(UserError, match=r".+") as caught:
        read(path, options)
    assert caught.value.mend
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_a_real_body_of_tetrahedra():
    if not SPOT.exists():
        pytest.skip("no real data here")
    loaded = read(SPOT)
    field = loaded.artifacts[0]
    assert isinstance(field, MeshField)
    assert (len(field.points), field.cells.shape) == (4273, (16471, 4))
    assert cell_measures(field.points, field.cells).sum() == pytest.approx(0.717370, abs=1e-6)
    assert loaded.problems == ()
    surface = read(SPOT, MeshOptions(kind="surface")).artifacts[0]
    assert isinstance(surface, Mesh)
    assert len(surface.faces) == 5380
    other = meshio.read(SPOT)
    # Version 1 of the format is of single precision, which meshio takes at its word; the digits in the file hold more.
    np.testing.assert_array_equal(field.points.astype(other.points.dtype), other.points)
    np.testing.assert_array_equal(field.cells, other.cells_dict["tetra"])


def test_labels_stand_for_values_where_there_are_none(tmp_path):
    (tmp_path / "m.mesh").write_text(MEDIT.format("1 2 3 4"))
    field = read(tmp_path / "m.mesh").artifacts[0]
    assert field.components == ("region",)
    assert field.values[0, 0].tolist() == [1, 1, 2, 2]


def test_cells_that_are_turned_round(tmp_path):
    (tmp_path / "m.mesh").write_text(MEDIT.format("1 3 2 4"))  # all of them: they are numbered anew
    loaded = read(tmp_path / "m.mesh")
    assert cell_measures(loaded.artifacts[0].points, loaded.artifacts[0].cells).tolist() == [pytest.approx(1 / 6)]
    cells = made.body().cells.copy()
    cells[5] = cells[5][[1, 0, 2, 3]]
    cells[7, 1] = cells[7, 0]
    item = made.body().replace(cells=cells)
    write(item, tmp_path / "b.mesh")
    problems = read(tmp_path / "b.mesh").problems
    assert problems == ("1 of 48 tetrahedra have no size: 7.", "1 of 48 tetrahedra are turned inside out: 5.")


def test_vertices_of_no_cell_and_parts(tmp_path):
    points, cells = made.tetrahedra()
    both = np.concatenate([points, points + 9, [[99, 99, 99]]])
    mesh = meshio.Mesh(both, [("tetra", np.concatenate([cells, cells + 27]))])
    meshio.write(tmp_path / "p.vtu", mesh)
    loaded = read(tmp_path / "p.vtu")
    assert len(loaded.artifacts[0].points) == 54
    assert "1 of 55 vertices belong to no cell" in loaded.problems[0]
    assert "2 parts" in loaded.problems[1]


def test_surfaces_in_space_are_meshes(tmp_path):
    mesh = made.mesh()
    meshio.write(tmp_path / "s.vtu", meshio.Mesh(mesh.vertices, [("triangle", mesh.faces)]))
    found = read(tmp_path / "s.vtu").artifacts[0]
    assert isinstance(found, Mesh)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    assert isinstance(read(tmp_path / "s.vtu", MeshOptions(kind="field")).artifacts[0], MeshField)


@pytest.mark.parametrize("name", ["m.vtu", "m.xdmf", "m.vtk"])
def test_we_read_meshes_of_meshio(name, tmp_path):
    points, cells = made.tetrahedra()
    field = read(meshes.meshio_mesh(tmp_path, name)).artifacts[0]
    np.testing.assert_allclose(field.points, points)
    np.testing.assert_array_equal(field.cells, cells)
    np.testing.assert_allclose(
        field.component("heat") if hasattr(field, "component") else field.values[0, 0], range(27)
    )


@pytest.mark.parametrize("name", ["v.vtu", "v.vtk", "v_binary.vtk"])
def test_we_read_meshes_of_vtk(name, tmp_path):
    field = read(meshes.vtk_mesh(tmp_path, name)).artifacts[0]
    assert field.components == ("heat", "flow x", "flow y", "flow z")
    assert field.vectors == (("flow", "flow x", "flow y", "flow z"),)
    np.testing.assert_array_equal(field.values[0, 1:].T, 2 * field.points)
    flat = read(meshes.vtk_mesh(tmp_path, f"q{name}", quads=True)).artifacts[0]
    assert flat.cells.shape == (4, 3)
    assert cell_measures(flat.points, flat.cells).sum() == pytest.approx(2)


def test_other_programs_read_our_meshes(tmp_path):
    item = made.plate()
    write(item, tmp_path / "p.vtu")
    back = meshio.read(tmp_path / "p.vtu")
    np.testing.assert_array_equal(back.cells_dict["triangle"], item.cells)
    np.testing.assert_array_equal(back.point_data["u"], item.values[0, 0])
    write(made.body(), tmp_path / "b.mesh")
    np.testing.assert_array_equal(meshio.read(tmp_path / "b.mesh").cells_dict["tetra"], made.body().cells)
    moved = made.body()
    write(moved, tmp_path / "d.vtu", VtuWriteOptions(deformed=True, time=1))
    np.testing.assert_allclose(pyvista.read(tmp_path / "d.vtu").points, moved.positions(1))
    with pytest.raises(UserError, match="no time number 7"):
        write(moved, tmp_path / "e.vtu", VtuWriteOptions(time=7))


def test_paraview_series_in_pyvista(tmp_path):
    item, moved = made.flow(), made.body()
    write(item, tmp_path / "f.pvd")
    write(moved, tmp_path / "b.pvd", PvdWriteOptions(compress=False))
    source = pyvista.get_reader(str(tmp_path / "f.pvd"))
    assert source.time_values == item.times.tolist()
    source.set_active_time_point(1)
    grid = source.read()[0]
    np.testing.assert_array_equal(grid["velocity"][:, 1].reshape(grid.dimensions, order="F"), item.values[1, 1])
    np.testing.assert_array_equal(grid.y, item.y)
    source = pyvista.get_reader(str(tmp_path / "b.pvd"))
    source.set_active_time_point(1)
    mesh = source.read()[0]
    np.testing.assert_array_equal(mesh["displacement"], moved.displacements[1])
    np.testing.assert_array_equal(mesh["stress"], moved.values[1, 0])
    write(moved, tmp_path / "m.pvd", PvdWriteOptions(deformed=True))
    again = read(tmp_path / "m.pvd").artifacts[0]  # vertices that move become displacements
    np.testing.assert_allclose(again.positions(1), moved.positions(1))


def test_series_that_do_not_fit_together(tmp_path):
    write(made.flow(), tmp_path / "f.pvd")
    text = (tmp_path / "f.pvd").read_text()
    write(made.steady(), tmp_path / "f_times" / "00001.vtr")
    refused(tmp_path / "f.pvd", "does not fit to the first one (number 1)")
    (tmp_path / "f.pvd").write_text(text.replace("f_times/00000", "../secret"))
    refused(tmp_path / "f.pvd", "outside its folder")
    (tmp_path / "f.pvd").write_text(text.replace('timestep="0.5"', 'timestep="0.0"'))
    refused(tmp_path / "f.pvd", "one file for each time")
    (tmp_path / "f.pvd").write_text(text.replace('timestep="0.5"', 'timestep="soon"'))
    refused(tmp_path / "f.pvd", "time that is no number")
    (tmp_path / "f.pvd").write_text(text)
    (tmp_path / "f_times" / "00001.vtr").unlink()
    refused(tmp_path / "f.pvd", "that is not there", "00001.vtr")


def test_grids_of_vtk(tmp_path):
    """A vector alone, a flat image, and an uneven grid with a name for its values."""
    image = pyvista.ImageData(dimensions=(4, 5, 1), spacing=(0.5, 1, 1), origin=(1, 2, 0))
    image.point_data["flow"] = np.arange(60.0).reshape(20, 3)
    image.save(tmp_path / "i.vti")
    field = read(tmp_path / "i.vti").artifacts[0]
    assert (field.shape, field.components) == ((4, 5), ("flow x", "flow y", "flow z"))
    assert field.component(1)[2, 3] == image["flow"][2 + 4 * 3, 1]
    assert field.x.tolist() == [1, 1.5, 2, 2.5]
    grid = pyvista.RectilinearGrid(np.array([0, 1, 3.0]), np.array([0, 1.0]), np.array([0, 2, 5, 9.0]))
    grid.point_data["T"] = np.arange(24, dtype=np.float32)
    grid.save(tmp_path / "r.vtr")
    field = read(tmp_path / "r.vtr").artifacts[0]
    assert field.shape == (3, 2, 4)
    assert field.component("T")[1, 1, 3] == 1 + 3 + 3 * 6
    assert field.z.tolist() == [0, 2, 5, 9]


def test_broken_medit(tmp_path):
    for change, words in (
        (("1 2 3 4 0", "1 2 3 9 0"), "vertex that does not exist"),
        (("1 2 3 4 0", "1 2 3"), "wrong number of tetrahedra"),
        (("1 2 3 4 0", "1 2 3 4.5 0"), "no whole numbers"),
        (("1 2 3 4 0", "1 2 3 4- 0"), "no number"),
        (("Vertices\n4", "Vertices\n99999999999"), "wrong number of vertices"),
        (("Tetrahedra\n1\n1 2 3 4 0", ""), "holds no cells"),
        (("Tetrahedra\n1\n1 2 3 4 0", "Hexahedra\n1\n1 2 3 4 1 2 3 4 0"), "of the kind hexahedron"),
        (("0 0 1 2", "0 0 nan 2"), "not finite"),
        (("Dimension 3", "Dimension 7"), "wrong dimension"),
    ):
        (tmp_path / "m.mesh").write_text(MEDIT.format("1 2 3 4").replace(*change))
        refused(tmp_path / "m.mesh", words)


def test_vtk_reads_our_xdmf(tmp_path):
    import vtk

    for item in (made.flow(), made.steady(), made.body()):
        write(item, tmp_path / f"{item.name}.xdmf")
        source = vtk.vtkXdmfReader()
        source.SetFileName(str(tmp_path / f"{item.name}.xdmf"))
        source.UpdateInformation()
        times = source.GetOutputInformation(0).Get(vtk.vtkStreamingDemandDrivenPipeline.TIME_STEPS())
        assert list(times) == item.times.tolist()
        source.UpdateTimeStep(times[-1])
        found = pyvista.wrap(source.GetOutputDataObject(0))
        for index, name in enumerate(item.components):
            np.testing.assert_array_equal(found.point_data[name], item.values[-1, index].reshape(-1, order="F"))
        for name, *parts in item.vectors:
            second = item.values[-1, item.components.index(parts[1])].reshape(-1, order="F")
            np.testing.assert_array_equal(found.point_data[name][:, 1], second)
        if isinstance(item, MeshField):
            np.testing.assert_array_equal(found.point_data["displacement"], item.displacements[-1])


def test_xdmf_over_time_of_meshio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where it puts the values
    points, cells = made.tetrahedra()
    with meshio.xdmf.TimeSeriesWriter("s.xdmf") as series:
        series.write_points_cells(points, [("tetra", cells)])
        for time in (0.0, 0.5, 2.0):
            series.write_data(time, point_data={"heat": np.arange(27.0) * time})
    field = read(tmp_path / "s.xdmf").artifacts[0]
    assert field.times.tolist() == [0, 0.5, 2]
    np.testing.assert_array_equal(field.values[2, 0], np.arange(27.0) * 2)
    (tmp_path / "s.xdmf").write_text((tmp_path / "s.xdmf").read_text().replace("s.h5:", "../s.h5:"))
    refused(tmp_path / "s.xdmf", "outside its folder")
    (tmp_path / "s.h5").unlink()


def test_xdmf_names_its_values(tmp_path):
    with pytest.raises(UserError, match="cannot name a file"):
        write(made.plate(), tmp_path / "a b.xdmf")
    write(made.plate(), tmp_path / "p.xdmf")
    write(made.body(), tmp_path / "p.xdmf")  # its values go with it
    assert sorted(f.name for f in tmp_path.iterdir()) == ["p.h5", "p.xdmf"]
    assert made.differences(made.body(), read(tmp_path / "p.xdmf").artifacts[0]) == []
    (tmp_path / "p.h5").unlink()
    refused(tmp_path / "p.xdmf", "p.h5", "that is not there")


@pytest.mark.parametrize("version", ["vtk42", "vtk51", "gmsh22", "gmsh"])
@pytest.mark.parametrize("binary", [True, False])
def test_older_formats_in_text_and_binary(version, binary, tmp_path):
    points, cells = made.tetrahedra()
    values = {"heat": np.arange(27.0), "flow": 2 * points}
    path = tmp_path / ("m.vtk" if version.startswith("vtk") else "m.msh")
    kept = {} if version.startswith("gmsh") and not binary else values  # meshio writes words among these numbers
    cells_too = [] if version == "gmsh" else [("triangle", cells[:3, :3])]
    mesh = meshio.Mesh(points, [*cells_too, ("tetra", cells)], point_data=kept)
    meshio.write(path, mesh, file_format=version, binary=binary)
    field = read(path).artifacts[0]
    np.testing.assert_allclose(field.points, points)
    np.testing.assert_array_equal(field.cells, cells)
    if kept:
        assert set(field.components) == {"heat", "flow x", "flow y", "flow z"}
        np.testing.assert_allclose(field.values[0, field.components.index("flow y")], 2 * points[:, 1])
        np.testing.assert_allclose(field.values[0, field.components.index("heat")], np.arange(27))


@pytest.mark.parametrize("binary", [True, False])
def test_older_grids_of_vtk(binary, tmp_path):
    grid = pyvista.RectilinearGrid(np.array([0, 1, 3.0]), np.array([0, 1.0]), np.array([0, 2, 5, 9.0]))
    grid.point_data["T"], grid.cell_data["c"] = np.arange(24.0), np.arange(6)
    grid.save(tmp_path / "r.vtk", binary=binary)
    field = read(tmp_path / "r.vtk").artifacts[0]
    assert field.component("T")[1, 1, 3] == 1 + 3 + 3 * 6
    assert field.components == ("T",)
    image = pyvista.ImageData(dimensions=(4, 5, 1), spacing=(0.5, 1, 1), origin=(1, 2, 0))
    image.point_data["T"] = np.arange(20.0)
    image.save(tmp_path / "i.vtk", binary=binary)
    field = read(tmp_path / "i.vtk").artifacts[0]
    assert (field.shape, field.x.tolist()) == ((4, 5), [1, 1.5, 2, 2.5])


def test_gmsh_in_text(tmp_path):
    (tmp_path / "m.msh").write_text(meshes.GMSH)
    field = read(tmp_path / "m.msh").artifacts[0]
    assert field.cells.tolist() == [[0, 1, 3, 2]]
    assert field.points.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]  # in the order of their numbers


def test_nodes_of_gmsh_have_numbers_of_their_own(tmp_path):
    text = meshes.GMSH_2
    (tmp_path / "m.msh").write_text(text)
    loaded = read(tmp_path / "m.msh")
    field = loaded.artifacts[0]
    np.testing.assert_array_equal(field.points[field.cells[0]], [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    heat = dict(zip(map(tuple, field.points.tolist()), field.values[0, 0].tolist(), strict=True))
    assert (heat[0, 0, 0], heat[0, 1, 0]) == (1.5, 4.5)
    assert np.isnan(heat[1, 0, 0])
    for change, words in (
        (("3 90 5\n$EndE", "3 91 5\n$EndE"), "node 91, which does not exist"),
        (("3 1 0 0", "7 1 0 0"), "same number"),
        (("$Elements\n2", "$Elements\n99999999999"), "were announced"),
        (("$Nodes\n4", "$Nodes\n5"), "ends before all"),
        (("2.2 0 8", "3.0 0 8"), "version 3.0"),
        (("2 4 2", "2 77 2"), "kind 77"),
        (("4.5\n", "warm\n"), "no number"),
    ):
        (tmp_path / "m.msh").write_text(text.replace(*change))
        refused(tmp_path / "m.msh", words)
