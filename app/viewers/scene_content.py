"""The layers of a 3D view: made of what is to be shown, changed in place, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from PySide6.QtCore import QObject

from app.viewers import layers as kinds
from app.viewers.layer import Layer, Style
from app.viewers.preparation import Preparation
from app.viewers.registry import Shown
from app.viewers.scene_stage import Stage
from app.viewers.tools import Clip


class SceneContent:
    """``changed`` is called when a layer came later, for it was long to prepare."""

    def __init__(self, stage: Stage, clip: Clip, changed: Callable[[], None], owner: QObject) -> None:
        self.layers: dict[str, Layer] = {}
        self.saved_styles: dict[str, Any] = {}
        """Of layers that are not there now."""
        self._stage, self._canvas, self._clip, self._changed = stage, stage.canvas, clip, changed
        self._order: list[str] = []
        self._preparation = Preparation(self._prepared, self._prepare_failed, owner)

    @property
    def is_busy(self) -> bool:
        return self._preparation.busy

    def show(self, items: Sequence[Shown]) -> None:
        """These and nothing else. The same id with another artifact keeps style and actors."""
        known = [item for item in items if kinds.kind_of(item.artifact) is not None]
        self._order = [item.id for item in known]
        for gone in [key for key in self.layers if key not in self._order]:
            self._remove(gone)
        self._preparation.forget_others(self._order)
        for item in known:
            layer = self.layers.get(item.id)
            if layer is not None and kinds.kind_of(item.artifact) is not type(layer):
                self._remove(item.id)
                layer = None
            if layer is not None and layer.given is item.artifact:
                layer.name = item.name
            elif kinds.slow_part(item.artifact):
                self._prepare(item)
            else:
                self._place(item, None)
        self._sort()

    def set_style(self, layer: Layer, style: Style) -> None:
        level_changed = style.level != layer.style.level
        layer.set_style(style)
        self._add_actors(layer)
        if level_changed and isinstance(layer, kinds.IsosurfaceLayer):
            self._prepare(Shown(layer.id, layer.name, layer.artifact))

    def stop(self) -> None:
        self._preparation.stop()

    def _sort(self) -> None:
        self.layers = {key: self.layers[key] for key in self._order if key in self.layers}

    def _prepare(self, item: Shown) -> None:
        layer = self.layers.get(item.id)
        level = layer.style.level if layer is not None else (self.saved_styles.get(item.id) or {}).get("level")
        self._preparation.ask(item, float(level) if isinstance(level, int | float) else None)
        if layer is None:
            self._stage.say(f"Preparing {item.name}…")

    def _prepared(self, item: Shown, surface: Any) -> None:
        if item.id in self._order and not self._canvas.is_closed:
            self._place(item, surface)
            self._sort()
            self._changed()
        if not self._preparation.busy and self._stage.notice.text().startswith("Preparing"):
            self._stage.say("")

    def _prepare_failed(self, item: Shown, error: BaseException) -> None:
        self._stage.say(f"{item.name} cannot be shown: {error}")

    def _place(self, item: Shown, surface: Any) -> None:
        layer = self.layers.get(item.id)
        more = () if surface is None else (surface,)
        if layer is not None:
            layer.name = item.name
            layer.given = item.artifact
            layer.set_artifact(item.artifact, *more)
            return
        kind = kinds.kind_of(item.artifact)
        assert kind is not None
        surfaces_before = sum(isinstance(other, kinds.SurfaceLayer) for other in self.layers.values())
        layer = kind(item, surfaces_before, *more)
        layer.pixel_scale, layer.software = self._canvas.devicePixelRatioF(), self._canvas.software
        layer.set_style(Style.from_json(self.saved_styles.pop(item.id, None), layer.style))
        layer.set_clip(self._clip.plane if self._clip.active else None)
        self._add_actors(layer)
        self.layers[item.id] = layer

    def _add_actors(self, layer: Layer) -> None:
        for actor in layer.actors:  # some come with a change of style; those that are there stay
            self._canvas.renderer.AddViewProp(actor)

    def _remove(self, key: str) -> None:
        layer = self.layers.pop(key)
        self.saved_styles[key] = asdict(layer.style)
        for actor in layer.actors:
            self._canvas.renderer.RemoveViewProp(actor)
