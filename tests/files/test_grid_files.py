"""Fields on tensor grids: from arrays and axis vectors of all kinds of files, and into them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from engines.core import UserError
from engines.data import SampledField
from engines.files import read, write
from engines.files.csv_grid import CsvGridOptions
from engines.files.frames import FrameOptions
from engines.files.gridded import FieldOptions, GridOptions
from engines.files.netcdf import NetcdfWriteOptions
from tests.files import grids, made

T, X, VALUES = grids.T, grids.X, grids.VALUES


def refused(path, *words, options=None, format=None):
    with pytest.raises(UserError, match=r".+") as caught:
        read(path, options, format)
    assert caught.value.mend
    for word in words:
        assert word in str(caught.value), str(caught.value)


def is_wave(field):
    """Whether it is the field of :mod:`tests.files.grids`, whatever way it came."""
    assert isinstance(field, SampledField)
    np.testing.assert_allclose(field.values[:, 0, :, 0, 0], VALUES.T)
    np.testing.assert_allclose(field.x, X)
    np.testing.assert_allclose(field.times, T)
    return field.dimensions == 1 and len(field.components) == 1


MAKERS = (
    grids.archive,
    grids.matlab,
    lambda f: grids.matlab(f, packed=False),
    grids.matlab_hdf5,
    grids.foreign_hdf5,
    lambda f: grids.archive(f, u=VALUES),
    lambda f: grids.archive(f, x=X[None], t=T[:, None]),
    lambda f: grids.archive(f, x=X[::-1], t=T[::-1], u=VALUES[::-1, ::-1].T),
    lambda f: grids.archive(f, x=np.meshgrid(X, T)[0], t=np.meshgrid(X, T)[1]),
    lambda f: grids.archive(f, u=VALUES.T.astype(">f8"), other=np.zeros(5)),
)


@pytest.mark.parametrize("maker", MAKERS, ids=range(len(MAKERS)))
def test_arrays_and_their_axes_are_found(maker, tmp_path):
    loaded = read(maker(tmp_path))
    assert is_wave(loaded.artifacts[0])
    assert loaded.problems == ()


def test_an_array_of_numpy_takes_its_axes_from_the_options(tmp_path):
    np.save(tmp_path / "u.npy", VALUES)
    options = GridOptions(axes="x t", ranges=(-1, 1, 0, 2))
    assert is_wave(read(tmp_path / "u.npy", options, "npy-field").artifacts[0])
    np.save(tmp_path / "u.npy", np.arange(210.0).reshape(5, 6, 7))
    field = read(tmp_path / "u.npy", None, "npy-field").artifacts[0]
    assert (field.shape, field.dimensions, len(field.times)) == ((5, 6, 7), 3, 1)
    assert field.z.tolist() == list(range(7))
    field = read(tmp_path / "u.npy", GridOptions(axes="tyx"), "npy-field").artifacts[0]
    assert (field.shape, len(field.times)) == ((7, 6), 5)
    assert field.values[1, 0, 2, 3, 0] == np.arange(210.0).reshape(5, 6, 7)[1, 3, 2]
    field = read(tmp_path / "u.npy", GridOptions(axes="c y x"), "npy-field").artifacts[0]
    assert field.components == ("u 1", "u 2", "u 3", "u 4", "u 5")
    refused(tmp_path / "u.npy", "the axes 'x y'", "3 axes", options=GridOptions(axes="x y"), format="npy-field")
    bad = GridOptions(axes="x y z", ranges=(0, 1))
    refused(tmp_path / "u.npy", "needs 6 numbers", options=bad, format="npy-field")
    bad = GridOptions(axes="a b t c", ranges=())
    np.save(tmp_path / "u.npy", np.zeros((2,) * 6))
    refused(tmp_path / "u.npy", "6 axes", format="npy-field")


def test_what_fits_two_ways_is_said(tmp_path):
    nodes = np.linspace(0, 1, 9)
    loaded = read(grids.archive(tmp_path, x=nodes, t=nodes, u=np.arange(81.0).reshape(9, 9)))
    assert "t and x have equally many nodes" in loaded.problems[0]
    assert loaded.artifacts[0].values[0, 0, 1, 0, 0] == 1  # u[t, x] in NumPy
    loaded = read(grids.matlab(tmp_path, x=nodes, t=nodes, usol=np.arange(81.0).reshape(9, 9)))
    assert loaded.artifacts[0].values[0, 0, 1, 0, 0] == 9  # u(x, t) in MATLAB
    told = read(tmp_path / "a.npz", FieldOptions(axes="x t"))
    assert told.artifacts[0].values[0, 0, 1, 0, 0] == 9
    assert told.problems == ()


def test_several_arrays_of_one_shape_are_components(tmp_path):
    grids.archive(tmp_path, v=2 * VALUES.T, T=3 * VALUES.T)
    field = read(tmp_path / "a.npz").artifacts[0]
    assert field.components == ("u", "v", "T")
    np.testing.assert_allclose(field.component("T", 3), 3 * VALUES[:, 3])
    assert read(tmp_path / "a.npz", FieldOptions(values="v")).artifacts[0].components == ("v",)
    refused(tmp_path / "a.npz", "no array 'w'", "u (7×12)", options=FieldOptions(values="w"))
    refused(tmp_path / "a.npz", "do not fit together", options=FieldOptions(values="u, x"))


def test_complex_values(tmp_path):
    grids.matlab(tmp_path, usol=VALUES * np.exp(1j))
    both = read(tmp_path / "b.mat").artifacts[0]
    assert both.components == ("usol real", "usol imaginary")
    np.testing.assert_allclose(both.component(1, 2), VALUES[:, 2] * np.sin(1))
    modulus = read(tmp_path / "b.mat", FieldOptions(complex_values="modulus")).artifacts[0]
    np.testing.assert_allclose(modulus.component(0, 2), np.abs(VALUES[:, 2]))


def test_grids_that_do_not_fit(tmp_path):
    refused(grids.archive(tmp_path, x=X[:-1]), "grid that does not fit its axes", "7×12", "x has 11 nodes")
    refused(grids.archive(tmp_path, x=np.where(X > 0, -X, X)), "along x that do not rise")
    refused(grids.archive(tmp_path, t=np.full(7, np.nan)), "not finite along t")
    refused(grids.archive(tmp_path, u=np.full((7, 12), np.nan)), "no finite value")
    grids.archive(tmp_path, t=np.zeros((2, 2)))
    refused(tmp_path / "a.npz", "too many axes of time", options=FieldOptions(axes="t time"))
    holes = VALUES.T.copy()
    holes[2, 3] = np.inf
    assert read(grids.archive(tmp_path, u=holes)).problems == ("1 of 84 values are not finite.",)
    np.savez(tmp_path / "n.npz", words=np.array(["a", "b"]))
    refused(tmp_path / "n.npz", "holds no field")


def test_frames_in_a_folder(tmp_path):
    loaded = read(grids.frames(tmp_path), FrameOptions(axes="x y", ranges=(-1, 1, -1, 1)))
    field = loaded.artifacts[0]
    assert (field.shape, len(field.times), loaded.problems) == ((4, 5), 11, ())
    np.testing.assert_allclose(field.values[:, 0, 2, 3, 0], np.linspace(0, 1, 11))
    np.testing.assert_allclose(field.times, np.linspace(0, 1, 11))
    assert len(loaded.files) == 11
    assert field.components == ("heat",)


def test_frames_that_are_missing_or_wrong(tmp_path):
    loaded = read(grids.frames(tmp_path, lost=(3, 7)))
    assert loaded.problems == ("2 of 11 frames are missing: those at 0.30, 0.70.",)
    assert len(loaded.artifacts[0].times) == 9
    np.save(tmp_path / "other_1.npy", np.zeros((4, 5)))
    assert "other (1)" in read(tmp_path).problems[1]
    assert read(tmp_path, FrameOptions(series="other")).artifacts[0].components == ("other",)
    refused(tmp_path, "no frames 'nothing'", options=FrameOptions(series="nothing"))
    refused(tmp_path, "cannot have the axes", options=FrameOptions(axes="x"))
    np.save(tmp_path / "heat_0.40.npy", np.zeros((4, 6)))
    refused(tmp_path, "frame of another size", "heat_0.40.npy", "4×6")
    np.save(tmp_path / "heat_0.40.npy", np.array(["a"]))
    refused(tmp_path, "holds no frame")
    (tmp_path / "heat_0.4.npy").write_bytes((tmp_path / "heat_0.50.npy").read_bytes())
    refused(tmp_path, "two frames of one time", "0.4")


def test_tables_on_a_grid(tmp_path):
    for item in (made.profile(), made.steady(), made.flow()):
        write(item, tmp_path / "f.csv")
        back = read(tmp_path / "f.csv", None, "csv-field").artifacts[0]
        np.testing.assert_array_equal(back.values.astype(item.values.dtype), item.values)
        assert (back.components, back.coordinates, back.unit) == (item.components, item.coordinates, item.unit)
        assert made.differences(item, back, ("vectors", "values")) == []
    lines = (tmp_path / "f.csv").read_text().splitlines()
    (tmp_path / "s.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))  # in any order
    back = read(tmp_path / "s.csv", None, "csv-field").artifacts[0]
    np.testing.assert_array_equal(back.values, made.flow().values)
    (tmp_path / "s.csv").write_text("\n".join(lines[:-1]))
    refused(tmp_path / "s.csv", "need 90 rows; it has 89", format="csv-field")
    (tmp_path / "s.csv").write_text("\n".join([*lines[:-1], lines[1]]))
    refused(tmp_path / "s.csv", "no row for t = 2, x = 1, y = 2", format="csv-field")
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    refused(tmp_path / "s.csv", "which columns are coordinates", format="csv-field")
    options = CsvGridOptions(coordinates="a")
    assert read(tmp_path / "s.csv", options, "csv-field").artifacts[0].coordinates[0] == "a"


def test_netcdf_of_others(tmp_path):
    """Packed and masked values, dimensions in the usual order, no variable for one of them."""
    h5netcdf = pytest.importorskip("h5netcdf.legacyapi")
    with h5netcdf.Dataset(tmp_path / "c.nc", "w") as file:
        for name, count in (("time", 3), ("lat", 4), ("lon", 5)):
            file.createDimension(name, count)
        file.createVariable("lon", "f8", ("lon",))[:] = np.arange(5) * 2.0
        lat = file.createVariable("lat", "f4", ("lat",))
        lat[:] = [30, 20, 10, 0]
        lat.units = "degrees_north"
        temperature = file.createVariable("temp", "i2", ("time", "lat", "lon"), fill_value=-99)
        temperature.scale_factor, temperature.add_offset, temperature.units = 0.5, 10.0, "K"
        raw = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
        raw[1, 2, 3] = -99
        temperature[...] = raw
    loaded = read(tmp_path / "c.nc")
    field = loaded.artifacts[0]
    assert (field.shape, field.coordinates[:2], field.unit) == ((5, 4), ("lon", "lat"), "K")
    assert field.y.tolist() == [0, 10, 20, 30]
    assert field.times.tolist() == [0, 1, 2]
    assert field.values[0, 0, 2, 3, 0] == 10 + 0.5 * raw[0, 0, 2]
    assert np.isnan(field.values[1, 0, 3, 1, 0])
    assert loaded.problems == ("1 of 60 values are not finite.",)


@pytest.mark.parametrize("version", ["3", "4"])
def test_other_libraries_read_our_netcdf(version, tmp_path):
    item = made.flow()
    write(item, tmp_path / "f.nc", NetcdfWriteOptions(version=version))
    if version == "4":
        h5netcdf = pytest.importorskip("h5netcdf")
        with h5netcdf.File(tmp_path / "f.nc") as file:
            assert dict(file.dimensions).keys() == {"t", "x", "y", "z"}
            assert file["p"].dimensions == ("t", "z", "y", "x")
            np.testing.assert_array_equal(file["p"][:].transpose(0, 3, 2, 1), item.values[:, 2])
            assert file["p"].attrs["units"] == "m/s"
        return
    import scipy.io

    with scipy.io.netcdf_file(tmp_path / "f.nc", mmap=False) as file:
        np.testing.assert_array_equal(file.variables["p"][:].transpose(0, 3, 2, 1), item.values[:, 2])
        assert file.variables["x"].units == b"m"
    assert made.differences(item, read(tmp_path / "f.nc").artifacts[0]) == []


def test_netcdf_3_says_what_it_cannot_hold(tmp_path):
    item = made.steady().replace(values=np.zeros((1, 1, 4, 5, 7), np.int64))
    with pytest.raises(UserError, match="int64"):
        write(item, tmp_path / "f.nc", NetcdfWriteOptions(version="3"))


def test_plain_h5py_and_numpy_read_our_fields(tmp_path):
    item = made.flow()
    write(item, tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5") as file:
        np.testing.assert_array_equal(file["values"][...].transpose(0, 1, 4, 3, 2), item.values)
        assert file["values"].dims[4][0].name == "/x"
    write(item, tmp_path / "f.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), item.values[..., 0])


def test_matlab_reads_back_what_scipy_packs(tmp_path):
    """All classes of numbers, in either byte order."""
    import scipy.io

    for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        values = (np.arange(84).reshape(12, 7) - (0 if dtype[0] == "u" else 40)).astype(dtype)
        scipy.io.savemat(tmp_path / "b.mat", {"x": X, "t": T, "u": values})
        back = read(tmp_path / "b.mat").artifacts[0].values[:, 0, :, 0, 0]
        assert back.dtype == values.dtype
        np.testing.assert_array_equal(back, values.T)


def test_old_matlab_files_are_named(tmp_path):
    import scipy.io

    scipy.io.savemat(tmp_path / "b.mat", {"u": VALUES}, format="4")
    refused(tmp_path / "b.mat", "version 5 or later", "-v7")


def test_hdf5_that_leads_elsewhere(tmp_path):
    write(made.flow(), tmp_path / "other.h5")
    with h5py.File(tmp_path / "l.h5", "w") as file:
        file["u"] = h5py.ExternalLink("other.h5", "/values")
    refused(tmp_path / "l.h5", "holds no field")
    (tmp_path / "raw").write_bytes(bytes(84 * 8))
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_dataset("u", (12, 7), "f8", external=[(str(tmp_path / "raw"), 0, 84 * 8)])
    refused(tmp_path / "e.h5", "elsewhere")


def test_a_heap_in_which_libhdf5_would_turn_for_ever(tmp_path):
    write(made.flow(), tmp_path / "h.h5")
    raw = bytearray((tmp_path / "h.h5").read_bytes())
    at = raw.index(b"GCOL")
    raw[at + 16 : at + 32] = bytes(16)
    (tmp_path / "h.h5").write_bytes(raw)
    refused(tmp_path / "h.h5", "heap of texts and references is damaged")


def test_a_large_array_stays_in_its_file(tmp_path, monkeypatch):
    """From a size on, which is made small here, the values are those on the disk."""
    monkeypatch.setattr("engines.files.mapped.MAP_FROM", 1000)
    values = np.arange(1000.0).reshape(10, 10, 10)
    np.save(tmp_path / "u.npy", values)
    with h5py.File(tmp_path / "u.h5", "w") as file:
        file["u"] = values
    for name in ("u.npy", "u.h5"):
        field = read(tmp_path / name, None, "npy-field" if name == "u.npy" else None).artifacts[0]
        base = field.values
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        np.testing.assert_array_equal(field.values[0, 0], values)
    with (tmp_path / "u.npy").open("r+b") as file:
        file.truncate(5000)
    refused(tmp_path / "u.npy", "shorter than its header says", format="npy-field")
