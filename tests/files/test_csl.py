"""Contours on planes: the facts of the real files, and every kind of bad input with its own message."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.files import read
from tests.files import made

HEADER = "CSLC\n2 2\n"
SQUARE = "0 0 {z}\n1 0 {z}\n1 1 {z}\n0 1 {z}\n"


def plane(number=1, z=0.0, vertices=4, components=1, equation=None, points=None, loops="4 1 0 1 2 3\n"):
    equation = equation or f"0 0 1 {-z}"
    points = SQUARE.format(z=z) if points is None else points
    return f"{number} {vertices} {components} {equation}\n\n{points}\n{loops}\n"


def load(tmp_path, text):
    (tmp_path / "s.csl").write_text(text)
    return read(tmp_path / "s.csl")


def refused(tmp_path, text, *words):
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert "s.csl" in message
    assert caught.value.mend
    for word in words:
        assert word in message, message


def test_good(tmp_path):
    loaded = load(tmp_path, HEADER + plane(1, 0) + plane(2, 1))
    slices = loaded.artifacts[0]
    assert loaded.problems == ()
    assert slices.summary() == "2 planes, 2 contours, 8 points"
    assert slices.offsets.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("file", "planes", "vertices", "labels"),
    [
        ("eight_15", 15, 2028, 1), ("hand_ok", 15, 4082, 1), ("balloondog", 15, 4579, 1), ("Abdomen", 42, 53448, 9),
        ("Heart-25-even-better", 25, 4534, 1), ("Horsers", 29, 4101, 1), ("Vetebrae", 36, 14844, 1),
        ("rose", 15, 9000, 1),
    ],
)  # fmt: skip
def test_real_files(file, planes, vertices, labels):
    """Plane and vertex counts of the sheet; where loops share vertices (Abdomen, Vetebrae) each loop has its own."""
    path = made.REAL / f"{file}.csl"
    if not path.exists():
        pytest.skip("no real data here")
    loaded = read(path)
    slices = loaded.artifacts[0]
    assert (slices.plane_count, len(slices.vertices), len(slices.labels)) == (planes, vertices, labels)
    off = (slices.vertices * slices.normals[slices.vertex_planes]).sum(1) - slices.offsets[slices.vertex_planes]
    assert np.abs(off).max() < 1e-9 * np.ptp(slices.bounds, axis=0).max()
    if file == "rose":  # its D has the sign of Ax + By + Cz = D
        assert "sign of every D" in loaded.problems[0]
    else:
        assert loaded.problems == ()


def test_real_reference_lies_in_the_frame_of_the_slices():
    from engines.blocks.sectioning import cut_mesh

    if not (made.REAL / "eight_15.csl").exists():
        pytest.skip("no real data here")
    slices = read(made.REAL / "eight_15.csl").artifacts[0]
    mesh = read(made.REAL / "eight_15_scaled.stl").artifacts[0]
    middle = slices.plane_count // 2
    cut = np.concatenate(cut_mesh(mesh, slices.normals[middle], slices.offsets[middle])[0])
    drawn = slices.vertices[slices.vertex_planes == middle]
    np.testing.assert_allclose(np.ptp(cut, axis=0), np.ptp(drawn, axis=0), atol=0.01)


def test_not_cslc(tmp_path):
    refused(tmp_path, "CSL\n" + HEADER[5:] + plane(), "not a CSL file", "CSLC")


def test_wrong_header(tmp_path):
    refused(tmp_path, "CSLC\n2\n" + plane(), "wrong header at line 2")
    refused(tmp_path, "CSLC\ntwo 1\n" + plane(), "no whole number at line 2")


@pytest.mark.parametrize("count", ["0", "-1", "99999999999999999999", "1e9"])
def test_absurd_plane_counts(tmp_path, count):
    refused(tmp_path, f"CSLC\n{count} 1\n" + plane(), "line 2")


def test_fewer_planes_than_announced(tmp_path):
    refused(tmp_path, HEADER + plane(), "shorter than its counts say", "Plane 2")


def test_more_lines_than_announced(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane() + plane(2), "longer than its counts say", "Line 12")


def test_vertex_count_too_large(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(vertices=2_000_000_000), "shorter than its counts say", "2,000,000,000")


def test_vertex_count_too_small(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(vertices=3, components=2), "at line 8", "component")


def test_component_count_does_not_match(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="5 1 0 1 2 3\n"), "wrong count at line 10", "5 vertex indices")


def test_vertex_line_breaks_off(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(points="0 0 0\n1 0\n1 1 0\n0 1 0\n"), "line 6", "needs 3 numbers")


def test_index_out_of_range(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="4 1 0 1 2 4\n"), "out of range at line 10", "0 to 3")
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="4 1 0 1 2 -1\n"), "out of range at line 10")
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="4 1 0 1 2 99999999999999999999\n"), "line 10")


@pytest.mark.parametrize("bad", ["nan", "inf", "-Infinity", "1e999"])
def test_not_finite(tmp_path, bad):
    refused(tmp_path, "CSLC\n1 1\n" + plane(points=f"0 0 0\n1 {bad} 0\n1 1 0\n0 1 0\n"), "not finite at line 6")


def test_not_a_number(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(points="0 0 0\n1 0,5 0\n1 1 0\n0 1 0\n"), "no number at line 6", "0,5")


def test_not_finite_plane(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(equation="0 0 nan 0"), "not finite at line 3", "equation")


def test_zero_normal(tmp_path):
    refused(tmp_path, HEADER + plane() + plane(2, 1, equation="0 0 0 -1"), "without a normal at line 12", "Plane 2")


def test_unnormalised_normals_are_fine(tmp_path):
    slices = load(tmp_path, HEADER + plane(equation="0 0 14 0") + plane(2, 1, equation="0 0 -0.5 0.5")).artifacts[0]
    assert slices.offsets.tolist() == [0, -1]


def test_vertices_far_off_the_plane_are_refused(tmp_path):
    lifted = SQUARE.format(z=1).replace("1 1 1", "1 1 1.02")
    refused(tmp_path, HEADER + plane() + plane(2, 1, points=lifted), "do not lie on their plane", "plane 2", "1.96 %")


def test_vertices_a_little_off_the_plane_are_projected(tmp_path):
    lifted = SQUARE.format(z=1).replace("1 1 1", "1 1 1.005")
    loaded = load(tmp_path, HEADER + plane() + plane(2, 1, points=lifted))
    assert "1 vertex lies off the plane" in loaded.problems[0]
    assert loaded.artifacts[0].vertices[4:, 2].tolist() == [1, 1, 1, 1]


def test_rounding_off_the_plane_is_silent(tmp_path):
    lifted = SQUARE.format(z=1).replace("1 1 1", "1 1 1.0005")
    loaded = load(tmp_path, HEADER + plane() + plane(2, 1, points=lifted))
    assert loaded.problems == ()
    assert loaded.artifacts[0].vertices[6, 2] == 1


def test_other_sign_of_d(tmp_path):
    loaded = load(tmp_path, HEADER + plane(1, 0.5, equation="0 0 1 0.5") + plane(2, 1, equation="0 0 1 1"))
    assert "sign of every D" in loaded.problems[0]
    assert loaded.artifacts[0].offsets.tolist() == [0.5, 1]


def test_loop_of_two_vertices(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="2 1 0 1\n"), "fewer than three vertices at line 10")
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="4 1 0 1 1 0\n"), "fewer than three vertices at line 10")


def test_self_intersection_is_said(tmp_path):
    loaded = load(tmp_path, HEADER + plane(loops="4 1 0 2 1 3\n") + plane(2, 1))
    assert "1 contour crosses itself (line 10)" in loaded.problems[0]
    assert "even-odd" in loaded.problems[0]


def test_all_planes_empty(tmp_path):
    empty = "1 0 0 0 0 1 0\n2 0 0 0 0 1 -1\n"
    refused(tmp_path, HEADER + empty, "no contour", "All of its 2 planes")


def test_an_empty_plane_stays(tmp_path):
    slices = load(tmp_path, "CSLC\n3 1\n" + plane() + "2 0 0 0 0 1 -1\n" + plane(3, 2)).artifacts[0]
    assert slices.plane_count == 3
    assert slices.loop_planes.tolist() == [0, 2]


def test_one_plane_only_is_said(tmp_path):
    loaded = load(tmp_path, "CSLC\n1 1\n" + plane())
    assert any("one slice cannot define a volume" in p for p in loaded.problems)


INNER = "0.2 0.2 0\n0.8 0.2 0\n0.8 0.8 0\n0.2 0.8 0\n"


def test_holes(tmp_path):
    two = plane(vertices=8, components=2, points=SQUARE.format(z=0) + INNER, loops="4 1 0 1 2 3\n4h0 2 7 6 5 4\n")
    slices = load(tmp_path, HEADER + two + plane(2, 1)).artifacts[0]
    assert slices.loop_parents.tolist() == [-1, 0, -1]
    assert slices.labels.tolist() == [1]
    assert slices.only(1).loop_count == 3


@pytest.mark.parametrize("parent", ["7", "-3", "1"])
def test_hole_that_names_nothing(tmp_path, parent):
    loops = f"4 1 0 1 2 3\n4h{parent} 2 7 6 5 4\n"
    two = plane(vertices=8, components=2, points=SQUARE.format(z=0) + INNER, loops=loops)
    loaded = load(tmp_path, HEADER + two + plane(2, 1))
    assert "1 hole names a contour that does not exist (line 15)" in loaded.problems[0]
    assert loaded.artifacts[0].loop_parents.tolist() == [-1, 0, -1]


def test_contradicting_planes_are_counted(tmp_path):
    # A second plane across the first one that says that nothing is at x < 0.5, where the first sees a square.
    across = "0.5 0 -1\n0.5 0 1\n0.5 0.4 1\n0.5 0.4 -1\n"
    text = HEADER + plane() + plane(2, equation="1 0 0 -0.5", points=across)
    loaded = load(tmp_path, text)
    assert "Planes contradict each other at" in loaded.problems[0]
    assert "planes, such as 1 and 2" in loaded.problems[0]


def test_repeated_points_are_dropped(tmp_path):
    slices = load(tmp_path, HEADER + plane(loops="6 1 0 1 1 2 3 0\n") + plane(2, 1)).artifacts[0]
    assert slices.loop_counts.tolist() == [4, 4]


def test_binary_junk(tmp_path):
    (tmp_path / "s.csl").write_bytes(b"CSLC\n1 1\n\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"not a text file.*Line 3"):
        read(tmp_path / "s.csl")
    (tmp_path / "s.csl").write_bytes(b"CSLC\n1 1\n\x00\x01")
    with pytest.raises(UserError, match="zero byte"):
        read(tmp_path / "s.csl")


def test_line_ends_and_byte_order_marks_of_other_systems(tmp_path):
    text = (HEADER + plane() + plane(2, 1)).replace("\n", "\r\n")
    (tmp_path / "s.csl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(tmp_path / "s.csl").artifacts[0].loop_count == 2


def test_labels_out_of_range(tmp_path):
    refused(tmp_path, "CSLC\n1 1\n" + plane(loops="4 99999999999 0 1 2 3\n"), "impossible number at line 10", "label")


def test_thousands_of_planes_and_labels_stay_quick(tmp_path):
    import time

    rng = np.random.default_rng(0)
    normals = rng.normal(size=(3000, 3))
    rows = []
    for i, (a, b, c) in enumerate(normals):
        u = np.cross([a, b, c], [0.3, 0.5, 0.9])
        v = np.cross([a, b, c], u)
        corners = [u / np.linalg.norm(u), v / np.linalg.norm(v), -u / np.linalg.norm(u)]
        points = "\n".join(" ".join(f"{x:.9g}" for x in p) for p in corners)
        rows.append(f"{i} 3 1 {a:.9g} {b:.9g} {c:.9g} 0\n{points}\n3 {i - 1} 0 1 2\n")
    began = time.perf_counter()
    loaded = load(tmp_path, f"CSLC\n{len(rows)} 1\n" + "".join(rows))
    assert time.perf_counter() - began < 20
    assert loaded.artifacts[0].plane_count == 3000
