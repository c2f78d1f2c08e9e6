"""The widget that VTK draws into: rendering on demand, navigation with the mouse, soft light.

Why not VTK's own interaction: its styles render at once and several times per event, and differ from
the navigation promised (middle pans, the wheel zooms at the cursor). Here every change only asks for a
frame, and at most one is drawn per 16 ms.
"""

from __future__ import annotations

import contextlib

import numpy as np
from PySide6.QtCore import QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from pyvistaqt import QtInteractor
from shiboken6 import isValid
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkLight

from app.viewers import navigation
from app.viewers.camera import DEFAULT, Pose
from app.viewers.navigation import STILL_AFTER_MS
from app.viewers.tool import Tool

FRAME_MS = 16
_LIGHTS = ((-0.5, 0.6, 1.0, 0.82), (0.9, -0.3, 0.6, 0.34), (0.0, 0.1, 1.2, 0.18))
"""Position relative to the camera, and intensity: over the left shoulder, a fill, and a little from the eye."""


_orphans: list[object] = []


class Canvas(QtInteractor):
    moved = Signal()
    """The camera changed, by whatever cause."""
    moving_changed = Signal(bool)
    """True while the camera moves: time for coarse geometry."""
    rendered = Signal()
    double_clicked = Signal(QPointF)

    def __init__(self, parent=None) -> None:
        self._frame_timer = QTimer()
        self._frame_timer.setSingleShot(True)
        self._still_timer = QTimer()
        self._still_timer.setSingleShot(True)
        self.software = True
        self.peel = False
        super().__init__(parent, auto_update=False, multi_samples=0)
        if parent is not None:
            # pyvistaqt closes the widget when its parent is destroyed, which crashes the other views.
            with contextlib.suppress(RuntimeError, TypeError):
                parent.destroyed.disconnect(self.close)
            parent.destroyed.connect(self._parent_gone, Qt.ConnectionType.DirectConnection)
        self.setAcceptDrops(False)
        self.setAccessibleName("3D view")
        self.setObjectName("canvas")
        self._frame_timer.timeout.connect(self._draw)
        self._still_timer.timeout.connect(self._maybe_still)
        self._moving = False
        self._last: QPointF | None = None
        self._pressed_at = QPointF()
        self._taken_by: Tool | None = None
        self.tools: list[Tool] = []
        self._pose = DEFAULT
        self._asked_renderer = False
        self.renderer.RemoveAllLights()
        self.renderer.SetLightFollowCamera(True)
        for x, y, z, intensity in _LIGHTS:
            light = vtkLight()
            light.SetLightTypeToCameraLight()
            light.SetPosition(x, y, z)
            light.SetIntensity(intensity)
            self.renderer.AddLight(light)
        self.renderer.SetAutomaticLightCreation(False)
        self._push_pose()

    # ---- frames -----------------------------------------------------------------------------------------
    @property
    def is_closed(self) -> bool:
        return bool(getattr(self, "_closed", False)) or self._RenderWindow is None

    def render(self, *_args, **_kwargs) -> None:
        """Ask for a frame; pyvista calls this too, and never draws at once."""
        if not self._frame_timer.isActive():
            self._frame_timer.start(FRAME_MS)

    def _draw(self) -> None:
        if not self.is_closed and self.isVisible():
            self.update()

    def paintGL(self) -> None:
        if self.is_closed:
            return
        still = not (self._moving and self.software)
        self.renderer.SetUseFXAA(self.software and still)
        self._peel(self.peel and still)
        super().paintGL()
        if not self._asked_renderer:
            self._asked_renderer = True
            report = self._RenderWindow.ReportCapabilities().lower()
            self.software = any(word in report for word in ("llvmpipe", "softpipe", "swrast", "software"))
            if not self.software:
                self._RenderWindow.SetMultiSamples(8)
        self.rendered.emit()

    def _peel(self, on: bool) -> None:
        # Sorts translucent surfaces; 50 ms a frame in software GL, like FXAA for pictures that stand still only.
        self.renderer.SetUseDepthPeeling(on)
        self.renderer.SetMaximumNumberOfPeels(6)
        self.renderer.SetOcclusionRatio(0.0)

    def set_gradient(self, bottom: tuple[float, ...], top: tuple[float, ...]) -> None:
        self.renderer.SetBackground(*bottom)
        self.renderer.SetBackground2(*top)
        self.renderer.GradientBackgroundOn()
        self.render()

    # ---- camera -----------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose:
        return self._pose

    @property
    def moving(self) -> bool:
        return self._moving

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        if self.is_closed:
            return
        self._pose = pose
        self._push_pose()
        if moving:
            self._set_moving(True)
        self.moved.emit()
        self.render()

    def _push_pose(self) -> None:
        camera = self.renderer.GetActiveCamera()
        pose = self._pose
        camera.SetFocalPoint(*pose.focal)
        camera.SetPosition(*pose.position)
        camera.SetViewUp(*pose.up)
        camera.SetParallelScale(pose.half_height)
        camera.SetParallelProjection(pose.parallel)
        self.renderer.ResetCameraClippingRange()

    def _set_moving(self, moving: bool) -> None:
        if moving:
            self._still_timer.start(STILL_AFTER_MS)
        if moving != self._moving:
            self._moving = moving
            self.moving_changed.emit(moving)
            self.render()

    def _maybe_still(self) -> None:
        # Full detail can take a second in software GL: not while a button is held and the drag may go on.
        if self._last is not None:
            self._still_timer.start(STILL_AFTER_MS)
        else:
            self._set_moving(False)

    def ray(self, at: QPointF) -> tuple[np.ndarray, np.ndarray]:
        """Origin and direction of the line of sight through a widget pixel."""
        return self._pose.ray(at.x(), at.y(), self.width(), self.height())

    def project(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) world points to widget pixels x, y, and depth."""
        return self._pose.project(points, self.width(), self.height())

    # ---- mouse ------------------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._last = self._pressed_at = at
        self._taken_by = None
        if event.button() == Qt.MouseButton.LeftButton:
            self._taken_by = next((tool for tool in self.tools if tool.press(at)), None)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at, buttons = event.position(), event.buttons()
        if self._taken_by is not None:
            self._taken_by.move(at, True)
            return
        if self._last is None or buttons == Qt.MouseButton.NoButton:
            for tool in self.tools:
                if tool.move(at, False):
                    return
            return
        pose = navigation.dragged(self._pose, self, event, self._last, self._pressed_at)
        self._last = at
        if pose is not None:
            self.set_pose(pose, moving=True)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        taken, self._taken_by, self._last = self._taken_by, None, None
        if event.button() == Qt.MouseButton.LeftButton:
            for tool in [taken] if taken is not None else self.tools:
                tool.release(event.position())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        pose = navigation.wheeled(self._pose, self, event)
        if pose is not None:
            self.set_pose(pose, moving=True)
        event.accept()

    def keyPressEvent(self, event) -> None:
        event.ignore()  # keys are shortcuts of the scene, not VTK's single letters ("q" would close it)

    def keyReleaseEvent(self, event) -> None:
        event.ignore()

    def enterEvent(self, event) -> None:
        event.accept()

    def leaveEvent(self, event) -> None:
        event.accept()

    # ---- pictures ---------------------------------------------------------------------------------------
    def picture(self, width: int, height: int, pose: Pose | None = None, supersample: int = 2) -> QImage:
        """The scene alone at any size, whatever the size on screen; drawn larger and averaged down."""
        self._ensure_initialized()
        window = self._RenderWindow
        old_size, old_pose = window.GetSize(), self._pose
        try:
            self._pose = pose or old_pose
            self._push_pose()
            window.SetSize(width * supersample, height * supersample)
            self.renderer.SetUseFXAA(False)
            self._peel(self.peel)
            window.MakeCurrent()
            window.Render()
            data = vtkUnsignedCharArray()
            window.GetPixelData(0, 0, width * supersample - 1, height * supersample - 1, 0, data, 0)
            pixels = vtk_to_numpy(data).reshape(height * supersample, width * supersample, 3)[::-1]
        finally:
            self._pose = old_pose
            window.SetSize(*old_size)
            self._push_pose()
            self.render()
        if supersample > 1:
            blocks = pixels.reshape(height, supersample, width, supersample, 3)
            pixels = blocks.mean((1, 3), dtype=np.float32).round().astype(np.uint8)
        pixels = np.ascontiguousarray(pixels)
        return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()

    def _parent_gone(self) -> None:
        """The widget above is being deleted, and nobody closed this one."""
        if self.is_closed:
            return
        self._closed = True
        if isValid(self._ctx):
            self.Finalize()
        else:
            # Qt deleted the GL context first, and with it everything in it. Were VTK to free its objects now, it
            # would free those of the same numbers in another view's context: let it keep them.
            _orphans.append(self._RenderWindow)
        self._remove_observers()
        self._let_go()

    def _let_go(self) -> None:
        """Forget Qt's GL context and its surface while they are still there.

        PySide is not told when a surface is deleted, for it is no QObject. Its wrapper would stay in PySide's table
        under an address that the next object gets, a layout, say; when that one is deleted, memory that was freed is
        written to, and the program ends at some later time and place.
        """
        self._forget_context()

    # ---- end --------------------------------------------------------------------------------------------
    def close(self) -> None:  # type: ignore[override]
        with contextlib.suppress(RuntimeError):  # when the window above was deleted first, Qt's half is gone already
            self._frame_timer.stop()
            self._still_timer.stop()
            super().close()
            self._let_go()
