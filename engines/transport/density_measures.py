"""Preparations: a field on a grid as a measure: the mass at each node is the value there times the cell around it."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

import numpy as np

from engines.blocks.transport.histograms import cell_edges, centres, rebinned
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import GridField, Measure, SampledField


class GridMeasureParams(Params):
    mass: Literal["values × cells", "values"] = Param(
        "values × cells", label="Mass at a node", help="Of a density, its value times the size of the cell around it"
    )
    nodes: tuple[int, ...] = Param(
        (), ge=1, empty="as they are", label="Resample to", help="Nodes along the axes: one number for all, or one each"
    )
    negative: Literal["refuse", "take as zero"] = Param("refuse", label="Negative values", help="Mass has none")
    normalise: bool = Param(True, label="Mass of 1", help="Scale the mass to 1 in all")
    empty: Literal["keep", "leave out"] = Param(
        "keep", label="Empty nodes", help="Without them the measure is smaller, but no grid any more"
    )


class DensityMeasureParams(GridMeasureParams):
    component: str = Param("", empty="the first one", help="Name of the component")
    time: int | None = Param(None, ge=0, empty="the last", label="Time number", help="From 0")


def _two_hills() -> dict[str, SampledField]:
    x, y = np.linspace(0, 3, 48), np.linspace(0, 2, 32)
    hills = [np.exp(-((x[:, None] - a) ** 2 + (y - b) ** 2) / 0.08) for a, b in ((0.8, 1.4), (2.2, 0.6))]
    return {"field": SampledField.of(hills[0] + 2 * hills[1], x, y, name="Two hills", components=("density",))}


def _dip() -> dict[str, SampledField]:
    x = np.linspace(0, 1, 9)
    return {"field": SampledField.of(np.sin(7 * x), x)}


def _nothing() -> dict[str, SampledField]:
    return {"field": SampledField.of(np.zeros(9), np.linspace(0, 1, 9))}


@method(
    key="density-measure", title="Field to measure", family="transport", role="preparation",
    job="Take a component of a field on a grid as a density, and give its mass at the nodes.",
    sample=Example(_two_hills, {}, "Two hills"), smoke=Example(_two_hills, {"nodes": (12, 8)}),
    degenerate=(
        Example(_dip, {}, "negative values"), Example(_nothing, {}, "no mass"),
        Example(_two_hills, {"component": "w"}, "no such component"),
        Example(_two_hills, {"nodes": (4, 4, 4)}, "three numbers for two axes"),
    ),
    tags=("optimal transport", "histogram", "density", "grid"),
)  # fmt: skip
def density_measure(field: Annotated[SampledField, "the density"], params: DensityMeasureParams, run: Run) -> Measure:
    """Resampling shares the mass of each node out among the new cells that it overlaps, so that none is lost.

    The cells meet half way between the nodes, and end at the first and the last (the trapezium rule). Where the field
    has no value (NaN), it has no mass.
    """
    if params.component and params.component not in field.components:
        raise UserError(f"The field has no component '{params.component}'.",
                        f"It has: {', '.join(field.components)}.", "Choose one of them.")  # fmt: skip
    count = len(field.times)
    if params.time is not None and params.time >= count:
        raise UserError(f"The field has no time number {params.time}.", f"It has {count:,}, from 0.", "Choose another.")
    for _ in run.steps(1, "Weighing the nodes"):
        values = field.component(params.component or 0, count - 1 if params.time is None else params.time)
        names = field.coordinates[: field.dimensions]
        made = _on_grid(values, field.axes, names, field.length_unit, field.name, params, run)
    return made


def _ball() -> dict[str, GridField]:
    nodes = np.linspace(-1, 1, 16)
    values = np.exp(-4 * (nodes[:, None, None] ** 2 + nodes[:, None] ** 2 + nodes**2))
    step = np.full(3, nodes[1] - nodes[0])
    return {"field": GridField(name="Ball", values=values, origin=np.full(3, -1.0), spacing=step)}


@method(
    key="grid-measure", title="Grid field to measure", family="transport", role="preparation",
    job="Take a field on a regular grid as a density, and give its mass at the nodes.",
    sample=Example(_ball, {}, "A ball in space"), smoke=Example(_ball, {"nodes": (6,)}),
    degenerate=(Example(lambda: {"field": _ball()["field"].replace(values=np.zeros((4, 4, 4)))}, {}, "no mass"),),
    tags=("optimal transport", "histogram", "density", "grid", "volume"),
)  # fmt: skip
def grid_measure(field: Annotated[GridField, "the density"], params: GridMeasureParams, run: Run) -> Measure:
    """As 'Field to measure' does. Axes along which the grid has one node are left out."""
    for _ in run.steps(1, "Weighing the nodes"):
        axes = [o + s * np.arange(n) for o, s, n in zip(field.origin, field.spacing, field.values.shape, strict=True)]
        along = [i for i in range(3) if len(axes[i]) > 1] or [0]
        values = field.values.reshape([len(axes[i]) for i in along])
        names = tuple("xyz"[i] for i in along)
        made = _on_grid(values, [axes[i] for i in along], names, field.length_unit, field.name, params, run)
    return made


def _on_grid(
    values: np.ndarray, axes: object, names: tuple[str, ...], unit: str, name: str, params: GridMeasureParams, run: Run
) -> Measure:
    """A measure of values[x, y, z]: its rows are y from the highest down, its columns x, its depth z."""
    nodes = [np.asarray(a, np.float64) for a in axes]  # type: ignore[attr-defined]
    values = values.astype(np.float64)
    if lost := int(values.size - np.isfinite(values).sum()):
        run.warn(f"{lost:,} nodes have no finite value; they have no mass.")
        values = np.where(np.isfinite(values), values, 0.0)
    if (values < 0).any():
        if params.negative == "refuse":
            raise UserError(
                "The field has negative values.",
                f"{int((values < 0).sum()):,} of {values.size:,}, down to {values.min():.4g}; mass is never negative.",
                "Choose another component, or take them as zero.",
            )  # fmt: skip
        run.warn(f"{int((values < 0).sum()):,} nodes have negative values; they have no mass.")
        values = values.clip(0)
    edges = [cell_edges(n) for n in nodes]
    if params.mass == "values × cells":
        for axis, along in enumerate(edges):
            values = values * np.diff(along).reshape([-1 if i == axis else 1 for i in range(len(nodes))])
    if params.nodes:
        counts = params.nodes * len(nodes) if len(params.nodes) == 1 else params.nodes
        if len(counts) != len(nodes):
            raise UserError(f"{len(counts)} numbers of nodes were given for {len(nodes)} axes.",
                            mend="Give one for all axes, or one for each.")  # fmt: skip
        new = [np.linspace(e[0], e[-1], n + 1) for e, n in zip(edges, counts, strict=True)]
        values, nodes = rebinned(values, edges, new), [centres(e) for e in new]
    total = float(values.sum())
    if not total > 0:
        raise UserError("The field has no mass.", "All its values are zero.", "Choose another time or component.")
    order = list(reversed(range(len(nodes))))
    mass, places = values.transpose(order), [np.asarray(n) for n in nodes]
    if len(nodes) > 1:
        mass, places[1] = np.flip(mass, len(nodes) - 2), places[1][::-1]
    grids = np.meshgrid(*[places[i] for i in order], indexing="ij")
    points = np.stack([grids[order.index(i)].ravel() for i in range(len(nodes))], 1)
    weights = mass.ravel() / (total if params.normalise else 1.0)
    kept = weights > 0 if params.empty == "leave out" else np.ones(prod(mass.shape), bool)
    dimensions = () if names == ("x", "y", "z")[: len(names)] else names
    return Measure(
        name=name, points=points[kept], weights=weights[kept], dimensions=dimensions, unit=unit,
        grid=mass.shape if params.empty == "keep" else (),
    )  # fmt: skip
