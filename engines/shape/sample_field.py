"""Evaluate a trained field: its mesh and its values on a grid of any resolution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import torch

from engines.blocks.iterative_field import Architecture, IterativeField
from engines.blocks.normalisation import Similarity
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import GridField, Mesh, Model
from engines.shape.field_surface import extract


class SampleFieldParams(Params):
    resolution: int = Param(
        192, ge=32, le=512, unit="cells", help="Cells along each axis of the grid", source="own choice", log=True
    )
    vertex_pull: float = Param(
        1.0, ge=1e-3, le=10, log=True, advanced=True, source="as OReX",
        help="How strongly vertices are drawn to the mean of the crossings in their cell, against the normals there",
    )  # fmt: skip


@dataclass(frozen=True)
class SampledField:
    mesh: Annotated[Mesh, "the surface"]
    field: Annotated[GridField, "logit, positive outside; interpolated far from the surface"]


def to_model(field: IterativeField, similarity: Similarity, name: str) -> Model:
    """The trained network as arrays, with what it takes to use it in the frame of the file."""
    config = {"architecture": asdict(field.architecture), "similarity": asdict(similarity), "name": name}
    return Model(weights=field.weights(), method="orex", config=json.dumps(config), name=f"{name}, network")


def from_model(model: Model, device: torch.device | str = "cpu") -> tuple[IterativeField, Similarity, str]:
    """The inverse of :func:`to_model`. Raises :class:`UserError` for a model that something else trained."""
    try:
        config = model.configuration
        field = IterativeField.from_weights(Architecture(**config["architecture"]), model.weights, device)
        center, scale = config["similarity"]["center"], float(config["similarity"]["scale"])
        if not bool(field.flat.isfinite().all()) or not np.isfinite([*center, scale]).all() or scale <= 0:
            raise ValueError("it holds numbers that are not finite")
        unit = str(config["similarity"].get("length_unit", ""))
        place = Similarity((float(center[0]), float(center[1]), float(center[2])), scale, unit)
        return field, place, str(config["name"])
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            "The model is not an OReX field.", f"Reading it failed: {error}.", "Choose the network of an OReX run."
        ) from None


def _sphere() -> Mapping[str, Artifact]:
    """A network without training whose logit is 1 - 3 cos(x) cos(y) .. : any zero set will do here."""
    sizes = Architecture(iterations=1, frequencies=1, hidden=2, width=8, depth=1)
    flat = torch.zeros(sizes.size)
    field = IterativeField(sizes, flat)
    parts = field.parts
    parts["cosine_frequencies"].fill_(2.0)
    parts["encoding_weight"][0, 3:6] = -1.0
    parts["output_weight"][0, 0] = 1.0
    parts["bias.0"][0] = 1.5
    return {"model": to_model(field, Similarity((0.0, 0.0, 0.0), 1.0), "A cosine")}


def _foreign() -> Mapping[str, Artifact]:
    return {"model": Model(weights={"w": np.zeros(3)}, method="something else")}


@method(
    key="sample-field",
    title="Sample a trained field",
    family="shape",
    job="Mesh a field that OReX trained, at another resolution.",
    role="preparation",
    presets={"quick": {"resolution": 64}, "fine": {"resolution": 384}},
    sample=Example(_sphere, {"resolution": 96}, "A small field"),
    smoke=Example(_sphere, {"resolution": 40}, "A small field"),
    degenerate=(Example(_foreign, title="A model of another method"),),
    memory=lambda inputs, params: int(1e8) + 16 * (params.resolution + 1) ** 3,
    tags=("cross-sections", "neural field", "meshing", "resolution"),
)
def sample_field(
    model: Annotated[Model, "the network of an OReX run"], params: SampleFieldParams, run: Run
) -> SampledField:
    """Coarse to fine near the zero set, then dual contouring; all in the frame of the file."""
    field, similarity, name = from_model(model, run.device)
    for _ in run.steps(1, f"Meshing {name}"):
        surface = extract(field, similarity, params.resolution, params.vertex_pull, None, run)
    return SampledField(surface.mesh.replace(name=f"{name}, surface"), surface.field.replace(name=f"{name}, field"))
