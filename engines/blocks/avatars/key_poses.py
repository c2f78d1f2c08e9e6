"""Motion between a few poses: each joint turns smoothly, and exactly through each of them.

From key i to i + 1, which lie h seconds apart, a joint turns by the rotation vector of R_i^-1 R_(i+1) = exp(h v_i).
Where it passes a key it turns at (h' v + h v') / (h + h'), with v, h before and v', h' after: the velocity of the
parabola through three keys. Between, the Bezier curve with that velocity at both ends is drawn with great arcs
(Shoemake 1985, "Animating rotation with quaternion curves"). A joint that turns back or stands still before or after a
key has velocity 0 there, and none passes a key at more than three times the slower of the two (Fritsch and Carlson
1980): so that a held pose is held, and no finger goes further than its keys say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engines.core import UserError
from engines.data import PoseSequence

SHORTEST = 0.02
"""Seconds between two keys."""
LEG = 1.0
"""Seconds from a key to the next, where nobody says otherwise."""
RATE = 25.0


@dataclass(frozen=True, eq=False)
class HandPose:
    """Axis-angle ``rotations`` (J, 3) in radians, ``translation`` (3,) in m, ``scale``."""

    rotations: np.ndarray
    translation: np.ndarray
    scale: float = 1.0

    @classmethod
    def of(cls, rotations: np.ndarray) -> HandPose:
        return cls(np.asarray(rotations, float), np.zeros(3))


@dataclass(frozen=True, eq=False)
class KeyPoses:
    """K poses and when they are passed; each change is a new one. ``closed``: from the last back to the first."""

    times: np.ndarray
    """(K,) s, rising from 0."""
    rotations: np.ndarray
    """(K, J, 3) axis-angle in radians."""
    translations: np.ndarray
    """(K, 3) m."""
    scales: np.ndarray
    """(K,)"""
    closed: bool = False
    smooth: bool = True
    """Else straight on from each to the next."""

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def empty(cls, joints: int) -> KeyPoses:
        return cls(np.zeros(0), np.zeros((0, joints, 3)), np.zeros((0, 3)), np.zeros(0))

    @classmethod
    def of(cls, poses: PoseSequence) -> KeyPoses:
        """A key for each pose of a sequence."""
        times = np.arange(len(poses)) / poses.rate
        arrays = (np.array(a) for a in (poses.rotations, poses.translations, poses.scales))  # scipy wants its own
        return cls(times, *arrays)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        if len(self) < 2:
            return 0.0
        return float(self.times[-1]) + (self.return_leg if self.closed else 0.0)

    @property
    def return_leg(self) -> float:
        """Seconds from the last key back to the first: as long as the others on average."""
        return float(self.times[-1]) / (len(self) - 1) if len(self) > 1 else LEG

    def pose(self, index: int) -> HandPose:
        return HandPose(self.rotations[index], self.translations[index], float(self.scales[index]))

    # ---- changes ---
    def added(self, pose: HandPose, at: float) -> KeyPoses:
        """With one more at a time; it takes the place of one that is there already."""
        near = np.abs(self.times - at) < SHORTEST
        if near.any():
            return self.renewed(int(np.argmax(near)), pose)
        index = int(np.searchsorted(self.times, at))
        made = replace(
            self,
            times=np.insert(self.times, index, at),
            rotations=np.insert(self.rotations, index, pose.rotations, axis=0),
            translations=np.insert(self.translations, index, pose.translation, axis=0),
            scales=np.insert(self.scales, index, pose.scale),
        )
        return made._from_zero()

    def renewed(self, index: int, pose: HandPose) -> KeyPoses:
        rotations, translations, scales = self.rotations.copy(), self.translations.copy(), self.scales.copy()
        rotations[index], translations[index], scales[index] = pose.rotations, pose.translation, pose.scale
        return replace(self, rotations=rotations, translations=translations, scales=scales)

    def removed(self, index: int) -> KeyPoses:
        """Without one; the others stay when they are, unless the first is gone."""
        return self._taken(np.delete(np.arange(len(self)), index))._from_zero()

    def moved(self, index: int, at: float) -> tuple[KeyPoses, int]:
        """With one at another time, which may be before or after others; and its number then."""
        others = np.delete(self.times, index)
        at = max(0.0, at)
        while (close := np.abs(others - at) < SHORTEST - 1e-9).any():
            at = float(others[close].max()) + SHORTEST
        times = self.times.copy()
        times[index] = at
        order = np.argsort(times, kind="stable")
        made = replace(self._taken(order), times=times[order])
        return made._from_zero(), int(np.flatnonzero(order == index)[0])

    def lasting(self, seconds: float) -> KeyPoses:
        """As long as this, everything in proportion."""
        if len(self) < 2:
            return self
        shortest = SHORTEST * self.seconds / float(np.diff(self.times).min())
        return replace(self, times=self.times * (max(seconds, shortest) / self.seconds))

    def _taken(self, order: np.ndarray) -> KeyPoses:
        return replace(
            self, times=self.times[order], rotations=self.rotations[order],
            translations=self.translations[order], scales=self.scales[order],
        )  # fmt: skip

    def _from_zero(self) -> KeyPoses:
        return replace(self, times=self.times - self.times[0]) if len(self) else self

    # ---- motion ---
    def at(self, time: float) -> HandPose:
        """The pose at a moment, held before the first key and after the last."""
        rotations, translations, scales = self.at_all(np.array([time]))
        return HandPose(rotations[0], translations[0], float(scales[0]))

    def at_all(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotations (T, J, 3), translations (T, 3) and scales (T,) at moments (T,)."""
        times = np.asarray(times, float)
        if len(self) < 2:
            return tuple(np.repeat(a[:1], len(times), axis=0) for a in (self.rotations, self.translations, self.scales))  # type: ignore[return-value]
        knots = np.append(self.times, self.seconds) if self.closed else self.times
        legs = np.diff(knots)
        here = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(legs) - 1)
        ahead = (here + 1) % len(self)
        u = np.clip((times - knots[here]) / legs[here], 0, 1)
        if self.smooth and len(self) > 2:
            rotations = self._smooth(here, ahead, legs, u)
        else:
            start = Rotation.from_rotvec(self.rotations[here].reshape(-1, 3))
            end = Rotation.from_rotvec(self.rotations[ahead].reshape(-1, 3))
            eased = u * u * (3 - 2 * u) if self.smooth else u
            share = np.repeat(eased, self.rotations.shape[1])[:, None]
            rotations = _between(start, end, share).as_rotvec().reshape(len(times), -1, 3)
            u = eased
        places = self.translations[here] + u[:, None] * (self.translations[ahead] - self.translations[here])
        return rotations, places, self.scales[here] * (self.scales[ahead] / self.scales[here]) ** u

    def _smooth(self, here: np.ndarray, ahead: np.ndarray, legs: np.ndarray, u: np.ndarray) -> np.ndarray:
        joints = self.rotations.shape[1]
        keys = Rotation.from_rotvec(self.rotations.reshape(-1, 3))
        velocities = self._velocities(keys, legs).reshape(-1, 3)
        rows, rows_ahead = ((k[:, None] * joints + np.arange(joints)).ravel() for k in (here, ahead))
        third = np.repeat(legs[here] / 3, joints)[:, None]
        share = np.repeat(u, joints)[:, None]
        a, d = keys[rows], keys[rows_ahead]
        b = a * Rotation.from_rotvec(velocities[rows] * third)
        c = d * Rotation.from_rotvec(-velocities[rows_ahead] * third)
        ab, bc, cd = (_between(p, q, share) for p, q in ((a, b), (b, c), (c, d)))
        found = _between(_between(ab, bc, share), _between(bc, cd, share), share)
        return np.asarray(found.as_rotvec()).reshape(len(u), joints, 3)

    def _velocities(self, keys: Rotation, legs: np.ndarray) -> np.ndarray:
        """(K, J, 3) rad/s at the keys, in each joint's own frame."""
        count, joints = self.rotations.shape[:2]
        ends = (np.arange(len(legs)) + 1) % count
        starts = np.arange(len(legs))
        rows, rows_end = ((k[:, None] * joints + np.arange(joints)).ravel() for k in (starts, ends))
        speeds = (keys[rows].inv() * keys[rows_end]).as_rotvec().reshape(len(legs), joints, 3) / legs[:, None, None]
        if self.closed:
            before, after, h, h_after = np.roll(speeds, 1, axis=0), speeds, np.roll(legs, 1), legs
        else:
            before, after, h, h_after = speeds[:-1], speeds[1:], legs[:-1], legs[1:]
        h, h_after = h[:, None, None], h_after[:, None, None]
        met = (h_after * before + h * after) / (h + h_after)
        sizes = np.linalg.norm(met, axis=2, keepdims=True)
        slower = np.minimum(*(np.linalg.norm(v, axis=2, keepdims=True) for v in (before, after)))
        onward = (before * after).sum(2, keepdims=True) > 0
        met = met * onward * np.minimum(1.0, 3 * slower / np.maximum(sizes, 1e-12))
        if self.closed:
            return np.asarray(met)
        still = np.zeros((1, joints, 3))  # it sets off gently, and comes to rest
        return np.concatenate([still, met, still])

    def sequence(self, joint_names: Sequence[str], rate: float = RATE, speed: float = 1.0) -> PoseSequence:
        """Played at ``speed`` and taken down so many times a second, the last key included."""
        count = max(1, round(self.seconds / speed * rate) + (not self.closed))
        moments = np.linspace(0, self.seconds, count, endpoint=not self.closed)
        rotations, translations, scales = self.at_all(moments)
        return PoseSequence(
            rotations=rotations, translations=translations, scales=scales, joint_names=tuple(joint_names), rate=rate
        )

    # ---- from and to elsewhere ---
    def to_json(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("times", "rotations", "translations", "scales")}
        return {**arrays, "closed": self.closed, "smooth": self.smooth}

    @classmethod
    def from_json(cls, data: Any, joint_names: Sequence[str]) -> KeyPoses | None:
        """What :meth:`to_json` gave for as many joints, or None for anything else."""
        try:
            arrays = {n: np.array(data[n], float) for n in ("times", "rotations", "translations", "scales")}
            count = len(arrays["times"])
            made = cls(**arrays, closed=data["closed"] is True, smooth=data["smooth"] is True)
            shapes = (count,), (count, len(joint_names), 3), (count, 3), (count,)
            fits = all(a.shape == shape for a, shape in zip(arrays.values(), shapes, strict=True))
            rising = not count or (made.times[0] == 0 and bool((np.diff(made.times) > 0).all()))
            if not count or not fits or not rising or not all(np.isfinite(a).all() for a in arrays.values()):
                return None
            made.sequence(joint_names)  # refuses what can be no pose
        except (TypeError, KeyError, ValueError, UserError):
            return None
        return made


def _between(a: Rotation, b: Rotation, share: np.ndarray) -> Rotation:
    """On the great arcs from rotations to others, by shares (n, 1)."""
    return a * Rotation.from_rotvec(share * (a.inv() * b).as_rotvec())


__all__ = ["LEG", "RATE", "HandPose", "KeyPoses"]
