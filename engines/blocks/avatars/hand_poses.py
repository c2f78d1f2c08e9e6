"""Poses of a hand as a person thinks of them: fingers that bend, spread and twist by degrees, and named poses.

Angles (J, 3) in degrees turn each joint about its bending, spreading and twisting axis at rest (see
:class:`~engines.data.RiggedTemplate`). These axes are mirror images on the two hands, so that the same angles are the
same pose of either. Joints are known by their names: those of MANO (``index1``), WebXR
(``index-finger-phalanx-proximal``) and whatever else says its finger in a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from engines.blocks import hand_anatomy
from engines.blocks.hand_anatomy import mirrored
from engines.data import RiggedTemplate

T = TypeVar("T")
Ranges = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

FINGERS = {
    "thumb": "Thumb",
    "index": "Index finger",
    "middle": "Middle finger",
    "ring": "Ring finger",
    "little": "Little finger",
}
ROLES = {
    "base": "Base",
    "palm": "In the palm",
    "knuckle": "Knuckle",
    "middle": "Middle joint",
    "end": "End joint",
    "tip": "Tip",
    "wrist": "Wrist",
}
ALL_AROUND = (-180.0, 180.0)
RANGES: dict[str, Ranges] = {
    "wrist": (ALL_AROUND, (-90.0, 90.0), ALL_AROUND),
    "palm": ((-10.0, 25.0), (-10.0, 10.0), (-10.0, 10.0)),
    "knuckle": ((-35.0, 95.0), (-25.0, 25.0), (-20.0, 20.0)),
    "middle": ((-10.0, 115.0), (-10.0, 10.0), (-10.0, 10.0)),
    "end": ((-20.0, 85.0), (-10.0, 10.0), (-10.0, 10.0)),
    "tip": ((-20.0, 20.0), (-10.0, 10.0), (-10.0, 10.0)),
    "thumb base": ((-30.0, 60.0), (-40.0, 50.0), (-45.0, 45.0)),
    "thumb knuckle": ((-20.0, 70.0), (-20.0, 20.0), (-20.0, 20.0)),
    "thumb end": ((-30.0, 90.0), (-10.0, 10.0), (-10.0, 10.0)),
    "": ((-90.0, 90.0), (-90.0, 90.0), (-90.0, 90.0)),
}
"""Degrees that people's joints do, a little generously (after Kapandji, "The physiology of the joints", vol. 1)."""
FULL_CURL = {
    "knuckle": 85.0, "middle": 100.0, "end": 60.0, "palm": 0.0, "tip": 0.0,
    "thumb base": 20.0, "thumb knuckle": 50.0, "thumb end": 65.0,
}  # fmt: skip
"""Degrees of bending when a finger is rolled up wholly."""


@dataclass(frozen=True)
class Joint:
    """One joint of a finger: its number in the template, and what it is there."""

    index: int
    role: str
    title: str
    ranges: Ranges
    """Lowest and highest bending, spreading and twisting in degrees."""


@dataclass(frozen=True)
class Finger:
    """A chain of joints from the palm outwards. ``key`` is one of :data:`FINGERS`, ``"wrist"`` or ``"other"``."""

    key: str
    title: str
    joints: tuple[Joint, ...]

    @property
    def curls(self) -> bool:
        return self.key in FINGERS

    def full_curl(self) -> dict[int, float]:
        """Degrees of bending of each joint, by its number, when it is rolled up."""
        return {j.index: found for j in self.joints if (found := _of_finger(FULL_CURL, self.key, j.role, 0.0)) > 0}


def finger_of(name: str) -> str | None:
    """The one of :data:`FINGERS` that a joint's name speaks of, or None."""
    found = hand_anatomy.finger_of(name)
    return "little" if found == "pinky" else found or None


def fingers(names: Sequence[str], parents: np.ndarray) -> tuple[Finger, ...]:
    """The wrist, then the fingers from the thumb on, then what belongs to none. ``parents`` (J,), -1 for the root."""
    chains: dict[str, list[int]] = {key: [] for key in FINGERS}
    others = []
    for index, name in enumerate(names):  # parents come before their children: this is the order along the chain
        key = finger_of(name) if index else None
        if key is not None:
            chains[key].append(index)
        elif index:
            others.append(index)
    found = [Finger("wrist", ROLES["wrist"], (_joint("wrist", "wrist", 0),))] if names else []
    for key, chain in chains.items():
        if chain:
            joints = zip(_roles(key, [names[i] for i in chain]), chain, strict=True)
            found.append(Finger(key, FINGERS[key], tuple(_joint(key, role, i) for role, i in joints)))
    if others:
        found.append(Finger("other", "Other joints", tuple(Joint(i, "", names[i], RANGES[""]) for i in others)))
    return tuple(found)


def _joint(finger: str, role: str, index: int) -> Joint:
    return Joint(index, role, ROLES[role], _of_finger(RANGES, finger, role, RANGES[""]))


def _of_finger(table: Mapping[str, T], finger: str, role: str, default: T) -> T:
    return table.get(f"{finger} {role}", table.get(role, default))


def _roles(finger: str, names: Sequence[str]) -> list[str]:
    tips = [name.lower().endswith(("tip", "end", "nub")) for name in names]
    tip = len(names) > 3 and tips[-1]
    count = len(names) - tip
    inner = ["base", "knuckle", "end"] if finger == "thumb" else ["knuckle", "middle", "end"]
    if count < 3:
        inner = [inner[0], "end"][:count]
    return ["palm"] * (count - len(inner)) + inner + ["tip"] * tip


# ---- angles -----------------------------------------------------------------------------------------------------


def rotations_of(angles: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Axis-angle (..., J, 3) in radians of angles (..., J, 3) in degrees about ``axes`` (J, 3, 3).

    R = R_bend R_spread R_twist, as :func:`engines.blocks.meshes.rotations.turned_about` has it; for the few joints that
    a slider turns many times a second this is some twenty times quicker.
    """
    angles, axes = np.asarray(angles, float), np.asarray(axes, float)
    turns = np.radians(angles)[..., None] * axes
    bend, spread, twist = (Rotation.from_rotvec(turns[..., k, :].reshape(-1, 3)) for k in range(3))
    return np.asarray((bend * spread * twist).as_rotvec()).reshape(angles.shape)


def angles_of(rotations: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Degrees (..., J, 3) of which :func:`rotations_of` makes these axis-angle vectors (..., J, 3).

    The spread lies within 90 degrees; where it is as much, all that is left goes to the bend.
    """
    turns = Rotation.from_rotvec(np.array(rotations, float).reshape(-1, 3)).as_matrix()
    axes = np.asarray(axes, float)
    m = axes @ turns.reshape(*np.shape(rotations), 3) @ axes.swapaxes(-1, -2)
    flat = np.abs(m[..., 0, 2]) > 1 - 1e-11
    spread = np.arctan2(m[..., 0, 2], np.hypot(m[..., 0, 0], m[..., 0, 1]))
    bend = np.where(flat, np.arctan2(m[..., 2, 1], m[..., 1, 1]), np.arctan2(-m[..., 1, 2], m[..., 2, 2]))
    twist = np.where(flat, 0.0, np.arctan2(-m[..., 0, 1], m[..., 0, 0]))
    return np.asarray(np.degrees(np.stack([bend, spread, twist], axis=-1)))


def curl_of(finger: Finger, angles: np.ndarray) -> float:
    """How far a finger is rolled up, from 0 to 1: the mean of its joints. ``angles`` (J, 3) in degrees."""
    shares = [angles[index, 0] / full for index, full in finger.full_curl().items()]
    return float(np.clip(np.mean(shares), 0, 1)) if shares else 0.0


def curled(finger: Finger, angles: np.ndarray, amount: float) -> np.ndarray:
    """The angles (J, 3) with a finger rolled up by ``amount`` from 0 to 1; how it spreads and twists stays."""
    made = np.array(angles, float)
    for index, full in finger.full_curl().items():
        made[index, 0] = amount * full
    return made


# ---- named poses ------------------------------------------------------------------------------------------------

_Chain = tuple[tuple[float, float, float], ...]
_STRAIGHT: _Chain = ((0, 0, 0),) * 3
_OVER_THE_FINGERS: _Chain = ((44, 38, -15), (45, 0, 0), (60, 0, 0))
_FIST: _Chain = ((85, -2, 0), (100, 0, 0), (55, 0, 0))


def _bent(knuckle: float, middle: float, end: float, spread: float = 0.0) -> _Chain:
    return ((knuckle, spread, 0), (middle, 0, 0), (end, 0, 0))


@dataclass(frozen=True)
class Preset:
    """A named pose: for each finger the angles of base or knuckle, of the joint after it, and of the last."""

    title: str
    fingers: Mapping[str, _Chain]


PRESETS: dict[str, Preset] = {
    "rest": Preset("At rest", {}),
    "open": Preset(
        "Open",
        {
            "thumb": ((-8, 22, 0), (-6, 0, 0), (-8, 0, 0)), "index": _bent(-4, 0, 0, 10),
            "middle": _bent(-4, 0, 0), "ring": _bent(-4, 0, 0, 9), "little": _bent(-4, 0, 0, 18),
        },
    ),
    "relaxed": Preset(
        "Relaxed",
        {
            "thumb": ((8, 0, 6), (14, 0, 0), (16, 0, 0)), "index": _bent(18, 24, 12), "middle": _bent(24, 30, 16),
            "ring": _bent(28, 34, 18), "little": _bent(30, 36, 20),
        },
    ),
    "fist": Preset(
        "Fist",
        {
            "thumb": _OVER_THE_FINGERS,
            **dict.fromkeys(("index", "middle", "ring", "little"), _FIST),
        },
    ),
    "point": Preset(
        "Point",
        {
            "thumb": _OVER_THE_FINGERS, "index": _STRAIGHT,
            **dict.fromkeys(("middle", "ring", "little"), _FIST),
        },
    ),
    "pinch": Preset(
        "Pinch",
        {
            "thumb": ((28, 10, 27), (22, 0, 0), (16, 0, 0)), "index": _bent(48, 46, 24),
            "middle": _bent(22, 26, 14, 0), "ring": _bent(18, 22, 12, 4), "little": _bent(14, 20, 10, 10),
        },
    ),
    "victory": Preset(
        "Victory",
        {
            "thumb": _OVER_THE_FINGERS, "index": _bent(0, 0, 0, 12),
            "middle": _bent(0, 0, 0, 10), "ring": _FIST, "little": _FIST,
        },
    ),
    "thumb-up": Preset(
        "Thumb up",
        {
            "thumb": ((-14, 26, 0), (-10, 0, 0), (-16, 0, 0)),
            **dict.fromkeys(("index", "middle", "ring", "little"), _FIST),
        },
    ),
    "call": Preset(
        "Call me",
        {
            "thumb": ((-10, 34, 0), (-8, 0, 0), (-10, 0, 0)), **dict.fromkeys(("index", "middle", "ring"), _FIST),
            "little": _bent(0, 0, 0, 18),
        },
    ),
    "claw": Preset(
        "Claw",
        {
            "thumb": ((10, 20, 10), (20, 0, 0), (40, 0, 0)), "index": _bent(0, 70, 45, 8),
            "middle": _bent(0, 70, 45), "ring": _bent(0, 70, 45, 7), "little": _bent(0, 68, 45, 14),
        },
    ),
}  # fmt: skip


def preset_angles(key: str, names: Sequence[str], parents: np.ndarray) -> np.ndarray:
    """(J, 3) degrees of a named pose, 0 for joints that it does not speak of, the wrist among them."""
    angles = np.zeros((len(names), 3))
    chains = PRESETS[key].fingers
    for finger in fingers(names, parents):
        inner = [joint.index for joint in finger.joints if joint.role not in ("palm", "tip")]
        for index, turned in zip(inner, chains.get(finger.key, ()), strict=False):
            angles[index] = turned
    return angles


# ---- the hand as a whole ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class HandFrame:
    """How a template lies at rest: three unit vectors (3,) at right angles."""

    along: np.ndarray
    """From the wrist to the fingers."""
    palm: np.ndarray
    """Out of the palm."""
    across: np.ndarray
    """``along`` x ``palm``: what is left and right of somebody who looks at the palm."""


def hand_frame(template: RiggedTemplate) -> HandFrame:
    """From the fingers' bending axes; for what has no fingers, from the root's axes."""
    chains = [f.joints for f in fingers(template.joint_names, template.parents) if f.curls and f.key != "thumb"]
    along, bend = template.axes[0, 2], template.axes[0, 0]
    if chains:
        reach = np.mean([template.joints[chain[-1].index] for chain in chains], 0) - template.joints[0]
        turn = np.mean([template.axes[chain[0].index, 0] for chain in chains], 0)
        if np.linalg.norm(np.cross(turn, reach)) > 1e-6 * np.linalg.norm(reach) > 0:
            along, bend = reach, turn
    along = along / np.linalg.norm(along)
    palm = np.cross(bend, along)  # fingertips go there when fingers bend
    palm = palm / np.linalg.norm(palm)
    return HandFrame(along, palm, np.cross(along, palm))


__all__ = [
    "FINGERS", "PRESETS", "Finger", "HandFrame", "Joint", "Preset", "angles_of", "curl_of", "curled", "finger_of",
    "fingers", "hand_frame", "mirrored", "preset_angles", "rotations_of",
]  # fmt: skip
