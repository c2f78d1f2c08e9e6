"""The materials of an OBJ file: MTL files beside it, and the pictures that they name (``map_Kd``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.core import UserError
from engines.data import Mesh
from engines.files import guard
from engines.files.textures import Material, joined, picture_of, png_bytes

MTL_LIMIT = 1 << 24
MAP_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1, "-texres": 1, "-bm": 1, "-boost": 1, "-mm": 2,
    "-o": 3, "-s": 3, "-t": 3, "-type": 1,
}  # fmt: skip
"""Words after a map's options; ``-o``, ``-s`` and ``-t`` take one to three numbers."""


def name_after(line: bytes) -> str:
    """What stands after the first word of a line."""
    return (line.decode("utf-8", "replace").strip().split(None, 1)[1:] or [""])[0]


def worn(
    path: Path, lines: list[bytes], at: np.ndarray, texture_at: np.ndarray, places: np.ndarray, problems: list[str],
    corners: tuple[np.ndarray, np.ndarray], files: list[Path],
) -> tuple[np.ndarray, np.ndarray] | None:  # fmt: skip
    """(F, 3, 2) places and the picture of the triangles of an OBJ file, or None if it has none that can be read.

    ``at``: numbers of the lines ``f``, ``corners``: for each triangle its number among these, and the numbers (F, 3) of
    its corners in ``texture_at``, which leads to ``places`` (n, 2), -1 to none. What was read
    besides is added to ``files``.
    """
    kinds = np.array([line[:6] for line in lines], dtype="S6")
    materials = library(path, [name_after(lines[i]) for i in np.flatnonzero(kinds == b"mtllib")], problems, files)
    uses = np.flatnonzero(kinds == b"usemtl")
    names = [name_after(lines[i]) for i in uses]
    missing = sorted({name for name in names if name not in materials})
    if materials and missing:
        problems.append(f"{len(missing)} materials are not described, such as '{missing[0][:40]}'.")
    known = [Material(), *(materials.get(name, Material()) for name in names)]
    number, inner = corners
    # Of the same name in several lines: one material.
    first = [0, *(1 + names.index(name) for name in names)]
    of_face = np.array(first)[np.searchsorted(uses, at)[number]]
    has = (texture_at[inner] >= 0).all(1)
    uv = np.where(has[:, None, None], places[texture_at[inner]] if len(places) else 0.0, 0.0)
    # A face without places shows the colour of its material.
    known += [Material(material.colour) for material in known]
    return joined(known, np.where(has, of_face, of_face + len(known) // 2), uv, problems)


def library(path: Path, names: list[str], problems: list[str], files: list[Path]) -> dict[str, Material]:
    """The materials that an OBJ file names; what cannot be read goes to ``problems``, what was read to ``files``."""
    found: dict[str, Material] = {}
    for name in dict.fromkeys(names):
        # Several names may stand on one line; a name may have blanks in it.
        listed = [name] if len(name.split()) < 2 or _is_there(path, name) else name.split()
        for file in listed:
            try:
                where = guard.beside(path, file.replace("\\", "/"), "materials")
                found |= _materials(where, problems, files)
                files.append(where)
            except (UserError, OSError) as error:
                problems.append(_told("Materials are not loaded", error))
    return found


def _is_there(path: Path, name: str) -> bool:
    try:
        return (path.parent / name).is_file()
    except (OSError, ValueError):
        return False


def _told(what: str, error: UserError | OSError) -> str:
    said = f"{error.what} {error.why}".strip() if isinstance(error, UserError) else f"{error.strerror or error}."
    return f"{what}: {said}"


def _materials(where: Path, problems: list[str], files: list[Path]) -> dict[str, Material]:
    found: dict[str, Material] = {}
    pictures: dict[str, np.ndarray | None] = {}
    name = ""
    for line in guard.read_text(where, MTL_LIMIT).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            name = rest.strip()
            found[name] = Material()
        elif word == "Kd" and name in found:
            try:
                colour = tuple(float(number) for number in rest.split()[:3])
            except ValueError:
                continue
            if len(colour) == 3:
                found[name] = Material(colour, found[name].picture)
        elif word == "map_Kd" and name in found:
            file = _map_file(rest)
            if file not in pictures:
                pictures[file] = _picture(where, file, problems, files)
            found[name] = Material(found[name].colour, pictures[file])
    return found


def _picture(where: Path, file: str, problems: list[str], files: list[Path]) -> np.ndarray | None:
    """A picture beside a material file or below its folder."""
    try:
        image = guard.beside(where, file, "a texture")
        found = picture_of(image, guard.read_bytes(image, 1 << 30), file)
        files.append(image)
        return found
    except (UserError, OSError) as error:
        problems.append(_told("A texture is not loaded", error))
        return None


def _map_file(rest: str) -> str:
    """The file name after the options of a map."""
    words = rest.strip().replace("\\", "/")
    while words.startswith("-"):
        option, _, words = words.partition(" ")
        for _ in range(MAP_OPTIONS.get(option, 0)):
            value, _, after = words.lstrip().partition(" ")
            if option in ("-o", "-s", "-t") and not guard.is_number(value):
                break
            words = after
        words = words.lstrip()
    return words


def companions(path: Path) -> tuple[Path, Path]:
    """The MTL and the PNG file of an OBJ file. Many readers end a name at a blank."""
    stem = "_".join(path.name[: -len(path.suffix)].split()) if path.suffix else path.name
    return path.with_name(f"{stem}.mtl"), path.with_name(f"{stem}.png")


def write_material(mesh: Mesh, path: Path) -> str:
    """Write the material of a mesh, and its picture, beside an OBJ file; gives the lines that name them."""
    assert mesh.texture is not None
    description, picture = companions(path)
    picture.write_bytes(png_bytes(mesh.texture))
    text = f"newmtl texture\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture.name}\n"
    description.write_text(text, encoding="utf-8", newline="\n")
    return f"mtllib {description.name}\nusemtl texture\n"
