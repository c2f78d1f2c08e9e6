"""Photos and where they were taken: small pictures, the cameras in space, and the chosen photo large.

Photos without cameras have no place in space: then there are the small pictures and the large one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import QLabel, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.viewers import saved_state, splat_links
from app.viewers.capture import ask_for_picture
from app.viewers.empty_state import EmptyState
from app.viewers.photos_grid import MOST_THUMBS, PhotoGrid, thumbnails
from app.viewers.photos_layer import THUMB, PhotosLayer
from app.viewers.photos_pane import PhotoPane
from app.viewers.plotting import pixels
from app.viewers.registry import Shown
from app.viewers.scene import Scene3D
from app.viewers.toolbar import ViewBar
from app.viewers.tools import CLICK, away
from engines.blocks.cameras import Camera
from engines.data import Photos, PhotoSet

KEPT_KEYS = ("view-front", "view-back", "view-right", "view-left", "view-top", "view-bottom", "parallel")
"""Actions of the 3D view that keep their keys here; the rest is not offered or has a button of this view."""


class PhotosView(QWidget):
    title_changed = Signal(str)
    chosen_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("photos-view")
        self.setAccessibleName("Photos")
        self._items: list[Shown] = []
        self._key = ""
        self.chosen = -1
        self._task: Task | None = None
        self._pressed = QPointF()
        self._wanted = -1  # from a saved state, until the photos are there
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "image-square", "No photos to show yet", "Choose photos in the project, or import a folder of some."
        )
        self._stack.addWidget(self.empty)
        self.split = QSplitter(Qt.Orientation.Horizontal, body)
        self.split.setChildrenCollapsible(False)
        self._stack.addWidget(self.split)
        column.addWidget(body, 1)
        self.hint = QLabel("It is not known where these photos were taken. Structure from motion can find out.")
        self.hint.setObjectName("photos-hint")
        self.hint.setAccessibleName("What to do next")
        self.hint.setWordWrap(True)
        self.hint.setContentsMargins(12, 6, 12, 6)
        theme.mark(self.hint, tone="muted")
        self.hint.hide()
        column.insertWidget(1, self.hint)
        self.scene = Scene3D(self.split, bar=False)
        self.scene.setMinimumSize(140, 120)
        self.scene.panel_open = {"wide": False, "narrow": False}
        for action in self.scene.actions():
            if action.objectName() not in KEPT_KEYS:
                action.setShortcut(QKeySequence())
        self.aside = QSplitter(Qt.Orientation.Vertical, self.split)
        self.aside.setChildrenCollapsible(False)
        self.pane = PhotoPane(self.aside)
        self.grid = PhotoGrid(self.aside)
        self.aside.setSizes([300, 260])
        self.aside.setStretchFactor(0, 1)
        self.aside.setStretchFactor(1, 1)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.split.setSizes([560, 380])
        self.notice = QLabel(self.scene.stage)
        self.notice.setObjectName("photos-notice")
        self.notice.setAccessibleName("Notice")
        theme.mark(self.notice, kind="chip")
        self.notice.hide()
        self._fill_bar()
        self.scene.canvas.tools = [self]
        self._releases = _Releases(self.scene.canvas, self.clicked)
        self.grid.selectionModel().currentChanged.connect(lambda now, _: self.choose(now.row()))
        self.grid.doubleClicked.connect(lambda _: self.fly())
        self.grid.pictures.complete.connect(self._hang_pictures)
        self.setFocusProxy(self.grid)
        self._show()

    def _fill_bar(self) -> None:
        act = self.bar.action
        self.sets = self.bar.choice("photo-sets", "Photos to show", "image-square")
        self.sets.activated.connect(lambda _: self._choose_set(self.sets.currentData()))
        self.frame_action = act("frame", "Show all cameras", "frame", self.scene.frame, "F", keep=80)
        act("previous", "Previous photo", "left", lambda: self.step(-1), "PgUp", keep=60)
        act("next", "Next photo", "right", lambda: self.step(1), "PgDown", keep=60)
        act("fit", "Fit the photo to its place", "corners-in", self.pane.fit, "Z", keep=30)
        self.fly_action = act(
            "fly", "Go to this camera in the splat view", "airplane-tilt", self.fly, "G", keep=70,
            help="Open a splat view beside this one first.",
        )  # fmt: skip
        self.bar.stretch()
        self.readout = self.bar.text("readout", "The chosen photo")
        act("screenshot", "Save a picture", "camera", self._save_picture, "S", keep=25)

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Show these; the same id with other photos keeps the camera and the choice."""
        self._items = [item for item in items if isinstance(item.artifact, PhotoSet)]
        self.sets.clear()
        for item in self._items:
            self.sets.addItem(item.name, item.id)
        self.sets.setCurrentIndex(max(0, self.sets.findData(self._key)))
        self.bar.set_shown(self.sets.parentWidget(), len(self._items) > 1)
        self._show()

    @property
    def item(self) -> Shown | None:
        found = [item for item in self._items if item.id == self._key] or self._items
        return found[0] if found else None

    @property
    def photos(self) -> PhotoSet | None:
        return None if self.item is None else self.item.artifact

    @property
    def posed(self) -> Photos | None:
        """The photos if their cameras are known."""
        return self.photos if isinstance(self.photos, Photos) else None

    @property
    def layer(self) -> PhotosLayer | None:
        item = self.item
        layer = None if item is None else self.scene.layers.get(item.id)
        return layer if isinstance(layer, PhotosLayer) else None

    def _choose_set(self, key: str) -> None:
        self._key = key
        self._show()

    def _show(self) -> None:
        item = self.item
        self._stack.setCurrentWidget(self.split if item is not None else self.empty)
        self.bar.setVisible(item is not None)
        posed = self.posed is not None
        self.hint.setVisible(item is not None and not posed)
        self.scene.setVisible(posed)
        for action in (self.frame_action, self.fly_action):
            action.setVisible(posed)
        self._arrange()
        self.scene.show_artifacts([item] if item is not None and posed else [])
        fresh = self.photos is not self.grid.pictures.photos
        self.grid.pictures.set_photos(self.photos)
        if item is None:
            self.chosen = -1
            self.pane.show_pixels(None)
            return
        if fresh:
            wanted = self._wanted if self._wanted >= 0 else max(self.chosen, 0)
            self.chosen = -1
            self.choose(min(wanted, len(item.artifact) - 1))
            if not len(item.artifact):
                self.pane.show_pixels(None, "There are no photos in it.")
                self.readout.setText("")

    def _hang_pictures(self) -> None:
        layer, photos = self.layer, self.photos
        if layer is None or photos is None or not len(photos) or len(photos) > MOST_THUMBS:
            return
        layer.set_thumbnails(thumbnails(photos, self.grid.pictures.pictures, THUMB))
        self.scene.canvas.render()

    # ---- the chosen photo ---------------------------------------------------------------------------------
    def choose(self, index: int) -> None:
        """Show a photo large and mark its camera; unknown ones are ignored."""
        photos = self.photos
        if photos is None or not 0 <= index < len(photos) or index == self.chosen:
            return
        self.chosen, self._wanted = index, -1
        model = self.grid.pictures
        self.grid.setCurrentIndex(model.index(index))
        self.grid.scrollTo(model.index(index))
        layer = self.layer
        if layer is not None:
            layer.choose(index)
            self.scene.canvas.render()
        self._say("")
        width, height = photos.sizes[index]
        held = "  ·  held out" if model.is_held_out(index) else ""
        self.readout.setText(f"{photos.label(index)}  ·  {width} × {height} pixels{held}")
        if self._task is not None:
            self._task.cancel()
        self._task = run_in_background(
            photos.pixels, index, done=self.pane.show_pixels,
            failed=lambda error: self.pane.show_pixels(None, str(error)), owner=self,
        )  # fmt: skip
        self.chosen_changed.emit(index)

    def step(self, by: int) -> None:
        """The next or previous photo; from the last one to the first."""
        photos = self.photos
        if photos is not None and len(photos):
            self.choose((self.chosen + by) % len(photos))

    def camera(self, index: int) -> Camera | None:
        """The camera of a photo."""
        photos = self.posed
        if photos is None or not 0 <= index < len(photos):
            return None
        (fx, fy, cx, cy), (width, height) = photos.intrinsics[index], photos.sizes[index]
        return Camera(photos.world_to_camera[index], fx, fy, cx, cy, int(width), int(height))

    def fly(self) -> None:
        """Send the splat views that can be seen to where the chosen photo was taken."""
        camera = self.camera(self.chosen)
        if camera is None:
            return
        gone = splat_links.fly_to(camera, self._depth(camera), self)
        if not gone:
            self._say("Open a splat view beside this one to go to the camera there.")
        else:
            self._say("" if gone[0].isVisible() else "The splat view looks from there now. It lies behind another tab.")

    def _depth(self, camera: Camera) -> float | None:
        """How far what the camera sees lies, by the known points; None where there are none."""
        photos = self.posed
        if photos is None or photos.points is None or not len(photos.points):
            return None
        at, depths = camera.pixels(photos.points)
        seen = (depths > 0) & ((at >= 0) & (at < [camera.width, camera.height])).all(1)
        return float(np.median(depths[seen])) if seen.any() else None

    def _say(self, text: str) -> None:
        self.notice.setText(text)
        self.notice.adjustSize()
        self.notice.move(8, 8)
        self.notice.setVisible(bool(text))
        self.notice.raise_()

    # ---- clicks into space (this view is a tool of the canvas) ---
    def press(self, at: QPointF) -> bool:
        self._pressed = at
        return False

    def move(self, at: QPointF, held: bool) -> bool:
        if not held and self.layer is not None:
            over = self.layer.at(self.scene.canvas.project, at.x(), at.y()) >= 0
            shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
            if self.scene.canvas.cursor().shape() != shape:
                self.scene.canvas.setCursor(shape)
        return False

    def release(self, at: QPointF) -> bool:
        return False

    def clicked(self, at: QPointF) -> None:
        """A click into space, with the left button: the camera there is chosen."""
        if self.layer is not None and away(at, self._pressed) < CLICK:
            self.choose(self.layer.at(self.scene.canvas.project, at.x(), at.y()))

    # ---- pictures and state -------------------------------------------------------------------------------
    def _save_picture(self) -> None:
        ask_for_picture(self)

    def resizeEvent(self, event) -> None:
        self._arrange()
        super().resizeEvent(event)

    def _arrange(self) -> None:
        """Beside each other in a wide view, below each other in a high one."""
        upright = self.width() < 0.9 * self.height() or self.width() < 420
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        self.split.setOrientation(down if upright else across)
        lying = upright if self.posed is not None else not upright
        self.aside.setOrientation(across if lying else down)

    def picture(self, width: int, height: int) -> QImage:
        """The cameras in space, and the chosen photo beside them."""
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(theme.colors().plot)
        if self.item is None:
            return image
        left = max(1, round(0.58 * width)) if self.posed is not None else 0
        size = QSize(left, height)
        painter = QPainter(image)
        try:
            if left:
                painter.drawImage(0, 0, self.scene.picture(size.width(), size.height()))
            painter.translate(left, 0)
            self.pane.paint(painter, QRectF(0, 0, width - left, height))
        finally:
            painter.end()
        return image

    def screenshot(self, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8."""
        return pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "set": self._key,
            "photo": self.chosen,
            "scene": self.scene.state(),
            "sizes": [self.split.sizes(), self.aside.sizes()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._key = state["set"] if isinstance(state.get("set"), str) else self._key
        self.show_artifacts(self._items)
        photo = state.get("photo")
        if isinstance(photo, int) and not isinstance(photo, bool) and photo >= 0:
            self._wanted = photo
            self.choose(photo)
        if isinstance(state.get("scene"), dict):
            self.scene.restore(state["scene"])
        sizes = state.get("sizes")
        if isinstance(sizes, list) and len(sizes) == 2:
            for splitter, given in zip((self.split, self.aside), sizes, strict=True):
                if (found := saved_state.sizes_in(given, 1)) is not None:
                    splitter.setSizes(found)

    def closeEvent(self, event) -> None:
        if self._task is not None:
            self._task.cancel()
        self.grid.pictures.stop()
        self._releases.stop()
        self.scene.shutdown()
        super().closeEvent(event)


class _Releases(QObject):
    """Tells of releases of the left button over a canvas.

    The canvas tells its tools of a release only when one of them has taken the press, which orbiting needs. An object
    of its own, and not the view: Qt still asks a filter for events while the view is being deleted.
    """

    def __init__(self, canvas: QWidget, tell: Callable[[QPointF], None]) -> None:
        super().__init__(canvas)
        self._canvas: QWidget | None = canvas
        self._tell = tell
        canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        released = isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonRelease
        if released and self._canvas is not None and event.button() == Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            self._tell(event.position())  # type: ignore[attr-defined]
        return False

    def stop(self) -> None:
        if self._canvas is not None:
            self._canvas.removeEventFilter(self)
            self._canvas = None
