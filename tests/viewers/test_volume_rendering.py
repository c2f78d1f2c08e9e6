"""Fields and volumes as clouds: off by default, with colours that are explained, cut by the clipping plane."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.viewers.layer import Style
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from engines.data import Volume
from tests.viewers.conftest import ball_field, two_labels
from tests.viewers.test_scene import different, grab


def cloud_of(scene, key="f"):
    scene.set_style(key, replace(scene.layers[key].style, volume=True))
    return scene.layers[key]


def test_a_field_as_a_cloud_shows_its_inside_and_goes_back_to_its_surface(show):
    scene = show("scene")
    bare = grab(scene)
    scene.show_artifacts([Shown("f", "Field", ball_field(quantity="signed distance"))])
    surface = grab(scene)
    assert scene.layers["f"].ray is None  # it costs nothing until it is wanted
    layer = cloud_of(scene)
    cloud = grab(scene)
    assert different(bare, cloud) > 0.1
    assert different(surface, cloud) > 0.1
    assert not layer.fine.actor.GetVisibility()
    (bar,) = scene.colour_bars()
    assert bar.title == "signed distance"
    assert bar.low == pytest.approx(-6, abs=0.7)
    assert bar.high == 0
    corner = grab(scene)[4, 4].astype(int)  # nothing is seen of the outside
    assert np.abs(corner - bare[4, 4]).max() < 8
    scene.set_style("f", replace(layer.style, volume=False))
    assert different(surface, grab(scene)) < 0.01
    assert scene.colour_bars() == []


def test_a_scan_with_oblique_axes_lies_where_its_surface_lies(show):
    values = np.zeros((20, 30, 10), np.float32)
    values[4:16, 4:26, 2:8] = 1.0
    affine = np.array([[0.0, 0.8, 0.0, 40], [1.5, 0, 0, -3], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    scene = show("scene")
    scene.show_artifacts([Shown("f", "Scan", Volume(values=values, affine=affine))])
    scene.layers_action.setChecked(False)
    scene.look_from(0)
    bare_style = replace(scene.layers["f"].style, visible=False)
    shown = scene.layers["f"].style
    scene.set_style("f", bare_style)
    bare = scene.canvas.picture(160, 120)
    scene.set_style("f", shown)

    def covered():

        rows, columns = np.nonzero(
            np.abs(pixels(scene.canvas.picture(160, 120)).astype(int) - pixels(bare)).max(-1) > 25
        )
        return np.array([rows.min(), rows.max(), columns.min(), columns.max()])

    surface = covered()
    cloud_of(scene)
    assert np.abs(covered() - surface).max() <= 5


def test_the_clipping_plane_and_opacity_act_on_clouds(show):
    scene = show("scene")
    scene.show_artifacts([Shown("f", "Field", ball_field())])
    layer = cloud_of(scene)
    scene.look_from(0)
    whole = grab(scene)
    scene.clip_action.trigger()
    assert layer.ray.mapper.GetClippingPlanes().GetNumberOfItems() == 1
    assert different(whole, grab(scene)) > 0.05
    scene.clip_action.trigger()
    assert layer.ray.mapper.GetClippingPlanes().GetNumberOfItems() == 0
    scene.set_style("f", replace(layer.style, opacity=0.05))
    assert different(whole, grab(scene)) > 0.1


def test_the_panel_offers_it_for_values_and_not_for_labels(show):
    scene = show("scene", 640, 480)
    scene.show_artifacts([Shown("f", "Field", ball_field()), Shown("v", "Labels", two_labels())])
    panel = scene.panel
    panel.list.setCurrentRow(0)
    assert panel.volume.isVisible()
    panel.volume.click()
    assert scene.layers["f"].is_cloud
    assert panel.cmap.isVisible()
    assert not panel.wireframe.isVisible()
    assert not panel.level.isVisible()
    panel.list.setCurrentRow(1)
    assert not panel.volume.isVisible()
    scene.set_style("v", replace(scene.layers["v"].style, volume=True))  # from a file, perhaps
    assert not scene.layers["v"].is_cloud
    state = json.loads(json.dumps(scene.state()))
    other = show("scene")
    other.restore(state)
    other.show_artifacts([Shown("f", "Field", ball_field())])
    assert other.layers["f"].is_cloud
    assert other.canvas.renderer.HasViewProp(other.layers["f"].ray.actor)
    other.show_artifacts([])
    assert other.canvas.renderer.GetVolumes().GetNumberOfItems() == 0
    assert Style.from_json({"volume": "yes"}, Style()).volume is False


def test_gaps_of_a_scan_stay_unseen(show):
    values = np.ones((16, 16, 16), np.float32)
    values[0, 0, 0] = 0.0
    values[:, :, 8:] = np.nan
    scene = show("scene")
    scene.show_artifacts([Shown("f", "Scan", Volume(values=values, affine=np.eye(4)))])
    scene.look_from(0)
    layer = cloud_of(scene)
    assert np.isfinite(layer.value_range).all()
    picture = grab(scene).astype(int)
    x, y = scene.pose_for(160, 120).project([[7.5, 7.5, 12], [7.5, 7.5, 4]], 160, 120)[:, :2].astype(int).T
    gap, solid = picture[y[0], x[0]], picture[y[1], x[1]]
    assert np.ptp(gap) < 12  # the grey of the background
    assert np.ptp(solid) > 40
