"""glTF 2.0 (.glb, .gltf): triangles and Gaussians with the transforms of their scene; of materials, their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engines.blocks.mesh_topology import equal_rows
from engines.core import Artifact, Param, Params
from engines.data import GaussianCloud, Mesh
from engines.files import gltf_materials, guard
from engines.files.gltf_building import INDICES, VERTICES, GlbBuilder
from engines.files.gltf_document import Arrays, files_beside, index_of, node_matrix, open_document
from engines.files.gltf_gaussians import EXTENSION, Up, gaussians_of
from engines.files.registry import Loaded, reader, writer
from engines.files.textures import png_bytes
from engines.files.triangles import checked_faces, finite

MOST_CORNERS = 100_000_000  # one small mesh can stand in a scene many times
MOST_DEPTH = 64


class Piece(NamedTuple):
    """A part of a scene as it is shown: ``uv`` (F, 3, 2) are places in the picture of its material."""

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray | None
    colors: np.ndarray | None
    uv: np.ndarray | None
    material: int | None


class GlbReadOptions(Params):
    unit: str = Param("m", help="Length unit; glTF says metres")
    up: Up = Param("-y", help="Which axis shall point up in Gaussian clouds; -y is that of photos, y that of the file")


class GlbWriteOptions(Params):
    unlit: bool = Param(True, help="Show a texture as it is: light and shadow of photos are in it already")


@reader(
    key="glb",
    title="glTF scene",
    extensions=(".glb", ".gltf"),
    gives=(Mesh, GaussianCloud),
    options=GlbReadOptions,
)
def read_glb(path: Path, options: GlbReadOptions) -> Loaded:
    document, buffers = open_document(path)
    scene = _Scene(path, document, buffers)
    try:
        pieces = scene.pieces()
        problems = [f"{len(pieces)} parts were joined into one mesh."] if len(pieces) > 1 else []
        if document.get("skins"):
            problems.append("It has joints, which a mesh has not: read it as 'Rigged template (glTF)' to keep them.")
        artifacts: list[Artifact] = [_mesh(scene, pieces, options.unit, problems)] if pieces else []
        if pieces and scene.splats:
            problems.append("The axes of the Gaussians were kept, so that they fit the mesh.")
        for primitive, matrix in scene.splats:
            up: Up = "y" if pieces else options.up
            loaded = gaussians_of(path, scene.arrays, primitive, matrix, up, options.unit)
            artifacts += loaded.artifacts
            problems += loaded.problems
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        detail = f"{type(error).__name__}: {error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "has a damaged scene description.", detail) from error
    if not artifacts:
        raise guard.refuse(path, "has no triangles and no Gaussians.", "Its scene shows no mesh.")
    return Loaded(tuple(artifacts), tuple(problems), files_beside(path, document))


def _mesh(scene: _Scene, pieces: list[Piece], unit: str, problems: list[str]) -> Mesh:
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces[:-1])])
    faces = np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=True)]).astype(np.int32)
    vertices = np.concatenate([piece.vertices for piece in pieces])
    normals = [piece.normals for piece in pieces]
    colors = [piece.colors for piece in pieces]
    extra = {
        "normals": np.concatenate(normals) if all(n is not None for n in normals) else None,  # type: ignore[arg-type]
        "colors": np.concatenate(colors) if all(c is not None for c in colors) else None,  # type: ignore[arg-type]
    }
    worn = gltf_materials.worn(scene.path, scene.document, scene.arrays, pieces, problems)
    if worn is not None:
        # A corner has one place in a texture here; in the file every vertex has, and is there once for each.
        kept, where = equal_rows(vertices + 0.0, *(values for values in extra.values() if values is not None))
        vertices, faces = vertices[kept], where[faces].astype(np.int32)
        extra = {name: None if values is None else values[kept] for name, values in extra.items()}
        extra |= dict(zip(("uv", "texture"), worn, strict=True))
    return Mesh(name=scene.path.stem, vertices=vertices, faces=faces, unit=unit, **extra)  # type: ignore[arg-type]


class _Scene:
    """Walks the nodes of one document. Wrong structure raises KeyError, TypeError and their like."""

    def __init__(self, path: Path, document: dict[str, Any], buffers: list[bytes]) -> None:
        self.path, self.document = path, document
        self.arrays = Arrays(path, document, buffers)
        self.found: list[Piece] = []
        self.splats: list[tuple[dict[str, Any], np.ndarray]] = []
        self.corners = 0
        self.visits = 0

    def pieces(self) -> list[Piece]:
        """Each part as the scene shows it."""
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes")
        if scenes:
            roots = scenes[self.document.get("scene", 0)].get("nodes", [])
        else:
            children = {c for node in nodes for c in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in children]
        for root in roots:
            self.visit(root, np.eye(4), 0)
        if not nodes:
            for index in range(len(self.document.get("meshes", []))):
                self.add(index, np.eye(4))
        return self.found

    def visit(self, index: int, parent: np.ndarray, depth: int) -> None:
        self.visits += 1
        if depth > MOST_DEPTH or self.visits > 100_000:
            raise guard.refuse(self.path, "has a scene that is nested too deeply.", "Its nodes may contain each other.")
        node = self.document["nodes"][index_of(index)]
        matrix = parent @ node_matrix(node)
        if "mesh" in node:
            self.add(node["mesh"], matrix)
        for child in node.get("children", []):
            self.visit(child, matrix, depth + 1)

    def add(self, mesh: int, matrix: np.ndarray) -> None:
        for primitive in self.document["meshes"][index_of(mesh)]["primitives"]:
            mode = primitive.get("mode", 4)
            if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
                raise guard.refuse(self.path, "is packed with Draco.", "", "Export it without mesh compression.")
            if mode == 0 and EXTENSION in primitive.get("extensions", {}):
                self.splats.append((primitive, matrix))
                self.corners += 2 * len(self.arrays.raw(primitive["attributes"]["POSITION"], 3))
                if self.corners > MOST_CORNERS:
                    raise guard.refuse(self.path, "is too large.", "Its scene has more than 50 million Gaussians.")
                continue
            if mode not in (4, 5, 6):
                continue  # points and lines
            attributes = primitive["attributes"]
            local = finite(self.path, self.arrays.raw(attributes["POSITION"], 3).astype(np.float64))
            order = np.arange(len(local))
            if "indices" in primitive:
                order = self.arrays.raw(primitive["indices"], 1).astype(np.int64).reshape(-1)
            self.corners += len(order) + len(local)
            if self.corners > MOST_CORNERS:
                raise guard.refuse(self.path, "is too large.", "Its scene has more than 100 million corners.")
            faces = checked_faces(self.path, triangles_of(order, mode), len(local))
            with np.errstate(all="ignore"):
                vertices = local @ matrix[:3, :3].T + matrix[:3, 3]
            finite(self.path, vertices)
            if np.linalg.det(matrix[:3, :3]) < 0:
                faces = faces[:, ::-1]  # a mirror turns faces inside out
            normals, colors = self.normals(attributes, matrix, len(local)), colors_of(self.arrays, attributes)
            material = primitive.get("material")
            places = gltf_materials.places(self.document, self.arrays, attributes, material, len(local))
            uv = None if places is None else places[faces]
            self.found.append(Piece(vertices, faces, normals, colors, uv, material))

    def normals(self, attributes: dict[str, int], matrix: np.ndarray, count: int) -> np.ndarray | None:
        if "NORMAL" not in attributes or abs(np.linalg.det(matrix[:3, :3])) < 1e-30:
            return None
        normals = self.arrays.raw(attributes["NORMAL"], 3).astype(np.float64)
        if not np.array_equal(matrix[:3, :3], np.eye(3)):
            normals = normals @ np.linalg.inv(matrix[:3, :3])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        if len(normals) != count or not np.isfinite(lengths).all():
            return None
        off = (lengths > 0) & (np.abs(lengths - 1) > 1e-5)  # unit normals keep their bits
        return np.asarray(normals / np.where(off, lengths, 1), dtype=np.float32)


def colors_of(arrays: Arrays, attributes: dict[str, int]) -> np.ndarray | None:
    """(V, 4) uint8 of a primitive, or None where it has none."""
    if "COLOR_0" not in attributes:
        return None
    values = arrays.raw(attributes["COLOR_0"], None)
    scale = {"f": 255.0, "u": 255.0 / np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1.0}
    rgba = np.full((len(values), 4), 255.0)
    rgba[:, : values.shape[1]] = np.nan_to_num(values.astype(np.float64)) * scale.get(values.dtype.kind, 1.0)
    return rgba.clip(0, 255).round().astype(np.uint8)


def triangles_of(order: np.ndarray, mode: int) -> np.ndarray:
    """(F, 3) from a list (mode 4), a strip (5) or a fan (6) of corners."""
    if mode == 4:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if len(order) < 3:
        return np.zeros((0, 3), np.int64)
    i = np.arange(len(order) - 2)
    if mode == 6:
        return order[np.stack([np.zeros_like(i), i + 1, i + 2], axis=1)]
    return order[np.stack([i, i + 1 + i % 2, i + 2 - i % 2], axis=1)]


@writer(
    key="glb",
    title="GLB mesh",
    extensions=(".glb",),
    takes=(Mesh,),
    options=GlbWriteOptions,
    holds=("colors", "texture"),
)
def write_glb(mesh: Mesh, path: Path, options: GlbWriteOptions) -> None:
    """Positions are stored in float32, as the format has them. With a texture, vertex colours are left out: a viewer
    would multiply both."""
    vertices, normals, faces, places = mesh.vertices, mesh.normals, mesh.faces, None
    if mesh.uv is not None:
        # Here a vertex has one place in the texture, so it is there once for each.
        corners = faces.reshape(-1)
        order = np.argsort(corners, kind="stable")  # so that vertices stay in their order
        kept, where = equal_rows(corners[order], mesh.uv.reshape(-1, 2)[order])
        kept, where = order[kept], where[np.argsort(order)]
        vertices, faces = vertices[corners[kept]], where.reshape(-1, 3)
        normals = None if normals is None else normals[corners[kept]]
        places = mesh.uv.reshape(-1, 2)[kept] * np.float32([1, -1]) + np.float32([0, 1])
    made = GlbBuilder()
    attributes = {"POSITION": made.add(vertices.astype("<f4"), VERTICES)}
    if normals is not None:
        attributes["NORMAL"] = made.add(normals.astype("<f4"), VERTICES)
    if places is not None:
        attributes["TEXCOORD_0"] = made.add(places.astype("<f4"), VERTICES)
    elif mesh.colors is not None:
        attributes["COLOR_0"] = made.add(mesh.colors, VERTICES, fractions=True)
    primitive = {"attributes": attributes, "indices": made.add(faces.astype("<u4").reshape(-1, 1), INDICES), "mode": 4}
    document: dict[str, Any] = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": mesh.name or "mesh"}],
        "meshes": [{"primitives": [primitive]}],
    }
    if mesh.texture is not None and mesh.uv is not None:
        picture = made.add_file(png_bytes(mesh.texture))
        primitive["material"] = 0
        document |= gltf_materials.description(mesh.texture, mesh.texture_repeats, picture, options.unlit)
    path.write_bytes(made.file(document))
