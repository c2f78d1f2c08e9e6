"""Pictures of fields (``.png``): a plane at one time, or a line over time, in colours, with y upwards."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params, UserError
from engines.data import MeshField, SampledField
from engines.files.registry import writer
from engines.files.vtk_points import time_number

VIRIDIS = np.array(
    [
        [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
        [0.1050930431085774, 1.404613529898575, 1.384590162594685],
        [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
        [-4.634230498983486, -5.799100973351585, -19.33244095627987],
        [6.228269936347081, 14.17993336680509, 56.69055260068105],
        [4.776384997670288, -13.74514537774601, -65.35303263337234],
        [-5.435455855934631, 4.645852612178535, 26.3124352495832],
    ]
)
"""Coefficients (7, RGB) of polynomials in the value from 0 to 1; they follow the table to within 4 of 255."""
DIVERGING = np.array([[0.23, 0.30, 0.75], [0.87, 0.87, 0.87], [0.71, 0.02, 0.15]])
MISSING = (128, 128, 128)


class PictureOptions(Params):
    component: str = Param("", empty="the first one", help="Name of the component")
    time: int | None = Param(
        None, ge=0, empty="the last", label="Time number", help="From 0. A field along a line is shown over all times"
    )
    colours: Literal["viridis", "diverging", "grey"] = Param(
        "viridis", help="Colours of the values; diverging ones have the zero in the middle"
    )
    pixels: int = Param(800, ge=16, le=8192, unit="pixels", help="Of the longer side")
    lowest: float | None = Param(None, help="Value of the first colour", empty="the least there is")
    highest: float | None = Param(None, help="Value of the last colour", empty="the greatest there is")


@writer(
    key="field-picture", title="PNG picture of a field", extensions=(".png",), takes=(SampledField,),
    options=PictureOptions,
)  # fmt: skip
def write_picture(field: SampledField, path: Path, options: PictureOptions) -> None:
    """Linear between nodes; of a field in space the plane in the middle of its last axis."""
    import PIL.Image

    out = io.BytesIO()
    PIL.Image.fromarray(picture(field, options)).save(out, "PNG")
    path.write_bytes(out.getvalue())


@writer(
    key="mesh-picture", title="PNG picture of a field", extensions=(".png",), takes=(MeshField,),
    options=PictureOptions,
)  # fmt: skip
def write_mesh_picture(field: MeshField, path: Path, options: PictureOptions) -> None:
    """Linear within the cells; of tetrahedra the plane in the middle of z, and where it has moved to."""
    write_picture(on_pixels(field, options), path, options.model_copy(update={"component": "", "time": None}))


def on_pixels(field: MeshField, options: PictureOptions) -> SampledField:
    """One component at one time on a grid with a node for each pixel; NaN outside of the mesh."""
    import pyvista

    time, index = time_number(field, options.time), _component(field, options.component)
    points = field.positions(time).astype(np.float64)
    if field.cells.shape[1] == 3 and np.ptp(points[:, 2]) > 0:
        raise UserError(
            "The field lies on a surface in space.",
            "Pictures are made of fields in a plane, and of planes through bodies.",
            "Take a picture of its view, or write it as a mesh.",
        )
    low, high = points.min(0), points.max(0)
    step = float((high - low)[:2].max()) / options.pixels or 1.0
    counts = np.maximum(1, np.rint((high - low)[:2] / step).astype(int))
    plane = (low[2] + high[2]) / 2
    image = pyvista.ImageData(
        dimensions=(*counts.tolist(), 1),
        spacing=(*((high - low)[:2] / counts).tolist(), 1.0),
        origin=(*(low[:2] + (high - low)[:2] / counts / 2).tolist(), plane),
    )
    kind = pyvista.CellType.TRIANGLE if field.cells.shape[1] == 3 else pyvista.CellType.TETRA
    mesh = pyvista.UnstructuredGrid({kind: field.cells.astype(np.int64)}, points)
    mesh.point_data["value"] = field.values[time, index].astype(np.float64)
    found = image.sample(mesh)
    inside = np.asarray(found.point_data["vtkValidPointMask"], bool)
    values = np.where(inside, np.asarray(found.point_data["value"]), np.nan).reshape(*counts, order="F")
    axes = [image.origin[i] + image.spacing[i] * np.arange(counts[i]) for i in range(2)]
    return SampledField.of(values, *axes, name=field.name, components=(field.components[index],), unit=field.unit)


def _component(field: SampledField | MeshField, name: str) -> int:
    if name and name not in field.components:
        raise UserError(f"The field has no component '{name}'.", mend=f"Use one of: {', '.join(field.components)}.")
    return field.components.index(name) if name else 0


def picture(field: SampledField, options: PictureOptions) -> np.ndarray:
    """(H, W, 3) uint8, the first row the upper one."""
    values, across, up = _plane(field, field.components[_component(field, options.component)], options.time)
    wide, high = float(np.ptp(across)), float(np.ptp(up))
    if field.dimensions == 1 or min(wide, high) <= 0:
        wide = high = 1.0  # place and time have no common measure
    scale = options.pixels / max(wide, high)
    columns, rows = (max(1, round(scale * length)) for length in (wide, high))
    shown = _along(_along(values, across, columns), up, rows, axis=1)
    return np.ascontiguousarray(_coloured(shown, options).transpose(1, 0, 2)[::-1])


def _plane(field: SampledField, component: str, time: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(W, H) values, and nodes across and upwards."""
    if field.dimensions == 1:
        if len(field.times) < 2:
            raise UserError(
                "A line at one time is no picture.", mend="Write it as a table (.csv), or look at it in a plot."
            )
        index = field.components.index(component)
        return field.values[:, index, :, 0, 0].T.astype(np.float64), field.x, field.times
    values = field.component(component, time_number(field, time))
    if field.dimensions == 3:
        values = values[:, :, values.shape[2] // 2]
    return values.astype(np.float64), field.x, field.y


def _along(values: np.ndarray, nodes: np.ndarray, count: int, axis: int = 0) -> np.ndarray:
    """Linear between nodes, at the middles of ``count`` pixels from the first to the last of them."""
    places = nodes[0] + (np.arange(count) + 0.5) / count * (nodes[-1] - nodes[0])
    position = np.interp(places, nodes, np.arange(len(nodes)))
    below = np.minimum(position.astype(np.int64), max(len(nodes) - 2, 0))
    part = position - below
    part = part if axis == 1 else part[:, None]
    above = np.minimum(below + 1, len(nodes) - 1)
    return np.asarray((1 - part) * np.take(values, below, axis) + part * np.take(values, above, axis))


def _coloured(values: np.ndarray, options: PictureOptions) -> np.ndarray:
    good = np.isfinite(values)
    if not good.any():
        raise UserError("The field has no finite value there.", mend="Choose another time or component.")
    low = float(values[good].min()) if options.lowest is None else options.lowest
    high = float(values[good].max()) if options.highest is None else options.highest
    if options.colours == "diverging" and options.lowest is None and options.highest is None:
        high = max(abs(low), abs(high))
        low = -high
    share = ((values - low) / (high - low) if high > low else np.full(values.shape, 0.5)).clip(0, 1)
    share = np.where(good, share, 0)
    rgb = np.rint(255 * colours(share, options.colours)).clip(0, 255).astype(np.uint8)
    rgb[~good] = MISSING
    return rgb


def colours(share: np.ndarray, name: str) -> np.ndarray:
    """(..., 3) from 0 to 1 for shares from 0 to 1."""
    if name == "grey":
        return np.repeat(share[..., None], 3, -1)
    if name == "diverging":
        return np.stack([np.interp(share, (0, 0.5, 1), DIVERGING[:, k]) for k in range(3)], -1)
    return np.polynomial.polynomial.polyval(share, VIRIDIS).transpose(*range(1, share.ndim + 1), 0)
