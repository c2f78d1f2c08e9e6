"""Histograms on a grid as images beside each other: where it begins, what is under way, where it comes to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import colour_maps, transport_ink
from app.viewers.overlay import number
from app.viewers.transport_content import Journey

NARROW = 110
"""Pixels for each image below which only the one under way is shown."""


class _Image(pg.ViewBox):
    """One of them, with its heading."""

    def __init__(self) -> None:
        super().__init__(lockAspect=True, invertY=True, enableMenu=False)
        self.item = pg.ImageItem(axisOrder="row-major")
        self.addItem(self.item)
        self.values: np.ndarray | None = None


class TransportImages(pg.GraphicsLayoutWidget):
    hovered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transport-images")
        self.setAccessibleName("Images and what is under way between them")
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(120, 90)
        self.journey: Journey | None = None
        self.time = 0.5
        self.cmap = "viridis"
        self._between: np.ndarray | None = None
        self._shape: tuple[int, int] | None = None
        self._follows = True
        self.ci.setContentsMargins(8, 4, 8, 8)
        self.boxes, self.headings = [_Image() for _ in range(3)], [pg.LabelItem() for _ in range(3)]
        for box in self.boxes[1:]:
            box.linkView(pg.ViewBox.XAxis, self.boxes[0])
            box.linkView(pg.ViewBox.YAxis, self.boxes[0])
        for box in self.boxes:
            box.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.scene().sigMouseMoved.connect(self._hover)
        self._laid: tuple[int, ...] = ()
        self.dress()

    def show_journey(self, journey: Journey) -> None:
        self.journey = journey
        self._between = None
        first = journey.clouds[0].picture
        assert first is not None
        self._lay_out()
        self._draw()
        if first.shape != self._shape or self._follows:
            self._shape = first.shape
            self.fit()

    def _lay_out(self) -> None:
        """Two or three beside each other; one where there is no room or no other."""
        if self.journey is None:
            return
        count = min(len(self.journey.clouds), 2)
        wanted: tuple[int, ...] = (0,) if count == 1 else (0, 2)
        if self.journey.moves:
            wanted = (0, 1, 2) if self.width() >= 3 * NARROW else (1,)
        if wanted == self._laid:
            return
        for box, heading in zip(self.boxes, self.headings, strict=True):
            for item in (box, heading):
                if item in self.ci.items:
                    self.ci.removeItem(item)
        for column, k in enumerate(wanted):
            self.ci.addItem(self.headings[k], 0, column)
            self.ci.addItem(self.boxes[k], 1, column)
        self._laid = wanted

    def set_between(self, values: np.ndarray, t: float) -> None:
        """(rows, columns) mass under way at a time."""
        self._between, self.time = values, t
        self._draw()

    def set_time(self, t: float) -> None:
        """The image for it comes by :meth:`set_between`."""
        self.time = t
        self._head()

    @property
    def _pictures(self) -> list[np.ndarray | None]:
        assert self.journey is not None
        clouds = self.journey.clouds
        first, last = clouds[0].picture, clouds[1].picture if len(clouds) > 1 else None
        between = self._between
        if between is None and self.journey.moves:
            between = first if self.time < 0.5 else last
        return [first, between, last]

    @property
    def span(self) -> tuple[float, float]:
        """Of the colours: the same for all of them."""
        ends = [p for p in (self._pictures[0], self._pictures[2]) if p is not None]
        high = max(float(p.max()) for p in ends)
        return 0.0, high or 1.0

    def _draw(self) -> None:
        if self.journey is None:
            return
        low, high = self.span
        for box, values in zip(self.boxes, self._pictures, strict=True):
            box.values = values
            if values is not None:
                box.item.setImage(colour_maps.coloured(values, self.cmap, low, high), autoLevels=False)
                box.item.setRect(QRectF(0, 0, values.shape[1], values.shape[0]))
        self._head()

    def _head(self) -> None:
        if self.journey is None:
            return
        import html

        clouds = self.journey.clouds
        titles = [clouds[0].title, f"t = {self.time:.2f}", clouds[1].title if len(clouds) > 1 else ""]
        roles = ["source", "", "target"]
        for heading, title, role in zip(self.headings, titles, roles, strict=True):
            mark = f'<span style="color:{transport_ink.colour_of(role)}">●</span> ' if role else ""
            heading.setText(f"{mark}{html.escape(title)}", color=theme.colors().text)

    def fit(self) -> None:
        if self._shape is not None:
            self._follows = True
            for box in self.boxes:
                box.setRange(QRectF(0, 0, self._shape[1], self._shape[0]), padding=0.02)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if hasattr(self, "boxes"):
            self._lay_out()
            if self._follows:
                self.fit()

    def _hover(self, at: QPointF) -> None:
        for k, box in enumerate(self.boxes):
            if k in self._laid and box.sceneBoundingRect().contains(at):
                point = box.mapSceneToView(at)
                self.hovered.emit(self.describe(k, point.x(), point.y()))
                return
        self.hovered.emit("")

    def describe(self, image: int, x: float, y: float) -> str:
        """Place and mass of a pixel of one of the images; "" outside."""
        values, column, row = self.boxes[image].values, int(np.floor(x)), int(np.floor(y))
        if values is None or not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
            return ""
        return f"row {row}, column {column}   mass {number(float(values[row, column]), 4)}"

    def leaveEvent(self, event: Any) -> None:
        self.hovered.emit("")
        super().leaveEvent(event)

    def dress(self) -> None:
        self.setBackground(theme.colors().plot)
        self._head()


__all__ = ["TransportImages"]
