"""Photos to splats in the window: the live view follows the training, and cameras of both kinds of views are linked."""

import numpy as np

from app.jobs import JobSpec
from app.window.run_frame import sides
from engines.core import catalog
from engines.data import Image, Mesh, UnposedPhotos
from tests.viewers.test_splat_view import until
from tests.window import samples


def test_a_run_from_photos_is_shown_as_splats_beside_a_render(window, qtbot):
    window.file_acts.new_project()
    method = catalog().get("gaussian-splatting")
    inputs = dict(method.smoke.inputs())
    params = method.params.parse({**method.smoke.params, "iterations": 4000})
    job = window.bench.queue.submit(JobSpec(method=method.key, inputs=inputs, params=params, device="cpu"))
    window.run_acts.started(job.id)
    until(lambda: job.latest_preview is not None)
    until(lambda: [v.objectName() for v in window.views.current.viewers()] == ["splat-view", "image-view"])
    splats = window.views.current.viewers()[0]
    until(lambda: splats.latest is not None and splats.latest.is_fine)
    splats.set_pose(splats.pose.orbited(0.3, 0.1))
    pose, first = splats.pose, splats.items[0].artifact
    until(lambda: splats.items[0].artifact is not first)
    assert splats.pose is pose
    job.cancel()
    until(lambda: job.ended)
    frame = window.views.current
    assert {"splats", "image"} <= set(frame.state())


def test_the_sides_of_runs_of_every_kind():
    photos = catalog().get("gaussian-splatting").smoke.inputs()
    before, aside = sides(photos, {})
    assert (before.viewer, len(before.items), aside.items) == ("photos", 1, [])
    left, right = sides({"slices": samples.slices()}, {"mesh": samples.mesh(), "field": samples.field()})
    assert (left.viewer, [s.id for s in left.items]) == ("scene", ["in/slices", "out/mesh"])
    assert (right.viewer, [s.id for s in right.items]) == ("slice", ["out/field", "in/slices"])
    left, _ = sides(photos, {"mesh": samples.mesh()})
    assert isinstance(left.items[0].artifact, Mesh)


def test_photos_without_cameras_are_shown_until_those_with_cameras_are_there():
    photos = catalog().get("gaussian-splatting").smoke.inputs()["photos"]
    alone = UnposedPhotos(encoded=photos.encoded, starts=photos.starts, sizes=photos.sizes)
    left, _ = sides({"photos": alone}, {})
    assert (left.viewer, [s.id for s in left.items]) == ("photos", ["in/photos"])
    left, _ = sides({"photos": alone}, {"photos": photos})
    assert (left.viewer, [s.id for s in left.items]) == ("photos", ["out/photos"])


def test_pictures_are_called_by_their_photos():
    pictures = {f"renders/{k}": Image(pixels=np.zeros((2, 2, 3), np.uint8), name=f"IMG_{k}") for k in (1, 2)}
    _, right = sides({}, {"cloud": samples_cloud(), **pictures})
    assert [s.name for s in right.items] == ["IMG_1", "IMG_2"]


def samples_cloud():
    return catalog().get("render-splats").smoke.inputs()["cloud"]
