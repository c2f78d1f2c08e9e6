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

# Where several fit, the one that came first is proposed: captures of hands build on others, and come after them.
for _name in sorted(
    (i.name for i in pkgutil.iter_modules(__path__)), key=lambda name: (name.startswith("capture"), name)
):
    importlib.import_module(f"{__name__}.{_name}")

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
