"""The sample datasets that ship with the application: what they are, and how to load them. No Qt."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.assets import asset_path

if TYPE_CHECKING:
    from engines.core import Artifact, Params


@dataclass(frozen=True)
class SampleFile:
    """``inputs`` are the names under which a method takes what is in it (``slices``, ``reference``, ``volume``).

    With none it comes along, for what may be done with the result. ``format`` is the key of its reader, where the
    first one that fits its name is not meant.
    """

    inputs: tuple[str, ...]
    path: Path
    name: str
    options: dict[str, Any]
    format: str | None = None


@dataclass(frozen=True)
class Sample:
    """One card of the home page; ``method``, ``preset`` and changes to it (``params``) are what to try first."""

    key: str
    title: str
    description: str
    files: tuple[SampleFile, ...]
    method: str
    preset: str | None
    picture: Path
    licence: str
    source: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Size of the files on disk."""
        inside = [other for f in self.files for other in (f.path.rglob("*") if f.path.is_dir() else (f.path,))]
        return sum(path.stat().st_size for path in inside if path.is_file())

    def load(self) -> dict[str, Artifact]:
        """The artifacts by input name, and by their own the others. Raises UserError for what is missing or damaged."""
        from engines.files import READERS, read, readers_for

        found: dict[str, Artifact] = {}
        for file in self.files:
            readers = [READERS[file.format]] if file.format else readers_for(file.path)
            options = (readers[0] if readers else READERS["csl"]).options.parse(file.options)
            loaded = read(file.path, options, file.format).artifacts
            several = len(file.inputs) > 1
            for name, artifact in zip(file.inputs or (file.name,), loaded, strict=False):
                found[name] = artifact.replace(name=f"{file.name}, {artifact.name}" if several else file.name)
        return found

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the method that are among the files."""
        return tuple(name for file in self.files for name in file.inputs)

    def settings(self) -> Params:
        """What to run the method with. Raises KeyError or UserError when it does not know the settings."""
        from engines.core import catalog

        method = catalog().get(self.method)
        return method.params.parse(self.params, method.preset(self.preset))


@functools.cache
def samples() -> tuple[Sample, ...]:
    """All samples, in the order of the home page; empty when the assets are not there."""
    listing = asset_path("samples/samples.json")
    if not listing.exists():
        return ()
    return tuple(_sample(entry, listing.parent) for entry in json.loads(listing.read_text(encoding="utf-8")))


def sample(key: str) -> Sample:
    """Raises KeyError when there is no such sample."""
    return {s.key: s for s in samples()}[key]


def _sample(entry: dict[str, Any], folder: Path) -> Sample:
    return Sample(
        key=entry["key"],
        title=entry["title"],
        description=entry["description"],
        files=tuple(
            SampleFile(tuple(f["input"].split()), folder / f["path"], f["name"], f.get("options", {}), f.get("format"))
            for f in entry["files"]
        ),
        method=entry["method"],
        preset=entry.get("preset"),
        picture=folder / entry["picture"],
        licence=entry["licence"],
        source=entry["source"],
        params=entry.get("params", {}),
    )
