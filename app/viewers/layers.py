"""The kinds of layers of a 3D view: meshes, isosurfaces, contours, point clouds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPlane
from vtkmodules.vtkRenderingCore import vtkProp3D

from app.viewers import colour_maps, surfaces
from app.viewers.contour_layer import ContourLayer
from app.viewers.layer import Drawn, Layer
from app.viewers.path_layer import PathLayer
from app.viewers.photos_layer import PhotosLayer
from app.viewers.point_layer import PointLayer
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.data import CameraPath, GridField, Mesh, Photos, PointCloud, Slices, Volume

if TYPE_CHECKING:
    from app.viewers.ray_cast import RayCast


class SurfaceLayer(Layer):
    kind = "mesh"
    icon = "Mesh"

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        unlit = self.style.by == "texture"
        return ("by", "color", "opacity", "wireframe") if unlit else ("by", "color", "opacity", "wireframe", "flat")

    def __init__(self, item: Shown, index: int, surface: Surface) -> None:
        super().__init__(item, index)
        self._locator: Any = None
        self._texture: Any = None
        self.surface = surface
        self.set_surface(surface)
        # A mesh that comes with one set of values was made to show it.
        self.style.by = next(iter(surface.scalars)) if len(surface.scalars) == 1 else ""
        if surface.colors is not None and not surface.scalars:
            self.style.by = "colors"
        if surface.worn is not None:
            self.style.by = "texture"
        self.apply()

    def set_surface(self, surface: Surface) -> None:
        self.surface, self._locator = surface, None
        self.has_coarse = surface.coarse is not None
        for drawn, source in ((self.fine, surface), (self.coarse, surface.coarse)):
            if source is not None:
                places = None if source.worn is None else source.worn.places
                data = surfaces.poly_data(source.points, faces=source.faces, normals=source.normals, places=places)
                drawn.give(data, source.scalars)
        self._give_texture()
        self.apply()

    def _give_texture(self) -> None:
        worn = self.surface.worn
        if worn is None:
            self._texture = None
            return
        if self._texture is None:
            from vtkmodules.vtkRenderingCore import vtkTexture

            self._texture = vtkTexture()
            self._texture.InterpolateOn()
            self._texture.MipmapOff()  # in smaller copies the colours of triangles that lie apart would mix
        self._texture.SetRepeat(worn.repeats)
        self._texture.SetInputDataObject(surfaces.texture_image(worn))

    def colourings(self) -> list[tuple[str, str]]:
        found = super().colourings()
        if self.surface.worn is not None:
            found.insert(0, ("texture", "Texture"))
        if self.surface.colors is not None:
            title = "Colours of the file" if self.surface.worn is None else "Vertex colours"
            found.append(("colors", title))
        return found + [(name, name.capitalize()) for name in self.surface.scalars]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        source = self.surface if drawn is self.fine else self.surface.coarse
        if source is None:
            return None
        if self.style.by == "colors" and source.colors is not None:
            return source.colors[:, :3]
        if self.style.by == "texture" and drawn is self.coarse:
            return source.colors
        if self.style.by == "label" and "label" in source.scalars:
            labels = np.round(source.scalars["label"]).astype(int)
            distinct, place = np.unique(labels, return_inverse=True)
            colours = [[round(c * 255) for c in colour_maps.rgb(colour_maps.label_colour(n))] for n in distinct]
            return np.array(colours, np.uint8)[place]
        return None

    @property
    def scalar(self) -> str:
        return "" if self.style.by == "label" else super().scalar

    @property
    def bounds(self) -> np.ndarray | None:
        points = self.surface.points
        return np.stack([points.min(0), points.max(0)]).astype(float) if len(points) else None

    def finish(self, drawn: Drawn) -> None:
        textured = self.style.by == "texture" and self._texture is not None
        drawn.actor.SetTexture(self._texture if textured and drawn is self.fine else None)
        if textured:
            # The light of the photos is in the colours already.
            look = drawn.actor.GetProperty()
            look.SetColor(1.0, 1.0, 1.0)
            look.SetAmbient(1.0)
            look.SetDiffuse(0.0)
            look.SetSpecular(0.0)
        # A translucent surface shows its front only: without it, its own back shines through unsorted.
        drawn.actor.GetProperty().SetBackfaceCulling(self.style.opacity < 0.99 and self.clip is None)
        if self.clip is None:
            drawn.actor.SetBackfaceProperty(None)
        else:
            drawn.inside.DeepCopy(drawn.actor.GetProperty())
            drawn.inside.SetColor(*(0.55 * c for c in colour_maps.rgb(self.base_colour)))
            drawn.inside.SetSpecular(0.0)
            drawn.actor.SetBackfaceProperty(drawn.inside)

    def hit(self, origin: np.ndarray, direction: np.ndarray, length: float) -> np.ndarray | None:
        """The first point (3,) that the ray meets, or None."""
        if not len(self.surface.faces):
            return None
        if self._locator is None:
            from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

            self._locator = vtkStaticCellLocator()
            self._locator.SetDataSet(surfaces.poly_data(self.surface.points, faces=self.surface.faces))
            self._locator.BuildLocator()
        from vtkmodules.vtkCommonCore import mutable

        t, sub, where, local = mutable(0.0), mutable(0), [0.0] * 3, [0.0] * 3
        start = np.array(origin, float)
        for _ in range(64):  # past what is clipped away
            if not self._locator.IntersectWithLine(start, origin + direction * length, 0.0, t, where, local, sub):
                return None
            if self.clip is None or self.clip.EvaluateFunction(where) >= 0:
                return np.array(where)
            start = np.array(where) + direction * length * 1e-6
        return None


class MeshLayer(SurfaceLayer):
    def __init__(self, item: Shown, index: int, surface: Surface | None = None) -> None:
        super().__init__(item, index, surface or surfaces.of_mesh(item.artifact))

    def set_artifact(self, artifact: Mesh, surface: Surface | None = None) -> None:
        self.artifact = artifact
        self.set_surface(surface or surfaces.of_mesh(artifact))


class IsosurfaceLayer(SurfaceLayer):
    kind = "isosurface"
    icon = "GridField"

    def __init__(self, item: Shown, index: int, surface: Surface | None = None) -> None:
        grid = item.artifact
        self.level = default_level(grid)
        self.ray: RayCast | None = None
        """Made when it is first wanted."""
        super().__init__(item, index, surface or surfaces.isosurface(grid, self.level))
        if isinstance(grid, Volume) and grid.is_label:
            self.style.by = "label"
            self.apply()

    def set_artifact(self, artifact: GridField | Volume, surface: Surface | None = None) -> None:
        self.artifact = artifact
        level = self.level if self.style.level is None else self.style.level
        self.set_surface(surface or surfaces.isosurface(artifact, level))

    @property
    def uses(self) -> tuple[str, ...]:
        if self.is_label:
            return "by", "color", "opacity", "wireframe", "flat"
        surface = ("level", "by", "color", "opacity", "wireframe", "flat")
        return ("volume", "opacity") if self.style.volume else ("volume", *surface)

    @property
    def is_label(self) -> bool:
        return isinstance(self.artifact, Volume) and self.artifact.is_label

    # ---- as a cloud ---
    @property
    def is_cloud(self) -> bool:
        return self.style.volume and not self.is_label and min(self.artifact.values.shape) > 1

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, *([self.ray.actor] if self.ray is not None else [])]

    @property
    def scalar(self) -> str:
        return (getattr(self.artifact, "quantity", "") or "value") if self.is_cloud else super().scalar

    @property
    def scalar_title(self) -> tuple[str, str]:
        return (self.scalar, getattr(self.artifact, "unit", "")) if self._is_field_cloud else super().scalar_title

    @property
    def _is_field_cloud(self) -> bool:
        return self.is_cloud and isinstance(self.artifact, GridField)

    def _coloured_values(self) -> np.ndarray | None:
        if not self.is_cloud:
            return super()._coloured_values()
        from app.viewers.ray_cast import inner_values

        return inner_values(self.artifact)

    def apply(self) -> None:
        if self.is_cloud:
            if self.ray is None:
                from app.viewers.ray_cast import RayCast

                self.ray = RayCast(self.software)
                self.ray.set_clip(self.clip)
            self.ray.give(self.artifact)
        super().apply()
        if self.is_cloud:
            self.ray.dress(self.cmap, *self.value_range, self.style.opacity)

    def set_clip(self, plane: vtkPlane | None) -> None:
        if self.ray is not None:
            self.ray.set_clip(plane)
        super().set_clip(plane)

    def _show(self) -> None:
        super()._show()
        if self.is_cloud:
            self.fine.actor.VisibilityOff()
            self.coarse.actor.VisibilityOff()
        if self.ray is not None:
            self.ray.actor.SetVisibility(self.style.visible and self.is_cloud)
            self.ray.set_moving(self.moving)

    @property
    def level_range(self) -> tuple[float, float]:
        values = self.artifact.values
        step = max(1, values.size // 200_000)
        some = np.nan_to_num(values.ravel()[::step].astype(float))
        low, high = (float(v) for v in np.percentile(some, (0.5, 99.5)))
        return (low, high) if high > low else (low - 0.5, low + 0.5)


def default_level(grid: GridField | Volume) -> float:
    """The field's own level; 0 where it changes sign; else the middle of its range."""
    if isinstance(grid, GridField) and grid.level is not None:
        return float(grid.level)
    low, high = float(np.nanmin(grid.values)), float(np.nanmax(grid.values))
    return 0.0 if low < 0 < high else (low + high) / 2


LAYERS: dict[type, type[Layer] | Callable[[Any], type[Layer] | None]] = {
    Mesh: MeshLayer,
    Slices: ContourLayer,
    PointCloud: PointLayer,
    GridField: IsosurfaceLayer,
    Volume: IsosurfaceLayer,
    Photos: PhotosLayer,
    CameraPath: PathLayer,
}


def kind_of(artifact: Any) -> type[Layer] | None:
    """The kind of layer that shows an artifact; None for what has no place in space."""
    for kind in type(artifact).__mro__:
        if kind in LAYERS:
            found = LAYERS[kind]
            return found if isinstance(found, type) else found(artifact)
    return None


def slow_part(artifact: Any) -> bool:
    """Whether making this layer's surface takes long enough to do it off the GUI thread."""
    if isinstance(artifact, Mesh):
        return len(artifact.faces) > 40_000
    return isinstance(artifact, GridField | Volume) and artifact.values.size > 60**3


def prepare(artifact: Any, level: float | None, triangles: int) -> Surface | None:
    """The part of a layer that needs no GUI thread; None for kinds that have none.

    ``triangles`` is the size of the stand-in for use while the camera moves.
    """
    if isinstance(artifact, Mesh):
        return surfaces.of_mesh(artifact, triangles)
    if isinstance(artifact, GridField | Volume):
        return surfaces.isosurface(artifact, default_level(artifact) if level is None else level, triangles)
    return None
