"""The parameters of a cloud of Gaussians, as they are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from torch import Tensor

from engines.blocks.quaternions import rotation_matrices

C0 = 0.28209479177387814
"""The constant spherical harmonic."""


@dataclass(frozen=True)
class Gaussians:
    """N Gaussians with mean mu, covariance R diag(exp(2 log_scales)) R^T, opacity sigmoid(logit) and colour by view.

    The colour seen along a unit vector d is max(0, 0.5 + sum_k sh_k Y_k(d)), with coefficients of degree 0 to 3.
    """

    means: Tensor  # (N, 3)
    quaternions: Tensor  # (N, 4), w x y z, of any length
    log_scales: Tensor  # (N, 3)
    opacity_logits: Tensor  # (N,)
    sh: Tensor  # (N, (degree + 1)^2, 3)

    def __len__(self) -> int:
        return len(self.means)

    @property
    def degree(self) -> int:
        return int(self.sh.shape[1] ** 0.5) - 1

    def map(self, change: Callable[[Tensor], Tensor]) -> Gaussians:
        """Each tensor changed."""
        return Gaussians(*(change(getattr(self, field.name)) for field in fields(self)))

    def rotations(self) -> Tensor:
        """(N, 3, 3) R; its columns are the axes."""
        return rotation_matrices(self.quaternions)
