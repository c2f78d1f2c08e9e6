"""How fine pictures are drawn while something moves, so that frames keep coming."""

from __future__ import annotations

BUDGET = 0.085
"""Seconds for a frame: with what lies between two of them, ten a second."""
Levels = tuple[tuple[float, float], ...]
LEVELS: Levels = (
    (1.0, 1.0), (0.7, 1.0), (0.5, 1.0), (0.5, 0.6), (0.35, 0.6), (0.35, 0.35), (0.35, 0.2), (0.25, 0.2),
    (0.25, 0.12), (0.25, 0.06), (0.25, 0.03), (0.2, 0.015), (0.15, 0.006), (0.1, 0.002),
)  # fmt: skip
"""Pixels for one of the width, and the share of the Gaussians: pixels go first, which a moving eye misses least."""
FASTER = 0.4
"""Below this part of the budget a finer level is tried: it takes at most about twice as long."""


class Pace:
    """Learns from each frame which level keeps within the budget."""

    def __init__(self, budget: float = BUDGET, levels: Levels = LEVELS) -> None:
        self.budget = budget
        self.levels = levels
        self._level = 2
        self._quick = 0

    @property
    def scale(self) -> float:
        return self.levels[self._level][0]

    @property
    def share(self) -> float:
        return self.levels[self._level][1]

    def expect(self, gaussians: int, seconds_per_million: float = 1.0) -> None:
        """Before anything was measured: a level for so many Gaussians."""
        self._quick = 0
        self._level = next(
            (k for k, (_, share) in enumerate(self.levels) if k >= 2 and share * gaussians * 1e-6 * seconds_per_million
             < 0.6 * self.budget),
            len(self.levels) - 1,
        )  # fmt: skip

    def took(self, seconds: float, scale: float, share: float) -> None:
        """A frame at this level was drawn in so long."""
        if (scale, share) != self.levels[self._level]:
            return
        if seconds > self.budget:
            self._quick = 0
            step = 1 if seconds < 2 * self.budget else 2 if seconds < 5 * self.budget else 4
            self._level = min(self._level + step, len(self.levels) - 1)
        elif seconds < FASTER * self.budget:
            self._quick += 1
            if self._quick >= 3:  # one quick frame says little on a busy machine
                self._quick = 0
                self._level = max(self._level - 1, 0)
        else:
            self._quick = 0
