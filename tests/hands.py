"""The smallest hands: a tetrahedron on three joints, and what is made with it."""

from __future__ import annotations

import numpy as np

from engines.data import HandAvatar, HandCapture, Photos, PoseSequence, RiggedTemplate

NAMES = ("wrist", "index1", "index2")


def template(**changes) -> RiggedTemplate:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    given = {
        "vertices": corners,
        "faces": np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
        "weights": np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1.0]]),
        "joints": np.zeros((3, 3)),
        "parents": np.array([-1, 0, 1]),
        "axes": np.tile(np.eye(3), (3, 1, 1)),
        "joint_names": NAMES,
    }
    return RiggedTemplate(**(given | changes))


def poses(**changes) -> PoseSequence:
    draw = np.random.default_rng(5)
    given = {"translations": draw.normal(size=(4, 3)), "scales": draw.uniform(0.5, 2, 4), "rate": 30.0}
    return PoseSequence.of(draw.normal(size=(4, 3, 3)), NAMES, **(given | changes))


def capture(**changes) -> HandCapture:
    pixels = [np.zeros((2, 3, 3), np.uint8)] * 3
    cameras = {"world_to_camera": np.tile(np.eye(4), (3, 1, 1)), "intrinsics": np.tile([2.0, 2, 1.5, 1], (3, 1))}
    given = {
        "template": template(),
        "photos": Photos.of(pixels, held_out=np.zeros(3, bool), **cameras),
        "poses": PoseSequence.of(np.zeros((2, 3, 3)), NAMES),
        "frame": np.array([0, 0, 1]),
        "view": np.array([0, 1, 1]),
    }
    return HandCapture(**(given | changes))


def avatar(**changes) -> HandAvatar:
    given = {
        "template": template(),
        "poses": PoseSequence.of(np.zeros((1, 3, 3)), NAMES),
        "weights": {"codes": np.zeros((4, 10), np.float32)},
        "world_to_camera": np.eye(4)[None],
        "intrinsics": np.ones((1, 4)),
        "sizes": np.ones((1, 2)),
        "config": '{"levels": 1}',
    }
    return HandAvatar(**(given | changes))
