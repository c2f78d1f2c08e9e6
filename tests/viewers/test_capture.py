import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QTimer

from app.viewers import capture
from app.viewers.registry import Shown
from engines.core import UserError
from tests.viewers.conftest import ball, curve


@pytest.fixture
def scene(show):
    made = show("scene")
    scale = np.linspace(0, 1, 24 * 48).astype(np.float32)
    made.show_artifacts([Shown("m", "Ball", ball(scalars={"height": scale}))])
    return made


def test_a_picture_has_the_size_asked_for_and_leaves_the_view_alone(scene, tmp_path):
    pose, size = scene.pose, scene.canvas.ren_win.GetSize()
    capture.save_png(scene, tmp_path / "view.png", 500, 260)
    image = Image.open(tmp_path / "view.png")
    assert image.size == (500, 260)
    assert image.mode == "RGB"
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 200
    assert scene.pose.same_as(pose)
    assert scene.canvas.ren_win.GetSize() == size
    assert [p.name for p in tmp_path.iterdir()] == ["view.png"]


def test_other_views_too(show, tmp_path):
    view = show("curves")
    view.show_artifacts([Shown("c", "Loss", curve())])
    capture.save_png(view, tmp_path / "c.png", 640, 400)
    assert Image.open(tmp_path / "c.png").size == (640, 400)


def test_sizes_and_places_that_cannot_be(scene, tmp_path):
    for width, height in ((4, 100), (100_000, 100), (16_000, 16_000)):
        with pytest.raises(UserError, match="cannot be made"):
            capture.save_png(scene, tmp_path / "v.png", width, height)
    with pytest.raises(UserError, match="cannot be written"):
        capture.save_png(scene, tmp_path / "missing" / "v.png", 64, 64)
    with pytest.raises(UserError, match="neither MP4 nor GIF"):
        capture.save_turntable(scene, tmp_path / "v.avi")


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_turntable_turns_while_the_window_lives(scene, tmp_path, suffix):
    ticks, seen = [], []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    path = tmp_path / f"turn{suffix}"
    assert capture.save_turntable(scene, path, 0.6, 10, 96, 64, lambda f, _: seen.append(f))
    timer.stop()
    frames = iio.imread(path)
    assert frames.shape[:3] == (6, 64, 96)
    assert np.abs(frames[0].astype(int) - frames[3].astype(int)).max() > 40
    assert seen[-1] == 1.0
    assert len(ticks) >= 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_cancelled_turntable_leaves_nothing(scene, tmp_path):
    seen = []
    done = capture.save_turntable(
        scene, tmp_path / "t.gif", 2, 20, 64, 48, lambda f, _: seen.append(f), lambda: len(seen) >= 3
    )
    assert not done
    assert len(seen) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_dialog_saves_at_its_size(scene, tmp_path, qtbot):
    from app.viewers.capture_dialog import CaptureDialog

    dialog = CaptureDialog(scene)
    qtbot.addWidget(dialog)
    dialog.size.setCurrentIndex(5)
    dialog.width_box.setValue(200)
    dialog.height_box.setValue(150)
    dialog.save(tmp_path / "d.png")
    assert Image.open(tmp_path / "d.png").size == (200, 150)
