"""Meshes, points and camera frusta in a splat view: drawn by VTK beside the screen, with their depth.

GUI thread only, like all of VTK here. The picture and its depth go to the thread that draws the splats, which
puts both together.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - without it VTK makes windows that draw nothing
from PySide6.QtCore import QObject
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer, vtkRenderWindow

from app.background import Task, run_in_background
from app.viewers import layers as kinds
from app.viewers.camera import Pose
from app.viewers.layer import Layer
from app.viewers.photos_grid import all_thumbnails
from app.viewers.photos_layer import THUMB, PhotosLayer
from app.viewers.pinhole import FLAT, LENS
from app.viewers.preparation import Preparation
from app.viewers.registry import Shown
from app.viewers.splat_render import Surfaces

LIGHTS = ((-0.5, 0.6, 1.0, 0.82), (0.9, -0.3, 0.6, 0.34), (0.0, 0.1, 1.2, 0.18))
"""As in the 3D view: position relative to the camera, and intensity."""


class Solids:
    def __init__(self, changed: Callable[[], None], owner: QObject) -> None:
        self._changed, self._owner = changed, owner
        self._hanging: dict[str, Task] = {}
        self.layers: dict[str, Layer] = {}
        self.hidden: set[str] = set()
        self._preparation = Preparation(self._prepared, lambda item, error: None, owner)
        self._wanted: dict[str, Shown] = {}
        self._window: vtkRenderWindow | None = None
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0.0)
        self._renderer.RemoveAllLights()
        self._renderer.SetAutomaticLightCreation(False)
        for x, y, z, intensity in LIGHTS:
            light = vtkLight()
            light.SetLightTypeToCameraLight()
            light.SetPosition(x, y, z)
            light.SetIntensity(intensity)
            self._renderer.AddLight(light)

    @property
    def visible(self) -> bool:
        """Whether there is anything to draw."""
        return any(key not in self.hidden for key in self.layers)

    def show(self, items: Sequence[Shown]) -> None:
        """These and nothing else; the same id with another artifact keeps its look."""
        self._wanted = {item.id: item for item in items if kinds.kind_of(item.artifact) is not None}
        for gone in [key for key in self.layers if key not in self._wanted]:
            for actor in self.layers.pop(gone).actors:
                self._renderer.RemoveViewProp(actor)
            if gone in self._hanging:
                self._hanging.pop(gone).cancel()
        self._preparation.forget_others(list(self._wanted))
        for item in self._wanted.values():
            layer = self.layers.get(item.id)
            if layer is not None and layer.artifact is item.artifact:
                continue
            if kinds.slow_part(item.artifact):
                self._preparation.ask(item, None)
            else:
                self._place(item, ())

    def _prepared(self, item: Shown, surface: object) -> None:
        if self._wanted.get(item.id) is not None:
            self._place(item, (surface,))
            self._changed()

    def _place(self, item: Shown, more: tuple) -> None:
        layer = self.layers.get(item.id)
        if layer is not None and type(layer) is kinds.kind_of(item.artifact):
            layer.set_artifact(item.artifact, *more)
        else:
            kind = kinds.kind_of(item.artifact)
            assert kind is not None
            layer = kind(item, len(self.layers), *more)
            for actor in layer.actors:
                self._renderer.AddViewProp(actor)
            self.layers[item.id] = layer
        if isinstance(layer, PhotosLayer):
            self._hang(item.id, layer)

    def _hang(self, key: str, layer: PhotosLayer) -> None:
        """Small pictures into the frusta of photos, when they are decoded."""
        photos = layer.artifact
        layer.set_thumbnails(None)
        if key in self._hanging:
            self._hanging.pop(key).cancel()

        def done(found: np.ndarray | None) -> None:
            if found is not None and self.layers.get(key) is layer and layer.artifact is photos:
                layer.set_thumbnails(found)
                self._changed()

        self._hanging[key] = run_in_background(
            all_thumbnails, photos, THUMB, done=done, failed=lambda error: None, owner=self._owner
        )

    def extents(self) -> list[np.ndarray]:
        return [layer.extent() for key, layer in self.layers.items() if key not in self.hidden]

    def draw(
        self, pose: Pose, width: int, height: int, *, lens: float = LENS, fine: bool = True, pixel_scale: float = 1.0
    ) -> Surfaces:
        """All that is visible. Three quarters of the time is VTK's; a fine picture takes four times the pixels."""
        more = 2 if fine else 1
        size = (width * more, height * more)
        if self._window is None:
            self._window = vtkRenderWindow()
            self._window.SetOffScreenRendering(True)
            self._window.SetMultiSamples(0)
            self._window.SetAlphaBitPlanes(True)
            self._window.AddRenderer(self._renderer)
        for key, layer in self.layers.items():
            layer.moving, layer.pixel_scale = not fine, more * pixel_scale
            layer.style.visible = key not in self.hidden
            layer.apply()
        camera = self._renderer.GetActiveCamera()
        tangent = FLAT if pose.parallel else lens
        camera.SetFocalPoint(*pose.focal)
        camera.SetPosition(*(pose.focal + pose.back * (pose.half_height / tangent)))
        camera.SetViewUp(*pose.up)
        camera.SetViewAngle(2 * math.degrees(math.atan(tangent)))
        self._renderer.ResetCameraClippingRange()
        window = self._window
        window.SetSize(*size)
        window.Render()
        rgba, z = vtkUnsignedCharArray(), vtkFloatArray()
        window.GetRGBACharPixelData(0, 0, size[0] - 1, size[1] - 1, 0, rgba)
        window.GetZbufferData(0, 0, size[0] - 1, size[1] - 1, z)
        near, far = camera.GetClippingRange()
        pixels = vtk_to_numpy(rgba).reshape(size[1], size[0], 4)[::-1, :, :3]
        buffer = vtk_to_numpy(z).reshape(size[1], size[0])[::-1]
        return _averaged(pixels, buffer, more, near, far)

    def stop(self) -> None:
        """Free what the graphics card holds."""
        self._preparation.stop()
        for task in self._hanging.values():
            task.cancel()
        if self._window is not None:
            with contextlib.suppress(RuntimeError):
                self._window.Finalize()
            self._window = None


def _averaged(pixels: np.ndarray, buffer: np.ndarray, more: int, near: float, far: float) -> Surfaces:
    """Colours of what covers each block of ``more`` by ``more`` pixels, how much of it they cover, and their depth.

    From bytes to floats only after the sums: four times as many pixels are looked at as are shown.
    """
    parts = [(slice(i, None, more), slice(j, None, more)) for i in range(more) for j in range(more)]
    nearest = buffer[parts[0]]
    for part in parts[1:]:
        nearest = np.minimum(nearest, buffer[part])
    covered = [buffer[part] < 1 for part in parts]
    count = np.sum(covered, axis=0, dtype=np.uint16)
    colours = np.zeros((*nearest.shape, 3), np.uint16)
    for part, there in zip(parts, covered, strict=True):
        colours += pixels[part] * there[..., None]
    mean = colours.astype(np.float32) / (255.0 * np.maximum(count, 1)[..., None]).astype(np.float32)
    depth = near * far / (far - nearest * (far - near))
    depth[nearest >= 1] = np.inf
    return Surfaces(mean, count.astype(np.float32) / len(parts), depth)
