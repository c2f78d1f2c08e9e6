"""Planar slices of solids given by a formula, with the exact surface as reference.

The torus of major radius R and minor radius r is sqrt((sqrt(x^2 + y^2) - R)^2 + z^2) <= r; the two-hole
solid melts two such tori into one smooth body of genus 2. Contours are exact: their vertices lie on the
zero set and on their plane, and loops know which loop they are a hole in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.blocks.analytic_shapes import Solid, Torus, TwoHoles, slice_solid, solid_mesh, torus_mesh
from engines.blocks.sectioning import plane_frames
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Mesh, Slices


@dataclass(frozen=True)
class SlicedSolid:
    """The contours, and the surface that they were cut from."""

    slices: Annotated[Slices, "exact contours"]
    reference: Annotated[Mesh, "the surface itself"]


class TorusParams(Params):
    planes: int = Param(12, ge=2, le=200, help="How many planes cut the torus", source="sheet 12, acceptance 3")
    arrangement: Literal["oblique", "parallel"] = Param(
        "oblique", help="Random directions, or one common direction", source="sheet 12, acceptance 3"
    )
    major_radius: float = Param(0.55, gt=0, le=1e6, help="From the axis to the middle of the tube", source="sheet 12")
    minor_radius: float = Param(0.22, gt=0, le=1e6, help="Of the tube; below the major radius", source="sheet 12")
    points_per_contour: int = Param(160, ge=8, le=5000, help="Vertices of each contour", source="own choice")


class TwoHoleParams(Params):
    planes: int = Param(13, ge=2, le=200, help="How many parallel planes", source="sheet 12: 12 to 15")
    tilt: float = Param(
        0.0, ge=0, le=80, unit="°", help="Turn of the planes' normal away from the long axis", source="own choice"
    )
    major_radius: float = Param(0.36, gt=0, le=1e6, help="From each hole's axis to its tube", source="own choice")
    minor_radius: float = Param(0.15, gt=0, le=1e6, help="Of the tube; below the major radius", source="own choice")
    blend: float = Param(0.12, ge=0.01, le=1.0, help="How softly the two tori melt together", source="own choice")
    points_per_contour: int = Param(160, ge=8, le=5000, help="Vertices of each contour", source="own choice")


@method(
    key="torus-slices",
    title="Torus slices",
    family="shape",
    job="Cut a torus by random oblique or by parallel planes.",
    presets={"quick": {"planes": 8, "points_per_contour": 80}, "parallel": {"arrangement": "parallel"}},
    smoke=Example(params={"planes": 4, "points_per_contour": 40}),
    degenerate=(Example(params={"major_radius": 0.2, "minor_radius": 0.3}, title="The tube closes the hole"),),
    tags=("analytic", "cross-sections", "contours"),
)
def torus_slices(params: TorusParams, run: Run) -> SlicedSolid:
    """Directions are uniform on the half sphere; distances from the centre are stratified over the torus's extent.

    Planes that touch the surface (where the contour would cross itself) are drawn again.
    """
    if params.minor_radius >= params.major_radius:
        raise UserError(
            f"The minor radius {params.minor_radius:g} is not below the major radius {params.major_radius:g}.",
            "The tube would close the hole and cut itself.",
            "Choose a smaller minor radius.",
        )
    solid = Torus(params.major_radius, params.minor_radius)
    normals, offsets = [], []
    common = np.array([1.0, 0.0, 0.0])
    for index in run.steps(params.planes, "Placing planes", share=0.5):
        for _ in range(64):
            normal = common if params.arrangement == "parallel" else _direction(run.rng)
            shake = 0.5 if params.arrangement == "parallel" else run.rng.uniform(0.15, 0.85)
            extent = solid.major * np.hypot(normal[0], normal[1]) + solid.minor
            offset = extent * (2 * (index + shake) / params.planes - 1)
            if params.arrangement == "parallel" or _cuts_cleanly(solid, normal, offset):
                break
        normals.append(normal)
        offsets.append(offset)
    slices = slice_solid(
        solid,
        np.array(normals),
        np.array(offsets),
        params.points_per_contour,
        thickness=2 * solid.minor,
        name=f"Torus, {params.arrangement} slices",
        check=run.check,
    )
    for _ in run.steps(1, "Meshing the reference"):
        reference = torus_mesh(solid).replace(name="Torus")
    return SlicedSolid(slices, reference)


@method(
    key="two-hole-slices",
    title="Two-hole slices",
    family="shape",
    job="Cut a smooth solid with two holes by parallel planes.",
    presets={"quick": {"planes": 9, "points_per_contour": 80}, "tilted": {"tilt": 25.0}},
    smoke=Example(params={"planes": 5, "points_per_contour": 40}),
    degenerate=(Example(params={"major_radius": 0.2, "minor_radius": 0.3}, title="The tubes close the holes"),),
    tags=("analytic", "cross-sections", "contours", "genus 2"),
)
def two_hole_slices(params: TwoHoleParams, run: Run) -> SlicedSolid:
    """Planes stand in the middle of equal layers along their normal, which leans from the x axis towards y and z."""
    if params.minor_radius >= params.major_radius:
        raise UserError(
            f"The minor radius {params.minor_radius:g} is not below the major radius {params.major_radius:g}.",
            "The tubes would close the holes.",
            "Choose a smaller minor radius.",
        )
    solid = TwoHoles(params.major_radius, params.minor_radius, params.blend)
    lean = np.radians(params.tilt)
    normal = np.array([np.cos(lean), np.sin(lean) * 0.8, np.sin(lean) * 0.6])
    for _ in run.steps(1, "Meshing the reference", share=0.6):
        reference = solid_mesh(solid, 110, "Two-hole solid")
    along = reference.vertices @ normal
    low, high = float(along.min()), float(along.max())
    offsets = low + (np.arange(params.planes) + 0.5) / params.planes * (high - low)
    for _ in run.steps(1, "Cutting"):
        slices = slice_solid(
            solid,
            np.tile(normal, (params.planes, 1)),
            offsets,
            params.points_per_contour,
            thickness=2 * solid.minor,
            name="Two-hole solid, slices",
            check=run.check,
        )
    return SlicedSolid(slices, reference)


def _direction(rng: np.random.Generator) -> np.ndarray:
    drawn = rng.normal(size=3)
    drawn /= np.linalg.norm(drawn)
    return drawn if drawn[2] >= 0 else -drawn


def _cuts_cleanly(solid: Solid, normal: np.ndarray, offset: float) -> bool:
    """Whether the plane cuts the solid and nowhere comes near to touching it."""
    radius = 0.52 * float(np.linalg.norm(np.ptp(solid.bounds, axis=0)))
    axis = np.linspace(-radius, radius, 96)
    a, b = np.meshgrid(axis, axis)
    points = offset * normal + np.stack([a.ravel(), b.ravel()], axis=1) @ plane_frames(normal)[0]
    near = np.abs(solid.value(points)) < 2 * (axis[1] - axis[0])
    slope = solid.gradient(points[near])
    flat = np.linalg.norm(slope - (slope @ normal)[:, None] * normal, axis=1)
    return bool((solid.value(points) < 0).sum() > 20 and flat.min() > 0.15)
