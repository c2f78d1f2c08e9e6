"""The application's log: a rotating file, and a model of the last lines for the log panel and crash reports.

Everything goes through Python's ``logging``; Qt's own messages and uncaught exceptions arrive there by
:mod:`app.dialogs.crash`. Lines may come from any thread.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QColor

from app.theme import colors

KEPT_LINES = 4_000
FLUSH_MS = 100
FILE_BYTES = 1_000_000
FILE_BACKUPS = 3

LEVELS = {logging.ERROR: "Error", logging.WARNING: "Warning", logging.INFO: "Note", logging.DEBUG: "Detail"}
AnyIndex = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class LogLine:
    """``when`` is seconds since the epoch, ``level`` a number of Python's logging."""

    when: float
    level: int
    source: str
    text: str

    @property
    def level_title(self) -> str:
        return next((title for level, title in LEVELS.items() if self.level >= level), "Detail")

    @property
    def clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self.when))

    def __str__(self) -> str:
        return f"{self.clock}  {self.level_title:<8} {self.source}: {self.text}"


class LogModel(QAbstractTableModel):
    """The last lines, newest at the bottom. :meth:`append` may be called on any thread.

    Lines are taken over at most ten times a second, so that a storm of them does not stop the window.
    """

    HEADERS = ("Time", "Level", "Source", "Message")
    waiting = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[LogLine] = []
        self._incoming: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        self._announced = False
        self._timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self._timer.timeout.connect(self.flush)
        # Queued even on the GUI thread: a line may be logged while a view is being painted.
        self.waiting.connect(self._timer.start, Qt.ConnectionType.QueuedConnection)

    def append(self, line: LogLine) -> None:
        with self._lock:
            self._incoming.append(line)
            announce, self._announced = not self._announced, True
        if announce:
            self.waiting.emit()

    def flush(self) -> None:
        """Take over what has arrived. GUI thread only."""
        with self._lock:
            arrived = list(self._incoming)
            self._incoming.clear()
            self._announced = False
        if not arrived:
            return
        surplus = max(0, min(len(self._lines), len(self._lines) + len(arrived) - KEPT_LINES))
        if surplus:
            self.beginRemoveRows(QModelIndex(), 0, surplus - 1)
            del self._lines[:surplus]
            self.endRemoveRows()
        self.beginInsertRows(QModelIndex(), len(self._lines), len(self._lines) + len(arrived) - 1)
        self._lines += arrived
        self.endInsertRows()

    def tail(self, count: int) -> list[LogLine]:
        """The last lines, those included that the views have not seen yet."""
        with self._lock:
            return (self._lines + list(self._incoming))[-count:]

    def line(self, row: int) -> LogLine:
        return self._lines[row]

    def clear(self) -> None:
        self.flush()
        self.beginResetModel()
        self._lines.clear()
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.HEADERS[section]
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line = self._lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return (line.clock, line.level_title, line.source, line.text.strip().split("\n")[-1])[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.text
        if role == Qt.ItemDataRole.ForegroundRole and line.level >= logging.WARNING:
            return QColor(colors().bad if line.level >= logging.ERROR else colors().warn)
        return None


class ModelHandler(logging.Handler):
    """Passes log records to a :class:`LogModel`."""

    def __init__(self, model: LogModel) -> None:
        super().__init__(logging.INFO)
        self.model = model

    def emit(self, record: logging.LogRecord) -> None:
        line = LogLine(record.created, record.levelno, record.name.split(".")[-1], self.format(record))
        with contextlib.suppress(RuntimeError):  # the application is closing and Qt has deleted the model
            self.model.append(line)


def start_logging(folder: Path, model: LogModel) -> list[logging.Handler]:
    """Send everything that is logged to ``folder/fieldwright.log`` (rotating) and to the model.

    A folder that cannot be written costs the file, never the start. Returns the handlers, for
    :func:`stop_logging`.
    """
    handlers: list[logging.Handler] = [ModelHandler(model)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.RotatingFileHandler(
            folder / "fieldwright.log", maxBytes=FILE_BYTES, backupCount=FILE_BACKUPS, encoding="utf-8", delay=True
        )
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(name)s: %(message)s"))
        handlers.append(file)
    except OSError:
        pass
    root = logging.getLogger()
    if root.level > logging.INFO or root.level == logging.NOTSET:
        root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    logging.captureWarnings(True)
    return handlers


def stop_logging(handlers: list[logging.Handler]) -> None:
    logging.captureWarnings(False)
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()
