"""Two runs side by side: surfaces with linked cameras, distances, curves, params and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QCheckBox, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.viewers import compare_bar, overlay, plotting, saved_state
from app.viewers.capture import ask_for_picture
from app.viewers.compare_bar import Legend
from app.viewers.compared import Compared, differing, heading, joined_scores
from app.viewers.curves_view import CurvesView
from app.viewers.histogram_view import HistogramView, Shares
from app.viewers.links import CameraLink
from app.viewers.registry import Shown
from app.viewers.scene import Scene3D
from app.viewers.table_view import TableView
from app.viewers.toolbar import ViewBar
from engines.core import Cancelled
from engines.data import Mesh

CUT = 0.995
"""Colours and histogram end at this share of the vertices: a few stray ones would take all the room."""


def distances(meshes: Sequence[Mesh], reference: Mesh | None, cancelled: Callable[[], bool]) -> list[np.ndarray]:
    """(V,) float32 distance of each mesh's vertices from the reference, or without one from the other mesh."""
    from engines.blocks.mesh_distance import MeshDistance

    def check() -> None:
        if cancelled():
            raise Cancelled

    found = []
    for k, mesh in enumerate(meshes):
        other = reference if reference is not None else meshes[1 - k]
        closest = MeshDistance(other.vertices, other.faces)(mesh.vertices, check)
        found.append(np.asarray(closest.distance, np.float32))
    return found


def _in_one_unit(meshes: Sequence[Mesh | None], reference: Mesh | None) -> list[Mesh | None]:
    """A mesh that knows no unit of length is taken to have that of the others: their distances say so anyway."""
    known = [mesh.unit for mesh in (reference, *meshes) if mesh is not None and mesh.unit]
    return [mesh.replace(unit=known[0]) if mesh is not None and known and not mesh.unit else mesh for mesh in meshes]


class CompareView(QWidget):
    title_changed = Signal(str)
    distances_ready = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare-view")
        self.setAccessibleName("Comparison of two runs")
        self._runs: list[Compared] = []
        self._reference: Mesh | None = None
        self._meshes: list[Mesh | None] = []
        self._task: Task | None = None
        self.distances: list[np.ndarray] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        column.addWidget(self.bar)
        self.split = QSplitter(Qt.Orientation.Vertical, self)
        column.addWidget(self.split, 1)
        top = QSplitter(Qt.Orientation.Horizontal, self.split)
        self.scenes: list[Scene3D] = []
        for side in ("left", "right"):
            scene = Scene3D(top, bar=False)
            scene.setObjectName(f"scene-{side}")
            scene.panel_open.update(wide=False, narrow=False)
            scene.arrange()
            scene.stage.bars_elsewhere = True
            scene.look_changed.connect(self._share_legend)
            scene.layers_changed.connect(self._colour)
            top.addWidget(scene)
            self.scenes.append(scene)
        self.link = CameraLink(self)
        self.link.link(self.scenes)
        self.by_distance = QCheckBox("Colour by distance", self)
        self.by_distance.setObjectName("by-distance")
        self.by_distance.setAccessibleName("Colour by distance")
        self.by_distance.setChecked(True)
        self.by_distance.toggled.connect(lambda _: self._colour())
        self.legend = Legend(self)
        compare_bar.fill(self)
        self.tabs = QTabWidget(self.split)
        self.tabs.setObjectName("compare-tabs")
        self.tabs.setDocumentMode(True)
        distances_page = QWidget(self.tabs)
        under = QVBoxLayout(distances_page)
        under.setContentsMargins(0, 0, 0, 0)
        under.setSpacing(0)
        self.notice = QLabel(distances_page)
        self.notice.setObjectName("compare-notice")
        self.notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.mark(self.notice, tone="muted")
        self.histogram = HistogramView(distances_page)
        under.addWidget(self.notice)
        under.addWidget(self.histogram, 1)
        self.curves = CurvesView(self.tabs)
        self.params = TableView(self.tabs, bar=False)
        self.scores = TableView(self.tabs, bar=False)
        self.tabs.addTab(distances_page, "Distances")
        self.tabs.addTab(self.curves, "Curves")
        self.tabs.addTab(self.params, "Params that differ")
        self.tabs.addTab(self.scores, "Scores")
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.split.setSizes([600, 380])

    # ---- content ------------------------------------------------------------------------------------------
    def set_runs(self, first: Compared, second: Compared, reference: Mesh | None = None) -> None:
        """Compare two runs. Distances are computed in the background; see :attr:`distances_ready`."""
        self._runs, self._reference = [first, second], reference
        self._meshes = _in_one_unit([run.mesh for run in self._runs], reference)
        for k, (scene, mesh) in enumerate(zip(self.scenes, self._meshes, strict=True)):
            scene.stage.caption = heading(self._runs, k)
            scene.show_artifacts([Shown("mesh", self._runs[k].title, mesh)] if mesh is not None else [])
            scene.setAccessibleName(f"Surface of {heading(self._runs, k)}")
        self.curves.clear()
        for k, run in enumerate(self._runs):
            for name, (steps, values) in run.curves.items():
                self.curves.set_series(name, steps, values, run=heading(self._runs, k))
        changed = differing(self._runs)
        self.params.show_artifacts([Shown("params", "Params", changed)] if changed.rows else [])
        scores = joined_scores(self._runs)
        self.scores.show_artifacts([Shown("scores", "Scores", scores)] if scores is not None else [])
        self._start_distances()

    def show_artifacts(self, items: Sequence[Shown]) -> None:
        """Two meshes as if two runs had given them; a third is their reference."""
        meshes = [item for item in items if isinstance(item.artifact, Mesh)]
        if len(meshes) >= 2:
            reference = meshes[2].artifact if len(meshes) > 2 else None
            first, second = (Compared(item.name, item.artifact) for item in meshes[:2])
            self.set_runs(first, second, reference)

    def _start_distances(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.distances = []
        self.histogram.set_values([])
        meshes = [mesh for mesh in self._meshes if mesh is not None and len(mesh.faces)]
        enough = len(meshes) == 2
        self.by_distance.setEnabled(enough)
        if not enough:
            self._say("Distances need a surface from both runs.")
            return
        self._say("Measuring distances…")
        self._task = run_in_background(
            distances, meshes, self._reference, done=self._measured, failed=self._failed, owner=self
        )

    def _measured(self, found: list[np.ndarray]) -> None:
        self._task = None
        self.distances = found
        self._say("")
        to = "the reference" if self._reference is not None else "the other surface"
        self.by_distance.setToolTip(f"Distance of each vertex from {to}; one scale for both")
        meshes = [mesh for mesh in self._meshes if mesh is not None]
        values = [(heading(self._runs, k), {"distance": d}) for k, d in enumerate(found)]
        shares = Shares("vertices", f"Distance to {to}", CUT)
        self.histogram.set_values(values, {"distance": meshes[0].unit}, shares)
        for scene, mesh, run, distance in zip(self.scenes, meshes, self._runs, found, strict=True):
            shown = mesh.replace(scalars=dict(mesh.scalars) | {"distance": distance})
            scene.show_artifacts([Shown("mesh", run.title, shown)])
        self._colour()
        self.distances_ready.emit()

    def _failed(self, error: BaseException) -> None:
        self._task = None
        if not isinstance(error, Cancelled):
            self._say(f"Distances could not be measured: {error}")

    def _say(self, text: str) -> None:
        self.notice.setText(text)
        self.notice.setVisible(bool(text))
        self.histogram.setVisible(not text)

    def _colour(self) -> None:
        """Both surfaces by distance over one scale, or both plain."""
        if not self.distances:
            return
        high = max(float(np.quantile(d, CUT)) for d in self.distances) or 1e-9
        on = self.by_distance.isChecked()
        for scene in self.scenes:
            layer = scene.layers.get("mesh")
            if layer is None or "distance" not in layer.fine.arrays:
                continue  # a large mesh is still being prepared; layers_changed calls again
            wanted = replace(layer.style, by="distance" if on else "", low=0.0, high=high, cmap="viridis")
            if wanted != layer.style:
                scene.set_style("mesh", wanted)

    def _share_legend(self) -> None:
        """What colours both sides alike is said once, on the bar; where they differ, in each view."""
        bars = [scene.colour_bars() for scene in self.scenes]
        shared = bars[0] == bars[1]
        self.legend.set_bar(bars[0][0] if shared and bars[0] else None)
        self.bar.set_shown(self.legend, self.legend.bar is not None)
        for scene in self.scenes:
            scene.set_bars_elsewhere(shared or not bars[0] or not bars[1])

    def save_picture(self) -> None:
        ask_for_picture(self)

    # ---- leaving ------------------------------------------------------------------------------------------
    def picture(self, width: int, height: int) -> QImage:
        """Both surfaces with their colours, above the histogram or what else is in front."""
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(QColor(theme.colors().panel))
        upper, scale = round(height * 0.62), max(0.5, width / 1400)
        band = round(32 * scale) if self.legend.bar is not None else 0
        size = (width // 2 - 1, upper - band)
        framed = next((scene for scene in self.scenes if scene.framing.is_automatic), self.scenes[0])
        pose = framed.pose_for(*size)  # one for both: only the scene that leads the other knows that nobody moved it
        painter = QPainter(image)
        try:
            for k, scene in enumerate(self.scenes):
                painter.drawImage(k * (width // 2), 0, scene.picture(*size, pose))
            painter.drawImage(0, upper, self._lower_picture(width, height - upper, scale))
            if self.legend.bar is not None:
                painter.translate(0, upper - band)
                painter.scale(scale, scale)
                overlay.draw_legend(painter, QRectF(0, 0, width / scale, band / scale), self.legend.bar)
        finally:
            painter.end()
        return image

    def _lower_picture(self, width: int, height: int, scale: float) -> QImage:
        shown = self.tabs.currentWidget()
        if shown is self.histogram.parentWidget():
            return plotting.grab(self.histogram.graphics, width, height, scale)
        return shown.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {
            "scenes": [scene.state() for scene in self.scenes],
            "tab": self.tabs.currentIndex(),
            "by_distance": self.by_distance.isChecked(),
            "curves": self.curves.state(),
            "sizes": self.split.sizes(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        saved = state.get("scenes")
        if isinstance(saved, list):
            for scene, one in zip(self.scenes, saved, strict=False):
                scene.restore(one)
        tab = state.get("tab")
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        if isinstance(state.get("by_distance"), bool):
            self.by_distance.setChecked(state["by_distance"])
        if isinstance(state.get("curves"), dict):
            self.curves.restore(state["curves"])
        if (sizes := saved_state.sizes_in(state.get("sizes"))) is not None:
            self.split.setSizes(sizes)

    def closeEvent(self, event) -> None:
        if self._task is not None:
            self._task.cancel()
        for scene in self.scenes:
            scene.shutdown()
        super().closeEvent(event)
