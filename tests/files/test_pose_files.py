"""Pose sequences come in as they are written anywhere, and what cannot be told is asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.blocks.hand_anatomy import MANO_NAMES
from engines.core import UserError
from engines.files import Question, read, write
from engines.files.pose_files import PoseReadOptions, poses_in
from engines.files.pose_files_out import PoseWriteOptions
from tests import hands

DRAW = np.random.default_rng(1)


def rows(path, numbers, head=""):
    path.write_text(head + "\n".join(",".join(repr(float(v)) for v in row) for row in numbers))
    return path


def read_poses(path, **options):
    return read(path, PoseReadOptions(**options)).artifacts[0]


@pytest.mark.parametrize("extension", [".poses.csv", ".poses.json"])
def test_degrees_are_written_and_told(extension, tmp_path):
    poses = hands.poses()
    write(poses, tmp_path / f"p{extension}", PoseWriteOptions(unit="deg"))
    back = read(tmp_path / f"p{extension}").artifacts[0]
    np.testing.assert_allclose(back.rotations, poses.rotations, atol=1e-14)
    np.testing.assert_array_equal(back.translations, poses.translations)
    assert back.joint_names == poses.joint_names
    assert back.rate == 30


def test_bare_rows_are_in_the_order_of_mano(tmp_path):
    angles = DRAW.normal(size=(3, 48))
    found = read_poses(rows(tmp_path / "poses.csv", angles))
    assert found.joint_names == MANO_NAMES
    np.testing.assert_array_equal(found.rotations.reshape(3, 48), angles)
    moved = read_poses(rows(tmp_path / "poses.csv", np.hstack([angles, [[1, 2, 3]] * 3])))
    np.testing.assert_array_equal(moved.rotations, found.rotations)
    assert moved.translations.tolist() == [[1, 2, 3]] * 3
    loaded = read(rows(tmp_path / "poses.csv", angles[:, 3:]))
    np.testing.assert_array_equal(loaded.artifacts[0].rotations[:, 1:], found.rotations[:, 1:])
    assert not loaded.artifacts[0].rotations[:, 0].any()
    assert "wrist does not turn" in loaded.problems[0]


def test_headings_name_joints_units_frames_and_times(tmp_path):
    head = "frame;time;hip.x [deg];hip.y [deg];hip.z [deg];tx;ty;tz\n"
    (tmp_path / "my_poses.csv").write_text(f"# made by hand\n{head}\na;0;90;0;0;1;2;3\nb;0.5;0;180;0;1;2;3\n")
    sequence, frames, problems = poses_in(tmp_path / "my_poses.csv")
    assert frames == ("a", "b")
    assert problems == []
    assert sequence.joint_names == ("hip",)
    assert sequence.rate == 2
    np.testing.assert_allclose(sequence.rotations[:, 0], [[np.pi / 2, 0, 0], [0, np.pi, 0]])
    assert sequence.translations.tolist() == [[1, 2, 3]] * 2
    assert read(tmp_path / "my_poses.csv").artifacts[0].joint_names == ("hip",)  # told by its name from a table


@pytest.mark.parametrize("kind", ["bare csv", "headed csv", "json"])
def test_matrices_are_recognised_and_converted_only_after_asking(kind, tmp_path):
    angles = DRAW.uniform(-1, 1, (4, 16, 3))
    angles[0, 3] = 0
    angles[0, 4] = [0, np.pi, 0]
    matrices = Rotation.from_rotvec(angles.reshape(-1, 3)).as_matrix().reshape(4, 144).round(6)
    path = tmp_path / ("poses.json" if kind == "json" else "poses.csv")
    if kind == "json":
        path.write_text(json.dumps([m.reshape(16, 3, 3).tolist() for m in matrices]))
    else:
        names = [f"{n}.r{i}{j}" for n in MANO_NAMES for i in (1, 2, 3) for j in (1, 2, 3)]
        rows(path, matrices, ",".join(names) + "\n" if "headed" in kind else "")
    with pytest.raises(Question, match=r"holds rotation matrices.*'rotations'") as asked:
        read(path)
    (answer,) = asked.value.answers.values()
    found = read_poses(path, **answer)
    np.testing.assert_allclose(np.abs(found.rotations[0, 4]), [0, np.pi, 0], atol=1e-5)
    found, angles = (np.delete(x.reshape(-1, 3), 4, axis=0) for x in (found.rotations, angles))
    np.testing.assert_allclose(found, angles, atol=2e-5)


def test_large_angles_without_a_unit_are_asked_about(tmp_path):
    path = rows(tmp_path / "poses.csv", np.full((2, 48), 30.0))
    with pytest.raises(Question, match="does not say in which unit") as asked:
        read(path)
    found = read_poses(path, **next(iter(asked.value.answers.values())))
    np.testing.assert_allclose(found.rotations, np.radians(30))
    assert read_poses(path, angles="rad").rotations[0, 0, 0] == 30


def test_annotations_by_frame(tmp_path):
    entry = {"pose": [0.1] * 48, "trans": [0.0, 0.0, 0.5], "shape": [0.0] * 10}
    (tmp_path / "poses.json").write_text(json.dumps({"17": entry, "18": entry}))
    sequence, frames, _ = poses_in(tmp_path / "poses.json")
    assert frames == ("17", "18")
    assert sequence.translations.tolist() == [[0, 0, 0.5]] * 2
    (tmp_path / "poses.json").write_text(json.dumps({"poses": [{**entry, "name": "fist"}], "rate": 10, "unit": "deg"}))
    sequence, frames, _ = poses_in(tmp_path / "poses.json")
    assert frames == ("fist",)
    assert sequence.rate == 10
    np.testing.assert_allclose(sequence.rotations, np.radians(0.1))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("poses.csv", ",".join(["0"] * 47), "has 47 numbers a pose"),
        ("poses.csv", "a.x,a.y\n0,0", "names no joints"),
        ("poses.csv", "a.x,a.y,a.z,b.x\n0,0,0,0", "names no joints"),
        ("poses.csv", "a.x,a.y,a.z\n0,0,nan", "not finite, number 1"),
        ("poses.csv", "a.x,a.y,a.z\n0,0,0\n0,no,0", "no number at line 3"),
        ("poses.csv", "a.x,a.y,a.z\n0,0,0\n0,0", "wrong length at line 3"),
        ("poses.csv", "a.x [turns],a.y [turns],a.z [turns]\n0,0,0", "angles in 'turns'"),
        ("poses.csv", "a.x [rad],a.y [rad],a.z [rad],b.x,b.y,b.z\n0,0,0,0,0,0", "different units"),
        ("poses.json", "[[1, 2, 3], [1, 2]]", "2 to 3 numbers"),
        ("poses.json", "[[1, 2, NaN]]", "not finite"),
        ("poses.json", '{"poses": []}', "no list of poses"),
        ("poses.json", '{"poses": [[0, 0, 0]], "joint_names": ["a", "b"]}', "2 joints are named"),
        ("poses.json", '{"poses": [{"pose": [0, 0, 0], "scale": 0}]}', "not above zero"),
        ("poses.json", "{", "no valid JSON"),
    ],
)
def test_wrong_files_are_refused_in_words(name, text, words, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words) as refused:
        read(tmp_path / name)
    assert refused.value.mend


def test_what_is_no_rotation_is_not_converted(tmp_path):
    path = rows(tmp_path / "poses.csv", np.full((1, 144), 0.5))
    assert read_poses(path).rotations.shape == (1, 48, 3)  # nothing says that it is wrong
    with pytest.raises(UserError, match="does not only turn, in pose 1"):
        read_poses(path, rotations="matrices")
