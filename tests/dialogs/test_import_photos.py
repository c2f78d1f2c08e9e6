"""Photos in the import dialog: folders and selections, with cameras or without."""

import dataclasses
import json
import time

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton

from engines.data import Image, Photos, UnposedPhotos
from engines.files import registry
from tests.dialogs.importing import add, ready
from tests.files import photo_sets

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def shots(tmp_path):
    folder = tmp_path / "garden"
    folder.mkdir()
    for index in range(4):
        PIL.Image.fromarray(np.full((30, 40, 3), 50 * index, np.uint8)).save(folder / f"IMG_{index}.jpg")
    return folder


def fact(dialog, name):
    return dialog.page().findChild(QLabel, f"fact:{name}").text()


def test_a_folder_of_photos(open_dialog, project, shots, qtbot):
    dialog = open_dialog(shots)
    ready(qtbot, dialog)
    assert fact(dialog, "Photos") == "4"
    assert "structure from motion" in fact(dialog, "Cameras")
    assert fact(dialog, "Focal length") == "not in the files"
    assert "in 4 files" in fact(dialog, "Size")
    (key,) = add(qtbot, dialog)
    assert project.entries[key].name == "garden"
    assert isinstance(project.artifact(key), UnposedPhotos)
    assert project.entries[key].link is None


@pytest.mark.parametrize("posed", [True, False])
def test_photos_may_stay_in_their_folder(posed, open_dialog, project, shots, qtbot):
    if posed:
        photo_sets.nerf(shots)
    dialog = open_dialog(shots)
    ready(qtbot, dialog)
    box = dialog.page().findChild(QCheckBox, "import_link")
    assert box.isVisible()
    assert box.text().startswith("Link to the folder (")
    box.click()
    (key,) = add(qtbot, dialog)
    link = project.entries[key].link
    assert len(link.files) == (6 if posed else 4)
    assert project.link_state(key) == "there"
    project._content.cache.drop(key)
    assert isinstance(project.artifact(key), Photos if posed else UnposedPhotos)


def test_pictures_chosen_together_are_photos_of_one_scene_or_single_images(open_dialog, project, shots, qtbot):
    some = sorted(shots.iterdir())[:3]
    dialog = open_dialog(*some)
    ready(qtbot, dialog)
    assert dialog.files.count() == 1
    assert dialog.files.item(0).text().startswith("3 photos of garden")
    assert dialog.current.source.names == tuple(p.name for p in some)
    apart = dialog.page().findChild(QPushButton, "import_apart")
    assert apart.isVisible()
    qtbot.mouseClick(apart, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.files.count() == 3)
    ready(qtbot, dialog)
    assert not dialog.page().findChild(QPushButton, "import_apart").isVisible()
    ids = add(qtbot, dialog)
    assert [type(project.artifact(key)) for key in ids] == [Image] * 3


def test_two_pictures_are_two_images(open_dialog, shots, qtbot):
    dialog = open_dialog(*sorted(shots.iterdir())[:2])
    ready(qtbot, dialog)
    assert [type(item.source) for item in dialog.items] == [Image] * 2


def test_reading_photos_says_how_far_it_is_and_stops(open_dialog, shots, qtbot, monkeypatch):
    reader = registry.READERS["photo-folder"]
    passed = []

    def slow(path, options, tell):
        for step in range(10_000):
            passed.append(step)
            tell(step / 10_000, f"Reading photos ({step} of 10,000)")
            time.sleep(0.01)
        raise AssertionError("it was not stopped")

    monkeypatch.setitem(registry.READERS, "photo-folder", dataclasses.replace(reader, function=slow))
    dialog = open_dialog(shots)
    said = dialog.preview.findChild(QLabel, "preview_status")
    qtbot.waitUntil(lambda: "Reading photos (" in said.text(), timeout=20_000)
    qtbot.mouseClick(dialog.preview.stop_button, Qt.MouseButton.LeftButton)
    assert dialog.current.state == "cancelled"
    count = len(passed)
    qtbot.wait(100)
    assert len(passed) <= count + 1, "it went on after it was stopped"


def test_all_photos_that_are_missing_can_be_read_of(open_dialog, tmp_path, qtbot):
    path = photo_sets.nerf(tmp_path)
    document = json.loads(path.read_text())
    lost = [f"images/a_photo_that_was_lost_on_the_way_from_the_garden_{index:03d}.png" for index in range(5)]
    document["frames"] += [{**document["frames"][0], "file_path": name} for name in lost]
    path.write_text(json.dumps(document))
    dialog = open_dialog(tmp_path)
    ready(qtbot, dialog)
    notice = dialog.page().problems
    assert lost[0] in notice.message
    assert lost[-1] not in notice.message
    assert "others." in notice.message
    qtbot.mouseClick(notice.findChild(QPushButton, "import_problems_show_all"), Qt.MouseButton.LeftButton)
    assert all(name in notice.message for name in lost)
    qtbot.mouseClick(notice.findChild(QPushButton, "import_problems_show_less"), Qt.MouseButton.LeftButton)
    assert lost[-1] not in notice.message
