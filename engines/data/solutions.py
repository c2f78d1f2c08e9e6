"""Solutions that a method has learned: weights from which the fields can be had at any point, later and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays
from engines.data.configurations import configuration
from engines.data.problems import Problem


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution(Artifact):
    """Fields over the whole domain of a problem, time included.

    ``form`` says how ``weights`` and ``config`` (JSON) become values: a name of :mod:`engines.blocks.pde.forms`.
    """

    title: ClassVar[str] = "Solution"

    problem: Problem
    form: str
    weights: dict[str, np.ndarray] = arrays("...", "any", "parameters by name")
    config: str = "{}"

    def validate(self) -> None:
        _ = self.configuration  # raises where it cannot be read

    @property
    def configuration(self) -> dict[str, Any]:
        return configuration(self.config, "solution", "Solve the problem again.")

    @property
    def size(self) -> int:
        """How many numbers it stores."""
        return sum(w.size for w in self.weights.values())

    def summary(self) -> str:
        return f"{', '.join(self.problem.unknowns)} by {self.form}, {self.size:,} numbers"


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory(Artifact):
    """One set of weights for each time: ``weights[name][i]`` are those at ``times[i]``.

    ``form`` and ``config`` are as in :class:`Solution`; ``components`` names what the values are.
    """

    title: ClassVar[str] = "Trajectory"

    times: np.ndarray = array("S", "float64", "rising")
    form: str
    lower: np.ndarray = array("D", "float64", "lowest value of each coordinate in space")
    upper: np.ndarray = array("D", "float64", "highest value of each coordinate in space")
    weights: dict[str, np.ndarray] = arrays("...", "any", "parameters by name, each with one row for each time")
    config: str = "{}"
    components: tuple[str, ...] = ("u",)
    coordinates: tuple[str, ...] = ("x", "y", "z")
    problem: Problem | None = None

    def validate(self) -> None:
        _ = self.configuration  # raises where it cannot be read
        if (np.diff(self.times) <= 0).any():
            raise UserError("The times of the trajectory do not rise.", mend="Solve the problem again.")
        for name, weights in self.weights.items():
            if weights.shape[:1] != self.times.shape:
                raise UserError(
                    f"The weights '{name}' of the trajectory are not given for each of its {len(self.times):,} times.",
                    mend="Solve the problem again.",
                )

    @property
    def configuration(self) -> dict[str, Any]:
        return configuration(self.config, "trajectory", "Solve the problem again.")

    @property
    def size(self) -> int:
        """How many numbers it stores for each time."""
        return sum(w[0].size for w in self.weights.values()) if len(self.times) else 0

    def summary(self) -> str:
        count = f"{len(self.times):,} times, {self.size:,} numbers each"
        return f"{', '.join(self.components)} by {self.form} at {count}"


__all__ = ["Solution", "Trajectory"]
