"""Keeps the picture of a splat view up to date: coarse ones while the camera moves, then one of full detail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.viewers import splat_picture
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.pace import Pace
from app.viewers.splat_render import Frame, Request, SplatRenderer, compose

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

LEGIBLE = 8000
"""Gaussians that the coarsest picture of an edit has."""
COARSE_FIRST = 0.35
"""A still picture that takes longer than this many seconds is preceded by a coarse one."""


class Drawing(QObject):
    drawn = Signal()
    """A new picture is on screen; see :attr:`latest`."""
    failed = Signal(object)

    def __init__(self, view: SplatView) -> None:
        super().__init__(view)
        self._view = view
        self.latest: Frame | None = None
        self.pace = Pace()
        self.renderer = SplatRenderer()
        self.evaluator = LiveEvaluator(self.renderer.draw, self, name="splats")
        self.evaluator.answered.connect(self._answered)
        self.evaluator.failed.connect(lambda _, error: self.failed.emit(error))
        self._still_seconds = 0.0
        self._fine_in_hand = False
        self._expected = 0
        self._again = False  # the camera moved on while a picture was drawn
        self._put_off = False  # a picture was wanted while the view was hidden

    @property
    def is_settled(self) -> bool:
        """Whether the picture on screen is of full detail, and no other is wanted."""
        fine = self.latest is None or self.latest.is_fine
        return fine and not (self._put_off or self.evaluator.busy or self._view.canvas.moving)

    def expect(self, total: int, *, anew: bool) -> None:
        """So many Gaussians are to be drawn; ``anew``: of other things than before."""
        if anew or total > 2 * self._expected:
            self.pace.expect(total)
            self._expected = total

    def _size(self) -> tuple[int, int]:
        canvas = self._view.canvas
        ratio = canvas.devicePixelRatioF()
        return round(canvas.width() * ratio), round(canvas.height() * ratio)

    def ask(self) -> None:
        """Have the picture drawn anew."""
        view = self._view
        if view.canvas.is_closed:
            return
        self._put_off = not view.isVisible()
        if self._put_off:
            return
        width, height = self._size()
        if not view.clouds or min(width, height) < 2:
            self.evaluator.forget()
            self.latest = None
            self._show_without_splats(width, height)
            return
        request = view.request(width, height)
        coarse = replace(request, scale=self.pace.scale, share=self.pace.share)
        if request.edit is not None:  # a part that is pulled has to be recognised, be it in fewer frames
            least = min(1.0, LEGIBLE / max(sum(map(len, request.clouds)), 1))
            coarse = replace(coarse, scale=max(coarse.scale, 0.25), share=max(coarse.share, least))
        if view.canvas.moving:
            if view.solids is not None and view.solids.visible and self.evaluator.busy and not self._fine_in_hand:
                self._again = True  # surfaces are drawn on this thread: not more often than can be shown
                return
            if self.latest is not None and view.look.mode == "depth":
                coarse = replace(coarse, depth_range=self.latest.depth_range)
            # Coarse pictures in hand are shown although a newer one is wanted: a quick hand would see none else.
            self._ask(coarse, give_up=self._fine_in_hand)
        else:
            self._ask(coarse if self._still_seconds > COARSE_FIRST else request)

    def refine(self) -> None:
        """The camera stands still: full detail."""
        width, height = self._size()
        if self._view.clouds and min(width, height) >= 2 and self._view.isVisible():
            self._ask(self._view.request(width, height))

    def catch_up(self) -> None:
        """The view is seen again."""
        if self._put_off:
            self.ask()

    def _ask(self, request: Request, *, give_up: bool = True) -> None:
        self._fine_in_hand = not self._view.canvas.moving
        self.evaluator.ask(self._with_surfaces(request), give_up=give_up)

    def _answered(self, request: Request, frame: Frame) -> None:
        if self._view.canvas.is_closed:
            return
        self.latest = frame
        self._view.canvas.show_picture(frame.picture)
        moving = self._view.canvas.moving
        if frame.is_fine:
            self._still_seconds = frame.seconds
        if moving or not frame.is_fine:
            self.pace.took(frame.seconds, request.scale, request.share)
        self.drawn.emit()
        if self._again:
            self._again = False
            self.ask()
        elif not moving and not frame.is_fine and not self.evaluator.busy:
            self.refine()

    def _with_surfaces(self, request: Request) -> Request:
        solids = self._view.solids
        if solids is None or not solids.visible:
            return request
        width, height = request.drawn_size
        fine = request.scale == 1.0 and request.share == 1.0
        scale = request.scale * self._view.canvas.devicePixelRatioF()
        return replace(
            request,
            surfaces=solids.draw(request.pose, width, height, lens=request.lens, fine=fine, pixel_scale=scale),
        )

    def _show_without_splats(self, width: int, height: int) -> None:
        view = self._view
        if view.solids is None or not view.solids.visible or min(width, height) < 2:
            view.canvas.show_picture(None)
        else:
            request = self._with_surfaces(view.request(width, height))
            view.canvas.show_picture(compose(splat_picture.frame_without_splats(request)))

    def stop(self) -> None:
        self.evaluator.stop()
        self.renderer.forget()
