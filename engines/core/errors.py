"""Errors that a person can mend, and the signal that a run was cancelled."""

from __future__ import annotations

from typing import Any


class UserError(Exception):
    """Something the user can mend.

    ``what`` was found, ``why`` it cannot be used, and how to ``mend`` it: three short
    sentences, in the user's words. Anything else that escapes a method is a bug.
    """

    def __init__(self, what: str, why: str = "", mend: str = "") -> None:
        super().__init__(what, why, mend)
        self.what, self.why, self.mend = what, why, mend

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.mend) if part)


class TextError(UserError):
    """Something wrong with a text that the user typed, at the character ``column`` (from 0) of ``text``."""

    def __init__(self, text: str, column: int, what: str, why: str = "", mend: str = "") -> None:
        super().__init__(what, why, mend)
        self.text, self.column = text, max(0, min(column, len(text)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.text, self.column, self.what, self.why, self.mend)


class Cancelled(Exception):  # noqa: N818 - a signal, not an error
    """Raised inside a method at the next step after the user asked to cancel."""
