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

LOW, SLIM = 320.0, 420.0
"""A view of less than this height or width is laid out flat."""
FOOT, FLAT_FOOT = 60.0, 44.0
"""Pixels at the bottom for axes and scale bar, in views of either kind."""
FLAT_LINE = 14.0
"""From the bottom of a flat view to the line on which scale bar and colour bars stand."""
FLAT_BAR = 90.0
"""Pixels that a flat colour bar with its numbers needs; where there is less room, there is none."""
BAR_HEAD = 30.0
"""Above a colour bar, for its title."""
BAR_FOOT = 32.0
LOWEST_BAR = 60.0
"""Pixels; where there is less room, there is none."""
BESIDE = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
AXIS_HUES = ("#D1495B", "#3A9D5D", "#3D7DCA")
"""Of the x, y and z axis; their letters always stand beside them."""
AROUND = tuple((x, y) for x in (-1.2, 0, 1.2) for y in (-1.2, 0, 1.2) if x or y)


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


def is_flat(width: float, height: float) -> bool:
    """Whether a view of this size is too small for bars at its side: all of it goes into one row at the bottom."""
    return height < LOW or width < SLIM


def foot_height(width: float, height: float) -> float:
    """Pixels at the bottom of a view of this size for axes and scale bar, and in a flat one the colour bars too."""
    return min(FLAT_FOOT, height / 4) if is_flat(width, height) else FOOT


def draw_text(painter: QPainter, box: QRectF, flags: Qt.AlignmentFlag, text: str, halo: str = "") -> None:
    """With a halo in the colour of what lies behind, else of the view: so it can be read over any object."""
    colours = theme.colors()
    painter.setPen(QColor(halo or colours.view_bottom))
    for right, down in AROUND:
        painter.drawText(box.translated(right, down), flags, text)
    painter.setPen(QColor(colours.text))
    painter.drawText(box, flags, text)


def draw_caption(painter: QPainter, size: QSizeF, text: str) -> None:
    """At the upper left: whose picture it is."""
    if not text:
        return
    painter.save()
    painter.setFont(theme.font(bold=True))
    box = QRectF(12, 6, max(0.0, size.width() - 24), 24)
    words = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    draw_text(painter, box, BESIDE, words, theme.colors().view_top)
    painter.restore()


def draw_axes(painter: QPainter, size: QSizeF, pose: Pose) -> None:
    """The triad at the lower left: what points away from the viewer is drawn first and paler."""
    flat = is_flat(size.width(), size.height())
    aside, length, gap = (25, 14.0, 7) if flat else (46, 26.0, 9)
    centre = QPointF(aside, size.height() - aside)
    basis = np.stack([pose.right, pose.up, pose.back], 1)  # rows: x, y, z axes in the camera's frame
    names, hues = "XYZ", AXIS_HUES
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(0.75 if flat else 0.85, bold=True))
    metrics = QFontMetricsF(painter.font())
    for axis in np.argsort(basis[:, 2]):
        right, up, back = basis[axis]
        colour = QColor(hues[axis])
        colour.setAlphaF(1.0 if back > -0.2 else 0.5)
        tip = centre + QPointF(right, -up) * length
        painter.setPen(QPen(colour, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(centre, tip)
        if math.hypot(right, up) > 0.25:
            where = centre + QPointF(right, -up) * (length + gap)
            box = QRectF(0, 0, metrics.horizontalAdvance(names[axis]) + 2, metrics.height())
            box.moveCenter(where)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, names[axis])
    painter.restore()


def draw_scale_bar(painter: QPainter, size: QSizeF, pose: Pose, unit: str) -> float:
    """A round length at the depth of the focus. Gives how far to the right it reaches, in pixels."""
    flat = is_flat(size.width(), size.height())
    per_pixel = 2 * pose.half_height / max(size.height(), 1)
    length = round_length((min(90.0, size.width() / 5) if flat else min(130.0, size.width() / 4)) * per_pixel)
    pixels = length / per_pixel
    left, base = (56.0, size.height() - FLAT_LINE) if flat else (96.0, size.height() - 32.0)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colours = theme.colors()
    for colour, width in ((colours.view_bottom, 4.0), (colours.text, 1.4)):  # a halo, then the line
        painter.setPen(QPen(QColor(colour), width))
        painter.drawLine(QPointF(left, base), QPointF(left + pixels, base))
        for x in (left, left + pixels):
            painter.drawLine(QPointF(x, base - 4), QPointF(x, base + 4))
    painter.setFont(small_font())
    text = f"{number(length)} {unit}".strip()
    written = QFontMetricsF(painter.font()).horizontalAdvance(text)
    start = left if flat else min(left, left + (pixels - written) / 2)
    room = max(pixels, written) + 2 if flat else pixels + 2 * (left - start)
    draw_text(painter, QRectF(start, base - 25, room, 18), BESIDE if flat else Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()
    return left + max(pixels, written)


def bar_height(view: float, free: float) -> float:
    """Of the colour bars in a view of this height with ``free`` pixels for them at its right edge."""
    return min(220.0, view * 0.42, free - BAR_HEAD - BAR_FOOT)


def has_room_below(width: float, height: float, free: float) -> bool:
    """Whether colour bars find room in the lowest ``free`` pixels of a view of this size."""
    return free >= FLAT_FOOT if is_flat(width, height) else bar_height(height, free) >= LOWEST_BAR + 20


def _bar_texts(bar: ColourBar, count: int = 5) -> tuple[str, list[str]]:
    """Title and the numbers, from the lowest."""
    values = [bar.low + (bar.high - bar.low) * k / (count - 1) for k in range(count)]
    spread = max(abs(bar.low), abs(bar.high))
    # Words begin with a capital; symbols such as u or |v| stay what they are.
    title = f"{bar.title[:1].upper()}{bar.title[1:]}" if bar.title[:3].isalpha() and len(bar.title) > 2 else bar.title
    return f"{title} ({bar.unit})" if bar.unit else title, [
        number(0.0 if abs(v) < 1e-9 * spread else v, 3) for v in values
    ]


def _bar_width(bar: ColourBar, metrics: QFontMetricsF) -> float:
    title, labels = _bar_texts(bar)
    return max(12 + 8 + max(metrics.horizontalAdvance(text) for text in labels), metrics.horizontalAdvance(title)) + 16


def bars_width(bars: Sequence[ColourBar], size: tuple[float, float], bars_at: tuple[float, float]) -> float:
    """Pixels from the right edge of a view of this width and height that its colour bars take."""
    free, right = bars_at
    if not bars or is_flat(*size) or bar_height(size[1], free) < LOWEST_BAR:
        return 0.0
    metrics = QFontMetricsF(small_font())
    return right + sum(_bar_width(bar, metrics) for bar in bars[:2])


def draw_strip(painter: QPainter, box: QRectF, cmap: str) -> None:
    """The colours of a map, from below to above or from left to right."""
    colours = colour_maps.table(cmap)
    upright = box.height() > box.width()
    held = np.ascontiguousarray(np.repeat(colours[::-1][:, None], 2, 1) if upright else np.repeat(colours[None], 2, 0))
    width, height = (2, 256) if upright else (256, 2)
    strip = QImage(held.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(box, strip)
    painter.setPen(QPen(QColor(theme.colors().strong), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)


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
        draw_strip(painter, QRectF(left, top, 12, height), bar.cmap)
        draw_text(painter, QRectF(left, top - 26, width, 18), BESIDE, title)
        for k, text in enumerate(labels):
            y = top + height * (1 - k / 4)
            draw_text(painter, QRectF(left + 20, y - 9, width, 18), BESIDE, text)
        edge = left
    painter.restore()


def draw_flat_bars(painter: QPainter, size: QSizeF, bars: Sequence[ColourBar], left: float, right: float) -> None:
    """Lying bars at the bottom, from ``left`` to ``right``, each with its title above: as many of two as have room."""
    count = min(len(bars), 2, int((right - left) / FLAT_BAR))
    for k, bar in enumerate(bars[:count]):
        width = min(220.0, (right - left - 16 * (count - 1)) / count)
        start, base = right - (count - k) * width - (count - k - 1) * 16, size.height() - FLAT_LINE
        painter.save()
        painter.setFont(small_font())
        title = QFontMetricsF(painter.font()).elidedText(_bar_texts(bar)[0], Qt.TextElideMode.ElideRight, width)
        draw_text(painter, QRectF(start, base - 25, width, 18), BESIDE, title)
        painter.restore()
        draw_flat_bar(painter, QRectF(start, base - 9, width, 18), bar)


def draw_flat_bar(painter: QPainter, box: QRectF, bar: ColourBar, halo: str = "") -> None:
    """The lowest number, the colours, the highest number, in one line."""
    painter.save()
    painter.setFont(small_font())
    metrics = QFontMetricsF(painter.font())
    low, high = _bar_texts(bar, 2)[1]
    before, after = (metrics.horizontalAdvance(text) for text in (low, high))
    draw_text(painter, box, BESIDE, low, halo)
    draw_text(painter, box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, high, halo)
    strip = QRectF(box.left() + before + 6, box.center().y() - 4, box.width() - before - after - 12, 8)
    if strip.width() > 0:
        draw_strip(painter, strip, bar.cmap)
    painter.restore()


def draw_legend(painter: QPainter, box: QRectF, bar: ColourBar) -> None:
    """A flat bar with its title before it, in the middle of a line of a picture."""
    painter.save()
    painter.setFont(small_font())
    title = f"{_bar_texts(bar)[0]}   "
    written, width = QFontMetricsF(painter.font()).horizontalAdvance(title), 240.0
    left = box.center().x() - (written + width) / 2
    halo = theme.colors().panel
    draw_text(painter, QRectF(left, box.top(), written, box.height()), BESIDE, title, halo)
    painter.restore()
    draw_flat_bar(painter, QRectF(left + written, box.top(), width, box.height()), bar, halo)


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
