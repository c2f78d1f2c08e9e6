"""A part of a mesh moved, turned or scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.mesh_parts import PartParams, edited
from engines.blocks.mesh_topology import vertex_normals
from engines.core import Artifact, Example, Run, method
from engines.data import Mesh


def _torus() -> Mapping[str, Artifact]:
    return {"mesh": torus_mesh(Torus())}


@method(
    key="edit-mesh",
    title="Edit mesh",
    family="shape",
    job="Move, turn or scale a part of a mesh.",
    role="preparation",
    sample=Example(
        _torus, {"vertices": "0-400", "move": (0, 0, 0.3), "turn": (0, 20, 0), "falloff": 0.2}, "A part of a torus"
    ),
    degenerate=(
        Example(_torus, {"vertices": "", "move": (1, 0, 0)}, "No vertex"),
        Example(_torus, {"vertices": "5-1", "move": (1, 0, 0)}, "A range that ends before it starts"),
        Example(_torus, {}, "Nothing changes"),
    ),
    tags=("mesh", "deform", "transform"),
)
def edit_mesh(mesh: Annotated[Mesh, "of which a part is moved"], params: PartParams, run: Run) -> Mesh:
    """Colours and values stay with their vertices; normals at moved vertices are taken anew from the triangles."""
    vertices = edited(mesh.vertices, params)
    normals = mesh.normals
    if normals is not None:
        touched = (vertices != mesh.vertices).any(1)
        normals = np.where(touched[:, None], vertex_normals(vertices, mesh.faces), normals).astype(np.float32)
    return mesh.replace(vertices=vertices, normals=normals)
