"""Records what was measured in ``results.json``, row by row, so that a run that was stopped goes on where it was.

A row is one claim of one method on one dataset with one seed. ``values`` are the method's own figures, ``baselines``
those of what it is compared with, as ``"<baseline>: <figure>"``. ``holds`` says whether the claim held; a claim that
fails is recorded as failing. Set ``FIELDWRIGHT_CLAIMS=fresh`` to measure everything anew, and
``FIELDWRIGHT_CLAIM_THREADS`` to choose torch's threads (default: all cores).
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).with_name("results.json")
KEY = ("method", "claim", "dataset", "seed")


def machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores, {model}"


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


@dataclass
class Row:
    """One row; every measurement is written at once."""

    key: dict[str, Any]
    path: Path = RESULTS
    fresh: bool = False
    done: set[str] = field(default_factory=set)

    def read(self) -> dict[str, Any]:
        return next((r for r in _rows(self.path) if all(r.get(k) == v for k, v in self.key.items())), dict(self.key))

    def write(self, **changes: Any) -> None:
        changes |= {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine(), "commit": commit()}
        with _alone(self.path.parent):
            row = self.read() | changes
            others = [r for r in _rows(self.path) if not all(r.get(k) == v for k, v in self.key.items())]
            rows = sorted([*others, row], key=lambda r: [str(r.get(k, "")) for k in KEY])
            beside = self.path.with_suffix(".part")
            beside.write_text(json.dumps({"claims": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            beside.replace(self.path)

    def measure(
        self, make: Callable[[], Mapping[str, float]], baseline: str = "", *, derived: bool = False
    ) -> dict[str, float]:
        """The figures of the method, or of a baseline; taken from the file if they are there already.

        Wall and core seconds of ``make`` are added unless it gives them, or its figures are ``derived`` from those
        of other rows: then they say nothing.
        """
        group, prefix = ("baselines", f"{baseline}: ") if baseline else ("values", "")
        known = self.read().get(group, {})
        found = {k.removeprefix(prefix): v for k, v in known.items() if k.startswith(prefix)}
        if found and (not self.fresh or baseline in self.done):
            return found
        wall, core = time.perf_counter(), time.process_time()
        figures = dict(make())
        if not derived:
            figures.setdefault("seconds", time.perf_counter() - wall)
            figures.setdefault("core seconds", time.process_time() - core)
        figures = {k: float(f"{v:.5g}") for k, v in figures.items()}
        kept = {k: v for k, v in self.read().get(group, {}).items() if not k.startswith(prefix) or not prefix}
        self.write(**{group: kept | {prefix + k: v for k, v in figures.items()}})
        self.done.add(baseline)
        print(
            f"{self.key['dataset']}, seed {self.key['seed']}, {baseline or self.key['method']}: {figures}", flush=True
        )
        return figures

    def conclude(self, holds: bool, statement: str) -> None:
        """Record whether the claim held, then fail the test if it did not."""
        self.write(holds=bool(holds), statement=statement)
        assert holds, statement


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Several test runs may measure at the same time: they write one after the other."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return list(json.loads(path.read_text(encoding="utf-8"))["claims"])


@pytest.fixture
def claim(request, _calm) -> Callable[..., Row]:
    """``claim(method, text, dataset, seed)``: the row to measure into."""
    import torch

    torch.set_num_threads(int(os.environ.get("FIELDWRIGHT_CLAIM_THREADS", os.cpu_count() or 1)))

    def row(method: str, text: str, dataset: str, seed: int) -> Row:
        key = dict(zip(KEY, (method, text, dataset, seed), strict=True))
        return Row(key, fresh=os.environ.get("FIELDWRIGHT_CLAIMS") == "fresh")

    return row
