"""Which viewer shows which type of artifact.

Viewers are named by ``"module:Class"`` and imported when the first one is made, so that the
window starts without VTK. A viewer is a QWidget with

* ``show_artifacts(items)``: show these; the same id again is an update, which keeps camera and settings,
* ``state() -> dict`` and ``restore(dict)``: JSON-able; junk in a restored state is ignored,
* ``screenshot(width, height) -> (H, W, 3) uint8``,
* ``closeEvent`` that frees what it holds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engines.core import Artifact
from engines.data import (
    BoundGaussians,
    CameraPath,
    CostMatrix,
    Coupling,
    Curve,
    DepthVideo,
    Displacements,
    GaussianCloud,
    GaussianFeatures,
    GridField,
    HandAvatar,
    HandCapture,
    Image,
    Measure,
    Mesh,
    MeshField,
    Model,
    Photos,
    PhotoSet,
    PointCloud,
    PoseSequence,
    Problem,
    RiggedTemplate,
    SampledField,
    Slices,
    Solution,
    SpectrumTable,
    Table,
    Trajectory,
    TransportMap,
    Video,
    Volume,
)


@dataclass(frozen=True, eq=False)
class Shown:
    """An artifact on show: its id in the project (or any stable word), and what to call it on screen."""

    id: str
    name: str
    artifact: Artifact


class Viewer(Protocol):
    """What the window asks of a viewer, besides being a QWidget."""

    def show_artifacts(self, items: Sequence[Shown]) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def screenshot(self, width: int, height: int) -> np.ndarray: ...


@dataclass(frozen=True)
class ViewerSpec:
    """``factory`` is a class, or its ``"module:Class"`` path."""

    key: str
    title: str
    icon: str
    types: tuple[type[Artifact], ...]
    factory: str | Callable[..., Any]
    overlays: tuple[type[Artifact], ...] = ()
    """Types it shows together with its own, but not alone."""
    has_box: bool = False
    """Whether its ``box`` (:class:`~app.viewers.box_tool.BoxTool`) lets a box be set in space."""

    def shows(self, kind: type[Artifact], *, overlay: bool = False) -> bool:
        return issubclass(kind, self.types + (self.overlays if overlay else ()))

    def create(self, parent: Any = None) -> Any:
        """Import and make the widget. GUI thread only."""
        if isinstance(self.factory, str):
            module, _, name = self.factory.partition(":")
            return getattr(importlib.import_module(module), name)(parent)
        return self.factory(parent)


VIEWERS: dict[str, ViewerSpec] = {}


def register(spec: ViewerSpec) -> None:
    VIEWERS[spec.key] = spec


def viewer(
    key: str,
    title: str,
    types: Iterable[type[Artifact]],
    *,
    icon: str = "view",
    overlays: Iterable[type[Artifact]] = (),
) -> Callable[[Any], Any]:
    """Class decorator for viewers that live outside this package (they are imported anyway)."""

    def add(cls: Any) -> Any:
        register(ViewerSpec(key, title, icon, tuple(types), cls, tuple(overlays)))
        return cls

    return add


def viewers_for(kind: type[Artifact]) -> list[ViewerSpec]:
    """Viewers that show this type, the most telling first."""
    return [spec for spec in VIEWERS.values() if spec.shows(kind)]


def create(key: str, parent: Any = None) -> Any:
    """Make the viewer registered under ``key``. Raises KeyError when there is none."""
    return VIEWERS[key].create(parent)


for _spec in (
    ViewerSpec("field", "Field view", "SampledField", (SampledField, Solution, Trajectory),
               "app.viewers.field_view:FieldView", (GaussianFeatures,)),
    ViewerSpec("problem", "Problem", "Problem", (Problem,), "app.viewers.problem_view:ProblemView"),
    ViewerSpec("slice", "Slice view", "slice", (GridField, Volume, SampledField),
               "app.viewers.slice_view:SliceView", (Slices,)),
    ViewerSpec("splats", "Splat view", "atom", (GaussianCloud, BoundGaussians), "app.viewers.splat_view:SplatView",
               (Mesh, PointCloud, Slices, Photos, CameraPath), has_box=True),
    ViewerSpec("hand", "Hand view", "hand", (HandAvatar, HandCapture, RiggedTemplate, PoseSequence),
               "app.viewers.hand_view:HandView"),
    ViewerSpec("photos", "Photos", "image-square", (PhotoSet,), "app.viewers.photos_view:PhotosView"),
    ViewerSpec("hand-overlay", "Photos with the hand", "HandCapture", (HandCapture,),
               "app.viewers.hand_overlay_view:HandOverlayView"),
    ViewerSpec("scene", "3D view", "scene",
               (Mesh, PointCloud, Slices, GridField, Volume, Photos, CameraPath, MeshField, SampledField,
                RiggedTemplate),
               "app.viewers.scene:Scene3D", has_box=True),
    ViewerSpec("image", "Image", "image", (Image,), "app.viewers.image_view:ImageView"),
    ViewerSpec("video", "Video", "video", (Video, DepthVideo), "app.viewers.video_view:VideoView"),
    ViewerSpec("spectrum", "Spectrum", "SpectrumTable", (SpectrumTable,), "app.viewers.spectrum_view:SpectrumView"),
    ViewerSpec("transport", "Transport view", "Coupling", (Coupling, Measure, Displacements, TransportMap),
               "app.viewers.transport_view:TransportView"),
    ViewerSpec("coupling", "Plan", "CostMatrix", (Coupling, CostMatrix), "app.viewers.coupling_view:CouplingView"),
    ViewerSpec("potentials", "Potentials", "curves", (Coupling,), "app.viewers.potentials_view:PotentialsView"),
    ViewerSpec("curves", "Curves", "curves", (Curve,), "app.viewers.curves_view:CurvesView"),
    ViewerSpec("table", "Table", "Table", (Table, Model, GaussianFeatures), "app.viewers.table_view:TableView"),
    ViewerSpec("histogram", "Histogram", "histogram",
               (Table, Curve, GridField, Volume, Mesh, PointCloud, GaussianFeatures, SampledField, MeshField,
                Displacements, Measure),
               "app.viewers.histogram_view:HistogramView"),
):  # fmt: skip
    register(_spec)
