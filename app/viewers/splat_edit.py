"""Gaussians on a mesh while a part of it is on its way: where they are then, and the mesh drawn over them. No Qt here.

What the worker of a splat view does. Only the Gaussians of triangles that move are worked out anew; their order of
importance stays that of the mesh at rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engines.blocks.cameras import Camera
from engines.blocks.mesh_parts import Placement, placed, weights_of
from engines.blocks.splatting import Gaussians
from engines.blocks.splatting.bound_gaussians import gaussians_on, moved, tensors
from engines.data import BoundGaussians

FAINT, STRONG, HIDDEN = 0.13, 0.85, 0.16
"""How much of a line is seen: beside the part, in it, and in it behind something."""
SPACED = 5.0
"""Pixels. Where the edges of a mesh are shorter, only those of the part are drawn: the others would be a haze."""
LOOSE = 7.0
"""Pixels between lines that are drawn at full strength; denser ones would cover the part."""
MOST_SAMPLES = 3_000_000
SLACK = 0.02
"""In sizes of the scene: how far behind the splats' depth a line still counts as lying on them."""


@dataclass(frozen=True, eq=False)
class PartEdit:
    """A part (V,) bool of a mesh and where it goes; what is drawn of it."""

    bound: BoundGaussians
    edges: np.ndarray  # (E, 2)
    part: np.ndarray
    placement: Placement
    falloff: float
    ink: tuple[float, float, float]
    """RGB of the mesh, from 0 to 1."""
    accent: tuple[float, float, float]
    """Of the part."""


@dataclass(frozen=True, eq=False)
class Posed:
    """A part where it was put."""

    gaussians: Gaussians
    vertices: np.ndarray  # (V, 3)
    weights: np.ndarray  # (V,)


class Follower:
    """Remembers the weights of the last part, and what was worked out last."""

    def __init__(self) -> None:
        self._weights: tuple[PartEdit, np.ndarray] | None = None
        self._posed: tuple[tuple[PartEdit, Gaussians, int, bool], Posed] | None = None
        self._places: tuple[np.ndarray, np.ndarray] | None = None

    def forget(self) -> None:
        self._weights = self._posed = self._places = None

    def follow(self, edit: PartEdit, rest: Gaussians, order: np.ndarray, first: int, count: int, fine: bool) -> Posed:
        """The scene with its part moved, for a picture of the first ``count`` Gaussians of ``rest``.

        ``order`` (N,): the numbers of the Gaussians of ``rest``; those of the edited mesh begin with ``first``. Where
        it is not ``fine``, colours do not turn.
        """
        wanted = (edit, rest, count, fine)
        if self._posed is not None:
            last = self._posed[0]
            if last[0] is edit and last[1] is rest and last[2:] == (count, fine):
                return self._posed[1]
        bound, weights = edit.bound, self._weights_of(edit)
        vertices = placed(bound.vertices, weights, edit.placement)
        touched = np.flatnonzero((weights > 0)[bound.faces].any(1))
        gaussians = rest
        if len(touched) and not edit.placement.is_none:
            each = len(bound.barycentrics)
            rows = (touched[:, None] * each + np.arange(each)).ravel()
            places = self._places_of(order)[first + rows]
            if not fine:
                rows, places = rows[places < count], places[places < count]
            found = _exact(bound, touched, rows, vertices) if fine else _quick(bound, rows, vertices)
            device = rest.means.device
            found, at = found.map(lambda t: t.to(device)), torch.from_numpy(places).to(device)
            gaussians = Gaussians(
                rest.means.index_copy(0, at, found.means),
                rest.quaternions.index_copy(0, at, found.quaternions),
                rest.log_scales.index_copy(0, at, found.log_scales),
                rest.opacity_logits,
                rest.sh.index_copy(0, at, _padded(found.sh, rest.sh.shape[1])) if fine else rest.sh,
            )
        posed = Posed(gaussians, vertices, weights)
        self._posed = (wanted, posed)
        return posed

    def _places_of(self, order: np.ndarray) -> np.ndarray:
        """(N,) where in the order each number stands."""
        if self._places is None or self._places[0] is not order:
            places = np.empty(len(order), np.int64)
            places[order] = np.arange(len(order))
            self._places = (order, places)
        return self._places[1]

    def _weights_of(self, edit: PartEdit) -> np.ndarray:
        if self._weights is not None:
            last, weights = self._weights
            if last.part is edit.part and last.falloff == edit.falloff and last.bound is edit.bound:
                return weights
        weights = weights_of(edit.bound.vertices, edit.part, edit.falloff)
        self._weights = (edit, weights)
        return weights


def _exact(bound: BoundGaussians, faces: np.ndarray, rows: np.ndarray, vertices: np.ndarray) -> Gaussians:
    """All Gaussians ``rows`` of some faces, as the edit will give them."""
    changes = {name: getattr(bound, name)[rows] for name in ("log_scales", "turns", "opacity_logits", "sh")}
    return tensors(moved(bound.replace(faces=bound.faces[faces], **changes), vertices))


def _quick(bound: BoundGaussians, rows: np.ndarray, vertices: np.ndarray) -> Gaussians:
    """Some Gaussians, each as if it were alone in its triangle: a coarse picture takes few of each."""
    each = len(bound.barycentrics)
    corners = bound.faces[rows // each]
    before, after = (torch.from_numpy(v.astype(np.float32)[corners]) for v in (bound.vertices, vertices))
    sizes = [(c - c.mean(1, keepdim=True)).norm(dim=2).mean(1).clamp_min(1e-30) for c in (before, after)]
    stretch = (sizes[1] / sizes[0]).log()[:, None]
    places = torch.from_numpy(bound.barycentrics.astype(np.float32)[rows % each])
    scales, turns, logits, sh = (
        torch.from_numpy(getattr(bound, name)[rows]) for name in ("log_scales", "turns", "opacity_logits", "sh")
    )
    found = gaussians_on(after, places[:1], scales + stretch, turns, logits, sh, bound.thickness)
    means = (places[:, :, None] * after).sum(1)
    return Gaussians(means, found.quaternions, found.log_scales, logits, sh)


def _padded(sh: torch.Tensor, width: int) -> torch.Tensor:
    return torch.nn.functional.pad(sh, (0, 0, 0, width - sh.shape[1]))


def drawn_over(
    picture: np.ndarray, depth: np.ndarray, edit: PartEdit, posed: Posed, camera: Camera, size: float
) -> np.ndarray:
    """The picture (h, w, 3) uint8 with the mesh's edges over it; ``depth`` (h, w) of the splats hides those behind."""
    height, width = depth.shape
    pixels, depths = camera.pixels(posed.vertices)
    a, b = edit.edges.T
    low, high = np.minimum(pixels[a], pixels[b]), np.maximum(pixels[a], pixels[b])
    there = (depths[a] > 0) & (depths[b] > 0) & (high >= 0).all(1) & (low < (width, height)).all(1)
    span = np.where(there, (high - low).max(1), 0.0)
    weight = np.maximum(posed.weights[a], posed.weights[b])
    if not there.any():
        return picture
    spacing = float(np.median(span[there]))
    if spacing < SPACED * min(width / 600, 1.0):
        there &= weight > 0
    strength = min(max(spacing / LOOSE, 0.3), 1.0)
    chosen = np.flatnonzero(there)
    steps = np.minimum(np.ceil(span[chosen]).astype(np.int64) + 1, 4 * max(width, height))
    total = int(steps.sum())
    if not total:
        return picture
    if total > MOST_SAMPLES:
        keep = slice(None, None, total // MOST_SAMPLES + 1)
        chosen, steps = chosen[keep], steps[keep]
        total = int(steps.sum())
    # The samples by torch, which lets the window's thread run meanwhile.
    counts = torch.from_numpy(steps)
    which = torch.repeat_interleave(counts)
    along = torch.arange(total) - (counts.cumsum(0) - counts)[which]
    t = along / (counts - 1).clamp_min(1)[which]
    ends = np.column_stack([pixels, depths, posed.weights]).astype(np.float32)
    first, last = (torch.from_numpy(ends[i]) for i in (a[chosen], b[chosen]))
    x, y, z, w = torch.lerp(first[which], last[which], t[:, None]).unbind(1)
    columns, rows = x.floor().long(), y.floor().long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    columns, rows, z, w = columns[inside], rows[inside], z[inside], w[inside]
    behind = torch.from_numpy(np.ascontiguousarray(depth))[rows, columns]
    seen = (behind <= 0) | (z <= behind + SLACK * size)
    alpha = strength * torch.where(seen, FAINT + (STRONG - FAINT) * w, HIDDEN * w)
    accent, ink = (255 * torch.tensor(c, dtype=torch.float32) for c in (edit.accent, edit.ink))
    shown = torch.from_numpy(picture.copy())
    # What is in front is drawn last; lines of the part are twice as wide.
    for part, tint, wide in ((~seen & (w > 0), accent, 0), (seen & (w == 0), ink, 0), (seen & (w > 0), accent, 1)):
        for right in range(wide, -1, -1):
            y, x, much = rows[part], (columns[part] + right).clamp_max(width - 1), alpha[part, None]
            shown[y, x] = torch.lerp(shown[y, x].float(), tint, much).add_(0.5).byte()
    return shown.numpy()
