"""What to write where: formats, names, sizes and the command line of an export. Knows no widget."""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.dialogs.field_sizes import field_estimate, grid_text, time_count
from app.dialogs.transport_sizes import transport_estimate
from engines.core import Artifact, Params, UserError

if TYPE_CHECKING:
    from app.project.project import Project
    from app.project.records import Entry
    from engines.files import Writer

UNSAVED = "project.fieldwright"
EVERY_TIME = "ParaView time series, XDMF, HDF5, NetCDF and NumPy archives"
"""Formats that hold a field over time."""
MESH_BYTES = {".ply": (24, 13), ".stl": (0, 50), ".glb": (12, 12), ".vtp": (24, 24)}
"""Bytes of a binary mesh file for each vertex and each triangle."""
TEXT_FACTOR = {".ply": 3.0, ".stl": 5.0}


@dataclass
class Target:
    """One artifact on its way into a file."""

    entry: Entry
    writers: tuple[Writer, ...]
    writer: Writer
    extension: str
    file_name: str
    options: dict[str, Params] = field(default_factory=dict)
    grid: str = ""
    """On which grid a solution is written, in words."""

    def choose(self, writer: Writer, extension: str) -> None:
        """Another format; the file name follows."""
        for old in (self.extension, *self.writer.extensions):
            if self.file_name.lower().endswith(old):
                self.file_name = self.file_name[: -len(old)]
                break
        self.writer, self.extension = writer, extension
        self.file_name += extension

    @property
    def params(self) -> Params:
        return self.options.get(self.writer.key) or self.writer.options()

    def whole_name(self) -> str:
        """The file name with its extension, also where the user left it out. Raises UserError for a bad one."""
        name = self.file_name.strip()
        if not name or name in (".", "..") or re.search(r"[/\\\0]", name):
            raise UserError(f"'{name}' is not a file name.", mend="Type a name without slashes.")
        return name if name.lower().endswith(self.writer.extensions) else name + self.extension


PREFERRED = {
    "Mesh": ".ply",
    "GridField": ".vti",
    "Volume": ".nii.gz",
    "Slices": ".csl",
    "PointCloud": ".ply",
    "GaussianCloud": ".ply",
    "BoundGaussians": ".ply",
    "Photos": ".json",
    "CameraPath": ".camera_path.json",
    "Video": ".mp4",
    "SampledField": ".h5",
    "MeshField": ".vtu",
    "ElasticBody": ".vtu",
    "Solution": ".npz",
    "Trajectory": ".npz",
    "RiggedTemplate": ".glb",
    "HandAvatar": ".glb",
    "PoseSequence": ".poses.json",
}
"""What most tools read, until the user has chosen something else."""
PREFERRED_TEXTURED = ".glb"
"""For a mesh with a texture: everything is in one file."""


def entry_of(project: Project, key: str) -> Entry | None:
    """The entry of an artifact, or one that stands for the curves of a run."""
    from app.project.records import Entry

    run = project.runs.get(key)
    if run is None:
        return project.entries.get(key)
    curves = project.curves(key)
    points = sum(len(steps) for steps, _ in curves.values())
    summary = f"{len(curves)} curves, {points:,} points"
    name = f"{run.title or run.method} curves"
    return Entry(key, "Curve", name, run.started, "", run=key, summary=summary, nbytes=16 * points)


def load(project: Project, entry: Entry) -> Artifact:
    from app.jobs.curves import curves_artifact

    if entry.id in project.runs:
        return curves_artifact(project.curves(entry.id), entry.name)
    return project.artifact(entry.id)


def targets(project: Project, ids: Sequence[str], last: Mapping[str, str]) -> list[Target]:
    """A target for each artifact (or run: its curves) that can be written. Loads the writers: not for the GUI thread.

    The format is the one that was chosen last for this type.
    """
    from engines.files import writers_for

    found: list[Target] = []
    taken: set[str] = set()
    for key in ids:
        entry = entry_of(project, key)
        kind = Artifact.registry.get(entry.type) if entry is not None else None
        writers = tuple(writers_for(kind)) if kind is not None else ()
        if entry is None or not writers:
            continue
        preferred = PREFERRED_TEXTURED if "texture" in arrays_of(project, entry) else PREFERRED.get(entry.type)
        wanted = last.get(entry.type) or preferred
        fitting = [(w, wanted) for w in writers if wanted in w.extensions]
        writer, extension = fitting[0] if fitting else (writers[0], writers[0].extensions[0])
        stem = file_stem(entry.name)
        name, number = f"{stem}{extension}", 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}{extension}", number + 1
        taken.add(name.lower())
        grid = grid_text(project.artifact(key)) if entry.type in ("Solution", "Trajectory") else ""
        found.append(Target(entry, writers, writer, extension, name, grid=grid))
    return found


def file_stem(name: str) -> str:
    """A file name that every system takes."""
    clean = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", name).strip(" .-")
    return clean[:100] or "artifact"


def arrays_of(project: Project, entry: Entry) -> frozenset[str]:
    """Which of the arrays that decide how a mesh is written are there. Reads none of them."""
    found = set()
    for name in ("colors", "texture") if entry.type == "Mesh" else ():
        with contextlib.suppress(KeyError):
            project.array(entry.id, name)
            found.add(name)
    return frozenset(found)


def files(target: Target, project: Project, folder: Path) -> tuple[Path, ...]:
    """The file that is written, and those that would be replaced with it. Raises UserError for a bad name."""
    return target.writer.files(folder / target.whole_name(), arrays_of(project, target.entry))


def left_out(target: Target, project: Project) -> str:
    """What the format has no place for, in words; empty if there is nothing to say."""
    if "texture" not in arrays_of(project, target.entry) or "texture" in target.writer.holds:
        return ""
    instead = ": the vertices keep its colours" if "colors" in target.writer.holds else ", nor for colours"
    return f"The format has no place for it{instead}. OBJ and GLB keep it."


def remarks(target: Target, project: Project) -> list[tuple[str, str]]:
    """What is to be known of the file besides its name: in a few words, and more about it."""
    from engines.files import written_as

    found = []
    if said := left_out(target, project):
        found.append(("The texture is left out.", said))
    kind = Artifact.registry[target.entry.type]
    if target.grid and (written_as(kind, target.writer) or kind) is not kind:
        found.append((f"It is written on a grid: {target.grid}.", "'Sample a solution' gives it on any other."))
    times = time_count(target, project)
    if times > 1 and "time" in target.writer.options.model_fields:
        found.append(("It is written at one time.", f"{EVERY_TIME} keep all of them."))
    if target.writer.also:
        found.append(("More than one file is written.", target.writer.also))
    return found


def estimate(target: Target, project: Project) -> tuple[int, bool]:
    """Bytes the file will have, and whether that is an upper bound (the format packs them). Reads no array."""
    from engines.files import written_as

    entry, extension, options = target.entry, target.extension, target.params.model_dump()
    kind = Artifact.registry[entry.type]
    shape = written_as(kind, target.writer) or kind
    for estimated in (field_estimate, transport_estimate):
        if (known := estimated(target, kind, shape, project)) is not None:
            return known
    packed = bool(options.get("compress")) and not target.whole_name().lower().endswith(".nii")
    number = options.get("digits", 17) + 4  # sign, point, exponent or blank
    if shape.__name__ != "Mesh":
        nbytes = entry.nbytes
        if shape is not kind:  # splats of something: centres, axes, scales, opacities, colours, and normals of 0
            count, coefficients = project.array(entry.id, "sh").shape[:2]
            nbytes = 4 * count * (14 + 3 * coefficients)
        return int(nbytes * (number / 8 if "digits" in options else 1)) + 4_000, packed
    vertices, faces = (project.array(entry.id, path).shape[0] for path in ("vertices", "faces"))
    # Normals, colours, values; of what is converted, colours alone.
    more = entry.nbytes - 24 * vertices - 12 * faces if shape is kind else 4 * vertices
    worn = 0
    arrays = arrays_of(project, entry)
    if "texture" in arrays:
        picture = project.array(entry.id, "texture").nbytes
        more -= picture + 24 * faces
        if "texture" in target.writer.holds:
            # The picture is packed. Each corner may have a place of its own: a line and its number, or a whole vertex.
            worn = picture + 3 * faces * (27 + len(str(3 * faces)) if "digits" in options else 32)
        elif "colors" not in arrays:
            more += 4 * vertices
    packed |= worn > 0
    if "digits" in options:
        index = len(str(vertices)) + 1
        return worn + int(vertices * (3 * number + 3) + faces * (3 * index + 3) + more * number / 4), packed
    per_vertex, per_face = MESH_BYTES.get(extension, (24, 12))
    size = 1_000 + worn + per_vertex * vertices + per_face * faces + (0 if extension == ".stl" else more)
    return int(size * (TEXT_FACTOR.get(extension, 1) if options.get("encoding") == "ascii" else 1)), packed


def existing(chosen: Sequence[Target], project: Project, folder: Path) -> list[Path]:
    """Files that the export would replace. Raises UserError for a bad name or two of the same."""
    paths = [path for target in chosen for path in files(target, project, folder)]
    names = [path.name.lower() for path in paths]
    twice = next((p.name for p in paths if names.count(p.name.lower()) > 1), None)
    if twice is not None:
        raise UserError(f"Two files would be called '{twice}'.", mend="Give one of them another name.")
    return [path for path in paths if path.exists()]


def free_name(path: Path, extension: str, writes: Callable[[Path], Sequence[Path]] = lambda path: (path,)) -> str:
    """A file name like this one, such as ``"torus-2.ply"``, for which nothing of what would be written is there."""
    stem, number = path.name[: -len(extension)] if path.name.lower().endswith(extension) else path.stem, 2
    while any(file.exists() for file in writes(path.with_name(f"{stem}-{number}{extension}"))):
        number += 1
    return f"{stem}-{number}{extension}"


def keep_both(chosen: Sequence[Target], project: Project, folder: Path, there: Collection[Path]) -> None:
    """Give those artifacts another file name that would replace what is ``there``."""
    for target in chosen:
        if not set(there).isdisjoint(files(target, project, folder)):
            arrays = arrays_of(project, target.entry)

            def writes(path: Path, writer: Writer = target.writer, arrays: frozenset[str] = arrays) -> Sequence[Path]:
                return writer.files(path, arrays)

            target.file_name = free_name(folder / target.whole_name(), target.extension, writes)


def write_all(
    project: Project,
    chosen: Sequence[Target],
    folder: Path,
    stop: threading.Event,
    progress: Callable[[float, str], None],
) -> list[Path]:
    """Write one after the other; what is written when ``stop`` is set stays. Raises UserError.

    Gives all files, in the order of the artifacts. What :func:`existing` names is replaced.
    """
    from engines.files import write

    done = []
    for index, target in enumerate(chosen):
        if stop.is_set():
            break
        path = folder / target.whole_name()
        progress(index / len(chosen), f"Writing {path.name}")
        write(load(project, target.entry), path, target.params, target.writer.key, replace=True)
        done += [file for file in files(target, project, folder) if file.exists()]
    return done


def command_line(target: Target, project: Project, folder: Path) -> str:
    """The ``fieldwright export`` line that writes the same file."""
    names = [entry.name for entry in project.entries.values()]
    plain = names.count(target.entry.name) == 1 and target.entry.id in project.entries
    words = ["fieldwright", "export", str(project.path) if project.path else UNSAVED]
    words += [target.entry.name if plain else target.entry.id, str(folder / target.whole_name())]
    for name, text in target.params.texts(target.writer.options()).items():
        words += ["--set", f"{name}={text}"]
    fitting = [w for w in target.writers if target.whole_name().lower().endswith(w.extensions)]
    if fitting and fitting[0].key != target.writer.key:
        words += ["--format", target.writer.key]
    return shlex.join(words)
