"""Two clouds in the project, and methods that take a source and a target."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from app.project import Project
from engines.data import Measure


def cloud(seed: int) -> Measure:
    return Measure(points=np.random.default_rng(seed).normal(size=(9, 2)))


@pytest.mark.parametrize("method", ["monge-gap", "gaussian-map"])
def test_two_clouds_are_source_and_target_in_the_order_of_the_project(window, add, method):
    window.file_acts.new_project()
    source, target = add(cloud(1), cloud(2))
    page = window.method_panel.open_method(method)
    wanted = {"source": source, "target": target}
    assert {k: v for k, v in page.inputs.ids().items() if k in wanted} == wanted
    for looked_at in ([target], [source], [source, target]):
        window.project_panel.select(looked_at)
        assert {k: v for k, v in page.inputs.ids().items() if k in wanted} == wanted


def test_another_cloud_takes_the_place_of_the_source_and_never_of_both(window, add):
    window.file_acts.new_project()
    source, target = add(cloud(1), cloud(2))
    page = window.method_panel.open_method("monge-gap")
    (other,) = add(cloud(3))
    window.project_panel.select([other])
    assert page.inputs.ids()["source"] == other
    assert page.inputs.ids()["target"] == target
    window.method_panel.show_gallery()
    window.project_panel.select([target])
    found = window.method_panel.open_method("monge-gap").inputs.ids()
    assert found["source"] != found["target"]
    assert {found["source"], found["target"]} <= {source, target, other}


def test_two_that_are_selected_are_taken_in_the_order_of_the_project(window, add):
    window.file_acts.new_project()
    add(cloud(0))
    source, target = add(cloud(1), cloud(2))
    add(cloud(3))
    window.project_panel.select([source, target])
    for method in ("monge-gap", "sns"):
        found = window.method_panel.open_method(method).inputs.ids()
        assert (found["source"], found["target"]) == (source, target)


@pytest.mark.parametrize("key", ["digits", "moons", "cells", "colours"])
def test_samples_give_their_files_to_the_inputs_that_they_name(window, qtbot, key):
    from app.samples import sample

    with qtbot.waitCallback(timeout=60_000) as ready:
        window.file_acts.open_sample(key, ready=ready)
    names = {k: window.bench.entry(i).name for k, i in window.method_panel.page.inputs.ids().items()}
    loaded = sample(key).load()
    assert names == {k: loaded[k].name for k in ("source", "target")}
    assert len(window.bench.project.entries) == len(loaded)


def test_pages_of_an_earlier_project_are_left_alone(window, add):
    window.file_acts.new_project()
    add(cloud(1), cloud(2))
    window.method_panel.open_method("monge-gap")
    window.bench.replace(Project.new())
    QApplication.sendPostedEvents(None, 52)  # deferred deletes: the page is gone
    add(cloud(3))  # an exception in a slot would fail this test
    assert window.method_panel.page is None
