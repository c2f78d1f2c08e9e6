"""Photos in space: a frustum for each camera, known points, and small pictures once they are decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkRenderingCore import vtkProp3D, vtkTexture

from app import theme
from app.viewers import colour_maps, surfaces
from app.viewers.layer import Drawn, Layer
from app.viewers.registry import Shown
from engines.data import Photos

THUMB = 64
"""Pixels of a small picture in space, along its longer side."""
MOST_POINTS = 200_000


def frusta(photos: Photos, depth: float) -> np.ndarray:
    """(N, 5, 3): the centre of each camera, and the corners of its picture at ``depth``: clockwise from upper left."""
    sizes, (fx, fy, cx, cy) = photos.sizes.astype(float), photos.intrinsics.T
    x = np.stack([-cx, sizes[:, 0] - cx, sizes[:, 0] - cx, -cx], 1) / fx[:, None]
    y = np.stack([-cy, -cy, sizes[:, 1] - cy, sizes[:, 1] - cy], 1) / fy[:, None]
    local = np.zeros((len(photos), 5, 3))
    local[:, 1:] = np.stack([x, y, np.ones_like(x)], 2) * depth
    turn, shift = photos.world_to_camera[:, :3, :3], photos.world_to_camera[:, :3, 3]
    return np.einsum("nji,nkj->nki", turn, local - shift[:, None])


def frustum_depth(photos: Photos) -> float:
    """How long to draw the frusta: so that neighbours do not run into each other, and none is lost to sight."""
    centres = frusta(photos, 0.0)[:, 0]
    size = float(np.linalg.norm(np.ptp(centres, axis=0)))
    if photos.points is not None and len(photos.points):
        size = max(size, float(np.linalg.norm(np.subtract(*np.quantile(photos.points, (0.95, 0.05), axis=0)))))
    if len(centres) < 2 or size == 0:
        return 0.2 * size or 1.0
    from scipy.spatial import cKDTree

    near = float(np.median(cKDTree(centres).query(centres, 2)[0][:, 1]))
    return float(np.clip(0.45 * near, 0.04 * size, 0.1 * size))


class PhotosLayer(Layer):
    kind = "photos"
    icon = "image-square"
    uses = ("opacity", "line_width", "point_size")

    def __init__(self, item: Shown, index: int) -> None:
        self.points, self.faces = Drawn(), Drawn()
        self.texture: vtkTexture | None = None
        super().__init__(item, index)
        self.style.line_width, self.style.point_size = 1.5, 3.0
        self.chosen = -1
        """The photo whose frustum is marked; -1 for none."""
        self.set_artifact(item.artifact)

    def set_artifact(self, artifact: Photos) -> None:
        self.artifact = artifact
        self.depth = frustum_depth(artifact) if len(artifact) else 1.0
        self.corners = frusta(artifact, self.depth)
        count = len(artifact)
        pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])
        edges = (5 * np.arange(count)[:, None, None] + pairs).reshape(-1, 2)
        self.fine.give(surfaces.poly_data(self.corners.reshape(-1, 3), lines=edges), {})
        known = artifact.points
        every = slice(None) if known is None else slice(None, None, max(1, len(known) // MOST_POINTS))
        shown = np.zeros((0, 3)) if known is None else known[every]
        self.points.give(surfaces.poly_data(shown, verts=True), {})
        if artifact.point_colors is not None and len(shown):
            self.points.paint(artifact.point_colors[every])
        self.apply()

    def set_thumbnails(self, thumbs: np.ndarray | None) -> None:
        """(N, h, w, 3) uint8, all of one size: what each frustum shows at its far end; None: nothing."""
        if thumbs is None or not len(thumbs):
            self.texture = None
            self._show()
            return
        count, height, width, _ = thumbs.shape
        across = int(np.ceil(np.sqrt(count)))
        down = -(-count // across)
        padded = np.zeros((across * down, height, width, 3), np.uint8)
        padded[:count] = thumbs
        atlas = padded.reshape(down, across, height, width, 3).transpose(0, 2, 1, 3, 4)
        atlas = np.ascontiguousarray(atlas.reshape(down * height, across * width, 3)[::-1])
        image = vtkImageData()
        image.SetDimensions(across * width, down * height, 1)
        image.GetPointData().SetScalars(numpy_to_vtk(atlas.reshape(-1, 3), deep=True))
        self.texture = vtkTexture()
        self.texture.SetInputDataObject(image)
        self.texture.InterpolateOn()
        row, column = np.divmod(np.arange(count), across)
        # Half a pixel in from the edges, so that neighbours do not shine through.
        u = np.stack([column + 0.5 / width, column + 1 - 0.5 / width], 1) / across
        v = 1 - np.stack([row + 0.5 / height, row + 1 - 0.5 / height], 1) / down
        places = np.stack([np.stack([u[:, i], v[:, j]], 1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], 1)
        quads = self.corners[:, 1:].reshape(-1, 3)
        first = 4 * np.arange(count)[:, None]
        faces = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
        data = surfaces.poly_data(quads, faces=faces)
        held = numpy_to_vtk(np.ascontiguousarray(places.reshape(-1, 2), np.float32), deep=True)
        data.GetPointData().SetTCoords(held)
        self.faces.give(data, {})
        self.faces.actor.SetTexture(self.texture)
        self.apply()

    def choose(self, index: int) -> None:
        self.chosen = index
        self.apply()

    def at(self, project: Any, x: float, y: float) -> int:
        """The photo whose frustum lies under a place of the view, the nearest first; -1 for none.

        ``project``: world points (n, 3) to pixels x, y and depth (n, 3).
        """
        if not len(self.corners):
            return -1
        flat = project(self.corners.reshape(-1, 3)).reshape(-1, 5, 3)
        there = np.array([x, y])
        inside = (flat[..., 2] > 0).all(1) & _inside(flat[:, 1:, :2], there)
        near_apex = (np.linalg.norm(flat[:, 0, :2] - there, axis=1) < 9) & (flat[:, 0, 2] > 0)
        hit = np.flatnonzero(inside | near_apex)
        return int(hit[np.argmin(flat[hit, :, 2].mean(1))]) if len(hit) else -1

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.points.actor, self.faces.actor]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        photos: Photos = self.artifact
        own = [colour_maps.rgb(c) for c in (theme.colors().accent, HELD_OUT_COLOUR, CHOSEN_COLOUR)]
        kinds = np.zeros(len(photos), int)
        if photos.held_out is not None:
            kinds[photos.held_out] = 1
        if 0 <= self.chosen < len(photos):
            kinds[self.chosen] = 2
        return np.repeat((255 * np.array(own)).round().astype(np.uint8)[kinds], 5, axis=0)

    @property
    def bounds(self) -> np.ndarray | None:
        return self.artifact.bounds if len(self.artifact) else None

    def extent(self) -> np.ndarray:
        """Cameras, and the points without their strays."""
        points = self.artifact.points
        found = self.corners.reshape(-1, 3)
        if points is not None and len(points):
            some = points[:: max(1, len(points) // 4000)]
            low, high = np.quantile(some, (0.02, 0.98), axis=0)
            found = np.concatenate([found, some[((some >= low) & (some <= high)).all(1)]])
        return found

    def pick_points(self) -> np.ndarray | None:
        return np.concatenate([self.corners[:, 0], *([] if self.artifact.points is None else [self.artifact.points])])

    def _show(self) -> None:
        super()._show()
        self.points.actor.SetVisibility(self.style.visible)
        self.faces.actor.SetVisibility(self.style.visible and self.texture is not None)

    def apply(self) -> None:
        super().apply()
        look = self.points.actor.GetProperty()
        look.SetColor(*colour_maps.rgb(theme.colors().muted))
        look.SetPointSize(max(1.0, self.style.point_size * self.pixel_scale))
        look.SetRepresentation(0)
        for drawn in (self.points, self.faces):
            drawn.actor.GetProperty().SetLighting(False)
            drawn.actor.GetProperty().SetOpacity(self.style.opacity)

    def set_clip(self, plane: Any) -> None:
        for drawn in (self.points, self.faces):
            drawn.mapper.RemoveAllClippingPlanes()
            if plane is not None:
                drawn.mapper.AddClippingPlane(plane)
        super().set_clip(plane)

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(1)
        look.SetLighting(False)


HELD_OUT_COLOUR, CHOSEN_COLOUR = "#E69F00", "#CC79A7"


def _inside(quads: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(N,) whether convex quadrilaterals (N, 4, 2) hold a point (2,)."""
    ahead = np.roll(quads, -1, axis=1) - quads
    aside = at - quads
    turn = ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]
    return (turn > 0).all(1) | (turn < 0).all(1)
