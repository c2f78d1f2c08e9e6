"""Key poses and the bar of time of the hand view, sequences of poses, and movies."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QSlider

from app.viewers.capture import save_movie
from app.viewers.hand_links import wishes
from app.viewers.registry import Shown
from engines.data import PoseSequence
from tests import hands
from tests.viewers.hands.made import drag, open_hand, part, pose_of
from tests.viewers.test_splat_view import until


def test_key_poses_are_added_played_and_kept(posed, qtbot):
    for key in ("open", "fist", "point"):
        posed.posing.set_preset(key, key)
        qtbot.keyClick(posed.canvas, Qt.Key.Key_K)
    strip = posed.strip
    assert strip.isVisible()
    assert strip.keys.times.tolist() == [0, 1, 2]
    strip.seek(1.0)
    assert np.allclose(posed.posing.pose.rotations, pose_of("fist").rotations)
    assert strip.chosen == 1
    strip.seek(0.5)
    between = posed.posing.pose.rotations
    index = open_hand().joint_names.index("index2")
    assert 0 < np.linalg.norm(between[index]) < np.linalg.norm(pose_of("fist").rotations[index])
    assert strip.sequence().rotations.shape == (51, 16, 3)
    heard = []
    wishes.save_wanted.connect(lambda of, poses: heard.append((of, poses)))
    strip.save()
    assert heard[0][0] is posed
    assert "to the project" in posed.notice.text()  # nobody is there to keep it
    posed.undo_stack.undo()
    assert len(strip.keys) == 2


def test_the_motion_plays_and_a_hand_on_a_slider_stops_it(posed, qtbot):
    for key in ("open", "fist"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    qtbot.keyClick(posed.canvas, Qt.Key.Key_Space)
    assert posed.strip.clock.playing
    until(lambda: 0.1 < posed.strip.at < 0.9)
    part(posed, "curl-thumb", QSlider).setValue(77)
    assert not posed.strip.clock.playing


def test_a_movie_of_the_motion_is_saved(posed, tmp_path):
    assert not posed.time_strip.has_times
    for key in ("open", "fist"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    posed.strip.seek(0.25)
    assert save_movie(posed, tmp_path / "fist.gif", seconds=0.2, fps=10, width=48, height=48)
    with Image.open(tmp_path / "fist.gif") as movie:
        assert movie.n_frames == 2
        first = np.asarray(movie.convert("RGB"), int)
        movie.seek(1)
        assert np.abs(np.asarray(movie.convert("RGB"), int) - first).max() > 60
    assert posed.strip.at == pytest.approx(0.25, abs=0.03)


def test_marks_are_dragged_along_the_bar_of_time(posed):
    for key in ("open", "fist", "point"):
        posed.posing.set_preset(key, key)
        posed.strip.add_key()
    bar = posed.strip.timeline
    at = bar.place_of_mark(1)
    stop = at + (bar.place_of_mark(2) - at) / 2
    drag(bar, (at.x(), at.y()), (at.x() + 8, at.y()), (stop.x(), stop.y()))
    assert posed.strip.keys.times[1] == pytest.approx(1.5, abs=0.05)
    assert posed.undo_stack.undoText() == "Move key pose"
    posed.undo_stack.undo()
    assert posed.strip.keys.times.tolist() == [0, 1, 2]


def test_poses_of_the_project_are_loaded_and_others_refused(view):
    poses = PoseSequence.of(
        np.stack([pose_of("open").rotations, pose_of("fist").rotations] * 3), open_hand().joint_names
    )
    items = [Shown("hand", "Hand", open_hand()), Shown("poses", "Wave", poses)]
    view.show_artifacts(items)
    assert len(view.strip.keys) == 6
    assert view.strip.isVisible()
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    assert not view.strip.load(hands.poses())
    assert "no joint called" in view.notice.text()
    assert len(view.strip.keys) == 6


def test_poses_alone_move_the_hand_that_comes_along(view):
    poses = PoseSequence.of(np.stack([pose_of("fist").rotations] * 2), open_hand().joint_names)
    view.show_artifacts([Shown("poses", "Wave", poses)])
    until(lambda: view.choice is not None)
    assert len(view.strip.keys) == 2
    view.show_artifacts([Shown("poses", "Strange", hands.poses())])
    assert view.choice is None
    assert view.empty.isVisible()


def dropped(view, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    keys = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    entered = QDragEnterEvent(QPointF(50, 50), *keys)
    QApplication.sendEvent(view, entered)
    if entered.isAccepted():
        QApplication.sendEvent(view, QDropEvent(QPointF(50, 50), *keys))
    return entered.isAccepted()


def test_a_file_of_poses_is_dropped_on_the_view(posed, tmp_path):
    from engines.files import write

    moves = np.stack([pose_of("open").rotations, pose_of("fist").rotations])
    write(PoseSequence.of(moves, open_hand().joint_names), tmp_path / "wave.json")
    assert dropped(posed, tmp_path / "wave.json")
    until(lambda: len(posed.strip.keys) == 2)
    assert np.allclose(posed.strip.keys.rotations, moves)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert dropped(posed, tmp_path / "bad.csv")
    until(lambda: bool(posed.notice.text()))
    assert not dropped(posed, tmp_path / "mesh.ply")  # the window imports it
