"""Measurements of a field: values at some of its nodes and times, with noise, as a table.

What an inverse problem starts from: the coefficients of an equation are found from such a table.
"""

from __future__ import annotations

import numpy as np

from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import SampledField, Table


class MeasureFieldParams(Params):
    measurements: int = Param(500, ge=1, le=10_000_000, log=True, help="How many, each at a place of its own",
                              source="own choice")  # fmt: skip
    noise: float = Param(
        0.01, ge=0, le=10, source="own choice",
        help="Standard deviation of what is added, as a part of the field's own",
    )  # fmt: skip
    first_time: float | None = Param(None, help="None before this", empty="from the start", source="own choice")
    last_time: float | None = Param(None, help="None after this", empty="to the end", source="own choice")


def _wave() -> SampledField:
    x, t = np.linspace(0, 1, 41), np.linspace(0, 2, 21)
    return SampledField.of(np.sin(6 * x) * np.exp(-t[:, None]), x, times=t, coordinates=("x", "y", "z"), name="Wave")


@method(
    key="measure-field", title="Measure a field", family="pde", role="preparation",
    job="Take noisy values of a field at random places, as a table.",
    sample=Example(inputs=lambda: {"field": _wave()}, params={"measurements": 100}),
    degenerate=(
        Example(inputs=lambda: {"field": _wave()}, params={"measurements": 10_000}, title="More than there are nodes"),
        Example(inputs=lambda: {"field": _wave()}, params={"first_time": 5.0}, title="After the end"),
    ),
    tags=("inverse", "noise", "data", "samples"),
)  # fmt: skip
def measure_field(field: SampledField, params: MeasureFieldParams, run: Run) -> Table:
    """Places are nodes, drawn without repetition; where a component is not known, its value there is not taken."""
    times = _times(field, params)
    shape = (len(times), *field.shape)
    known = np.isfinite(np.asarray(field.values)[times]).all(1).reshape(-1)
    places = np.flatnonzero(known)
    if params.measurements > len(places):
        raise UserError(
            f"The field has {len(places):,} values and {params.measurements:,} measurements are wanted.",
            "Each is taken at a place of its own.",
            "Ask for fewer.",
        )
    for _ in run.steps(1, "Measuring"):
        chosen = np.sort(run.rng.choice(places, params.measurements, replace=False))
        when, *where = np.unravel_index(chosen, shape)
        columns = {name: axis[at] for name, axis, at in zip(field.coordinates, field.axes, where, strict=False)}
        if len(field.times) > 1:
            columns[field.time_name] = field.times[times[when]]
        for c, name in enumerate(field.components):
            exact = np.asarray(field.values[:, c], float)[times].reshape(shape)[when, *where]
            columns[name] = exact + params.noise * exact.std() * run.rng.standard_normal(len(exact))
    name = f"Measurements of {field.name}" if field.name else "Measurements"
    units = dict.fromkeys(field.coordinates[: field.dimensions], field.length_unit) | {field.time_name: field.time_unit}
    units |= dict.fromkeys(field.components, field.unit)
    return Table(name=name, columns=columns, units={k: v for k, v in units.items() if v and k in columns})


def _times(field: SampledField, params: MeasureFieldParams) -> np.ndarray:
    """Indices of the times that are measured."""
    first = -np.inf if params.first_time is None else params.first_time
    last = np.inf if params.last_time is None else params.last_time
    found = np.flatnonzero((field.times >= first) & (field.times <= last))
    if not len(found):
        raise UserError(
            f"No time of the field lies between {first:g} and {last:g}.",
            f"Its times go from {field.times[0]:g} to {field.times[-1]:g}.",
            "Choose another span.",
        )
    return found
