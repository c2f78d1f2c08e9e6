"""What the two halves of a run's frame show of its inputs and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.viewers.registry import VIEWERS, Shown
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
    Photos,
    PhotoSet,
    PointCloud,
    PoseSequence,
    Problem,
    RiggedTemplate,
    SampledField,
    Slices,
    SpectrumTable,
    TransportMap,
    Video,
    Volume,
)

IN_SPACE = (Mesh, PointCloud, Slices)
IN_SLICES = (GridField, Volume)
IN_SPLATS = (GaussianCloud, BoundGaussians)
IN_VIDEOS = (Video, DepthVideo)
IN_HANDS = (HandAvatar, HandCapture, RiggedTemplate, PoseSequence)
IN_PICTURES = (PhotoSet, Image, CameraPath, *IN_VIDEOS)
FIELDS = (SampledField, MeshField)
OF_FIELDS = (*FIELDS, GaussianFeatures, SpectrumTable, Problem)
MOVING = (Coupling, Displacements, TransportMap)
OF_TRANSPORT = (*MOVING, Measure, CostMatrix)
DRAWN = IN_SPACE + IN_SLICES + IN_SPLATS + IN_PICTURES + OF_FIELDS + IN_HANDS + OF_TRANSPORT + (Curve,)


@dataclass(frozen=True)
class Side:
    """What one half of the frame shows, and in which viewer."""

    viewer: str
    items: list[Shown]
    is_second: bool = False
    """Whether the other half shows its own in a viewer of the same kind."""

    @property
    def slot(self) -> str:
        """By which the frame keeps the viewer and its state."""
        return f"{self.viewer}/right" if self.is_second else self.viewer


def sides(inputs: Mapping[str, Artifact], outputs: Mapping[str, Artifact]) -> tuple[Side, Side]:
    """A run in two views; ids stay the same from preview to result."""
    given = [Shown(f"in/{key}", key.capitalize(), a) for key, a in inputs.items()]
    # One of many pictures is called as it calls itself: by its photo, not by its number.
    made = [Shown(f"out/{k}", a.name if "/" in k and a.name else k.capitalize(), a) for k, a in outputs.items()]
    if any(isinstance(s.artifact, FIELDS) for s in made):
        return _field_sides(given, made)
    if any(isinstance(s.artifact, OF_TRANSPORT) for s in (*made, *given)):
        return _transport_sides(given, made)
    problems = [s for s in given if isinstance(s.artifact, Problem)]
    if problems and "problem" in VIEWERS:
        return Side("problem", problems), Side("field", [])
    hands = [s for s in (*made, *given) if isinstance(s.artifact, IN_HANDS)]
    if hands:
        return Side("hand", hands), _beside_hands(made)
    splats = [s for s in (*made, *given) if isinstance(s.artifact, IN_SPLATS)]
    photos = [s for s in (*given, *made) if isinstance(s.artifact, Photos)]
    photos = photos or [s for s in given if isinstance(s.artifact, PhotoSet)]
    if splats or photos:
        meshes = [s for s in made if isinstance(s.artifact, Mesh)]
        pictures = [s for s in made if isinstance(s.artifact, Image)]
        videos = [s for s in made if isinstance(s.artifact, IN_VIDEOS)]
        right = Side("image", pictures) if pictures else Side("photos", photos if splats or meshes else [])
        right = Side("video", videos) if videos else right
        if splats:
            paths = [s for s in given if isinstance(s.artifact, CameraPath)]
            return Side("splats", [*splats[:1], *meshes, *paths]), right
        return (Side("scene", meshes) if meshes else Side("photos", photos)), right
    fields = [s for s in made if isinstance(s.artifact, IN_SLICES)]
    contours = [s for s in given if isinstance(s.artifact, Slices)]
    space = [s for s in (*given, *made) if isinstance(s.artifact, IN_SPACE)]
    return Side("scene", space), Side("slice", [fields[0], *contours] if fields else [])


def _beside_hands(made: list[Shown]) -> Side:
    """What was made of a hand besides another one."""
    for viewer, kinds in (("video", IN_VIDEOS), ("image", (Image,)), ("scene", (Mesh,))):
        found = [s for s in made if isinstance(s.artifact, kinds)]
        if found:
            return Side(viewer, found)
    return Side("hand", [])


def _transport_sides(given: list[Shown], made: list[Shown]) -> tuple[Side, Side]:
    """How mass moves, and beside it the plan, the pictures that were made, or how coordinates spread."""
    couplings = [s for s in made if isinstance(s.artifact, Coupling)]
    moved = [s for s in made if isinstance(s.artifact, Displacements)] or [
        s for s in made if isinstance(s.artifact, TransportMap)
    ]
    pictures = [s for s in made if isinstance(s.artifact, Image)]
    measures = [s for s in (*made, *given) if isinstance(s.artifact, Measure)]
    costs = [s for s in given if isinstance(s.artifact, CostMatrix)]
    left = Side("transport", (couplings or moved)[:1] or measures)
    if not left.items:
        left = Side("coupling", costs)
    if pictures:
        return left, Side("image", pictures)
    if moved and not couplings:
        return left, Side("histogram", [s for s in moved if isinstance(s.artifact, Displacements)])
    curves = [s for s in made if isinstance(s.artifact, Curve)]
    if curves and not couplings:
        return left, Side("curves", curves[:1])
    # Before there is a coupling, its costs may be at the left in a viewer of the same kind.
    return left, Side("coupling", couplings[:1], is_second=True)


def _field_sides(given: list[Shown], made: list[Shown]) -> tuple[Side, Side]:
    """The field, and beside it what tells most about it: its error, its spectrum, or the same in space."""
    errors = [s for s in made if s.id in ("out/error", "out/residual")]
    fields = [s for s in made if isinstance(s.artifact, SampledField) and s not in errors]
    moving = [s for s in made if isinstance(s.artifact, MeshField)]
    solids = [s for s in (*given, *made) if isinstance(s.artifact, Mesh)]
    clouds = [s for s in made if isinstance(s.artifact, GaussianFeatures)]
    spectra = [s for s in made if isinstance(s.artifact, SpectrumTable)]
    if moving:
        return Side("scene", [*moving[:1], *solids]), Side("field", fields)
    left = Side("field", [*(fields or errors)[:1], *clouds])
    if spectra and "spectrum" in VIEWERS:
        return left, Side("spectrum", spectra)
    if errors and fields:
        return left, Side("field", errors, is_second=True)
    deep = [f for f in fields if isinstance(f.artifact, SampledField) and f.artifact.dimensions > 1]
    return left, Side("scene", deep)
