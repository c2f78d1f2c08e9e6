"""Structure from motion: where photos were taken and what was in front of them, from the photos alone.

With K the calibration of the lens, (R_i, t_i) the pose of photo i and X_j a point seen in it at u_ij, what is sought
minimises the reprojection error over all poses, points and the lens,

    E = sum_ij rho(|pi(K, R_i X_j + t_i) - u_ij|²),        u_ij: matched features (SIFT)

It is grown photo by photo from a first pair (Schönberger and Frahm 2016), by COLMAP
(:mod:`engines.blocks.colmap_mapping`). Scale and place of the scene cannot be told from photos; it is turned so that
what was up for the photographers is up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping as Given
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.apart import Work, begun
from engines.blocks.colmap_mapping import BLOCK, Mapping, map_photos, partners
from engines.blocks.corner_scene import corner_photos
from engines.core import Artifact, Example, Paper, Param, Params, Run, UserError, method
from engines.data import Photos, PhotoSet, UnposedPhotos
from engines.files.colmap import ColmapOptions, read_colmap

COLMAP = "COLMAP"
STAGES = {
    "features": ("Finding features", 0.4),
    "matches": ("Matching photos", 0.35),
    "photos": ("Placing photos", 0.2),
}
"""What is said of each, and its part of the whole."""
MANY = 300
"""From so many photos on matching all pairs takes hours."""
BYTES_PER_PIXEL = 250
"""What finding features needs for each pixel of a photo: its scale space begins at the doubled photo."""


class MotionParams(Params):
    pairs: Literal["exhaustive", "sequential"] = Param(
        "exhaustive", label="Match", source=COLMAP,
        help="Each photo with each other; or, for a video or a walk, with those taken shortly before and after",
    )  # fmt: skip
    overlap: int = Param(
        10, ge=1, le=1000, source=COLMAP,
        help="Sequential: a photo is matched with so many that follow it, and with some further on",
    )  # fmt: skip
    one_camera: bool = Param(
        True, source="own choice", help="All photos of one size were taken with one lens that was not zoomed"
    )
    lens: Literal["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE"] = Param(
        "SIMPLE_RADIAL", label="Camera model", source=COLMAP, help="How the lens images; its distortion is undone after"
    )
    focal_length: float = Param(
        0.0, ge=0, le=1e6, unit="pixels", source="own choice",
        help="Where to begin, at the size of the photos. 0: from what the camera wrote into them, or a guess",
    )  # fmt: skip
    longest_side: int = Param(
        1600, ge=100, le=20_000, unit="pixels", source="own choice; COLMAP has 3200",
        help="Larger photos are scaled down to find features in them; the photos of the result stay as they are",
    )  # fmt: skip
    features: int = Param(8192, ge=100, le=100_000, source=COLMAP, advanced=True, help="Of a photo, at most")


def _corner() -> Given[str, Artifact]:
    return {"photos": without_cameras(corner_photos(12, 360, 270))}


def _small_corner() -> Given[str, Artifact]:
    return {"photos": without_cameras(corner_photos(4, 200, 150))}


def _single() -> Given[str, Artifact]:
    return {"photos": without_cameras(corner_photos(2, 64, 48))}


def without_cameras(photos: PhotoSet) -> UnposedPhotos:
    """The photos alone."""
    return UnposedPhotos(
        encoded=photos.encoded, starts=photos.starts, sizes=photos.sizes, names=photos.names, name=photos.name
    )


def memory(inputs: Given[str, Artifact], params: MotionParams) -> int:
    photos: Any = inputs["photos"]
    shrink = np.minimum(1, params.longest_side / photos.sizes.max(1).clip(1))
    pixels = float((photos.sizes.prod(1) * shrink**2).max(initial=0))
    return int(3e8 + 3 * photos.nbytes + torch.get_num_threads() * BYTES_PER_PIXEL * pixels)


@method(
    key="structure-from-motion",
    title="Structure from motion",
    family="shape",
    job="Find out from photos alone where they were taken.",
    paper=Paper(
        title="Structure-from-Motion Revisited",
        authors="Johannes L. Schönberger and Jan-Michael Frahm",
        year=2016,
        venue="IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
        url="https://openaccess.thecvf.com/content_cvpr_2016/html/Schonberger_Structure-From-Motion_Revisited_CVPR_2016_paper.html",
    ),
    presets={"quick": {"longest_side": 800, "features": 2048}, "paper": {"longest_side": 3200}},
    sample=Example(_corner, {"longest_side": 360, "features": 2048}, "Photos of a corner"),
    smoke=Example(_small_corner, {"longest_side": 200, "features": 500}, "Four small photos of a corner"),
    degenerate=(Example(_single, title="Two photos"),),
    memory=memory,
    lighter=("longest_side",),
    needs={"pycolmap": "photos"},
    tags=("photos", "cameras", "poses", "SfM", "COLMAP", "calibration"),
)
def find_cameras(
    photos: Annotated[PhotoSet, "of one scene that did not move; cameras that they have are not used"],
    params: MotionParams,
    run: Run,
) -> Photos:
    """Photos that cannot be placed are left out, and named."""
    if len(photos) < 3:
        raise UserError(
            f"There {'is only one photo' if len(photos) == 1 else f'are only {len(photos)} photos'}.",
            "What is seen in fewer than three cannot be checked.",
            "Take more, each with much of what the one before shows.",
        )
    if params.pairs == "exhaustive" and len(photos) > MANY:
        run.warn(f"{len(photos) * (len(photos) - 1) // 2:,} pairs of photos are matched. Sequential would be quicker.")
    with tempfile.TemporaryDirectory(prefix="fieldwright-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        work = _laid_out(photos, params, folder / "images", run)
        (folder / "sparse").mkdir()
        database = folder / "database.db"
        with begun(map_photos, work, database, folder / "sparse", check=run.check) as mapping:
            _follow(mapping, {"features": len(photos), "matches": len(work.pairs), "photos": len(photos)}, run)
            placed = mapping.result()
        if not placed:
            raise _nothing(photos, partners(database, work.names))
        found = _read(folder / "sparse" / "0" / "cameras.bin", run)
        _say(photos, placed, [n for n in range(len(photos)) if work.names[n] not in found.names], run)
    order = {name: index for index, name in enumerate(work.names)}
    return upright(_in_order(found, photos, [order[name] for name in found.names]))


def _laid_out(photos: PhotoSet, params: MotionParams, folder: Path, run: Run) -> Mapping:
    """Write the photos to files: those of one size share a folder, and so a camera."""
    names = []
    for index in range(len(photos)):
        run.check()
        data = photos.file(index)
        width, height = photos.sizes[index]
        ending = "png" if data.startswith(b"\x89PNG") else "jpg"
        name = f"{width}x{height}/{index:06d}.{ending}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        names.append(name)
    pairs = pairs_of(len(photos), params.overlap if params.pairs == "sequential" else None)
    return Mapping(
        folder=folder,
        names=tuple(names),
        pairs=tuple((names[a], names[b]) for a, b in pairs),
        one_camera=params.one_camera,
        model=params.lens,
        focal=params.focal_length,
        longest_side=params.longest_side,
        features=params.features,
        seed=run.seed,
        threads=max(1, torch.get_num_threads()),
    )


def pairs_of(count: int, overlap: int | None) -> list[tuple[int, int]]:
    """All pairs; or those of a sequence: up to ``overlap`` apart, and by powers of two as many times further."""
    if overlap is None:
        every = ((a, b) for a in range(count) for b in range(a + 1, count))
        return sorted(every, key=lambda pair: (pair[0] // BLOCK, pair[1] // BLOCK, pair))
    steps = sorted({*range(1, overlap + 1), *(2**k for k in range(overlap) if 2**k < count)})
    return [(a, a + step) for a in range(count) for step in steps if a + step < count]


def _follow(work: Work, totals: dict[str, int], run: Run) -> None:
    """Show how far the other process is until it has ended."""
    stages = list(STAGES)
    at, done, ended = 0, 0, False
    for number, (stage, (label, share)) in enumerate(STAGES.items()):
        for index in run.steps(totals[stage], label, share=share):
            while not ended and (at < number or (at == number and done <= index)):
                told = work.told()
                if told is None:
                    ended = True
                    break
                at, done = stages.index(told[0]), told[1]
                if told[0] == "photos":
                    run.log(step=done, **{"photos placed": done})


def _read(model: Path, run: Run) -> Photos:
    """Photos and cameras of a model, with the distortion of the lens undone."""
    ticks, passed = iter(run.steps(100, "Straightening photos")), 0

    def tell(fraction: float, text: str) -> None:
        nonlocal passed
        while passed < min(99, int(100 * fraction)):
            next(ticks)
            passed += 1
        run.check()

    loaded = read_colmap(model, ColmapOptions(), tell)
    for _ in ticks:
        pass
    found = loaded.artifacts[0]
    assert isinstance(found, Photos)
    for problem in loaded.problems:
        if problem.startswith("The distortion"):
            run.note(problem)
    return found


def _say(photos: PhotoSet, placed: list[int], lost: list[int], run: Run) -> None:
    run.note(f"{placed[0]:,} of {len(photos):,} photos were placed. Lengths have no unit: photos cannot tell them.")
    if lost:
        run.warn(
            f"{len(lost):,} of {len(photos):,} photos could not be placed and are left out: {_names(photos, lost)}."
        )
    if len(placed) > 1:
        run.warn(
            f"The photos fall into {len(placed)} groups that could not be joined, of {', '.join(map(str, placed))} "
            "photos; the largest is the result. More photos between them would join them."
        )


def _nothing(photos: PhotoSet, known: list[int]) -> UserError:
    alone = [index for index, partner_count in enumerate(known) if not partner_count]
    why = (
        "No two photos show enough of the same."
        if len(alone) == len(photos)
        else "Too few of them show the same from places that differ enough."
        + (f" Nothing in common with any other have: {_names(photos, alone)}." if alone else "")
    )
    return UserError(
        "The photos could not be placed.",
        why,
        "Take photos that overlap by two thirds, of a scene with texture, walking around it rather than turning on the "
        "spot; or raise the longest side.",
    )


def _names(photos: PhotoSet, indices: list[int]) -> str:
    return ", ".join(photos.label(index) for index in indices)


def _in_order(found: Photos, photos: PhotoSet, indices: list[int]) -> Photos:
    """As the photos were, and called as they were; ``indices`` are their numbers."""
    order = np.argsort(indices, kind="stable")
    files = [found.file(int(i)) for i in order]
    return Photos.packed(
        files,
        name=photos.name,
        world_to_camera=found.world_to_camera[order],
        intrinsics=found.intrinsics[order],
        sizes=found.sizes[order],
        points=found.points,
        point_colors=found.point_colors,
        names=tuple(photos.label(indices[int(i)]) for i in order),
    )


def upright(photos: Photos) -> Photos:
    """The scene turned so that z is what was up in the photos on average, about the middle of the cameras."""
    turns, shifts = photos.world_to_camera[:, :3, :3], photos.world_to_camera[:, :3, 3]
    middle = -np.einsum("nji,nj->ni", turns, shifts).mean(0)
    up = -turns[:, 1].mean(0)
    length = np.linalg.norm(up)
    turn = _onto_z(up / length) if length > 0.1 else np.eye(3)
    poses = photos.world_to_camera.copy()
    poses[:, :3, :3] = turns @ turn.T
    poses[:, :3, 3] = shifts + turns @ middle
    points = None if photos.points is None else (photos.points - middle) @ turn.T
    return photos.replace(world_to_camera=poses, points=points)


def _onto_z(direction: np.ndarray) -> np.ndarray:
    """(3, 3) the smallest turn that takes a unit vector to z."""
    cosine = direction[2]
    if cosine < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    axis = np.cross(direction, [0.0, 0.0, 1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)
