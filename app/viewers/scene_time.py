"""Time in a 3D view: the strip below it while something on show changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.viewers.field_time import TimeStrip

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D


class SceneTime:
    def __init__(self, scene: Scene3D) -> None:
        self._scene = scene
        self.strip = TimeStrip(scene)
        self.strip.hide()
        self.strip.moved.connect(self._moved)
        self.strip.clock.playing_changed.connect(self._playing_changed)

    def content_changed(self) -> None:
        """The layer with the most times leads; the others show theirs that is nearest."""
        layers = list(self._scene.layers.values())
        clock = max(layers, key=lambda layer: len(layer.times), default=None)
        words = clock.time_words if clock is not None else ("t", "")
        self.strip.set_times(clock.times if clock is not None else None, *words)
        self.strip.setVisible(self.strip.has_times)
        if self.strip.has_times:
            for layer in layers:
                layer.set_time(self.strip.time)

    def _moved(self, time: float) -> None:
        scene = self._scene
        for layer in scene.layers.values():
            layer.set_time(time)
        scene.canvas.render()
        scene.overlay.update()
        scene.time_moved.emit(time)

    def _playing_changed(self, on: bool) -> None:
        self._scene.moving_changed(on)
