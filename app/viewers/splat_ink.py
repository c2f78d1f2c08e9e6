"""Text and lines that can be read on a background which is not the theme's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app import theme


@contextmanager
def on_background(background: str) -> Iterator[None]:
    """While this lasts, what is painted takes the colours of the theme that fits the background. GUI thread."""
    wanted = {"black": theme.DARK, "white": theme.LIGHT}.get(background, theme.colors())
    before = theme.colors()
    theme._current = wanted
    try:
        yield
    finally:
        theme._current = before
