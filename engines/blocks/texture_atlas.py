"""A place for every triangle of a mesh in one picture: two to a square of s pixels.

With L = s - 3 and (i, j) counted from one corner of the square, the first triangle has its corners at the centres of
the pixels (0, 0), (L, 0) and (0, L); the second is the first, turned half around in the square. So the centre of pixel
(i, j), i + j <= L, has the barycentric coordinates (L - i - j, i, j) / L: corners lie on pixels, exactly, and what is
baked there lies on the triangle.

Nothing bleeds. A bilinear lookup at (x, y) in the first triangle, x, y >= 0 and x + y <= L, takes the pixels (i, j),
(i + 1, j), (i, j + 1) and (i + 1, j + 1) around it, with i + j <= L - 1 for any that has a weight. So all have
i + j <= L + 1, and those of the second have i + j >= 2 (s - 1) - (L + 1) = s: the two meet on no pixel, and the
diagonal i + j = s - 1 between them is free. Of a triangle's own pixels those with i + j = L + 1 lie beyond its long
side. They continue the colours c as a plane, c(i + 1, j + 1) = c(i + 1, j) + c(i, j + 1) - c(i, j): then a lookup in
that half pixel is the barycentric mean of three baked pixels, and no other colour comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engines.core import UserError

LARGEST_SIDE = 16_384
"""Pixels along a side that every graphics card takes as a texture."""


@dataclass(frozen=True)
class Atlas:
    """Places of ``count`` triangles in squares of ``square`` pixels; ``first`` (count,) is the corner of each triangle
    that lies in the corner of the square."""

    count: int
    square: int
    first: np.ndarray

    @property
    def leg(self) -> int:
        return self.square - 3

    @property
    def columns(self) -> int:
        """Squares beside each other."""
        return max(1, int(np.ceil(np.sqrt((self.count + 1) // 2))))

    @property
    def rows(self) -> int:
        return max(1, -(-((self.count + 1) // 2) // self.columns))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.columns * self.square, self.rows * self.square

    @cached_property
    def pixels(self) -> np.ndarray:
        """(T, 2) int64: i and j of the pixels that are baked for each triangle."""
        i, j = np.divmod(np.arange((self.leg + 1) ** 2), self.leg + 1)
        return np.stack([i, j], axis=1)[i + j <= self.leg]

    def corners(self, faces: np.ndarray) -> np.ndarray:
        """Faces (F, 3) from their ``first`` corner on."""
        turns = (self.first[:, None] + np.arange(3)) % 3
        return np.take_along_axis(faces, turns, axis=1)

    @property
    def weights(self) -> np.ndarray:
        """(T, 3) barycentric coordinates of these pixels' centres, of the corners from the first one on."""
        i, j = self.pixels.T
        return np.stack([self.leg - i - j, i, j], axis=1) / self.leg

    @property
    def uv(self) -> np.ndarray:
        """(count, 3, 2) float32: places of the corners, in their order in the face."""
        number = np.arange(self.count)
        row, column = np.divmod(number // 2, self.columns)
        inner = np.array([[0, 0], [self.leg, 0], [0, self.leg]])
        inner = np.where((number % 2)[:, None, None], self.square - 1 - inner, inner)
        inner = np.take_along_axis(inner, ((np.arange(3) - self.first[:, None]) % 3)[:, :, None], axis=1)
        x, y = column[:, None] * self.square + inner[..., 0] + 0.5, row[:, None] * self.square + inner[..., 1] + 0.5
        width, height = self.size
        return np.stack([x / width, 1 - y / height], axis=2).astype(np.float32)

    def picture(self, colours: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 of the baked pixels' colours (count, T, 3), from 0 to 255; every pixel gets a colour."""
        squares, side = self.columns * self.rows, self.square
        whole = np.zeros((2 * squares, *colours.shape[1:]), np.float32)
        whole[: self.count] = colours
        halves = whole.reshape(squares, 2, -1, 3)
        owner, inner = self._nearest
        made = halves[:, owner, inner]  # (squares, j, i, 3)
        i = np.arange(self.leg)
        j = self.leg - 1 - i
        for sign in (slice(None), slice(None, None, -1)):
            turned = made[:, sign, sign]
            turned[:, j + 1, i + 1] = turned[:, j, i + 1] + turned[:, j + 1, i] - turned[:, j, i]
        made = np.rint(made.clip(0, 255)).astype(np.uint8)
        made = made.reshape(self.rows, self.columns, side, side, 3).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(made.reshape(self.rows * side, self.columns * side, 3))

    @property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel (j, i) of a square: the half, and the number in it, of the nearest pixel that is baked."""
        side = self.square
        j, i = np.mgrid[:side, :side]
        both = np.concatenate([self.pixels, side - 1 - self.pixels])
        apart = (i[..., None] - both[:, 0]) ** 2 + (j[..., None] - both[:, 1]) ** 2
        half, inner = np.divmod(apart.argmin(2), len(self.pixels))
        return half, inner


def atlas(vertices: np.ndarray, faces: np.ndarray, square: int) -> Atlas:
    """For triangles (F, 3) of vertices (V, 3); the longest side of each lies across its square."""
    corners = vertices[faces]
    opposite = np.linalg.norm(np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1), axis=2)
    made = Atlas(len(faces), square, opposite.argmax(1))
    if max(made.size) > LARGEST_SIDE:
        raise UserError(
            f"The texture would be {made.size[0]:,} × {made.size[1]:,} pixels.",
            f"{len(faces):,} triangles, two to a square of {square} pixels; a side may have {LARGEST_SIDE:,}.",
            "Choose smaller squares, or a mesh with fewer triangles.",
        )
    return made
