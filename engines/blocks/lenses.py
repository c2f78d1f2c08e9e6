"""Lenses with distortion, and the pinhole view that is inside what they saw.

With x, y the tangents of the angles to the optical axis and r² = x² + y², a perspective lens images at

    x (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 x y + p2 (r² + 2 x²),
    y (1 + k1 r² + k2 r⁴ + k3 r⁶) + p1 (r² + 2 y²) + 2 p2 x y            (Brown 1966; OpenCV, COLMAP)

and a fisheye lens at (x, y) / r θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸) with θ = atan r (Kannala and Brandt 2006).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

WIDEST = np.deg2rad(80.0)
"""A pinhole view does not look further than this away from its axis."""
LARGEST = 2.0
"""Its sides are at most so many times those of the photo."""


@dataclass(frozen=True)
class Lens:
    """Focal lengths and the principal point in pixels, for photos of ``width`` × ``height`` pixels."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    radial: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)
    fisheye: bool = False

    @property
    def distorts(self) -> bool:
        return self.fisheye or any(self.radial) or any(self.tangential)

    def resized(self, width: int, height: int) -> Lens:
        """The same lens before another number of pixels."""
        x, y = width / self.width, height / self.height
        return replace(self, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y, width=width, height=height)

    def bend(self, points: np.ndarray) -> np.ndarray:
        """Where directions (..., 2) are imaged, in focal lengths from the principal point."""
        k1, k2, k3, k4 = self.radial
        r2 = (points**2).sum(-1, keepdims=True)
        if self.fisheye:
            r = np.sqrt(r2)
            angle = np.arctan(r)
            a2 = angle**2
            bent = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
            return points * np.where(r > 1e-12, bent / np.maximum(r, 1e-12), 1.0)
        p1, p2 = self.tangential
        x, y = points[..., :1], points[..., 1:]
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return points * radial + np.concatenate(
            [2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], axis=-1
        )

    def slopes(self, points: np.ndarray) -> np.ndarray:
        """(..., 2, 2) derivative of :meth:`bend`, by central differences."""
        step = 1e-5
        columns = [(self.bend(points + d) - self.bend(points - d)) / (2 * step) for d in np.eye(2) * step]
        return np.stack(columns, axis=-1)

    def unbend(self, bent: np.ndarray) -> np.ndarray:
        """Directions (N, 2) that are imaged at ``bent`` (N, 2); NaN where there is none."""
        if self.fisheye:
            length = np.linalg.norm(bent, axis=1)
            angles = np.linspace(0, WIDEST, 2048)
            k1, k2, k3, k4 = self.radial
            a2 = angles**2
            table = np.maximum.accumulate(angles * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))))
            reach = np.tan(np.interp(length, table, angles))  # beyond the widest: the widest
            return bent * (reach / np.maximum(length, 1e-12))[:, None]
        found = bent.copy()
        for _ in range(50):
            off = self.bend(found) - bent
            jacobian = self.slopes(found)
            determinant = np.linalg.det(jacobian)
            adjugate = np.stack([jacobian[:, 1, 1], -jacobian[:, 0, 1], -jacobian[:, 1, 0], jacobian[:, 0, 0]], axis=1)
            step = np.einsum("nij,nj->ni", adjugate.reshape(-1, 2, 2), off) / determinant[:, None]
            found = found - np.clip(step, -0.2, 0.2)
        lost = ~(np.abs(self.bend(found) - bent).max(1) < 1e-6) | ~(np.linalg.det(self.slopes(found)) > 0)
        return np.where(lost[:, None], np.nan, found)

    def pinhole(self) -> tuple[Lens, np.ndarray]:
        """A view without distortion that lies inside the photo, and where in the photo its pixels are.

        The focal lengths stay. The places (H, W, 2) are pixels x, y of the photo, float32.
        Raises ValueError when the distortion cannot be undone.
        """
        with np.errstate(all="ignore"):
            low, high = self._window()
            for _ in range(40):
                lens = self._cut(low, high)
                if self._sees(lens):
                    return lens, self._places(lens)
                low, high = 0.95 * low, 0.95 * high  # the model folds over further out
        raise ValueError("the distortion folds the photo over itself")

    def _window(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest x, y that every border of the photo leaves inside."""
        t = np.linspace(0, 1, 201)
        ends = []
        for axis, side in ((0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)):
            edge = np.stack([np.full_like(t, side), t] if axis == 0 else [t, np.full_like(t, side)], axis=1)
            pixels = edge * [self.width, self.height]
            found = self.unbend((pixels - [self.cx, self.cy]) / [self.fx, self.fy])[:, axis]
            found = found[np.isfinite(found)]
            if not len(found):
                raise ValueError("no direction is imaged at a border of the photo")
            ends.append(found.max() if side == 0 else found.min())
        low, high = np.array([ends[0], ends[2]]), np.array([ends[1], ends[3]])
        if not (low < high).all():
            raise ValueError("nothing is left between the borders of the photo")
        return low, high

    def _cut(self, low: np.ndarray, high: np.ndarray) -> Lens:
        size = np.array([self.width, self.height])
        focal = np.array([self.fx, self.fy])
        span = np.minimum(np.floor((high - low) * focal + 1e-6), LARGEST * size).clip(1)
        middle = (low + high) / 2 * focal
        cx, cy = span / 2 - middle
        return Lens(self.fx, self.fy, float(cx), float(cy), int(span[0]), int(span[1]))

    def _sees(self, lens: Lens) -> bool:
        """Whether a view lies inside the photo and the distortion does not fold over in it."""
        u, v = np.linspace(0, lens.width, 65), np.linspace(0, lens.height, 65)
        grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        directions = (grid - [lens.cx, lens.cy]) / [lens.fx, lens.fy]
        pixels = self.bend(directions) * [self.fx, self.fy] + [self.cx, self.cy]
        inside = (pixels > -1) & (pixels < np.array([self.width, self.height]) + 1)
        return bool(inside.all() and (np.linalg.det(self.slopes(directions)) > 0).all())

    def _places(self, lens: Lens) -> np.ndarray:
        x = (np.arange(lens.width) + 0.5 - lens.cx) / lens.fx
        y = (np.arange(lens.height) + 0.5 - lens.cy) / lens.fy
        rows = []
        for some in np.array_split(y, max(1, len(y) * len(x) // 1_000_000)):  # no more than this at once in float64
            bent = self.bend(np.stack(np.broadcast_arrays(x[None, :], some[:, None]), axis=-1))
            rows.append((bent * [self.fx, self.fy] + [self.cx, self.cy]).astype(np.float32))
        return np.concatenate(rows)


def resample(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) uint8 at places (h, w, 2), bicubic; what is transparent does not colour its neighbours."""
    values = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float().contiguous()
    if values.shape[1] == 4:
        values[:, :3] *= values[:, 3:] / 255
    size = torch.tensor([pixels.shape[1], pixels.shape[0]], dtype=torch.float32)
    grid = torch.from_numpy(places).mul(2 / size).sub_(1)[None]
    found = torch.nn.functional.grid_sample(values, grid, mode="bicubic", padding_mode="border", align_corners=False)
    if found.shape[1] == 4:
        found[:, :3] *= 255 / found[:, 3:].clamp_min(1e-3)  # before alpha, which overshoots at edges, is limited
    whole = found[0].add_(0.5).clamp_(0, 255.5).to(torch.uint8)  # rounded, without copies
    return whole.permute(1, 2, 0).contiguous().numpy()
