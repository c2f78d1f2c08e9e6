"""Hands to look at, and how a person gets at the parts of the view."""

import functools
from dataclasses import replace

import numpy as np
import torch
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from app.viewers.camera import DEFAULT
from app.viewers.hand_content import HandChoice
from app.viewers.hand_render import HandRenderer, HandRequest
from app.viewers.pinhole import camera_of
from engines.blocks.avatars.avatar import Avatar, Build
from engines.blocks.avatars.hand_poses import hand_frame, preset_angles, rotations_of
from engines.blocks.avatars.key_poses import HandPose
from engines.blocks.cameras import look_at
from engines.data import HandAvatar, HandCapture, Photos, PoseSequence
from engines.files.rigged_glb import the_open_hand
from tests.viewers.test_splat_view import until

open_hand = functools.cache(the_open_hand)


def settled(view):
    until(lambda: view.latest is not None and view.drawing.is_settled)


def part(view, name, kind):
    found = view.findChild(kind, name)
    assert found is not None, name
    return found


def drag(widget, start, *ends, button=Qt.MouseButton.LeftButton):
    def send(kind, at, buttons):
        where = QPointF(*at)
        event = QMouseEvent(kind, where, widget.mapToGlobal(where), button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)

    send(QEvent.Type.MouseButtonPress, start, button)
    for at in ends:
        send(QEvent.Type.MouseMove, at, button)
    send(QEvent.Type.MouseButtonRelease, ends[-1], Qt.MouseButton.NoButton)


def pose_of(key):
    hand = open_hand()
    return HandPose.of(rotations_of(preset_angles(key, hand.joint_names, hand.parents), hand.axes))


def request(hand=None, key="rest", size=64, **more):
    hand = hand or open_hand()
    frame = hand_frame(hand)
    camera = DEFAULT.looking_from(frame.palm, frame.along).framing(hand.vertices)
    return HandRequest(hand, pose_of(key), camera_of(camera, size, size), **more)


@functools.cache
def small_capture() -> HandCapture:
    """Two poses from two sides, photographed by the renderer itself; one photo is missing."""
    hand = open_hand()
    frame = hand_frame(hand)
    middle = hand.vertices.mean(0)
    poses = [pose_of("open"), pose_of("relaxed")]
    photos, cameras, numbers = [], [], []
    for k, pose in enumerate(poses):
        for j, side in enumerate((frame.palm, frame.across)):
            if (k, j) == (1, 1):
                continue
            world = look_at(middle + 0.5 * side, middle, frame.along)
            camera = replace(camera_of(DEFAULT, 48, 64), world_to_camera=world, fx=110.0, fy=110.0)
            drawn = HandRenderer().draw(HandRequest(hand, pose, camera, surface=(0.83, 0.69, 0.61)))
            cover = drawn.layer[..., 3:]
            colours = drawn.layer[..., :3] / np.maximum(cover, 1e-3)
            photos.append(np.round(255 * np.clip(np.dstack([colours, cover]), 0, 1)).astype(np.uint8))
            cameras.append(camera)
            numbers.append((k, j))
    held = Photos.of(
        photos, held_out=np.zeros(3, bool), world_to_camera=np.stack([c.world_to_camera for c in cameras]),
        intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
    )  # fmt: skip
    return HandCapture(
        template=hand, photos=held, poses=PoseSequence.of(np.stack([p.rotations for p in poses]), hand.joint_names),
        frame=np.array([n[0] for n in numbers]), view=np.array([n[1] for n in numbers]), view_names=("front", "side"),
    )  # fmt: skip


@functools.cache
def small_avatar() -> HandAvatar:
    """One that has learned nothing: of random colours and codes."""
    hand = open_hand()
    draw = torch.Generator().manual_seed(0)
    build = Build(
        displacement_width=16, displacement_depth=2, albedo_width=8, weights_width=8, other_depth=2, renderer_width=16,
        start="at the mean", stage="renderer",
    )  # fmt: skip
    made = Avatar(hand, 2, build, draw)
    with torch.no_grad():
        made.albedo.mean.normal_(generator=draw)
        made.displacement.mean.normal_(std=0.001, generator=draw)
        made.render_codes.normal_(generator=draw)
        made.lights[1, 0] += 0.7
        made.lit[:] = True
    cameras = [HandChoice("c", "", hand, small_capture()).camera(0, view) for view in range(2)]
    return made.artifact(PoseSequence.of(np.stack([pose_of("open").rotations]), hand.joint_names), cameras)
