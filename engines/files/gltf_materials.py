"""The pictures of glTF materials: base colours, in the file or beside it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.core import UserError
from engines.files import guard
from engines.files.gltf_document import Arrays, index_of
from engines.files.textures import Material, joined, picture_of

if TYPE_CHECKING:
    from engines.files.glb import Piece

UNLIT = "KHR_materials_unlit"


def places(
    document: dict[str, Any], arrays: Arrays, attributes: dict[str, int], material: int | None, count: int
) -> np.ndarray | None:
    """(count, 2) places of vertices in the picture of their material, v upwards; None where there is no picture."""
    info = _picture_info(document, material)
    if info is None:
        return None
    name = f"TEXCOORD_{index_of(info.get('texCoord', 0))}"
    if name not in attributes:
        return None
    found = arrays.numbers(attributes[name], 2)
    if len(found) != count:
        raise ValueError(f"{name} has {len(found)} items for {count} vertices")
    return found * np.float32([1, -1]) + np.float32([0, 1])


def _entry(document: dict[str, Any], material: int | None) -> dict[str, Any]:
    return {} if material is None else document["materials"][index_of(material)].get("pbrMetallicRoughness", {})


def _picture_info(document: dict[str, Any], material: int | None) -> dict[str, Any] | None:
    found = _entry(document, material).get("baseColorTexture")
    return found if isinstance(found, dict) else None


def worn(
    path: Path, document: dict[str, Any], arrays: Arrays, pieces: list[Piece], problems: list[str]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(F, 3, 2) places and the picture of all pieces together; None if none has a picture that can be read."""
    # A piece without places shows its material's colour alone.
    keys = [(piece.material, piece.uv is not None) for piece in pieces]
    if not any(has for _, has in keys):
        return None
    distinct = list(dict.fromkeys(keys))
    materials = [_material(path, document, arrays, material, has, problems) for material, has in distinct]
    of_face = np.concatenate([np.full(len(p.faces), distinct.index(k)) for p, k in zip(pieces, keys, strict=True)])
    uv = [np.zeros((len(p.faces), 3, 2), np.float32) if p.uv is None else p.uv for p in pieces]
    return joined(materials, of_face, np.concatenate(uv), problems)


def _material(
    path: Path, document: dict[str, Any], arrays: Arrays, material: int | None, has: bool, problems: list[str]
) -> Material:
    factor = np.array(_entry(document, material).get("baseColorFactor", (1, 1, 1, 1)), np.float64).reshape(4)
    factor = np.nan_to_num(factor).clip(0, 1)
    colour = tuple(np.where(factor <= 0.0031308, 12.92 * factor, 1.055 * factor ** (1 / 2.4) - 0.055)[:3].tolist())
    info = _picture_info(document, material)
    if not has or info is None:
        return Material(colour)
    if "KHR_texture_transform" in info.get("extensions", {}):
        problems.append("A texture is moved or scaled by its material; it is shown without that.")
    try:
        picture = _picture(path, document, arrays, index_of(info["index"]))
    except UserError as error:
        problems.append(f"A texture is not loaded: {error.what} {error.why}".strip())
        return Material(colour)
    if (factor[:3] < 1).any():
        picture = picture.copy()
        picture[..., :3] = np.rint(picture[..., :3] * np.array(colour)).astype(np.uint8)
    return Material(colour, picture)


def _picture(path: Path, document: dict[str, Any], arrays: Arrays, texture: int) -> np.ndarray:
    entry = document["textures"][texture]
    if "source" not in entry:
        raise guard.refuse(path, "has a texture of a kind that is not read.", "PNG and JPEG are.")
    image = document["images"][index_of(entry["source"])]
    if "bufferView" in image:
        return picture_of(path, arrays.bytes(index_of(image["bufferView"])), "texture")
    uri = str(image["uri"])
    if not uri.startswith("data:"):
        if path.suffix.lower() == ".glb":
            raise guard.refuse(path, "needs a file outside itself.", f"It names '{uri[:60]}'.")
        return picture_of(path, guard.read_bytes(guard.beside(path, uri, "a texture"), 1 << 30), uri)
    head, _, body = uri.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("it is not base64")
        return picture_of(path, base64.b64decode(body, validate=True), "texture")
    except (ValueError, binascii.Error) as error:
        raise guard.refuse(path, "has a damaged texture.", f"{error}."[:200]) from None


def description(picture: np.ndarray, repeats: bool, view: int, unlit: bool) -> dict[str, Any]:
    """The part of a document that describes one material, whose PNG file is the buffer view ``view``."""
    material: dict[str, Any] = {
        "name": "texture",
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0},
    }
    if picture.shape[2] == 4 and (picture[..., 3] < 255).any():
        material["alphaMode"] = "MASK"
    # Without smaller copies, in which the colours of neighbours would run into each other.
    sampler = {"magFilter": 9729, "minFilter": 9729, **dict.fromkeys(("wrapS", "wrapT"), 10497 if repeats else 33071)}
    found = {
        "materials": [material],
        "textures": [{"source": 0, "sampler": 0}],
        "images": [{"bufferView": view, "mimeType": "image/png"}],
        "samplers": [sampler],
    }
    if unlit:
        material["extensions"] = {UNLIT: {}}
        return {**found, "extensionsUsed": [UNLIT]}
    return found
