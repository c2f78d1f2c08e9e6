"""What joints of a hand are called, which way is the palm, and about which axes they bend, spread and twist.

With d towards the tip and n out of the palm, a finger closes by a positive turn about a = d x n, on both hands alike.
The axes of a mirrored hand are the mirrored ones with their signs turned (they are axial vectors): the same angles give
the mirrored pose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from engines.data import RiggedTemplate

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
MANO_NAMES = ("wrist", *(f"{finger}{i}" for finger in FINGERS for i in (1, 2, 3)))
"""The 16 joints in the order of MANO (Romero et al. 2017)."""
MANO_PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14], np.int32)

_BONES = ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
WEBXR_CHAINS = {
    "thumb": ("thumb-metacarpal", "thumb-phalanx-proximal", "thumb-phalanx-distal", "thumb-tip"),
    **{finger: tuple(f"{finger}-finger-{bone}" for bone in _BONES) for finger in FINGERS[:4]},
}
"""Joints of the WebXR hand (W3C WebXR Hand Input) below its wrist, by finger."""
WEBXR_PARENTS = {
    "wrist": "",
    **{name: above for chain in WEBXR_CHAINS.values() for above, name in zip(("wrist", *chain), chain, strict=False)},
}
REDUCED = {
    "wrist": "wrist",
    **{f"{finger}-finger-metacarpal": "wrist" for finger in FINGERS[:4]},
    **{
        name: f"{finger}{min(i, 3)}"
        for finger, chain in WEBXR_CHAINS.items()
        for i, name in enumerate(chain[0 if finger == "thumb" else 1 :], 1)
    },
}
"""Which of the 16 joints takes the weights of each of the 25: tips go to the last bone, the palm to the wrist."""
KEPT = {
    "wrist": "wrist",
    **{name: target for name, target in REDUCED.items() if "tip" not in name and target != "wrist"},
}
"""Which of the 25 joints is at the place of each of the 16."""

_MEANT = {"pointer": "index", "fore": "index", "little": "pinky", "pinkie": "pinky", "small": "pinky"}
_SAID = re.compile(
    r"(thumb|index|pointer|middle|little|pinky|pinkie)"
    r"|(?<![a-z])(small|fore(?![^a-z]*arm))(?=finger|[^a-z]|$)"
    r"|(?:(?<![a-z])[lr]?|hand|left|right|finger)(ring)"  # no spring
)


def finger_of(name: str) -> str:
    """The finger of :data:`FINGERS` that a joint belongs to, told by its name; empty where it is of none.

    The first that the name speaks of: ``thumb_middle`` is the middle joint of the thumb.
    """
    found = _SAID.search(_in_words(name))
    word = found[found.lastindex or 0] if found else ""
    return _MEANT.get(word, word)


def side_in(name: str) -> str:
    """``"left"`` or ``"right"`` where a name says so (``l_hand``, ``Hand.R``, ``mixamorig:LeftHand``), else empty."""
    words = _in_words(name)
    for side in ("left", "right"):
        if side in words or re.search(rf"(^|[^a-z]){side[0]}($|[^a-z])", words):
            return side
    return ""


def is_hand(names: Sequence[str]) -> bool:
    """Whether joints with these names are those of a hand, not of a body that has hands."""
    of = [finger_of(name) for name in names]
    return len(set(of) - {""}) >= 3 and 2 * sum(map(bool, of)) > len(names)


def first_bones(names: Sequence[str], parents: np.ndarray) -> dict[str, int]:
    """The number of the first joint of each finger; in a finger with a metacarpal, of the one after it."""
    found: dict[str, int] = {}
    for joint, name in enumerate(names):
        finger = finger_of(name)
        above = int(parents[joint])
        starts = finger and (above < 0 or finger_of(names[above]) != finger)
        if finger and (starts or (finger != "thumb" and "metacarpal" in names[above].lower())):
            found[finger] = joint
    return found


def across_the_palm(joints: np.ndarray, names: Sequence[str], parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) from the little finger to the index, and (3,) the product of the ways to those from the wrist.

    The second points out of the palm of a right hand and out of the back of a left one. Zeros where that is not known.
    """
    first = first_bones(names, parents)
    ends = [first.get(one, first.get(other)) for one, other in (("index", "middle"), ("pinky", "ring"))]
    if None in ends or ends[0] == ends[1]:
        return np.zeros(3), np.zeros(3)
    index, pinky = joints[ends[0]], joints[ends[1]]
    wrist = joints[max(0, _above_all(first, parents))]
    normal = np.cross(index - wrist, pinky - wrist)
    return _unit(index - pinky), _unit(normal)


def side_told_by_shape(joints: np.ndarray, names: Sequence[str], parents: np.ndarray) -> str:
    """``"left"`` or ``"right"``: the thumb lies on the side of the palm. Empty where there is none."""
    _, normal = across_the_palm(joints, names, parents)
    thumb = [joint for joint, name in enumerate(names) if finger_of(name) == "thumb"]
    if not thumb or not normal.any():
        return ""
    middle = joints[list(first_bones(names, parents).values())].mean(0)
    return "right" if (joints[thumb[-1]] - middle) @ normal > 0 else "left"


def axes_of_frames(frames: np.ndarray, radial: np.ndarray, palm: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(J, 3, 3) axes from the frames of WebXR (J, 3, 3): in their columns +X lies across, +Y comes out of the back of
    the hand and -Z goes to the tip. ``radial`` (3,) points to the side of the thumb, ``palm`` (3,) out of the palm."""
    return _axes(-frames[:, :, 2], -frames[:, :, 1], radial, palm, names)


def axes_of_bones(
    vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray, parents: np.ndarray, names: Sequence[str], side: str
) -> np.ndarray:
    """(J, 3, 3) axes from the ways from joint to joint and the palm; of the last ones, to the vertices they move.

    The thumb closes towards the base of the little finger. Without a palm, n is the normal of the plane that fits all
    joints best.
    """
    radial, normal = across_the_palm(joints, names, parents)
    palm = normal if side != "left" else -normal
    towards = _bones(vertices, weights, joints, parents)
    if not palm.any():
        palm = np.linalg.svd(joints - joints.mean(0))[2][-1]
        radial = np.cross(palm, _unit(towards.mean(0)))
    inward = np.tile(palm, (len(joints), 1))
    first = first_bones(names, parents)
    wrist = max(0, _above_all(first, parents))
    heart = np.mean([joints[j] for f, j in first.items() if f != "thumb"] or [joints[wrist]], axis=0)
    towards[wrist] = _unit(heart - joints[wrist]) if first else towards[wrist]
    base = first.get("pinky", first.get("ring"))
    for joint, name in enumerate(names):
        if finger_of(name) == "thumb" and base is not None:
            inward[joint] = _unit(joints[base] - joints[joint]) + 0.3 * palm
    return _axes(towards, inward, radial, palm, names)


def mirrored_template(template: RiggedTemplate) -> RiggedTemplate:
    """The other hand: x turned round."""
    flip = np.array([-1.0, 1, 1])
    names = {"left": "right", "right": "left"}
    return template.replace(
        vertices=template.vertices * flip,
        faces=template.faces[:, ::-1].copy(),
        joints=template.joints * flip,
        axes=-template.axes * flip,
        side=names.get(template.side, ""),
    )


def mirrored(rotations: np.ndarray, normal: Sequence[float] = (1.0, 0.0, 0.0)) -> np.ndarray:
    """Axis-angle vectors (..., 3) of the same motion seen in a mirror whose ``normal`` is (3,).

    A rotation turns the other way in the mirror: v becomes 2 n (n . v) - v. The two hands of MANO and those of WebXR
    are mirror images in x.
    """
    n = np.asarray(normal, float) / np.linalg.norm(normal)
    rotations = np.asarray(rotations, float)
    return 2 * (rotations @ n)[..., None] * n - rotations


def _in_words(name: str) -> str:
    """In small letters, with a space before what was a capital in the middle of a word."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _axes(
    towards: np.ndarray, inward: np.ndarray, radial: np.ndarray, palm: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """From where bones (J, 3) go, and where they go when they bend."""
    found = np.zeros((len(names), 3, 3))
    for joint, name in enumerate(names):
        along = _unit(towards[joint])
        inside = _unit(inward[joint] - inward[joint] @ along * along)
        if not inside.any():  # the bone points there already
            inside = _unit(np.cross(along, np.eye(3)[np.argmin(np.abs(along))]))
        bend = np.cross(along, inside)
        finger = finger_of(name)
        away = {"ring": -radial, "pinky": -radial, "thumb": radial + palm}.get(finger, radial)
        spread = -inside if np.cross(-inside, along) @ away >= 0 else inside
        found[joint] = bend, spread, np.cross(bend, spread)
    return found


def _bones(vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """(J, 3) unit vectors along the bones; zero where nothing tells."""
    total = weights.sum(0)
    centres = weights.T @ vertices / np.where(total > 0, total, 1)[:, None]
    found = np.zeros_like(joints)
    for joint in range(len(joints)):
        below = np.flatnonzero(parents == joint)
        end = joints[below].mean(0) if len(below) else centres[joint] if total[joint] > 0 else joints[joint]
        found[joint] = _unit(end - joints[joint])
        if not found[joint].any() and parents[joint] >= 0:
            found[joint] = found[parents[joint]]
        if not found[joint].any():
            found[joint] = np.array([0.0, 1, 0])
    return found


def _above_all(first: dict[str, int], parents: np.ndarray) -> int:
    """The joint that carries the fingers: the first that is above two of them."""
    lines = []
    for joint in first.values():
        line, above = [], int(parents[joint])
        while above >= 0:
            line.append(above)
            above = int(parents[above])
        lines.append(line)
    shared = [joint for joint in (lines[0] if lines else ()) if all(joint in line for line in lines)]
    return shared[0] if shared else 0


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-12 else np.zeros(3)
