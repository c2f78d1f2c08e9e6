"""Gaussian splatting's claims: sheet 00, acceptance 4, and real photos on a CPU."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from engines.core import Logged, Run, catalog
from engines.data import Photos
from engines.files import read

pytestmark = [pytest.mark.claim, pytest.mark.timeout(7200)]

DATA = Path(os.environ.get("FIELDWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "photos"
SEEDS = (0, 1, 2)


@functools.cache
def torus(seed: int, points: int) -> Photos:
    source = catalog().get("photographed-solid")
    params = source.params.parse({"views": 24, "held_out": 6, "resolution": 128, "known_points": points})
    return source.run({}, params, Run(seed=seed))["photos"]


class Levels:
    """Remembers when a held-out PSNR was reached."""

    def __init__(self) -> None:
        self.found: list[tuple[int, float, float]] = []

    def emit(self, event) -> None:
        if isinstance(event, Logged) and "PSNR, held out" in event.values:
            self.found.append((event.step, event.seconds, event.values["PSNR, held out"]))

    def wants_preview(self) -> bool:
        return False


def figures(photos: Photos, seed: int, preset: str, **changes) -> dict[str, float]:
    method, levels = catalog().get("gaussian-splatting"), Levels()
    params = method.params.parse(changes, method.preset(preset))
    outputs = method.run({"photos": photos}, params, Run(seed=seed, listener=levels))
    scores = outputs["scores"].columns
    found = {
        "PSNR": float(np.mean(scores["PSNR"])),
        "SSIM": float(np.mean(scores["SSIM"])),
        "Gaussians": float(len(outputs["cloud"])),
    }
    for step, seconds, level in levels.found[:: max(1, len(levels.found) // 8)]:
        found[f"PSNR of three photos after {step + 1} steps, {seconds:.0f} s"] = level
    return found


@pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{s}" for s in SEEDS])
def test_thirty_decibels_and_three_more_than_without_densification(claim, seed):
    """Acceptance 4: 24 views of a torus, 128 x 128, at most 1500 steps, 300 points at the start."""
    row = claim("gaussian-splatting", "PSNR of 30 dB, and 3 dB more than without densification", "torus", seed)
    photos = torus(seed, 300)
    own = row.measure(lambda: figures(photos, seed, "quick"))
    without = row.measure(lambda: figures(photos, seed, "quick", densify_until=0), "no densification")
    mcmc = row.measure(lambda: figures(photos, seed, "quick", strategy="MCMC", limit=6000), "MCMC, 6,000")
    row.conclude(
        own["PSNR"] >= 30 and own["PSNR"] - without["PSNR"] >= 3,
        f"{own['PSNR']:.1f} dB with {own['Gaussians']:,.0f} Gaussians in {own['core seconds']:.0f} core-seconds; "
        f"without densification {without['PSNR']:.1f} dB; MCMC with at most 6,000 {mcmc['PSNR']:.1f} dB",
    )


@pytest.mark.parametrize(
    ("name", "file", "changes"),
    [
        ("lego, 400 px", "lego_400/transforms_train.json", {"iterations": 3000, "limit": 60_000}),
        ("fox, half size", "fox_half/transforms.json", {"iterations": 3000, "limit": 60_000, "image_scale": 0.5}),
    ],
)
def test_photos_on_a_cpu(claim, name, file, changes):
    """Reported, not judged: PSNR of held-out photos against steps and seconds."""
    if not (DATA / file).is_file():
        pytest.skip(f"no {file} in {DATA}")
    row = claim("gaussian-splatting", "Photos on a CPU: PSNR of every eighth photo", name, 0)
    photos = next(a for a in read(DATA / file).artifacts if isinstance(a, Photos))
    own = row.measure(lambda: figures(photos, 0, "standard", **changes))
    row.conclude(
        own["PSNR"] >= 20,
        f"{own['PSNR']:.2f} dB, SSIM {own['SSIM']:.3f} after {changes['iterations']:,} steps, "
        f"{own['core seconds']:.0f} core-seconds, {own['Gaussians']:,.0f} Gaussians ({json.dumps(changes)})",
    )
