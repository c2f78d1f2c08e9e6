"""Core seconds of several calls that take turns, so that a busy machine counts less and weighs on all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def medians(rounds: int, **calls: Callable[[], object]) -> dict[str, float]:
    """Median core seconds of each call, after one to warm up; the order alternates."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name in list(calls)[:: 1 if index % 2 else -1]:
            began = time.process_time()
            calls[name]()
            if index:
                found[name].append(time.process_time() - began)
    return {name: statistics.median(taken) for name, taken in found.items()}
