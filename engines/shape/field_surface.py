"""From a trained field to a mesh and a grid of values in the frame of the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engines.blocks.dual_contouring import DualSurface, dual_contouring
from engines.blocks.iterative_field import IterativeField
from engines.blocks.iterative_loss import gradients
from engines.blocks.normalisation import Similarity
from engines.blocks.zero_set import NodeValues, near_zero_set
from engines.core import Artifact, Run, UserError
from engines.data import Curve, GridField, Mesh

PREVIEW_RESOLUTION = 64


@dataclass(frozen=True)
class Surface:
    mesh: Mesh
    field: GridField
    ratios: np.ndarray
    evaluated: int


def extract(
    field: IterativeField, similarity: Similarity, resolution: int, pull: float, seeds: np.ndarray | None, run: Run
) -> Surface:
    """The zero set on ``resolution`` cells along each axis. Raises :class:`UserError` when there is none.

    ``pull`` is the bias of dual contouring. The slope of a network of LeakyReLUs jumps across its kinks, so the planes
    that meet in a cell are nearly parallel but disagree; with little bias their common point lies far off, and the
    faces fold over.
    """
    device, dtype = field.flat.device, field.flat.dtype

    def values(points: np.ndarray) -> np.ndarray:
        return field.logits(torch.from_numpy(points).to(device, dtype), check=run.check).float().cpu().numpy()

    def slopes(points: np.ndarray) -> np.ndarray:
        return gradients(field, torch.from_numpy(points).to(device, dtype), check=run.check).cpu().numpy()

    grid = near_zero_set(values, resolution, seeds)
    surface = dual_contouring(grid.values, grid.origin, grid.spacing, slopes, bias=pull, check=run.check)
    run.note(
        f"Meshed on {resolution}³ cells; {grid.evaluated:,} of {grid.values.size:,} nodes were evaluated, "
        "the others lie far from the surface and are interpolated."
    )
    return Surface(_mesh(surface, similarity), grid_field(grid, similarity), surface.ratios, grid.evaluated)


def preview(field: IterativeField, similarity: Similarity, name: str, surface_name: str) -> dict[str, Artifact]:
    """A coarse mesh and field, in a fraction of a second; no mesh while there is no surface."""
    device = field.flat.device
    grid = near_zero_set(
        lambda points: field.logits(torch.from_numpy(points).to(device)).cpu().numpy(), PREVIEW_RESOLUTION, coarsest=32
    )
    shown: dict[str, Artifact] = {"field": grid_field(grid, similarity).replace(name=f"{name}, field")}
    try:
        surface = dual_contouring(grid.values, grid.origin, grid.spacing)
        shown = {"mesh": _mesh(surface, similarity).replace(name=surface_name), **shown}
    except UserError:
        pass
    return shown


def _mesh(surface: DualSurface, similarity: Similarity) -> Mesh:
    return Mesh(vertices=similarity.undo(surface.vertices), faces=surface.faces, unit=similarity.length_unit)


def grid_field(grid: NodeValues, similarity: Similarity) -> GridField:
    return GridField(
        values=grid.values,
        origin=similarity.undo(grid.origin[None])[0],
        spacing=grid.spacing * similarity.scale,
        quantity="logit",
        level=0.0,
        length_unit=similarity.length_unit,
    )


def crossing_histogram(ratios: np.ndarray, bins: int = 20) -> Curve:
    """The share of crossings in each twentieth of an edge, times the number of bins: 1 everywhere is even."""
    counts, edges = np.histogram(ratios, bins=bins, range=(0, 1))
    return Curve(
        x=0.5 * (edges[1:] + edges[:-1]),
        series={"density": counts / max(1, len(ratios)) * bins},
        x_label="position of the crossing on its edge",
        y_label="density",
        name="Crossing positions",
    )
