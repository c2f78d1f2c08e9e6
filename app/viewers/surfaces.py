"""Triangles as the 3D view needs them: normals, coarse stand-ins, isosurfaces, VTK data without copies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkSurfaceNets3D

from app.viewers.sections import affine_of
from engines.blocks.mesh_topology import vertex_normals
from engines.data import GridField, Mesh, Volume

COARSE_TRIANGLES = 50_000
LARGEST_TEXTURE = 8192
"""Pixels along a side of a texture on screen; larger ones are thinned out."""
ISO_NODES = 160**3
"""Fields with more nodes are thinned out before an isosurface is made of them, so that it follows the slider."""


@dataclass
class Surface:
    """Points (V, 3) float32, triangles (F, 3) int32, unit normals (V, 3) float32, values by name (V,),
    and a stand-in of about ``COARSE_TRIANGLES`` for use while the camera moves (None: not needed)."""

    points: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    scalars: dict[str, np.ndarray] = field(default_factory=dict)
    colors: np.ndarray | None = None
    coarse: Surface | None = None
    worn: Worn | None = None


@dataclass
class Worn:
    """A texture: places of the points (V, 2) float32 in it, and its rows (H, W, 3 or 4) uint8 from the lowest up."""

    places: np.ndarray
    rows: np.ndarray
    repeats: bool


def clustered(surface: Surface, triangles: int = COARSE_TRIANGLES) -> Surface:
    """Merge the vertices in each cell of a grid, chosen so that about ``triangles`` remain; colours stay."""
    low, high = surface.points.min(0), surface.points.max(0)
    # A surface meets about as many cells as its area has cell faces; each gives two triangles.
    a, b, c = (surface.points[surface.faces[:, k]] for k in range(3))
    area = 0.5 * float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())
    cell = max(np.sqrt(3.0 * area / max(triangles, 1)), float((high - low).max()) / 1000, 1e-30)
    index = ((surface.points - low) / cell).astype(np.int64)
    size = index.max(0) + 1
    keys = (index[:, 0] * size[1] + index[:, 1]) * size[2] + index[:, 2]
    _, cluster, counts = np.unique(keys, return_inverse=True, return_counts=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(cluster, values, len(counts)) / counts

    points = np.stack([mean(surface.points[:, k]) for k in range(3)], 1).astype(np.float32)
    faces = cluster[surface.faces].astype(np.int32)
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    faces = faces[distinct]
    normals = np.stack([mean(surface.normals[:, k]) for k in range(3)], 1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = (normals / np.where(length > 0, length, 1)).astype(np.float32)
    # Slivers that folded over would be lit from behind: turn them to agree with the normals around them.
    a, b, c = (points[faces[:, k]] for k in range(3))
    folded = (np.cross(b - a, c - a) * normals[faces].sum(1)).sum(1) < 0
    faces[folded] = faces[folded][:, ::-1]
    scalars = {k: mean(v).astype(np.float32) for k, v in surface.scalars.items()}
    colors = None
    if surface.colors is not None:
        colors = np.stack([mean(surface.colors[:, k]) for k in range(surface.colors.shape[1])], 1).astype(np.uint8)
    return Surface(points, faces, normals, scalars, colors)


def of_mesh(mesh: Mesh, triangles: int = COARSE_TRIANGLES) -> Surface:
    """Ready a mesh for drawing. Costs about 1 s for 2 million triangles: off the GUI thread when it is large."""
    points = np.ascontiguousarray(mesh.vertices, np.float32)
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    normals = mesh.normals if mesh.normals is not None else vertex_normals(points, faces).astype(np.float32)
    surface = Surface(points, faces, np.ascontiguousarray(normals, np.float32), dict(mesh.scalars), mesh.colors)
    if mesh.texture is not None and mesh.uv is not None:
        return dressed(surface, mesh, triangles)
    return with_coarse(surface, triangles)


def dressed(surface: Surface, mesh: Mesh, triangles: int) -> Surface:
    """With the mesh's texture. Points have one place in it, so each is there once for every corner of a face.

    The stand-in has no texture, but its colours.
    """
    assert mesh.texture is not None
    assert mesh.uv is not None
    corners = surface.faces.ravel()
    places = mesh.uv.reshape(-1, 2)
    height, width, _ = mesh.texture.shape
    column = np.floor(places[:, 0] * width).astype(np.int64).clip(0, width - 1)
    row = np.floor((1 - places[:, 1]) * height).astype(np.int64).clip(0, height - 1)
    found = np.full((len(surface.points), 3), 255, np.uint8)
    found[corners] = mesh.texture[row, column, :3]
    coarse = with_coarse(replace(surface, colors=found), triangles).coarse
    split = Surface(
        np.ascontiguousarray(surface.points[corners]),
        np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        np.ascontiguousarray(surface.normals[corners]),
        {name: np.ascontiguousarray(values[corners]) for name, values in surface.scalars.items()},
        None if surface.colors is None else surface.colors[corners],
        coarse,
    )
    step = -(-max(mesh.texture.shape[:2]) // LARGEST_TEXTURE)
    rows = np.ascontiguousarray(mesh.texture[::-1][::step, ::step])
    split.worn = Worn(np.ascontiguousarray(places), rows, mesh.texture_repeats)
    return split


def texture_image(worn: Worn) -> vtkImageData:
    """VTK's view of the rows, shared and not copied."""
    height, width, channels = worn.rows.shape
    image = vtkImageData()
    image.SetDimensions(width, height, 1)
    values = numpy_to_vtk(worn.rows.reshape(-1, channels))
    values.SetName("texture")
    image.GetPointData().SetScalars(values)
    return image


def with_coarse(surface: Surface, triangles: int) -> Surface:
    """Add the stand-in of about ``triangles`` where it is worth its while."""
    if len(surface.faces) > 2 * triangles:
        surface.coarse = clustered(surface, triangles)
    return surface


def isosurface(grid: Volume | GridField, level: float, triangles: int = COARSE_TRIANGLES) -> Surface:
    """Where the values cross ``level``; for label volumes every label's smoothed surface, with scalar "label"."""
    values = grid.values
    step = max(1, int(np.ceil((values.size / ISO_NODES) ** (1 / 3))))
    values = values[::step, ::step, ::step]
    empty = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))
    if min(values.shape) < 2:
        return empty
    labels = isinstance(grid, Volume) and grid.is_label
    if labels:
        values = np.pad(values, 1)  # so that what touches the border is closed
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    flat = values.ravel(order="F")
    kept = np.ascontiguousarray(flat.astype(np.int32) if labels else np.nan_to_num(flat.astype(np.float32)))
    image.GetPointData().SetScalars(numpy_to_vtk(kept))
    label_values: np.ndarray | None = None
    if labels:
        nets = vtkSurfaceNets3D()
        nets.SetInputData(image)
        found = np.unique(kept)
        found = found[found != 0][:256]
        nets.SetNumberOfLabels(len(found))
        for place, label in enumerate(found):
            nets.SetValue(place, float(label))
        nets.SetBackgroundLabel(0)
        nets.SetOutputMeshTypeToTriangles()
        nets.Update()
        output = nets.GetOutput()
    else:
        edges = vtkFlyingEdges3D()
        edges.SetInputData(image)
        edges.SetValue(0, float(level))
        edges.ComputeNormalsOff()
        edges.ComputeScalarsOff()
        edges.Update()
        output = edges.GetOutput()
    if output.GetNumberOfPoints() == 0 or output.GetNumberOfPolys() == 0:
        return empty
    index = vtk_to_numpy(output.GetPoints().GetData()).astype(float)
    faces = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int32)
    if labels:
        index -= 1
        both = vtk_to_numpy(output.GetCellData().GetArray("BoundaryLabels"))
        label_values = np.zeros(len(index), np.float32)
        label_values[faces.ravel()] = np.repeat(both.max(1), 3)
    affine = affine_of(grid)
    points = (index * step @ affine[:3, :3].T + affine[:3, 3]).astype(np.float32)
    # Whether large values are inside or outside is the field's affair: normals point out of what is enclosed.
    a, b, c = (points[faces[:, k]] - points.mean(0) for k in range(3))
    if float(np.einsum("ij,ij->", a, np.cross(b, c))) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    surface = Surface(points, faces, vertex_normals(points, faces).astype(np.float32))
    if label_values is not None:
        surface.scalars["label"] = label_values
    return with_coarse(surface, triangles)


def poly_data(
    points: np.ndarray,
    *,
    faces: np.ndarray | None = None,
    lines: np.ndarray | None = None,
    verts: bool = False,
    normals: np.ndarray | None = None,
    places: np.ndarray | None = None,
) -> vtkPolyData:
    """VTK's view of the arrays, shared and not copied; ``lines`` (E, 2), ``faces`` (F, 3), ``places`` (V, 2) in a
    texture."""
    data = vtkPolyData()
    held = vtkPoints()
    held.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32).reshape(-1, 3)))
    data.SetPoints(held)
    if faces is not None:
        data.SetPolys(_cells(faces, 3))
    if lines is not None:
        data.SetLines(_cells(lines, 2))
    if verts:
        data.SetVerts(_cells(np.arange(len(points), dtype=np.int32)[:, None], 1))
    if normals is not None and len(normals):
        array = numpy_to_vtk(np.ascontiguousarray(normals, np.float32))
        array.SetName("Normals")
        data.GetPointData().SetNormals(array)
    if places is not None:
        array = numpy_to_vtk(places)
        array.SetName("places in the texture")
        data.GetPointData().SetTCoords(array)
    return data


def _cells(index: np.ndarray, width: int) -> vtkCellArray:
    cells = vtkCellArray()
    if len(index):
        cells.SetData(width, numpy_to_vtk(np.ascontiguousarray(index, np.int32).ravel()))
    return cells
