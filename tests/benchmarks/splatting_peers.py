"""The same tiles drawn and derived by Numba and by Warp: what one would write without C++."""

# ruff: noqa: UP018, RUF046 - Warp declares a variable that a loop changes by float(...)

from __future__ import annotations

import math

import numba
import numpy as np
import warp as wp


@numba.njit(parallel=True, fastmath=True, cache=False)
def numba_forward(means, conics, opacities, colours, starts, ids, image, clear, last):
    height, width = clear.shape
    across = (width + 15) // 16
    for tile in numba.prange(len(starts) - 1):
        for y in range(tile // across * 16, min(tile // across * 16 + 16, height)):
            for x in range(tile % across * 16, min(tile % across * 16 + 16, width)):
                T, r, g, b, seen = 1.0, 0.0, 0.0, 0.0, 0
                for pair in range(starts[tile], starts[tile + 1]):
                    i = ids[pair]
                    dx, dy = means[i, 0] - x - 0.5, means[i, 1] - y - 0.5
                    power = -0.5 * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) - conics[i, 1] * dx * dy
                    if power > 0:
                        continue
                    alpha = min(0.99, opacities[i] * math.exp(power))
                    if alpha < 1 / 255:
                        continue
                    after = T * (1 - alpha)
                    if after < 1e-4:
                        break
                    weight = T * alpha
                    r += weight * colours[i, 0]
                    g += weight * colours[i, 1]
                    b += weight * colours[i, 2]
                    T, seen = after, pair - starts[tile] + 1
                image[0, y, x], image[1, y, x], image[2, y, x] = r, g, b
                clear[y, x], last[y, x] = T, seen


@numba.njit(parallel=True, fastmath=True, cache=False)
def numba_backward(means, conics, opacities, colours, starts, ids, slots, clear, last, d_image, d_pairs):
    height, width = clear.shape
    across = (width + 15) // 16
    for tile in numba.prange(len(starts) - 1):
        for y in range(tile // across * 16, min(tile // across * 16 + 16, height)):
            for x in range(tile % across * 16, min(tile % across * 16 + 16, width)):
                T, S = clear[y, x], 0.0
                d0, d1, d2 = d_image[0, y, x], d_image[1, y, x], d_image[2, y, x]
                for pair in range(starts[tile] + last[y, x] - 1, starts[tile] - 1, -1):
                    i = ids[pair]
                    dx, dy = means[i, 0] - x - 0.5, means[i, 1] - y - 0.5
                    power = -0.5 * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) - conics[i, 1] * dx * dy
                    if power > 0:
                        continue
                    e = math.exp(power)
                    raw = opacities[i] * e
                    alpha = min(0.99, raw)
                    if alpha < 1 / 255:
                        continue
                    T = T / (1 - alpha)
                    weight, along = alpha * T, colours[i, 0] * d0 + colours[i, 1] * d1 + colours[i, 2] * d2
                    d_alpha = T * along - S / (1 - alpha)
                    S += weight * along
                    out = d_pairs[slots[pair]]
                    out[6] += weight * d0
                    out[7] += weight * d1
                    out[8] += weight * d2
                    if raw <= 0.99:
                        d_power = raw * d_alpha
                        out[5] += e * d_alpha
                        out[0] -= (conics[i, 0] * dx + conics[i, 1] * dy) * d_power
                        out[1] -= (conics[i, 1] * dx + conics[i, 2] * dy) * d_power
                        out[2] -= 0.5 * dx * dx * d_power
                        out[3] -= dx * dy * d_power
                        out[4] -= 0.5 * dy * dy * d_power


@wp.kernel
def warp_forward(
    means: wp.array2d(dtype=float), conics: wp.array2d(dtype=float), opacities: wp.array(dtype=float),
    colours: wp.array2d(dtype=float), starts: wp.array(dtype=wp.int64), ids: wp.array(dtype=int), across: int,
    image: wp.array3d(dtype=float), clear: wp.array2d(dtype=float), last: wp.array2d(dtype=int),
):  # fmt: skip
    y, x = wp.tid()
    tile = (y // 16) * across + x // 16
    begin, end = int(starts[tile]), int(starts[tile + 1])
    T = float(1.0)
    r, g, b = float(0.0), float(0.0), float(0.0)
    seen = int(0)
    for pair in range(begin, end):
        i = ids[pair]
        dx, dy = means[i, 0] - float(x) - 0.5, means[i, 1] - float(y) - 0.5
        power = -0.5 * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) - conics[i, 1] * dx * dy
        if power > 0.0:
            continue
        alpha = wp.min(0.99, opacities[i] * wp.exp(power))
        if alpha < 1.0 / 255.0:
            continue
        after = T * (1.0 - alpha)
        if after < 1.0e-4:
            break
        weight = T * alpha
        r = r + weight * colours[i, 0]
        g = g + weight * colours[i, 1]
        b = b + weight * colours[i, 2]
        T = after
        seen = pair - begin + 1
    image[0, y, x] = r
    image[1, y, x] = g
    image[2, y, x] = b
    clear[y, x] = T
    last[y, x] = seen


@wp.kernel
def warp_backward(
    means: wp.array2d(dtype=float), conics: wp.array2d(dtype=float), opacities: wp.array(dtype=float),
    colours: wp.array2d(dtype=float), starts: wp.array(dtype=wp.int64), ids: wp.array(dtype=int), across: int,
    clear: wp.array2d(dtype=float), last: wp.array2d(dtype=int), d_image: wp.array3d(dtype=float),
    d_splats: wp.array2d(dtype=float),
):  # fmt: skip
    y, x = wp.tid()
    tile = (y // 16) * across + x // 16
    begin = int(starts[tile])
    T = clear[y, x]
    S = float(0.0)
    d0, d1, d2 = d_image[0, y, x], d_image[1, y, x], d_image[2, y, x]
    for k in range(last[y, x]):
        i = ids[begin + last[y, x] - 1 - k]
        dx, dy = means[i, 0] - float(x) - 0.5, means[i, 1] - float(y) - 0.5
        power = -0.5 * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) - conics[i, 1] * dx * dy
        if power > 0.0:
            continue
        e = wp.exp(power)
        raw = opacities[i] * e
        alpha = wp.min(0.99, raw)
        if alpha < 1.0 / 255.0:
            continue
        T = T / (1.0 - alpha)
        weight = alpha * T
        along = colours[i, 0] * d0 + colours[i, 1] * d1 + colours[i, 2] * d2
        d_alpha = T * along - S / (1.0 - alpha)
        S = S + weight * along
        wp.atomic_add(d_splats, i, 6, weight * d0)
        wp.atomic_add(d_splats, i, 7, weight * d1)
        wp.atomic_add(d_splats, i, 8, weight * d2)
        if raw <= 0.99:
            d_power = raw * d_alpha
            wp.atomic_add(d_splats, i, 5, e * d_alpha)
            wp.atomic_add(d_splats, i, 0, -(conics[i, 0] * dx + conics[i, 1] * dy) * d_power)
            wp.atomic_add(d_splats, i, 1, -(conics[i, 1] * dx + conics[i, 2] * dy) * d_power)
            wp.atomic_add(d_splats, i, 2, -0.5 * dx * dx * d_power)
            wp.atomic_add(d_splats, i, 3, -dx * dy * d_power)
            wp.atomic_add(d_splats, i, 4, -0.5 * dy * dy * d_power)


class NumbaPeer:
    def __init__(self, arrays: dict[str, np.ndarray], width: int, height: int) -> None:
        self.a = arrays
        self.image, self.clear = np.zeros((3, height, width), np.float32), np.zeros((height, width), np.float32)
        self.last = np.zeros((height, width), np.int32)
        self.d_pairs = np.zeros((len(arrays["ids"]), 9), np.float32)

    def forward(self) -> None:
        a = self.a
        numba_forward(
            a["means"], a["conics"], a["opacities"], a["colours"], a["starts"], a["ids"], self.image, self.clear,
            self.last,
        )  # fmt: skip

    def backward(self, d_image: np.ndarray) -> np.ndarray:
        """(N, 9): pairs summed by Gaussian."""
        a = self.a
        self.d_pairs[:] = 0
        numba_backward(
            a["means"], a["conics"], a["opacities"], a["colours"], a["starts"], a["ids"], a["slots"], self.clear,
            self.last, d_image, self.d_pairs,
        )  # fmt: skip
        return np.add.reduceat(np.vstack([self.d_pairs, np.zeros((1, 9), np.float32)]), a["firsts"], axis=0)


class WarpPeer:
    def __init__(self, arrays: dict[str, np.ndarray], width: int, height: int) -> None:
        wp.config.quiet = True
        wp.init()
        names = ("means", "conics", "opacities", "colours", "starts", "ids")
        self.inputs = [wp.array(arrays[name], device="cpu") for name in names] + [(width + 15) // 16]
        self.image = wp.zeros((3, height, width), dtype=float, device="cpu")
        self.clear = wp.zeros((height, width), dtype=float, device="cpu")
        self.last = wp.zeros((height, width), dtype=int, device="cpu")
        self.size, self.count = (height, width), len(arrays["means"])

    def forward(self) -> None:
        wp.launch(warp_forward, self.size, [*self.inputs, self.image, self.clear, self.last], device="cpu")

    def backward(self, d_image: np.ndarray) -> np.ndarray:
        d_splats = wp.zeros((self.count, 9), dtype=float, device="cpu")
        given = [self.clear, self.last, wp.array(d_image, device="cpu"), d_splats]
        wp.launch(warp_backward, self.size, [*self.inputs, *given], device="cpu")
        return d_splats.numpy()
