"""Keeps the picture of a hand view up to date: quick ones while something moves, then one of full detail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.viewers.hand_render import HandFrame, HandRenderer, HandRequest
from app.viewers.live_drawing import LiveDrawing
from app.viewers.pace import Pace

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

LEVELS = ((1.0, 1.0), (0.7, 1.0), (0.5, 1.0), (0.38, 1.0), (0.3, 1.0), (0.22, 1.0))
BUDGET, NEURAL_BUDGET = 0.07, 0.22
"""Seconds for a frame while something moves."""


class HandDrawing(LiveDrawing):
    COARSE_FIRST = 0.3
    UNTRIED = 1.0
    latest: HandFrame | None

    def __init__(self, view: HandView) -> None:
        renderer = HandRenderer()
        super().__init__(view, view.canvas, view.canvas, renderer.draw, "hand")
        self._view, self.renderer = view, renderer
        self._paces = {True: Pace(NEURAL_BUDGET, LEVELS), False: Pace(BUDGET, LEVELS)}

    def _pace(self, mode: str) -> Pace:
        return self._paces[mode == "neural"]

    def _is_filled(self) -> bool:
        return self._view.hand is not None

    def _request(self, width: int, height: int) -> HandRequest:
        return self._view.request(width, height)

    def _coarse(self, request: HandRequest) -> HandRequest:
        return replace(request, scale=self._pace(request.mode).scale, samples=1)

    def _kind(self, request: HandRequest) -> str:
        return request.mode

    def _took(self, request: HandRequest, seconds: float) -> None:
        self._pace(request.mode).took(seconds, request.scale, 1.0)

    def stop(self) -> None:
        super().stop()
        self.renderer.forget()
