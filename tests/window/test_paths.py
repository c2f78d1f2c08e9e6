"""From views to a camera path to a video in the window, click by click."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.jobs import JobSpec
from app.window.path_acts import with_cloud
from app.window.run_frame import sides
from engines.blocks.camera_routes import orbit
from engines.core import catalog
from engines.data import CameraPath, DepthVideo, GaussianCloud, Image, Video
from tests.viewers.test_splat_view import shell, until
from tests.window.conftest import find


@pytest.fixture
def splats(window, add):
    """A cloud of the project in the splat view."""
    window.file_acts.new_project()
    (cloud,) = add(shell(300), name="Shell")
    window.view_acts.show_artifacts([cloud])
    until(lambda: bool(window.views.current.viewers()))
    view = window.views.current.viewers()[0]
    until(lambda: view.latest is not None and view.latest.is_fine)
    view.canvas.setFocus()
    until(view.canvas.hasFocus)
    return view


def add_views(view, qtbot, count=2):
    for _ in range(count):
        view.set_pose(view.pose.orbited(0.5, 0.1))
        qtbot.keyClick(view.canvas, Qt.Key.Key_K)


def paths(window):
    return [e for e in window.bench.project.entries.values() if e.type == "CameraPath"]


def test_views_become_a_path_of_the_project_and_a_video(window, splats, click, qtbot):
    add_views(splats, qtbot)
    splats.path.seconds.setValue(0.4)
    click(find(splats, "path-save-button"))
    until(lambda: len(paths(window)) == 1)
    (entry,) = paths(window)
    assert entry.name == "Camera path"
    assert entry.origin == "view of Shell"
    until(lambda: window.project_panel.selected_artifacts() == [entry.id])
    assert any("is in the project now" in box.note.text for box in window.notices.boxes())
    window.bench.project.history.undo()
    until(lambda: paths(window) == [])
    window.bench.project.history.redo()

    click(find(splats, "path-render-button"))
    until(lambda: window.method_panel.page is not None and window.method_panel.page.method.key == "render-path")
    page = window.method_panel.page
    cloud = next(e.id for e in window.bench.project.entries.values() if e.type == "GaussianCloud")
    assert page.inputs.ids() == {"cloud": cloud, "path": entry.id}
    assert len(paths(window)) == 1  # it was there already
    page.form.set_params(page.method.params.parse({"width": 64, "height": 36, "shows": "both"}))
    until(page.run_button.isEnabled)
    click(find(page, "Run"))
    until(lambda: bool(window.bench.queue.jobs))
    job = window.bench.queue.jobs[-1]
    until(lambda: job.ended)
    assert job.status == "finished", job.error
    until(lambda: bool(window.bench.project.runs[job.run_id].outputs))
    outputs = window.bench.project.runs[job.run_id].outputs
    video = window.bench.project.artifact(outputs["video"])
    assert (len(video), video.width, video.height) == (10, 64, 36)
    until(lambda: any("finished" in box.note.text for box in window.notices.boxes()))
    next(box for box in window.notices.boxes() if "finished" in box.note.text).button.click()
    until(lambda: [v.objectName() for v in window.views.current.viewers()] == ["video-view"])


def test_a_path_that_was_not_saved_is_kept_when_it_is_rendered(window, splats, click, qtbot):
    add_views(splats, qtbot, 3)
    click(find(splats, "path-render-button"))
    until(lambda: window.method_panel.page is not None and "path" in window.method_panel.page.inputs.ids())
    assert window.method_panel.page.inputs.ids()["path"] == paths(window)[0].id


def test_gaussians_on_a_mesh_are_to_be_made_a_cloud_first(window, add, click, qtbot):
    window.file_acts.new_project()
    (bound,) = add(catalog().get("bound-to-splats").sample.inputs()["bound"], name="Bound")
    window.view_acts.show_artifacts([bound])
    until(lambda: bool(window.views.current.viewers()))
    view = window.views.current.viewers()[0]
    until(lambda: view.latest is not None)
    for _ in range(2):
        view.set_pose(view.pose.orbited(0.5, 0.1))
        view.path.add_view()
    click(find(view, "path-render-button"))
    (notice,) = [box for box in window.notices.boxes() if "no Gaussian cloud" in box.note.text]
    notice.button.click()
    assert window.method_panel.page.method.key == "bound-to-splats"
    assert window.method_panel.page.inputs.ids() == {"bound": bound}


def test_undo_takes_back_a_key_view_before_it_takes_back_the_project(window, splats, qtbot):
    add_views(splats, qtbot)
    assert window.actions_["undo"].text() == "&Undo add key view"
    window.edit_acts.undo()
    assert len(splats.path.edit) == 1
    window.edit_acts.redo()
    assert len(splats.path.edit) == 2
    splats.path_action.setChecked(False)
    assert "key view" not in window.actions_["undo"].text()


def test_a_path_is_opened_over_its_cloud(window, splats, add, qtbot):
    entries = window.bench.project.entries
    (path,) = add(orbit(np.zeros(3), np.array([0, 0, 1.0]), 4.0, 20.0, 6.0, 40.0, name="Orbit"))
    window.project_panel.select([path])
    window.project_panel.open_selected()
    until(lambda: bool(window.views.current.viewers()) and window.views.current.viewers()[0] is not splats)
    view = window.views.current.viewers()[0]
    assert view.objectName() == "splat-view"
    assert view.path.isVisible()
    assert len(view.path.edit) == 24
    clouds = [e.id for e in entries.values() if e.type == "GaussianCloud"]
    assert with_cloud(window.bench, [path]) == [path, *clouds]
    window.bench.project.remove(clouds)
    assert with_cloud(window.bench, [path]) == [path]
    assert with_cloud(window.bench, clouds) == clouds


def test_the_cloud_of_a_path_is_that_of_its_run(window, add):
    window.file_acts.new_project()
    first, later = add(shell(50, seed=1), shell(50, seed=2))
    method = catalog().get("orbit-path")
    params = method.params.parse({})
    inputs = {"cloud": window.bench.project.artifact(first)}
    spec = JobSpec(method=method.key, inputs=inputs, params=params, device="cpu", input_ids={"cloud": first})
    job = window.bench.queue.submit(spec)
    until(lambda: job.ended and bool(window.bench.project.runs[job.run_id].outputs))
    path = window.bench.project.runs[job.run_id].outputs["camerapath"]
    assert with_cloud(window.bench, [path], on_show=[later]) == [path, first]


def test_a_video_is_shown_beside_the_cloud_and_the_path_it_was_made_of():
    smoke = catalog().get("render-path").smoke.inputs()
    kinds = [type(s.artifact) for s in sides(smoke, {})[0].items]
    assert kinds == [GaussianCloud, CameraPath]
    picture = Image(pixels=np.zeros((4, 4, 3), np.uint8))
    assert sides(smoke, {"preview": picture})[1].viewer == "image"
    depth = DepthVideo(depth=np.zeros((1, 2, 2)))
    video = Video.packed([b"x"], 2, 2, 5.0)
    left, right = sides(smoke, {"video": video, "depth": depth})
    assert (left.viewer, right.viewer, len(right.items)) == ("splats", "video", 2)
