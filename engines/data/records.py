"""Curves, tables, images and trained models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays
from engines.data.configurations import configuration


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve(Artifact):
    """One or more series over a shared x; a value that was not measured is NaN."""

    title: ClassVar[str] = "Curve"

    x: np.ndarray = array("N", "float64", "abscissa")
    series: dict[str, np.ndarray] = arrays("N", "float64", "named ordinates", finite=False)
    x_label: str = "step"
    y_label: str = ""
    x_log: bool = False
    y_log: bool = False
    clocked: tuple[str, ...] = field(default=(), metadata={"later": True})
    """``"x"`` and names of series that a clock measured, or that stand in its order: not part of the hash."""

    def clock_parts(self) -> frozenset[str]:
        return frozenset(name if name == "x" else f"series/{name}" for name in self.clocked)

    def summary(self) -> str:
        return f"{', '.join(self.series) or 'no series'}; {len(self.x):,} points"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table(Artifact):
    """Named columns of equal length, of numbers or text."""

    title: ClassVar[str] = "Table"

    columns: dict[str, np.ndarray] = arrays("N", "any", "named columns", finite=False)
    units: dict[str, str] = field(default_factory=dict)
    clocked: tuple[str, ...] = field(default=(), metadata={"later": True})
    """Names of columns that a clock measured: their values are not part of the hash."""

    def clock_parts(self) -> frozenset[str]:
        return frozenset(f"columns/{name}" for name in self.clocked)

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def summary(self) -> str:
        return f"{self.rows:,} rows × {len(self.columns)} columns"


@dataclass(frozen=True, kw_only=True, eq=False)
class Image(Artifact):
    """Pixels, row 0 at the top; one to four channels, uint8 or float32 in [0, 1]."""

    title: ClassVar[str] = "Image"

    pixels: np.ndarray = array("H W C", "number", "grey, grey+alpha, RGB or RGBA")

    def validate(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.float32) or self.pixels.shape[2] not in (1, 2, 3, 4):
            raise UserError(
                f"The image has {self.pixels.shape[2]} channels of {self.pixels.dtype}.",
                "One to four channels of uint8 or float32 are shown.",
                "Convert it first.",
            )

    def summary(self) -> str:
        height, width, channels = self.pixels.shape
        return f"{width}×{height} pixels, {channels} channel{'s' if channels > 1 else ''}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model(Artifact):
    """Weights of a trained network as arrays; ``config`` is the JSON from which ``method`` rebuilds it."""

    title: ClassVar[str] = "Model"

    weights: dict[str, np.ndarray] = arrays("...", "any", "parameters and buffers by name")
    method: str = ""
    config: str = "{}"

    def validate(self) -> None:
        _ = self.configuration  # raises where it cannot be read

    @property
    def configuration(self) -> dict[str, Any]:
        return configuration(self.config, "model", "Train the model again.")

    def summary(self) -> str:
        count = sum(w.size for w in self.weights.values())
        return f"{count:,} parameters of {self.method or 'a network'}"
