"""A run's curves as one artifact."""

from __future__ import annotations

import numpy as np

from app.jobs.curves import curves_artifact


def test_series_share_the_union_of_their_steps():
    curve = curves_artifact({"loss": ([0, 1, 2], [3.0, 2.0, 1.0]), "iou": ([1, 5, 1], [0.1, 0.5, 0.2])}, "Run 1")
    assert curve.x.tolist() == [0, 1, 2, 5]
    np.testing.assert_array_equal(curve.series["loss"], [3, 2, 1, np.nan])
    np.testing.assert_array_equal(curve.series["iou"], [np.nan, 0.2, np.nan, 0.5])
    assert curve.name == "Run 1"


def test_no_curves_are_an_empty_curve():
    assert curves_artifact({}).summary() == "no series; 0 points"
