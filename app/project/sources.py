"""Where a dataset came from, and files that a project links to instead of holding what is in them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.project.hdf5 import check_memory
from engines.core import Artifact, UserError, versions

MOST_LISTED = 48_000
"""Bytes of the list of a link's files: an attribute of an HDF5 file has room for 64 kB."""
LinkState = Literal["there", "changed", "missing"]


@dataclass(frozen=True)
class Provenance:
    """How a dataset came to be outside of a run: the reader of its file, and the preparation or source that made it.

    ``role`` is that of the method ("preparation", "source"), "" for what was only read. ``input_hash`` is the content
    hash of what a preparation was given.
    """

    role: str = ""
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    output: str = ""
    input_hash: str = ""
    reader: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=versions)

    def to_json(self) -> dict[str, Any]:
        return _plain(self)

    @staticmethod
    def from_json(data: Any) -> Provenance | None:
        """None for what cannot be one; tolerates missing fields and those of other versions."""
        found = _mapping(data)
        if not found:
            return None
        texts = {key: str(found.get(key) or "") for key in ("role", "method", "output", "input_hash", "reader")}
        seed = found.get("seed")
        return Provenance(
            **texts,
            seed=seed if isinstance(seed, int) else 0,
            params=_mapping(found.get("params")),
            options=_mapping(found.get("options")),
            versions={str(k): str(v) for k, v in _mapping(found.get("versions")).items()},
        )


@dataclass(frozen=True)
class Link:
    """A file that holds an artifact: where it lies, what it must be, and how it is read.

    ``path`` is absolute, ``relative`` leads there from the project's folder ("" where it cannot). ``size`` (bytes) and
    ``hash`` (BLAKE2b, 32 hex digits) are those of the file. ``index`` is the artifact's number among those that
    ``reader`` gives with ``options``; ``unit`` is put in place of the file's when it is not None. ``files`` are those
    that are read with it, such as photos: size and hash by the way there from its folder, or from itself where it is
    a folder; then ``size`` and ``hash`` are 0 and "".
    """

    path: str
    size: int
    hash: str
    reader: str
    options: Mapping[str, Any] = field(default_factory=dict)
    index: int = 0
    unit: str | None = None
    relative: str = ""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return _plain(self)

    @staticmethod
    def from_json(data: Any) -> Link | None:
        """None for what cannot be one."""
        found = _mapping(data)
        if not found.get("path"):
            return None
        size, index, unit = found.get("size"), found.get("index"), found.get("unit")
        return Link(
            path=str(found["path"]),
            size=size if isinstance(size, int) else 0,
            hash=str(found.get("hash") or ""),
            reader=str(found.get("reader") or ""),
            options=_mapping(found.get("options")),
            index=index if isinstance(index, int) else 0,
            unit=None if unit is None else str(unit),
            relative=str(found.get("relative") or ""),
            files=_files(found.get("files")),
        )

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def places(self, folder: Path | None) -> list[Path]:
        """Where the file may lie: beside the project as it did, else where it was."""
        near = [Path(os.path.normpath(folder / self.relative))] if folder is not None and self.relative else []
        return [*near, *([Path(self.path)] if Path(self.path) not in near else [])]

    def seen_from(self, folder: Path | None, before: Path | None) -> Link:
        """The link as a project in ``folder`` has it, that of one in ``before`` being this."""
        there = next((place for place in self.places(before) if self.looks_right(place)), Path(self.path))
        relative = ""
        with contextlib.suppress(ValueError):  # another drive
            relative = os.path.relpath(there, folder) if folder is not None else ""
        return dataclasses.replace(self, path=str(there), relative=relative)

    def state(self, folder: Path | None) -> LinkState:
        """A quick look: by size only."""
        places = self.places(folder)
        if any(self.looks_right(place) for place in places):
            return "there"
        return "changed" if any(place.exists() for place in places) else "missing"

    @property
    def whole_size(self) -> int:
        """Bytes of all its files."""
        return self.size + sum(size for size, _ in self.files.values())

    def looks_right(self, place: Path) -> bool:
        """Whether the files at ``place`` have the sizes that they should have."""
        return self._at(place) == self.size and self.differs(place, content=False) == ""

    def differs(self, place: Path, *, content: bool = True) -> str:
        """The name of a file that is not what it was; "" if all are. Reads them all, for ``content``."""
        root = place if place.is_dir() else place.parent
        if self._at(place) != self.size or (content and self.hash and file_hash(place) != self.hash):
            return place.name
        for name, (size, digest) in self.files.items():
            file = root / name
            if _size(file) != size or (content and not file_hash(file).startswith(digest)):
                return name
        return ""

    def _at(self, place: Path) -> int | None:
        return 0 if self.files and not self.hash and place.is_dir() else _size(place)


class Item(NamedTuple):
    """Something to be added to a project."""

    artifact: Artifact
    name: str = ""
    origin: str = ""
    provenance: Provenance | None = None
    link: Link | None = None


def link_to(
    path: Path,
    reader: str,
    options: Mapping[str, Any] | None = None,
    index: int = 0,
    unit: str | None = None,
    files: Iterable[Path] = (),
) -> Link:
    """A link to a file as it is now, and to ``files`` that are read with it; to these alone where it is a folder.

    Reads them once for their hashes; raises :class:`UserError` when one cannot be read.
    """
    where = path.expanduser().absolute()
    root = where if where.is_dir() else where.parent
    real = root.resolve()
    beside = {os.path.relpath(file.resolve(), real): (os.path.getsize(file), file_hash(file)[:16]) for file in files}
    if len(json.dumps(beside)) > MOST_LISTED:
        if where.is_dir():
            raise UserError(
                f"'{where.name}' holds too many files to be linked.",
                f"{len(beside):,}; a project can keep watch over about {MOST_LISTED // 70:,}.",
                "Embed it, or link to parts of it.",
            )
        beside = {}  # what is read is still compared as a whole
    size = 0 if where.is_dir() and beside else _size(where)
    if size is None:
        raise UserError(f"There is no file '{where}'.", mend="Check the path.")
    digest = file_hash(where) if where.is_file() else ""
    return Link(str(where), size, digest, reader, dict(options or {}), index, unit, files=beside)


def file_hash(path: Path) -> str:
    """BLAKE2b of a file's bytes. Raises :class:`UserError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        why = f"{error.strerror or error}."
        raise UserError(f"'{path.name}' cannot be read.", why, "Check that it exists and may be read.") from error


def load_link(link: Link, folder: Path | None, content_hash: str, nbytes: int = 0) -> Artifact:
    """Read what is linked, checked against size and hash of its file and then against its content.

    Raises :class:`UserError` when the file is gone, was changed, or cannot be read.
    """
    found = [place for place in link.places(folder) if link._at(place) is not None]
    if not found:
        raise UserError(
            f"The linked file '{link.name}' is gone.",
            f"It was at '{link.path}'.",
            "Put it back, or show where it lies now (fieldwright relink).",
        )
    other = {place: link.differs(place) for place in found}
    same = next((place for place in found if not other[place]), None)
    if same is None:
        raise _changed(found[0], other[found[0]])
    check_memory(nbytes, f"'{link.name}'")
    artifact = read_linked(link, same)
    if artifact.content_hash() != content_hash:  # a data file beside it was changed
        raise _changed(same)
    return artifact


def read_linked(link: Link, path: Path) -> Artifact:
    """What the file at ``path`` holds, read as the link says."""
    from engines.files import READERS, read  # the formats need not be loaded for the tree

    if link.reader not in READERS:
        raise UserError(
            f"'{link.name}' was read as '{link.reader}', which is not known here.",
            mend="Install the plug-in, or update Fieldwright.",
        )
    loaded = read(path, READERS[link.reader].options.parse(link.options), link.reader).artifacts
    if not 0 <= link.index < len(loaded):
        raise _changed(path)
    artifact = loaded[link.index]
    return artifact if link.unit is None or not hasattr(artifact, "unit") else artifact.replace(unit=link.unit)


def moved_link(link: Link, path: Path, content_hash: str, folder: Path | None) -> Link:
    """The link to where its file lies now. The same content is enough: it may have been packed anew.

    Raises :class:`UserError` when the file holds something else.
    """
    if path.is_dir():
        from engines.files import file_of

        path = file_of(path, link.reader)
    root = path if path.is_dir() else path.parent
    there = [root / name for name in link.files]
    lost = [name for name, file in zip(link.files, there, strict=True) if not file.is_file()]
    if lost:
        raise UserError(
            f"{len(lost):,} of {len(there):,} files that '{link.name}' was read with are not there.",
            f"In '{root}' there is no '{lost[0]}'" + (f", and {len(lost) - 1:,} others." if lost[1:] else "."),
            "Choose the place to which all of them were moved.",
        )
    fresh = link_to(path, link.reader, link.options, link.index, link.unit, there)
    if (fresh.hash, fresh.files) != (link.hash, link.files) and read_linked(
        fresh, Path(fresh.path)
    ).content_hash() != content_hash:
        raise UserError(
            f"'{path.name}' holds something else than '{link.name}' did.",
            "Results that were made from it would no longer fit.",
            "Choose the same file, or import this one anew.",
        )
    return fresh.seen_from(folder, None)


def _changed(path: Path, name: str = "") -> UserError:
    file = path if name in ("", path.name) else (path if path.is_dir() else path.parent) / name
    return UserError(
        f"The linked file '{file.name}' was changed since it was imported.",
        f"'{file}' holds other bytes now." if file.exists() else f"'{file}' is not there any more.",
        "Bring the old one back, show where it lies now (fieldwright relink), or import the new one.",
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None


def _mapping(value: Any) -> dict[str, Any]:
    """A dictionary from a mapping or its JSON; empty for anything else."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def _files(value: Any) -> dict[str, tuple[int, str]]:
    """Sizes and hashes by name; what is none is left out."""
    found = {}
    for name, pair in _mapping(value).items():
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], int):
            found[name] = pair[0], str(pair[1])
    return found


def _plain(item: Provenance | Link) -> dict[str, Any]:
    return {f.name: dict(v) if isinstance(v := getattr(item, f.name), Mapping) else v for f in dataclasses.fields(item)}
