"""The only thing through which a method talks to the outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from engines.core.artifact import Artifact
from engines.core.checkpoint import Checkpoint, pack, unpack
from engines.core.errors import Cancelled, UserError
from engines.core.events import Checkpointed, Listener, Logged, Noted, Previewed, Progressed, Silent


class Control:
    """Cancel and pause, from any thread."""

    def __init__(self) -> None:
        self._cancel = threading.Event()
        self._go = threading.Event()
        self._go.set()

    def cancel(self) -> None:
        self._cancel.set()
        self._go.set()

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def paused(self) -> bool:
        return not self._go.is_set() and not self._cancel.is_set()

    def wait(self) -> None:
        """Block while paused."""
        while self.paused:  # a pause that comes after the cancel must not block for ever
            self._go.wait(0.2)


class Run:
    """One execution of a method: device, random numbers, progress, curves, previews and checkpoints.

    ``rng`` (numpy) and ``generator`` (torch, on ``device``) start from ``seed``; a method draws
    from nothing else. Their states travel in each checkpoint.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        control: Control | None = None,
        listener: Listener | None = None,
        checkpoint: Checkpoint | None = None,
        checkpoint_seconds: float = 30.0,
        preview_seconds: float = 0.5,
    ) -> None:
        import torch  # here, so that the window can open before torch is loaded

        self.seed = seed
        self.device = torch.device(device)
        self.control = control or Control()
        self.listener: Listener = listener or Silent()
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        self._resumed = checkpoint
        self._checkpoint_seconds, self._preview_seconds = checkpoint_seconds, preview_seconds
        self._started = self._last_checkpoint = time.monotonic()
        self._last_preview, self._last_progress, self._preview_cost = -1e9, -1e9, 0.0
        self._done, self._step = 0.0, 0
        self._paused_seconds = 0.0
        self._state: Callable[[], Any] | None = None

    @property
    def seconds(self) -> float:
        """Time since the run started, pauses left out."""
        return self._now() - self._started

    def check(self, *, whole: bool = False) -> None:
        """Act on cancel and pause now; for use inside long steps (between steps, :meth:`steps` does it).

        Inside a step the offered state may be half changed, so no checkpoint is written, unless the method says
        that it is still ``whole``: as it was at the end of the last step.
        """
        if not (self.control.cancelled or self.control.paused):
            return
        if whole:
            self._write_checkpoint()
        began = time.monotonic()
        self.control.wait()
        self._paused_seconds += time.monotonic() - began
        if self.control.cancelled:
            raise Cancelled

    def _now(self) -> float:
        """A clock that stands still during pauses."""
        return time.monotonic() - self._paused_seconds

    def steps(self, total: int, label: str, *, start: int = 0, share: float | None = None) -> Iterator[int]:
        """Count ``start`` .. ``total - 1`` with progress, time left, pause and cancel.

        ``share`` is the part of the whole run that this loop takes (default: all that is left).
        """
        share = 1.0 - self._done if share is None else min(share, 1.0 - self._done)
        began, base = self._now(), self._done
        self._last_progress = -1e9  # a new label is told at once
        try:
            for index in range(start, total):
                self.check(whole=True)
                self._step = index
                self._progress(base + share * index / total, label, index, total, began, base + share * start / total)
                yield index
            if self._done + share < 1.0 - 1e-9:
                self._write_checkpoint()  # what follows may be long, and this loop need not be repeated
            self.check(whole=True)
        finally:  # also when the method breaks out of the loop early
            self._done = base + share
            self._state = None
        self._last_progress = -1e9
        self._progress(self._done, label, total, total, began, base)

    def _progress(self, fraction: float, label: str, step: int, total: int, began: float, origin: float) -> None:
        now = self._now()
        if now - self._last_progress < 0.05:
            return
        self._last_progress = now
        elapsed, advanced = now - began, fraction - origin
        left = elapsed / advanced * (1.0 - fraction) if advanced > 1e-9 and elapsed > 0.5 else None
        self.listener.emit(Progressed(fraction, label, step, total, left))

    def log(self, *, step: int | None = None, **values: Any) -> None:
        """Add a point to each live curve. Values may be numbers or one-element tensors."""
        at = self._step if step is None else step
        plain: Mapping[str, float] = {key: float(value) for key, value in values.items()}
        self.listener.emit(Logged(at, self.seconds, plain))

    def preview(self, make: Callable[[], Artifact | Mapping[str, Artifact]]) -> None:
        """Show what the result looks like now, if somebody looks and the last preview is old enough.

        At most a tenth of the time goes into previews. ``make`` must not draw random numbers.
        """
        wait = max(self._preview_seconds, 10 * self._preview_cost)
        if time.monotonic() - self._last_preview < wait or not self.listener.wants_preview():
            return
        began = time.monotonic()
        made = make()
        shown = {"preview": made} if isinstance(made, Artifact) else dict(made)
        self.listener.emit(Previewed(shown))
        self._last_preview = time.monotonic()
        self._preview_cost = self._last_preview - began

    def checkpoint(self, state: Callable[[], Any]) -> None:
        """Offer a resumable state at the end of a step.

        ``state`` returns a nest of dicts, lists, tensors, arrays and scalars from which the method
        can go on at the next step; it is called when the last checkpoint is old, and on pause and cancel.
        """
        self._state = state
        if time.monotonic() - self._last_checkpoint >= self._checkpoint_seconds:
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        if self._state is None:
            return
        whole = {
            "state": self._state(),
            "rng": self.rng.bit_generator.state,
            "generator": self.generator.get_state(),
            "device": self.device.type,
        }
        self.listener.emit(Checkpointed(pack(self._step + 1, whole)))
        self._last_checkpoint = time.monotonic()

    def restored(self) -> Any | None:
        """The state of the checkpoint this run resumes from, or None. Sets the random generators too.

        On another kind of device torch's generator cannot be taken over; it starts anew from the seed.
        """
        if self._resumed is None:
            return None
        try:
            whole = unpack(self._resumed, self.device)
            self.rng.bit_generator.state = whole["rng"]
            if whole.get("device", self.device.type) == self.device.type:
                self.generator.set_state(whole["generator"].cpu())
            else:
                self.generator.manual_seed(self.seed + self._resumed.step)
                self.warn(f"The run goes on on {self.device.type}, so its random numbers differ from here on.")
            return whole["state"]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise UserError("The checkpoint is damaged.", f"{error}.", "Start the run again.") from error

    def note(self, text: str) -> None:
        """A line in the run's log."""
        self.listener.emit(Noted("note", text, self.seconds))

    def warn(self, text: str) -> None:
        """A line in the run's log that the user should see."""
        self.listener.emit(Noted("warning", text, self.seconds))
