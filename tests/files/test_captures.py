"""Captures of hands come in from folders, with everything that does not fit said or asked."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from engines.core import UserError
from engines.data import HandCapture
from engines.files import Question, read, readers_for
from engines.files.capture_folder import CaptureFolderOptions
from engines.files.rigged_glb import the_open_hand
from tests.files import hand_sets, rigs

OPEN = "There is no template in the folder: the right open hand was taken."


def capture(path, **options) -> HandCapture:
    return read(path, CaptureFolderOptions(**options)).artifacts[0]


def check(found: HandCapture) -> None:
    assert found.view_names == hand_sets.VIEWS
    assert found.frame_names == hand_sets.FRAMES
    assert len(found.photos) == 6
    np.testing.assert_allclose(found.poses.rotations, hand_sets.poses().rotations, atol=1e-12)
    for v in range(3):
        for f in range(2):
            number = found.photo(f, v)
            assert (found.photos.pixels(number)[..., :3] == 40 * v + 10 * f).all()
            np.testing.assert_allclose(found.photos.world_to_camera[number], hand_sets.cameras()[v], atol=1e-9)


@pytest.mark.parametrize("by_frame", [False, True])
@pytest.mark.parametrize("each", [False, True])
def test_both_layouts_with_a_camera_for_each_view_or_photo(by_frame, each, tmp_path):
    where = hand_sets.folder(tmp_path / "set", by_frame=by_frame, each=each)
    assert readers_for(where)[0].key == "hand-capture"
    loaded = read(where)
    assert loaded.problems == (OPEN,)
    check(loaded.artifacts[0])
    assert loaded.artifacts[0].name == "set"
    assert loaded.artifacts[0].template.side == "right"


def test_cameras_of_colmap(tmp_path):
    where = hand_sets.folder(tmp_path)
    (where / "transforms.json").unlink()
    model = where / "sparse" / "0"
    model.mkdir(parents=True)
    w, h = hand_sets.SIZE
    (model / "cameras.txt").write_text(f"1 PINHOLE {w} {h} 60 60 {w / 2} {h / 2}\n")
    from tests.files.photo_sets import quaternion

    lines = []
    for v, view in enumerate(hand_sets.VIEWS):
        m = hand_sets.cameras()[v]
        numbers = " ".join(repr(float(x)) for x in (*quaternion(m[:3, :3]), *m[:3, 3]))
        lines += [f"{v + 1} {numbers} 1 {view}.png", ""]
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    check(capture(where))


def test_masks_a_template_and_what_is_held_out(tmp_path):
    where = hand_sets.folder(tmp_path, masks=True)
    hand = the_open_hand("left")
    rigs.glb(
        where, "template.glb", vertices=hand.vertices, faces=hand.faces, weights=hand.weights, joints=hand.joints,
        names=hand.joint_names, parents=hand.parents.tolist(),
    )  # fmt: skip
    found = capture(where, held_out_views="cam1", held_out_frames="0002")
    assert found.template.side == "left"
    assert np.array_equal(found.photos.pixels(0)[..., 3], np.eye(32, 40) * 255)
    assert found.photos.held_out.tolist() == [v == 1 or f == 1 for f, v in zip(found.frame, found.view, strict=True)]
    with pytest.raises(UserError, match="nothing called cam9"):
        capture(where, held_out_views="cam9")
    with pytest.raises(Question, match="shows a right hand, and the template is a left one") as asked:
        capture(where, hand="right")
    mirrored = capture(where, hand="right", **next(iter(asked.value.answers.values())))
    assert mirrored.template.side == "right"
    np.testing.assert_allclose(mirrored.template.vertices[:, 0], -found.template.vertices[:, 0])


@pytest.mark.parametrize(("scale", "unit"), [(1000.0, "mm"), (100.0, "cm")])
def test_cameras_in_other_units_are_asked_about(scale, unit, tmp_path):
    where = hand_sets.folder(tmp_path, scale=scale)
    with pytest.raises(Question, match=f"With cameras in {unit} and translations in") as asked:
        capture(where)
    answer = next(a for a in asked.value.answers.values() if a == {"cameras_in": unit, "poses_in": "m"})
    check(capture(where, **answer))


def test_what_is_missing_is_listed_by_name(tmp_path):
    where = hand_sets.folder(tmp_path, each=True)
    (where / "images" / "cam1" / "0002.png").unlink()
    (where / "images" / "cam2" / "0001.png").write_bytes(b"no picture")
    shutil.copytree(where / "images" / "cam0", where / "images" / "cam7")
    shutil.copy(where / "images" / "cam0" / "0001.png", where / "images" / "cam0" / "0009.png")
    document = json.loads((where / "transforms.json").read_text())
    for shot in document["frames"]:
        if "cam0" in shot["file_path"]:  # it looks away
            shot["transform_matrix"] = (np.array(shot["transform_matrix"]) @ np.diag([-1.0, 1, -1, 1])).tolist()
    (where / "transforms.json").write_text(json.dumps(document))
    loaded = read(where)
    said = "\n".join(loaded.problems)
    for words in (
        "1 of 3 frames have no pose and were left out: 0009",
        "1 of 4 views have no camera and were left out: cam7",
        "photos are missing: cam1/0002",
        "cam2/0001.png (not PNG or JPEG)",
        "1 of 4 cameras do not see the hand: cam0",
    ):
        assert words in said
    assert len(loaded.artifacts[0].photos) == 4
    assert loaded.artifacts[0].frame_names == hand_sets.FRAMES


def test_a_hand_that_no_camera_sees(tmp_path):
    where = hand_sets.folder(tmp_path)
    document = json.loads((where / "transforms.json").read_text())
    for shot in document["frames"]:
        shot["transform_matrix"] = (np.array(shot["transform_matrix"]) @ np.diag([-1.0, 1, -1, 1])).tolist()
    (where / "transforms.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="no camera that sees the hand"):
        read(where)


def test_poses_without_names_go_in_order_and_wrong_ones_are_refused(tmp_path):
    where = hand_sets.folder(tmp_path)
    angles = hand_sets.poses().rotations.reshape(2, 48)
    moves = hand_sets.poses().translations
    (where / "poses.csv").unlink()
    entries = [{"pose": a.tolist(), "trans": t.tolist()} for a, t in zip(angles, moves, strict=True)]
    (where / "poses.json").write_text(json.dumps(entries))
    check(capture(where))
    (where / "poses.json").write_text(json.dumps([*entries, entries[0]]))
    loaded = read(where)
    assert "There are 3 poses and 2 frames" in loaded.problems[0]
    assert len(loaded.artifacts[0].poses) == 2
    (where / "poses.json").write_text(json.dumps([[0.0] * 63] * 2))
    with pytest.raises(UserError, match="poses of 21 joints, and its template has 16"):
        read(where)
    (where / "poses.json").write_text(json.dumps({"7": entries[0]}))
    with pytest.raises(UserError, match="no pose for any frame"):
        read(where)


@pytest.mark.parametrize(("lost", "words"), [("images", "0 photos in folders"), ("transforms.json", "has no cameras")])
def test_folders_without_a_part(lost, words, tmp_path):
    where = hand_sets.folder(tmp_path)
    target = where / lost
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(UserError, match=words):
        read(where, format="hand-capture")


def test_a_template_that_is_not_there_explains_the_licence(tmp_path):
    with pytest.raises(UserError, match=r"(?s)no template.*may not be passed on.*open hand"):
        capture(hand_sets.folder(tmp_path), template=str(tmp_path / "MANO_RIGHT.pkl"))
