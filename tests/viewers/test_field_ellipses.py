import numpy as np
import pytest

from app.viewers import capture
from app.viewers.field_ellipses import CORNERS, on_plane, outlines
from app.viewers.registry import VIEWERS, Shown
from engines.core import UserError
from engines.data import GaussianFeatures, SampledField
from tests.viewers.fields import taylor_green


def turned(angle: float) -> GaussianFeatures:
    c, s = np.cos(angle), np.sin(angle)
    return GaussianFeatures(
        means=[[[0.5, 0.2], [-0.5, 0.0]]], sigmas=[[[0.4, 0.1], [0.2, 0.2]]], weights=[[2.0, -1.0]],
        rotations=[[[[c, -s], [s, c]], [[1, 0], [0, 1]]]], coordinates=("x", "y"),
    )  # fmt: skip


def test_outlines_lie_where_the_exponent_is_a_half():
    features = turned(0.7)
    points, weights = outlines(features)
    assert weights.tolist() == [-1.0, 2.0]  # the strongest is drawn last
    assert points.shape == (2, CORNERS + 2, 2)
    precision = np.linalg.inv(features.covariances[0])
    for points_of, place in zip(points, (1, 0), strict=True):
        away = points_of[:-1] - features.means[0, place]
        assert np.einsum("ni,ij,nj->n", away, precision[place], away) == pytest.approx(1.0)
        assert np.isnan(points_of[-1]).all()


def test_coordinates_in_another_order_and_times_are_brought_to_the_plane():
    features = turned(0.3).replace(coordinates=("t", "x"), time="t")
    swapped = on_plane(features, ("x", "t"), {})
    assert swapped is not None
    assert np.allclose(swapped.means, features.means[..., ::-1])
    assert np.allclose(swapped.covariances, features.covariances[..., ::-1, ::-1])
    space = GaussianFeatures(
        means=np.zeros((1, 1, 3)), sigmas=np.array([[[0.1, 0.2, 0.5]]]), weights=np.ones((1, 1)),
        coordinates=("x", "y", "t"), time="t",
    )  # fmt: skip
    at = on_plane(space, ("x", "y"), {"t": 0.5})
    assert at is not None
    assert at.weights[0, 0] == pytest.approx(np.exp(-0.5))
    assert on_plane(space, ("x", "y"), {}) is None
    assert on_plane(space, ("a", "b"), {"x": 0.0, "y": 0.0, "t": 0.0}) is None


def test_gaussians_lie_over_the_field_that_they_make(show):
    assert VIEWERS["field"].shows(GaussianFeatures, overlay=True)
    assert not VIEWERS["field"].shows(GaussianFeatures)
    view = show("field", 400, 300)
    x = np.linspace(-1, 1, 30)
    field = SampledField.of(np.ones((30, 30)), x, x)
    view.show_artifacts([Shown("f", "Field", field), Shown("g", "Gaussians", turned(0.4))])
    assert view.gaussian_action.isVisible()
    assert len(view.panes[0].map.overlays) == 2
    view.gaussian_action.trigger()
    assert view.panes[0].map.overlays == []
    view.show_artifacts([Shown("f", "Field", field)])
    assert not view.gaussian_action.isVisible()


def test_a_movie_goes_through_the_times_and_leaves_the_view_as_it_was(show, tmp_path):
    view = show("field", 300, 240)
    view.show_artifacts([Shown("f", "Flow", taylor_green(17, 5))])
    view.show_index(3)
    seen = []
    assert capture.save_movie(view, tmp_path / "flow.gif", 0.5, 10, 160, 120, lambda f, _: seen.append(f))
    assert view.strip.index == 3
    assert seen[-1] == 1.0
    from PIL import Image

    with Image.open(tmp_path / "flow.gif") as film:
        first = np.asarray(film.convert("RGB"), int)
        film.seek(film.n_frames - 1)
        assert film.n_frames == 5
        assert np.abs(np.asarray(film.convert("RGB"), int) - first).max() > 20
    assert not capture.save_movie(view, tmp_path / "none.mp4", 0.5, 10, 160, 120, cancelled=lambda: True)
    assert not (tmp_path / "none.mp4").exists()
    with pytest.raises(UserError):
        capture.save_movie(view, tmp_path / "flow.avi")


def test_movies_are_offered_where_something_changes(show, tmp_path):
    from app.viewers.capture_dialog import CaptureDialog

    view = show("field", 300, 240)
    view.show_artifacts([Shown("f", "Flow", taylor_green(17, 5))])
    dialog = CaptureDialog(view)
    kinds = [dialog.kind.itemText(k) for k in range(dialog.kind.count())]
    assert kinds == ["Picture (PNG)", "Movie of the time (MP4)", "Movie of the time (GIF)"]
    dialog.kind.setCurrentIndex(1)
    dialog.seconds.setValue(1)
    dialog.fps.setValue(5)
    dialog.size.setCurrentIndex(dialog.size.count() - 1)
    dialog.width_box.setValue(160)
    dialog.height_box.setValue(120)
    dialog.save(tmp_path / "flow.mp4")
    assert (tmp_path / "flow.mp4").stat().st_size > 500
    view.show_artifacts([Shown("f", "Still", taylor_green(17, 1))])
    assert CaptureDialog(view).kind.count() == 1


def test_fields_have_histograms(show):
    view = show("histogram")
    view.show_artifacts([Shown("f", "Flow", taylor_green(33, 4))])
    assert [view.names.itemText(k) for k in range(view.names.count())] == ["u", "v"]
    assert sum(view.counts[0]) == 4 * 33 * 33
