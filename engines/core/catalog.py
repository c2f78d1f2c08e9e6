"""Finds the methods: those of the family packages, and third parties' by entry point."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from engines.core.errors import UserError
from engines.core.method import Method

FAMILIES = {
    "shape": "Shape",
    "pde": "PDE fields",
    "operators": "Operators",
    "inverse": "Inverse problems",
    "generative": "Generative models",
    "dynamics": "Dynamics",
    "transport": "Transport",
    "training": "Training",
}
ENTRY_POINT_GROUP = "fieldwright.methods"


@dataclass(frozen=True)
class Broken:
    """A module or plug-in that could not be imported, with its traceback."""

    name: str
    report: str


class Catalog:
    """All methods by key."""

    def __init__(self, methods: Iterable[Method], broken: Iterable[Broken] = ()) -> None:
        self.broken = tuple(broken)
        self._methods: dict[str, Method] = {}
        for found in methods:
            if found.key in self._methods and self._methods[found.key] is not found:
                other = self._methods[found.key].module
                self.broken += (Broken(found.module, f"The key '{found.key}' is taken by {other}."),)
                continue
            self._methods[found.key] = found

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)

    def __contains__(self, key: str) -> bool:
        return key in self._methods

    def get(self, key: str) -> Method:
        """Raises :class:`UserError` with the nearest names when there is no such method."""
        if key not in self._methods:
            near = difflib.get_close_matches(key, self._methods, 3) or sorted(self._methods)[:6]
            raise UserError(f"There is no method '{key}'.", mend=f"Did you mean: {', '.join(near)}?")
        return self._methods[key]

    def search(self, text: str) -> list[Method]:
        """Methods whose title, key, job, tags or paper contain every word."""
        words = text.lower().split()

        def matches(m: Method) -> bool:
            paper = f"{m.paper.title} {m.paper.authors}" if m.paper else ""
            where = f"{m.key} {m.title} {m.job} {m.family} {' '.join(m.tags)} {paper}".lower()
            return all(word in where for word in words)

        return [m for m in self if matches(m)]


@functools.cache
def catalog() -> Catalog:
    """The catalog of this installation (discovered once; imports torch and the method files)."""
    methods: list[Method] = []
    broken: list[Broken] = []
    for family in FAMILIES:
        package = importlib.import_module(f"engines.{family}")
        # walk_packages imports packages itself: what fails there failed, and was noted, in the loop already
        for info in pkgutil.walk_packages(package.__path__, f"engines.{family}.", onerror=lambda name: None):
            try:
                module = importlib.import_module(info.name)
            except (Exception, SystemExit):
                broken.append(Broken(info.name, traceback.format_exc()))
                continue
            methods += [found for found in _methods_of(module) if found.module == info.name]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            methods += _methods_of(point.load())
        except (Exception, SystemExit):
            broken.append(Broken(point.name, traceback.format_exc()))
    return Catalog(methods, broken)


def _methods_of(found: Any) -> list[Method]:
    """The methods of a module, or the one that was named itself."""
    return [m for m in ([found] if isinstance(found, Method) else vars(found).values()) if isinstance(m, Method)]
