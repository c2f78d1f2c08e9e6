"""Make assets/samples anew: the data, its listing, and the pictures of the home page.

    pip download nilearn==0.14.1 --no-deps -d /tmp/nilearn
    python packaging/make_samples.py data /tmp/nilearn/nilearn-*.whl
    xvfb-run -a -s "-screen 0 1600x1000x24" python packaging/make_samples.py pictures

The data is the same, byte for byte, each time.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engines.blocks.analytic_shapes import Torus, TwoHoles, solid_mesh, torus_mesh  # noqa: E402
from engines.blocks.avatars.refinement import subdivided  # noqa: E402
from engines.blocks.avatars.wrinkled_skin import Paint  # noqa: E402
from engines.blocks.pde.equations import compile_problem  # noqa: E402
from engines.blocks.ray_tracing import paint, table_paint  # noqa: E402
from engines.blocks.views import camera_of  # noqa: E402
from engines.core import Run  # noqa: E402
from engines.data import HandCapture, Mesh, Photos, Problem, Slices, Volume  # noqa: E402
from engines.files import WRITERS, write  # noqa: E402
from engines.pde.evolving_problems import advection  # noqa: E402
from engines.pde.steady_problems import helmholtz, rapid_line  # noqa: E402
from engines.shape.analytic import torus_slices, two_hole_slices  # noqa: E402
from engines.shape.made_hand import bending, normals_of, photograph_hand, surfaces  # noqa: E402
from engines.shape.photographed import photograph  # noqa: E402
from engines.shape.slicing import slice_mesh  # noqa: E402

FOLDER = ROOT / "assets" / "samples"
SURFACE = "nilearn/datasets/data/fsaverage5/pial_left.gii.gz"
CORTEX_PLANES = 32

SAMPLES = [
    {
        "key": "cortex",
        "title": "Cortex slices",
        "description": f"Left half of a human cortex, {CORTEX_PLANES} coronal slices",
        "files": [
            {
                "input": "slices",
                "path": "cortex/slices.csl",
                "name": "Cortex slices",
                "options": {"unit": "mm"},
            },
            {
                "input": "reference",
                "path": "cortex/reference.ply",
                "name": "Cortex, reference",
                "options": {"unit": "mm"},
            },
        ],
        "method": "orex",
        "preset": "quick",
        "params": {  # folds need finer fits than Quick's
            "steps": 3000,
            "decay": 0.94,
            "weight_decay": 0,
            "kept_levels": 6,
            "radius_exponents": [4, 4, 4, 5, 5, 6],
            "samples": [2, 2, 2, 2, 3, 3],
            "white_noise": 1024,
            "resolution": 128,
        },
        "picture": "cortex/picture.png",
        "licence": "BSD-3-Clause (nilearn); the surface is FreeSurfer's fsaverage5",
        "source": "cortex/SOURCE.md",
    },
    {
        "key": "torus",
        "title": "Torus, oblique slices",
        "description": "A ring cut by 12 planes in random directions",
        "files": [
            {"input": "slices", "path": "torus/slices.csl", "name": "Torus, oblique slices"},
            {"input": "reference", "path": "torus/reference.ply", "name": "Torus, reference"},
        ],
        "method": "orex",
        "preset": "quick",
        "picture": "torus/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "two-holes",
        "title": "Two-hole solid",
        "description": "Two rings melted together, 13 parallel slices",
        "files": [
            {"input": "slices", "path": "two-holes/slices.csl", "name": "Two-hole solid, slices"},
            {"input": "reference", "path": "two-holes/reference.ply", "name": "Two-hole solid, reference"},
        ],
        "method": "orex",
        "preset": "quick",
        "picture": "two-holes/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "photos",
        "title": "Photos of a ring",
        "description": "40 photos of a painted ring on a table, with their cameras",
        "files": [{"input": "photos", "path": "photos/transforms.json", "name": "Photos of a ring"}],
        "method": "gaussian-splatting",
        "preset": "quick",
        "picture": "photos/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "avocado",
        "title": "Avocado, label volume",
        "description": "Flesh and stone as two labels, to be sliced first",
        "files": [{"input": "volume", "path": "avocado/avocado.nii.gz", "name": "Avocado"}],
        "method": "slice-volume",
        "preset": None,
        "picture": "avocado/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "waves",
        "title": "Waves on a square",
        "description": "A Helmholtz equation with its exact solution",
        "files": [{"input": "problem", "path": "waves/helmholtz.problem", "name": "Waves on a square"}],
        "method": "pig",
        "preset": "quick",
        "picture": "waves/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "pulse",
        "title": "Travelling pulse",
        "description": "Advection of a narrow pulse, with its exact solution",
        "files": [{"input": "problem", "path": "pulse/advection.problem", "name": "Travelling pulse"}],
        "method": "insr",
        "preset": "quick",
        "picture": "pulse/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "oscillations",
        "title": "Rapid oscillations",
        "description": "u″ = f, with a solution of 16 waves that is to be learned",
        "files": [{"input": "problem", "path": "oscillations/poisson.problem", "name": "Rapid oscillations"}],
        "method": "gp-hm",
        "preset": "quick",
        "picture": "oscillations/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "hand",
        "title": "Hand in six poses",
        "description": "42 photos of an open hand that bends, with cameras and poses",
        "files": [
            {
                "input": "capture",
                "path": "hand",
                "name": "Hand in six poses",
                "options": {"held_out_views": "camera_04", "held_out_frames": "pose_04"},
            }
        ],
        "method": "xhand",
        "preset": "quick",
        "picture": "hand/picture.png",
        "licence": "MIT; the hand is that of @webxr-input-profiles/assets (MIT)",
        "source": "packaging/make_samples.py, a formula",
    },
]


def make_data(wheel: Path) -> None:
    for entry in SAMPLES:
        (FOLDER / entry["key"]).mkdir(parents=True, exist_ok=True)
    _cortex(wheel)
    made = torus_slices.run({}, torus_slices.params(), Run(seed=3))
    _keep("torus", made["slices"], made["reference"])
    made = two_hole_slices.run({}, two_hole_slices.params(), Run())
    # A coarser reference than the method's, with the same exact vertices: the file stays small.
    _keep("two-holes", made["slices"], solid_mesh(TwoHoles(), 72))
    write(avocado(), FOLDER / "avocado" / "avocado.nii.gz")
    write(ring_photos()["photos"], FOLDER / "photos" / "transforms.json")
    for path, problem in problems().items():
        write(problem, FOLDER / path)
    _hand(FOLDER / "hand")
    (FOLDER / "samples.json").write_text(json.dumps(SAMPLES, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _keep(key: str, slices: Slices, reference: Mesh) -> None:
    write(slices, FOLDER / key / "slices.csl", WRITERS["csl"].options(digits=8))
    write(
        Mesh(vertices=reference.vertices, faces=reference.faces),
        FOLDER / key / "reference.ply",
        WRITERS["ply"].options(precision="single"),
    )


def _cortex(wheel: Path) -> None:
    import nibabel

    with zipfile.ZipFile(wheel) as archive:
        licence = next(n for n in archive.namelist() if n.endswith("dist-info/licenses/LICENSE"))
        (FOLDER / "cortex" / "LICENSE-nilearn.txt").write_bytes(archive.read(licence))
        surface = nibabel.GiftiImage.from_bytes(gzip.GzipFile(fileobj=io.BytesIO(archive.read(SURFACE))).read())
    vertices, faces = (part.data for part in surface.darrays)
    reference = Mesh(vertices=vertices, faces=faces, name="Left cortex", unit="mm")
    params = slice_mesh.params(arrangement="y", count=CORTEX_PLANES)
    _keep("cortex", slice_mesh.run({"mesh": reference}, params, Run())["slices"], reference)


def problems() -> dict[str, Problem]:
    """By the file that holds each."""
    made = {
        "waves/helmholtz.problem": helmholtz.run({}, helmholtz.params(), Run()),
        "pulse/advection.problem": advection.run({}, advection.preset("quick"), Run()),
        "oscillations/poisson.problem": rapid_line.run({}, rapid_line.preset("quick"), Run()),
    }
    return {path: outputs["problem"] for path, outputs in made.items()}


def ring_photos() -> dict:
    """32 photos and 8 held out, 128 x 128, of a torus on a table."""
    return photograph.run({}, photograph.params(table=True, known_points=2000), Run(seed=0))


def hand_capture() -> HandCapture:
    """6 poses from 7 cameras, 128 x 128; one of each is kept back."""
    params = photograph_hand.preset("quick").model_copy(update={"resolution": 128, "levels": 2})
    return photograph_hand.run({}, params, Run(seed=1))["handcapture"]


def _hand(folder: Path) -> None:
    """As the folder that anyone's own capture would be: a folder of photos for each camera, cameras and poses."""
    capture = hand_capture()
    views, frames = ([name.replace(" ", "_") for name in names] for names in (capture.view_names, capture.frame_names))
    first = np.flatnonzero(capture.frame == 0)
    photos = capture.photos
    of_views = Photos.packed(
        [photos.file(i) for i in first], sizes=photos.sizes[first], names=tuple(views[capture.view[i]] for i in first),
        world_to_camera=photos.world_to_camera[first], intrinsics=photos.intrinsics[first],
    )  # fmt: skip
    shutil.rmtree(folder / "images", ignore_errors=True)
    (folder / "transforms.json").unlink(missing_ok=True)
    write(of_views, folder / "transforms.json")
    shutil.rmtree(folder / "images")
    for i in range(len(photos)):
        place = folder / "images" / views[capture.view[i]] / f"{frames[capture.frame[i]]}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photos.file(i))
    write(capture.poses, folder / "poses.json")
    shutil.copyfile(ROOT / "assets" / "templates" / "generic-hand" / "right.glb", folder / "template.glb")


def avocado() -> Volume:
    """96 x 64 x 64 voxels of 1.1 mm along z and 1.25 mm across: flesh (label 1) around a stone (label 2)."""
    spacing = np.array([1.25, 1.25, 1.1])
    index = np.stack(np.meshgrid(np.arange(64), np.arange(64), np.arange(96), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis((index - np.array([31.5, 31.5, 47.5])) * spacing, -1, 0)
    # A pear: the radius narrows towards the stalk (z up).
    height = np.clip((z + 46) / 92, 0, 1)
    radius = 33 * np.sqrt(np.maximum(0, 1 - ((z + 2) / 46) ** 2)) * (1 - 0.36 * height**1.6)
    values = (np.hypot(x, y) < radius).astype(np.uint8)
    values[np.hypot(np.hypot(x, y), z + 15) < 15] = 2
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * np.array([31.5, 31.5, 47.5])
    return Volume(values=values, affine=affine, is_label=True, unit="mm", name="Avocado")


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


def make_pictures(keys: list[str]) -> None:
    """480 x 320 (and twice that, ``@2x``) with a transparent background: contours turn into the surface."""
    from app.samples import sample

    for key in keys or [entry["key"] for entry in SAMPLES]:
        found = sample(key).load()
        others = {
            "avocado": _avocado_scene, "photos": _photos_scene, "waves": _waves_scene, "pulse": _pulse_scene,
            "oscillations": _oscillations_scene, "hand": _hand_scene,
        }  # fmt: skip
        scene = others[key](*found.values()) if key in others else _scene(found, **VIEWS[key])
        _save(scene, FOLDER / key)


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


def _save(plotter, folder: Path) -> None:
    from PIL import Image

    pixels = plotter.screenshot(transparent_background=True, return_img=True).astype(np.float32) / 255
    plotter.close()
    # Average with premultiplied alpha, so that no dark fringe is left around the shape.
    pixels[..., :3] *= pixels[..., 3:]
    for name, step in (("picture.png", 4), ("picture@2x.png", 2)):
        small = pixels.reshape(1280 // step, step, 1920 // step, step, 4).mean((1, 3))
        small[..., :3] /= np.maximum(small[..., 3:], 1e-6)
        Image.fromarray((small * 255 + 0.5).astype(np.uint8)).save(folder / name, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("data").add_argument("wheel", type=Path)
    parts.add_parser("pictures").add_argument("keys", nargs="*")
    chosen = parser.parse_args()
    if chosen.part == "data":
        make_data(chosen.wheel)
    else:
        make_pictures(chosen.keys)


if __name__ == "__main__":
    main()
