"""A folder of photos alone: which are taken, in which order, turned how, and what is said of the others."""

import io

import numpy as np
import PIL.Image
import pytest

from engines.core import Cancelled, UserError
from engines.data import Image, Photos, UnposedPhotos
from engines.files import file_of, read, readers_for
from engines.files.photo_folder import PhotoFolderOptions, focal_length_35mm
from tests.files import photo_sets


def save(path, width=16, height=12, orientation=None, film=None, kind="JPEG"):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)  # the upper left quarter is red
    exif = PIL.Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    if film:
        exif.get_ifd(0x8769)[0xA405] = film
    PIL.Image.fromarray(pixels).save(path, kind, exif=exif.tobytes(), quality=95)
    return path


def test_the_photos_of_a_folder_in_the_order_in_which_people_count(tmp_path):
    for name in ("IMG_10.jpg", "IMG_2.JPG", "img_1.jpeg", "notes.txt", ".hidden.jpg"):
        save(tmp_path / name)
    loaded = read(tmp_path)
    photos = loaded.artifacts[0]
    assert isinstance(photos, UnposedPhotos)
    assert photos.names == ("img_1.jpeg", "IMG_2.JPG", "IMG_10.jpg")
    assert photos.name == tmp_path.name
    assert photos.summary() == "3 photos, 16×12 pixels"
    assert photos.file(0) == (tmp_path / "img_1.jpeg").read_bytes(), "files are kept as they are"
    assert loaded.problems == ()


def test_photos_in_a_folder_images_are_found_and_a_dataset_with_cameras_comes_first(tmp_path):
    (tmp_path / "images").mkdir()
    save(tmp_path / "images" / "a.png", kind="PNG")
    assert read(tmp_path).artifacts[0].names == ("a.png",)
    assert [r.key for r in readers_for(tmp_path / "images" / "a.png")] == ["image"]
    assert isinstance(read(tmp_path / "images" / "a.png").artifacts[0], Image)
    other = tmp_path / "posed"
    photo_sets.nerf(other)
    assert [r.key for r in readers_for(other)] == ["transforms", "photo-folder"]
    assert isinstance(read(other).artifacts[0], Photos)
    assert len(read(other, format="photo-folder").artifacts[0]) == 6
    assert file_of(tmp_path) == tmp_path
    assert file_of(other).name == "transforms.json"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_that_lie_on_their_side_are_turned_upright(orientation, tmp_path):
    save(tmp_path / "a.jpg", orientation=orientation, film=28)
    loaded = read(tmp_path)
    photos = loaded.artifacts[0]
    shown = photos.pixels(0)
    red = {1: (0, 0), 3: (1, 1), 6: (0, 1), 8: (1, 0)}[orientation]  # where the stored corner comes to lie
    assert shown.shape[:2] == ((12, 16) if orientation in (1, 3) else (16, 12))
    middle = [round((c + 0.5) * s / 2) - 1 for c, s in zip(red, shown.shape, strict=False)]
    assert shown[middle[0], middle[1], 0] > 200
    assert loaded.problems == ("1 of 1 photos were turned upright, as their camera says.",) or orientation == 1
    assert PIL.Image.open(io.BytesIO(photos.file(0))).getexif().get(0x0112, 1) == 1
    assert focal_length_35mm(photos.file(0)) == 28, "the rest of what the camera wrote stays"


def test_the_focal_length_is_none_where_no_camera_wrote_one(tmp_path):
    assert focal_length_35mm(save(tmp_path / "a.jpg").read_bytes()) is None
    assert focal_length_35mm(b"nothing") is None


def test_what_is_left_out_is_named(tmp_path):
    save(tmp_path / "a.jpg")
    save(tmp_path / "b.jpg", width=20)
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "phone.heic").write_bytes(b"...")
    loaded = read(tmp_path)
    assert loaded.artifacts[0].names == ("a.jpg", "b.jpg")
    said = " ".join(loaded.problems)
    assert "1 of 4 photos are neither PNG nor JPEG and were left out: phone.heic." in said
    assert "broken.png (not PNG or JPEG)" in said
    assert "2 different sizes" in said


def test_a_selection_of_photos(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        save(tmp_path / name)
    loaded = read(tmp_path, PhotoFolderOptions(only="c.jpg; a.jpg;gone.jpg"))
    assert loaded.artifacts[0].names == ("a.jpg", "c.jpg")
    assert loaded.problems == ("1 of 3 photos are missing: gone.jpg.",)
    with pytest.raises(UserError, match="none of these photos"):
        read(tmp_path, PhotoFolderOptions(only="x.jpg"))


def test_a_folder_of_broken_photos_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="no photo that can be read") as refused:
        read(tmp_path)
    assert "a.jpg" in refused.value.why


@pytest.mark.parametrize("posed", [True, False])
def test_reading_tells_how_far_it_is_and_can_be_stopped(posed, tmp_path):
    if posed:
        photo_sets.nerf(tmp_path, k1=0.05)
    else:
        photo_sets.save_photos(tmp_path)
    told = []
    read(tmp_path, tell=lambda fraction, text: told.append((fraction, text)))
    fractions = [f for f, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert any("(3 of 6)" in text for _, text in told)

    def stop(fraction, text):
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        read(tmp_path, tell=stop)
