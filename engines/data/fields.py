"""Fields in space and time, as solvers give them: at the nodes of a tensor grid, or of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array
from engines.data.grids import GridField


def _check_times(times: np.ndarray, of: str) -> None:
    if len(times) < 1 or (np.diff(times) <= 0).any():
        raise UserError(f"The times of the {of} do not rise.", "Each must be later than the one before.", "Sort them.")


def _check_components(components: tuple[str, ...], vectors: tuple[tuple[str, ...], ...], count: int, of: str) -> None:
    if len(components) != count or len(set(components)) != count:
        raise UserError(
            f"The {of} has {count} components and {len(set(components))} names for them.",
            mend="Give each component a name of its own.",
        )
    for name, *parts in vectors:
        if not 1 < len(parts) <= 3 or not set(parts) <= set(components):
            raise UserError(
                f"The vector '{name}' of the {of} is made of {', '.join(parts) or 'nothing'}.",
                f"It takes two or three of its components: {', '.join(components)}.",
                "Correct the vector.",
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledField(Artifact):
    """One or more quantities at the nodes of a tensor grid in one to three dimensions, at one or more times.

    ``values[i, c, j, k, l]`` is component c at ``times[i]`` and at (``x[j]``, ``y[k]``, ``z[l]``). A dimension that
    the field does not have is one node long, at 0; a field that does not change has one time. Nodes rise along each
    axis and need not be evenly spaced. ``vectors`` names each vector and then its components, such as
    ``(("velocity", "u", "v"),)``.
    """

    title: ClassVar[str] = "Sampled field"

    values: np.ndarray = array("T C X Y Z", "number", "value of each component at each time and node", finite=False)
    times: np.ndarray = array("T", "float64", "rising")
    x: np.ndarray = array("X", "float64", "positions of the nodes, rising")
    y: np.ndarray = array("Y", "float64", "positions of the nodes, rising")
    z: np.ndarray = array("Z", "float64", "positions of the nodes, rising")
    dimensions: int = 2
    components: tuple[str, ...] = ("u",)
    vectors: tuple[tuple[str, ...], ...] = ()
    coordinates: tuple[str, ...] = ("x", "y", "z")
    """Names of the three axes; those that the field does not have do not count."""
    time_name: str = "t"
    unit: str = ""
    length_unit: str = ""
    time_unit: str = ""

    def validate(self) -> None:
        if self.values.dtype.kind not in "fiu" or self.values.size == 0:
            raise UserError(
                f"The field has {self.values.size:,} values of {self.values.dtype}.",
                "Real numbers at one node or more are shown.",
                "Take the real part or the modulus of complex values.",
            )
        if not 1 <= self.dimensions <= 3 or any(s > 1 for s in self.values.shape[2 + self.dimensions :]):
            nodes = "×".join(map(str, self.values.shape[2:]))
            raise UserError(
                f"A field of {self.dimensions} dimensions cannot have {nodes} nodes.",
                mend="Use one to three dimensions, and one node along those that the field does not have.",
            )
        for name, along in zip(self.coordinates, self.axes, strict=False):
            if (np.diff(along) <= 0).any():
                raise UserError(f"The nodes of the field do not rise along {name}.", mend="Sort them.")
        _check_times(self.times, "field")
        _check_components(self.components, self.vectors, self.values.shape[1], "field")

    @classmethod
    def of(cls, values: np.ndarray, *axes: np.ndarray, times: np.ndarray | None = None, **more: object) -> SampledField:
        """From ``values`` over one to three ``axes``: axes alone, or with components, or with times, components first.

        ``values`` is (X[, Y[, Z]]), (C, X, …) or, where ``times`` are given, (T, X, …) or (T, C, X, …).
        """
        values, count = np.asarray(values), len(axes)
        if times is None:
            values = values[None]
        if values.ndim == 1 + count:
            values = values[:, None]
        nodes = [np.asarray(a, float) for a in axes] + [np.zeros(1)] * (3 - count)
        return cls(
            values=values.reshape(*values.shape[:2], *(len(n) for n in nodes)),
            times=np.zeros(1) if times is None else np.asarray(times, float),
            x=nodes[0], y=nodes[1], z=nodes[2], dimensions=count, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The nodes along each of its dimensions."""
        return (self.x, self.y, self.z)[: self.dimensions]

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes along each of its dimensions."""
        return tuple(len(nodes) for nodes in self.axes)

    @property
    def is_even(self) -> bool:
        """Whether the nodes are evenly spaced along each axis, to a thousandth of their distance."""
        return all(len(n) < 3 or np.ptp(np.diff(n)) <= 1e-3 * np.diff(n).mean() for n in self.axes)

    def component(self, component: int | str, time: int = 0) -> np.ndarray:
        """(X[, Y[, Z]]) one component at the ``time``-th time, a view."""
        index = self.components.index(component) if isinstance(component, str) else component
        return np.asarray(self.values[time, index].reshape(self.shape))

    def frame(self, component: int | str = 0, time: int = 0) -> GridField:
        """One component at one time as a grid field, for what takes such (evenly spaced nodes only)."""
        index = self.components.index(component) if isinstance(component, str) else component
        origin = np.array([self.x[0], self.y[0], self.z[0]])
        spacing = np.array([np.diff(n).mean() if len(n) > 1 else 1.0 for n in (self.x, self.y, self.z)])
        return GridField(
            values=self.values[time, index], origin=origin, spacing=spacing,
            quantity=self.components[index], unit=self.unit, length_unit=self.length_unit, name=self.name,
        )  # fmt: skip

    def summary(self) -> str:
        nodes = f"{', '.join(self.components)} on {'×'.join(map(str, self.shape))} nodes"
        return f"{nodes}, {len(self.times):,} times" if len(self.times) > 1 else nodes


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshField(Artifact):
    """One or more quantities at the vertices of a mesh of triangles or tetrahedra, at one or more times.

    ``values[i, c, v]`` is component c at ``times[i]`` and vertex v. Flat meshes have z = 0. Where there are
    ``displacements``, the mesh moves: at ``times[i]`` vertex v is at ``points[v] + displacements[i, v]``.
    """

    title: ClassVar[str] = "Mesh field"

    points: np.ndarray = array("V 3", "float64", "vertices at rest")
    cells: np.ndarray = array("E K", "int32", "vertices of each triangle (K = 3) or tetrahedron (K = 4)")
    values: np.ndarray = array("T C V", "number", "value of each component at each time and vertex", finite=False)
    times: np.ndarray = array("T", "float64", "rising")
    displacements: np.ndarray | None = array("T V 3", "float64", "of each vertex at each time", optional=True)
    components: tuple[str, ...] = ("u",)
    vectors: tuple[tuple[str, ...], ...] = ()
    time_name: str = "t"
    unit: str = ""
    length_unit: str = ""
    time_unit: str = ""

    def validate(self) -> None:
        if self.values.dtype.kind not in "fiu":
            raise UserError(f"The field has values of {self.values.dtype}.", mend="Use real numbers.")
        if self.cells.shape[1] not in (3, 4):
            raise UserError(
                f"The mesh of the field has cells of {self.cells.shape[1]} vertices.",
                "Triangles (3) and tetrahedra (4) are known.",
                "Split other cells into these.",
            )
        if self.cells.size and not 0 <= int(self.cells.min()) <= int(self.cells.max()) < len(self.points):
            raise UserError(
                f"The cells of the mesh name vertices that it does not have (0 to {len(self.points) - 1:,}).",
                mend="Check how the mesh was written.",
            )
        _check_times(self.times, "field")
        _check_components(self.components, self.vectors, self.values.shape[1], "field")

    @property
    def is_flat(self) -> bool:
        return bool((self.points[:, 2] == 0).all())

    def positions(self, time: int = 0) -> np.ndarray:
        """(V, 3) vertices at the ``time``-th time."""
        return self.points if self.displacements is None else np.asarray(self.points + self.displacements[time])

    def summary(self) -> str:
        kind = "triangles" if self.cells.shape[1] == 3 else "tetrahedra"
        shape = f"{', '.join(self.components)} on {len(self.points):,} vertices, {len(self.cells):,} {kind}"
        return f"{shape}, {len(self.times):,} times" if len(self.times) > 1 else shape


__all__ = ["MeshField", "SampledField"]
