"""Starts the window: it is there first, the engines are loaded behind it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

STARTED = time.perf_counter()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fieldwright", description="Open the workbench.")
    parser.add_argument("project", nargs="?", help="a project, or data files to import")
    parser.add_argument("files", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--sample", metavar="KEY", help="open a sample and run its method")
    parser.add_argument("--auto", metavar="FOLDER", help="with --sample: save results and a picture there, then quit")
    parser.add_argument("--reset-settings", action="store_true", help="forget layout and settings")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="for this session")
    parser.add_argument("--timing", action="store_true", help="print how long the start took")
    chosen = parser.parse_args(list(argv))
    if chosen.sample is not None:
        from app.samples import samples

        keys = [s.key for s in samples()]
        if chosen.sample not in keys:
            parser.error(f"there is no sample '{chosen.sample}'; choose one of: {', '.join(keys)}")
    elif chosen.auto:
        parser.error("--auto needs --sample KEY")
    return chosen


def launch(argv: Sequence[str]) -> int:
    """Open the window and stay until it is closed. Returns the exit code."""
    chosen = parse(argv)
    from PySide6.QtWidgets import QApplication

    from app import theme
    from app.dialogs.crash import install_hooks
    from app.settings import settings

    app = QApplication.instance() or QApplication([sys.argv[0]])
    assert isinstance(app, QApplication)
    app.setApplicationName("Fieldwright")
    app.setDesktopFileName("fieldwright")
    hooks = install_hooks()
    if chosen.reset_settings:
        settings().reset()
    theme.apply(app, chosen.theme or settings().get("theme"))

    from app.window.main_window import MainWindow

    window = MainWindow(log_model=hooks.model)
    window.left.connect(app.quit)
    window.show()
    app.processEvents()
    if chosen.timing:
        print(f"window shown after {_since_start():.2f} s ({time.process_time():.2f} s of processor time)", flush=True)
    return _stay(app, window, hooks, chosen)


def _stay(app, window, hooks, chosen: argparse.Namespace) -> int:  # type: ignore[no-untyped-def]
    from PySide6.QtCore import QTimer

    bench = window.bench
    if chosen.timing:
        bench.catalog_loaded.connect(lambda: print(f"methods loaded after {_since_start():.2f} s", flush=True))
    auto = None
    if chosen.auto and chosen.sample:
        from app.window.auto import AutoRun

        auto = AutoRun(window, chosen.sample, Path(chosen.auto))

    def begin() -> None:
        bench.load_catalog()
        paths = [p for p in (chosen.project, *chosen.files) if p]
        if auto is not None:
            auto.start()
        elif chosen.sample:
            window.file_acts.open_sample(chosen.sample, run=True)
        elif paths:
            window.file_acts.dropped([os.path.abspath(p) for p in paths])
        if auto is None:
            window.offer_recovery(hooks)

    QTimer.singleShot(0, begin)
    code = app.exec()
    hooks.uninstall()
    return auto.code if auto is not None else code


def _since_start() -> float:
    """Seconds since the process began (Linux), else since this module was imported."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return uptime - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.perf_counter() - STARTED
