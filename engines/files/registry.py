"""Readers and writers by format: one file per format registers itself here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Artifact, Params, UserError


@dataclass(frozen=True)
class Loaded:
    """What a reader found: artifacts, and problems that the user should see before adding them."""

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    key: str
    title: str
    extensions: tuple[str, ...]
    gives: tuple[type[Artifact], ...]
    function: Callable[[Path, Any], Loaded]
    options: type[Params]


@dataclass(frozen=True)
class Writer:
    key: str
    title: str
    extensions: tuple[str, ...]
    takes: tuple[type[Artifact], ...]
    function: Callable[[Any, Path, Any], None]
    options: type[Params]


class NoOptions(Params):
    """For formats without options."""


READERS: dict[str, Reader] = {}
WRITERS: dict[str, Writer] = {}


def reader(
    *,
    key: str,
    title: str,
    extensions: Sequence[str],
    gives: Sequence[type[Artifact]],
    options: type[Params] = NoOptions,
) -> Callable[[Callable[[Path, Any], Loaded]], Callable[[Path, Any], Loaded]]:
    """Register ``function(path, options) -> Loaded``. Extensions are lower case with their dot (``".nii.gz"``)."""

    def register(function: Callable[[Path, Any], Loaded]) -> Callable[[Path, Any], Loaded]:
        READERS[key] = Reader(key, title, tuple(extensions), tuple(gives), function, options)
        return function

    return register


def writer(
    *,
    key: str,
    title: str,
    extensions: Sequence[str],
    takes: Sequence[type[Artifact]],
    options: type[Params] = NoOptions,
) -> Callable[[Callable[[Any, Path, Any], None]], Callable[[Any, Path, Any], None]]:
    """Register ``function(artifact, path, options)``."""

    def register(function: Callable[[Any, Path, Any], None]) -> Callable[[Any, Path, Any], None]:
        WRITERS[key] = Writer(key, title, tuple(extensions), tuple(takes), function, options)
        return function

    return register


def readers_for(path: str | os.PathLike[str]) -> list[Reader]:
    """Readers whose extension fits, the longest extension first."""
    name = Path(path).name.lower()
    fits = [(max((len(e) for e in r.extensions if name.endswith(e)), default=0), r) for r in READERS.values()]
    return [r for length, r in sorted(fits, key=lambda f: -f[0]) if length]


def writers_for(kind: type[Artifact]) -> list[Writer]:
    """Writers that take artifacts of this type."""
    return [w for w in WRITERS.values() if issubclass(kind, w.takes)]


def read(path: str | os.PathLike[str], options: Params | None = None, format: str | None = None) -> Loaded:
    """Read a file whole or not at all.

    Raises :class:`UserError` when it is missing, unreadable, of an unknown format or broken.
    """
    where = Path(path)
    if not where.name or not os.path.lexists(where):
        raise UserError(f"There is no file '{where}'.", mend="Check the path.")
    candidates = [READERS[format]] if format else readers_for(where)
    if not candidates:
        known = ", ".join(sorted({e for r in READERS.values() for e in r.extensions}))
        raise UserError(
            f"'{where.name}' is of an unknown format.", f"Known are: {known}.", "Convert the file or rename it."
        )
    chosen = candidates[0]
    try:
        if where.is_dir() or not where.is_file():
            raise UserError(f"'{where}' is not a file.", mend="Choose a file.")
        if where.stat().st_size == 0:
            raise UserError(f"'{where.name}' is empty.", "It holds no byte.", "Copy or export it again.")
        with np.errstate(all="ignore"):  # what overflows becomes infinite, and that is refused in words
            return chosen.function(where, options if options is not None else chosen.options())
    except OSError as error:
        raise UserError(
            f"'{where.name}' cannot be read.", f"{error.strerror or error}.", "Check that it exists and may be read."
        ) from error


def write(
    artifact: Artifact, path: str | os.PathLike[str], options: Params | None = None, format: str | None = None
) -> None:
    """Write an artifact: beside the target first, then renamed over it, so that a failure harms no old file.

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
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        chosen.function(artifact, beside, options if options is not None else chosen.options())
        os.replace(beside, where)
    except OSError as error:
        raise UserError(
            f"'{where}' cannot be written.", f"{error.strerror or error}.", "Check the folder and the free space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
