"""Fitting a network to one sub-problem of a time step: Adam on fresh samples until a plateau scheduler gives up.

The scheduler divides the learning rate by ten whenever the loss has not improved by a ten-thousandth for more than
``patience`` iterations; fitting ends when the rate has come down to ``smallest`` (1e-8), or after ``iterations``
(INSR-PDE, ``baseModel.py``). It watches the main loss, without boundary terms.

On a GPU one iteration (samples, loss, gradient, Adam, scheduler) is recorded as a CUDA graph and replayed, for its
many small kernels would wait for the host otherwise. :class:`OnDevice` therefore keeps rate, counts and moments in
tensors; it takes the same steps as the plain loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.adam import Adam
from engines.core import Run, UserError

BETAS, EPSILON, THRESHOLD = (0.9, 0.999), 1e-8, 1e-4
RETRIES = 5
CHUNK = 25
"""Iterations that a GPU carries out before the host looks again."""


@dataclass(frozen=True)
class StopRule:
    iterations: int
    learning_rate: float
    patience: int = 500
    factor: float = 0.1
    smallest: float = 1e-8


@dataclass(frozen=True)
class SubProblem:
    """``draw`` gives fresh samples; ``loss(parameters, *samples)`` the main loss and what is added to it."""

    label: str
    draw: Callable[[], tuple[Tensor, ...]]
    loss: Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Fitted:
    """``loss`` is the mean of the main loss over the last tenth of the iterations."""

    parameters: Tensor
    loss: float
    iterations: int
    learning_rate: float


class Plateau:
    """The learning rate; :meth:`step` is told each loss and says whether it is time to stop."""

    def __init__(self, rule: StopRule) -> None:
        self.rule, self.rate, self.best, self.bad = rule, rule.learning_rate, math.inf, 0

    def step(self, loss: float) -> bool:
        # For losses below zero, as of a body that falls, torch's relative threshold would count worse ones as better.
        if loss < self.best - THRESHOLD * (abs(self.best) if math.isfinite(self.best) else 0.0):
            self.best, self.bad = loss, 0
        else:
            self.bad += 1
        if self.bad > self.rule.patience:
            lower = max(self.rate * self.rule.factor, self.rule.smallest)
            self.rate, self.bad = lower, 0
        return self.rate <= 1.1 * self.rule.smallest


class OnDevice:
    """The state of a fit as tensors on its device; :meth:`iterate` is one iteration without a word to the host."""

    def __init__(self, start: Tensor, problem: SubProblem, rule: StopRule) -> None:
        self.problem, self.rule = problem, rule
        self.parameters = start.clone().requires_grad_()
        self.first, self.second = torch.zeros_like(start), torch.zeros_like(start)
        one = lambda value: torch.tensor(float(value), device=start.device, dtype=torch.float64)  # noqa: E731
        self.rate, self.best, self.bad = one(rule.learning_rate), one(math.inf), one(0)
        self.count, self.running, self.mean, self.lost = one(0), one(1), one(0), one(0)

    def iterate(self) -> None:
        rule = self.rule
        main, rest = self.problem.loss(self.parameters, *self.problem.draw())
        (gradient,) = torch.autograd.grad(main + rest, self.parameters)
        with torch.no_grad():
            loss = main.detach().double()
            self.lost.logical_or_((~loss.isfinite()) & (self.running > 0))
            self.count.add_(self.running)
            self.first.lerp_(gradient, 1 - BETAS[0])
            self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            size = self.rate * self.running / (1 - BETAS[0] ** self.count)
            spread = (self.second / (1 - BETAS[1] ** self.count).to(self.second.dtype)).sqrt_().add_(EPSILON)
            self.parameters.sub_(self.first / spread * size.to(self.first.dtype))
            keep = 1 - 1 / (0.1 * self.count).clamp(min=1)
            self.mean.copy_(torch.where(self.running > 0, keep * self.mean + (1 - keep) * loss, self.mean))
            bar = torch.where(self.best.isfinite(), self.best - THRESHOLD * self.best.abs(), self.best)
            better = loss < bar
            self.best.copy_(torch.where(better, loss, self.best))
            self.bad.copy_(torch.where(better, 0.0, self.bad + 1))
            tired = self.bad > rule.patience
            lower = (self.rate * rule.factor).clamp(min=rule.smallest)
            self.rate.copy_(torch.where(tired & (self.running > 0), lower, self.rate))
            self.bad.masked_fill_(tired, 0.0)
            on = (self.rate > 1.1 * rule.smallest) & (self.count < rule.iterations) & (self.lost == 0)
            self.running.copy_(on.double())

    def recorded(self, generator: torch.Generator) -> Callable[[], None] | None:
        """A CUDA graph of one iteration, or None where it cannot be recorded. Leaves the state as it was."""
        kept = [t.detach().clone() for t in self._state()]
        random = generator.get_state()
        try:
            device = self.parameters.device
            side, graph = torch.cuda.Stream(device), torch.cuda.CUDAGraph()
            side.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(side):
                for _ in range(3):  # libraries make their workspaces in the first calls
                    self.iterate()
                side.synchronize()
                graph.register_generator_state(generator)
                # Other threads, such as live views, may use the device meanwhile. torch.cuda.graph() would
                # collect garbage and empty the cache before each of the many short fits.
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    self.iterate()
                finally:
                    graph.capture_end()
            torch.cuda.current_stream(device).wait_stream(side)
        except RuntimeError:
            return None
        finally:
            with torch.no_grad():
                for tensor, value in zip(self._state(), kept, strict=True):
                    tensor.copy_(value)
            generator.set_state(random)
        return graph.replay

    def _state(self) -> tuple[Tensor, ...]:
        numbers = self.rate, self.best, self.bad, self.count, self.running, self.mean, self.lost
        return (self.parameters, self.first, self.second, *numbers)


Each = Callable[[int, float, Tensor], None]
"""Told of the iteration, its loss and the parameters, for curves and previews; it must not change them."""


def fit(
    start: Tensor, problem: SubProblem, rule: StopRule, run: Run, share: float, each: Each, ready: Callable[[], None]
) -> Fitted:
    """Minimise from ``start``. When the loss is lost (not finite), begin again with half the learning rate.

    ``ready`` is called at the start of the loop, to offer a checkpoint. Raises :class:`UserError` after some retries.
    """
    for again in range(RETRIES + 1):
        slower = StopRule(rule.iterations, rule.learning_rate / 2**again, rule.patience, rule.factor, rule.smallest)
        descend = _on_gpu if start.device.type == "cuda" else _plain
        found = descend(start, problem, slower, run, share if again == 0 else 0.0, each, ready)
        if found is not None:
            return found
        run.warn(
            f"{problem.label}: the loss is no longer finite. Again from the last step with half the learning rate."
        )
    raise UserError(
        f"{problem.label}: the loss does not stay finite.",
        f"It was tried with learning rates from {rule.learning_rate:g} down to {slower.learning_rate:g}.",
        "Use a shorter time step or a lower learning rate, and check the data.",
    )


def _plain(
    start: Tensor, problem: SubProblem, rule: StopRule, run: Run, share: float, each: Each, ready: Callable[[], None]
) -> Fitted | None:
    parameters = start.clone().requires_grad_()
    adam, plateau, mean, count = Adam(parameters, betas=BETAS), Plateau(rule), 0.0, 0
    for index in run.steps(rule.iterations, problem.label, share=share):
        if index == 0:
            ready()
        main, rest = problem.loss(parameters, *problem.draw())
        (gradient,) = torch.autograd.grad(main + rest, parameters)
        loss, count = main.item(), index + 1
        if not math.isfinite(loss):
            return None
        adam.step(gradient, plateau.rate, EPSILON)
        keep = 1 - 1 / max(1.0, 0.1 * count)
        mean = keep * mean + (1 - keep) * loss
        each(index, loss, parameters)
        if plateau.step(loss):
            break
    return Fitted(parameters.detach(), mean, count, plateau.rate)


def _on_gpu(
    start: Tensor, problem: SubProblem, rule: StopRule, run: Run, share: float, each: Each, ready: Callable[[], None]
) -> Fitted | None:
    state = OnDevice(start, problem, rule)
    iterate = state.recorded(run.generator)
    if iterate is None:
        run.note(f"{problem.label}: the GPU cannot replay this, so each of its kernels waits for the host.")
        iterate = state.iterate
    for chunk in run.steps(math.ceil(rule.iterations / CHUNK), problem.label, share=share):
        if chunk == 0:
            ready()
        for _ in range(CHUNK):
            iterate()
        mean, running, lost = torch.stack([state.mean, state.running, state.lost]).tolist()
        if lost:
            return None
        each(chunk * CHUNK, mean, state.parameters)
        if not running:
            break
    mean, count, rate = torch.stack([state.mean, state.count, state.rate]).tolist()
    return Fitted(state.parameters.detach(), mean, int(count), rate)


__all__ = ["Fitted", "OnDevice", "Plateau", "StopRule", "SubProblem", "fit"]
