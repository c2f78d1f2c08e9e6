"""The camera between the key views of a :class:`~engines.data.CameraPath`: smooth, and exactly through each of them.

*Shape.* A leg from key view i to i + 1 has the length d = max(|c' - c|, rho * angle) of what the camera moves and
turns, and the knots are sqrt(d) apart: centripetal, so that a curve through uneven points makes no loops (Yuksel,
Schaefer and Keyser 2011, "Parameterization and applications of Catmull-Rom curves"). With v the velocities of the legs
before and after a knot, both positions and rotations go through it with (h' v + h v') / (h + h'): for positions by
cubic Hermite, for rotations by the same Bezier curve drawn with great arcs (Shoemake 1985, "Animating rotation with
quaternion curves"), where a velocity is the rotation vector of a leg. Both are C1, for unevenly spaced knots too.

*Pace.* Time is mapped to the knots monotonically (Fritsch and Carlson 1980), or, at even speed, by the length of the
curve in the measure above.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from engines.blocks.cameras import Camera
from engines.data import CameraPath

TURN = 0.1
"""Turning by one radian counts as moving by this part of the size of the path (rho)."""
FEW, MANY, IN_ALL = 8, 64, 8000
"""Places on each leg at which its length is measured: many, unless that would be too many in all."""


class Track:
    """A camera path made ready to be asked where the camera is."""

    def __init__(self, path: CameraPath) -> None:
        self.path = path
        self.count = len(path)
        self._centres = path.centres
        self._turns = Rotation.from_matrix(path.world_to_camera[:, :3, :3].transpose(0, 2, 1))
        self._lenses = np.log(np.tan(np.radians(path.fields_of_view) / 2))
        if self.count == 1:
            return
        ahead = (np.arange(self.count) + 1) % self.count
        legs = self.count if path.closed else self.count - 1
        self._ahead = ahead[:legs]
        here = np.arange(legs)
        moves = self._centres[self._ahead] - self._centres[here]
        spins = (self._turns[here].inv() * self._turns[self._ahead]).as_rotvec()
        size = float(np.linalg.norm(np.ptp(self._centres, axis=0)))
        moves_at_all = size > 1e-9 * (1 + float(np.abs(self._centres).max()))  # more than rounding
        self._radius = TURN * size if moves_at_all else 1.0
        lengths = np.maximum(np.linalg.norm(moves, axis=1), self._radius * np.linalg.norm(spins, axis=1))
        most = float(lengths.max())
        self._steps = np.sqrt(np.maximum(lengths, 1e-6 * most)) if most > 0 else np.ones(legs)
        self._knots = np.concatenate([[0.0], np.cumsum(self._steps)])
        self._velocities = self._through(moves / self._steps[:, None])
        self._spins = self._through(spins / self._steps[:, None])
        self._lens = self._monotone(self._knots[: self.count], self._lenses, self._knots[-1], 0.0)
        if path.even_speed:
            self._even()
        else:
            self._pace = self._monotone(path.times, self._knots[: self.count], path.seconds, self._knots[-1])
            self.key_times = path.times.copy()
            """(N,) s, when the camera passes each key view."""

    def _through(self, legs: np.ndarray) -> np.ndarray:
        """(N, 3) velocities at the knots from those of the legs."""
        if self.path.closed:
            before, step_before = np.roll(legs, 1, axis=0), np.roll(self._steps, 1)
            return _weighed(before, legs, step_before, self._steps)
        if len(legs) == 1:
            return np.repeat(legs, 2, axis=0)
        inner = _weighed(legs[:-1], legs[1:], self._steps[:-1], self._steps[1:])
        h = self._steps
        first = legs[0] + (legs[0] - legs[1]) * h[0] / (h[0] + h[1])  # of the parabola through three knots
        last = legs[-1] + (legs[-1] - legs[-2]) * h[-1] / (h[-1] + h[-2])
        return np.concatenate([first[None], inner, last[None]])

    def _monotone(self, x: np.ndarray, y: np.ndarray, period: float, rise: float) -> PchipInterpolator:
        """Through (x, y) without overshoot; on a closed path again after ``period``, ``rise`` higher."""
        if self.path.closed:
            x = np.concatenate([x - period, x, x + period])
            y = np.concatenate([y - rise, y, y + rise])
        return PchipInterpolator(x, y)

    def _even(self) -> None:
        samples = min(MANY, max(FEW, IN_ALL // len(self._steps)))
        parameters = self._along(samples)
        centres, turns = self._placed(parameters)
        moved = np.linalg.norm(np.diff(centres, axis=0), axis=1)
        turned = self._radius * (turns[:-1].inv() * turns[1:]).magnitude()
        lengths = np.concatenate([[0.0], np.cumsum(np.maximum(moved, turned))])
        start = float(self.path.times[0])
        end = start + self.path.seconds if self.path.closed else float(self.path.times[-1])
        if lengths[-1] <= 0:  # all key views are the same
            lengths = np.linspace(0, 1, len(lengths))
        passed = start + lengths / lengths[-1] * (end - start)
        self.key_times = passed[::samples][: self.count].copy()
        rises = np.concatenate([[True], np.diff(passed) > 1e-9 * self.path.seconds])
        rises[-1] = True
        if (late := np.flatnonzero(rises)[-2]) and passed[-1] - passed[late] <= 1e-9 * self.path.seconds:
            rises[late] = False
        passed, parameters = passed[rises], parameters[rises]
        if self.path.closed:  # the seam is as smooth as the rest
            passed, parameters = (
                np.concatenate([x[:-1] - period, x, x[1:] + period])
                for x, period in ((passed, self.path.seconds), (parameters, self._knots[-1]))
            )
        self._pace = PchipInterpolator(passed, parameters)

    def _parameters(self, times: np.ndarray) -> np.ndarray:
        start = float(self.path.times[0])
        if self.path.closed:
            times = start + np.mod(times - start, self.path.seconds)
        else:
            times = np.clip(times, start, float(self.path.times[-1]))
        return np.clip(self._pace(times), 0.0, self._knots[-1])

    def _placed(self, parameters: np.ndarray) -> tuple[np.ndarray, Rotation]:
        """Centres (M, 3) and camera-to-world rotations (M)."""
        leg = np.clip(np.searchsorted(self._knots, parameters, side="right") - 1, 0, len(self._steps) - 1)
        step, ahead = self._steps[leg][:, None], self._ahead[leg]
        u = (parameters - self._knots[leg])[:, None] / step
        p, q = self._centres[leg], self._centres[ahead]
        v, w = self._velocities[leg] * step, self._velocities[ahead] * step
        centres = p * (1 + 2 * u) * (1 - u) ** 2 + q * u**2 * (3 - 2 * u) + v * u * (1 - u) ** 2 - w * u**2 * (1 - u)
        corners = [
            self._turns[leg],
            self._turns[leg] * Rotation.from_rotvec(self._spins[leg] * step / 3),
            self._turns[ahead] * Rotation.from_rotvec(-self._spins[ahead] * step / 3),
            self._turns[ahead],
        ]
        while len(corners) > 1:  # de Casteljau
            corners = [_between(a, b, u) for a, b in itertools.pairwise(corners)]
        return centres, corners[0]

    def poses(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World-to-camera (M, 4, 4) and fields of view (M,) in degrees at times (M,) in s."""
        times = np.atleast_1d(np.asarray(times, np.float64))
        if self.count == 1:
            return np.repeat(self.path.world_to_camera, len(times), 0), np.repeat(self.path.fields_of_view, len(times))
        parameters = self._parameters(times)
        centres, turns = self._placed(parameters)
        rotations = turns.inv().as_matrix()
        found = np.tile(np.eye(4), (len(times), 1, 1))
        found[:, :3, :3] = rotations
        found[:, :3, 3] = -np.einsum("nij,nj->ni", rotations, centres)
        return found, np.degrees(2 * np.arctan(np.exp(self._lens(parameters))))

    def cameras(self, times: np.ndarray, width: int = 0, height: int = 0) -> list[Camera]:
        """Cameras at times (M,) in s, in so many pixels (0: those of the path)."""
        width, height = width or self.path.width, height or self.path.height
        poses, angles = self.poses(times)
        focals = height / 2 / np.tan(np.radians(angles) / 2)
        return [
            Camera(pose, float(f), float(f), width / 2, height / 2, width, height)
            for pose, f in zip(poses, focals, strict=True)
        ]

    def line(self, count: int = 24) -> np.ndarray:
        """(M, 3) centres along the whole path, ``count`` on each leg and the last end."""
        if self.count == 1:
            return self._centres.copy()
        return self._placed(self._along(count))[0]

    def _along(self, count: int) -> np.ndarray:
        """Parameters of ``count`` places on each leg, and of the end."""
        shares = np.linspace(0, 1, count, endpoint=False)
        return np.append((self._knots[:-1, None] + shares * self._steps[:, None]).ravel(), self._knots[-1])


def picture_times(path: CameraPath, rate: float = 0.0) -> np.ndarray:
    """(M,) s of the pictures of a video, so many a second (0: as the path says).

    An open path shows both of its ends; a closed one comes round without a picture twice.
    """
    count = max(1, round(path.seconds * (rate or path.rate)))
    return np.linspace(0, path.seconds, count, endpoint=not path.closed)


def _weighed(before: np.ndarray, after: np.ndarray, h: np.ndarray, h_after: np.ndarray) -> np.ndarray:
    return (before * h_after[:, None] + after * h[:, None]) / (h + h_after)[:, None]


def _between(a: Rotation, b: Rotation, share: np.ndarray) -> Rotation:
    """On the great arc from a to b; ``share`` (M, 1)."""
    return a * Rotation.from_rotvec((a.inv() * b).as_rotvec() * share)
