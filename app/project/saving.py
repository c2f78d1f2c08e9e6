"""Write a project file so that, whatever happens, the old one or the new one is there, whole."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.project.hdf5 import open_checked, sync_folder, written
from app.project.journal import beside
from app.project.state import Handle
from app.project.store import Snapshot, check_format, write_snapshot
from engines.core import Cancelled, UserError

Progress = Callable[[float, str], None]


class Saving:
    """A save under way in the background."""

    def __init__(self) -> None:
        self._cancel, self._done = threading.Event(), threading.Event()
        self.error: BaseException | None = None

    def cancel(self) -> None:
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it ended in time."""
        return self._done.wait(timeout)

    def finish(self, error: BaseException | None) -> None:
        self.error = error
        self._done.set()


class Saver:
    """The one writer thread of a project, begun when first needed."""

    def __init__(self) -> None:
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def start(self, save: Callable[[Saving], None], on_done: Callable[[BaseException | None], None] | None) -> Saving:
        """Save when what was begun before is done; ``on_done`` comes on the writer's thread, with the error if any."""
        saving = Saving()

        def work() -> None:
            error: BaseException | None = None
            try:
                save(saving)
            except BaseException as caught:
                error = caught
            saving.finish(error)
            if on_done is not None:
                on_done(error)

        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(1, "fieldwright-save")
        self._pool.submit(work)
        return saving

    def close(self) -> None:
        """Wait for what is under way."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)


def backup_path(path: Path) -> Path:
    return beside(path, "", ".bak")


def write_file(
    target: Path, snapshot: Snapshot, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> Handle:
    """Write beside the target, flush to disk, keep the old file as ``.bak``, rename over it.

    Returns the new file, open for reading: by its name another save may already have replaced it.
    Raises :class:`UserError` (no space, no permission) or :class:`Cancelled`; the old file is then untouched.
    """
    partial = beside(target, ".", f".{secrets.token_hex(4)}.partial")
    total, done, last = max(snapshot.nbytes, 1), 0, 0.0
    label = f"Saving {target.name}"

    def report(fraction: float) -> None:
        nonlocal last
        if progress is not None and (fraction >= 1 or time.monotonic() - last > 0.05):
            last = time.monotonic()
            progress(fraction, label)

    try:
        _check_space(target, snapshot)
        with written(partial) as file:

            def tick(nbytes: int) -> None:
                nonlocal done
                if cancelled is not None and cancelled():
                    raise Cancelled
                done += nbytes
                report(0.95 * min(done / total, 1.0))

            write_snapshot(file, snapshot, tick)
            tick(0)
        opened = _verified(partial, target)
        keep_backup(target)
        with contextlib.suppress(OSError):
            shutil.copymode(target, partial)
        os.replace(partial, target)
        sync_folder(target.parent)
        report(1.0)
        return opened
    except OSError as error:
        raise _explained(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _check_space(target: Path, snapshot: Snapshot) -> None:
    """Refuse with numbers before gigabytes were written in vain. An estimate: arrays may shrink."""
    free = shutil.disk_usage(target.parent).free
    need = snapshot.stored_bytes() + (1 << 16)
    if need > free:
        raise UserError(
            f"Not enough space on disk to save '{target.name}'.",
            f"About {need / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free.",
            "Free some space, or save to another disk. The old file is unchanged.",
        )


def _verified(partial: Path, target: Path) -> Handle:
    """What was written can be opened: seen before it replaces anything."""
    opened = Handle(target, open_checked(partial))
    check_format(opened.file(), partial.name)
    return opened


def keep_backup(target: Path) -> None:
    """Keep the present file as ``.bak`` under a second name, so that its own name never goes missing."""
    if not target.exists():
        return
    backup = backup_path(target)
    fresh = beside(target, ".", f".{secrets.token_hex(4)}.partial")
    try:
        try:
            os.link(target, fresh)
        except OSError:  # a file system without hard links
            shutil.copyfile(target, fresh)
        os.replace(fresh, backup)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _explained(error: OSError, target: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError(
            f"The disk is full: '{target.name}' could not be saved.",
            f"{error.strerror or error}.",
            "Free some space, or save to another disk. The old file is unchanged.",
        )
    return UserError(
        f"'{target}' cannot be written.",
        f"{error.strerror or error}.",
        "Check the folder and its permissions, or save elsewhere. The old file is unchanged.",
    )
