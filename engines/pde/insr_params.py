"""Settings that the INSR methods share; each has its own default, and where it is from."""

from __future__ import annotations

from typing import Any

from engines.core import Param


def time_step(default: float, source: str, help: str = "Time step") -> Any:
    return Param(default, gt=0, le=1e6, help=help, source=source)


def width(default: int, source: str) -> Any:
    return Param(default, ge=2, le=1024, help="Width of the hidden layers", source=source)


def layers(default: int, source: str) -> Any:
    return Param(default, ge=1, le=12, help="Hidden layers after the first", source=source)


def samples(default: int, source: str) -> Any:
    return Param(default, ge=16, le=1_000_000, log=True, help="Points in each iteration", source=source)


def iterations(default: int, of: str, source: str) -> Any:
    return Param(default, ge=1, le=1_000_000, log=True, help=f"Most iterations {of}", source=source)


def learning_rate(default: float, source: str, help: str = "Of Adam") -> Any:
    return Param(default, gt=0, le=1, log=True, help=help, source=source)


def patience(what: str = "a fit") -> Any:
    return Param(
        60, ge=1, le=100_000, advanced=True, source="sheet 38: reference 500",
        help=f"Iterations without gain after which the learning rate is divided by ten; at 1e-8 {what} ends",
    )  # fmt: skip


def frequency(default: float, source: str, of: str = "the box: higher for finer detail") -> Any:
    return Param(default, gt=0, le=1000, source=source, help=f"Of the first layer, over half of {of}")


def largest_fit_error(of: str) -> Any:
    return Param(
        0.02, gt=0, le=10, advanced=True, source="own choice",
        help=f"Largest error of the initial fit to go on from, as a part of the largest {of}",
    )  # fmt: skip
