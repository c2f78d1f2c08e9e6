"""The preview inside a dialog: the same viewers as in the window, made when the first thing is shown."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.viewers.registry import VIEWERS, Shown, create, viewers_for
from engines.core import Artifact
from engines.data import GridField, HandCapture, RiggedTemplate, Slices, Volume

log = logging.getLogger(__name__)

Factory = Callable[[str, QWidget], QWidget]
"""Makes the viewer with this key of :data:`app.viewers.registry.VIEWERS`."""

GHOST_OPACITY = 0.3


class PreviewPane(QWidget):
    """Shows artifacts in the viewer that fits; where several fit (3D or slices of a volume), a switch chooses."""

    stopped = Signal()

    def __init__(self, empty_text: str, parent: QWidget | None = None, *, factory: Factory = create) -> None:
        super().__init__(parent)
        self.setObjectName("preview")
        self.setAccessibleName("Preview")
        self._factory = factory
        self.can_stop = True
        self._viewers: dict[str, QWidget] = {}
        self._items: list[Shown] = []
        self._importing = ""
        self._offered: list[str] = []
        self._ids: dict[str, set[str]] = {}
        self._ghosts: set[str] = set()
        self._wanted: dict[str, str] = {}
        self._switch = QWidget()
        self._buttons = QHBoxLayout(self._switch)
        self._buttons.setContentsMargins(0, 0, 0, 0)
        self._buttons.setSpacing(4)
        self._status = QLabel(objectName="preview_status")
        self._status.setProperty("tone", "muted")
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.addWidget(self._switch)
        bar.addWidget(self._status, 1)
        self.stop_button = QPushButton("Stop", objectName="preview_stop")
        self.stop_button.setAccessibleName("Stop")
        self.stop_button.setProperty("kind", "quiet")
        self.stop_button.setAutoDefault(False)
        self.stop_button.clicked.connect(self.stopped)
        bar.addWidget(self.stop_button)
        self._busy = QProgressBar(objectName="preview_progress")
        self._busy.setAccessibleName("Preview progress")
        self._busy.setRange(0, 1000)
        # What comes and goes keeps its place: were the view to change its size meanwhile, its picture would jump.
        for passing in (self._busy, self.stop_button):
            keep = passing.sizePolicy()
            keep.setRetainSizeWhenHidden(True)
            passing.setSizePolicy(keep)
            passing.hide()
        self._empty = QFrame(objectName="preview_empty_box")
        self._empty.setProperty("kind", "card")
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text = QLabel(empty_text, objectName="preview_empty", wordWrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setProperty("tone", "muted")
        middle = QVBoxLayout(self._empty)
        middle.setContentsMargins(32, 32, 32, 32)
        middle.setSpacing(16)
        middle.addStretch(1)
        middle.addWidget(self._picture)
        middle.addWidget(self._text)
        middle.addStretch(1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self._stack, 1)
        column.addWidget(self._busy)
        self._switch.hide()

    @property
    def shown(self) -> list[Shown]:
        return list(self._items)

    @property
    def viewer(self) -> QWidget | None:
        """The viewer on show, or None."""
        current = self._stack.currentWidget()
        return None if current is self._empty else current

    def show_items(self, items: Sequence[Shown], status: str = "", ghosts: Collection[str] = ()) -> None:
        """Show these; the camera stays where an id was shown before. ``ghosts`` are ids to draw see-through."""
        self._items, self._ghosts = list(items), set(ghosts)
        self._status.setText(status)
        keys = _viewer_keys([item.artifact for item in items])
        self._offer(keys)
        if not keys:
            if items:
                self._text.setText("There is no picture of this; what is known of it is beside.")
                self._picture.setPixmap(QPixmap())
            self._stack.setCurrentWidget(self._empty)
            return
        group = "+".join(keys)
        key = self._wanted.get(group, keys[0])
        if key not in self._viewers and self._factory is create and not self._module_is_here(key):
            return
        viewer = self._viewers.get(key) or self._make(key)
        if viewer is None:
            self._text.setText("The preview cannot be shown here; the log says why. What is shown beside it holds.")
            self._picture.setPixmap(theme.pixmap("hide", 40))
            self._stack.setCurrentWidget(self._empty)
            return
        self._stack.setCurrentWidget(viewer)
        fitting: Any = [i for i in self._items if VIEWERS[key].shows(type(i.artifact), overlay=True)]
        if key == "scene" and len(fitting) > 1:
            # Contours over a voxel block cannot be seen: a volume is shown alone or in the slice view.
            fitting = [i for i in fitting if not isinstance(i.artifact, (Volume, GridField))] or fitting
        ids = {item.id for item in fitting}
        before = self._ids.get(key, set())
        if before and not before & ids:
            viewer.show_artifacts([])  # type: ignore[attr-defined]  # something else: it frames it anew
        if fresh := (ids - before) & self._ghosts:
            self._restore(viewer, {"layers": {key: {"opacity": GHOST_OPACITY} for key in fresh}})
        self._ids[key] = ids
        viewer.show_artifacts(fitting)  # type: ignore[attr-defined]

    def _module_is_here(self, key: str) -> bool:
        """The first 3D view needs modules that take seconds to import: that happens in the background, once."""
        factory = VIEWERS[key].factory
        module = factory.partition(":")[0] if isinstance(factory, str) else ""
        known = sys.modules.get(module)
        if not module or (known is not None and not getattr(known.__spec__, "_initializing", False)):
            return True
        self._text.setText("Loading the view…")
        self._stack.setCurrentWidget(self._empty)
        if self._importing != module:
            self._importing = module

            def done(_: object) -> None:
                self._importing = ""
                self.show_items(self._items, self._status.text(), self._ghosts)

            def failed(error: BaseException) -> None:
                log.error("the view could not be loaded", exc_info=error)
                self._text.setText("The preview cannot be shown here; the log says why.")

            run_in_background(importlib.import_module, module, done=done, failed=failed, owner=self)
        return False

    def _make(self, key: str) -> QWidget | None:
        """Without OpenGL there is no 3D view, but there is still an import."""
        try:
            viewer = self._factory(key, self)
        except Exception:
            log.exception("the viewer '%s' could not be made", key)
            return None
        self._viewers[key] = viewer
        self._stack.addWidget(viewer)
        self._restore(viewer, {"panel": False})
        return viewer

    def _restore(self, viewer: QWidget, state: dict[str, Any]) -> None:
        if hasattr(viewer, "restore"):
            viewer.restore(state)

    def show_nothing(self, text: str, icon: str = "") -> None:
        self._text.setText(text)
        self._picture.setPixmap(theme.pixmap(icon, 40) if icon else QPixmap())
        self.show_items([])

    def show_progress(self, fraction: float | None, text: str = "") -> None:
        """``None`` hides the bar; a negative fraction means that it cannot be known."""
        self._busy.setVisible(fraction is not None)
        self.stop_button.setVisible(fraction is not None and self.can_stop)
        if fraction is not None:
            self._busy.setRange(0, 0 if fraction < 0 else 1000)
            self._busy.setValue(int(1000 * max(fraction, 0)))
        if text:
            self._status.setText(text)

    def set_status(self, text: str) -> None:
        self._status.setText(text)

    def close_viewers(self) -> None:
        """Free what the viewers hold on the graphics card, before the dialog goes."""
        for viewer in self._viewers.values():
            self._stack.removeWidget(viewer)
            viewer.close()
            viewer.deleteLater()
        self._viewers.clear()
        self._ids.clear()

    def _offer(self, keys: list[str]) -> None:
        """The switch between viewers; made anew only when there are others to choose from."""
        self._switch.setVisible(len(keys) > 1)
        chosen = self._wanted.setdefault("+".join(keys), keys[0]) if keys else ""
        if keys != self._offered:
            self._offered = list(keys)
            while item := self._buttons.takeAt(0):
                if (old := item.widget()) is not None:
                    old.hide()
                    old.setParent(None)
                    old.deleteLater()
            for key in keys:
                button = QToolButton(text=VIEWERS[key].title, objectName=f"preview:{key}", checkable=True)
                button.setAccessibleName(VIEWERS[key].title)
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
                button.clicked.connect(lambda _=False, key=key: self._choose("+".join(keys), key))
                self._buttons.addWidget(button)
        for index, key in enumerate(keys):
            self._buttons.itemAt(index).widget().setChecked(key == chosen)

    def _choose(self, group: str, key: str) -> None:
        self._wanted[group] = key
        self.show_items(self._items, self._status.text(), self._ghosts)


def _viewer_keys(artifacts: Sequence[Artifact]) -> list[str]:
    """Keys of the viewers that make sense for these, the best first."""
    if not artifacts:
        return []
    volume = next((a for a in artifacts if isinstance(a, (Volume, GridField))), None)
    if volume is not None:
        contours = any(isinstance(a, Slices) for a in artifacts)
        keys = ["scene", "slice"] if contours else ["slice", "scene"]
    else:
        keys = [spec.key for spec in viewers_for(type(artifacts[0]))][:1]
        if isinstance(artifacts[0], HandCapture):  # whether its cameras and poses are right shows over the photos
            keys = ["hand-overlay"]
        elif isinstance(artifacts[0], RiggedTemplate):  # with its bones
            keys = ["scene"]
    return [key for key in keys if key in VIEWERS]
