"""Keeps a picture up to date that another thread draws: coarse ones while something moves, then a fine one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.picture_canvas import PictureCanvas

Draw = Callable[[Any, Callable[[], bool]], Any]


class LiveDrawing(QObject):
    """Of one canvas. What is asked for, and what coarse means there, is said by those that derive from this."""

    drawn = Signal()
    """A new picture is on screen; see :attr:`latest`."""
    failed = Signal(object)

    COARSE_FIRST: float
    """A still picture that takes longer than this many seconds is preceded by a coarse one."""
    UNTRIED: float
    """Seconds that a still picture is taken to need before the first was drawn."""
    latest: Any
    """The frame on screen: it has a picture, the seconds that it took, and whether it is of full detail."""

    def __init__(self, parent: QObject, canvas: PictureCanvas, seen: QWidget, draw: Draw, name: str) -> None:
        """Nothing is drawn while ``seen`` is hidden. ``draw(request, stale)`` gives a frame, on another thread."""
        super().__init__(parent)
        self._canvas, self._seen = canvas, seen
        self.latest = None
        self.evaluator = LiveEvaluator(draw, self, name=name)
        self.evaluator.answered.connect(self._answered)
        self.evaluator.failed.connect(lambda _, error: self.failed.emit(error))
        self._still_seconds: dict[str, float] = {}
        self._fine_in_hand = False
        self._again = False  # something moved on while a picture was drawn
        self._put_off = False  # a picture was wanted while the view was hidden

    # ---- what the view wants ------------------------------------------------------------------------------
    def _is_filled(self) -> bool:
        """Whether there is anything to draw."""
        raise NotImplementedError

    def _request(self, width: int, height: int) -> Any:
        """What to draw, in full detail."""
        raise NotImplementedError

    def _coarse(self, request: Any) -> Any:
        """The same in less detail, as the pace wants it."""
        raise NotImplementedError

    def _took(self, request: Any, seconds: float) -> None:
        """A picture was drawn in so long: tell the pace."""
        raise NotImplementedError

    def _kind(self, request: Any) -> str:
        """Those of one kind take about the same time."""
        return ""

    def _draws_here(self) -> bool:
        """Whether part of a picture is drawn on this thread: then no more often than can be shown."""
        return False

    def _completed(self, request: Any) -> Any:
        """With what is drawn on this thread."""
        return request

    def _show_nothing(self, width: int, height: int) -> None:
        self._canvas.show_picture(None)

    # ---- what all do --------------------------------------------------------------------------------------
    @property
    def is_settled(self) -> bool:
        """Whether the picture on screen is of full detail, and no other is wanted."""
        fine = self.latest is None or self.latest.is_fine
        return fine and not (self._put_off or self.evaluator.busy or self._canvas.moving)

    def _size(self) -> tuple[int, int]:
        ratio = self._canvas.devicePixelRatioF()
        return round(self._canvas.width() * ratio), round(self._canvas.height() * ratio)

    def ask(self) -> None:
        """Have the picture drawn anew."""
        if self._canvas.is_closed:
            return
        self._put_off = not self._seen.isVisible()
        if self._put_off:
            return
        width, height = self._size()
        if not self._is_filled() or min(width, height) < 2:
            self.evaluator.forget()
            self.latest = None
            self._show_nothing(width, height)
            return
        request = self._request(width, height)
        if not self._canvas.moving:
            slow = self._still_seconds.get(self._kind(request), self.UNTRIED) > self.COARSE_FIRST
            self._ask(self._coarse(request) if slow else request)
        elif self._draws_here() and self.evaluator.busy and not self._fine_in_hand:
            self._again = True
        else:
            # Coarse pictures in hand are shown although a newer one is wanted: a quick hand would see none else.
            self._ask(self._coarse(request), give_up=self._fine_in_hand)

    def refine(self) -> None:
        """Nothing moves: full detail."""
        width, height = self._size()
        if self._is_filled() and min(width, height) >= 2 and self._seen.isVisible():
            self._ask(self._request(width, height))

    def catch_up(self) -> None:
        """The view is seen again."""
        if self._put_off:
            self.ask()

    def _ask(self, request: Any, *, give_up: bool = True) -> None:
        self._fine_in_hand = not self._canvas.moving
        self.evaluator.ask(self._completed(request), give_up=give_up)

    def _answered(self, request: Any, frame: Any) -> None:
        if self._canvas.is_closed:
            return
        self.latest = frame
        self._canvas.show_picture(frame.picture)
        moving = self._canvas.moving
        if frame.is_fine:
            self._still_seconds[self._kind(request)] = frame.seconds
        if moving or not frame.is_fine:
            self._took(request, frame.seconds)
        self.drawn.emit()
        if self._again:
            self._again = False
            self.ask()
        elif not moving and not frame.is_fine and not self.evaluator.busy:
            self.refine()

    def stop(self) -> None:
        self.evaluator.stop()
