"""Readers and writers by format: one file per format registers itself here."""

from __future__ import annotations

import contextlib
import fnmatch
import inspect
import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engines.core import Artifact, Params, UserError


@dataclass(frozen=True)
class Loaded:
    """What a reader found: artifacts, and problems that the user should see before adding them.

    ``files`` are those that were read besides the one that was opened, such as the photos that it names.
    """

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Reader:
    """``names`` are patterns of file names that tell the format better than an extension does (``"cameras.bin"``).

    A folder that holds such a file, itself or in one of ``within``, is read by reading that file; with
    ``whole_folder`` the folder is read, and the files in it are not known by these names when they are opened alone.
    """

    key: str
    title: str
    extensions: tuple[str, ...]
    gives: tuple[type[Artifact], ...]
    function: Callable[..., Loaded]
    options: type[Params]
    names: tuple[str, ...] = ()
    within: tuple[str, ...] = ("",)
    whole_folder: bool = False
    first: bool = False
    """Of a folder in which others find files, too, it is to be asked first."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Of the files that it reads, as a dialog wants them (``"*.ply"``, ``"cameras.bin"``)."""
        return () if self.whole_folder else (*(f"*{e}" for e in self.extensions), *self.names)

    @property
    def tells(self) -> bool:
        """Whether it says how far it is, and can be stopped."""
        return "tell" in inspect.signature(self.function).parameters


@dataclass(frozen=True)
class Writer:
    """``folder``: what is written may be more than one file; the others lie beside the one that is named.

    ``beside(path, arrays)`` names those others that belong to that file alone, so that they are replaced with it, for
    an artifact with these arrays. ``holds``: what a mesh may have and only some formats can hold. ``also``: words for
    what is always written beside the file.
    """

    key: str
    title: str
    extensions: tuple[str, ...]
    takes: tuple[type[Artifact], ...]
    function: Callable[[Any, Path, Any], None]
    options: type[Params]
    folder: bool = False
    beside: Callable[[Path, Collection[str]], tuple[Path, ...]] = lambda path, arrays: ()
    holds: tuple[str, ...] = ()
    also: str = ""

    def files(self, path: Path, arrays: Collection[str]) -> tuple[Path, ...]:
        """The files that are written, or replaced, at ``path``."""
        return (path, *self.beside(path, arrays))


class Question(UserError):  # noqa: N818 - it is one
    """A file can be read in more than one way, and nothing in it says which.

    ``answers`` are words for each way and the options that choose it, the likeliest first.
    """

    def __init__(self, what: str, why: str, mend: str, answers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(what, why, mend)
        self.answers = answers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.why, self.mend, self.answers)


class NoOptions(Params):
    """For formats without options."""


Tell = Callable[[float, str], None]
"""What a reader of many files calls with the part that is done (0 to 1) and words for it.

It may raise :class:`Cancelled`, which stops the reading. Readers that have a parameter ``tell`` are given one.
"""


def silent(fraction: float, text: str) -> None:
    """For those who do not want to know."""


F = TypeVar("F", bound=Callable[..., Loaded])

READERS: dict[str, Reader] = {}
WRITERS: dict[str, Writer] = {}
CONVERSIONS: dict[type[Artifact], dict[type[Artifact], Callable[[Any], Artifact]]] = {}
"""What artifacts of a type can be written as besides themselves: in the formats of these other types."""


def reader(
    *,
    key: str,
    title: str,
    extensions: Sequence[str],
    gives: Sequence[type[Artifact]],
    options: type[Params] = NoOptions,
    names: Sequence[str] = (),
    within: Sequence[str] = ("",),
    whole_folder: bool = False,
    first: bool = False,
) -> Callable[[F], F]:
    """Register ``function(path, options) -> Loaded``. Extensions are lower case with their dot (``".nii.gz"``).

    So are ``names``, in the order in which a folder is searched for them. A third parameter ``tell`` is a
    :data:`Tell`.
    """

    def register(function: F) -> F:
        READERS[key] = Reader(
            key, title, tuple(extensions), tuple(gives), function, options, tuple(names), tuple(within), whole_folder,
            first,
        )  # fmt: skip
        return function

    return register


def writer(
    *,
    key: str,
    title: str,
    extensions: Sequence[str],
    takes: Sequence[type[Artifact]],
    options: type[Params] = NoOptions,
    folder: bool = False,
    beside: Callable[[Path, Collection[str]], tuple[Path, ...]] = lambda path, arrays: (),
    holds: Sequence[str] = (),
    also: str = "",
) -> Callable[[Callable[[Any, Path, Any], None]], Callable[[Any, Path, Any], None]]:
    """Register ``function(artifact, path, options)``; the rest is as in :class:`Writer`.

    A ``folder`` writer gets a path in an empty folder and may put other files and folders beside that path.
    """

    def register(function: Callable[[Any, Path, Any], None]) -> Callable[[Any, Path, Any], None]:
        WRITERS[key] = Writer(
            key, title, tuple(extensions), tuple(takes), function, options, folder, beside, tuple(holds), also
        )
        return function

    return register


def readers_for(path: str | os.PathLike[str]) -> list[Reader]:
    """Readers that know the file by its name, then those whose extension fits, the longest first.

    For a folder: those that find a file in it which they know; those that take all that is in it come last.
    """
    where = Path(path)
    if where.is_dir():
        able = [r for r in READERS.values() if _inside(where, r) is not None]
        return sorted(able, key=lambda r: (not r.first, r.whole_folder))
    name = where.name.lower()

    def fit(r: Reader) -> int:
        known = not r.whole_folder and any(fnmatch.fnmatchcase(name, pattern) for pattern in r.names)
        return 1000 if known else max((len(e) for e in r.extensions if name.endswith(e)), default=0)

    return [r for r in sorted(READERS.values(), key=fit, reverse=True) if fit(r)]


def file_of(path: str | os.PathLike[str], format: str | None = None) -> Path:
    """The file that is read when ``path`` is opened: itself, or the one by which a folder is known."""
    where = Path(path)
    if where.is_dir():
        for able in [READERS[format]] if format else readers_for(where):
            found = _inside(where, able)
            if found is not None:
                return where if able.whole_folder else found
    return where


def _inside(folder: Path, able: Reader) -> Path | None:
    """The first file in a folder that a reader knows by its name."""
    for below in able.within if able.names else ():
        try:
            files = {entry.name.lower(): entry for entry in sorted((folder / below).iterdir()) if entry.is_file()}
        except OSError:
            continue
        for pattern in able.names:
            if known := fnmatch.filter(files, pattern):
                return files[known[0]]
    return None


def conversion(
    source: type[Artifact], target: type[Artifact]
) -> Callable[[Callable[[Any], Artifact]], Callable[[Any], Artifact]]:
    """Register ``function(artifact) -> artifact``, by which writers of ``target`` take ``source`` too."""

    def register(function: Callable[[Any], Artifact]) -> Callable[[Any], Artifact]:
        CONVERSIONS.setdefault(source, {})[target] = function
        return function

    return register


def written_as(kind: type[Artifact], able: Writer) -> type[Artifact] | None:
    """What an artifact of this type is written as by a writer: its own type or one it is converted to; else None."""
    if issubclass(kind, able.takes):
        return kind
    return next((t for t in CONVERSIONS.get(kind, ()) if issubclass(t, able.takes)), None)


def writers_for(kind: type[Artifact]) -> list[Writer]:
    """Writers that take artifacts of this type as they are, then those that take them converted."""
    order = [kind, *CONVERSIONS.get(kind, ())]
    found = [(order.index(target), w) for w in WRITERS.values() if (target := written_as(kind, w)) is not None]
    return [w for _, w in sorted(found, key=lambda pair: pair[0])]


def read(
    path: str | os.PathLike[str], options: Params | None = None, format: str | None = None, tell: Tell = silent
) -> Loaded:
    """Read a file whole or not at all; of a folder, the file by which it is known.

    Raises :class:`UserError` when it is missing, unreadable, of an unknown format or broken.
    """
    where = Path(path)
    if not where.name or not os.path.lexists(where):
        raise UserError(f"There is no file '{where}'.", mend="Check the path.")
    candidates = [READERS[format]] if format else readers_for(where)
    where = file_of(where, candidates[0].key if candidates else None)
    if not candidates and where.is_dir():
        wanted = ", ".join(n for r in READERS.values() for n in r.names)
        raise UserError(f"'{where}' is not a file.", f"A folder should hold one of: {wanted}.", "Choose a file.")
    if not candidates:
        known = ", ".join(
            sorted({e for r in READERS.values() if not r.whole_folder for e in (*r.extensions, *r.names)})
        )
        raise UserError(
            f"'{where.name}' is of an unknown format.", f"Known are: {known}.", "Convert the file or rename it."
        )
    chosen = candidates[0]
    try:
        if not (where.is_dir() if chosen.whole_folder else where.is_file()):
            raise UserError(f"'{where}' is not a file.", mend="Choose a file.")
        if where.stat().st_size == 0:
            raise UserError(f"'{where.name}' is empty.", "It holds no byte.", "Copy or export it again.")
        with np.errstate(all="ignore"):  # what overflows becomes infinite, and that is refused in words
            settings = options if options is not None else chosen.options()
            return chosen.function(where, settings, *([tell] if chosen.tells else []))
    except OSError as error:
        raise UserError(
            f"'{where.name}' cannot be read.", f"{error.strerror or error}.", "Check that it exists and may be read."
        ) from error


def write(
    artifact: Artifact,
    path: str | os.PathLike[str],
    options: Params | None = None,
    format: str | None = None,
    *,
    replace: bool = False,
) -> None:
    """Write an artifact: beside the target first, then renamed over it, so that a failure harms no old file.

    Other files that belong to it are replaced too where there was such a file before, or when ``replace`` says so.
    Raises :class:`UserError` when no writer fits or the target cannot be written.
    """
    where = Path(path)
    name = where.name.lower()
    able = writers_for(type(artifact))
    fits = [w for w in able if w.key == format] if format else [w for w in able if name.endswith(w.extensions)]
    if not fits:
        known = ", ".join(sorted({e for w in able for e in w.extensions}))
        raise UserError(
            f"A {artifact.title} cannot be written as '{where.name}'.", mend=f"Use one of: {known or 'none'}."
        )
    chosen = fits[0]
    extension = max((e for e in chosen.extensions if name.endswith(e)), key=len, default=chosen.extensions[0])
    beside = where.with_name(f".{where.name[: len(where.name) - len(extension)][:30]}.{os.getpid()}.partial{extension}")
    settings = options if options is not None else chosen.options()
    target = written_as(type(artifact), chosen)
    if target is not None and target is not type(artifact):
        artifact = CONVERSIONS[type(artifact)][target](artifact)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        if chosen.folder:
            with tempfile.TemporaryDirectory(".partial", ".", where.parent) as folder:
                chosen.function(artifact, Path(folder) / where.name, settings)
                own = chosen.beside(where, artifact.parts()) if replace or where.exists() else ()
                _move(Path(folder), where, {other.name for other in own})
        else:
            chosen.function(artifact, beside, settings)
            os.replace(beside, where)
    except OSError as error:
        raise UserError(
            f"'{where}' cannot be written.", f"{error.strerror or error}.", "Check the folder and the free space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _move(folder: Path, main: Path, own: Collection[str]) -> None:
    """Move what a writer made to its place, the main file last; nothing but that file and its ``own`` is replaced."""
    others = sorted(entry for entry in folder.iterdir() if entry.name != main.name)
    for entry in others:
        if entry.name not in own and os.path.lexists(main.parent / entry.name):
            raise UserError(
                f"There is already something called '{entry.name}' beside '{main.name}'.",
                "What is in it would be mixed with what is written.",
                "Choose an empty folder or another name.",
            )
    for entry in others:
        (os.replace if entry.name in own else os.rename)(entry, main.parent / entry.name)
    os.replace(folder / main.name, main)
