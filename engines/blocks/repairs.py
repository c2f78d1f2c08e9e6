"""What a training does when its loss is not a finite number: the last good parameters come back, and it says so."""

from __future__ import annotations

from engines.core import Run

MOST_REPAIRS = 5


class Repairs:
    """``count`` is how often it has happened; a trainer halves its rate each time."""

    def __init__(self, run: Run) -> None:
        self.run, self.count = run, 0

    @property
    def slower(self) -> float:
        """By what to multiply the learning rate."""
        return float(0.5**self.count)

    def go_on(self, step: int) -> bool:
        """One more, at a step counted from 0. False when it has happened too often."""
        self.count += 1
        if self.count > MOST_REPAIRS:
            self.run.warn(f"The loss stopped being finite {self.count} times: the last good parameters are kept.")
            return False
        self.run.warn(f"The loss was not finite at step {step + 1:,}: went on from the last good parameters.")
        return True


__all__ = ["MOST_REPAIRS", "Repairs"]
