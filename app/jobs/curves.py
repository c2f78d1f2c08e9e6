"""The live curves of a run as one artifact that can be shown, saved and exported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.jobs.job import Points
from engines.data import Curve


def curves_artifact(curves: Mapping[str, Points], name: str = "Curves") -> Curve:
    """All series over the union of their steps; NaN where one was not measured. A step told twice counts once."""
    steps = np.unique(np.concatenate([np.asarray(s, np.int64) for s, _ in curves.values()] or [np.empty(0, np.int64)]))
    series = {}
    for key, (at, values) in curves.items():
        column = np.full(len(steps), np.nan)
        column[np.searchsorted(steps, np.asarray(at, np.int64))] = values
        series[key] = column
    return Curve(x=steps, series=series, x_label="step", name=name)
