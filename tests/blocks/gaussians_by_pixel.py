"""Gaussians drawn pixel by pixel in float64, written from the formulas alone: what the renderers must give."""

from __future__ import annotations

import math

import numpy as np
import scipy.special


def harmonics(direction: np.ndarray, degree: int) -> np.ndarray:
    """Real spherical harmonics from scipy's complex ones, order l, m = -l .. l."""
    x, y, z = direction
    polar, azimuth = math.acos(np.clip(z, -1, 1)), math.atan2(y, x)
    found = []
    for l in range(degree + 1):
        for m in range(-l, l + 1):
            value = scipy.special.sph_harm_y(l, abs(m), polar, azimuth)
            found.append(value.real if m == 0 else math.sqrt(2) * (value.imag if m < 0 else value.real))
    return np.array(found)


def splats(cloud: dict[str, np.ndarray], camera, degree: int, blur: float = 0.3, near: float = 0.01):
    """What each visible Gaussian is on the image, nearest first: (z, mean, conic matrix, opacity, colour)."""
    R, t = camera.rotation, camera.translation
    reach = np.array([0.15 * camera.width / camera.fx, 0.15 * camera.height / camera.fy])
    low = -np.array([camera.cx / camera.fx, camera.cy / camera.fy]) - reach
    high = np.array([(camera.width - camera.cx) / camera.fx, (camera.height - camera.cy) / camera.fy]) + reach
    found = []
    for mean, quaternion, log_scale, logit, sh in zip(*cloud.values(), strict=True):
        p = R @ mean + t
        if p[2] <= near:
            continue
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
        turn = np.array(
            [
                [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
            ]
        )
        covariance = turn @ np.diag(np.exp(2 * log_scale)) @ turn.T
        sx, sy = np.clip(p[:2] / p[2], low, high)
        J = np.array([[camera.fx / p[2], 0, -camera.fx * sx / p[2]], [0, camera.fy / p[2], -camera.fy * sy / p[2]]])
        flat = J @ R @ covariance @ R.T @ J.T + blur * np.eye(2)
        centre = np.array([camera.fx * p[0] / p[2] + camera.cx, camera.fy * p[1] / p[2] + camera.cy])
        away = mean - camera.centre
        Y = harmonics(away / np.linalg.norm(away), degree)
        colour = np.maximum(0, 0.5 + Y @ sh[: len(Y)])
        found.append((p[2], centre, np.linalg.inv(flat), 1 / (1 + math.exp(-logit)), colour))
    return sorted(found, key=lambda s: s[0])


def picture(cloud: dict[str, np.ndarray], camera, degree: int):
    """Image (H, W, 3), transmittance (H, W), and where a pixel is so near to a cut-off that rounding may decide."""
    seen = splats(cloud, camera, degree)
    image, clear = np.zeros((camera.height, camera.width, 3)), np.ones((camera.height, camera.width))
    unsure = np.zeros(clear.shape, bool)
    centres, conics = np.array([s[1] for s in seen]), np.array([s[2] for s in seen])
    opacities, colours = np.array([s[3] for s in seen]), np.array([s[4] for s in seen])
    for row in range(camera.height):
        for column in range(camera.width):
            d = centres - [column + 0.5, row + 0.5]
            alphas = np.minimum(0.99, opacities * np.exp(-0.5 * np.einsum("ni,nij,nj->n", d, conics, d)))
            near = np.abs(alphas - 1 / 255) < 1e-5
            T, last = 1.0, len(seen)
            for i in np.flatnonzero(alphas >= 1 / 255):
                after = T * (1 - alphas[i])
                unsure[row, column] |= abs(after - 1e-4) < 1e-5
                if after < 1e-4:
                    last = i
                    break
                image[row, column] += T * alphas[i] * colours[i]
                T = after
            unsure[row, column] |= near[: last + 1].any()
            clear[row, column] = T
    return image, clear, unsure
