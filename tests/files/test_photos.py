"""Photos with cameras: every dataset's form gives the same cameras, and every fault is named."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from engines.blocks.lenses import Lens
from engines.core import UserError
from engines.data import Photos
from engines.files import READERS, file_of, read, readers_for, write
from engines.files.colmap import ColmapOptions
from engines.files.llff import LlffOptions
from engines.files.transforms import TransformsOptions
from tests.files import made, photo_sets
from tests.files.test_bad_input import refused

REAL = Path(os.environ.get("FIELDWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "photos"


def same_cameras(found: Photos, intrinsics: tuple[float, ...] = (20.0, 21.0, 8.25, 5.5), scale: float = 1) -> None:
    expected = made.photos()
    np.testing.assert_allclose(found.world_to_camera, expected.world_to_camera, atol=1e-12)
    np.testing.assert_allclose(found.intrinsics, np.tile(intrinsics, (len(found), 1)) * scale, rtol=1e-12)
    for i in range(len(found)):
        if scale == 1:
            assert np.array_equal(found.pixels(i)[..., :3], expected.pixels(i))


# --- the same cameras from every form ----------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_colmap(text, tmp_path):
    model = photo_sets.colmap(tmp_path, text)
    for opened in (tmp_path, tmp_path / "sparse", model, *sorted(model.iterdir())):
        loaded = read(opened)
        assert loaded.problems == ()
        photos = loaded.artifacts[0]
        same_cameras(photos)
        np.testing.assert_allclose(photos.points, made.photos().points, rtol=1e-15)
        assert np.array_equal(photos.point_colors, made.photos().point_colors)
        assert photos.names == tuple(f"p{i}.png" for i in range(6))
        assert photos.name == tmp_path.name


@pytest.mark.parametrize(
    ("model", "params", "fx", "fy"),
    [("SIMPLE_PINHOLE", (20, 8, 6), 20, 20), ("PINHOLE", (20, 21, 8, 6), 20, 21),
     ("SIMPLE_RADIAL", (20, 8, 6, 0), 20, 20), ("RADIAL", (20, 8, 6, 0, 0), 20, 20),
     ("OPENCV", (20, 21, 8, 6, 0, 0, 0, 0), 20, 21)],
)  # fmt: skip
@pytest.mark.parametrize("text", [False, True])
def test_colmap_cameras(model, params, fx, fy, text, tmp_path):
    photo_sets.colmap(tmp_path, text, model, params)
    same_cameras(read(tmp_path).artifacts[0], (fx, fy, 8, 6))


@pytest.mark.parametrize(
    ("model", "params", "lens"),
    [
        ("SIMPLE_RADIAL", (20, 8, 6, 0.1), Lens(20, 20, 8, 6, 16, 12, (0.1, 0, 0, 0))),
        ("RADIAL", (20, 8, 6, 0.1, -0.05), Lens(20, 20, 8, 6, 16, 12, (0.1, -0.05, 0, 0))),
        ("OPENCV", (20, 21, 8, 6, 0.1, -0.05, 0.01, 0.02), Lens(20, 21, 8, 6, 16, 12, (0.1, -0.05, 0, 0),
                                                                (0.01, 0.02))),
        ("OPENCV_FISHEYE", (20, 21, 8, 6, 0.1, 0.05, 0.01, 0), Lens(20, 21, 8, 6, 16, 12, (0.1, 0.05, 0.01, 0),
                                                                     fisheye=True)),
    ],
)  # fmt: skip
def test_colmap_lenses_are_straightened(model, params, lens, tmp_path):
    photo_sets.colmap(tmp_path, model=model, params=params)
    loaded = read(tmp_path)
    photos, pinhole = loaded.artifacts[0], lens.pinhole()[0]
    assert "distortion of the lens was undone in 6 photos: of 16×12 pixels" in loaded.problems[0]
    assert photos.sizes.tolist() == [[pinhole.width, pinhole.height]] * 6
    np.testing.assert_allclose(photos.intrinsics[0], [pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy])
    assert photos.pixels(0).shape == (pinhole.height, pinhole.width, 3)


def test_scaled_photos_of_colmap(tmp_path):
    photo_sets.colmap(tmp_path)
    photo_sets.save_photos(tmp_path / "images_2", scale=2)
    loaded = read(tmp_path, ColmapOptions(photos="images_2"))
    same_cameras(loaded.artifacts[0], scale=0.5)
    assert loaded.problems == ("The cameras of 6 photos were scaled from 16×12 to 8×6 pixels.",)
    refused(tmp_path / "sparse" / "0" / "cameras.bin", "no photos in a folder 'images_8'", "images, images_2",
            options=ColmapOptions(photos="images_8"))  # fmt: skip
    (tmp_path / "images").rename(tmp_path / "away")
    assert "no folder 'images'; the photos in 'images_2' were taken" in read(tmp_path).problems[0]


def test_our_model_is_read_as_pycolmap_reads_it(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    model = photo_sets.colmap(tmp_path, points=False)
    theirs, ours = pycolmap.Reconstruction(str(model)), read(tmp_path).artifacts[0]
    for image in theirs.images.values():
        index = ours.names.index(image.name)
        found = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
        np.testing.assert_allclose(ours.world_to_camera[index], found, atol=1e-12)
        np.testing.assert_allclose(ours.intrinsics[index], image.camera.params)
    theirs.write_text(str(model))
    for name in ("cameras", "images", "points3D"):
        (model / f"{name}.bin").unlink()
    again = read(tmp_path).artifacts[0]
    np.testing.assert_allclose(again.world_to_camera, ours.world_to_camera, atol=1e-12)
    lens = pycolmap.Camera(model="OPENCV", width=16, height=12, params=[20, 21, 8, 6, 0.1, -0.05, 0.01, 0.02])
    mine = Lens(20, 21, 8, 6, 16, 12, (0.1, -0.05, 0, 0), (0.01, 0.02))
    ray = np.array([0.2, -0.1])
    np.testing.assert_allclose(mine.bend(ray) * [20, 21] + [8, 6], lens.img_from_cam(np.array([*ray, 1.0])), atol=1e-9)


@pytest.mark.parametrize("name", ["transforms.json", "transforms_all.json", "anything.json"])
def test_transforms(name, tmp_path):
    path = photo_sets.nerf(tmp_path, name)
    loaded = read(path)
    assert loaded.problems == ("No points of the scene are known: training begins with random ones.",)
    same_cameras(loaded.artifacts[0])
    assert loaded.artifacts[0].held_out is None
    if name != "anything.json":
        same_cameras(read(tmp_path).artifacts[0])


def test_cameras_of_each_frame_and_by_angle(tmp_path):
    path = photo_sets.nerf(tmp_path, fl_x=None, fl_y=None, cx=None, cy=None, w=None, h=None)
    whole = json.loads(path.read_text())
    for i, frame in enumerate(whole["frames"]):
        frame |= {"fl_x": 20.0 + i, "fl_y": 30.0 + i, "cx": 8.0, "cy": 6.0, "w": 16, "h": 12}
    path.write_text(json.dumps(whole))
    assert read(path).artifacts[0].intrinsics[:, :2].tolist() == [[20 + i, 30 + i] for i in range(6)]
    angles = {"camera_angle_x": 2 * np.arctan(8 / 25), "camera_angle_y": 2 * np.arctan(6 / 26)}
    path = photo_sets.nerf(tmp_path, fl_x=None, fl_y=None, cx=None, cy=None, w=None, h=None, **angles)
    np.testing.assert_allclose(read(path).artifacts[0].intrinsics[0], [25, 26, 8, 6])


def test_nerf_synthetic_with_its_held_out_splits(tmp_path):
    path = photo_sets.blender(tmp_path)
    for opened in (path, tmp_path):
        photos = read(opened).artifacts[0]
        assert photos.held_out.tolist() == [False, False, True, True, True, True]
        np.testing.assert_allclose(photos.world_to_camera, made.photos().world_to_camera, atol=1e-12)
        np.testing.assert_allclose(photos.intrinsics, np.tile([20, 20, 8, 6], (6, 1)))
        assert photos.pixels(0).shape == (12, 16, 4)
        assert photos.names[0] == "train/r_0.png"
    for file in (tmp_path / "test").iterdir():
        file.unlink()
    loaded = read(path)
    assert loaded.artifacts[0].held_out.tolist() == [False, False, True, True]
    assert "The photos of 'transforms_test.json' are not there; it was not used." in loaded.problems


def test_nerfstudio_points_masks_and_axes(tmp_path):
    photos = made.photos()
    write(made.cloud().replace(points=photos.points, normals=None, scalars={}, colors=None), tmp_path / "sparse_pc.ply")
    (tmp_path / "masks").mkdir()
    mask = np.zeros((12, 16), np.uint8)
    mask[3:9, 4:12] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "masks" / "m.png")
    applied = [[1.0, 0, 0, 0.5], [0, 0, 1, 0], [0, -1, 0, 0]]
    path = photo_sets.nerf(tmp_path, ply_file_path="sparse_pc.ply", applied_transform=applied, camera_model="OPENCV")
    whole = json.loads(path.read_text())
    for frame in whole["frames"][:4]:
        frame["mask_path"] = "masks/m.png"
    whole["frames"][4]["mask_path"] = "masks/gone.png"
    whole["test_filenames"] = ["images/p5.png"]
    path.write_text(json.dumps(whole))
    loaded = read(path)
    found = loaded.artifacts[0]
    same_cameras(found)
    assert np.array_equal(found.points, photos.points)
    assert found.held_out.tolist() == [False] * 5 + [True]
    assert np.array_equal(found.pixels(0)[..., 3], mask)
    assert found.pixels(5).shape[2] == 3
    assert loaded.problems == (
        "The masks of 4 photos became their transparency.",
        "The masks of 1 photos are missing: images/p4.png.",
    )
    back = read(path, TransformsOptions(original_axes=True)).artifacts[0]
    A = np.vstack([applied, [0, 0, 0, 1]])
    np.testing.assert_allclose(back.world_to_camera, found.world_to_camera @ A, atol=1e-12)  # of points before A
    np.testing.assert_allclose(back.points, (found.points - A[:3, 3]) @ A[:3, :3], atol=1e-12)


def test_transforms_with_distortion_and_fisheye(tmp_path):
    lens = Lens(20, 21, 8.25, 5.5, 16, 12, (0.05, -0.02, 0.01, 0), (1e-3, 2e-3))
    loaded = read(photo_sets.nerf(tmp_path, k1=0.05, k2=-0.02, k3=0.01, p1=1e-3, p2=2e-3))
    assert loaded.artifacts[0].sizes[0].tolist() == [lens.pinhole()[0].width, lens.pinhole()[0].height]
    fisheye = Lens(20, 21, 8.25, 5.5, 16, 12, (0.05, 0.02, 0, 0), fisheye=True).pinhole()[0]
    for how in ({"camera_model": "OPENCV_FISHEYE"}, {"is_fisheye": True}):
        loaded = read(photo_sets.nerf(tmp_path, k1=0.05, k2=0.02, **how))
        np.testing.assert_allclose(loaded.artifacts[0].intrinsics[0], [20, 21, fisheye.cx, fisheye.cy])


def test_llff(tmp_path):
    path = photo_sets.llff(tmp_path)
    for opened in (path, tmp_path):
        loaded = read(opened)
        same_cameras(loaded.artifacts[0], (20, 20, 8, 6))
    photo_sets.save_photos(tmp_path / "images_4", scale=4)
    same_cameras(read(path, LlffOptions(photos="images_4")).artifacts[0], (20, 20, 8, 6), 0.25)


def test_jpegs_are_kept_as_they_are_and_straightened_ones_stay_jpeg(tmp_path):
    path = photo_sets.nerf(tmp_path)
    files = [photo_sets.jpeg(made.photos().pixels(i)) for i in range(6)]
    for i, data in enumerate(files):
        (tmp_path / "images" / f"p{i}.png").write_bytes(data)  # the content tells
    photos = read(path).artifacts[0]
    assert photos.encoded.tobytes() == b"".join(files)
    path = photo_sets.nerf(tmp_path, k1=0.01)
    for i, data in enumerate(files):
        (tmp_path / "images" / f"p{i}.png").write_bytes(data)
    assert read(path).artifacts[0].encoded[:3].tobytes() == b"\xff\xd8\xff"


# --- written and read again --------------------------------------------------------------------------


def test_what_is_written_comes_back(tmp_path):
    item = made.photos()
    write(item, tmp_path / "set" / "transforms.json")
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["images", "points.ply", "transforms.json"]
    loaded = read(tmp_path / "set")
    back = loaded.artifacts[0]
    assert loaded.problems == ()
    assert made.differences(item, back, ("names", "world_to_camera")) == []
    np.testing.assert_allclose(back.world_to_camera, item.world_to_camera, atol=1e-14)
    assert back.names == tuple(f"images/photo_{i}.png" for i in range(6))
    write(item.replace(names=()), tmp_path / "nameless" / "transforms.json")
    assert read(tmp_path / "nameless").artifacts[0].names[5] == "images/photo_6.png"
    write(item.replace(names=("a/x.png", "b/X.png") * 3), tmp_path / "alike" / "transforms.json")
    assert read(tmp_path / "alike").artifacts[0].names[1] == "images/00001_X.png"
    write(item, tmp_path / "again" / "transforms.json")
    for file in (tmp_path / "set").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(tmp_path / "set")).read_bytes()


def test_nothing_is_mixed_with_what_lies_there(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "precious.jpg").write_text("x")
    with pytest.raises(UserError, match=r"already something called 'images' beside 'transforms\.json'") as caught:
        write(made.photos(), tmp_path / "transforms.json")
    assert "empty folder" in caught.value.mend
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images"]
    write(made.photos(), tmp_path / "torus.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "torus.json", "torus_images", "torus_points.ply"]
    assert read(tmp_path / "torus.json").artifacts[0].name == "torus"


def test_readers_know_files_by_name_and_folders_by_what_is_in_them(tmp_path):
    model = photo_sets.colmap(tmp_path)
    assert [r.key for r in readers_for(tmp_path)] == ["colmap", "photo-folder"]
    assert file_of(tmp_path) == model / "cameras.bin"
    assert "cameras.bin" in READERS["colmap"].patterns
    assert READERS["transforms"].patterns[:2] == ("*.json", "transforms.json")
    photo_sets.nerf(tmp_path)
    assert [r.key for r in readers_for(tmp_path)] == ["colmap", "transforms", "photo-folder"]
    assert file_of(tmp_path, "transforms") == tmp_path / "transforms.json"
    assert read(tmp_path, format="transforms").artifacts[0].points is None
    photo_sets.llff(tmp_path)
    assert readers_for(tmp_path / "poses_bounds.npy")[0].key == "llff"
    assert [r.key for r in readers_for(tmp_path / "poses_bounds.npy")] == ["llff", "npy", "npy-field"]
    (tmp_path / "empty").mkdir()
    assert readers_for(tmp_path / "empty") == []
    refused(tmp_path / "empty", "is not a file", "cameras.bin", "transforms.json")


# --- bad input -----------------------------------------------------------------------------------------


def edited(folder: Path, change, **settings) -> Path:
    path = photo_sets.nerf(folder, **settings)
    whole = json.loads(path.read_text())
    change(whole["frames"])
    path.write_text(json.dumps(whole))
    return path


def test_missing_photos_are_listed_and_too_many_refused(tmp_path):
    path = photo_sets.nerf(tmp_path)
    for i in (1, 4):
        (tmp_path / "images" / f"p{i}.png").unlink()
    loaded = read(path)
    assert "2 of 6 photos are missing and were left out: images/p1.png, images/p4.png." in loaded.problems
    assert loaded.artifacts[0].names == ("images/p0.png", "images/p2.png", "images/p3.png", "images/p5.png")
    for i in (0, 2):
        (tmp_path / "images" / f"p{i}.png").unlink()
    refused(path, "lost most of its photos", "2 of 6", "images/p0.png")
    for i in (3, 5):
        (tmp_path / "images" / f"p{i}.png").unlink()
    refused(path, "lost most of its photos", "0 of 6")


def test_no_photos_at_all(tmp_path):
    refused(edited(tmp_path, lambda frames: frames.clear()), "names no photos")
    folder = tmp_path / "a" / "b" / "c"
    model = photo_sets.colmap(folder)
    for file in (folder / "images").iterdir():
        file.unlink()
    refused(model / "images.bin", "lost most of its photos", "p0.png")
    (folder / "images").rmdir()
    refused(model / "images.bin", "no folder with photos")


def test_damaged_photos_are_listed(tmp_path):
    path = photo_sets.nerf(tmp_path)
    file = tmp_path / "images" / "p2.png"
    file.write_bytes(file.read_bytes()[:-300])
    (tmp_path / "images" / "p3.png").write_text("no picture")
    loaded = read(path)
    assert len(loaded.artifacts[0]) == 4
    assert loaded.problems[0].startswith("2 photos cannot be read and were left out: images/p2.png (")
    assert "images/p3.png (not PNG or JPEG)" in loaded.problems[0]


def test_photos_that_would_fill_the_memory(tmp_path):
    path = photo_sets.nerf(tmp_path)
    for name, side in (("p1.png", 100_000), ("p2.png", 14_500)):
        raw = bytearray((tmp_path / "images" / name).read_bytes())
        raw[16:24] = struct.pack(">II", side, side)
        raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
        (tmp_path / "images" / name).write_bytes(raw)
    tracemalloc.start()
    loaded = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert loaded.problems[0].startswith("2 photos cannot be read and were left out: images/p1.png (")
    assert "images/p2.png (too many pixels)" in loaded.problems[0]


def test_mixed_sizes(tmp_path):
    path = photo_sets.nerf(tmp_path)
    file = tmp_path / "images" / "p2.png"
    PIL.Image.open(file).resize((32, 24)).save(file)
    loaded = read(path)  # the cameras say that they are for 16×12
    assert "The photos have 2 different sizes." in loaded.problems
    np.testing.assert_allclose(loaded.artifacts[0].intrinsics[2], [40, 42, 16.5, 11])
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in whole.items() if k not in "wh"}))
    refused(path, "mixed sizes", "16×12, 32×24")
    PIL.Image.open(file).resize((16, 20)).save(file)
    path.write_text(json.dumps(whole))
    refused(path, "does not fit the photo 'images/p2.png'", "16×20", "16×12")


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([1, 1, 1.01, 1]), ("not rigid", "images/p1.png")),
        (np.diag([1, 1, -1, 1]), ("not rigid", "It mirrors")),
        (np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), ("not rigid", "sheared")),
        (np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0.5, 1]]), ("not rigid",)),
        (np.array([[1, 0, 0, np.nan], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), ("not finite", "images/p1.png")),
        (np.array([[1, 0, 0, np.inf], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), ("not finite", "images/p1.png")),
    ],
)
def test_poses_that_are_none(matrix, words, tmp_path):
    path = edited(tmp_path, lambda frames: frames[1].update(transform_matrix=matrix.tolist()))
    refused(path, *words)
    pose = np.linalg.inv(made.photos().world_to_camera[1]) @ np.diag([1.0, -1, -1, 1])
    if words[0] == "not rigid" and abs(matrix[3, 2]) == 0:  # the same with a table of LLFF
        where = photo_sets.llff(tmp_path / "l")
        table = np.load(where)
        block = table[1, :15].reshape(3, 5)
        block[:, :3] = (pose @ matrix)[:3, :3]
        table[1, :15] = block.reshape(-1)
        np.save(where, table)
        refused(where, "not rigid", "p1.png")


def test_poses_of_colmap_that_are_none(tmp_path):
    model = photo_sets.colmap(tmp_path, text=True)
    good = (model / "images.txt").read_text()
    lines = good.splitlines()
    words = lines[1].split()
    for quaternion, said in (("0 0 0 0", "length of its quaternion is 0"), ("nan 0 0 1", "nan"), ("2 0 0 0", "2")):
        bad = [lines[0], " ".join([words[0], *quaternion.split(), *words[5:]]), *lines[2:]]
        (model / "images.txt").write_text("\n".join(bad))
        refused(model / "images.txt", "not rigid", said)


@pytest.mark.parametrize("focal", [0, -500.0])
def test_focal_lengths_that_are_not_positive(focal, tmp_path):
    refused(photo_sets.nerf(tmp_path / "t", fl_x=focal), "focal length that is not positive", "images/p0.png")
    photo_sets.colmap(tmp_path / "c", params=(20.0, focal, 8, 6))
    refused(tmp_path / "c" / "sparse" / "0" / "cameras.bin", "focal length that is not positive")
    path = photo_sets.llff(tmp_path / "l")
    table = np.load(path)
    table[:, 14] = focal
    np.save(path, table)
    refused(path, "focal length that is not positive")
    refused(photo_sets.nerf(tmp_path / "n", fl_x=None, fl_y=None), "focal length that is not positive")
    refused(photo_sets.nerf(tmp_path / "a", fl_x=None, fl_y=None, camera_angle_x=4.0), "focal length")


def test_models_that_are_not_read_are_named(tmp_path):
    photo_sets.colmap(tmp_path / "c", model="FULL_OPENCV", params=(20, 21, 8, 6, *[0.1] * 8))
    refused(tmp_path / "c" / "sparse" / "0" / "cameras.bin", "model FULL_OPENCV", "image_undistorter")
    photo_sets.colmap(tmp_path / "t", True, "THIN_PRISM_FISHEYE", (20,) * 12)
    refused(tmp_path / "t" / "sparse" / "0" / "cameras.txt", "model THIN_PRISM_FISHEYE")
    refused(photo_sets.nerf(tmp_path / "e", camera_model="EQUIRECTANGULAR"), "model EQUIRECTANGULAR", "OPENCV_FISHEYE")
    refused(photo_sets.nerf(tmp_path / "f", ftheta_p0=1.0), "ftheta")
    photo_sets.colmap(tmp_path / "d", True, "OPENCV", (20, 21, 8, 6))
    refused(tmp_path / "d" / "sparse" / "0" / "cameras.txt", "4 parameters", "OPENCV has 8")


def test_distortion_that_cannot_be_undone(tmp_path):
    refused(photo_sets.nerf(tmp_path, k1=-900.0), "distortion cannot be undone", "images/p0.png")
    refused(photo_sets.nerf(tmp_path, k1=1e290), "distortion cannot be undone")


def test_no_points_and_points_that_are_elsewhere(tmp_path):
    photo_sets.colmap(tmp_path / "c", points=False)
    none = "No points of the scene are known: training begins with random ones."
    assert read(tmp_path / "c").problems == (none,)
    (tmp_path / "c" / "sparse" / "0" / "points3D.bin").unlink()
    assert read(tmp_path / "c").problems == (none,)
    loaded = read(photo_sets.nerf(tmp_path, ply_file_path="../secret.ply"))
    assert "points lie outside of the dataset" in loaded.problems[0]
    loaded = read(photo_sets.nerf(tmp_path, ply_file_path="gone.ply"))
    assert "file of the points is missing: gone.ply" in loaded.problems[0]


def test_all_cameras_at_one_point(tmp_path):
    def gather(frames):
        for frame in frames:
            for row in frame["transform_matrix"][:3]:
                row[3] = 0.25

    assert "All cameras stand at one point: no depth can be told from them." in read(edited(tmp_path, gather)).problems


@pytest.mark.parametrize(
    "where", ["../out/p0.png", "/etc/passwd", "images/../../out/p0.png", "link/p0.png", "..\\out\\p0.png"]
)
def test_photos_outside_of_the_dataset_are_not_read(where, tmp_path):
    folder = tmp_path / "in"
    photo_sets.save_photos(tmp_path / "out")
    folder.mkdir()
    os.symlink(tmp_path / "out", folder / "link")
    loaded = read(edited(folder, lambda frames: frames[0].update(file_path=where)))
    assert "1 photos lie outside of the dataset and are not read" in loaded.problems[0]
    assert len(loaded.artifacts[0]) == 5
    inside = str(folder / "images" / "p0.png")  # absolute, but where it may be
    assert len(read(edited(folder, lambda frames: frames[0].update(file_path=inside))).artifacts[0]) == 6


def test_documents_that_are_something_else(tmp_path):
    cases = {"[]": "describes no photos", "{": "no valid JSON", '{"frames": 3}': "describes no photos",
             '{"frames": [{}]}': "frame without a file", '{"frames": [{"file_path": "a.png"}]}': "no pose for 'a.png'",
             "[" * 100_000: "no valid JSON",
             '{"frames": [{"file_path": "a", "transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,"x",0]]}]}': "usable number",
             }  # fmt: skip
    for text, said in cases.items():
        (tmp_path / "transforms.json").write_text(text)
        refused(tmp_path / "transforms.json", said)
    refused(photo_sets.nerf(tmp_path, fl_x="wide"), "no usable number", "fl_x of 'images/p0.png': wide")
    np.save(tmp_path / "poses_bounds.npy", np.zeros((3, 16)))
    refused(tmp_path / "poses_bounds.npy", "not a table of poses", "(3, 16)")
    np.save(tmp_path / "poses_bounds.npy", np.array([{}], object), allow_pickle=True)
    refused(tmp_path / "poses_bounds.npy", "Python objects are never loaded")


def test_llff_counts_must_fit(tmp_path):
    path = photo_sets.llff(tmp_path)
    (tmp_path / "images" / "p3.png").unlink()
    refused(path, "does not fit its photos", "6 poses", "5 photos")


def test_parts_of_a_model_that_are_missing(tmp_path):
    model = photo_sets.colmap(tmp_path)
    (model / "images.bin").unlink()
    refused(model / "cameras.bin", "a model without 'images.bin'")
    model = photo_sets.colmap(tmp_path / "two")
    data = bytearray((model / "cameras.bin").read_bytes())
    data[8] = 9  # its number
    (model / "cameras.bin").write_bytes(data)
    refused(model / "images.bin", "names a camera that is not there")
    (model.parent / "1").mkdir()
    photo_sets.colmap(tmp_path / "three")
    (tmp_path / "three" / "sparse" / "1").mkdir()
    assert "There are 2 models; the one in '0' was read." in read(tmp_path / "three").problems


@pytest.mark.parametrize("part", ["cameras", "images", "points3D"])
def test_absurd_counts_of_colmap(part, tmp_path):
    model = photo_sets.colmap(tmp_path)
    file = model / f"{part}.bin"
    file.write_bytes((2**60).to_bytes(8, "little") + file.read_bytes()[8:])
    refused(model / "cameras.bin", "shorter than it says", "1,152,921,504,606,846,976 entries")


# --- real photos -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not (REAL / "fox_half").is_dir(), reason="the photos of the fox are not here")
def test_the_fox():
    loaded = read(REAL / "fox_half")
    photos = loaded.artifacts[0]
    assert len(photos) == 50
    assert loaded.problems[0].startswith("17 of 67 photos are missing and were left out: images/0005.jpg")
    assert "distortion of the lens was undone in 50 photos: of 540×960 pixels 533×951 are left." in loaded.problems[1]
    assert photos.pixels(0).shape == (951, 533, 3)
    seen = -photos.world_to_camera[:, 2, :3]  # all photos look at the fox, from in front
    assert (seen @ seen.mean(0) > 0).all()


@pytest.mark.skipif(not (REAL / "lego_400").is_dir(), reason="the views of the Lego scene are not here")
def test_lego():
    loaded = read(REAL / "lego_400")
    photos = loaded.artifacts[0]
    assert (len(photos), photos.held_out) == (100, None)
    assert photos.pixels(0).shape == (400, 400, 4)
    np.testing.assert_allclose(photos.intrinsics[0], [555.555, 555.555, 200, 200], rtol=1e-4)
    centres = -np.einsum("nji,nj->ni", photos.world_to_camera[:, :3, :3], photos.world_to_camera[:, :3, 3])
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 4.03, atol=0.01)
    np.testing.assert_allclose(photos.world_to_camera[:, 2, :3], -centres / 4.031, atol=0.01)  # they look at its middle
