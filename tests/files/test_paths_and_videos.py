"""Camera paths of other programs give the same cameras; videos and depth come out as what they are."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import PIL.Image
import pytest

from engines.blocks.camera_paths import Track, picture_times
from engines.core import UserError
from engines.data import CameraPath, DepthVideo, Photos, Video
from engines.files import read, readers_for, write
from engines.files.video import DepthOptions, Film, GifOptions
from engines.files.viewpath import CameraPathOptions
from tests.files import made, photo_sets

FLIP = np.diag([1.0, -1, -1, 1])


def seen(path: CameraPath) -> list[list[float]]:
    """Camera to world in OpenGL's axes, row by row, as nerfstudio has it."""
    return [(np.linalg.inv(m) @ FLIP).reshape(-1).tolist() for m in path.world_to_camera]


def nerfstudio_path(folder: Path, **changes: object) -> Path:
    """What nerfstudio's viewer writes: pictures on a straight way between two views that were set."""
    way = made.camera_path()
    views = seen(way)
    document = {
        "default_fov": 50.0,
        "default_transition_sec": 2.0,
        "keyframes": [{"matrix": views[i], "fov": 50.0, "aspect": 1.5} for i in (0, 4)],
        "camera_type": "perspective",
        "render_height": 48,
        "render_width": 72,
        "fps": 2,
        "seconds": 2.5,
        "is_cycle": False,
        "smoothness_value": 0.5,
        "camera_path": [{"camera_to_world": v, "fov": 40.0 + i, "aspect": 1.5} for i, v in enumerate(views)],
        "crop": None,
    }
    where = folder / "camera_path.json"
    where.write_text(json.dumps({k: v for k, v in {**document, **changes}.items() if v != "none"}))
    return where


def test_what_is_written_is_the_video_that_the_path_means(tmp_path):
    way = made.camera_path()
    write(way, tmp_path / "w.camera_path.json")
    document = json.loads((tmp_path / "w.camera_path.json").read_text())
    assert (document["render_width"], document["render_height"], document["fps"]) == (160, 90, 12.5)
    assert document["is_cycle"] is True
    assert len(document["camera_path"]) == 50
    camera = Track(way).cameras(picture_times(way))[17]
    frame = document["camera_path"][17]
    pose = np.reshape(frame["camera_to_world"], (4, 4)) @ FLIP
    np.testing.assert_allclose(pose, np.linalg.inv(camera.world_to_camera), atol=1e-12)
    assert 45 / np.tan(np.radians(frame["fov"]) / 2) == pytest.approx(camera.fy)
    assert [k["fov"] for k in document["keyframes"]] == way.fields_of_view.tolist()


def test_its_own_path_comes_back(tmp_path):
    write(made.camera_path(), tmp_path / "w.camera_path.json")
    back = read(tmp_path / "w.camera_path.json").artifacts[0]
    np.testing.assert_allclose(back.world_to_camera, made.camera_path().world_to_camera, atol=1e-12)
    assert back.name == "w"
    write(made.camera_path(), tmp_path / "camera_path.json")
    assert isinstance(read(tmp_path / "camera_path.json").artifacts[0], CameraPath)


def test_a_path_of_nerfstudio_gives_the_same_pictures_again(tmp_path):
    found = read(nerfstudio_path(tmp_path)).artifacts[0]
    way = made.camera_path()
    assert (found.width, found.height, found.rate, found.seconds, found.closed) == (72, 48, 2.0, 2.5, False)
    poses, angles = Track(found).poses(picture_times(found))
    np.testing.assert_allclose(poses, way.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(angles, [40, 41, 42, 43, 44])
    closed = read(nerfstudio_path(tmp_path, is_cycle=True)).artifacts[0]
    assert closed.closed
    np.testing.assert_allclose(Track(closed).poses(picture_times(closed))[0], way.world_to_camera, atol=1e-9)


def test_the_views_that_were_set_can_be_had_alone_in_both_forms(tmp_path):
    options = CameraPathOptions(views="keyframes")
    found = read(nerfstudio_path(tmp_path), options).artifacts[0]
    np.testing.assert_allclose(found.world_to_camera, made.camera_path().world_to_camera[[0, 4]], atol=1e-9)
    columns = [np.reshape(v, (4, 4)).T.reshape(-1).tolist() for v in seen(made.camera_path())]
    older = [{"matrix": json.dumps(columns[i]), "fov": 50.0, "aspect": 1.5} for i in (0, 4)]
    same = read(nerfstudio_path(tmp_path, keyframes=older), options).artifacts[0]
    np.testing.assert_allclose(same.world_to_camera, found.world_to_camera, atol=1e-12)
    assert same.even_speed


def test_poses_of_photos_can_be_read_as_a_path(tmp_path):
    where = photo_sets.nerf(tmp_path)
    assert isinstance(read(where).artifacts[0], Photos)  # what the name says comes first
    assert [r.key for r in readers_for(where)][:2] == ["transforms", "camera-path"]
    found = read(where, CameraPathOptions(seconds=4), "camera-path").artifacts[0]
    np.testing.assert_allclose(found.world_to_camera, made.photos().world_to_camera, atol=1e-9)
    np.testing.assert_allclose(found.fields_of_view, np.degrees(2 * np.arctan(6 / 21)))
    assert (found.width, found.height, found.seconds) == (16, 16, 4)  # 12 pixels are too few to render
    (tmp_path / "b").mkdir()
    angled = read(photo_sets.blender(tmp_path / "b"), format="camera-path").artifacts[0]
    np.testing.assert_allclose(angled.fields_of_view, np.degrees(2 * np.arctan(8 / 20)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"camera_path": [], "keyframes": []}, "has 0 views"),
        ({"camera_path": {"a": 1}}, "no list of views"),
        ({"camera_path": [{"fov": 40.0}]}, "no pose for view 1"),
        ({"camera_path": [{"camera_to_world": [1.0] * 16, "fov": 40.0}]}, "not rigid"),
        ({"camera_path": [{"camera_to_world": ["x"] * 16, "fov": 40.0}]}, "no usable number"),
        ({"fps": 0}, "0 a second"),
        ({"seconds": -3}, "a path of -3 s"),
        ({"render_width": 3}, "render_width of 3"),
        ({"camera_path": "none", "keyframes": "none"}, "describes no camera path"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(changes, words, tmp_path):
    with pytest.raises(UserError, match=words):
        read(nerfstudio_path(tmp_path, **changes))


def test_a_path_under_any_other_name_is_to_be_chosen(tmp_path):
    where = nerfstudio_path(tmp_path).rename(tmp_path / "2026-11-26.json")
    with pytest.raises(UserError, match="as a camera path"):
        read(where)
    assert isinstance(read(where, format="camera-path").artifacts[0], CameraPath)


def test_other_cameras_are_told(tmp_path):
    assert "fisheye" in read(nerfstudio_path(tmp_path, camera_type="fisheye")).problems[0]


def smooth() -> Video:
    """Four pictures that a lossy form keeps nearly: a bright bar that moves."""
    import io

    files = []
    for number in range(4):
        pixels = np.full((33, 65, 3), 40, np.uint8)
        pixels[:, 16 * number : 16 * number + 16] = 220
        out = io.BytesIO()
        PIL.Image.fromarray(pixels).save(out, "PNG")
        files.append(out.getvalue())
    return Video.packed(files, 65, 33, 10.0)


@pytest.mark.parametrize(("ending", "size"), [(".mp4", (32, 64)), (".gif", (33, 65))])
def test_a_video_as_one_file(ending, size, tmp_path):
    write(smooth(), tmp_path / f"v{ending}")
    found = iio.imread(tmp_path / f"v{ending}")[..., :3]
    assert found.shape == (4, *size, 3)
    for number, picture in enumerate(found):
        bright = picture[8:-8].mean((0, 2)) > 130
        assert np.abs(np.flatnonzero(bright).mean() - 16 * number - 7.5) < 1.5
    meta = iio.immeta(tmp_path / f"v{ending}")
    assert meta["fps"] == 10 if ending == ".mp4" else meta["duration"] == 100


def test_a_gif_is_made_small(tmp_path):
    write(smooth(), tmp_path / "v.gif", GifOptions(width=32))
    assert iio.imread(tmp_path / "v.gif").shape[:3] == (4, 16, 32)


def test_a_film_of_a_single_row_of_pixels_is_no_reason_to_fail(tmp_path):
    film = Film(tmp_path / "v.mp4", 5.0)
    film.add(np.full((1, 1, 3), 200, np.uint8))
    film.close()
    assert iio.imread(tmp_path / "v.mp4").shape[1:3] == (2, 2)


def test_numbered_pictures_are_the_pictures(tmp_path):
    video = made.video()
    write(video, tmp_path / "clip.frames.json")
    index = json.loads((tmp_path / "clip.frames.json").read_text())
    assert (index["rate"], index["width"], index["height"], len(index["files"])) == (12.5, 14, 10, 4)
    for number, name in enumerate(index["files"]):
        assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / name)), video.pixels(number))
    with pytest.raises(UserError, match="already something called 'clip_frames'"):
        write(video, tmp_path / "clip.frames.json")


def test_depth_pictures_say_their_unit_and_lose_less_than_half_a_level(tmp_path):
    video = made.depth_video()
    write(video, tmp_path / "d.depth.json")
    index = json.loads((tmp_path / "d.depth.json").read_text())
    assert (index["unit"], index["nothing"]) == ("m", 0)
    for number, name in enumerate(index["files"]):
        levels = np.asarray(PIL.Image.open(tmp_path / name))
        assert levels.dtype == np.uint16
        assert np.abs(levels * index["scale"] - video.depth[number]).max() <= index["scale"] / 2 * (1 + 1e-3)
        assert ((levels == 0) == (video.depth[number] == 0)).all()
    write(video, tmp_path / "mm.depth.json", DepthOptions(scale="millimetres"))
    first = np.asarray(PIL.Image.open(tmp_path / "mm_depth" / "00001.png"))
    assert np.abs(first / 1000 - video.depth[0]).max() <= 0.0005001
    far = video.replace(depth=video.depth * 20)
    with pytest.raises(UserError, match="thousandths"):
        write(far, tmp_path / "far.depth.json", DepthOptions(scale="millimetres"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Video.packed([], 4, 4, 5.0), "does not fit"),
        (lambda: Video.packed([b"x"], 0, 4, 5.0), "0×4"),
        (lambda: DepthVideo(depth=np.zeros((0, 2, 2))), "no picture"),
        (lambda: DepthVideo(depth=np.full((1, 2, 2), -1.0)), "negative"),
        (lambda: Video.packed([b"no picture"], 4, 4, 5.0).pixels(0), "cannot be read"),
    ],
)
def test_what_cannot_be_a_video_is_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()


def test_the_range_of_depths_leaves_nothing_out_of_account():
    assert made.depth_video().range == pytest.approx((0.5, 8.0), abs=0.2)
    assert DepthVideo(depth=np.zeros((2, 3, 3))).range == (0.0, 0.0)
