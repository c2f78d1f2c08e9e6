"""Nothing fails unseen: hooks that bring every uncaught error to the log and to the crash dialog.

Errors in Qt slots and virtual methods, in threads and in finalisers vanish unless somebody asks for them, and
a segmentation fault leaves nothing at all. :func:`install_hooks` asks: it sets ``sys.excepthook``,
``threading.excepthook``, ``sys.unraisablehook`` and Qt's message handler, and lets faulthandler write to a file
that the next start looks at.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, qInstallMessageHandler

from app.dialogs.log import LogModel, start_logging, stop_logging
from app.dialogs.report import CrashReport, without_paths
from engines.core import Cancelled, UserError

QUIET_SECONDS = 60.0
"""After the user has seen an error, the same one is only logged for this long."""

QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}

logger = logging.getLogger("fieldwright.crash")
qt_logger = logging.getLogger("fieldwright.Qt")


def state_folder() -> Path:
    """Where logs and crash files live; ``FIELDWRIGHT_STATE`` overrides it."""
    if given := os.environ.get("FIELDWRIGHT_STATE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_state_dir("fieldwright"))


@dataclass(frozen=True)
class PreviousCrash:
    """What a session that died left behind."""

    path: Path
    when: float
    text: str

    def report(self) -> CrashReport:
        first = next((line for line in self.text.splitlines() if line.strip()), "The program stopped.")
        return CrashReport(first[:300], without_paths(self.text), when=self.when, fatal=True)

    def forget(self) -> None:
        """Do not offer it again."""
        self.path.unlink(missing_ok=True)


def previous_crashes(folder: Path) -> list[PreviousCrash]:
    """Fault files of sessions that are gone, the latest first. Empty ones are removed."""
    import psutil

    found = []
    for path in sorted(folder.glob("fault-*.txt")):
        digits = path.stem.removeprefix("fault-")
        if not digits.isdigit() or int(digits) == os.getpid() or psutil.pid_exists(int(digits)):
            continue
        try:
            text, when = path.read_text(errors="replace")[:50_000], path.stat().st_mtime
            if text.strip():
                found.append(PreviousCrash(path, when, text))
            else:
                path.unlink()
        except OSError:
            continue
    return sorted(found, key=lambda crash: -crash.when)


class CrashHooks(QObject):
    """Collects uncaught errors from all threads and says on the GUI thread when one should be shown.

    At most one report is out at a time: between :attr:`crashed` and :meth:`acknowledge` further errors are
    collected (:attr:`others`) and counted, and :attr:`grew` is emitted.
    """

    crashed = Signal(object)  # CrashReport
    grew = Signal()
    refused = Signal(object)  # a UserError that nobody caught: no crash, but the user should read it
    _arrived = Signal()

    def __init__(self, model: LogModel, folder: Path) -> None:
        super().__init__()
        self.model, self.folder = model, folder
        self.previous = previous_crashes(folder)
        self.previous_log = _tail(folder / "logs" / "fieldwright.log") if self.previous else []
        self.current: CrashReport | None = None
        self._others: dict[str, CrashReport] = {}
        self._seen: dict[str, float] = {}
        self._incoming: list[CrashReport | UserError] = []
        self._announced = False
        self._lock = threading.Lock()
        self._fault_file: TextIOWrapper | None = None
        self._was_enabled = False
        self._handlers: list[logging.Handler] = []
        self._before: tuple[Any, ...] = ()
        self._arrived.connect(self._take, Qt.ConnectionType.QueuedConnection)

    @property
    def others(self) -> list[CrashReport]:
        return list(self._others.values())

    # hooks -------------------------------------------------------------------------------------------

    def install(self) -> None:
        self._handlers = start_logging(self.folder / "logs", self.model)
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable
        self._before += (qInstallMessageHandler(self._qt_message),)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._fault_file = open(self.folder / f"fault-{os.getpid()}.txt", "w")  # noqa: SIM115 - open until the end
            self._was_enabled = faulthandler.is_enabled()
            faulthandler.enable(self._fault_file, all_threads=True)
        except OSError as error:
            logger.warning("Crashes cannot be written down: %s", error)

    def uninstall(self) -> None:
        """Put the earlier hooks back; a fault file that stayed empty is removed."""
        if not self._before:
            return
        sys.excepthook, threading.excepthook, sys.unraisablehook, earlier = self._before
        qInstallMessageHandler(earlier)
        self._before = ()
        if self._fault_file is not None:
            faulthandler.disable()
            if self._was_enabled and sys.__stderr__ is not None:
                faulthandler.enable(sys.__stderr__)  # to which file it wrote before cannot be asked
            self._fault_file.close()
            path = Path(self._fault_file.name)
            if path.exists() and path.stat().st_size == 0:
                path.unlink()
        stop_logging(self._handlers)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, (KeyboardInterrupt, SystemExit)):
            sys.__excepthook__(kind, error, trace)
            return
        self.report(kind, error, trace, threading.current_thread().name)

    def _uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if not issubclass(args.exc_type, SystemExit):
            name = args.thread.name if args.thread is not None else "thread"
            self.report(args.exc_type, args.exc_value, args.exc_traceback, name)

    def _unraisable(self, args: Any) -> None:
        # A finaliser harms nothing that the user does: log it, don't interrupt.
        report = CrashReport.of(args.exc_type, args.exc_value, args.exc_traceback)
        logger.error("%s in %s\n%s", report.title, without_paths(repr(args.object))[:200], report.details)

    def _qt_message(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        qt_logger.log(QT_LEVELS.get(kind, logging.WARNING), "%s", text)
        if kind == QtMsgType.QtFatalMsg and self._fault_file is not None:
            self._fault_file.write(f"Qt: {text}\n")  # Qt aborts right after this
            self._fault_file.flush()

    def report(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None = None,
        thread: str = "",
    ) -> None:
        """Take in an error from any thread; also for code that caught one it cannot deal with."""
        if isinstance(error, Cancelled):
            return
        made: CrashReport | UserError = error if isinstance(error, UserError) else CrashReport.of(kind, error, trace)
        with self._lock:
            # A storm is counted, not kept: one entry for each kind of error until the GUI thread has time.
            if isinstance(made, CrashReport):
                same = next((r for r in self._incoming if isinstance(r, CrashReport) and _same(r, made)), None)
                if same is not None:
                    same.count += 1
                    return
            self._incoming.append(made)
            announce, self._announced = not self._announced, True
        if isinstance(made, CrashReport):
            logger.error("%s (%s)\n%s", made.title, thread, made.details)
        else:
            logger.warning("%s", made)
        if announce:
            with contextlib.suppress(RuntimeError):  # the application is closing and Qt has deleted this object
                self._arrived.emit()

    # on the GUI thread -------------------------------------------------------------------------------

    def _take(self) -> None:
        with self._lock:
            arrived, self._incoming, self._announced = self._incoming, [], False
        for item in arrived:
            if isinstance(item, UserError):
                self.refused.emit(item)
            elif self.current is not None:
                self._collect(item)
            elif time.monotonic() - self._seen.get(item.signature, -1e9) > QUIET_SECONDS:
                self.current = item
                self.crashed.emit(item)

    def _collect(self, item: CrashReport) -> None:
        assert self.current is not None
        known = self.current if _same(item, self.current) else self._others.get(item.signature)
        if known is None:
            self._others[item.signature] = item
        else:
            known.count += item.count
        self.grew.emit()

    def acknowledge(self) -> None:
        """The user has seen what there was."""
        now = time.monotonic()
        for item in filter(None, (self.current, *self._others.values())):
            self._seen[item.signature] = now
        self.current = None
        self._others.clear()


def _tail(path: Path, count: int = 60) -> list[str]:
    """The last lines of the log as an earlier session left it."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 20_000))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def _same(one: CrashReport, other: CrashReport) -> bool:
    return one.signature == other.signature


def install_hooks(
    model: LogModel | None = None,
    *,
    folder: Path | None = None,
    show: Callable[[CrashHooks, CrashReport], object] | None = None,
) -> CrashHooks:
    """Install all hooks and logging. Needs a QCoreApplication; call once, before the window is made.

    ``show`` is called on the GUI thread with each report that the user should see (default: the
    :class:`~app.dialogs.crash_dialog.CrashDialog`). ``hooks.previous`` lists crashes of earlier sessions:
    offer them with :func:`offer_previous`. Call ``hooks.uninstall()`` when the application ends well.
    """
    hooks = CrashHooks(model or LogModel(), folder or state_folder())
    hooks.install()
    if show is None:
        from app.dialogs.crash_dialog import show_crash as show
        from app.dialogs.crash_dialog import show_refusal

        hooks.refused.connect(show_refusal)
    chosen = show
    hooks.crashed.connect(lambda report: chosen(hooks, report))
    return hooks


def offer_previous(hooks: CrashHooks, parent: Any = None, crashes: Iterable[PreviousCrash] | None = None) -> Any:
    """Show what the last session left when it crashed, or return None."""
    from app.dialogs.crash_dialog import CrashDialog

    found = list(hooks.previous if crashes is None else crashes)
    if not found:
        return None
    dialog = CrashDialog(found[0].report(), [c.report() for c in found[1:]], hooks.previous_log, parent)
    dialog.finished.connect(lambda _: [crash.forget() for crash in found])
    dialog.open()
    return dialog
