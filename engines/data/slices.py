"""Closed contours drawn on planes in space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices(Artifact):
    """Loops on planes n·x = d. The inside of a plane is what an odd number of its loops surrounds.

    Loop ``i`` owns the vertices ``loop_starts[i] : loop_starts[i + 1]`` (the last one: to the end) and
    closes itself. A plane without loops says that nothing is there.
    """

    title: ClassVar[str] = "Slices"

    normals: np.ndarray = array("P 3", "float64", "unit normals of the planes")
    offsets: np.ndarray = array("P", "float64", "n·x of the planes")
    vertices: np.ndarray = array("V 3", "float64", "vertices of all loops, on their planes")
    loop_starts: np.ndarray = array("L", "int64", "first vertex of each loop")
    loop_planes: np.ndarray = array("L", "int32", "plane of each loop")
    loop_labels: np.ndarray = array("L", "int32", "label of each loop")
    loop_parents: np.ndarray = array("L", "int32", "loop that this one is a hole in, or -1")
    unit: str = ""

    def validate(self) -> None:
        if len(self.normals) == 0:
            raise UserError("The slices have no plane.", mend="Load a file with at least two planes.")
        lengths = np.linalg.norm(self.normals, axis=1)
        if np.abs(lengths - 1).max() > 1e-6:
            bad = int(np.abs(lengths - 1).argmax()) + 1
            raise UserError(f"The normal of plane {bad} has length {lengths[bad - 1]:g}, not 1.")
        if len(self.loop_starts):
            counts = self.loop_counts
            if self.loop_starts[0] != 0 or counts.min() < 3:
                raise UserError(
                    "A loop has fewer than three vertices.",
                    "Such a loop surrounds nothing.",
                    "Remove it from the file.",
                )
            if self.loop_planes.min() < 0 or self.loop_planes.max() >= len(self.normals):
                raise UserError("A loop belongs to a plane that does not exist.")
            if self.loop_parents.min() < -1 or self.loop_parents.max() >= len(self.loop_starts):
                raise UserError("A hole belongs to a loop that does not exist.")

    @property
    def plane_count(self) -> int:
        return len(self.normals)

    @property
    def loop_count(self) -> int:
        return len(self.loop_starts)

    @cached_property
    def loop_counts(self) -> np.ndarray:
        """(L,) vertices of each loop."""
        return np.diff(np.append(self.loop_starts, len(self.vertices)))

    @cached_property
    def vertex_planes(self) -> np.ndarray:
        """(V,) plane of each vertex."""
        return np.repeat(self.loop_planes, self.loop_counts)

    @cached_property
    def edges(self) -> np.ndarray:
        """(V, 2) vertex indices; edge i starts at vertex i and ends at the next one of its loop."""
        start = np.arange(len(self.vertices))
        end = start + 1
        end[self.loop_starts + self.loop_counts - 1] = self.loop_starts
        return np.stack([start, end], axis=1)

    @property
    def labels(self) -> np.ndarray:
        """Sorted labels of the outer loops (labels of holes cannot be relied on)."""
        return np.unique(self.loop_labels[self.loop_parents < 0])

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner of the vertices."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def loops(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each loop's plane and (n, 3) vertices."""
        for plane, start, count in zip(self.loop_planes, self.loop_starts, self.loop_counts, strict=True):
            yield int(plane), self.vertices[start : start + count]

    def only(self, label: int) -> Slices:
        """The loops of one label with the holes in them; all planes stay."""
        label_of = np.where(self.loop_parents >= 0, self.loop_labels[self.loop_parents], self.loop_labels)
        return self.select(label_of == label)

    def select(self, keep: np.ndarray) -> Slices:
        """The loops where ``keep`` (L,) is true; all planes stay."""
        renumber = np.where(keep, np.cumsum(keep) - 1, -1)
        counts = self.loop_counts[keep]
        parents = self.loop_parents[keep]
        return self.replace(
            vertices=self.vertices[np.repeat(keep, self.loop_counts)],
            loop_starts=np.cumsum(counts) - counts,
            loop_planes=self.loop_planes[keep],
            loop_labels=self.loop_labels[keep],
            loop_parents=np.where(parents >= 0, renumber[parents], -1),
        )

    def summary(self) -> str:
        labels = len(self.labels)
        tail = f", {labels} labels" if labels > 1 else ""
        return f"{self.plane_count} planes, {self.loop_count} contours, {len(self.vertices):,} points{tail}"
