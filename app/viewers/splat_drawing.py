"""Keeps the picture of a splat view up to date: coarse ones while the camera moves, then one of full detail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.viewers import splat_picture
from app.viewers.live_drawing import LiveDrawing
from app.viewers.pace import Pace
from app.viewers.splat_render import Frame, Request, SplatRenderer, compose

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

LEGIBLE = 8000
"""Gaussians that the coarsest picture of an edit has."""


class Drawing(LiveDrawing):
    COARSE_FIRST = 0.35
    UNTRIED = 0.0
    latest: Frame | None

    def __init__(self, view: SplatView) -> None:
        renderer = SplatRenderer()
        super().__init__(view, view.canvas, view, renderer.draw, "splats")
        self._view, self.renderer = view, renderer
        self.pace = Pace()
        self._expected = 0

    def expect(self, total: int, *, anew: bool) -> None:
        """So many Gaussians are to be drawn; ``anew``: of other things than before."""
        if anew or total > 2 * self._expected:
            self.pace.expect(total)
            self._expected = total

    def _is_filled(self) -> bool:
        return bool(self._view.clouds)

    def _request(self, width: int, height: int) -> Request:
        return self._view.request(width, height)

    def _coarse(self, request: Request) -> Request:
        coarse = replace(request, scale=self.pace.scale, share=self.pace.share)
        if request.edit is not None:  # a part that is pulled has to be recognised, be it in fewer frames
            least = min(1.0, LEGIBLE / max(sum(map(len, request.clouds)), 1))
            coarse = replace(coarse, scale=max(coarse.scale, 0.25), share=max(coarse.share, least))
        if self._canvas.moving and self.latest is not None and self._view.look.mode == "depth":
            coarse = replace(coarse, depth_range=self.latest.depth_range)
        return coarse

    def _took(self, request: Request, seconds: float) -> None:
        self.pace.took(seconds, request.scale, request.share)

    def _draws_here(self) -> bool:
        return self._view.solids is not None and self._view.solids.visible

    def _completed(self, request: Request) -> Request:
        """With the surfaces that are shown among the splats."""
        solids = self._view.solids
        if solids is None or not solids.visible:
            return request
        width, height = request.drawn_size
        fine = request.scale == 1.0 and request.share == 1.0
        scale = request.scale * self._canvas.devicePixelRatioF()
        return replace(
            request,
            surfaces=solids.draw(request.pose, width, height, lens=request.lens, fine=fine, pixel_scale=scale),
        )

    def _show_nothing(self, width: int, height: int) -> None:
        if not self._draws_here() or min(width, height) < 2:
            super()._show_nothing(width, height)
        else:
            request = self._completed(self._request(width, height))
            self._canvas.show_picture(compose(splat_picture.frame_without_splats(request)))

    def stop(self) -> None:
        super().stop()
        self.renderer.forget()
