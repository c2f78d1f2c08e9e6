"""What a person wants to know of a file before it is added: counts, extents, labels, sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.dialogs.field_facts import field_rows
from app.dialogs.transport_facts import transport_rows
from engines.core import Artifact
from engines.data import CameraPath, GaussianCloud, GridField, Image, Mesh, Photos, PhotoSet, PointCloud, Slices, Volume

UNITS = ("", "mm", "cm", "m", "µm", "in")
LABELS_AT_MOST = 4_096
"""An integer volume with more values than this is an image, not a label map."""


@dataclass(frozen=True)
class LabelCount:
    label: int
    voxels: int
    size: float
    """In the volume's unit, cubed."""


@dataclass(frozen=True)
class Facts:
    """``rows``: (name, text). ``labels``: those of a label volume with their voxels, the largest first."""

    rows: tuple[tuple[str, str], ...]
    labels: tuple[LabelCount, ...] = ()
    threshold: float | None = None
    """Where the bright part of a scan may begin (Otsu), to start from."""


def extent_text(bounds: np.ndarray, unit: str) -> str:
    """The size of a box, such as ``"12.5 × 8 × 30 mm"``."""
    return f"{' × '.join(map(_number, bounds[1] - bounds[0]))} {unit}".strip()


def _number(value: float) -> str:
    """Four digits, and no power of ten for sizes that people say."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e8 else f"{value:.4g}"


def describe(artifact: Artifact) -> Facts:
    """Reads whole arrays: not for the GUI thread."""
    rows: list[tuple[str, str]] = [("Type", artifact.title)]
    labels: tuple[LabelCount, ...] = ()
    threshold = None
    if isinstance(artifact, Slices):
        rows += _slices_rows(artifact)
    elif isinstance(artifact, Mesh):
        rows += [
            ("Vertices", f"{len(artifact.vertices):,}"),
            ("Triangles", f"{len(artifact.faces):,}"),
        ]
        if len(artifact.vertices):
            rows.append(("Extent", extent_text(artifact.bounds, artifact.unit)))
        if artifact.scalars:
            rows.append(("Values", ", ".join(artifact.scalars)))
        if artifact.texture is not None:
            height, width, _ = artifact.texture.shape
            rows.append(("Texture", f"{width:,} × {height:,} pixels"))
    elif isinstance(artifact, PointCloud):
        rows.append(("Points", f"{len(artifact.points):,}"))
        if len(artifact.points):
            rows.append(("Extent", extent_text(artifact.bounds, artifact.unit)))
        rows.append(("Normals", "yes" if artifact.normals is not None else "no"))
    elif isinstance(artifact, Volume):
        labels = label_counts(artifact)
        rows += _volume_rows(artifact, labels)
        threshold = None if labels else _otsu(artifact.values)
    elif isinstance(artifact, GridField):
        rows += [
            ("Nodes", " × ".join(f"{n:,}" for n in artifact.values.shape)),
            ("Extent", extent_text(artifact.bounds, artifact.length_unit)),
            ("Range", _range_text(artifact.values, artifact.unit)),
        ]
    elif isinstance(artifact, Image):
        rows.append(("Size", artifact.summary()))
    elif isinstance(artifact, PhotoSet):
        rows += _photos_rows(artifact)
    elif isinstance(artifact, CameraPath):
        rows += _path_rows(artifact)
    elif isinstance(artifact, GaussianCloud):
        rows += [("Gaussians", f"{len(artifact):,}"), ("Colour degree", str(artifact.degree))]
        if len(artifact):
            rows.append(("Extent", extent_text(artifact.bounds, artifact.unit)))
    else:
        rows += field_rows(artifact) or transport_rows(artifact) or [("Holds", artifact.summary())]
    return Facts(tuple(rows), labels, threshold)


def _path_rows(path: CameraPath) -> list[tuple[str, str]]:
    lenses = sorted({round(float(angle), 1) for angle in path.fields_of_view})
    angles = f"{lenses[0]:g}°" + (f" to {lenses[-1]:g}°" if len(lenses) > 1 else "")
    return [
        ("Key views", f"{len(path):,}"),
        ("Length", f"{path.seconds:g} s{', closed' if path.closed else ''}"),
        ("Pictures", f"{path.width}×{path.height} pixels, {path.rate:g} a second"),
        ("Field of view", angles),
        ("Extent", extent_text(path.bounds.round(9), path.unit)),
    ]


def _photos_rows(photos: PhotoSet) -> list[tuple[str, str]]:
    sizes = sorted({(int(w), int(h)) for w, h in photos.sizes})
    shown = ", ".join(f"{w}×{h}" for w, h in sizes[:3]) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")
    rows = [("Photos", f"{len(photos):,}"), ("Pixels", shown)]
    if not isinstance(photos, Photos):
        return [*rows, ("Cameras", "not known: structure from motion can find them"), ("Focal length", _focal(photos))]
    if photos.held_out is not None and photos.held_out.any():
        rows.append(("Held out", f"{int(photos.held_out.sum()):,}"))
    rows.append(("Known points", f"{len(photos.points):,}" if photos.points is not None else "none"))
    if len(photos):
        rows.append(("Extent", extent_text(photos.bounds, photos.unit)))
    return rows


def _focal(photos: PhotoSet) -> str:
    """What the camera wrote into the files."""
    from engines.files.photo_folder import focal_length_35mm

    found = [f for i in range(len(photos)) if (f := focal_length_35mm(photos.file(i))) is not None]
    if not found:
        return "not in the files"
    ends = f"{min(found):g}" if min(found) == max(found) else f"{min(found):g} to {max(found):g}"
    some = "" if len(found) == len(photos) else f", in {len(found):,} of {len(photos):,} photos"
    return f"{ends} mm on film of 36 mm (EXIF){some}"


def _slices_rows(slices: Slices) -> list[tuple[str, str]]:
    rows = [
        ("Planes", f"{slices.plane_count:,} ({plane_kind(slices)})"),
        ("Contours", f"{slices.loop_count:,}"),
        ("Points", f"{len(slices.vertices):,}"),
    ]
    holes = int((slices.loop_parents >= 0).sum())
    if holes:
        rows.append(("Holes", f"{holes:,}"))
    if len(slices.labels) > 1:
        rows.append(("Labels", f"{len(slices.labels)}: {', '.join(map(str, slices.labels[:12].tolist()))}"))
    empty = slices.plane_count - len(np.unique(slices.loop_planes))
    if empty:
        rows.append(("Empty planes", f"{empty:,} (they say that nothing is there)"))
    if len(slices.vertices):
        rows.append(("Extent", extent_text(slices.bounds, slices.unit)))
    return rows


def plane_kind(slices: Slices) -> str:
    """``"parallel"`` or ``"oblique"``."""
    across = np.linalg.norm(np.cross(slices.normals, slices.normals[0]), axis=1)
    return "parallel" if across.max() < 1e-4 else "oblique"


def _volume_rows(volume: Volume, labels: tuple[LabelCount, ...]) -> list[tuple[str, str]]:
    unit = f" {volume.unit}" if volume.unit else ""
    size = np.array(volume.values.shape) * volume.spacing
    rows = [
        ("Voxels", " × ".join(f"{n:,}" for n in volume.values.shape)),
        ("Voxel size", f"{' × '.join(f'{s:.4g}' for s in volume.spacing)}{unit}"),
        ("Extent", f"{' × '.join(map(_number, size))}{unit}"),
        ("Range", _range_text(volume.values)),
    ]
    if labels:
        rows.append(("Labels", f"{len(labels):,}"))
    return rows


def _range_text(values: np.ndarray, unit: str = "") -> str:
    if values.dtype.kind == "c":
        return "complex numbers"
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return "no finite value"
    lost = values.size - finite.size
    tail = f", {lost:,} not finite" if lost else ""
    return f"{finite.min():.4g} to {finite.max():.4g} {unit}".rstrip() + tail


def _otsu(values: np.ndarray) -> float | None:
    """A threshold that parts bright from dark, from at most some 250,000 voxels; None for a flat volume."""
    from skimage.filters import threshold_otsu

    if values.dtype.kind not in "biuf":
        return None
    step = max(1, round((values.size / 250_000) ** (1 / 3)))
    some = values[::step, ::step, ::step].astype(np.float64).ravel()
    some = some[np.isfinite(some)]
    if some.size == 0 or some.min() == some.max():
        return None
    above = some > threshold_otsu(some)
    if above.all() or not above.any():
        return None
    # Otsu's threshold lies anywhere in a gap of the values; half way between both means it suits contours.
    return float(f"{(some[above].mean() + some[~above].mean()) / 2:.4g}")


def label_counts(volume: Volume) -> tuple[LabelCount, ...]:
    """Labels of a label volume (or of one with whole numbers), the largest first; empty for an image."""
    values = volume.values
    if not volume.is_label and values.dtype.kind not in "bui":
        return ()
    found, counts = _counted(values)
    keep = (found != 0) & np.isfinite(found.astype(float))
    found, counts = found[keep], counts[keep]
    if len(found) > LABELS_AT_MOST or (not volume.is_label and len(found) > 256):
        return ()
    voxel = abs(float(np.linalg.det(volume.affine[:3, :3])))
    order = np.argsort(-counts, kind="stable")
    return tuple(LabelCount(int(found[i]), int(counts[i]), float(counts[i]) * voxel) for i in order)


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and how often each is there; without sorting where the range of whole numbers is small."""
    low, high = values.min(), values.max()
    if values.dtype.kind in "iu" and int(high) - int(low) < 1 << 16:
        counts = np.zeros(int(high) - int(low) + 1, np.int64)
        for part in values:  # a plane at a time: bincount works on 64-bit copies
            counts += np.bincount(part.ravel().astype(np.int64) - int(low), minlength=len(counts))
        found = np.flatnonzero(counts)
        return found + int(low), counts[found]
    return np.unique(values, return_counts=True)


def has_unit(artifact: Artifact) -> bool:
    return isinstance(artifact, (Slices, Mesh, PointCloud, Volume))
