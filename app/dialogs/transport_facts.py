"""What a person wants to know of measures, costs, plans and displacements before they are added."""

from __future__ import annotations

import numpy as np

from engines.core import Artifact
from engines.data import CostMatrix, Coupling, Displacements, Measure, TransportMap

SHOWN = 3
"""Coordinates whose range is said; of more, the first names, and one range for all."""


def transport_rows(artifact: Artifact) -> list[tuple[str, str]]:
    """Names and texts; nothing for other types. Not for the GUI thread."""
    if isinstance(artifact, Measure):
        return _measure_rows(artifact)
    if isinstance(artifact, CostMatrix):
        return _cost_rows(artifact)
    if isinstance(artifact, Coupling):
        return _coupling_rows(artifact)
    if isinstance(artifact, TransportMap):
        return [("Map", artifact.summary()), ("Learned on", _clouds(artifact)), *_named("Cost", artifact.cost)]
    if isinstance(artifact, Displacements):
        length = np.linalg.norm(artifact.ends - artifact.starts, axis=1)
        spread = f"{length.min():.4g} to {length.max():.4g} {artifact.unit}".rstrip() if len(length) else "none"
        target = [] if artifact.target is None else [("Target", artifact.target.summary())]
        return [("Points", f"{len(length):,} in {artifact.starts.shape[1]}D"), ("Moved by", spread), *target]
    return []


def _measure_rows(measure: Measure) -> list[tuple[str, str]]:
    count, dimensions = measure.points.shape
    rows = [("Points", f"{count:,}")]
    if measure.grid:
        rows.append(("Grid", " × ".join(f"{n:,}" for n in measure.grid)))
    low, high = measure.bounds
    if dimensions > SHOWN:
        first = f": {', '.join(measure.dimensions[:SHOWN])}, …" if measure.dimensions else ""
        rows.append(("Dimensions", f"{dimensions:,}{first}"))
        rows.append(("Range", f"{low.min():.4g} to {high.max():.4g} {measure.unit}".rstrip()))
    else:
        rows.append(("Dimensions", f"{dimensions:,}"))
        along = zip(measure.coordinates, low, high, strict=True)
        rows += [(name, f"{a:.4g} to {b:.4g} {measure.unit}".rstrip()) for name, a, b in along]
    return [*rows, ("Weights", _weights(measure.weights))]


def _weights(weights: np.ndarray | None) -> str:
    if weights is None:
        return "all alike"
    none = int((weights == 0).sum())
    empty = f", {none:,} of them zero" if none else ""
    return f"{weights.min():.3g} to {weights.max():.3g}, {weights.sum():.6g} in all{empty}"


def _cost_rows(matrix: CostMatrix) -> list[tuple[str, str]]:
    sources, targets = matrix.costs.shape
    rows = [("Sources", f"{sources:,}"), ("Targets", f"{targets:,}")]
    rows.append(("Costs", f"{matrix.costs.min():.4g} to {matrix.costs.max():.4g} {matrix.unit}".rstrip()))
    rows += _named("First sources", ", ".join(matrix.source_names[:3]))
    rows += _named("First targets", ", ".join(matrix.target_names[:3]))
    weights = (("Mass of sources", matrix.source_weights), ("Mass of targets", matrix.target_weights))
    return rows + [(title, _weights(values)) for title, values in weights]


def _coupling_rows(plan: Coupling) -> list[tuple[str, str]]:
    out, into = plan.marginal_errors
    rows = [("Sources", f"{plan.shape[0]:,}"), ("Targets", f"{plan.shape[1]:,}")]
    rows += [("Entries", f"{plan.count:,} of {plan.shape[0] * plan.shape[1]:,}"), *_named("Problem", plan.kind)]
    rows += _named("Cost", plan.cost)
    known = [p is not None for p in (plan.source_potential, plan.target_potential)]
    rows.append(("Potentials", "of both sides" if all(known) else "of one side" if any(known) else "none"))
    return [*rows, ("Marginal errors", f"{out:.3g} of the sources, {into:.3g} of the targets")]


def _clouds(learned: TransportMap) -> str:
    return f"{len(learned.source.points):,} source and {len(learned.target.points):,} target points"


def _named(title: str, text: str) -> list[tuple[str, str]]:
    return [(title, text)] if text else []


__all__ = ["transport_rows"]
