"""Structure from motion by COLMAP (Schönberger and Frahm 2016), for a process of its own.

Corners and blobs (SIFT) are found in each photo and matched between pairs of photos; matches that fit one relative
pose are kept. From a first pair the model grows photo by photo: its pose by its points (RANSAC), new points by
triangulation, and all of it refined by bundle adjustment, which minimises the squared reprojection error.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

BLOCK = 8
"""Photos are matched block by block: of each photo an index is built whenever a portion of pairs has it."""
PAIRS_AT_ONCE = BLOCK * BLOCK

T = TypeVar("T")


@dataclass(frozen=True)
class Mapping:
    """What is done with the photos in ``folder``: each in one of its folders, which have one camera each if
    ``one_camera``. ``pairs`` are names of photos to match, blocks of photos together; ``focal`` is in pixels, 0 where
    it is to be found."""

    folder: Path
    names: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    one_camera: bool
    model: str
    focal: float
    longest_side: int
    features: int
    seed: int
    threads: int


def map_photos(tell: Callable[[Any], None], work: Mapping, database: Path, sparse: Path) -> list[int]:
    """Write the models to ``sparse/0``, ``sparse/1``, …, the largest first; returns how many photos each has.

    Tells ("features", photos done), ("matches", pairs done) and ("photos", photos placed).
    """
    import pycolmap

    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(work.seed)
    pycolmap.Database.open(database).close()
    mode = pycolmap.CameraMode.PER_FOLDER if work.one_camera else pycolmap.CameraMode.PER_IMAGE
    reading = pycolmap.ImageReaderOptions(camera_model=work.model)
    # Before features are found, so that photos are numbered by their names and not by who was ready first.
    pycolmap.import_images(database, work.folder, mode, list(work.names), reading)
    if work.focal > 0:
        _begin_with(work.focal, database)
    finding = pycolmap.FeatureExtractionOptions(max_image_size=work.longest_side, num_threads=work.threads)
    finding.sift.max_num_features = work.features
    for done, some in _portions(work.names, 2 * work.threads):
        pycolmap.extract_features(database, work.folder, list(some), mode, reading, finding)
        tell(("features", done))
    matching = pycolmap.FeatureMatchingOptions(num_threads=work.threads)
    verifying = pycolmap.TwoViewGeometryOptions()
    verifying.ransac.random_seed = work.seed
    listed = database.with_name("pairs.txt")
    pairing = pycolmap.ImportedPairingOptions(match_list_path=str(listed))
    for done, pairs in _portions(work.pairs, PAIRS_AT_ONCE):
        listed.write_text("\n".join(f"{a} {b}" for a, b in pairs), encoding="utf-8")
        pycolmap.match_image_pairs(database, matching, pairing, verifying)
        tell(("matches", done))
    return _grow(tell, work, database, sparse)


def _grow(tell: Callable[[Any], None], work: Mapping, database: Path, sparse: Path) -> list[int]:
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions(
        num_threads=work.threads, random_seed=work.seed, min_model_size=3, image_path=work.folder
    )
    options.mapper.num_threads = work.threads
    for part in (options.mapper, options.triangulation):
        part.random_seed = work.seed
    placed = 0

    def first() -> None:
        nonlocal placed
        placed = 2  # another model begins
        tell(("photos", placed))

    def more() -> None:
        nonlocal placed
        placed += 1
        tell(("photos", placed))

    models = pycolmap.incremental_mapping(
        database, work.folder, sparse, options, initial_image_pair_callback=first, next_image_callback=more
    )
    largest = sorted(models.values(), key=lambda m: m.num_reg_images(), reverse=True)
    for number, model in enumerate(largest):
        (sparse / f"{number}").mkdir(exist_ok=True)
        model.write_binary(sparse / f"{number}")
    return [model.num_reg_images() for model in largest]


def _begin_with(focal: float, database: Path) -> None:
    """Take a focal length (pixels) as known of all cameras; it is still refined."""
    import pycolmap

    with contextlib.closing(pycolmap.Database.open(database)) as opened:
        for camera in opened.read_all_cameras():
            for index in camera.focal_length_idxs():
                camera.params[index] = focal
            camera.has_prior_focal_length = True
            opened.update_camera(camera)


def partners(database: Path, names: Sequence[str]) -> list[int]:
    """With how many others each photo has verified matches. A pair's number is id1 (2^31 - 1) + id2."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        numbers = dict(opened.execute("SELECT image_id, name FROM images"))
        matched = opened.execute("SELECT pair_id FROM two_view_geometries WHERE rows > 0").fetchall()
    found = dict.fromkeys(names, 0)
    for (pair,) in matched:
        for number in divmod(pair, 2**31 - 1):
            found[numbers[number]] += 1
    return list(found.values())


def _portions(items: Sequence[T], size: int) -> Iterator[tuple[int, Sequence[T]]]:
    """So many at a time, with how many they are with those before. The library says nothing while it is at work."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        yield start + len(part), part
