"""A method run in the background for a preview: each request replaces the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from app.background import Task, run_in_background
from engines.core import Artifact, Cancelled, Control, Event, Noted, Params, Progressed

DEBOUNCE_MS = 200


@dataclass(frozen=True)
class Request:
    """``params`` None: the method's defaults."""

    method: str
    inputs: Mapping[str, Artifact]
    params: Params | None
    seed: int


@dataclass(frozen=True)
class Answer:
    request: Request
    outputs: Mapping[str, Artifact]
    warnings: tuple[str, ...]


class _Listener:
    """Passes progress on and keeps the warnings."""

    def __init__(self, progress: Callable[[float, str], None]) -> None:
        self.progress, self.warnings = progress, []

    def emit(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self.progress(event.fraction, event.label)
        elif isinstance(event, Noted) and event.level == "warning":
            self.warnings.append(event.text)

    def wants_preview(self) -> bool:
        return False


def compute(request: Request, control: Control, progress: Callable[[float, str], None]) -> Answer:
    from engines.core import Run, catalog

    listener = _Listener(progress)
    method = catalog().get(request.method)
    run = Run(seed=request.seed, device="cpu", control=control, listener=listener)
    outputs = method.run(request.inputs, request.params or method.params(), run)
    return Answer(request, outputs, tuple(listener.warnings))


class LivePreparation(QObject):
    """Ask with :meth:`request` as often as you like; only the answer to the latest one arrives."""

    started = Signal()
    progressed = Signal(float, str)
    answered = Signal(object)  # Answer
    failed = Signal(object)  # the exception

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._request: Request | None = None
        self._task: Task | None = None
        self._control = Control()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        return self._timer.isActive() or self._task is not None

    def request(self, request: Request, *, soon: bool = True) -> None:
        """``soon`` waits a moment for further changes first."""
        self.cancel()
        self._request = request
        self._timer.start(DEBOUNCE_MS if soon else 0)

    def cancel(self) -> None:
        """Stop what is under way; nothing arrives after this."""
        self._timer.stop()
        self._control.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _start(self) -> None:
        self._control = Control()
        request = self._request
        assert request is not None
        self.started.emit()
        self._task = run_in_background(
            compute,
            request,
            self._control,
            done=self._done,
            failed=self._failed,
            progress=self.progressed.emit,
            owner=self,
        )

    def _done(self, answer: Answer) -> None:
        self._task = None
        self.answered.emit(answer)

    def _failed(self, error: BaseException) -> None:
        self._task = None
        if not isinstance(error, Cancelled):
            self.failed.emit(error)
