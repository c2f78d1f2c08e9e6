"""Photos with cameras from the parts that a reader of a dataset found: files are checked, lenses straightened."""

from __future__ import annotations

import io
import os
import textwrap
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from engines.blocks.lenses import Lens, resample
from engines.core import UserError
from engines.data import Photos
from engines.data.photos import MOST_PIXELS
from engines.files import guard
from engines.files.registry import Loaded, Tell, silent

T, R = TypeVar("T"), TypeVar("R")

MOST_PHOTOS = 100_000
NEAR_ONE = 0.01
"""Sides of a photo may be rounded: its aspect may be so far from the camera's."""


@dataclass(frozen=True)
class Optics:
    """A lens as a dataset describes it: focal lengths in pixels or by angles in radians, perhaps of another size."""

    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    angle_x: float | None = None
    angle_y: float | None = None
    width: int | None = None
    height: int | None = None
    radial: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)
    fisheye: bool = False

    @property
    def needs_size(self) -> bool:
        """Whether pixels are meant whose number is not said."""
        return not (self.width and self.height) and any(v is not None for v in (self.fx, self.fy, self.cx, self.cy))

    def lens(self, size: tuple[int, int]) -> Lens | None:
        """For a photo of this size; None when its aspect does not fit."""
        w, h = self.width or size[0], self.height or size[1]
        if abs(size[0] / w - size[1] / h) > NEAR_ONE * size[0] / w:
            return None
        fx = self.fx if self.fx is not None else _focal(w, self.angle_x)
        fy = self.fy if self.fy is not None else _focal(h, self.angle_y)
        fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
        if fx is None or fy is None:
            fx = fy = 0.0  # no camera at all: refused as one that sees nothing
        cx, cy = (w / 2 if self.cx is None else self.cx), (h / 2 if self.cy is None else self.cy)
        return Lens(fx, fy, cx, cy, w, h, self.radial, self.tangential, self.fisheye).resized(*size)


def _focal(side: int, angle: float | None) -> float | None:
    if angle is None:
        return None
    return 0.5 * side / float(np.tan(angle / 2)) if 0 < angle < np.pi else 0.0


@dataclass(frozen=True)
class Shot:
    """One photo of a dataset. ``file`` and ``mask`` are as :func:`inside` gave them."""

    name: str
    file: Path | None
    optics: Optics
    world_to_camera: np.ndarray
    held_out: bool = False
    mask: Path | None = None


@dataclass
class _Opened:
    shot: Shot
    data: bytes
    size: tuple[int, int]
    trouble: str = ""
    lens: Lens | None = None


@dataclass
class Points:
    """Known points of the scene (P, 3) with RGB (P, 3) uint8."""

    places: np.ndarray | None = None
    colors: np.ndarray | None = None
    problems: list[str] = field(default_factory=list)


def inside(folder: Path, name: str) -> Path | None:
    """The file that a dataset names, or None when it lies outside of the dataset's folder."""
    try:
        real, root = (folder / name.replace("\\", "/")).resolve(), folder.resolve()
        return real if real.is_relative_to(root) and "\0" not in name else None
    except (OSError, ValueError, RuntimeError):
        return None


def some(names: Sequence[str], most: int = 2000) -> str:
    """Names for a message: who has to find lost photos wants all of them. What shows it may shorten it."""
    more = f" and {len(names) - most:,} others" if len(names) > most else ""
    return ", ".join(n[:80] for n in names[:most]) + more


def brief(said: Sequence[str]) -> str:
    """All of it, in an error that has to fit on the screen."""
    return textwrap.shorten(" ".join(said), 600, placeholder=" …")


def rigid(path: Path, matrix: np.ndarray, name: str) -> np.ndarray:
    """A pose (4, 4) or (3, 4) as (4, 4) float64. Raises UserError unless it only turns and moves."""
    pose = np.eye(4)
    pose[: len(matrix)] = matrix
    turn = pose[:3, :3]
    if not np.isfinite(pose).all():
        raise guard.refuse(
            path, "has a pose that is not finite.", f"It is that of '{name[:80]}'.", "Estimate it again."
        )
    off = float(np.abs(turn.T @ turn - np.eye(3)).max())
    if off > 1e-3 or np.linalg.det(turn) < 0 or not np.allclose(pose[3], (0, 0, 0, 1), atol=1e-6):
        why = "It mirrors." if off <= 1e-3 and np.linalg.det(turn) < 0 else f"|RᵀR − I| is {off:.2g}."
        raise guard.refuse(
            path,
            f"has a pose that is not rigid, that of '{name[:80]}'.",
            f"{why} A camera can be turned and moved, not sheared, scaled or mirrored.",
            "Check how the poses were written.",
        )
    return pose


def photos_of(
    path: Path,
    shots: Sequence[Shot],
    points: Points,
    name: str,
    problems: Sequence[str] = (),
    tell: Tell = silent,
) -> Loaded:
    """Check, straighten and join the photos of a dataset that ``path`` describes.

    Raises :class:`UserError` when fewer than half of the photos can be used, or a camera makes no sense.
    """
    said = list(problems)
    if len(shots) > MOST_PHOTOS:
        raise guard.refuse(path, "names too many photos.", f"{len(shots):,}; {MOST_PHOTOS:,} are read.", "Split it.")
    shots = _present(path, shots, said)
    guard.room(path, sum(os.path.getsize(s.file) for s in shots if s.file))
    bends = any(any((*s.optics.radial, *s.optics.tangential)) or s.optics.fisheye or s.mask for s in shots)
    opened = each(_open, shots, tell, "Reading photos", (0.0, 0.3 if bends else 1.0))
    opened = _readable(path, opened, said)
    _fit(path, opened, said)
    _straighten(path, opened, said, tell)
    sizes = {o.size for o in opened}
    if len(sizes) > 1:
        said.append(f"The photos have {len(sizes)} different sizes.")
    poses = np.stack([o.shot.world_to_camera for o in opened])
    centres = -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])
    if np.linalg.norm(centres - centres.mean(0), axis=1).max() <= 1e-9 * (1 + np.abs(centres).max()):
        said.append("All cameras stand at one point: no depth can be told from them.")
    said += points.problems
    if points.places is None or not len(points.places):
        said.append("No points of the scene are known: training begins with random ones.")
    held_out = np.array([o.shot.held_out for o in opened])
    lenses = [o.lens for o in opened if o.lens is not None]
    photos = Photos.packed(
        [o.data for o in opened],
        name=name,
        world_to_camera=poses,
        intrinsics=np.array([[n.fx, n.fy, n.cx, n.cy] for n in lenses]),
        sizes=np.array([o.size for o in opened], np.int64),
        held_out=held_out if held_out.any() else None,
        points=points.places if points.places is not None and len(points.places) else None,
        point_colors=points.colors if points.places is not None and len(points.places) else None,
        names=tuple(o.shot.name for o in opened),
    )
    files = [f for o in opened for f in (o.shot.file, o.shot.mask) if f is not None and f.is_file()]
    return Loaded((photos,), tuple(said), tuple(dict.fromkeys(files)))


def each(
    work: Callable[[T], R], items: Sequence[T], tell: Tell, text: str, share: tuple[float, float] = (0.0, 1.0)
) -> list[R]:
    """``work`` done on all items by a few threads; between them ``tell`` is told, and may stop it by an exception."""
    begin, end = share
    found: list[R] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # here, for all threads: each doing so would undo what another did
        try:
            for result in pool.map(work, items):
                found.append(result)
                tell(begin + (end - begin) * len(found) / len(items), f"{text} ({len(found):,} of {len(items):,})")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _own(shot: Shot) -> tuple[int, int]:
    return shot.optics.width or 1, shot.optics.height or 1


def _present(path: Path, shots: Sequence[Shot], said: list[str]) -> list[Shot]:
    """The shots whose files are there; the others are listed."""
    if not shots:
        raise guard.refuse(path, "names no photos.", "", "Choose another dataset.")
    outside = [s.name for s in shots if s.file is None]
    missing = [s.name for s in shots if s.file is not None and not s.file.is_file()]
    if outside:
        said.append(f"{len(outside):,} photos lie outside of the dataset and are not read: {some(outside)}.")
    if missing:
        said.append(f"{len(missing):,} of {len(shots):,} photos are missing and were left out: {some(missing)}.")
    there = [s for s in shots if s.file is not None and s.file.is_file()]
    if any(s.held_out for s in shots) and not any(s.held_out for s in there):
        shots = [s for s in shots if not s.held_out]  # a split that was not copied is no reason to refuse the others
    _enough(path, [s for s in there if not s.held_out], [s for s in shots if not s.held_out], said)
    return there


def _enough(path: Path, have: Sequence[object], wanted: Sequence[object], said: Sequence[str]) -> None:
    if not have or 2 * len(have) < len(wanted):
        raise guard.refuse(
            path,
            "has lost most of its photos.",
            textwrap.shorten(
                f"{len(have):,} of {len(wanted):,} can be used. {' '.join(said[-3:])}", 600, placeholder=" …"
            ),
            "Copy the photos beside it, in the folders that it names.",
        )


def _open(shot: Shot) -> _Opened:
    assert shot.file is not None
    return _Opened(shot, *decoded(shot.file))


def decoded(file: Path) -> tuple[bytes, tuple[int, int], str]:
    """Content and size of a photo of which all can be decoded; else what is wrong, as the third."""
    import PIL.Image

    try:
        if file.stat().st_size > 1 << 30:
            raise ValueError("the file is larger than 1 GiB")
        data = file.read_bytes()
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            size = image.size
            if size[0] * size[1] > MOST_PIXELS:
                raise PIL.Image.DecompressionBombError
            image.draft(
                "RGB", (max(1, size[0] // 8), max(1, size[1] // 8))
            )  # of a JPEG all is read, but little is computed
            image.load()
        return data, size, ""
    except PIL.Image.DecompressionBombError:
        return b"", (0, 0), "too many pixels"
    except Exception as error:  # what a decoder raises at damaged data is not known
        detail = getattr(error, "strerror", None) or f"{error}".replace("\n", " ")[:100]
        return b"", (0, 0), "not PNG or JPEG" if "cannot identify" in detail else detail


def _readable(path: Path, opened: list[_Opened], said: list[str]) -> list[_Opened]:
    bad = [f"{o.shot.name} ({o.trouble})" for o in opened if o.trouble]
    if bad:
        said.append(f"{len(bad):,} photos cannot be read and were left out: {some(bad)}.")
    good = [o for o in opened if not o.trouble]
    _enough(path, [o for o in good if not o.shot.held_out], [o for o in opened if not o.shot.held_out], said)
    return good


def _fit(path: Path, opened: list[_Opened], said: list[str]) -> None:
    """Give each photo the lens of its size."""
    sizes = {o.size for o in opened}
    if len(sizes) > 1 and any(o.shot.optics.needs_size for o in opened):
        few = some([f"{w}×{h}" for w, h in sorted(sizes)], 4)
        raise guard.refuse(
            path,
            "has photos of mixed sizes, and cameras that do not say of which size they are.",
            f"The sizes are {few} pixels.",
            "Give 'w' and 'h' with the focal lengths, for each photo if they differ.",
        )
    scaled = []
    for o in opened:
        o.lens = o.shot.optics.lens(o.size)
        if o.lens is None:
            raise guard.refuse(
                path,
                f"does not fit the photo '{o.shot.name[:80]}'.",
                f"It has {o.size[0]}×{o.size[1]} pixels; its camera is for {o.shot.optics.width or o.size[0]}×"
                f"{o.shot.optics.height or o.size[1]}.",
                "Use the photos from which the cameras were estimated, or scaled ones of the same shape.",
            )
        if not (np.isfinite([o.lens.fx, o.lens.fy]).all() and o.lens.fx > 0 and o.lens.fy > 0):
            raise guard.refuse(
                path,
                f"has a focal length that is not positive, of '{o.shot.name[:80]}'.",
                f"It is {o.lens.fx:.4g}, {o.lens.fy:.4g}. Such a camera sees nothing.",
                "Calibrate the cameras again.",
            )
        if not np.isfinite([o.lens.cx, o.lens.cy, *o.lens.radial, *o.lens.tangential]).all():
            raise guard.refuse(path, f"has a camera that is not finite, of '{o.shot.name[:80]}'.")
        if o.shot.optics.width and o.size != _own(o.shot):
            scaled.append(o)
    if scaled:
        (w, h), (a, b) = scaled[0].size, _own(scaled[0].shot)
        said.append(f"The cameras of {len(scaled):,} photos were scaled from {a}×{b} to {w}×{h} pixels.")


def _straighten(path: Path, opened: list[_Opened], said: list[str], tell: Tell) -> None:
    """Undo the distortion of lenses and put masks into the photos; such photos are encoded anew."""
    bent = [o for o in opened if o.lens is not None and o.lens.distorts]
    views: dict[Lens, tuple[Lens, np.ndarray]] = {}
    before = bent[0].size if bent else (0, 0)
    for o in bent:
        if o.lens is not None and o.lens not in views:
            guard.room(path, 40 * o.size[0] * o.size[1] * (1 + len(views)))
            try:
                views[o.lens] = o.lens.pinhole()
            except ValueError as error:
                raise guard.refuse(
                    path,
                    f"has a lens whose distortion cannot be undone, of '{o.shot.name[:80]}'.",
                    f"{str(error).capitalize()}.",
                    "Undistort the photos with the program that calibrated them.",
                ) from None
    masked = [o for o in opened if o.shot.mask is not None and o.shot.mask.is_file()]
    todo = {id(o): o for o in (*bent, *masked)}
    anew = each(lambda o: _anew(o, views.get(o.lens)), list(todo.values()), tell, "Straightening photos", (0.3, 1.0))
    for trouble in filter(None, anew):
        raise guard.refuse(path, "has a mask that cannot be used.", f"{trouble}.", "Check the masks.")
    if bent:
        after = bent[0].size
        said.append(
            f"The distortion of the lens was undone in {len(bent):,} photos: "
            f"of {before[0]}×{before[1]} pixels {after[0]}×{after[1]} are left."
        )
    if masked:
        said.append(f"The masks of {len(masked):,} photos became their transparency.")
    lost = [o.shot.name for o in opened if o.shot.mask is not None and not o.shot.mask.is_file()]
    if lost:
        said.append(f"The masks of {len(lost):,} photos are missing: {some(lost)}.")


def _anew(o: _Opened, view: tuple[Lens, np.ndarray] | None) -> str:
    """Encode a photo anew as its lens and its mask want it."""
    import PIL.Image

    with PIL.Image.open(io.BytesIO(o.data), formats=("PNG", "JPEG")) as image:
        kind = image.format
        clear = "A" in image.getbands() or "transparency" in image.info
        pixels = np.asarray(image.convert("RGBA" if clear else "RGB"))
    if o.shot.mask is not None and o.shot.mask.is_file():
        try:
            with PIL.Image.open(o.shot.mask, formats=("PNG", "JPEG")) as image:
                if image.width * image.height > MOST_PIXELS:
                    return f"'{o.shot.mask.name}' is too large"
                shown = np.asarray(image.convert("L").resize(o.size, PIL.Image.Resampling.NEAREST)) > 0
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
            return f"'{o.shot.mask.name}': {error}"[:200]
        alpha = (shown * 255).astype(np.uint8)
        if clear:
            alpha = np.minimum(alpha, pixels[..., 3])
        pixels, kind = np.dstack([pixels[..., :3], alpha]), "PNG"
    if view is not None:
        lens, places = view
        pixels = resample(pixels, places)
        o.lens, o.size = lens, (lens.width, lens.height)
    out = io.BytesIO()
    if kind == "JPEG":
        PIL.Image.fromarray(pixels).save(out, "JPEG", quality=96, subsampling=0)
    else:
        PIL.Image.fromarray(pixels).save(out, "PNG", compress_level=3)
    o.data = out.getvalue()
    return ""


def finite_numbers(path: Path, values: Sequence[object], what: str) -> list[float]:
    """Numbers of a JSON document. Raises UserError for what is none, or is not finite."""
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300 or value != value:
            raise UserError(
                f"'{path.name}' has something that is no usable number.",
                f"{what}: {str(value)[:40]}.",
                "Correct or export it again.",
            )
        found.append(float(value))
    return found
