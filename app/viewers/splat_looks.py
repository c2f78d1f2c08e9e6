"""What a splat view shows of each Gaussian: the mode, the size and how much of its colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.viewers.splat_words import MODES

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView


def after(keys: Iterable[str], key: str) -> str:
    """The next one; after the last the first."""
    every = list(keys)
    return every[(every.index(key) + 1) % len(every)]


def set_mode(view: SplatView, mode: str) -> None:
    if mode in MODES:
        view.look = replace(view.look, mode=mode)
        view.modes.setCurrentIndex(view.modes.findData(mode))
        view.degree_slider.setEnabled(mode in ("colour", "centres"))
        view.framing.follow_size(view.extents(), view.room)  # a colour bar came or went
        view.ask()


def set_size(view: SplatView, size: float) -> None:
    view.look = replace(view.look, size=min(max(round(size * 20), 1), 40) / 20)
    _show_size(view)
    view.ask()


def set_degree(view: SplatView, degree: int) -> None:
    view.look = replace(view.look, degree=min(max(int(degree), 0), 3))
    offer_degrees(view, view.degree_slider.maximum())
    view.ask()


def offer_degrees(view: SplatView, most: int) -> None:
    """Up to that which the clouds have."""
    view.degree_slider.blockSignals(True)
    view.degree_slider.setRange(0, most)
    view.degree_slider.setValue(min(view.look.degree, most))
    view.degree_slider.blockSignals(False)
    view.degree_label.setText(f"Colour detail {view.degree_slider.value()}")
    for widget in (view.degree_label, view.degree_slider):
        widget.setEnabled(most > 0)
    _show_size(view)


def _show_size(view: SplatView) -> None:
    view.size_label.setText(f"Size {round(100 * view.look.size)} %")
    view.size_slider.blockSignals(True)
    view.size_slider.setValue(round(view.look.size * 20))
    view.size_slider.blockSignals(False)
