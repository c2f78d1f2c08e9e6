"""What the formats of Gaussian clouds share: what cannot be used is left out and said, axes are turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engines.blocks.quaternions import rotation_matrices
from engines.blocks.splatting.gaussians import C0
from engines.blocks.splatting.harmonics_rotation import rotated_harmonics
from engines.data import GaussianCloud
from engines.files import guard
from engines.files.registry import Loaded

FLATTEST, FIRMEST = -30.0, 30.0
"""Stand for the logarithm of 0, and for the logits of 0 (negative) and 1."""
ROWS = 4096
FLIP = np.diag([1.0, -1.0, -1.0])
"""Between x right, y down, z forward (as trained from COLMAP) and x right, y up, z backward (RUB); its own inverse."""


def usable_cloud(
    path: Path,
    means: np.ndarray,
    quaternions: np.ndarray,
    log_scales: np.ndarray,
    logits: np.ndarray,
    sh: np.ndarray,
    unit: str = "",
    problems: tuple[str, ...] = (),
) -> Loaded:
    """A cloud of the Gaussians (N of each, as in :class:`GaussianCloud`) that can be drawn.

    Flat ones and those of opacity 0 or 1 are kept with finite numbers; others that are not finite, and those without
    a rotation, are left out. Raises :class:`UserError` when none is left.
    """
    said = list(problems)
    count = len(means)
    if not np.isfinite(logits).all():
        logits = np.clip(logits, -FIRMEST, FIRMEST)  # NaN stays
    if not np.isfinite(log_scales).all():
        log_scales = np.where(log_scales == -np.inf, np.float32(FLATTEST), log_scales)
    finite = np.isfinite(logits) & np.isfinite(sh).all((1, 2))
    for part in (means, quaternions, log_scales):
        finite &= np.isfinite(part).all(1)
    turned = (quaternions != 0).any(1)
    with np.errstate(all="ignore"):
        turned &= (np.linalg.norm(quaternions, axis=1) > 0) | ~finite
    if not finite.all():
        said.append(f"{int((~finite).sum()):,} of {count:,} Gaussians are not finite and were left out.")
    if not turned.all():
        said.append(f"{int((~turned).sum()):,} of {count:,} Gaussians have no rotation and were left out.")
    keep = finite & turned
    if not keep.any():
        raise guard.refuse(path, "holds no Gaussian that can be used.", " ".join(said), "Train or export it again.")
    if not keep.all():
        means, quaternions, log_scales, logits, sh = (p[keep] for p in (means, quaternions, log_scales, logits, sh))
    if logits.max() < np.log(1 / 254):  # less than 1/255 is never drawn
        said.append("Every Gaussian is transparent: nothing of the cloud will be seen.")
    cloud = GaussianCloud(
        name=path.stem, means=means, quaternions=quaternions, log_scales=log_scales, opacity_logits=logits, sh=sh,
        unit=unit,
    )  # fmt: skip
    return Loaded((cloud,), tuple(said))


def logits_of(opacities: np.ndarray, step: float) -> np.ndarray:
    """Logits (N,) float32 of opacities in [0, 1] that are stored in steps; 0 and 1 stay within a quarter of a step."""
    p = np.clip(np.asarray(opacities, np.float64), step / 4, 1 - step / 4)
    return np.log(p / (1 - p)).astype(np.float32)


def opacities_of(logits: np.ndarray) -> np.ndarray:
    """(N,) float64 in [0, 1]."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-np.asarray(logits, np.float64))))


def base_colours(cloud: GaussianCloud) -> np.ndarray:
    """(N, 3) colours in [0, 1] without what depends on the view."""
    return (0.5 + C0 * cloud.sh[:, 0].astype(np.float64)).clip(0, 1)


def turned(cloud: GaussianCloud, linear: np.ndarray, shift: np.ndarray | None = None) -> GaussianCloud:
    """The cloud after x -> linear x + shift. Colours turn with it; a shear or a mirror turns the ellipsoids rightly."""
    M = np.asarray(linear, np.float64)
    signs = np.diag(M)
    if shift is None and np.array_equal(M, np.diag(signs)) and (np.abs(signs) == 1).all():  # every bit is kept
        x, y, z = signs.astype(np.float32)
        return cloud.replace(
            means=cloud.means * np.array([x, y, z]),
            quaternions=cloud.quaternions * np.array([1, y * z, x * z, x * y], np.float32),
            sh=rotated_harmonics(cloud.sh, M),
        )
    means = cloud.means.astype(np.float64) @ M.T
    if shift is not None:
        means = means + shift
    U, s, V = np.linalg.svd(M)
    turn = U @ V  # the orthogonal matrix nearest to M, a mirror perhaps
    sh = rotated_harmonics(cloud.sh, turn)
    if s.min() > 0 and s.max() / s.min() < 1 + 1e-6:
        proper = turn * np.sign(np.linalg.det(turn))  # an ellipsoid does not change when it is mirrored at its centre
        quaternions = _times(_quaternion(proper), cloud.quaternions.astype(np.float64))
        log_scales = cloud.log_scales + np.float32(np.log(s.mean()))
    else:
        axes = rotation_matrices(torch.from_numpy(cloud.quaternions.astype(np.float64))).numpy()
        shape = M @ axes * np.exp(cloud.log_scales.astype(np.float64))[:, None, :]
        left, lengths, _ = np.linalg.svd(shape)
        left[np.linalg.det(left) < 0, :, 2] *= -1
        quaternions = _quaternions(left)
        log_scales = np.log(np.maximum(lengths, np.exp(FLATTEST)))
    return cloud.replace(
        means=means.astype(np.float32),
        quaternions=quaternions.astype(np.float32),
        log_scales=np.asarray(log_scales, np.float32),
        sh=sh,
    )


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products (N, 4) of a quaternion (4,) and others (N, 4), w x y z: first b, then a."""
    w, x, y, z = a
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return np.asarray(b @ left.T)


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    return _quaternions(rotation[None])[0]


def _quaternions(rotations: np.ndarray) -> np.ndarray:
    """(N, 4) w x y z of rotation matrices (N, 3, 3)."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]])


def joined(columns: list[np.ndarray]) -> np.ndarray:
    """(N, len(columns)) float32; in blocks of rows, which stay in the cache while a column after the other is set."""
    table = np.empty((len(columns[0]), len(columns)), np.float32)
    for start in range(0, len(table), ROWS):
        block = table[start : start + ROWS]
        for index, column in enumerate(columns):
            block[:, index] = column[start : start + ROWS]
    return table
