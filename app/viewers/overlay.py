"""What is written over the 3D picture: axes, scale bar, colour bars, measures. Painted by Qt, so that
text is sharp at every scale and in screenshots of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import colour_maps
from app.viewers.camera import Pose

Painter = Callable[[QPainter, QSizeF], None]


def number(value: float, digits: int = 4) -> str:
    """Short, for reading: 4 figures, a true minus sign, no trailing zeros."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}×10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c.isdigit() else "⁻" for c in str(int(exponent)))
    return text.replace("-", "−")


def round_length(target: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above ``target``."""
    if target <= 0 or not math.isfinite(target):
        return 1.0
    base = 10.0 ** math.floor(math.log10(target))
    return base * max(step for step in (1, 2, 5) if step * base <= target * (1 + 1e-9))


@dataclass(frozen=True)
class ColourBar:
    title: str
    cmap: str
    low: float
    high: float
    unit: str = ""


class Overlay(QWidget):
    """Lets the mouse through to what lies below."""

    def __init__(self, parent: QWidget, painter: Painter) -> None:
        super().__init__(parent)
        self._painter = painter
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setAccessibleName("Scale, axes and measures")
        self.setObjectName("overlay")

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        self._painter(painter, QSizeF(self.size()))
        painter.end()


def picture_scale(height: int) -> float:
    """How much larger text and lines are in a picture of this height: it is laid out as a view 700 high."""
    return max(0.5, height / 700)


def onto_image(image: QImage, painter: Painter) -> None:
    """Paint the overlay onto a screenshot, as large as it would look on a view 700 pixels high."""
    scale = picture_scale(image.height())
    brush = QPainter(image)
    brush.scale(scale, scale)
    painter(brush, QSizeF(image.width() / scale, image.height() / scale))
    brush.end()


def small_font() -> QFont:
    return theme.font(0.92, numbers=True)


def draw_axes(painter: QPainter, size: QSizeF, pose: Pose) -> None:
    """The triad at the lower left: what points away from the viewer is drawn first and paler."""
    centre, length = QPointF(46, size.height() - 46), 26.0
    basis = np.stack([pose.right, pose.up, pose.back], 1)  # rows: x, y, z axes in the camera's frame
    names, hues = "XYZ", ("#D1495B", "#3A9D5D", "#3D7DCA")
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(0.85, bold=True))
    metrics = QFontMetricsF(painter.font())
    for axis in np.argsort(basis[:, 2]):
        right, up, back = basis[axis]
        colour = QColor(hues[axis])
        colour.setAlphaF(1.0 if back > -0.2 else 0.5)
        tip = centre + QPointF(right, -up) * length
        painter.setPen(QPen(colour, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(centre, tip)
        if math.hypot(right, up) > 0.25:
            where = centre + QPointF(right, -up) * (length + 9)
            box = QRectF(0, 0, metrics.horizontalAdvance(names[axis]) + 2, metrics.height())
            box.moveCenter(where)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, names[axis])
    painter.restore()


def draw_scale_bar(painter: QPainter, size: QSizeF, pose: Pose, unit: str) -> None:
    """A round length at the depth of the focus."""
    per_pixel = 2 * pose.half_height / max(size.height(), 1)
    length = round_length(min(130.0, size.width() / 4) * per_pixel)
    pixels = length / per_pixel
    left, base = 96.0, size.height() - 32.0
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.colors().text), 1.4))
    painter.drawLine(QPointF(left, base), QPointF(left + pixels, base))
    for x in (left, left + pixels):
        painter.drawLine(QPointF(x, base - 4), QPointF(x, base + 4))
    painter.setFont(small_font())
    text = f"{number(length)} {unit}".strip()
    painter.drawText(QRectF(left - 40, base - 24, pixels + 80, 18), Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


BAR_HEAD = 30.0
"""Above a colour bar, for its title."""
BAR_FOOT = 32.0
LOWEST_BAR = 60.0
"""Pixels; where there is less room, there is none."""


def bar_height(view: float, free: float) -> float:
    """Of the colour bars in a view of this height with ``free`` pixels for them at its right edge."""
    return min(220.0, view * 0.42, free - BAR_HEAD - BAR_FOOT)


def _bar_texts(bar: ColourBar) -> tuple[str, list[str]]:
    """Title and the five numbers, from the lowest."""
    values = [bar.low + (bar.high - bar.low) * k / 4 for k in range(5)]
    spread = max(abs(bar.low), abs(bar.high))
    title = f"{bar.title[:1].upper()}{bar.title[1:]}"
    return f"{title} ({bar.unit})" if bar.unit else title, [
        number(0.0 if abs(v) < 1e-9 * spread else v, 3) for v in values
    ]


def _bar_width(bar: ColourBar, metrics: QFontMetricsF) -> float:
    title, labels = _bar_texts(bar)
    return max(12 + 8 + max(metrics.horizontalAdvance(text) for text in labels), metrics.horizontalAdvance(title)) + 16


def bars_width(bars: Sequence[ColourBar], view: float, bars_at: tuple[float, float]) -> float:
    """Pixels from the right edge of a view of this height that its colour bars take."""
    free, right = bars_at
    if not bars or bar_height(view, free) < LOWEST_BAR:
        return 0.0
    metrics = QFontMetricsF(small_font())
    return right + sum(_bar_width(bar, metrics) for bar in bars[:2])


def draw_colour_bars(painter: QPainter, size: QSizeF, bars: Sequence[ColourBar], free: float, right: float = 0) -> None:
    """Upright bars at the lower right, at most two, in ``free`` pixels of height, ``right`` pixels from the edge."""
    height = bar_height(size.height(), free)
    if height < LOWEST_BAR:
        return
    painter.save()
    painter.setFont(small_font())
    metrics = QFontMetricsF(painter.font())
    edge = size.width() - right
    for bar in bars[:2]:
        title, labels = _bar_texts(bar)
        width = _bar_width(bar, metrics)
        left, top = edge - width, size.height() - height - BAR_FOOT
        colours = colour_maps.table(bar.cmap)[::-1]
        strip = QImage(
            np.ascontiguousarray(np.repeat(colours[:, None], 2, 1)).data, 2, 256, 6, QImage.Format.Format_RGB888
        )
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(left, top, 12, height), strip)
        painter.setPen(QPen(QColor(theme.colors().strong), 1))
        painter.drawRect(QRectF(left, top, 12, height))
        painter.setPen(QColor(theme.colors().text))
        painter.drawText(QPointF(left, top - 10), title)
        for k, text in enumerate(labels):
            y = top + height * (1 - k / 4)
            painter.drawText(QRectF(left + 20, y - 9, width, 18), Qt.AlignmentFlag.AlignVCenter, text)
        edge = left
    painter.restore()


def draw_label(painter: QPainter, at: QPointF, text: str) -> None:
    """A small plate with text, centred."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(small_font())
    metrics = QFontMetricsF(painter.font())
    box = QRectF(0, 0, metrics.horizontalAdvance(text) + 14, metrics.height() + 6)
    box.moveCenter(at)
    painter.setPen(QPen(QColor(theme.colors().border), 1))
    painter.setBrush(QColor(theme.colors().panel))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QColor(theme.colors().text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()
