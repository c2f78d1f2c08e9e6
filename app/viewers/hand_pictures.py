"""Photo, shaded, neural and normals of a hand side by side, as one of the cameras of its capture saw it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from app import theme
from app.viewers.hand_render import SAMPLES, HandFrame, HandRenderer, HandRequest
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.photos_pane import PhotoPane
from engines.blocks.cameras import Camera
from engines.data import HandCapture

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

TITLES = {"photo": "Photo", "shaded": "Shaded", "neural": "Neural", "normals": "Normals"}
TALLEST = 640
"""Pixels of a picture that is drawn for a tile."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """What is wanted: a request for each tile, and the photo behind them."""

    requests: dict[str, HandRequest]
    capture: HandCapture | None = None
    photo: int | None = None
    measured_by: Camera | None = None
    """That of the photo, where the hand stands as it was photographed: to measure pictures against the photo."""


@dataclass(frozen=True, eq=False)
class Drawn:
    frames: dict[str, HandFrame]
    scores: dict[str, float]
    """PSNR in dB, where the hand is in the photo."""


class TileRenderer:
    """Draws them on the worker's thread; the last photo stays decoded."""

    def __init__(self, renderer: HandRenderer) -> None:
        self._renderer = renderer
        self._photo: tuple[HandCapture, int, np.ndarray] | None = None

    def _pixels(self, wanted: Tiles) -> np.ndarray | None:
        if wanted.capture is None or wanted.photo is None:
            return None
        held = self._photo
        if held is None or held[0] is not wanted.capture or held[1] != wanted.photo:
            self._photo = held = (wanted.capture, wanted.photo, wanted.capture.photos.pixels(wanted.photo))
        return held[2]

    def draw(self, wanted: Tiles, stale: Callable[[], bool]) -> Drawn:
        photo = self._pixels(wanted)
        frames, scores = {}, {}
        for key, request in wanted.requests.items():
            if key == "photo":
                if photo is None:
                    continue
                request = replace(request, photo=_over(photo, request.background[0]))
            frames[key] = self._renderer.draw(request, stale)
            if photo is not None and wanted.measured_by is not None and key in ("shaded", "neural"):
                own = replace(request, camera=wanted.measured_by, scale=1.0, samples=SAMPLES)
                score = psnr(self._renderer.draw(own, stale), photo)
                if score is not None:
                    scores[key] = score
        return Drawn(frames, scores)


def _over(photo: np.ndarray, background: tuple[float, ...]) -> np.ndarray:
    """(h, w, 3) uint8 of a photo (h, w, 3 or 4), where it is clear over a plain colour (3,) from 0 to 1."""
    if photo.shape[2] < 4:
        return np.ascontiguousarray(photo[..., :3])
    share = photo[..., 3:] / 255
    return np.asarray(np.round(photo[..., :3] * share + 255 * np.array(background) * (1 - share)), np.uint8)


def psnr(frame: HandFrame, photo: np.ndarray) -> float | None:
    """Peak signal to noise in dB over the photo's mask, or, without one, over what was drawn; both on black."""
    if frame.layer.shape[:2] != photo.shape[:2]:
        return None
    share = photo[..., 3:] / 255 if photo.shape[2] == 4 else np.round(frame.layer[..., 3:])
    mask = share[..., 0] > 0.5
    if not mask.any():
        return None
    off = np.clip(frame.layer[..., :3], 0, 1) - photo[..., :3] / 255 * share
    return float(-10 * np.log10(max(float((off[mask] ** 2).mean()), 1e-9)))


class HandPictures(QWidget):
    def __init__(self, view: HandView) -> None:
        super().__init__(view)
        self.setObjectName("hand-pictures")
        self.setAccessibleName("Side by side")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view = view
        self.captions: dict[str, QLabel] = {}
        self.panes: dict[str, PhotoPane] = {}
        self.frames: dict[str, HandFrame] = {}
        self._seconds = 0.0
        self._tiles: dict[str, QWidget] = {}
        for key, title in TITLES.items():
            tile = QWidget(self)
            column = QVBoxLayout(tile)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            head = QHBoxLayout()
            head.setContentsMargins(8, 4, 8, 0)
            caption = QLabel(title, tile)
            caption.setObjectName(f"caption-{key}")
            caption.setFont(theme.tabular(caption.font()))
            theme.mark(caption, kind="heading")
            head.addWidget(caption, 1)
            if key == "photo":
                self.cover = QSlider(Qt.Orientation.Horizontal, tile)
                self.cover.setObjectName("photo-cover")
                self.cover.setAccessibleName("The hand over the photo")
                self.cover.setToolTip("How much of the photo the posed hand hides, in percent")
                self.cover.setRange(0, 100)
                self.cover.setValue(45)
                self.cover.setFixedWidth(90)
                self.cover.valueChanged.connect(lambda _: self.ask())
                head.addWidget(self.cover)
            column.addLayout(head)
            pane = PhotoPane(tile)
            pane.setObjectName(f"picture-{key}")
            pane.setAccessibleName(title)
            column.addWidget(pane, 1)
            self.captions[key], self.panes[key], self._tiles[key] = caption, pane, tile
        renderer = view.drawing.renderer
        self.plain = LiveEvaluator(TileRenderer(renderer).draw, self, name="hand tiles")
        self.neural = LiveEvaluator(TileRenderer(renderer).draw, self, name="neural tile")
        for evaluator in (self.plain, self.neural):
            evaluator.answered.connect(lambda _, drawn: self._answered(drawn))
            evaluator.failed.connect(lambda _, error: self.view.say(f"This cannot be drawn: {error}"))

    @property
    def is_settled(self) -> bool:
        return not self.plain.busy and not self.neural.busy

    def shown_keys(self) -> list[str]:
        """Which tiles there are for what is on show."""
        choice = self.view.choice
        if choice is None:
            return []
        keys = ["photo"] if choice.capture is not None else []
        return [*keys, "shaded", *(["neural"] if self.view.offers("neural") else []), "normals"]

    def ask(self) -> None:
        """Have the pictures drawn anew."""
        if not self.isVisible() or self.view.choice is None:
            return
        view, choice = self.view, self.view.choice
        camera = choice.camera(view.captured.frame, view.captured.camera)
        if camera is None:
            return
        native, size = camera, self._tiles["shaded"].size() * self.devicePixelRatioF()
        share = max(0.25, min(size.width() / camera.width, size.height() / camera.height, TALLEST / camera.height))
        camera = camera.resized(max(1, round(camera.width * share)), max(1, round(camera.height * share)))
        plain = theme.colors().plot
        ground = (tuple(QColor(plain).getRgbF()[:3]),) * 2
        base = replace(view.request(8, 8), camera=camera, mirrored=False, background=ground, value_range=None)
        requests = {key: replace(base, mode=key if key != "photo" else "shaded") for key in self.shown_keys()}
        if "photo" in requests:
            requests["photo"] = replace(requests["photo"], cover=self.cover.value() / 100)
        if view.canvas.moving:
            requests = {key: replace(request, samples=1) for key, request in requests.items()}
        neural = requests.pop("neural", None)
        photo = choice.photo(view.captured.frame, view.captured.camera)
        measured = native if view.captured.is_on_show and photo is not None and not view.canvas.moving else None
        context = Tiles(requests, choice.capture, photo, measured)
        if "photo" in requests and photo is None:
            self.panes["photo"].show_pixels(None, "There is no photo of this pose from this camera.")
        self.plain.ask(context, give_up=not view.canvas.moving)
        if neural is not None:
            if view.canvas.moving and self._seconds > 0.25:
                neural = replace(neural, scale=0.5)
            self.neural.ask(replace(context, requests={"neural": neural}), give_up=not view.canvas.moving)

    def _answered(self, drawn: Drawn) -> None:
        for key, frame in drawn.frames.items():
            self.frames[key] = frame
            self.panes[key].show_pixels(frame.picture)
            score = drawn.scores.get(key)
            self.captions[key].setText(TITLES[key] + (f"   {score:.1f} dB" if score is not None else ""))
            self.captions[key].setToolTip("PSNR against the photo, where the hand is in it" if score else "")
            if key == "neural" and frame.is_fine:
                self._seconds = frame.seconds

    # ---- where they are ---
    def arrange(self) -> None:
        """As large as they can be."""
        keys = self.shown_keys()
        for key, tile in self._tiles.items():
            tile.setVisible(key in keys)
        camera = self.view.choice.camera(0, 0) if self.view.choice is not None else None
        if not keys or camera is None:
            return
        for key, (x, y, w, h) in zip(
            keys, places(len(keys), self.width(), self.height(), camera.width / camera.height), strict=True
        ):
            self._tiles[key].setGeometry(x, y, w, h)

    def resizeEvent(self, event) -> None:
        self.arrange()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self.arrange()
        self.ask()

    def picture(self, width: int, height: int) -> QImage:
        """The pictures as they are on show, in any size."""
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(QColor(theme.colors().plot))
        keys = [key for key in self.shown_keys() if self.panes[key].image is not None]
        if keys:
            camera = self.frames[keys[-1]].request.camera
            painter = QPainter(image)
            for key, (x, y, w, h) in zip(
                keys, places(len(keys), width, height, camera.width / camera.height), strict=True
            ):
                painter.save()
                painter.translate(x, y)
                painter.setClipRect(QRectF(0, 0, w, h))
                self.panes[key].paint(painter, QRectF(0, 24, w, h - 24))
                painter.setPen(QColor(theme.colors().text))
                painter.setFont(theme.font(bold=True))
                painter.drawText(QRectF(8, 2, w - 16, 22), Qt.AlignmentFlag.AlignVCenter, self.captions[key].text())
                painter.restore()
            painter.end()
        return image

    def stop(self) -> None:
        self.plain.stop()
        self.neural.stop()


def places(count: int, width: int, height: int, aspect: float, head: int = 26) -> list[tuple[int, int, int, int]]:
    """x, y, width and height of so many pictures in a place of this size, as large as they can be."""
    best, size = 1, 0.0
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        w, h = width / columns, height / rows - head
        fits = min(w, h * aspect)
        if fits > size * 1.001:
            best, size = columns, fits
    rows = math.ceil(count / best)
    w, h = width // best, height // rows
    return [((k % best) * w, (k // best) * h, w, h) for k in range(count)]


__all__ = ["HandPictures", "TileRenderer", "Tiles", "places", "psnr"]
