"""DeepHandMesh (Moon et al. 2020): captures of right hands with 3D keypoints and a rigged hand of their own.

``images/<subject>/<sequence>/cam<id>/image<frame>.jpg``, cameras in ``annotations/KRT_512`` (mm, for 334×512 pixels),
``annotations/keypoints/<subject>/keypoints<frame>.pts`` in mm, and ``hand_model`` with ``hand.obj`` in cm,
``skeleton.txt``, ``skinning_weight.txt`` and ``global_pose.txt`` in mm. Poses are laid through the keypoints.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.blocks import hand_anatomy as anatomy
from engines.blocks.hand_keypoints import poses_from_points
from engines.core import Param
from engines.data import HandCapture, Mesh, RiggedTemplate
from engines.files import guard
from engines.files.captures import CaptureOptions, Parts, capture_of
from engines.files.obj import ObjReadOptions, read_obj
from engines.files.photoset import Optics, Shot, some
from engines.files.registry import Loaded, Tell, reader, silent

SIZE = (334, 512)
"""Pixels for which the cameras of KRT_512 are."""
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
POINTS = (*(f"b_r_{finger}{end}" for finger in _FINGERS for end in ("_null", "3", "2", "1")), "b_r_wrist")
"""Joints of the right hand in the order of the keypoints."""
MOST_BYTES = 1 << 28


class DeepHandMeshOptions(CaptureOptions):
    subject: str = Param("", help="Folder of the subject; none: the first")
    sequence: str = Param("", help="Name of the sequence; none: the first")
    frames: int = Param(50, ge=1, le=100_000, help="How many frames to take, evenly spaced", source="XHand, sec. 4")
    only_colour: bool = Param(True, help="Take the colour cameras alone (their number begins with 40)")


@reader(
    key="deephandmesh",
    title="DeepHandMesh capture",
    extensions=(),
    gives=(HandCapture,),
    options=DeepHandMeshOptions,
    names=("krt_512",),
    within=("", "annotations"),
    whole_folder=True,
    first=True,
)
def read_deephandmesh(path: Path, options: DeepHandMeshOptions, tell: Tell = silent) -> Loaded:
    problems: list[str] = []
    krt = next(f for f in (path / "KRT_512", path / "annotations" / "KRT_512") if f.is_file())
    cameras = _cameras(krt, problems)
    if options.only_colour and (colour := [name for name in cameras if name.startswith("40")]):
        cameras = {name: cameras[name] for name in colour}
    subject = _chosen(path, path / "images", options.subject, "subject")
    where = _chosen(path, subject, options.sequence, "sequence")
    template = rigged_model(path / "hand_model", problems)
    files = {
        name: {f.stem.removeprefix("image"): f for f in sorted((where / f"cam{name}").glob("image*.jpg"))}
        for name in cameras
        if (where / f"cam{name}").is_dir()
    }
    if lost := [name for name in cameras if name not in files]:
        problems.append(f"{len(lost):,} of {len(cameras):,} cameras have no photos here: {some(lost)}.")
    every = sorted({frame for own in files.values() for frame in own})
    folder = krt.parent / "keypoints" / subject.name
    points, frames, bare = [], [], []
    for frame in every:
        found = _points(folder / f"keypoints{int(frame):04d}.pts", template) if frame.isdecimal() else None
        (bare if found is None else frames).append(frame)
        points += [] if found is None else [found]
    if bare:
        problems.append(f"{len(bare):,} of {len(every):,} frames have no keypoints of the palm, and were left out.")
    if not frames:
        raise guard.refuse(path, "has no frame with keypoints.", f"Looked for in '{folder.name}'.",
                           "Choose another sequence, or copy all keypoints.")  # fmt: skip
    if len(frames) > options.frames:
        kept = np.linspace(0, len(frames) - 1, options.frames).round().astype(int)
        frames, points = [frames[i] for i in kept], [points[i] for i in kept]
    poses, misses = poses_from_points(template, np.stack(points))
    problems.append(
        f"Poses were laid through keypoints, which they miss by {1000 * np.nanmean(misses):.2g} mm; "
        "turns about a bone are not known."
    )
    parts = Parts([], [], [], tuple(frames), tuple(files), poses, template, problems)
    missing = []
    for view, (name, own) in enumerate(files.items()):
        optics, matrix = cameras[name]
        for number, frame in enumerate(frames):
            if frame not in own:
                missing.append(f"cam{name}/image{frame}.jpg")
                continue
            parts.shots.append(Shot(f"cam{name}/{own[frame].name}", own[frame], optics, matrix))
            parts.frame.append(number)
            parts.view.append(view)
    if missing:
        problems.append(f"{len(missing):,} photos are missing: {some(missing)}.")
    return capture_of(path, parts, options, tell)


def _chosen(path: Path, folder: Path, wanted: str, what: str) -> Path:
    there = sorted(f for f in folder.iterdir() if f.is_dir()) if folder.is_dir() else []
    found = next((f for f in there if wanted in ("", f.name)), None)
    if found is None:
        raise guard.refuse(
            path,
            f"has no {what} {wanted[:80]}".rstrip() + ".",
            f"There is {some([f.name for f in there], 12) or 'none'}.",
            "Choose one of these, or copy the photos as the dataset lays them out.",
        )
    return found


def _cameras(file: Path, problems: list[str]) -> dict[str, tuple[Optics, np.ndarray]]:
    """Blocks of a name, 3 rows of intrinsics, one of distortion and 3 of extrinsics [R | t in mm]."""
    lines = [(n, text) for n, text in enumerate(guard.read_text(file, MOST_BYTES).splitlines(), 1) if text.strip()]
    found: dict[str, tuple[Optics, np.ndarray]] = {}
    bends = 0
    for start in range(0, len(lines), 8):
        block = lines[start : start + 8]
        if len(block) < 8:
            raise guard.refuse(file, f"breaks off at line {block[-1][0]}.", "A camera has 8 lines.")
        inner = guard.floats(file, block[1:4], 3, "Intrinsics")
        outer = np.vstack([guard.floats(file, block[5:8], 4, "Extrinsics"), [0, 0, 0, 1]])
        turn = outer[:3, :3]
        if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-2:
            raise guard.refuse(file, f"has a camera that does not only turn, at line {block[5][0]}.")
        outer[:3, 3] /= 1000
        optics = Optics(fx=inner[0, 0], fy=inner[1, 1], cx=inner[0, 2], cy=inner[1, 2], width=SIZE[0], height=SIZE[1])
        found[block[0][1].strip()[:80]] = optics, outer
        bends += any(float(v) != 0 for v in block[4][1].split() if guard.is_number(v))
    if not found:
        raise guard.refuse(file, "holds no camera.")
    if bends:
        problems.append(f"The distortion of {bends:,} lenses was left: what its numbers mean is not known.")
    return found


def _points(file: Path, template: RiggedTemplate) -> np.ndarray | None:
    """(J, 3) in m, NaN where a joint was not seen; None where too few of the palm were."""
    if not file.is_file():
        return None
    found = np.full((len(template.joints), 3), np.nan)
    lines = [(n, text) for n, text in enumerate(guard.read_text(file, MOST_BYTES).splitlines(), 1) if text.strip()]
    for row in guard.floats(file, lines, 6, "A keypoint"):
        if 0 <= row[0] < len(POINTS) and POINTS[int(row[0])] in template.joint_names:
            found[template.joint_names.index(POINTS[int(row[0])])] = row[1:4] / 1000
    palm = [0, *np.flatnonzero(template.parents == 0).tolist()]
    return found if np.isfinite(found[palm]).all(1).sum() >= 3 else None


def rigged_model(folder: Path, problems: list[str]) -> RiggedTemplate:
    """The hand in ``hand_model``. Raises :class:`UserError` where a part is missing or does not fit."""
    for name in ("hand.obj", "skeleton.txt", "skinning_weight.txt", "global_pose.txt"):
        if not (folder / name).is_file():
            raise guard.refuse(folder / name, "is not there.", "It belongs to the hand of DeepHandMesh.",
                               "Put the dataset's 'hand_model' into the folder.")  # fmt: skip
    mesh = read_obj(folder / "hand.obj", ObjReadOptions()).artifacts[0]
    if not isinstance(mesh, Mesh):
        raise guard.refuse(folder / "hand.obj", "has no faces.")
    above = _skeleton(folder / "skeleton.txt")
    order: list[str] = []
    while len(order) < len(above):
        ready = [name for name, parent in above.items() if name not in order and (not parent or parent in order)]
        if not ready:
            raise guard.refuse(folder / "skeleton.txt", "has joints that are no tree.")
        order += ready
    if sum(not parent for parent in above.values()) != 1:
        raise guard.refuse(folder / "skeleton.txt", "has not one root.")
    joints = _places(folder / "global_pose.txt", order)
    weights = _weights(folder / "skinning_weight.txt", order, len(mesh.vertices), problems)
    parents = np.array([order.index(above[name]) if above[name] else -1 for name in order], np.int32)
    vertices = mesh.vertices / 100
    side = anatomy.side_told_by_shape(joints, order, parents)
    return RiggedTemplate(
        name="DeepHandMesh hand", vertices=vertices, faces=mesh.faces, weights=weights, joints=joints, parents=parents,
        joint_names=tuple(order), side=side or "right",
        axes=anatomy.axes_of_bones(vertices, weights, joints, parents, order, side or "right"),
    )  # fmt: skip


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    text = guard.read_text(file, MOST_BYTES)
    lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if not lines or len(lines) > 1_000_000:
        raise guard.refuse(file, f"has {len(lines):,} rows.")
    return lines


def _skeleton(file: Path) -> dict[str, str]:
    """The parent of each joint by name, in the order of their numbers; empty for the root."""
    rows = [(n, row) for n, row in _rows(file) if len(row) == 3]
    numbers = {guard.integer_in(file, row[1], n, "A joint", 0, 1000): row[0] for n, row in rows}
    return {
        row[0]: numbers.get(guard.integer_in(file, row[2], n, "A parent", -1, 1000), "")
        for n, row in sorted(rows, key=lambda item: int(item[1][1]))
    }


def _places(file: Path, names: list[str]) -> np.ndarray:
    found = {row[0]: guard.floats(file, [(n, " ".join(row[1:17]))], 16, "A pose")[0] for n, row in _rows(file)}
    if lost := [name for name in names if name not in found]:
        raise guard.refuse(file, f"has no place of {some(lost, 4)}.")
    return np.stack([found[name].reshape(4, 4)[:3, 3] for name in names]) / 1000


def _weights(file: Path, names: list[str], vertices: int, problems: list[str]) -> np.ndarray:
    found = np.zeros((vertices, len(names)))
    for n, row in _rows(file):
        vertex = guard.integer_in(file, row[0], n, "A vertex", 0, vertices - 1)
        for name, share in zip(row[1::2], row[2::2], strict=False):
            if name not in names:
                raise guard.refuse(file, f"moves a vertex by '{name[:60]}' at line {n}, which is no joint.")
            found[vertex, names.index(name)] = guard.number_in(file, share, n, "A weight")
    sums = found.sum(1)
    if not np.isfinite(sums).all() or found.min() < 0:
        raise guard.refuse(file, "has weights that are negative or not finite.")
    if (bad := np.abs(sums - 1) > 1e-3).any():
        problems.append(f"The weights of {int(bad.sum()):,} vertices miss 1: they were normalised.")
        found[sums <= 1e-9, 0] = 1.0
    return found / found.sum(1, keepdims=True)
