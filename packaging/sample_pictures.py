"""Pictures of the samples for the home page; make_samples.py asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transport_pictures import (  # it lies beside this script
    cells_scene,
    colours_scene,
    digits_scene,
    experts_scene,
    moons_scene,
)

from app.samples import sample
from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.avatars.refinement import subdivided
from engines.blocks.avatars.wrinkled_skin import Paint
from engines.blocks.pde.equations import compile_problem
from engines.blocks.ray_tracing import paint, table_paint
from engines.blocks.views import camera_of
from engines.data import HandCapture, Photos, Problem, Volume
from engines.shape.made_hand import bending, normals_of, surfaces

FLAT = ("digits", "moons", "cells", "experts", "colours")
"""Samples whose pictures have few colours: 256 of them are enough, in half the bytes."""
VIEWS = {
    "cortex": {
        "direction": (-1.0, 0.34, 0.22),
        "up": (0, 0, 1),
        "split": (0, 1, 0),
        "zoom": 1.5,
        "tube": 0.5,
        "share": 0.6,
    },
    "torus": {"direction": (0.5, -1.0, 0.85), "up": (0, 0, 1), "split": (1, 0, 0), "zoom": 1.42, "tube": 0.0075},
    "two-holes": {"direction": (0.28, -1.0, 1.1), "up": (0, 0, 1), "split": (1, 0, 0), "zoom": 1.42, "tube": 0.0065},
}


def make_pictures(folder: Path, keys: list[str]) -> None:
    """480 x 320 (and twice that, ``@2x``) with a transparent background: contours turn into the surface.

    Of the samples with these keys, each in its own folder below ``folder``.
    """
    for key in keys:
        found = sample(key).load()
        others = {
            "avocado": _avocado_scene, "photos": _photos_scene, "waves": _waves_scene, "pulse": _pulse_scene,
            "oscillations": _oscillations_scene, "hand": _hand_scene,
            "digits": lambda *found: digits_scene(_plotter(), *found),
            "moons": lambda *found: moons_scene(_plotter(), *found),
            "cells": lambda *found: cells_scene(_plotter(), *found),
            "colours": lambda *found: colours_scene(_plotter(), *found),
            "experts": lambda *found: experts_scene(_plotter(), *found),
        }  # fmt: skip
        scene = others[key](*found.values()) if key in others else _scene(found, **VIEWS[key])
        _save(scene, folder / key, few_colours=key in FLAT)


def _plotter():
    import pyvista

    plotter = pyvista.Plotter(off_screen=True, window_size=(1920, 1280), lighting="none")
    plotter.enable_anti_aliasing("ssaa")
    lights = [((-0.6, 1.0, 1.2), 0.78), ((1.0, 0.1, 0.5), 0.34), ((-1.0, -0.6, 0.1), 0.30), ((0.1, -1.0, 0.6), 0.12)]
    for position, strength in lights:
        light = pyvista.Light(position=position, intensity=strength, light_type="camera light")
        plotter.add_light(light)
    return plotter


SURFACE_LOOK = {
    "smooth_shading": True,
    "split_sharp_edges": False,
    "specular": 0.25,
    "specular_power": 22,
    "ambient": 0.16,
    "diffuse": 0.95,
}


def _scene(found: dict, direction, up, split, zoom: float, tube: float, share: float = 0.5):
    import pyvista

    slices, reference = found["slices"], found["reference"]
    plotter = _plotter()
    body = pyvista.PolyData.from_regular_faces(reference.vertices, reference.faces)
    body = body.compute_normals(auto_orient_normals=True, split_vertices=False)
    low, high = reference.bounds
    middle = low + share * (high - low)
    half = body.clip(normal=split, origin=middle, invert=True)
    plotter.add_mesh(half, color="#e9c7b4" if reference.unit == "mm" else "#a9c3e0", **SURFACE_LOOK)
    normals, colors = np.asarray(split, float), _plane_colors(slices.plane_count)
    for plane, loop in slices.loops():
        if (loop.mean(0) - middle) @ normals < -0.02 * np.ptp(reference.bounds, axis=0).max():
            continue
        line = pyvista.lines_from_points(np.vstack([loop, loop[:1]]))
        plotter.add_mesh(line.tube(radius=tube, n_sides=14), color=colors[plane], ambient=0.35, diffuse=0.75)
    plotter.view_vector(direction, up)
    plotter.camera.zoom(zoom)
    return plotter


def _plane_colors(count: int) -> list[tuple[float, float, float]]:
    from matplotlib import colormaps

    return [colormaps["viridis"](0.12 + 0.76 * i / max(1, count - 1))[:3] for i in range(count)]


def _avocado_scene(volume: Volume):
    import pyvista
    from skimage.filters import gaussian
    from skimage.measure import marching_cubes

    plotter = _plotter()
    spacing, origin = volume.spacing, volume.affine[:3, 3]
    parts = {}
    for name, mask in {"flesh": volume.values > 0, "stone": volume.values == 2}.items():
        vertices, faces, _, _ = marching_cubes(
            gaussian(mask.astype(float), 1.6), 0.5, spacing=tuple(spacing), gradient_direction="ascent"
        )
        body = pyvista.PolyData.from_regular_faces(vertices + origin, faces)
        parts[name] = body.compute_normals(auto_orient_normals=True, split_vertices=False)
    skin, stone = parts["flesh"], parts["stone"]
    plotter.add_mesh(skin.clip("-y", origin=(0, 0, 0)), color="#5d7f3a", **SURFACE_LOOK)
    rim = skin.slice("y", origin=(0, 0, 0)).strip().points
    rim = rim[np.argsort(np.arctan2(rim[:, 0], rim[:, 2]))]
    face = pyvista.PolyData(rim, np.concatenate([[len(rim)], np.arange(len(rim))])).triangulate()
    plotter.add_mesh(face, color="#dfe3a0", ambient=0.25, diffuse=0.85)
    plotter.add_mesh(stone, color="#a8743f", **SURFACE_LOOK)
    for z in np.linspace(-38, 36, 11):
        line = skin.slice("z", origin=(0, 0, z)).strip()
        if line.n_points:
            plotter.add_mesh(line.tube(radius=0.42, n_sides=12), color="#2f6d80", ambient=0.35)
    plotter.view_vector((0.55, -1.0, 0.32), (-1, 0, 0.28))
    plotter.camera.zoom(1.35)
    return plotter


def _photos_scene(photos: Photos):
    """The ring as it is painted, on its table, and the frusta of the nearer cameras."""
    import pyvista

    solid = Torus()
    plotter = _plotter()
    mesh = torus_mesh(solid, 256, 128)
    ring = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    ring["paint"] = np.rint(255 * paint(mesh.vertices)).astype(np.uint8)
    plotter.add_mesh(ring, scalars="paint", rgb=True, **SURFACE_LOOK)
    height = float(solid.bounds[0, 2])
    board = pyvista.Disc(center=(0, 0, height), inner=0, outer=1.35, r_res=160, c_res=240)
    board["paint"] = np.rint(255 * table_paint(np.asarray(board.points))).astype(np.uint8)
    plotter.add_mesh(board, scalars="paint", rgb=True, ambient=0.35, diffuse=0.65)
    direction = np.array([0.45, -1.0, 0.62])
    for index in range(len(photos)):
        camera = camera_of(photos, index)
        if camera.centre @ direction > 0.6 * np.linalg.norm(camera.centre) * np.linalg.norm(direction):
            continue  # it would stand before the ring
        corners = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]) * [camera.width, camera.height]
        local = np.column_stack([(corners - [camera.cx, camera.cy]) / [camera.fx, camera.fy], np.ones(4)])
        eye = 0.52 * camera.centre
        rim = eye + 0.2 * local @ camera.rotation
        for line in (np.vstack([rim, rim[:1]]), *([eye, corner] for corner in rim)):
            tube = pyvista.lines_from_points(np.asarray(line)).tube(radius=0.006, n_sides=10)
            plotter.add_mesh(tube, color="#1f7a8c", ambient=0.4, diffuse=0.7)
    plotter.view_vector(direction, (0, 0, 1))
    plotter.camera.focal_point = (0, 0, 0.35)
    plotter.camera.zoom(1.6)
    return plotter


def _hand_scene(capture: HandCapture):
    """The hand as it is painted, half closed, and where it was in the other poses."""
    import pyvista

    fine = subdivided(capture.template, 3)
    colours = Paint(fine, np.random.default_rng(1))(fine.vertices, normals_of(fine))
    poses = bending(capture.template, 12, np.random.default_rng(1))
    places = surfaces(fine, poses, 0.002, 0.009)
    plotter = _plotter()
    for frame, shift in ((0, 0.07), (4, -0.085)):
        hand = pyvista.PolyData.from_regular_faces(places[frame] + np.array([0, 0, shift]), fine.faces)
        hand["paint"] = np.rint(255 * colours**0.7).astype(np.uint8)
        plotter.add_mesh(hand.compute_normals(split_vertices=False), scalars="paint", rgb=True, **SURFACE_LOOK)
    plotter.view_vector((-1.0, 0.15, 0.05), (0, -1, 0))
    plotter.camera.zoom(1.7)
    return plotter


def _height(problem: Problem, shape: tuple[int, int], size: tuple[float, float, float], cmap: str, limits=None):
    """The exact solution as a surface over the first two coordinates of a problem."""
    import pyvista

    axes = [np.linspace(a, b, n) for a, b, n in zip(problem.lower, problem.upper, shape, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    values = compile_problem(problem).exact(torch.from_numpy(points)).numpy().reshape(shape)
    x, y = np.meshgrid(*(np.linspace(-s / 2, s / 2, n) for s, n in zip(size, shape, strict=False)), indexing="ij")
    surface = pyvista.StructuredGrid(x, y, size[2] * values)
    surface["u"] = values.reshape(-1, order="F")
    plotter = _plotter()
    plotter.add_mesh(surface, scalars="u", cmap=cmap, clim=limits, show_scalar_bar=False, **SURFACE_LOOK)
    return plotter


def _waves_scene(problem: Problem):
    plotter = _height(problem, (161, 321), (2.0, 3.0, 0.26), "RdBu_r", (-1.15, 1.15))
    plotter.view_vector((1.0, -0.75, 0.85), (0, 0, 1))
    plotter.camera.zoom(1.45)
    return plotter


def _pulse_scene(problem: Problem):
    """Time goes to the back."""
    longer = problem.replace(upper=[problem.upper[0], 12.0])
    plotter = _height(longer, (401, 161), (3.4, 2.2, 0.75), "viridis")
    plotter.view_vector((-0.35, -1.0, 0.85), (0, 0, 1))
    plotter.camera.zoom(1.32)
    return plotter


def _oscillations_scene(problem: Problem):
    import pyvista

    x = np.linspace(problem.lower[0], problem.upper[0], 1600)
    u = compile_problem(problem).exact(torch.from_numpy(x[:, None])).numpy()[:, 0]
    plotter = _plotter()
    curve = pyvista.lines_from_points(np.stack([3.4 * x, 0 * x, 0.75 * u], 1)).tube(radius=0.022, n_sides=12)
    curve["u"] = np.asarray(curve.points)[:, 2]
    plotter.add_mesh(curve, scalars="u", cmap="viridis", show_scalar_bar=False, ambient=0.35, diffuse=0.75)
    plotter.view_vector((0.15, -1.0, 0.2), (0, 0, 1))
    plotter.camera.zoom(1.42)
    return plotter


def _save(plotter, folder: Path, few_colours: bool = False) -> None:
    from PIL import Image

    pixels = plotter.screenshot(transparent_background=True, return_img=True).astype(np.float32) / 255
    plotter.close()
    # Average with premultiplied alpha, so that no dark fringe is left around the shape.
    pixels[..., :3] *= pixels[..., 3:]
    for name, step in (("picture.png", 4), ("picture@2x.png", 2)):
        small = pixels.reshape(1280 // step, step, 1920 // step, step, 4).mean((1, 3))
        small[..., :3] /= np.maximum(small[..., 3:], 1e-6)
        small[..., :3] = np.round(small[..., :3] * 127.5) / 127.5  # a bit less of colour, a sixth less of file
        image = Image.fromarray((small * 255 + 0.5).astype(np.uint8))
        image = image.quantize(256, method=Image.Quantize.FASTOCTREE) if few_colours else image
        image.save(folder / name, optimize=True)
