"""What every reader needs against bad files: messages, bounded reading, and files named inside files."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import psutil

from engines.core import Cancelled, UserError

TEXT_LIMIT = 1 << 30  # a text file grows about tenfold in memory while it is parsed
EXPANSION_LIMIT = 1 << 33  # nothing unpacks to more than 8 GiB


def refuse(path: Path, what: str, why: str = "", mend: str = "Export or copy the file again.") -> UserError:
    """The error to raise for a broken file; ``what`` goes on after the file's name."""
    return UserError(f"'{path.name}' {what}", why, mend)


def is_number(text: str) -> bool:
    """Also of what is no finite one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def some(names: Iterable[str], most: int = 12) -> str:
    """The first names of many, each cut to 40 letters, for a sentence."""
    shown = [str(name)[:40] for name in names]
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")


def room(path: Path, need: int, limit: int = EXPANSION_LIMIT) -> None:
    """Refuse before allocating ``need`` bytes that are beyond ``limit`` or would not fit in memory."""
    free = psutil.virtual_memory().available
    if need > limit:
        raise refuse(
            path,
            "announces too much data.",
            f"It would take {need:,} bytes; at most {limit:,} are read.",
            "Crop, split or downsample it first, or repair its header.",
        )
    if need > 0.7 * free:
        raise refuse(
            path,
            "does not fit in memory.",
            f"It would take {need / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Crop or downsample it first, or close other programs.",
        )


def read_bytes(path: Path, limit: int = EXPANSION_LIMIT) -> bytes:
    """The whole file, if it is not larger than ``limit`` bytes."""
    room(path, path.stat().st_size, limit)
    return path.read_bytes()


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """The whole file as UTF-8 text (with or without a byte-order mark)."""
    raw = read_bytes(path, limit)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refuse(path, "is not a text file.", f"Line {line} holds bytes that are no text.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refuse(path, "is not a text file.", f"Line {line} holds a zero byte.")
    return text


def floats(path: Path, lines: list[tuple[int, str]], width: int, what: str) -> np.ndarray:
    """(len(lines), width) float64 from numbered text lines of ``width`` finite numbers each."""
    parts = [text.split() for _, text in lines]
    try:
        if any(len(p) != width for p in parts):
            raise ValueError
        values = np.array(parts, dtype=np.float64).reshape(-1, width)
        if np.isfinite(values).all():
            return values
    except ValueError:
        pass
    for (number, text), tokens in zip(lines, parts, strict=True):
        shown = text.strip()[:60]
        if len(tokens) != width:
            raise refuse(
                path,
                f"breaks off or has a wrong count at line {number}.",
                f"{what} needs {width} numbers; found '{shown}'.",
                "Check the counts above that line, or export the file again.",
            )
        for token in tokens:
            if not np.isfinite(number_in(path, token, number, what)):
                raise refuse(
                    path,
                    f"has a number that is not finite at line {number}.",
                    f"{what}: '{shown}'.",
                    "Replace NaN and infinity in the source.",
                )
    raise AssertionError("a line failed as a block but not alone")


def number_in(path: Path, token: str, line: int, what: str) -> float:
    try:
        return float(token)
    except ValueError:
        raise refuse(
            path, f"has something that is no number at line {line}.", f"{what}: '{token[:40]}'.", "Correct that line."
        ) from None


def integer_in(path: Path, token: str, line: int, what: str, low: int = 0, high: int = 2**31 - 1) -> int:
    """An integer in ``low`` .. ``high`` from text."""
    try:
        value = int(token) if len(token) < 20 else high + 1
    except ValueError:
        raise refuse(
            path,
            f"has something that is no whole number at line {line}.",
            f"{what}: '{token[:40]}'.",
            "Correct that line.",
        ) from None
    if not low <= value <= high:
        raise refuse(
            path,
            f"has an impossible number at line {line}.",
            f"{what} is {token[:40]}; {low:,} to {high:,} is possible.",
            "Correct that line.",
        )
    return value


def beside(path: Path, name: str, what: str) -> Path:
    """The file that ``path`` names as holding its data; it must lie in the same folder or below."""
    target = path.parent / name
    try:
        real, folder = target.resolve(), path.parent.resolve()
        inside = real.is_relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside or "\0" in name or "://" in name:
        raise refuse(
            path,
            f"points to {what} outside its folder.",
            f"It names '{name[:80]}'.",
            "Put both files into one folder and name the data file without a path.",
        )
    if not real.is_file():
        raise refuse(
            path,
            f"needs {what} that is not there.",
            f"'{name[:80]}' was expected beside it.",
            "Copy both files into one folder.",
        )
    return real


def unzip(path: Path, packed: bytes, expected: int, what: str = "Its data") -> bytes:
    """``packed`` (zlib or gzip) unpacked, refused as soon as it is longer than ``expected`` bytes."""
    machine = zlib.decompressobj(wbits=47)  # zlib or gzip, told by the header
    try:
        data = machine.decompress(packed, expected + 1)
    except zlib.error as error:
        raise refuse(path, "has damaged compressed data.", f"{error}.") from None
    if len(data) != expected:
        found = "more" if len(data) > expected else f"{len(data):,}"
        raise refuse(path, "has the wrong amount of data.", f"{what} should be {expected:,} bytes; found {found}.")
    return data


@contextlib.contextmanager
def foreign(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a foreign parser raises at a broken file into a :class:`UserError`."""
    try:
        yield
    except (UserError, Cancelled):
        raise
    except MemoryError:
        raise refuse(path, "does not fit in memory.", "", "Reduce it, or close other programs.") from None
    except OSError as error:
        if error.errno is not None:
            raise  # the registry says what the system said
        raise refuse(
            path, f"is not a readable {kind} file.", f"{error}".split("\n")[0][:300].rstrip(".") + "."
        ) from error
    except Exception as error:
        detail = f"{type(error).__name__}: {error}".split("\n")[0][:300].rstrip(".")
        raise refuse(path, f"is not a readable {kind} file.", f"{detail}.") from error
