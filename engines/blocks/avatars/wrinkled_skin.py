"""Skin by formula: wrinkles that grow as joints bend, paint that is finer than the mesh, and light with a gloss.

What a learned avatar has to find out is known here exactly, so that it can be measured. About each joint but the root,
with s the distance along its bone and d the distance from it,

    dv(v) = sum_j depth * min(|bend_j| / 60°, 1) * p_j(v) * n(v)
    p_j ~ (w_vj + w_v,parent) exp(-d² / 2 σ²) (1/4 + 3/4 max(n . palm_j, 0)) cos(2 π s / λ)

with n the normals at rest and p scaled so that the displacement never exceeds ``depth``: deep folds on the palm's
side, shallow ones on the back. A hand may also be one of its own: thicker here and thinner there than its template, in
every pose (:func:`build`).
"""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.meshes.rotations import angles_about
from engines.data import RiggedTemplate

FULL_BEND = np.pi / 3
REACH = 0.010
"""σ: how far from a joint its wrinkles go (m)."""
SKIN = np.array([0.56, 0.40, 0.33], np.float32)
NAIL = np.array([0.74, 0.56, 0.52], np.float32)
CREASE = np.array([0.38, 0.22, 0.18], np.float32)
REDDER = np.array([1.0, -0.4, -0.3], np.float32)
AROUND = 0.03
"""How far from a joint or a nail its paint goes (m)."""


def bends(template: RiggedTemplate, rotations: np.ndarray) -> np.ndarray:
    """(T, J) how far each joint is bent in poses (T, J, 3), in radians."""
    angles = angles_about(torch.from_numpy(np.array(rotations)), torch.from_numpy(np.array(template.axes)))
    return angles[..., 0].numpy()


class Wrinkles:
    """The displacement of a template's vertices in any pose: ``depth`` and ``period`` in m."""

    def __init__(self, template: RiggedTemplate, normals: np.ndarray, depth: float, period: float) -> None:
        moving = np.arange(1, len(template.joints))
        away = template.vertices[:, None] - template.joints[moving]
        along = np.einsum("vjk,jk->vj", away, bones(template)[moving])
        share = template.weights[:, moving] + template.weights[:, template.parents[moving]]
        profile = share * np.exp(-(away**2).sum(2) / (2 * REACH**2)) * np.cos(2 * np.pi / period * along)
        profile *= 0.25 + 0.75 * np.maximum(normals @ palms(template)[moving].T, 0)
        self.template, self.normals, self.moving = template, normals, moving
        self.profile = depth / max(np.abs(profile).sum(1).max(initial=0), 1e-12) * profile
        """(V, J - 1) in m, for joints that are bent by 60° and more."""

    def __call__(self, rotations: np.ndarray) -> np.ndarray:
        """(T, V, 3) displacements at rest in m of poses (T, J, 3)."""
        strength = np.minimum(np.abs(bends(self.template, rotations)) / FULL_BEND, 1)[:, self.moving]
        return (strength @ self.profile.T)[..., None] * self.normals


def build(template: RiggedTemplate, normals: np.ndarray, depth: float, rng: np.random.Generator) -> np.ndarray:
    """(V, 3) displacements at rest in m, along the normals, by which a hand differs from its template in every pose.

    A sum of waves between 3 and 9 cm long, at most ``depth`` in either direction.
    """
    count = 12
    ways = rng.normal(size=(count, 3))
    ways *= (2 * np.pi / np.geomspace(0.03, 0.09, count) / np.linalg.norm(ways, axis=1))[:, None]
    height = np.sin(template.vertices @ ways.T + rng.uniform(0, 2 * np.pi, count)).sum(1)
    return depth * (height / max(np.abs(height).max(initial=0), 1e-12))[:, None] * normals


class Paint:
    """Colours of the skin from places at rest: mottled, with nails on the back of the fingertips and creased joints."""

    def __init__(self, template: RiggedTemplate, rng: np.random.Generator) -> None:
        count = 24
        lengths = np.geomspace(0.05, 0.006, count)
        self.waves = (rng.normal(size=(count, 3)) * 2 * np.pi / lengths[:, None]).astype(np.float32)
        self.phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
        slow = np.arange(count) < count // 2
        self.tones = (np.stack([0.05 * slow, 0.03 * ~slow], 1) / np.sqrt(count / 4)).astype(np.float32)
        """(24, 2): the slow waves make the skin lighter and darker, the quick ones redder."""
        self.bones, self.palms = bones(template).astype(np.float32), palms(template).astype(np.float32)
        self.joints = template.joints.astype(np.float32)
        children = np.bincount(template.parents[1:], minlength=len(template.joints))
        self.tips = np.flatnonzero(children == 0)
        self.lengths = np.array([self._reach(template, tip) for tip in self.tips])

    def _reach(self, template: RiggedTemplate, tip: int) -> float:
        own = template.vertices[template.weights[:, tip] > 0.5]
        return float(((own - template.joints[tip]) @ self.bones[tip]).max(initial=0.01))

    def __call__(self, places: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(P, 3) float32 linear RGB at places (P, 3) with normals (P, 3), all at rest."""
        places, normals = places.astype(np.float32), normals.astype(np.float32)
        mottling = np.sin(places @ self.waves.T + self.phases) @ self.tones
        colour = SKIN * (1 + mottling[:, :1]) + mottling[:, 1:] * REDDER
        for joint in range(1, len(self.joints)):
            near, away, palm = self._close_to(self.joints[joint], places, normals @ self.palms[joint])
            line = np.exp(-((away @ self.bones[joint]) ** 2) / (2 * 0.0008**2) - (away**2).sum(1) / (2 * 0.009**2))
            colour[near] += 0.8 * (line * _step((palm - 0.2) / 0.1))[:, None] * (CREASE - colour[near])
        for tip, length in zip(self.tips, self.lengths, strict=True):
            middle = self.joints[tip] + 0.72 * length * self.bones[tip]
            near, away, palm = self._close_to(middle, places, normals @ self.palms[tip])
            across = np.cross(self.bones[tip], self.palms[tip])
            inside = 1 - (away @ self.bones[tip] / (0.28 * length)) ** 2 - (away @ across / 0.0055) ** 2
            close = _step((0.02 - np.linalg.norm(away, axis=1)) / 0.001)
            nail = _step(inside / 0.15) * close * _step((-palm - 0.35) / 0.1)
            colour[near] += nail[:, None] * (NAIL - colour[near])
        return np.clip(colour, 0, 1)

    @staticmethod
    def _close_to(
        middle: np.ndarray, places: np.ndarray, palm: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which places lie around ``middle``, how they lie to it, and how much they face the palm."""
        away = places - middle
        near = np.flatnonzero(np.einsum("pk,pk->p", away, away) < AROUND**2)
        return near, away[near], palm[near]


def bones(template: RiggedTemplate) -> np.ndarray:
    """(J, 3) unit directions at rest from each joint towards what it moves."""
    moved = template.weights.T @ template.vertices / np.maximum(template.weights.sum(0), 1e-9)[:, None]
    ways = moved - template.joints
    children = template.parents[1:]
    ways[children] = template.joints[1:] - template.joints[children]
    length = np.linalg.norm(ways, axis=1, keepdims=True)
    return np.where(length > 1e-9, ways / np.maximum(length, 1e-9), template.axes[:, 2])


def palms(template: RiggedTemplate) -> np.ndarray:
    """(J, 3) unit directions at rest to which the end of each bone goes when its joint bends."""
    ways = np.cross(template.axes[:, 0], bones(template))
    return ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)


def glossy(normals: np.ndarray, towards_eye: np.ndarray, lamp: np.ndarray, sharpness: float = 24.0) -> np.ndarray:
    """(...) Blinn's highlight in [0, 1] of unit normals and directions (..., 3) under a lamp in direction (3,)."""
    half = towards_eye + lamp / np.linalg.norm(lamp)
    half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9)
    return np.clip((normals * half).sum(-1), 0, 1) ** sharpness


def _step(x: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, smooth between."""
    t = np.clip((x + 1) / 2, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
