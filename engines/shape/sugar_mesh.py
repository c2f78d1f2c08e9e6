"""SuGaR's middle: points on a level of the density, seen from the photos, and a mesh through them.

Two other ways to a mesh stand beside it for comparison: Poisson reconstruction through the Gaussians' centres, and
marching cubes of the density.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from engines.blocks.apart import apart
from engines.blocks.cameras import Camera
from engines.blocks.isosurface import closed_surface, grid_over
from engines.blocks.poisson_surface import ColouredSurface, inliers, joined, poisson_surface
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.density import Shapes, density, nearest
from engines.blocks.splatting.diamonds import Seen, diamond_depth
from engines.blocks.splatting.gaussians import C0
from engines.blocks.splatting.level_set import level_crossings
from engines.core import Run, UserError
from engines.data import GridField, Mesh, PointCloud
from engines.shape.sugar_params import SugarParams

RAYS = 1 << 14
"""Rays walked in one go."""
FEWEST = 100
"""Points that are too few for a surface."""
AT_ONCE = 6
"""Poisson octrees up to this depth are computed in this process: to start another one takes longer."""


class Oriented(NamedTuple):
    """Points (N, 3) with outward unit normals (N, 3) and RGB colours (N, 3) in [0, 1]."""

    points: np.ndarray
    normals: np.ndarray
    colours: np.ndarray


def detached(gaussians: Gaussians) -> tuple[Gaussians, Shapes]:
    found = gaussians.map(Tensor.detach)
    return found, Shapes.of(found)


@torch.no_grad()
def level_points(
    gaussians: Gaussians, cameras: list[Camera], background: Tensor, params: SugarParams, run: Run, share: float
) -> Oriented:
    """Points where rays of the photos cross the level. Raises :class:`UserError` if none does."""
    gaussians, shapes = detached(gaussians)
    neighbours = nearest(gaussians.means, params.neighbours)
    # As many again as are wanted: not every ray crosses the level.
    wanted = -(-2 * params.surface_points // len(cameras))
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    largest = 0.0
    for number in run.steps(len(cameras), "Finding the surface", share=share):
        camera = cameras[number]
        seen = seen_depth(gaussians, camera, params.depth_from, run)
        colours = render(gaussians, camera, background=background, degree=0).image.clamp(0, 1)
        hit = (seen.owner.reshape(-1) >= 0).nonzero()[:, 0]
        order = torch.randperm(len(hit), generator=run.generator, device=hit.device)
        for pixels in hit[order][:wanted].split(RAYS) if len(hit) else ():
            run.check()
            starts, ways, owners = rays_at(pixels, seen, camera)
            found = level_crossings(
                gaussians, shapes, neighbours, starts, ways, owners, params.level, params.ray_samples, params.ray_range
            )
            largest = max(largest, float(found.largest.max()))
            parts.append((found.points, found.normals, colours.reshape(3, -1)[:, pixels[found.rays]].T))
    points, normals, shown = (
        torch.cat([part[i] for part in parts]).double().cpu().numpy() if parts else np.zeros((0, 3)) for i in range(3)
    )
    if not len(points):
        raise UserError(
            f"The density crosses {params.level:g} along no ray of any photo.",
            f"Its largest value met was {largest:.3g}." if parts else "No Gaussian is in view of a photo.",
            "Choose a lower level, or train longer." if parts else "Check the photos' cameras.",
        )
    if len(points) > params.surface_points:
        kept = np.sort(run.rng.permutation(len(points))[: params.surface_points])
        points, normals, shown = points[kept], normals[kept], shown[kept]
    return Oriented(points, normals, shown)


def seen_depth(gaussians: Gaussians, camera: Camera, way: str, run: Run) -> Seen:
    """Where a camera's rays meet the cloud; ``blended`` takes the depth of the blended picture, not of the plane."""
    seen = diamond_depth(gaussians, camera, check=run.check)
    if way == "diamonds":
        return seen
    found = render(gaussians, camera, with_depth=True)
    assert found.depth is not None
    solid = (found.alpha > 0.5) & (seen.owner >= 0)
    depth = torch.where(solid, found.depth / found.alpha.clamp_min(1e-6), torch.inf)
    return Seen(depth, torch.where(solid, seen.owner, -1))


def rays_at(pixels: Tensor, seen: Seen, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Points (R, 3) seen at pixels (R,), counted along rows, unit directions of their rays (R, 3), and what was hit."""
    depth = seen.depth.reshape(-1)[pixels]
    column, row = pixels % camera.width, torch.div(pixels, camera.width, rounding_mode="floor")
    x, y = (column + 0.5 - camera.cx) / camera.fx, (row + 0.5 - camera.cy) / camera.fy
    local = torch.stack([x, y, torch.ones_like(x)], dim=1).to(depth.dtype)
    turn, centre = local.new_tensor(camera.rotation), local.new_tensor(camera.centre)
    ways = local @ turn
    lengths = ways.norm(dim=1, keepdim=True)
    return centre + ways * depth[:, None], ways / lengths, seen.owner.reshape(-1)[pixels]


@torch.no_grad()
def centre_points(gaussians: Gaussians, cameras: list[Camera], run: Run, share: float) -> Oriented:
    """The centres that a photo sees, with the smallest axis as normal, turned to the photos that see it."""
    gaussians, shapes = detached(gaussians)
    towards = torch.zeros_like(gaussians.means)
    for number in run.steps(len(cameras), "Looking for centres", share=share):
        owner = diamond_depth(gaussians, cameras[number], check=run.check).owner
        ids = owner[owner >= 0].unique()
        ways = gaussians.means.new_tensor(cameras[number].centre) - gaussians.means[ids]
        towards[ids] += torch.nn.functional.normalize(ways, dim=1)
    own = shapes.normals.T
    side = (towards * own).sum(1, keepdim=True).sign()
    seen = (side[:, 0] != 0).nonzero()[:, 0]
    if not len(seen):
        raise UserError("No Gaussian is in view of a photo.", mend="Check the photos' cameras.")
    normals, colours = (side * own)[seen], (0.5 + C0 * gaussians.sh[seen, 0]).clamp(0, 1)
    return Oriented(*(t.double().cpu().numpy() for t in (gaussians.means[seen], normals, colours)))


def foreground(cameras: list[Camera], extent: float, params: SugarParams) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of the box that the user chose, or else of the one around the cameras."""
    chosen = params.corners()
    if chosen is not None:
        return np.asarray(chosen[0]), np.asarray(chosen[1])
    middle = np.mean([camera.centre for camera in cameras], axis=0)
    return middle - extent, middle + extent


@torch.no_grad()
def density_grid(
    gaussians: Gaussians,
    box: tuple[np.ndarray, np.ndarray],
    resolution: int,
    params: SugarParams,
    run: Run,
    share: float,
) -> GridField:
    """The density on a grid over the Gaussians in the box, ``resolution`` nodes along its longest side."""
    gaussians, shapes = detached(gaussians)
    neighbours = nearest(gaussians.means, params.neighbours)
    centres = gaussians.means.double().cpu().numpy()
    inside = centres[((centres >= box[0]) & (centres <= box[1])).all(1)]
    low, high = np.quantile(inside if len(inside) else centres, (0.001, 0.999), axis=0)
    margin = max(2, resolution // 24)
    origin, spacing, shape = grid_over(low, high, resolution, margin=margin)
    tree, values = cKDTree(centres), np.zeros(shape, np.float32)
    y, z = (origin[k] + spacing * np.arange(shape[k]) for k in (1, 2))
    for plane in run.steps(int(shape[0]), "Sampling the density", share=share):
        nodes = np.stack(np.broadcast_arrays(origin[0] + spacing * plane, y[:, None], z[None, :]), axis=-1)
        nodes = nodes.reshape(-1, 3)
        owners = torch.from_numpy(tree.query(nodes)[1]).to(neighbours.device)
        at = torch.tensor(nodes, dtype=gaussians.means.dtype, device=gaussians.means.device)
        parts = zip(at.split(RAYS), owners.split(RAYS), strict=True)
        found = torch.cat([density(points, shapes.at(neighbours[own])) for points, own in parts])
        values[plane] = found.cpu().numpy().reshape(shape[1:])
    return GridField(
        values=values, origin=origin, spacing=np.full(3, spacing), quantity="density", level=params.level
    )  # fmt: skip


def marched(field: GridField, gaussians: Gaussians, level: float) -> ColouredSurface:
    """Marching cubes of the density, in the colours of the nearest Gaussians."""
    if field.values.max() <= level:
        raise UserError(
            f"The density is nowhere above {level:g}.",
            f"Its largest value on the grid is {field.values.max():.3g}.",
            "Choose a lower level, or train longer.",
        )
    mesh = closed_surface(field.replace(values=level - field.values))
    colours = (0.5 + C0 * gaussians.sh[:, 0].detach()).clamp(0, 1).double().cpu().numpy()
    tree = cKDTree(gaussians.means.detach().double().cpu().numpy())
    return ColouredSurface(mesh.vertices, mesh.faces, colours[tree.query(mesh.vertices)[1]])


def surface_through(
    cloud: Oriented, cameras: list[Camera], extent: float, params: SugarParams, run: Run
) -> ColouredSurface:
    """Poisson surfaces of the foreground and of what surrounds it, which would spoil the scale of the former."""
    middle = np.mean([camera.centre for camera in cameras], axis=0)
    low, high = foreground(cameras, extent, params)
    inside = ((cloud.points >= low) & (cloud.points <= high)).all(1)
    if inside.sum() < FEWEST:
        raise UserError(
            f"Only {int(inside.sum()):,} of {len(cloud.points):,} surface points lie in the foreground box.",
            f"It goes from {_text(low)} to {_text(high)}; the points from {_text(cloud.points.min(0))} to "
            f"{_text(cloud.points.max(0))}.",
            "Choose a larger box, or leave it empty.",
        )
    around = ~inside & (np.abs(cloud.points - middle) <= params.surroundings * extent).all(1)
    parts = []
    for chosen_points in (inside, around):
        count = int(chosen_points.sum())
        if count < FEWEST:
            continue
        chosen = Oriented(*(values[chosen_points] for values in cloud))
        clean = inliers(chosen.points)
        chosen = Oriented(*(values[clean] for values in chosen))
        triangles = max(20, round(2 * params.target_vertices * count / int(inside.sum() + around.sum())))
        job = (*chosen, params.poisson_depth, params.trimmed, params.reach, triangles)
        run.check()
        direct = params.poisson_depth <= AT_ONCE
        part = poisson_surface(*job) if direct else apart(poisson_surface, *job, check=run.check)
        if part.cut >= 0.01:
            run.note(f"{part.cut:.0%} of the mesh had few or no surface points beside it, and was cut away.")
        parts.append(part)
    if not sum(len(part.faces) for part in parts):
        raise UserError(
            "Poisson reconstruction found no surface.",
            f"There are {int(inside.sum()):,} points in the foreground box.",
            "Ask for more surface points, or cut away less of the mesh.",
        )
    return joined([part for part in parts if len(part.faces)])


def _text(corner: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.3g}" for v in corner) + ")"


def as_mesh(surface: ColouredSurface, unit: str, name: str) -> Mesh:
    return Mesh(
        vertices=surface.vertices, faces=surface.faces, colors=with_alpha(surface.colours), unit=unit, name=name
    )


def as_points(cloud: Oriented, unit: str, name: str) -> PointCloud:
    return PointCloud(
        points=cloud.points, normals=cloud.normals.astype(np.float32), colors=with_alpha(cloud.colours), unit=unit,
        name=name,
    )  # fmt: skip


def with_alpha(colours: np.ndarray) -> np.ndarray:
    """(N, 4) uint8 of RGB (N, 3) in [0, 1]."""
    rgb = np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
    return np.concatenate([rgb, np.full((len(rgb), 1), 255, np.uint8)], axis=1)
