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

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from transport_samples import (  # noqa: E402 - it lies beside this script
    COLOURS,
    measures,
    photos_of_colours,
    say_where_digits_come_from,
    write_cells,
    write_scores,
)

from engines.blocks.analytic_shapes import TwoHoles, solid_mesh  # noqa: E402
from engines.core import Run  # noqa: E402
from engines.data import HandCapture, Mesh, Photos, Problem, Slices, Volume  # noqa: E402
from engines.files import WRITERS, write  # noqa: E402
from engines.pde.evolving_problems import advection  # noqa: E402
from engines.pde.steady_problems import helmholtz, rapid_line  # noqa: E402
from engines.shape.analytic import torus_slices, two_hole_slices  # noqa: E402
from engines.shape.made_hand import photograph_hand  # noqa: E402
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
    {
        "key": "digits",
        "title": "Two digits",
        "description": "A written 3 and a 5 as mass on pixels, to be moved into each other",
        "files": [
            {"input": "source", "path": "digits/three.npz", "name": "Digit 3"},
            {"input": "target", "path": "digits/five.npz", "name": "Digit 5"},
        ],
        "method": "sns",
        "preset": None,
        "picture": "digits/picture.png",
        "licence": "CC BY 4.0 (Alpaydin and Kaynak, UCI); from scikit-learn (BSD-3-Clause)",
        "source": "digits/SOURCE.md",
    },
    {
        "key": "moons",
        "title": "Two moons and a curve",
        "description": "Two clouds, and a map that is learned to take one to the other",
        "files": [
            {"input": "source", "path": "moons/moons.npz", "name": "Two moons"},
            {"input": "target", "path": "moons/curve.npz", "name": "Curve"},
        ],
        "method": "monge-gap",
        "preset": "quick",
        "params": {"cost": "Euclidean", "gap_weight": 2.0},
        "picture": "moons/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, a formula",
    },
    {
        "key": "cells",
        "title": "Treated cells",
        "description": "Made single-cell data: untreated cells, and others after a drug",
        "files": [
            {
                "input": "source target",
                "path": "cells/cells.h5ad",
                "name": "Cells",
                "options": {"condition": "drug", "control": "control", "treated": "treated", "components": 10},
            }
        ],
        "method": "monge-gap",
        "preset": "quick",
        "params": {"cost": "Euclidean"},
        "picture": "cells/picture.png",
        "licence": "MIT",
        "source": "packaging/make_samples.py, drawn at random",
    },
    {
        "key": "colours",
        "title": "Colours of two photos",
        "description": "Palettes of a cat and of a cup of coffee, for colour transfer",
        "files": [
            {"input": "source", "path": "colours/cat.npz", "name": "Colours of the cat"},
            {"input": "target", "path": "colours/coffee.npz", "name": "Colours of the coffee"},
            {"input": "", "path": "colours/cat.png", "name": "Cat"},
            {"input": "", "path": "colours/coffee.png", "name": "Coffee"},
        ],
        "method": "k-sparse",
        "preset": None,
        "params": {"k": 8},
        "picture": "colours/picture.png",
        "licence": "CC0 (Stéfan van der Walt; Rachel Michetti); from scikit-image",
        "source": "colours/SOURCE.md",
    },
    {
        "key": "experts",
        "title": "Tokens and experts",
        "description": "Scores of 300 tokens for 10 experts, of which each takes 30",
        "files": [
            {
                "input": "source",
                "path": "experts/scores.csv",
                "name": "Scores of experts",
                "format": "csv-costs",
                "options": {"holds": "scores"},
            }
        ],
        "method": "k-sparse",
        "preset": None,
        "params": {"k": 30},
        "picture": "experts/picture.png",
        "licence": "CC BY 4.0 (Alpaydin and Kaynak, UCI); from scikit-learn (BSD-3-Clause)",
        "source": "experts/SOURCE.md",
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
    for path, measure in measures().items():
        write(measure, FOLDER / path)
    write_cells(FOLDER / "cells" / "cells.h5ad")
    for name, photo in photos_of_colours().items():
        write(photo, FOLDER / "colours" / f"{name}.png")
    (FOLDER / "colours" / "SOURCE.md").write_text(COLOURS, encoding="utf-8")
    write_scores(FOLDER / "experts" / "scores.csv")
    say_where_digits_come_from(FOLDER)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("data").add_argument("wheel", type=Path)
    parts.add_parser("pictures").add_argument("keys", nargs="*")
    chosen = parser.parse_args()
    if chosen.part == "data":
        make_data(chosen.wheel)
    else:
        from sample_pictures import make_pictures  # it lies beside this script

        make_pictures(FOLDER, chosen.keys or [entry["key"] for entry in SAMPLES])


if __name__ == "__main__":
    main()
