"""The pose that a hand view shows while it is changed, by whatever means, and what can be undone of it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from app.viewers.value_change import Change
from engines.blocks.avatars.hand_poses import (
    Finger,
    angles_of,
    curled,
    fingers,
    mirrored,
    preset_angles,
    rotations_of,
)
from engines.blocks.avatars.key_poses import HandPose
from engines.data import RiggedTemplate


class Posing(QObject):
    hand_changed = Signal()
    """Other joints than before."""
    changed = Signal()
    """Another pose."""
    handled = Signal()
    """Somebody changed it by hand: what plays gives way."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.template: RiggedTemplate | None = None
        self.fingers: tuple[Finger, ...] = ()
        self.angles = np.zeros((0, 3))
        """(J, 3) degrees about the axes of the joints."""
        self.home = HandPose.of(np.zeros((0, 3)))
        """The pose to start from, and where the hand is while poses only bend it."""
        self._place = self.home
        self._rotations: np.ndarray | None = None
        self.undo_stack = QUndoStack(self)
        self._gesture = 0

    # ---- what it is ---------------------------------------------------------------------------------------
    @property
    def joint_names(self) -> tuple[str, ...]:
        return () if self.template is None else self.template.joint_names

    @property
    def pose(self) -> HandPose:
        """As the sliders stand, where the hand was put last."""
        if self._rotations is None:
            axes = np.zeros((0, 3, 3)) if self.template is None else self.template.axes
            self._rotations = rotations_of(self.angles, axes)
        return HandPose(self._rotations, self._place.translation, self._place.scale)

    def set_hand(self, template: RiggedTemplate | None, home: HandPose | None = None) -> None:
        """Another hand; one with the same joints keeps its pose."""
        before, self.template = self.template, template
        same = before is not None and template is not None and before.joint_names == template.joint_names
        count = 0 if template is None else len(template.joints)
        self.home = home or HandPose.of(np.zeros((count, 3)))
        if same and template is not None and before is not None:
            if not np.array_equal(before.axes, template.axes):
                self._show(self.pose)
            return
        self.fingers = () if template is None else fingers(template.joint_names, template.parents)
        self.undo_stack.clear()
        self._show(self.home)
        self.hand_changed.emit()

    # ---- changes ------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """A new drag: it is undone by itself."""
        self._gesture += 1

    def show(self, pose: HandPose) -> None:
        """Take over a pose that is not to be undone: one of a motion."""
        self._show(pose)

    def set_pose(self, pose: HandPose, text: str) -> None:
        self._change(text, (self._angles_of(pose), pose))

    def set_angle(self, joint: int, axis: int, degrees: float) -> None:
        if self.template is None:
            return
        angles = self.angles.copy()
        angles[joint, axis] = degrees
        self._change(f"Turn {self.template.joint_names[joint]}", (angles, self._place), self._gesture)

    def set_curl(self, finger: Finger, amount: float) -> None:
        """Roll a finger up, by 0 to 1."""
        self._change(f"Curl {finger.title.lower()}", (curled(finger, self.angles, amount), self._place), self._gesture)

    def set_preset(self, key: str, title: str) -> None:
        """A named pose; the wrist stays as it is."""
        if self.template is None:
            return
        angles = preset_angles(key, self.template.joint_names, self.template.parents)
        angles[0] = self.angles[0]
        self._change(title, (angles, self._place))

    def reset(self) -> None:
        """As at first."""
        self._change("Reset the pose", (self._angles_of(self.home), self.home))

    def mirror(self) -> None:
        """The pose that this is on the other hand's rig."""
        pose = self.pose
        self.set_pose(HandPose(mirrored(pose.rotations), pose.translation, pose.scale), "Mirror the pose")

    @property
    def _axes(self) -> np.ndarray:
        return np.zeros((0, 3, 3)) if self.template is None else self.template.axes

    def _angles_of(self, pose: HandPose) -> np.ndarray:
        return np.round(angles_of(pose.rotations, self._axes), 9) + 0.0  # no rounding errors, and no negative zero

    def _show(self, pose: HandPose) -> None:
        self._put((self._angles_of(pose), pose))
        self._rotations = np.asarray(pose.rotations, float)

    def _put(self, value: tuple[np.ndarray, HandPose]) -> None:
        self.angles, self._place = value
        self._rotations = None
        self.changed.emit()

    def _change(self, text: str, value: tuple[np.ndarray, HandPose], gesture: int = -1) -> None:
        self.handled.emit()
        old = (self.angles, self._place)
        if np.array_equal(old[0], value[0]) and old[1] is value[1]:
            return
        self.undo_stack.push(Change(text, self._put, old, value, gesture))
