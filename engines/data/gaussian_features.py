"""The moving Gaussians of a solution that is made of such, in the coordinates of its problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array
from engines.data.geometry import PointCloud
from engines.data.records import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianFeatures(Artifact):
    """C channels of G Gaussians each: channel c at x is sum_g w exp(-1/2 (x - m)^T S^-1 (x - m)).

    S = R diag(sigmas^2) R^T with the principal axes in the columns of R; without ``rotations`` they are those of the
    coordinates. Means and sigmas are in the units of the coordinates, time among them where the problem has it.
    """

    title: ClassVar[str] = "Gaussian features"

    means: np.ndarray = array("C G D", "float64", "centres")
    sigmas: np.ndarray = array("C G D", "float64", "standard deviations along the principal axes, > 0")
    weights: np.ndarray = array("C G", "float64", "heights, of either sign")
    rotations: np.ndarray | None = array("C G D D", "float64", "principal axes in columns", optional=True)
    coordinates: tuple[str, ...] = ("x", "y", "z")
    time: str = ""
    """Which of the coordinates is time, if one is."""

    def validate(self) -> None:
        if not (self.sigmas > 0).all():
            bad = int((self.sigmas <= 0).sum())
            raise UserError(
                f"{bad:,} standard deviations of the Gaussians are not above 0.",
                "Such Gaussians have collapsed to a point.",
                "Remove them, or train with a larger smallest width.",
            )
        if len(self.coordinates) < self.dimensions:
            raise UserError(
                f"The Gaussians have {self.dimensions} coordinates and {len(self.coordinates)} names for them.",
                mend="Name each coordinate.",
            )

    @property
    def dimensions(self) -> int:
        return int(self.means.shape[2])

    def __len__(self) -> int:
        """How many Gaussians there are in all channels."""
        return int(self.weights.size)

    @property
    def axes(self) -> np.ndarray:
        """(C, G, D, D) principal axes in columns."""
        identity = np.broadcast_to(np.eye(self.dimensions), (*self.means.shape, self.dimensions))
        return identity if self.rotations is None else self.rotations

    @property
    def covariances(self) -> np.ndarray:
        """(C, G, D, D)."""
        half = self.axes * self.sigmas[..., None, :]
        return np.asarray(half @ half.swapaxes(-1, -2))

    def section(self, coordinate: str, value: float) -> GaussianFeatures:
        """The Gaussians that these are on the plane where a coordinate, such as time, has a value: one dimension less.

        Weights fall with the distance from that plane, so that the features stay what they are there.
        """
        at = self.coordinates.index(coordinate)
        rest = [i for i in range(self.dimensions) if i != at]
        precision = np.linalg.inv(self.covariances)
        inner = precision[..., rest, :][..., rest]
        cross = precision[..., rest, at]
        shift = np.linalg.solve(inner, cross[..., None])[..., 0]
        away = value - self.means[..., at]
        left = precision[..., at, at] - (cross * shift).sum(-1)
        variances, axes = np.linalg.eigh(np.linalg.inv(inner))
        return GaussianFeatures(
            means=self.means[..., rest] - shift * away[..., None],
            sigmas=self.sigmas[..., rest] if self.rotations is None else np.sqrt(variances),
            weights=self.weights * np.exp(-0.5 * left * away**2),
            rotations=None if self.rotations is None else axes,
            coordinates=tuple(n for n in self.coordinates[: self.dimensions] if n != coordinate),
            time="" if coordinate == self.time else self.time,
            name=self.name,
        )

    def spacings(self) -> np.ndarray:
        """(C, G) distance from each centre to the nearest other of its channel, by the channel's mean sigma.

        Zero tells of Gaussians that have fallen together; infinite where a channel has only one.
        """
        from scipy.spatial import cKDTree

        found = np.full(self.weights.shape, np.inf)
        for channel, (means, sigmas) in enumerate(zip(self.means, self.sigmas, strict=True)):
            scale = np.exp(np.log(sigmas).mean())
            if len(means) > 1:
                found[channel] = cKDTree(means).query(means, 2)[0][:, 1] / scale
        return found

    def table(self) -> Table:
        """One row for each Gaussian."""
        channels, count, _ = self.means.shape
        names = self.coordinates[: self.dimensions]
        columns = {
            "channel": np.repeat(np.arange(channels), count),
            "weight": self.weights.reshape(-1),
            **{f"mean {n}": self.means[..., i].reshape(-1) for i, n in enumerate(names)},
            **{f"sigma {i + 1}": self.sigmas[..., i].reshape(-1) for i in range(len(names))},
        }
        if self.rotations is not None:
            for i in range(len(names)):
                columns |= {f"axis {i + 1} {n}": self.rotations[..., j, i].reshape(-1) for j, n in enumerate(names)}
        distances = self.spacings().reshape(-1)
        return Table(columns=columns | {"distance to the next": np.where(np.isinf(distances), np.nan, distances)})

    def points(self) -> PointCloud:
        """The centres, with all the rest as named values; a fourth coordinate is such a value too."""
        flat = self.means.reshape(-1, self.dimensions)
        shown = np.zeros((len(flat), 3))
        shown[:, : min(3, self.dimensions)] = flat[:, :3]
        columns = self.table().columns
        drop = [f"mean {n}" for n in self.coordinates[: min(3, self.dimensions)]] + ["distance to the next"]
        scalars = {n.replace(" ", "_"): np.asarray(v, float) for n, v in columns.items() if n not in drop}
        return PointCloud(points=shown, scalars=scalars, name=self.name)

    def summary(self) -> str:
        channels, count, _ = self.means.shape
        kind = "" if self.rotations is None else ", turned"
        return f"{channels} channels of {count:,} Gaussians over {', '.join(self.coordinates[: self.dimensions])}{kind}"


__all__ = ["GaussianFeatures"]
