"""Measures, cost matrices, couplings and displacements in tables, archives, HDF5, clouds and pictures."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from engines.core import UserError
from engines.data import CostMatrix, Coupling, Displacements, Image, Measure, PointCloud, SampledField
from engines.files import read, readers_for, write
from engines.files.csv_costs import CsvCostsOptions
from engines.files.csv_coupling import CsvCouplingOptions, CsvEntriesOptions
from engines.files.csv_measure import CsvMeasureOptions
from engines.files.gridded import FieldOptions
from engines.files.hdf5 import Hdf5WriteOptions
from engines.files.npz_points import NpzPointsOptions
from tests import transports
from tests.files import made


def given(tmp_path, text, name="t.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def measures(tmp_path, text, **options):
    return read(given(tmp_path, text), CsvMeasureOptions(**options), "csv-measure")


def costs(tmp_path, text, **options) -> CostMatrix:
    return read(given(tmp_path, text), CsvCostsOptions(**options), "csv-costs").artifacts[0]


# points ----------------------------------------------------------------------------------------------


def test_a_table_of_points_with_weights(tmp_path):
    loaded = measures(tmp_path, "x [mm],y [mm],weight,note\n0,1,0.25,a\n2,3.5,0.75,b\n")
    (found,) = loaded.artifacts
    assert found.points.tolist() == [[0, 1], [2, 3.5]]
    assert found.weights.tolist() == [0.25, 0.75]
    assert (found.dimensions, found.unit, found.name) == (("x", "y"), "mm", "t")
    assert loaded.problems == ("Columns that were left out: note.",)


def test_points_without_a_heading(tmp_path):
    (found,) = measures(tmp_path, "0;1;2\n3;4;5\n").artifacts
    assert found.points.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.dimensions == ()
    assert found.weights is None


def test_columns_are_chosen_by_their_names(tmp_path):
    text = "cell\tPC 1\tPC 2\tmass\tdepth\n1\t0.5\t1\t2\t7\n2\t1.5\t2\t3\t8\n"
    path = given(tmp_path, text, "t.tsv")
    (found,) = read(path, CsvMeasureOptions(coordinates="PC 2, PC 1", weights="depth"), "csv-measure").artifacts
    assert found.points.tolist() == [[1, 0.5], [2, 1.5]]
    assert found.weights.tolist() == [7, 8]
    assert read(path, CsvMeasureOptions(coordinates="depth, depth"), "csv-measure").artifacts[0].points.shape == (2, 1)
    (found,) = read(path, CsvMeasureOptions(coordinates="depth", weights="none"), "csv-measure").artifacts
    assert found.points.tolist() == [[7], [8]]
    assert found.weights is None


def test_a_column_of_groups_gives_a_measure_for_each(tmp_path):
    text = "group,x,weight\nb,1,1\na,2,1\nb,3,2\n"
    first, second = measures(tmp_path, text).artifacts
    assert [first.name, second.name] == ["b", "a"]
    assert first.points.tolist() == [[1], [3]]
    assert first.weights.tolist() == [1, 2]
    (whole,) = measures(tmp_path, text, groups="none").artifacts
    assert len(whole.points) == 3


@pytest.mark.parametrize(
    ("labels", "names"),
    [((" a", "b", "a "), ["a", "b"]), (("a", "", " "), ["a", "no group"]), (("1", "2", ""), ["1", "2", "no group"])],
)
def test_groups_are_called_by_their_words(labels, names, tmp_path):
    text = "x,group\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    found = measures(tmp_path, text).artifacts
    assert [m.name for m in found] == names
    assert sorted(x for m in found for x in m.points[:, 0]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("x,y\n", {}, "no row of numbers"),
        ("name\na\n", {}, "no column of coordinates.*name"),
        ("x,y\n1,\n", {}, "no finite number at line 2"),
        ("x,y\n1,2\n3,nan\n", {}, "no finite number at line 3"),
        ("x,y\n1,2\n3,b\n", {"coordinates": "x,y"}, "no number at line 3.*'b'"),
        ("x,y\n1,2\n3\n", {}, "wrong length at line 3"),
        ("x,y\n1,2\n", {"coordinates": "z"}, "no column 'z'.*It has: x, y"),
        ("x,y\n1,2\n", {"weights": "z"}, "no column 'z' of weights"),
        ("x,weight\n1,-2\n", {}, "weight of the measure is negative"),
        ("x,weight\n1,0\n", {}, "all zero"),
    ],
)
def test_tables_that_hold_no_points_are_refused_in_words(text, options, words, tmp_path):
    with pytest.raises(UserError, match=words):
        measures(tmp_path, text, **options)


def test_tables_are_still_tables_to_begin_with(tmp_path):
    path = given(tmp_path, "x,y\n1,2\n")
    assert readers_for(path)[0].key == "csv"
    assert type(read(path).artifacts[0]).__name__ == "Table"


# archives --------------------------------------------------------------------------------------------


def test_archives_of_clouds_are_told_by_their_names(tmp_path):
    draw = np.random.default_rng(3)
    x, y, a, b = draw.normal(size=(5, 2)), draw.normal(size=(4, 2)), np.full(5, 0.2), np.full(4, 0.25)
    np.savez(tmp_path / "p.npz", X=x, Y=y, a=a, b=b)
    for found in (read(tmp_path / "p.npz"), read(tmp_path / "p.npz", format="npz-points")):
        source, target = found.artifacts
        assert (source.name, target.name) == ("source", "target")
        np.testing.assert_array_equal(source.points, x)
        np.testing.assert_array_equal(target.weights, b)
    np.savez(tmp_path / "p.npz", points=x, weights=a)
    (one,) = read(tmp_path / "p.npz").artifacts
    assert (one.name, one.weights.tolist()) == ("p", a.tolist())
    np.savez(tmp_path / "p.npz", C=draw.normal(size=(5, 4)), a=a)
    (matrix,) = read(tmp_path / "p.npz").artifacts
    assert isinstance(matrix, CostMatrix)
    np.testing.assert_array_equal(matrix.source_weights, a)
    assert matrix.target_weights is None


def test_other_archives_are_fields_as_before_and_points_where_it_is_asked_for(tmp_path):
    np.savez(tmp_path / "p.npz", x=np.arange(5.0), t=np.arange(3.0), u=np.ones((3, 5)))
    assert isinstance(read(tmp_path / "p.npz").artifacts[0], SampledField)
    np.savez(tmp_path / "p.npz", cells=np.ones((3, 7)), mass=np.arange(3))
    loaded = read(tmp_path / "p.npz", NpzPointsOptions(points="cells"), "npz-points")
    assert loaded.artifacts[0].points.shape == (3, 7)
    assert loaded.artifacts[0].weights.tolist() == [0, 1, 2]
    with pytest.raises(UserError, match=r"no points and no costs.*cells, mass"):
        read(tmp_path / "p.npz", format="npz-points")
    with pytest.raises(UserError, match="no array 'cell'"):
        read(tmp_path / "p.npz", NpzPointsOptions(points="cell"), "npz-points")


def test_what_is_asked_of_a_field_is_not_taken_for_costs(tmp_path):
    np.savez(tmp_path / "p.npz", C=np.ones((4, 3)), a=np.arange(4.0), b=np.arange(3.0) + 1)
    assert isinstance(read(tmp_path / "p.npz").artifacts[0], CostMatrix)
    assert isinstance(read(tmp_path / "p.npz", FieldOptions(values="C")).artifacts[0], SampledField)


# costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sources", "targets"),
    [
        ("1,2,3\n4,5,6\n", (), ()),
        ("a,b,c\n1,2,3\n4,5,6\n", (), ("a", "b", "c")),
        (",7,8,9\nx,1,2,3\ny,4,5,6\n", ("x", "y"), ("7", "8", "9")),
        ("a,b,c\nx,1,2,3\ny,4,5,6\n", ("x", "y"), ("a", "b", "c")),
        ("x,1,2,3\ny,4,5,6\n", ("x", "y"), ()),
        (",a,b,c\n0,1,2,3\n1,4,5,6\n", ("0", "1"), ("a", "b", "c")),
        ("a,b,c\n1,1,2,3\n2,4,5,6\n", ("1", "2"), ("a", "b", "c")),
    ],
)
def test_a_table_of_costs_with_names_or_without(text, sources, targets, tmp_path):
    found = costs(tmp_path, text)
    assert found.costs.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (found.source_names, found.target_names) == (sources, targets)
    assert costs(tmp_path, text, holds="scores").costs.tolist() == [[-1, -2, -3], [-4, -5, -6]]


def test_weights_at_the_sides_of_costs(tmp_path):
    found = costs(tmp_path, ",a,b,weight\nx,1,2,0.25\nweight,0.5,0.5,\ny,4,5,0.75\n")
    assert found.costs.tolist() == [[1, 2], [4, 5]]
    assert found.source_weights.tolist() == [0.25, 0.75]
    assert found.target_weights.tolist() == [0.5, 0.5]
    assert found.source_names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,inf\n", "no finite number at line 2.*a large one"),
        ("a,b\n1,2\n3,\n", "no finite number at line 3"),
        ("a,b\n1,2\n3\n", "wrong length at line 3"),
        ("x,a,b,c\n1,2\n3,4\n", "heading of the wrong length"),
        ("x,weight\ny,1\n", "no costs|no number"),
    ],
)
def test_costs_that_are_none_are_refused_in_words(text, words, tmp_path):
    with pytest.raises(UserError, match=words):
        costs(tmp_path, text)


def test_costs_come_back_from_a_table(tmp_path):
    whole = transports.costs(source_names=("x", "y"), target_weights=[1, 1, 1])
    numbered = CostMatrix(costs=[[1, 2.5], [3, 4]], source_names=("1", "2"), target_names=("a [mm]", "a [mm]"))
    for item in (whole, whole.replace(source_weights=None), CostMatrix(costs=[[1, 2.5], [3, 4]]), numbered):
        write(item, tmp_path / "c.csv")
        assert made.differences(item, read(tmp_path / "c.csv", format="csv-costs").artifacts[0]) == []


# plans -----------------------------------------------------------------------------------------------


def test_a_plan_comes_back_from_its_entries(tmp_path):
    item = Coupling(
        rows=[0, 2, 1], columns=[1, 0, 1], mass=[0.5, 0.125, 0.375], source_weights=[0.5, 0.375, 0.125],
        target_weights=[0.125, 0.875], source_names=("a", "b", "c"), target_names=("d", "ü"),
    )  # fmt: skip
    write(item, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text("utf-8").splitlines()[:2] == ["row,column,mass,source,target", "0,1,0.5,a,ü"]
    back = read(tmp_path / "p.csv", format="csv-coupling").artifacts[0]
    np.testing.assert_array_equal(back.dense(), item.dense())
    assert made.differences(item, back, ("rows", "columns", "mass")) == []
    write(item, tmp_path / "p.csv", CsvEntriesOptions(least=0.2))
    assert read(tmp_path / "p.csv", format="csv-coupling").artifacts[0].count == 2
    with pytest.raises(UserError, match="No entry"):
        write(item, tmp_path / "p.csv", CsvEntriesOptions(least=0.6))


def test_a_plan_with_too_many_entries_for_a_table_is_refused(tmp_path, monkeypatch):
    from engines.files import csv_coupling

    item = transports.dense_coupling()
    monkeypatch.setattr(csv_coupling, "AT_ONCE", 4)
    write(item, tmp_path / "p.csv")
    np.testing.assert_array_equal(read(tmp_path / "p.csv", format="csv-coupling").artifacts[0].dense(), item.plan)
    monkeypatch.setattr(csv_coupling, "MOST_ROWS", 5)
    with pytest.raises(UserError, match=r"6 entries.*at most 5.*HDF5"):
        write(item, tmp_path / "p.csv")


def test_entries_of_others_count_from_one_or_zero(tmp_path):
    path = given(tmp_path, "i;j;w\n1;2;0.5\n2;1;0.5\n")
    back = read(path, CsvCouplingOptions(counted="from 1"), "csv-coupling").artifacts[0]
    assert back.dense().tolist() == [[0, 0.5], [0.5, 0]]
    assert read(path, format="csv-coupling").artifacts[0].shape == (3, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row,column\n1,2\n", "no entries of a plan"),
        ("row,column,mass\n0,0.5,1\n", "impossible number at line 2"),
        ("row,column,mass\n0,0,1\n-1,0,1\n", "impossible number at line 3"),
        ("row,column,mass\n0,99999999,1\n", "impossible number at line 2"),
        ("row,column,mass\n0,0,1\n0,1,-1\n", "negative mass at line 3"),
    ],
)
def test_entries_that_are_none_are_refused_in_words(text, words, tmp_path):
    with pytest.raises(UserError, match=words):
        read(given(tmp_path, text), format="csv-coupling")


def test_potentials_as_a_table(tmp_path):
    write(transports.coupling(), tmp_path / "p.csv", format="csv-potentials")
    table = read(tmp_path / "p.csv").artifacts[0].columns
    assert table["side"].tolist() == ["source"] * 2 + ["target"] * 3
    assert table["potential"].tolist() == [0.25, -0.25, 1, 0, 2]
    assert table["number"].tolist() == [0, 1, 0, 1, 2]
    assert table["x"][:2].tolist() == [0, 1]
    assert np.isnan(table["x"][2:]).all()
    with pytest.raises(UserError, match="no potentials"):
        write(transports.dense_coupling(), tmp_path / "p.csv", format="csv-potentials")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("maker", made.TRANSPORTS, ids=lambda m: m.__name__)
def test_everything_comes_back_from_hdf5(maker, compress, tmp_path):
    item = maker()
    write(item, tmp_path / "a.h5", Hdf5WriteOptions(compress=compress))
    assert made.differences(item, read(tmp_path / "a.h5").artifacts[0]) == []


def test_the_layout_of_a_plan_in_hdf5_is_the_one_that_is_written_down(tmp_path):
    import scipy.sparse

    item = transports.coupling()
    write(item, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        shape = len(file["source_weights"]), len(file["target_weights"])
        plan = scipy.sparse.coo_array((file["mass"][:], (file["rows"][:], file["columns"][:])), shape)
        np.testing.assert_array_equal(plan.toarray(), item.dense())
        np.testing.assert_array_equal(file["source_potential"], item.source_potential)
        np.testing.assert_array_equal(file["source/points"], item.source.points)


def test_many_names_fit_into_hdf5(tmp_path):
    item = CostMatrix(costs=np.ones((1, 20_000)), target_names=tuple(f"a longer name {i}" for i in range(20_000)))
    write(item, tmp_path / "a.h5")
    assert read(tmp_path / "a.h5").artifacts[0].target_names == item.target_names


# clouds, lines and pictures --------------------------------------------------------------------------


def test_a_measure_goes_out_as_a_cloud(tmp_path):
    item = transports.measure(colors=np.arange(24).reshape(6, 4))
    for extension in (".ply", ".vtp"):
        write(item, tmp_path / f"m{extension}")
        back = read(tmp_path / f"m{extension}").artifacts[0]
        assert isinstance(back, PointCloud)
        np.testing.assert_array_equal(back.points[:, :2], item.points)
        assert not back.points[:, 2].any()
        np.testing.assert_array_equal(back.scalars["weight"], item.weights.astype(np.float32))
        np.testing.assert_array_equal(back.colors, item.colors)
    with pytest.raises(UserError, match="4 coordinates"):
        write(Measure(points=np.eye(4)), tmp_path / "m.ply")


def test_a_grid_goes_out_as_a_picture_and_as_an_array(tmp_path):
    item = transports.measure()
    write(item, tmp_path / "m.png")
    back = read(tmp_path / "m.png").artifacts[0]
    assert isinstance(back, Image)
    np.testing.assert_array_equal(
        back.pixels[..., 0], np.rint(255 * (item.weights / item.weights.max()).astype(np.float32)).reshape(2, 3)
    )
    write(item, tmp_path / "m.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), item.weights.reshape(2, 3))
    for extension in (".png", ".npy"):
        with pytest.raises(UserError, match=r"no picture|not on a grid"):
            write(Measure(points=np.eye(2)), tmp_path / f"m{extension}")


def test_displacements_come_back_from_a_table(tmp_path):
    item = transports.displacements(weights=[1, 2, 3], unit="mm", target=None)
    for moved in (item, item.replace(dimensions=("up", "down"), weights=None, unit="")):
        write(moved, tmp_path / "d.csv")
        back = read(tmp_path / "d.csv", format="csv-displacements").artifacts[0]
        assert isinstance(back, Displacements)
        assert made.differences(moved, back) == []
    with pytest.raises(UserError, match="no displacements"):
        read(given(tmp_path, "start x,end y\n1,2\n"), format="csv-displacements")


def test_displacements_go_out_as_lines_and_as_the_points_where_they_end(tmp_path):
    import pyvista

    item = transports.displacements(weights=[1, 2, 3])
    write(item, tmp_path / "d.vtp")
    lines = pyvista.read(tmp_path / "d.vtp")
    assert lines.n_lines == 3
    for i in range(3):
        ends = lines.get_cell(i).points[:, :2]
        np.testing.assert_allclose(ends, [item.starts[i], item.ends[i]])
    np.testing.assert_allclose(lines["length"][:3], np.linalg.norm(item.ends - item.starts, axis=1))
    write(item, tmp_path / "d.ply")
    back = read(tmp_path / "d.ply").artifacts[0]
    np.testing.assert_array_equal(back.points[:, :2], item.ends)
    assert back.scalars["weight"].tolist() == [1, 2, 3]
