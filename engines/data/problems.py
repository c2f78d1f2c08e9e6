"""Problems to solve: a partial differential equation on a box, as text that people write and a parser checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem(Artifact):
    """Equations for one or more unknowns on a box, and what holds at its faces; all formulas are text.

    What the formulas mean, and whether they mean anything, says :mod:`engines.blocks.pde.equations`. In them u_xx is a
    second derivative and ``name(formula)`` such as ``lap(u)`` or ``diff(u^2, x)`` an operator. For example::

        coordinates   ("x", "t"), lower (-1, 0), upper (1, 1), time "t"
        equations     ("u_t - nu*u_xx + u*u_x = 0",)
        definitions   {"nu": "0.01/pi"}
        conditions    ("u = -sin(pi*x) at t = 0", "u = 0 on boundary")
        exact         {}
        estimated     {}     coefficients that are to be found from measurements, with a first guess
    """

    title: ClassVar[str] = "Problem"

    lower: np.ndarray = array("D", "float64", "lowest value of each coordinate")
    upper: np.ndarray = array("D", "float64", "highest value of each coordinate")
    coordinates: tuple[str, ...] = ("x", "y")
    time: str = ""
    """Which of the coordinates is time, if one is."""
    unknowns: tuple[str, ...] = ("u",)
    equations: tuple[str, ...] = ()
    definitions: dict[str, str] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    exact: dict[str, str] = field(default_factory=dict)
    estimated: dict[str, float] = field(default_factory=dict)
    description: str = ""

    def validate(self) -> None:
        count = len(self.coordinates)
        if not 1 <= count <= 4 or len(set(self.coordinates)) != count or len(self.lower) != count:
            raise UserError(
                f"The problem has {count} coordinates ({', '.join(self.coordinates)}) and {len(self.lower)} ranges.",
                "One to four coordinates with names of their own, each with its range, are needed.",
                "Correct the domain.",
            )
        for name, low, high in zip(self.coordinates, self.lower, self.upper, strict=True):
            if not low < high:
                raise UserError(
                    f"The range of {name} is empty: from {low:g} to {high:g}.",
                    mend="Its upper end must be above its lower end.",
                )
        if self.time and self.time not in self.coordinates:
            raise UserError(f"The time '{self.time}' is not a coordinate.", mend=f"Use one of {self.coordinates}.")
        if not self.unknowns or not self.equations:
            raise UserError("The problem has no unknown or no equation.", mend="Type at least one of each.")

    @property
    def space(self) -> tuple[str, ...]:
        """The coordinates without time."""
        return tuple(name for name in self.coordinates if name != self.time)

    def summary(self) -> str:
        box = " × ".join(
            f"{n} in [{a:.4g}, {b:.4g}]" for n, a, b in zip(self.coordinates, self.lower, self.upper, strict=True)
        )
        return f"{'; '.join(self.equations)} on {box}"


__all__ = ["Problem"]
