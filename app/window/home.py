"""The page that a person begins on: samples, recent projects, and the ways in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.settings import settings
from app.window.widgets import Card, ElidedLabel, Glyph, chip, clear_layout, label, name, push_button, tool_button
from app.window.wording import age_text, size_text

CARD_WIDTH = 252
PAGE_WIDTH = 5 * CARD_WIDTH + 4 * 16  # a row of cards ends where the page ends


class Picture(QWidget):
    """A picture that fills its box, with round upper corners."""

    def __init__(self, height: int, icon: str = "sample") -> None:
        super().__init__()
        self._image: QPixmap | None = None
        self._icon = icon
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_image(self, image: QImage | None) -> None:
        self._image = QPixmap.fromImage(image) if image is not None and not image.isNull() else None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        c = theme.colors()
        path = QPainterPath()
        box = QRectF(self.rect())
        path.addRoundedRect(box.adjusted(0, 0, 0, 10), 7, 7)
        painter.setClipPath(path)
        painter.fillRect(self.rect(), QColor(c.view_bottom if c.dark else c.hover))
        if self._image is None:
            theme.icon(self._icon, "faint").paint(painter, self.rect().adjusted(0, 40, 0, -40))
            return
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        scaled = self._image.scaled(
            size, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
        )
        scaled.setDevicePixelRatio(ratio)
        width, height = scaled.width() / ratio, scaled.height() / ratio
        painter.drawPixmap(round((self.width() - width) / 2), round((self.height() - height) / 2), scaled)


@dataclass(frozen=True)
class SampleInfo:
    key: str
    title: str
    text: str
    picture: Path


def list_samples() -> list[SampleInfo]:
    """The samples that ship with the program. Reads files: not for the GUI thread."""
    from app import samples

    return [SampleInfo(s.key, s.title, s.description, s.picture) for s in samples.samples()]


class SampleCard(Card):
    def __init__(self, info: SampleInfo) -> None:
        super().__init__(f"Sample {info.title}")
        self.setObjectName(f"sample:{info.key}")
        self.info = info
        self.setFixedWidth(CARD_WIDTH)
        self.picture = Picture(148)
        title = label(info.title, kind="heading", wrap=True)
        text = label(info.text, tone="muted", wrap=True)
        text.setAlignment(Qt.AlignmentFlag.AlignTop)
        text.setMinimumHeight(2 * text.fontMetrics().lineSpacing() + 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 14)
        layout.setSpacing(4)
        layout.addWidget(self.picture)
        layout.addSpacing(6)
        for words in (title, text):
            words.setContentsMargins(14, 0, 14, 0)
            layout.addWidget(words)
        layout.addStretch(1)


@dataclass(frozen=True)
class RecentInfo:
    path: Path
    exists: bool
    size: int = 0
    modified: dt.datetime | None = None


def look_at(paths: Sequence[str]) -> list[tuple[RecentInfo, QImage | None]]:
    """Size, age and thumbnail of projects. Reads files: not for the GUI thread."""
    found = []
    for text in paths:
        path = Path(text)
        try:
            stat = path.stat()
        except OSError:
            found.append((RecentInfo(path, False), None))
            continue
        when = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC).astimezone()
        found.append((RecentInfo(path, True, stat.st_size, when), _thumbnail(path)))
    return found


def _thumbnail(path: Path) -> QImage | None:
    """The picture that the view state keeps, read straight from the file."""
    import base64
    import json

    import h5py

    try:
        with h5py.File(path, "r") as file:
            raw = file["view/state"][()]
        data = json.loads(raw).get("thumbnail", "")
        image = QImage.fromData(base64.b64decode(data))
        return image if not image.isNull() else None
    except Exception:  # no picture is no problem
        return None


class RecentRow(Card):
    forget_wanted = Signal(str)

    def __init__(self, info: RecentInfo, image: QImage | None) -> None:
        super().__init__(f"Recent project {info.path.stem}")
        self.setObjectName(f"recent:{info.path}")
        self.info = info
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 10, 8)
        row.setSpacing(12)
        thumb = QLabel()
        thumb.setFixedSize(72, 48)
        thumb.setAlignment(Qt.AlignmentFlag.AlignCenter)
        if image is not None:
            ratio = self.devicePixelRatioF()
            scaled = QPixmap.fromImage(image).scaled(
                QSize(72, 48) * ratio,
                Qt.AspectRatioMode.KeepAspectRatioByExpanding,
                Qt.TransformationMode.SmoothTransformation,
            )
            scaled.setDevicePixelRatio(ratio)
            thumb.setPixmap(scaled)
            row.addWidget(thumb)
        else:
            glyph = Glyph("project", 24, "faint")
            holder = QHBoxLayout()
            holder.setContentsMargins(24, 12, 24, 12)
            holder.addWidget(glyph)
            row.addLayout(holder)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(ElidedLabel(info.path.stem))
        words.itemAt(0).widget().setFont(theme.font(bold=True))
        folder = ElidedLabel(_short(info.path.parent), tone="muted", mode=Qt.TextElideMode.ElideMiddle)
        folder.setFont(theme.font(0.94))
        words.addWidget(folder)
        row.addLayout(words, 1)
        if info.exists:
            facts = label(f"{age_text(info.modified)}\n{size_text(info.size)}", tone="muted")
            facts.setFont(theme.font(0.94, numbers=True))
            facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            row.addWidget(facts)
        else:
            row.addWidget(chip("Missing", "warn"))
            self.setToolTip("The file is not where it was.")
        forget = tool_button("close", "Forget this project", lambda: self.forget_wanted.emit(str(info.path)), size=13)
        row.addWidget(forget)


def _short(path: Path) -> str:
    text, home = str(path), str(Path.home())
    return f"~{text[len(home) :]}" if text == home or text.startswith(home + "/") else text


class HomePage(QScrollArea):
    sample_wanted = Signal(str)
    open_wanted = Signal(str)  # a path, or "" for the dialog
    new_wanted = Signal()
    import_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        name(self, "Home page")
        self.setWidgetResizable(True)
        self.setProperty("kind", "window")
        body = QWidget()
        body.setProperty("kind", "window")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWidget(body)
        outer = QHBoxLayout(body)
        outer.setContentsMargins(40, 0, 40, 0)
        outer.addStretch(1)
        page = QWidget()
        page.setMaximumWidth(PAGE_WIDTH)
        page.setMinimumWidth(520)
        page.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        outer.addWidget(page, 10_000)  # all of the width up to its largest, but for what rounding takes
        outer.addStretch(1)
        self._page = QVBoxLayout(page)
        self._page.setContentsMargins(0, 44, 0, 40)
        self._page.setSpacing(12)
        self._page.addLayout(self._hero())
        self._page.addSpacing(24)
        self._page.addWidget(_heading("Begin with a sample"))
        self._samples = QGridLayout()
        self._samples.setSpacing(16)
        self._page.addLayout(self._samples)
        self._sample_cards: list[SampleCard] = []
        self._sample_note = label("Reading the samples", tone="muted")
        self._page.addWidget(self._sample_note)
        self._page.addSpacing(20)
        self._recent_heading = _heading("Recent projects")
        self._page.addWidget(self._recent_heading)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(8)
        self._page.addLayout(self._recent)
        self._no_recent = label("Projects that you save are listed here.", tone="muted")
        self._page.addWidget(self._no_recent)
        self._page.addStretch(1)
        self._columns = 0

    def _hero(self) -> QBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(18)
        mark = QLabel()
        mark.setPixmap(theme.app_icon().pixmap(QSize(56, 56)))
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label("Fieldwright", kind="heading", scale=1.9))
        words.addWidget(
            label(
                "Bring data, choose a published method, watch it work, keep the result.",
                tone="muted",
                scale=1.05,
                wrap=True,
            )
        )
        row.addLayout(words, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for text, icon, signal in (
            ("New project", "new", self.new_wanted),
            ("Import data", "import", self.import_wanted),
        ):
            buttons.addWidget(push_button(text, signal.emit, icon=icon, object_name=f"home {text}"))
        buttons.addWidget(
            push_button(
                "Open a project",
                lambda: self.open_wanted.emit(""),
                icon="open",
                kind="primary",
                object_name="home Open",
            )
        )
        row.addLayout(buttons)
        row.setAlignment(buttons, Qt.AlignmentFlag.AlignVCenter)
        return row

    # --- filling ---

    def refresh(self) -> None:
        """Look at the samples and the recent projects again, in the background."""
        if not self._sample_cards:
            run_in_background(_samples_with_pictures, done=self._show_samples, failed=self._no_samples, owner=self)
        run_in_background(look_at, settings().recent(), done=self._show_recent, owner=self)

    def _show_samples(self, found: list[tuple[SampleInfo, QImage | None]]) -> None:
        if self._sample_cards:
            return
        for info, image in found:
            card = SampleCard(info)
            card.picture.show_image(image)
            card.clicked.connect(lambda key=info.key: self.sample_wanted.emit(key))
            self._sample_cards.append(card)
        self._sample_note.setVisible(not found)
        self._sample_note.setText("No samples are installed.")
        self._columns = 0
        self._arrange()

    def _no_samples(self, error: BaseException) -> None:
        self._sample_note.setText(f"The samples could not be read: {error}")

    def _show_recent(self, found: list[tuple[RecentInfo, QImage | None]]) -> None:
        clear_layout(self._recent)
        for info, image in found[:6]:
            row = RecentRow(info, image)
            row.clicked.connect(lambda path=str(info.path): self.open_wanted.emit(path))
            row.forget_wanted.connect(self._forget)
            self._recent.addWidget(row)
        self._no_recent.setVisible(not found)

    def _forget(self, path: str) -> None:
        settings().forget_recent(path)
        self.refresh()

    def _arrange(self) -> None:
        width = min(self.viewport().width() - 80, PAGE_WIDTH)
        columns = max(1, (width + 16) // (CARD_WIDTH + 16))
        if columns == self._columns:
            return
        self._columns = columns
        for card in self._sample_cards:
            self._samples.removeWidget(card)
        for index, card in enumerate(self._sample_cards):
            self._samples.addWidget(card, index // columns, index % columns, Qt.AlignmentFlag.AlignTop)
        for column in range(self._samples.columnCount()):
            self._samples.setColumnStretch(column, 0)
        self._samples.setColumnStretch(columns, 1)

    def resizeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().resizeEvent(event)
        self._arrange()


def _heading(text: str) -> QLabel:
    return label(text, kind="heading", scale=1.12)


def _samples_with_pictures() -> list[tuple[SampleInfo, QImage | None]]:
    return [(s, QImage(str(s.picture))) for s in list_samples()]
