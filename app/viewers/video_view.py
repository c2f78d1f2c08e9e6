"""Videos, in colours or of depth: played, stopped, gone through picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app import theme
from app.viewers import colour_maps, plotting
from app.viewers.capture import ask_for_picture
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.overlay import number
from app.viewers.pixel_area import PixelArea
from app.viewers.registry import Shown
from app.viewers.timeline import Clock, Timeline, seconds_text
from app.viewers.toolbar import ViewBar
from engines.data import DepthVideo, Video


@dataclass(frozen=True, eq=False)
class _Wanted:
    artifact: Video | DepthVideo
    index: int


class VideoView(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("video-view")
        self.setAccessibleName("Video")
        self._items: list[Shown] = []
        self._chosen = ""
        self.index = 0
        self.drawn_index = -1
        """Of the picture on screen."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.videos = self.bar.choice("videos", "Video to show", "video")
        self.videos.activated.connect(lambda _: self._choose(self.videos.currentData()))
        act = self.bar.action
        self.play_action = act("play", "Play or stop", "play", self.toggle, "Space", keep=90)
        act("previous", "Previous picture", "caret-left", lambda: self.step(-1), "PgUp", keep=60)
        act("next", "Next picture", "caret-right", lambda: self.step(1), "PgDown", keep=60)
        act("fit", "Fit to the view", "frame", lambda: self.area.fit(), "F")
        self.bar.stretch()
        self.range = self.bar.text("range", "What the colours stand for")
        self.readout = self.bar.text("readout", "Pixel under the cursor")
        act("screenshot", "Save a picture", "camera", self._save_picture, "S")
        column.addWidget(self.bar)
        empty = ("video", "No video", "Choose a video in the project, or render a camera path to one.")
        self.area = PixelArea(self, "Picture of the video", empty, self.readout.setText)
        self.area.in_words = self._in_words
        self.item, self.describe = self.area.item, self.area.describe
        column.addWidget(self.area, 1)
        self.strip = QWidget(self)
        theme.mark(self.strip, kind="bar")
        row = QHBoxLayout(self.strip)
        row.setContentsMargins(8, 4, 12, 4)
        self.timeline = Timeline(self.strip, "Picture of the video")
        self.timeline.valueChanged.connect(self.show_index)
        self.time = QLabel(self.strip)
        self.time.setAccessibleName("Time")
        self.time.setFont(theme.tabular(self.time.font()))
        theme.mark(self.time, tone="muted")
        row.addWidget(self.timeline, 1)
        row.addWidget(self.time)
        column.addWidget(self.strip)
        self.clock = Clock(self, lambda: self.video.seconds if self.video is not None else 0.0)
        self.clock.ticked.connect(self._ticked)
        self.clock.playing_changed.connect(self._playing_changed)
        self._ranged: tuple[DepthVideo, tuple[float, float]] | None = None
        self.evaluator = LiveEvaluator(self._pixels, self, name="video")
        self.evaluator.answered.connect(self._answered)
        self.evaluator.failed.connect(lambda _, error: self.readout.setText(str(error)))
        self.setFocusProxy(self.timeline)
        self._show()

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._items = [item for item in items if isinstance(item.artifact, Video | DepthVideo)]
        self.videos.clear()
        for item in self._items:
            self.videos.addItem(item.name, item.id)
        self.videos.setCurrentIndex(max(0, self.videos.findData(self._chosen)))
        self.bar.set_shown(self.videos.parentWidget(), len(self._items) > 1)
        self._show()

    @property
    def video(self) -> Video | DepthVideo | None:
        found = [item for item in self._items if item.id == self._chosen] or self._items
        return found[0].artifact if found else None  # type: ignore[return-value]

    def _choose(self, key: str) -> None:
        self._chosen = key
        self._show()

    def _show(self) -> None:
        video = self.video
        self.bar.setVisible(video is not None)
        self.strip.setVisible(video is not None)
        if video is None:
            self.area.show_size(None)
            self.clock.stop()
            self.evaluator.forget()
            return
        self.index = min(self.index, len(video) - 1)
        self.timeline.blockSignals(True)
        self.timeline.setRange(0, len(video) - 1)
        self.timeline.setPageStep(max(1, round(video.rate)))
        self.timeline.blockSignals(False)
        self.show_index(self.index)
        self.area.show_size((video.width, video.height))

    def show_index(self, index: int) -> None:
        """Show a picture by its number, from 0."""
        video = self.video
        if video is None:
            return
        self.index = min(max(index, 0), len(video) - 1)
        if self.timeline.value() != self.index:
            self.timeline.blockSignals(True)
            self.timeline.setValue(self.index)
            self.timeline.blockSignals(False)
        self.time.setText(f"{self.index + 1} of {len(video)}   {seconds_text(self.index / video.rate, video.seconds)}")
        self.evaluator.ask(_Wanted(video, self.index), give_up=False)

    def _pixels(self, wanted: _Wanted, stale: Callable[[], bool]) -> tuple[np.ndarray, np.ndarray]:
        """The picture as it is shown, and its values. On a thread of its own."""
        artifact = wanted.artifact
        if isinstance(artifact, Video):
            pixels = artifact.pixels(wanted.index)
            return pixels, pixels
        if self._ranged is None or self._ranged[0] is not artifact:
            self._ranged = (artifact, artifact.range)
        depth = artifact.depth[wanted.index]
        near, far = self._ranged[1]
        pixels = colour_maps.coloured(depth, "viridis", near, far if far > near else near + 1e-6)
        return np.where((depth > 0)[..., None], pixels[..., :3], 0).astype(np.uint8), depth[..., None]

    def _answered(self, wanted: _Wanted, found: tuple[np.ndarray, np.ndarray]) -> None:
        if wanted.artifact is not self.video:
            return
        shown, self.area.values = found
        self.drawn_index = wanted.index
        self.item.setImage(shown, autoLevels=False, levels=(0, 255))
        text = ""
        if isinstance(wanted.artifact, DepthVideo) and self._ranged is not None:
            near, far = self._ranged[1]
            text = f"dark {number(near, 3)}, bright {number(far, 3)} {wanted.artifact.unit}".rstrip()
        if text != self.range.text():
            self.range.setText(text)

    # ---- time ---------------------------------------------------------------------------------------------
    def toggle(self) -> None:
        """Play or stop."""
        video = self.video
        if self.clock.playing:
            self.clock.stop()
        elif video is not None:
            self.clock.start(self.index / video.rate)

    def step(self, by: int) -> None:
        self.clock.stop()
        if self.video is not None:
            self.show_index((self.index + by) % len(self.video))

    def _ticked(self, at: float) -> None:
        if self.video is not None:
            self.show_index(int(at * self.video.rate))

    def _playing_changed(self, on: bool) -> None:
        self.play_action.setIcon(theme.icon("pause" if on else "play"))

    def hideEvent(self, event) -> None:
        self.clock.stop()
        super().hideEvent(event)

    # ---- look ---------------------------------------------------------------------------------------------
    def _in_words(self, values: np.ndarray) -> str:
        """RGB, or the depth with its unit."""
        video = self.video
        if not isinstance(video, DepthVideo):
            return ", ".join(str(int(v)) for v in values)
        depth = float(values[0])
        return f"depth {number(depth, 4)} {video.unit}".rstrip() if depth > 0 else "nothing"

    def _save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self.area.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    # ---- state --------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        return {"video": self._chosen, "picture": self.index}

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._chosen = str(state.get("video", ""))
        index = state.get("picture")
        if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 1 << 31:
            self.index = index
        self._show()

    def closeEvent(self, event) -> None:
        self.clock.stop()
        self.evaluator.stop()
        super().closeEvent(event)
