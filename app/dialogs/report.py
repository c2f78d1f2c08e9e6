"""The text of a crash report: what happened, with which versions, and no user's paths."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

KNOWN_ROOTS = ("app", "engines", "site-packages", "tests")
QUOTED_PATH = re.compile(r"""(['"])((?:[A-Za-z]:)?[/\\][^'"\n]*[/\\])([^'"/\\\n]+)\1""")
BARE_PATH = re.compile(r"""(?<![\w/\\.…])(?:[A-Za-z]:)?(?:[/\\][^\s'"<>|:*?,;()/\\]+)+[/\\]([^\s'"<>|:*?,;()/\\]+)""")


def without_paths(text: str) -> str:
    """The text with every absolute path cut down to its last part; ours are kept from the package on."""
    home = str(Path.home())
    if len(home) > 3:
        text = re.sub(re.escape(home) + r"(?=[/\\'\"\s]|$)", "/home", text)
    text = QUOTED_PATH.sub(lambda m: f"{m[1]}{_short(m[2] + m[3])}{m[1]}", text)
    return BARE_PATH.sub(lambda m: _short(m[0]), text)


def _short(path: str) -> str:
    parts = re.split(r"[/\\]", path)
    for root in KNOWN_ROOTS:
        if root in parts[:-1]:
            start = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[start + 1 :] if root == "site-packages" else parts[start:])
    return f"…/{parts[-1]}"


@dataclass
class CrashReport:
    """One unexpected error. ``count`` grows when the same one comes again."""

    title: str
    details: str
    where: str = ""
    when: float = field(default_factory=time.time)
    count: int = 1
    fatal: bool = False

    @property
    def signature(self) -> str:
        """The same for the same error at the same place."""
        return f"{self.title.split(':')[0]}|{self.where}"

    @staticmethod
    def of(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> CrashReport:
        lines = traceback.format_exception(kind, error, trace, limit=-40)
        frames = traceback.extract_tb(trace)
        where = f"{_short(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
        message = str(error) if error is not None else ""
        title = f"{kind.__name__}: {message}" if message else kind.__name__
        return CrashReport(without_paths(title)[:300], without_paths("".join(lines)), where)


def machine_lines() -> list[str]:
    """Versions, one to a line. Never raises: it is called while something is already wrong."""
    lines = []
    try:
        from PySide6 import __version__ as pyside
        from PySide6.QtGui import QGuiApplication

        from engines.core import versions

        lines += [f"{key}: {value}" for key, value in versions().items()]
        app = QGuiApplication.instance()
        platform = app.platformName() if isinstance(app, QGuiApplication) else "no window"
        lines.append(f"Qt: {pyside} on {platform}")
    except Exception as error:
        lines.append(f"(some versions are unknown: {type(error).__name__})")
    return lines


def report_text(report: CrashReport, others: Iterable[CrashReport] = (), log: Iterable[object] = ()) -> str:
    """What the user may send to us: everything in one plain text."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.when))
    times = f" ({report.count} times)" if report.count > 1 else ""
    parts = [f"Fieldwright error report, {stamp}", "", f"{report.title}{times}", "", "Versions"]
    parts += [f"  {line}" for line in machine_lines()]
    parts += ["", "Traceback", report.details.rstrip()]
    for other in list(others)[:10]:
        parts += ["", f"Also ({other.count}×): {other.title}", other.details.rstrip()]
    lines = [without_paths(str(line)) for line in log]
    if lines:
        parts += ["", "Last lines of the log", *lines]
    return "\n".join(parts) + "\n"
