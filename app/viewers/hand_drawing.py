"""Keeps the picture of a hand view up to date: quick ones while something moves, then one of full detail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.viewers.hand_render import HandFrame, HandRenderer, HandRequest
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.pace import Pace

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

LEVELS = ((1.0, 1.0), (0.7, 1.0), (0.5, 1.0), (0.38, 1.0), (0.3, 1.0), (0.22, 1.0))
BUDGET, NEURAL_BUDGET = 0.07, 0.22
"""Seconds for a frame while something moves."""
COARSE_FIRST = 0.3
"""A still picture that takes longer than this many seconds is preceded by a coarse one."""


class HandDrawing(QObject):
    drawn = Signal()
    """A new picture is on screen; see :attr:`latest`."""
    failed = Signal(object)

    def __init__(self, view: HandView) -> None:
        super().__init__(view)
        self._view = view
        self.latest: HandFrame | None = None
        self.renderer = HandRenderer()
        self._paces = {True: Pace(NEURAL_BUDGET, LEVELS), False: Pace(BUDGET, LEVELS)}
        self.evaluator = LiveEvaluator(self.renderer.draw, self, name="hand")
        self.evaluator.answered.connect(self._answered)
        self.evaluator.failed.connect(lambda _, error: self.failed.emit(error))
        self._still_seconds: dict[str, float] = {}
        self._fine_in_hand = False
        self._put_off = False  # a picture was wanted while the view was hidden

    @property
    def is_settled(self) -> bool:
        """Whether the picture on screen is of full detail, and no other is wanted."""
        fine = self.latest is None or self.latest.is_fine
        return fine and not (self._put_off or self.evaluator.busy or self._view.canvas.moving)

    def _pace(self, mode: str) -> Pace:
        return self._paces[mode == "neural"]

    def _size(self) -> tuple[int, int]:
        canvas = self._view.canvas
        ratio = canvas.devicePixelRatioF()
        return round(canvas.width() * ratio), round(canvas.height() * ratio)

    def ask(self) -> None:
        """Have the picture drawn anew."""
        view = self._view
        if view.canvas.is_closed:
            return
        self._put_off = not view.canvas.isVisible()
        if self._put_off:
            return
        width, height = self._size()
        if view.hand is None or min(width, height) < 2:
            self.evaluator.forget()
            self.latest = None
            view.canvas.show_picture(None)
            return
        request = view.request(width, height)
        coarse = replace(request, scale=self._pace(request.mode).scale, samples=1)
        if view.canvas.moving:
            # Pictures in hand are shown although a newer one is wanted: a quick hand would see none else.
            self._ask(coarse, give_up=self._fine_in_hand)
        else:
            self._ask(coarse if self._still_seconds.get(request.mode, 1.0) > COARSE_FIRST else request)

    def refine(self) -> None:
        """Nothing moves: full detail."""
        width, height = self._size()
        if self._view.hand is not None and min(width, height) >= 2 and self._view.canvas.isVisible():
            self._ask(self._view.request(width, height))

    def catch_up(self) -> None:
        """The view is seen again."""
        if self._put_off:
            self.ask()

    def _ask(self, request: HandRequest, *, give_up: bool = True) -> None:
        self._fine_in_hand = not self._view.canvas.moving
        self.evaluator.ask(request, give_up=give_up)

    def _answered(self, request: HandRequest, frame: HandFrame) -> None:
        if self._view.canvas.is_closed:
            return
        self.latest = frame
        self._view.canvas.show_picture(frame.picture)
        moving = self._view.canvas.moving
        if frame.is_fine and not moving:
            self._still_seconds[request.mode] = frame.seconds
        if moving or not frame.is_fine:
            self._pace(request.mode).took(frame.seconds, request.scale, 1.0)
        self.drawn.emit()
        if not moving and not frame.is_fine and not self.evaluator.busy:
            self.refine()

    def stop(self) -> None:
        self.evaluator.stop()
        self.renderer.forget()
