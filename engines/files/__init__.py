"""Readers and writers, one file per format. Importing this package registers them all."""

import importlib
import pkgutil

from engines.files.registry import (
    CONVERSIONS,
    READERS,
    WRITERS,
    Loaded,
    NoOptions,
    Question,
    Reader,
    Writer,
    file_of,
    read,
    reader,
    readers_for,
    write,
    writer,
    writers_for,
    written_as,
)

for _info in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_info.name)

__all__ = [
    "CONVERSIONS",
    "READERS",
    "WRITERS",
    "Loaded",
    "NoOptions",
    "Question",
    "Reader",
    "Writer",
    "file_of",
    "read",
    "reader",
    "readers_for",
    "write",
    "writer",
    "writers_for",
    "written_as",
]
