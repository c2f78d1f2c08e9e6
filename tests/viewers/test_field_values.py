import numpy as np
import pytest

from app.viewers import field_flow
from app.viewers import field_values as fv
from engines.data import SampledField
from tests.viewers.fields import linear, pulse, taylor_green


def named(field: SampledField, key: str) -> fv.Quantity:
    return next(q for q in fv.quantities(field.components, field.vectors, field.dimensions) if q.key == key)


def test_vectors_give_their_length_vorticity_and_divergence():
    field = taylor_green(97)
    assert [q.title for q in fv.quantities(field.components, field.vectors, 2)] == [
        "u", "v", "|velocity|", "vorticity", "divergence",
    ]  # fmt: skip
    X, Y = np.meshgrid(field.x, field.y, indexing="ij")
    decay = np.exp(-field.times[2])
    vorticity = fv.plane(field, named(field, "curl velocity"), 2)
    assert np.abs(vorticity.values - 2 * np.cos(X) * np.cos(Y) * decay).max() < 8e-3
    assert vorticity.unit == "1/s"
    assert np.abs(fv.plane(field, named(field, "div velocity"), 2).values).max() < 8e-3
    speed = fv.plane(field, named(field, "|velocity|"), 0).values
    assert np.allclose(speed, np.hypot(field.values[0, 0, :, :, 0], field.values[0, 1, :, :, 0]))


def test_curl_in_space_of_a_rigid_rotation_is_twice_its_speed():
    x = np.linspace(-1, 1, 9)
    X, Y, Z = np.meshgrid(x, x, x, indexing="ij")
    omega = np.array([0.5, -1.0, 2.0])
    flow = np.moveaxis(np.cross(omega, np.stack([X, Y, Z], -1)), -1, 0)
    field = SampledField.of(flow, x, x, x, components=("u", "v", "w"), vectors=(("velocity", "u", "v", "w"),))
    for axis, index in ((0, 0), (1, 4), (2, 8)):
        curl = fv.plane(field, named(field, "curl velocity"), 0, axis, index)
        assert curl.values.shape == (9, 9)
        assert np.allclose(curl.values, 2 * np.linalg.norm(omega))


def test_cuts_through_a_field_in_space_hold_its_values_at_their_places():
    field = linear(11, 2)
    for axis, index in ((0, 3), (1, 7), (2, 5)):
        cut = fv.plane(field, named(field, "u"), 1, axis, index)
        r, u = np.meshgrid(cut.right, cut.up, indexing="ij")
        place = [None] * 3
        for k, at in zip(fv.IN_PLANE[axis], (r, u), strict=True):
            place[k] = at
        place[axis] = np.full(r.shape, field.axes[axis][index])
        assert np.allclose(cut.values, place[0] + 10 * place[1] + 200 * place[2])


def test_probes_are_exact_for_what_is_linear_between_uneven_nodes():
    field = linear(11, 3)
    values = fv.history(field, named(field, "u"), (0.33, 0.41, field.z[4] * 0.5 + field.z[5] * 0.5))
    height = 0.5 * (field.z[4] + field.z[5])
    assert np.allclose(values, 0.33 + 4.1 + 100 * height * (1 + field.times))
    cut = fv.plane(field, named(field, "u"), 0, 2, 4)
    assert cut.at(0.123, 0.77) == pytest.approx(0.123 + 7.7 + 100 * field.z[4])
    assert np.isnan(cut.at(1.2, 0.5))
    assert np.isnan(cut.at(0.5, -0.1))


def test_history_of_vorticity_needs_the_neighbours_only():
    field = taylor_green(97, 9)
    values = fv.history(field, named(field, "curl velocity"), (1.0, 2.0))
    assert np.abs(values - 2 * np.cos(1.0) * np.cos(2.0) * np.exp(-field.times)).max() < 4e-3


def test_one_dimension_gives_a_strip_in_time():
    strip = fv.plane(pulse(), named(pulse(), "u"), 4)
    assert strip.is_strip
    assert strip.names == ("x", "t")
    assert strip.right[strip.row(0.5).argmax()] == pytest.approx(0.5, abs=0.02)
    still = pulse().replace(values=pulse().values[:1], times=np.zeros(1))
    assert fv.plane(still, named(still, "u"), 0).is_curve


def test_measures_are_those_of_the_function():
    x, y = np.linspace(0, np.pi, 201), np.linspace(0, 1, 11) ** 2
    X, Y = np.meshgrid(x, y, indexing="ij")
    found = fv.measures(
        fv.plane(SampledField.of(np.sin(X) * (1 + 0 * Y), x, y), fv.Quantity("u", "u", "component", (0,)), 0)
    )
    assert found is not None
    assert found.integral == pytest.approx(2.0, abs=1e-3)
    assert found.mean == pytest.approx(2 / np.pi, abs=1e-3)
    assert found.norm == pytest.approx(np.sqrt(np.pi / 2), abs=1e-3)
    assert (found.low, found.high) == pytest.approx((0.0, 1.0), abs=1e-9)
    half = np.where(X - np.pi / 2 < 0, np.nan, 1.0)
    found = fv.measures(fv.plane(SampledField.of(half, x, y), fv.Quantity("u", "u", "component", (0,)), 0))
    assert found is not None
    assert found.mean == pytest.approx(1.0)
    assert fv.measures(fv.Plane(np.full((2, 2), np.nan), x[:2], y[:2], ("x", "y"))) is None


def test_differences_are_taken_on_the_nodes_of_the_first():
    coarse, fine = (np.linspace(0, 1, n) for n in (6, 23))

    def plane(axis, slope):
        values = slope * axis[:, None] + axis[None]
        return fv.Plane(values, axis, axis, ("x", "y"), title="u")

    away = fv.difference(plane(coarse, 1.0), plane(fine, 3.0))
    assert away.values.shape == (6, 6)
    assert np.allclose(away.values, 2 * coarse[:, None])
    outside = fv.difference(plane(coarse, 1.0), plane(coarse * 0.5, 1.0))
    assert np.isnan(outside.values[-1, -1])


def test_ranges_look_at_all_times():
    x, t = np.linspace(0, 1, 64), np.linspace(0, 1, 400)
    field = SampledField.of(t[:, None] * np.ones(64), x, times=t)
    assert fv.some_values(field, fv.Quantity("u", "u", "component", (0,))).max() > 0.9


def test_a_field_in_a_file_is_read_by_the_slice(tmp_path):
    store = np.memmap(tmp_path / "values", np.float32, "w+", shape=(1, 1, 40, 50, 60))
    store[:] = np.arange(60)
    field = SampledField(
        values=np.memmap(tmp_path / "values", np.float32, "r", shape=(1, 1, 40, 50, 60)), times=np.zeros(1),
        x=np.arange(40), y=np.arange(50), z=np.arange(60), dimensions=3,
    )  # fmt: skip
    cut = fv.plane(field, fv.Quantity("u", "u", "component", (0,)), 0, 2, 17)
    assert np.shares_memory(cut.values, field.values)
    assert (cut.values == 17).all()


def test_levels_are_round_and_zero_is_among_them():
    levels = field_flow.levels_between(-1.0, 1.0)
    assert np.allclose(levels, np.arange(-4, 5) * 0.2, atol=1e-6)
    assert len(field_flow.levels_between(0.0, 0.0)) == 0
    assert np.allclose(np.diff(field_flow.levels_between(3.1, 7.7)), 0.5)


def test_contours_of_a_cone_are_circles_in_the_field_s_own_places():
    x, y = np.linspace(-1, 1, 80), np.linspace(-1, 1, 60)
    X, Y = np.meshgrid(x, y, indexing="ij")
    lines = field_flow.contours(fv.Plane(np.hypot(X, Y), x, y, ("x", "y")), np.array([0.5]))
    good = lines[np.isfinite(lines[:, 0])]
    assert np.hypot(*good.T) == pytest.approx(0.5, abs=0.01)
    holed = np.where(X > 0, np.nan, np.hypot(X, Y))
    lines = field_flow.contours(fv.Plane(holed, x, y, ("x", "y")), np.array([0.5]))
    assert np.nanmax(lines[:, 0]) <= 0


def test_contours_reach_to_the_last_of_a_few_rows():
    x, t = np.linspace(0, 1, 500), np.array([0.0, 0.1, 0.2, 0.35])
    strip = fv.Plane(np.repeat(x[:, None], 4, 1), x, t, ("x", "t"), is_strip=True)
    lines = field_flow.contours(strip, np.array([0.5]))
    assert np.nanmax(lines[:, 1]) == pytest.approx(0.35)
    assert np.nanmax(lines[:, 0]) == pytest.approx(0.5)


def test_streamlines_of_a_rotation_are_circles_and_do_not_cross():
    x = np.linspace(-1, 1, 50)
    X, Y = np.meshgrid(x, x, indexing="ij")
    right, up = (fv.Plane(values, x, x, ("x", "y")) for values in (-Y, X))
    lines = field_flow.streamlines(right, up)
    ends = np.flatnonzero(np.isnan(lines[:, 0]))
    parts = [p[np.isfinite(p[:, 0])] for p in np.split(lines, ends)]
    parts = [p for p in parts if len(p) > 4]
    assert len(parts) > 4
    for part in parts:
        radius = np.hypot(*part.T)
        assert np.ptp(radius) < 0.02
    assert len(field_flow.heads(lines, 0.1)) >= 4 * 3


def test_arrows_are_as_long_as_the_flow_is_fast():
    x = np.linspace(0, 1, 20)
    right, up = (fv.Plane(np.full((20, 20), v), x, x, ("x", "y")) for v in (0.0, 2.0))
    ends = field_flow.arrows(right, up, 2.0, 10).reshape(-1, 6, 2)
    assert len(ends) == 100
    assert ends[:, 1] - ends[:, 0] == pytest.approx(np.array([[0.0, 0.105]]).repeat(100, 0))
    still = fv.Plane(np.zeros((20, 20)), x, x, ("x", "y"))
    assert len(field_flow.arrows(still, still, 1.0)) == 0
    assert len(field_flow.streamlines(still, still)) == 0


def test_streamlines_of_a_vortex_go_round_once():
    flow = taylor_green(97)
    right, up = (fv.plane(flow, q, 0) for q in fv.quantities(("u", "v"), (), 2)[:2])
    lines = field_flow.streamlines(right, up)
    ends = np.flatnonzero(np.isnan(lines[:, 0]))
    for part in np.split(lines, ends):
        part = part[np.isfinite(part[:, 0])]
        if len(part) < 3:
            continue
        turns = np.unwrap(np.arctan2(*np.diff(part, axis=0).T[::-1]))
        assert abs(turns[-1] - turns[0]) < 2 * np.pi * 1.35
