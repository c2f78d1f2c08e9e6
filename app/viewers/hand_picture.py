"""What a hand view shows besides the hand, how it lies in view, and pictures of any size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PySide6.QtCore import QPointF, QSizeF
from PySide6.QtGui import QImage, QPainter
from scipy.spatial.transform import Rotation

from app.viewers import drawn_picture, overlay
from app.viewers.camera import Pose
from app.viewers.framing import Room
from app.viewers.hand_render import Hand
from app.viewers.pinhole import camera_of
from engines.blocks.avatars.hand_poses import hand_frame
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import HandAvatar, RiggedTemplate

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

PLAIN = (0.83, 0.69, 0.61)
"""Of a template without colours of its own."""
MOST_POINTS = 1500
"""That stand for a hand when it is framed."""


def offers(hand: Hand, mode: str) -> bool:
    """Whether a hand can be shown in this way."""
    if isinstance(hand, RiggedTemplate):
        return mode in ("shaded", "normals", "weight") or (mode == "albedo" and hand.colors is not None)
    return mode != "neural" or _has_renderer(hand)


def _has_renderer(hand: HandAvatar) -> bool:
    made = hand.configuration
    return bool(made.get("neural")) and made.get("stage") == "renderer"


def posed_points(view: HandView) -> np.ndarray:
    """(n, 3) places of some vertices of the hand in its pose, as it is shown."""
    assert view.choice is not None
    template, pose = view.choice.template, view.posing.pose
    some = slice(None, None, max(1, len(template.vertices) // MOST_POINTS))
    vertices, weights, joints, turns = (
        torch.from_numpy(np.array(a, np.float64))
        for a in (template.vertices[some], template.weights[some], template.joints, pose.rotations)
    )
    points = pose.scale * skin(vertices, weights, joint_transforms(turns, joints, template.parents)).numpy()
    points = points + pose.translation
    if view.mirrored:
        normal, at = hand_frame(template).across, template.joints[0]
        points = points - 2 * np.outer((points - at) @ normal, normal)
    return np.asarray(points)


def face(view: HandView, side: int, *, turned: bool = False) -> None:
    """Look at the palm, back, right, left, fingertips or wrist (0 to 5); ``turned``: a little askew."""
    assert view.choice is not None
    frame = hand_frame(view.choice.template)
    wrist = Rotation.from_rotvec(view.posing.pose.rotations[0])
    along, palm, across = (wrist.apply(v) for v in (frame.along, frame.palm, frame.across))
    back, up = ((palm, along), (-palm, along), (across, along), (-across, along), (along, -palm), (-along, palm))[side]
    pose = view.pose.looking_from(back, up)
    view.set_pose(replace(pose.orbited(0.5, -0.12) if turned else pose, pivot=None))


def colour_bars(view: HandView) -> list[overlay.ColourBar]:
    limits = view.latest.value_range if view.latest is not None else (0.0, 1.0)
    if view.mode == "displacement":
        return [overlay.ColourBar("displacement", "diverging", *limits, "mm")]
    if view.mode == "weight":
        return [overlay.ColourBar("weight", "viridis", 0.0, 1.0)]
    return []


def room(view: HandView, width: float, height: float) -> Room:
    """What the hand may fill: not under the colour bar."""
    return Room(width, height, overlay.bars_width(colour_bars(view), (width, height), (height, 0.0)))


def annotate(view: HandView, painter: QPainter, size: QSizeF, pose: Pose) -> None:
    """Axes, scale bar and colour bar."""
    overlay.draw_axes(painter, size, pose)
    in_mm = replace(pose, half_height=1000 * pose.half_height)
    ends = overlay.draw_scale_bar(painter, size, in_mm, "mm")
    bars = colour_bars(view)
    if overlay.is_flat(size.width(), size.height()):
        overlay.draw_flat_bars(painter, size, bars, ends + 24, size.width() - 12)
    else:
        overlay.draw_colour_bars(painter, size, bars, size.height())


def point_at(view: HandView, at: QPointF) -> np.ndarray | None:
    """The point (3,) of the hand under a widget pixel, or None."""
    frame, canvas = view.latest, view.canvas
    if frame is None or not canvas.rect().contains(at.toPoint()):
        return None
    height, width = frame.depth.shape
    share = (at.x() / canvas.width(), at.y() / canvas.height())
    return drawn_picture.point_at(frame.depth, share, frame.request.camera.resized(width, height))


def pose_for(view: HandView, width: int, height: int, *, turning: bool = False) -> Pose:
    """The camera for a picture: where nobody chose a view, one that fills its size."""
    return drawn_picture.pose_for(view.framing, partial(room, view), width, height, turning=turning)


def draw(view: HandView, width: int, height: int, pose: Pose) -> QImage:
    """The view at any size, in full detail. The window stays alive meanwhile."""
    if view.choice is None:
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(view.palette().base().color())
        return image
    request = view.request(width, height)
    request = replace(request, camera=camera_of(pose, width, height, view.lens))
    image = drawn_picture.image_of(drawn_picture.wait_for(lambda: view.drawing.renderer.draw(request)).picture)
    overlay.onto_image(image, lambda painter, size: annotate(view, painter, size, pose))
    return image
