"""Who owns a project's file, and what its names look like."""

from __future__ import annotations

import contextlib
from pathlib import Path

from app.project.journal import journal_folder
from app.project.locks import OwnerLock, read_owner
from app.project.records import LIVE
from app.project.store import Tree
from engines.core import UserError

MAX_NAME = 500
OPEN_ELSEWHERE = "It is open in another window"


def located(path: str | Path) -> Path:
    """The absolute path of a project's file; a link to it is followed, so that saving replaces the file, not the link.

    Raises :class:`UserError` when there can be no such file.
    """
    try:
        where = Path(path).expanduser().absolute()
        if "\0" in str(where):
            raise ValueError("A path cannot hold a NUL character")
        return where.resolve() if where.is_symlink() else where
    except (OSError, ValueError, RuntimeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UserError(f"'{str(path)[:200]}' is no usable path.", f"{why}.", "Choose another name.") from error


def clean_name(name: str) -> str:
    """A name as the tree can show it: one line, at most 500 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def short_name(name: str) -> str:
    return f"'{name if len(name) <= 40 else name[:39] + '…'}'"


def own(path: Path) -> tuple[OwnerLock | None, str]:
    """The lock of a project's file, or why it cannot be had."""
    folder = journal_folder(path)
    for _ in range(3):  # another session may remove the folder between the two steps
        try:
            folder.mkdir(parents=False, exist_ok=True)
            lock = OwnerLock.acquire(folder / "lock")
        except FileNotFoundError:
            continue
        except (OSError, ValueError):  # ValueError: a NUL in the name; writing says so
            return None, "" if not path.exists() else "Its folder cannot be written to."
        if lock is None:
            owner = read_owner(folder / "lock").get("pid")
            who = f" (process {owner})" if owner else ""
            return None, f"{OPEN_ELSEWHERE}{who}."
        return lock, ""
    return None, ""


def disown(lock: OwnerLock | None) -> None:
    if lock is not None:
        lock.release()
        with contextlib.suppress(OSError):
            lock.path.parent.rmdir()  # only when no journal is left in it


def interrupt(tree: Tree) -> None:
    """Mark what was running when the project was last written."""
    for state in tree.runs:
        if state.record.status in LIVE:
            state.record = state.record.replace(status="interrupted", has_checkpoint=state.has_checkpoint)
