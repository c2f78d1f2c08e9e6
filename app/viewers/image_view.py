"""Images: zoom, pan, the value of the pixel under the cursor, single channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.viewers import plotting
from app.viewers.capture import ask_for_picture
from app.viewers.overlay import number
from app.viewers.pixel_area import PixelArea
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.data import Image

_CHANNELS = {1: ("Grey",), 2: ("Grey", "Alpha"), 3: ("Red", "Green", "Blue"), 4: ("Red", "Green", "Blue", "Alpha")}


def to_screen(pixels: np.ndarray, channel: int | None = None) -> np.ndarray:
    """(H, W, C) uint8 or float in [0, 1] to (H, W, 4) uint8; one channel as grey."""
    if pixels.dtype != np.uint8:
        pixels = (np.clip(np.nan_to_num(pixels), 0, 1) * 255 + 0.5).astype(np.uint8)
    count = pixels.shape[2]
    rgba = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    if channel is not None and channel < count:
        rgba[..., :3] = pixels[..., channel : channel + 1]
        return rgba
    rgba[..., :3] = pixels[..., :3] if count >= 3 else pixels[..., :1]
    if count in (2, 4):
        rgba[..., 3] = pixels[..., -1]
    return rgba


class ImageView(QWidget):
    title_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("image-view")
        self.setAccessibleName("Image")
        self._items: list[Shown] = []
        self._chosen = ""
        self._channel: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.images = self.bar.choice("images", "Image to show", "image")
        self.images.activated.connect(lambda _: self._choose(self.images.currentData()))
        self.channels = self.bar.choice("channels", "Channel", "sliders-horizontal", keep=30)
        self.channels.activated.connect(lambda _: self.set_channel(self.channels.currentData()))
        self.bar.action("fit", "Fit to the view", "frame", lambda: self.area.fit(), "F")
        self.bar.action("actual-size", "Actual size", "image", lambda: self.area.actual_size(), "1", words="1:1")
        self.bar.stretch()
        self.readout = self.bar.text("readout", "Pixel under the cursor")
        self.bar.action("screenshot", "Save a picture", "camera", self._save_picture, "S")
        column.addWidget(self.bar)
        empty = ("image", "No image", "Choose an image in the project.")
        self.area = PixelArea(self, "Image area", empty, self.readout.setText)
        self.area.in_words = lambda values: ", ".join(number(float(v), 4) for v in values)
        self.box, self.item, self.describe = self.area.box, self.area.item, self.area.describe
        column.addWidget(self.area, 1)
        self._show()

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._items = [item for item in items if isinstance(item.artifact, Image)]
        self.images.clear()
        for item in self._items:
            self.images.addItem(item.name, item.id)
        self.images.setCurrentIndex(max(0, self.images.findData(self._chosen)))
        self.bar.set_shown(self.images.parentWidget(), len(self._items) > 1)
        self._show()

    @property
    def image(self) -> Image | None:
        found = [item for item in self._items if item.id == self._chosen] or self._items
        return found[0].artifact if found else None

    def _choose(self, key: str) -> None:
        self._chosen = key
        self._show()

    def set_channel(self, channel: int | None) -> None:
        """One channel as grey, or None for all as colours."""
        self._channel = channel
        self._show()

    def _show(self) -> None:
        image = self.image
        self.bar.setVisible(image is not None)
        if image is None:
            self.area.show_size(None)
            return
        pixels = image.pixels
        self.channels.clear()
        self.channels.addItem("All channels", None)
        for k, name in enumerate(_CHANNELS[pixels.shape[2]]):
            self.channels.addItem(name, k)
        self.channels.setCurrentIndex(max(0, self.channels.findData(self._channel)))
        self.bar.set_shown(self.channels.parentWidget(), pixels.shape[2] > 1)
        self.item.setImage(to_screen(pixels, self._channel), autoLevels=False)
        self.area.values = pixels
        self.area.show_size((pixels.shape[1], pixels.shape[0]))

    def _save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self.area.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "image": self._chosen,
            "channel": self._channel,
            "view": [round(v, 3) for v in self.box.viewRect().getRect()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._chosen = str(state.get("image", ""))
        channel = state.get("channel")
        self._channel = channel if isinstance(channel, int) and 0 <= channel < 4 else None
        self._show()
        view = state.get("view")
        if not isinstance(view, list) or len(view) != 4:
            return
        if all(isinstance(v, int | float) and np.isfinite(v) for v in view) and min(view[2:]) > 0:
            self.box.setRange(QRectF(*view), padding=0)
