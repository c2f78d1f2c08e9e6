"""Where Gaussians are added and removed while they are trained: the classic rules, and MCMC.

Classic (Kerbl et al. 2023, sec. 5): where the image pulls hard at a Gaussian's mean, small ones are cloned and large
ones split; faint and huge ones are pruned. MCMC (Kheradmand et al. 2024): the number grows to a budget, dead Gaussians
are moved onto live ones so that the picture stays the same, and noise explores.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from engines.blocks.splatting.gaussians import Gaussians
from engines.blocks.splatting.optimiser import GaussianOptimiser
from engines.blocks.splatting.render import Rendering

SPLIT_INTO, SPLIT_SHRINK = 2, 1.6
LEAST_OPACITY, OPACITY_AFTER_RESET = 0.005, 0.01
HUGE = 0.1
MOST_COPIES = 51


class Densification(Protocol):
    def loss(self, gaussians: Gaussians) -> Tensor | float:
        """What is added to the photometric loss."""
        ...

    def observe(self, rendering: Rendering, width: int, height: int) -> None:
        """Called after each backward pass."""
        ...

    def act(self, step: int, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        """Called after each optimiser step, ``step`` counted from 1."""
        ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


@dataclass
class Classic:
    """``extent`` is that of the scene; ``limit`` Gaussians are never exceeded."""

    extent: float
    limit: int
    begin: int
    end: int
    every: int
    reset_every: int
    threshold: float
    dense: float

    def __post_init__(self) -> None:
        self._pull: Tensor | None = None  # sum of |dL/dmean| in NDC units
        self._views: Tensor | None = None

    def loss(self, gaussians: Gaussians) -> float:
        return 0.0

    @torch.no_grad()
    def observe(self, rendering: Rendering, width: int, height: int) -> None:
        slope = rendering.projection.means.grad
        if slope is None:
            return
        if self._pull is None or self._views is None or len(self._pull) != len(slope):
            self._pull, self._views = slope.new_zeros(len(slope)), slope.new_zeros(len(slope))
        # The picture is 2 units wide and high in NDC: dL/dndc = dL/dpixel * (W / 2, H / 2).
        self._pull += (slope * _half(width, height, slope.device)).norm(dim=1)
        self._views += rendering.touched > 0

    @torch.no_grad()
    def act(self, step: int, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        if self.begin < step <= self.end and step % self.every == 0 and self._pull is not None:
            self._densify(step, optimiser, generator)
            self._pull = self._views = None
        if self.reset_every and step < self.end and step % self.reset_every == 0:
            logits = optimiser.parameters["opacity_logits"]
            optimiser.assign(
                "opacity_logits", logits.clamp_max(math.log(OPACITY_AFTER_RESET / (1 - OPACITY_AFTER_RESET)))
            )

    def _densify(self, step: int, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        assert self._pull is not None
        assert self._views is not None
        g = optimiser.gaussians.map(Tensor.detach)
        pulled = self._pull / self._views.clamp_min(1) >= self.threshold
        sizes = g.log_scales.exp().max(dim=1).values
        room = self.limit - len(g)
        if int(pulled.sum()) > room:  # the hardest pulled first
            strongest = torch.where(pulled, self._pull / self._views.clamp_min(1), 0.0).topk(max(room, 0)).indices
            pulled = torch.zeros_like(pulled).index_fill_(0, strongest, True)
        small = sizes <= self.dense * self.extent
        cloned, split = (pulled & small).nonzero()[:, 0], (pulled & ~small).nonzero()[:, 0]
        parts = g.map(lambda t: t[split].repeat_interleave(SPLIT_INTO, dim=0))
        noise = torch.randn(parts.means.shape, generator=generator, device=parts.means.device)
        shift = (parts.rotations() @ (parts.log_scales.exp() * noise)[..., None])[..., 0]
        halves = Gaussians(
            parts.means + shift, parts.quaternions, parts.log_scales - math.log(SPLIT_SHRINK), parts.opacity_logits,
            parts.sh,
        )  # fmt: skip
        copies = g.map(lambda t: t[cloned])
        added = Gaussians(*(torch.cat(pair) for pair in zip(vars(copies).values(), vars(halves).values(), strict=True)))
        keep = torch.ones(len(g), dtype=torch.bool, device=pulled.device).index_fill_(0, split, False)
        faint = g.opacity_logits.sigmoid() < LEAST_OPACITY
        keep &= ~faint
        if self.reset_every and step > self.reset_every:
            keep &= sizes <= HUGE * self.extent
        optimiser.replace_rows(keep, added)

    def state(self) -> dict[str, Any]:
        return {} if self._pull is None else {"pull": self._pull, "views": self._views}

    def restore(self, state: dict[str, Any]) -> None:
        self._pull, self._views = state.get("pull"), state.get("views")


@dataclass
class Mcmc:
    """``limit``: the budget, to which the number grows by the share ``growth`` each time.

    ``rate`` of the means scales the noise.
    """

    limit: int
    begin: int
    end: int
    every: int
    growth: float = 0.05
    noise: float = 5e5
    opacity_weight: float = 0.01
    scale_weight: float = 0.01
    rate: float = 0.0

    def loss(self, gaussians: Gaussians) -> Tensor:
        return (
            self.opacity_weight * gaussians.opacity_logits.sigmoid().mean()
            + self.scale_weight * gaussians.log_scales.exp().mean()
        )

    def observe(self, rendering: Rendering, width: int, height: int) -> None:
        pass

    @torch.no_grad()
    def act(self, step: int, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        if self.begin < step < self.end and step % self.every == 0:
            self._relocate(optimiser, generator)
            self._grow(optimiser, generator)
        g = optimiser.gaussians.map(Tensor.detach)
        gate = torch.sigmoid(100 * (0.005 - g.opacity_logits.sigmoid()))
        noise = torch.randn(g.means.shape, generator=generator, device=g.means.device)
        turns, scales = g.rotations(), g.log_scales.exp()
        local = (turns.transpose(1, 2) @ noise[..., None])[..., 0] * scales**2
        drift = (turns @ local[..., None])[..., 0]
        optimiser.parameters["means"] += self.noise * self.rate * gate[:, None] * drift

    def _relocate(self, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        g = optimiser.gaussians.map(Tensor.detach)
        opacities = g.opacity_logits.sigmoid()
        dead = opacities <= LEAST_OPACITY
        targets, alive = dead.nonzero()[:, 0], (~dead).nonzero()[:, 0]
        if not len(targets) or not len(alive):
            return
        chosen = alive[_draw(opacities[alive], len(targets), generator)]
        shared = _shared(g, chosen)
        for kind in ("means", "quaternions"):
            optimiser.assign(kind, getattr(g, kind)[chosen], targets)
        optimiser.assign("sh_dc", g.sh[chosen, :1], targets)
        optimiser.assign("sh_rest", g.sh[chosen, 1:], targets)
        for kind, values in shared.items():
            optimiser.assign(kind, values, chosen)
            optimiser.assign(kind, values, targets)

    def _grow(self, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        g = optimiser.gaussians.map(Tensor.detach)
        more = min(self.limit, math.ceil((1 + self.growth) * len(g))) - len(g)
        if more <= 0:
            return
        chosen = _draw(g.opacity_logits.sigmoid(), more, generator)
        shared = _shared(g, chosen)
        for kind, values in shared.items():
            optimiser.assign(kind, values, chosen)
        fresh = optimiser.gaussians.map(lambda t: t.detach()[chosen])
        optimiser.replace_rows(torch.arange(len(g), device=chosen.device), fresh)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


@functools.lru_cache(maxsize=64)
def _half(width: int, height: int, device: torch.device) -> Tensor:
    """Kept: to send two numbers to a GPU in each step makes the CPU wait for it."""
    return torch.tensor([width / 2, height / 2], device=device)


def _draw(weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """``count`` indices with these ``weights`` in [0, 1], with replacement."""
    # In whole numbers: on a GPU the running sum of floats may round differently each time.
    edges = (weights.double() * 2**32).long().cumsum(0)
    at = torch.rand(count, dtype=torch.float64, generator=generator, device=weights.device) * edges[-1]
    return torch.searchsorted(edges, at).clamp_max(len(weights) - 1)


def _shared(g: Gaussians, chosen: Tensor) -> dict[str, Tensor]:
    """Opacity and scale for each of n equal Gaussians in place of one, so that the picture stays (eq. 9 there).

    n counts how often one was ``chosen``, and itself.
    """
    copies = torch.bincount(chosen, minlength=len(g))[chosen].clamp_max(MOST_COPIES - 1) + 1
    old = g.opacity_logits[chosen].double().sigmoid()
    new = 1 - (1 - old) ** (1 / copies)
    total, log_new = torch.zeros_like(old), new.clamp_min(1e-30).log()
    most = int(copies.max())
    for i in range(1, most + 1):
        k = torch.arange(i, dtype=torch.float64, device=old.device)
        binomial = torch.lgamma(torch.tensor(float(i))) - torch.lgamma(k + 1) - torch.lgamma(i - k)
        terms = (-1) ** k / (k + 1).sqrt() * (binomial + (k + 1) * log_new[:, None]).exp()
        total += torch.where(i <= copies, terms.sum(1), 0.0)
    new = new.clamp(LEAST_OPACITY, 1 - 1e-6)
    scale = (old / total).clamp_min(1e-12).log()
    return {
        "opacity_logits": (new / (1 - new)).log().float(),
        "log_scales": g.log_scales[chosen] + scale[:, None].float(),
    }
