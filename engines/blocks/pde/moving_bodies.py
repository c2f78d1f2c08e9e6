"""The potential that an elastic body minimises in each step of variational implicit Euler, in any parametrisation.

In lengths of the body's largest half extent, with q = X + phi(X), F = dq/dX and the means taken over the volume,

    mean( arap(F) c_arap + volume(F) c_vol + c_kin |(q - q_n)/dt - v_n|^2 - f . (q - q_n) + contact(q) )

whose minimum is the next place q_{n+1}; v_n = (q_n - q_{n-1}) / dt (Chen et al. 2023, sec. 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde import contact
from engines.blocks.pde.elastic_energies import arap, determinants, volume
from engines.blocks.tetrahedra import lumped
from engines.data import ElasticBody, Mesh, MeshField


@dataclass(frozen=True)
class Potential:
    """A body in its own lengths: ``points`` (V, d), ``cells`` (E, d + 1), ``share`` (V,) of the volume, adding to 1."""

    body: ElasticBody
    points: Tensor
    cells: Tensor
    share: Tensor
    obstacles: tuple[contact.Obstacle, ...]
    held: Tensor
    held_to: Tensor

    @classmethod
    def of(cls, body: ElasticBody, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Potential:
        d, middle, length = body.dimensions, body.middle, body.length
        tensor = lambda a: torch.tensor(np.asarray(a), dtype=dtype, device=device)  # noqa: E731
        points = (body.points - middle)[:, :d] / length
        cells = torch.tensor(body.cells, dtype=torch.long, device=device)
        share = lumped(torch.tensor(points), torch.tensor(body.cells, dtype=torch.long))
        obstacles: list[contact.Obstacle] = []
        for plane in body.planes:
            normal = plane[3 : 3 + d] / np.linalg.norm(plane[3 : 3 + d])
            obstacles.append(contact.Plane(tensor((plane[:3] - middle)[:d] / length), tensor(normal)))
        for ball in body.spheres:
            obstacles.append(contact.Sphere(tensor((ball[:3] - middle)[:d] / length), float(ball[3] / length)))
        held = torch.tensor(np.flatnonzero(body.held), device=device)
        return cls(
            body, tensor(points), cells, tensor(share / share.sum()), tuple(obstacles), held,
            tensor(body.held_displacements[body.held][:, :d] / length),
        )  # fmt: skip

    @property
    def dimensions(self) -> int:
        return self.points.shape[1]

    def stored(self, F: Tensor) -> Tensor:
        """(N,) elastic energy of deformation gradients (N, d, d)."""
        return self.body.arap * arap(F) + self.body.volume * volume(F)

    def moving(self, q: Tensor, before: Tensor, velocity: Tensor, dt: float) -> Tensor:
        """(N,) what inertia costs at places q (N, d)."""
        return self.body.inertia * ((q - before) / dt - velocity).square().sum(1)

    def pulled(self, q: Tensor, before: Tensor, time: float) -> Tensor:
        """(N,) minus the work of the force, while it acts at ``time``."""
        acts = 1.0 if time < self.body.force_until - 1e-9 else 0.0
        return -acts * ((q - before) * self.force).sum(1)

    @property
    def force(self) -> Tensor:
        return self.points.new_tensor(self.body.force[: self.dimensions])

    @property
    def velocity(self) -> Tensor:
        return self.points.new_tensor(self.body.velocity[: self.dimensions])

    def touching(self, q: Tensor, before: Tensor, published: bool) -> Tensor:
        if published:
            return contact.published_energy(q, before, self.obstacles, self.body.contact)
        return contact.energy(q, self.obstacles, self.body.contact)

    def figures(self, q: Tensor, before: Tensor, F: Tensor, weights: Tensor, dt: float) -> dict[str, float]:
        """Energies per volume of a finished step, from places at the vertices and F with its ``weights``."""
        kinetic = self.body.inertia * float((self.share * ((q - before) / dt).square().sum(1)).sum())
        stored = float((weights * self.stored(F)).sum())
        touching = float((self.share * self.touching(q, q, False)).sum())
        corners = q[self.cells]
        size = torch.linalg.det((corners[:, 1:] - corners[:, :1]).transpose(1, 2)).sum()
        corners = self.points[self.cells]
        rest = torch.linalg.det((corners[:, 1:] - corners[:, :1]).transpose(1, 2)).sum()
        return {
            "kinetic energy": kinetic, "elastic energy": stored, "contact energy": touching,
            "total energy": kinetic + stored + touching, "volume": float(size / rest),
            "depth in obstacles": contact.depth(q, self.obstacles) * self.body.length,
        }  # fmt: skip

    def field(self, displacements: list[Tensor], gradients: list[Tensor], times: np.ndarray) -> MeshField:
        """The moving mesh with its stretch |s - 1| and volume det F at the vertices; displacements in own lengths."""
        d = self.dimensions
        moved = np.stack([u.detach().cpu().double().numpy() for u in displacements]) * self.body.length
        values = [torch.stack([arap(F).clamp(min=0).sqrt(), determinants(F)]).cpu().numpy() for F in gradients]
        return MeshField(
            points=self.body.points, cells=self.body.cells, values=np.stack(values).astype(np.float32), times=times,
            displacements=np.pad(moved, ((0, 0), (0, 0), (0, 3 - d))), components=("stretch", "volume change"),
            length_unit=self.body.length_unit, name=f"{self.body.name or 'Body'}, moving",
        )  # fmt: skip


def obstacle_mesh(body: ElasticBody) -> Mesh | None:
    """Obstacles as surfaces to look at: a square of each plane, each sphere; strips and discs in the plane."""
    flat, size = body.dimensions == 2, 2.5 * body.length
    vertices, faces = [], []
    for plane in body.planes:
        normal = plane[3:] / np.linalg.norm(plane[3:])
        point = plane[:3] + (body.middle - plane[:3]) - normal * float((body.middle - plane[:3]) @ normal)
        side = np.cross(normal, [0, 0, 1.0] if flat else np.eye(3)[np.abs(normal).argmin()])
        side /= np.linalg.norm(side)
        other = -0.04 * normal if flat else np.cross(normal, side)
        ends = [(-1, 0), (1, 0), (1, 1), (-1, 1)] if flat else [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + sum(map(len, vertices)))
        vertices.append(np.array([point + size * (a * side + b * other) for a, b in ends]))
    for ball in body.spheres:
        made, turned = _disc() if flat else _globe()
        faces.append(turned + sum(map(len, vertices)))
        vertices.append(ball[:3] + ball[3] * made)
    if not vertices:
        return None
    return Mesh(vertices=np.concatenate(vertices), faces=np.concatenate(faces), name="Obstacles", unit=body.length_unit)


def _disc(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * np.pi * np.arange(count) / count
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    number = np.arange(count)
    return np.vstack([rim, np.zeros(3)]), np.stack([number, (number + 1) % count, np.full(count, count)], 1)


def _globe(rows: int = 24, columns: int = 48) -> tuple[np.ndarray, np.ndarray]:
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rows + 1), 2 * np.pi * np.arange(columns) / columns, indexing="ij"
    )
    vertices = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1)
    number = np.arange((rows + 1) * columns).reshape(rows + 1, columns)
    a, b = number[:-1], number[1:]
    right = lambda n: np.roll(n, -1, axis=1)  # noqa: E731
    faces = np.concatenate([np.stack([a, b, right(b)], -1), np.stack([a, right(b), right(a)], -1)])
    return vertices.reshape(-1, 3), faces.reshape(-1, 3)


__all__ = ["Potential", "obstacle_mesh"]
