"""Which views show a run: by what goes into it and what comes out."""

import numpy as np
import pytest

from app.window.run_sides import sides
from engines.core import catalog
from engines.data import MeshField, SampledField
from tests.transports import affine_map, costs
from tests.viewers.conftest import curve, picture
from tests.viewers.fields import pulse, taylor_green
from tests.viewers.transports import arrows, clouds, shift


def names(side):
    return side.slot, [item.id for item in side.items]


def test_a_field_stands_beside_its_error_in_a_viewer_of_its_own():
    left, right = sides({}, {"field": taylor_green(), "error": taylor_green()})
    assert names(left) == ("field", ["out/field"])
    assert names(right) == ("field/right", ["out/error"])


def test_a_field_without_truth_stands_beside_itself_in_space():
    left, right = sides({}, {"field": taylor_green()})
    assert names(left) == ("field", ["out/field"])
    assert names(right) == ("scene", ["out/field"])
    left, right = sides({}, {"field": pulse()})  # one dimension has no space to be seen in
    assert names(right) == ("scene", [])


def test_an_error_alone_is_shown():
    assert names(sides({}, {"error": pulse()})[0]) == ("field", ["out/error"])


def test_what_moves_is_seen_in_space():
    body = MeshField(points=np.eye(4)[:, :3], cells=[[0, 1, 2, 3]], values=np.zeros((1, 1, 4)), times=[0])
    left, right = sides({}, {"motion": body, "field": taylor_green()})
    assert names(left) == ("scene", ["out/motion"])
    assert names(right) == ("field", ["out/field"])


@pytest.mark.parametrize("method", [m for m in catalog() if m.family == "pde" and m.inputs], ids=lambda m: m.key)
def test_each_method_of_fields_has_something_to_show(method):
    kinds = {spec.type for spec in method.outputs}
    if not kinds & {SampledField, MeshField}:
        pytest.skip("gives no field")
    outputs = {s.name: taylor_green() for s in method.outputs if s.type is SampledField}
    assert sides({}, outputs)[0].items or MeshField in kinds


def test_a_coupling_stands_beside_its_plan_and_what_it_is_computed_from_before_there_is_one():
    pair = dict(zip(("source", "target"), clouds(), strict=True))
    left, right = sides(pair, {})
    assert names(left) == ("transport", ["in/source", "in/target"])
    assert names(right) == ("coupling/right", [])
    left, right = sides(pair, {"coupling": shift(), "displacements": arrows()})
    assert names(left) == ("transport", ["out/coupling"])
    assert names(right) == ("coupling/right", ["out/coupling"])
    assert names(sides({"source": costs()}, {})[0]) == ("coupling", ["in/source"])


def test_displacements_stand_beside_how_their_coordinates_spread():
    left, right = sides({}, {"map": affine_map(), "moved": arrows()})
    assert names(left) == ("transport", ["out/moved"])
    assert names(right) == ("histogram", ["out/moved"])
    assert names(sides({}, {"map": affine_map()})[0]) == ("transport", ["out/map"])


def test_pictures_that_colours_were_carried_to_stand_beside_the_coupling():
    left, right = sides({}, {"coupling": shift(), "picture": picture()})
    assert names(left) == ("transport", ["out/coupling"])
    assert names(right) == ("image", ["out/picture"])


def test_curves_stand_beside_what_solvers_were_compared_on():
    pair = dict(zip(("source", "target"), clouds(), strict=True))
    left, right = sides(pair, {"by_iteration": curve(), "by_seconds": curve()})
    assert names(left) == ("transport", ["in/source", "in/target"])
    assert names(right) == ("curves", ["out/by_iteration"])
