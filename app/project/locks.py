"""Who owns a folder: a lock file that dies with its process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import psutil

try:
    import fcntl
except ImportError:  # not POSIX: the process number alone decides
    fcntl = None  # type: ignore[assignment]


def owner_alive(info: dict[str, Any]) -> bool:
    """Whether the process that wrote ``info`` still runs (same number and same start, on this machine)."""
    if info.get("host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(info["pid"]))
        same = abs(process.create_time() - float(info["started"])) < 2.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


class OwnerLock:
    """An exclusive lock on a file, with the owner written inside. Released by :meth:`release` or the process's end."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    @staticmethod
    def acquire(path: Path) -> OwnerLock | None:
        """Take the lock; None when a living owner (this process too) has it. Raises OSError when it cannot be made."""
        for _ in range(5):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if fcntl is not None:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        if owner_alive(read_owner(path)) or not _old(path):
                            return None
                        path.unlink(missing_ok=True)  # held by a child that outlived its parent
                        continue
                elif owner_alive(read_owner(path)):
                    return None
                with contextlib.suppress(OSError):
                    if os.fstat(descriptor).st_ino == path.stat().st_ino:  # not unlinked by a releasing owner meanwhile
                        lock = OwnerLock(path, descriptor)
                        descriptor = -1
                        lock._sign()
                        return lock
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
        return None

    def _sign(self) -> None:
        me = psutil.Process()
        info = {"pid": me.pid, "started": me.create_time(), "host": socket.gethostname()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(info).encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _old(path: Path) -> bool:
    """Whether the owner had time to sign."""
    return bool(read_owner(path))


def read_owner(path: Path) -> dict[str, Any]:
    """What the owner wrote; empty when nothing can be read."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
