"""Fields against the truth, or against each other: on the same nodes, component by component, over time."""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.pde.equations import Compiled, compile_problem
from engines.blocks.pde.grids import tensor_points, with_time
from engines.core import UserError
from engines.data import Curve, Problem, SampledField

_CHUNK = 200_000


def node_points(field: SampledField, problem: Problem, time: float | None = None) -> np.ndarray:
    """(P, D) the nodes of a field as points in the coordinates of a problem, with ``time`` where that has time.

    Raises :class:`UserError` where the field has not as many dimensions as the problem has in space.
    """
    if field.dimensions != len(problem.space):
        raise UserError(
            f"The field has {field.dimensions} dimensions and the problem {len(problem.space)} in space.",
            "They do not belong together.",
            "Choose the problem that the field is a solution of.",
        )
    return with_time(problem, tensor_points(field.axes), float(field.times[0]) if time is None else time)


def exact_field(field: SampledField, problem: Problem | Compiled) -> SampledField | None:
    """The exact solution at the nodes and times of ``field``, with the components that both have; None if not known."""
    compiled = problem if isinstance(problem, Compiled) else compile_problem(problem)
    shared = tuple(c for c in field.components if c in compiled.unknowns)
    if not compiled.has_exact or not shared:
        return None
    columns = [compiled.unknowns.index(c) for c in shared]
    frames = []
    for time in field.times:
        points = torch.from_numpy(node_points(field, compiled.problem, float(time)))
        parts = [compiled.exact(part)[:, columns] for part in points.split(_CHUNK)]  # type: ignore[index]
        frames.append(torch.cat(parts).T.reshape(len(shared), *field.values.shape[2:]).numpy())
    vectors = tuple(v for v in field.vectors if set(v[1:]) <= set(shared))
    return field.replace(values=np.stack(frames), components=shared, vectors=vectors, name="Exact solution")


def on_nodes(field: SampledField, like: SampledField) -> SampledField:
    """``field`` at the nodes and times of ``like``, by cubic splines where there are enough nodes, else linearly.

    It is NaN beyond the nodes of ``field``, where it is not known. Raises :class:`UserError` where dimensions differ.
    """
    if field.dimensions != like.dimensions:
        raise UserError(
            f"A field of {field.dimensions} dimensions cannot be compared with one of {like.dimensions}.",
            mend="Choose fields over the same domain.",
        )
    values = np.asarray(field.values, float)
    along = [(0, field.times, like.times)] if len(field.times) > 1 else []
    along += [(2 + k, a, b) for k, (a, b) in enumerate(zip(field.axes, like.axes, strict=True)) if len(a) > 1]
    known = np.ones([1] * 5, bool)
    for axis, nodes, targets in along:
        values = _along(values, axis, nodes, targets)
        known = known & _within(axis, nodes, targets)
    shape = (len(like.times), len(field.components), *like.values.shape[2:])
    return like.replace(
        values=np.broadcast_to(np.where(known, values, np.nan), shape),
        components=field.components,
        vectors=field.vectors,
        name=field.name,
    )


def _along(values: np.ndarray, axis: int, nodes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Values at ``targets`` instead of at ``nodes`` along one axis: a tensor grid is taken axis by axis."""
    from scipy.interpolate import make_interp_spline

    # a spline would carry one NaN all over
    degree = min(3, len(nodes) - 1) if np.isfinite(values).all() else 1
    spline = make_interp_spline(nodes, values, degree, axis=axis, check_finite=False)
    return np.asarray(spline(np.clip(targets, nodes[0], nodes[-1])))


def _within(axis: int, nodes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Which targets lie between the first and the last node, to be broadcast with values."""
    slack = 1e-9 * max(1.0, float(np.ptp(nodes)))
    shape = [1] * 5
    shape[axis] = -1
    return ((targets >= nodes[0] - slack) & (targets <= nodes[-1] + slack)).reshape(shape)


def shared_parts(field: SampledField, truth: SampledField) -> tuple[SampledField, SampledField]:
    """Both with the components that they share, in the same order, on the nodes of ``field``.

    A single component is compared with a single one whatever their names. Raises :class:`UserError` where none fits.
    """
    if len(field.components) == len(truth.components) == 1:
        names = field.components
        pairs = [(0, 0)]
    else:
        names = tuple(c for c in field.components if c in truth.components)
        pairs = [(field.components.index(c), truth.components.index(c)) for c in names]
    if not pairs:
        raise UserError(
            f"The fields share no component: {', '.join(field.components)} and {', '.join(truth.components)}.",
            mend="Choose fields of the same quantity.",
        )
    same = (
        truth.values.shape[2:] == field.values.shape[2:]
        and len(truth.times) == len(field.times)
        and all(np.allclose(a, b, atol=1e-9) for a, b in zip(truth.axes, field.axes, strict=True))
        and np.allclose(truth.times, field.times, atol=1e-9)
    )
    at = truth if same else on_nodes(truth, field)
    mine, theirs = zip(*pairs, strict=True)
    vectors = tuple(v for v in field.vectors if set(v[1:]) <= set(names))
    return (
        field.replace(values=np.asarray(field.values)[:, list(mine)], components=names, vectors=vectors),
        field.replace(
            values=np.asarray(at.values)[:, list(theirs)], components=names, vectors=vectors, name=truth.name
        ),
    )


def error_over_time(field: SampledField, truth: SampledField) -> Curve:
    """Relative L2 and largest error of each component at each time; both fields on the same nodes."""
    axes = tuple(range(1, 4))
    series = {}
    for c, name in enumerate(field.components):
        apart = np.asarray(field.values[:, c], float) - truth.values[:, c]
        size = np.sqrt(np.nansum(np.asarray(truth.values[:, c], float) ** 2, axis=axes))
        norm = np.sqrt(np.nansum(apart**2, axis=axes))
        series[f"relative L2 error, {name}"] = np.divide(norm, size, out=np.full_like(norm, np.nan), where=size > 0)
        series[f"largest error, {name}"] = np.nanmax(np.abs(apart), axis=axes, initial=0.0)
    label = f"{field.time_name} ({field.time_unit})" if field.time_unit else field.time_name
    return Curve(x=field.times, series=series, x_label=label, y_log=True, name="Error over time")


__all__ = ["error_over_time", "exact_field", "node_points", "on_nodes", "shared_parts"]
