"""Spectra that a method learns: components of a kernel along each axis, and how they moved while it trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array
from engines.data.records import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class SpectrumTable(Artifact):
    """Weight, frequency and length scale of each component of a spectral mixture, per axis and recorded step.

    Component q along axis a is a bump of power at ±``frequencies[s, a, q]``, whose width is the reciprocal of its
    length scale. What the source itself is made of may stand behind it: ``source_amplitudes[a]`` is its Fourier
    amplitude at ``source_frequencies[a]``, averaged over the other axes.
    """

    title: ClassVar[str] = "Spectrum"

    steps: np.ndarray = array("S", "int64", "steps at which the spectrum was recorded, rising")
    weights: np.ndarray = array("S A Q", "float64", "power of each component, not negative")
    frequencies: np.ndarray = array("S A Q", "float64", "cycles per unit of the axis")
    length_scales: np.ndarray = array("S A Q", "float64", "in units of the axis")
    source_frequencies: np.ndarray | None = array("A M", "float64", "cycles per unit, rising", optional=True)
    source_amplitudes: np.ndarray | None = array("A M", "float64", "not negative", optional=True)
    axes: tuple[str, ...] = ("x",)
    unit: str = ""

    def validate(self) -> None:
        if len(self.steps) < 1 or (np.diff(self.steps) <= 0).any():
            raise UserError("The steps of the spectrum do not rise.", mend="Record one spectrum or more, in order.")
        if len(self.axes) != self.weights.shape[1] or len(set(self.axes)) != len(self.axes):
            raise UserError(
                f"The spectrum has {self.weights.shape[1]} axes, named {', '.join(self.axes) or 'nothing'}.",
                mend="Give each axis a name of its own.",
            )
        if (self.weights < 0).any() or (self.length_scales <= 0).any():
            raise UserError(
                "The spectrum has a negative weight, or a length scale that is not positive.",
                "Power is never negative.",
                "Check how the spectrum was put together.",
            )
        if (self.source_frequencies is None) != (self.source_amplitudes is None):
            raise UserError("The source of the spectrum has frequencies or amplitudes only.", mend="Give both or none.")

    def surviving(self, axis: int = 0, step: int = -1, share: float = 0.01) -> np.ndarray:
        """Components whose weight is above ``share`` of the largest, the heaviest first."""
        weights = self.weights[step, axis]
        order = np.argsort(-weights, kind="stable")
        return np.asarray(order[weights[order] > share * weights.max(initial=0.0)])

    def components(self, axis: int = 0, step: int = -1, share: float = 0.01) -> Table:
        """The surviving components as a table."""
        kept = self.surviving(axis, step, share)
        weights = self.weights[step, axis]
        per = f"1/{self.unit}" if self.unit else ""
        return Table(
            name=f"Components along {self.axes[axis]}",
            columns={
                "Frequency": np.abs(self.frequencies[step, axis, kept]),
                "Share": weights[kept] / weights.sum() * 100 if weights.any() else weights[kept],
                "Length scale": self.length_scales[step, axis, kept],
                "Weight": weights[kept],
            },
            units={"Frequency": per, "Share": "%", "Length scale": self.unit},
        )

    def summary(self) -> str:
        axes = " and ".join(self.axes)
        kept = ", ".join(f"{len(self.surviving(a)):,}" for a in range(len(self.axes)))
        return f"{kept} of {self.weights.shape[2]:,} components left along {axes}, {len(self.steps):,} steps"


__all__ = ["SpectrumTable"]
