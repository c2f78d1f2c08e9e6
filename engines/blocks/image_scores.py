"""What is measured of a render against its photo: PSNR, SSIM and, where its weights are, LPIPS."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from engines.blocks import lpips
from engines.blocks.image_metrics import psnr, ssim
from engines.core import Run


class ImageScores:
    """Weights are looked for when the first score is asked for, and the run's log says if there are none."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @functools.cached_property
    def _perceptual(self) -> lpips.Lpips | None:
        found, lacking = lpips.find(self._run.device)
        if lacking:
            self._run.note(lacking)
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("PSNR", "SSIM") if self._perceptual is None else ("PSNR", "SSIM", self._perceptual.title)

    def __call__(self, shown: Tensor, photo: Tensor) -> list[float]:
        """One of each kind, of images (3, H, W) in [0, 1]."""
        found = [psnr(shown, photo), float(ssim(shown, photo))]
        return found if self._perceptual is None else [*found, self._perceptual(shown, photo, self._run.check)]

    def table(self, rows: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """(N, kinds) of N rows; NaN for kinds that rows of a resumed run do not have."""
        held = np.full((len(rows), len(self.kinds)), np.nan)
        for index, row in enumerate(rows):
            held[index, : len(row)] = row[: len(self.kinds)]
        return held

    def words(self, values: Sequence[float]) -> str:
        """``"PSNR 27.31 dB, SSIM 0.9104"``."""
        pairs = zip(self.kinds, values, strict=True)
        return ", ".join(f"{kind} {v:.2f} dB" if kind == "PSNR" else f"{kind} {v:.4f}" for kind, v in pairs)
