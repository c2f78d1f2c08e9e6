"""Clouds of anisotropic Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianCloud(Artifact):
    """N Gaussians: covariance R diag(exp(2 log_scales)) R^T, opacity sigmoid(logit), colour by spherical harmonics.

    The colour seen along a unit vector d is max(0, 0.5 + sum_k sh_k Y_k(d)), in sRGB as displayed.
    """

    title: ClassVar[str] = "Gaussian cloud"

    means: np.ndarray = array("N 3", "float32", "centres")
    quaternions: np.ndarray = array("N 4", "float32", "w, x, y, z of any length")
    log_scales: np.ndarray = array("N 3", "float32", "natural logarithm of the standard deviations")
    opacity_logits: np.ndarray = array("N", "float32", "opacity = sigmoid")
    sh: np.ndarray = array("N K 3", "float32", "coefficients of degree 0 to 3, RGB")
    unit: str = ""

    def validate(self) -> None:
        if self.sh.shape[1] not in (1, 4, 9, 16):
            raise UserError(
                f"The Gaussians have {self.sh.shape[1]} colour coefficients.",
                "Degrees 0 to 3 have 1, 4, 9 or 16.",
                "Export the cloud again.",
            )
        if len(self.means) and not np.linalg.norm(self.quaternions, axis=1).all():
            raise UserError(
                f"{int((np.linalg.norm(self.quaternions, axis=1) == 0).sum()):,} Gaussians have no rotation.",
                "Their quaternion is 0.",
                "Remove them from the file.",
            )

    def __len__(self) -> int:
        return len(self.means)

    @property
    def degree(self) -> int:
        """Of the spherical harmonics."""
        return int(self.sh.shape[1] ** 0.5) - 1

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner of the centres, without the outermost thousandth on each side."""
        return np.asarray(np.quantile(self.means, (0.001, 0.999), axis=0), np.float64)

    def summary(self) -> str:
        return f"{len(self):,} Gaussians, colours of degree {self.degree}"
