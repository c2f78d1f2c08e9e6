"""Drives the real window through its own actions, and takes pictures of the screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

SIZE = (1440, 900)


def live(seconds: float) -> None:
    """Let the window live."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()  # QTest.qWait would keep Python's lock: no thread could work


def wait(ready: Callable[[], object], seconds: float = 120) -> None:
    """Let the window live until ``ready()``; RuntimeError when that takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError("the window did not get there")
        live(0.05)


class Photographer:
    def __init__(self, theme_name: str, folder: Path) -> None:
        from PySide6.QtCore import QCoreApplication
        from PySide6.QtWidgets import QApplication

        self.suffix, self.folder = theme_name, folder
        self.app = QApplication([sys.argv[0]])
        QCoreApplication.setApplicationName("Fieldwright")
        from app import theme
        from app.window.main_window import MainWindow

        theme.apply(self.app, theme_name)
        self.window = MainWindow()
        self.window.resize(*SIZE)
        self.window.move(0, 0)
        self.window.show()
        self.bench = self.window.bench
        self.bench.load_catalog()
        wait(lambda: self.bench.catalog is not None)

    def take(self, name: str) -> None:
        """The window with the dialogs above it, as the screen shows them."""
        from PySide6.QtWidgets import QApplication

        picture = self.window.screen().grabWindow(0, 0, 0, *SIZE)
        self.folder.mkdir(parents=True, exist_ok=True)
        picture.save(str(self.folder / f"{name}-{self.suffix}.png"))
        QApplication.processEvents()
        print(name, flush=True)

    def ended(self, count: int) -> bool:
        runs = list(self.bench.project.runs.values())
        return len(runs) >= count and all(r.status in ("finished", "failed", "cancelled") for r in runs)

    def add_sample(self, key: str) -> dict[str, str]:
        """Ids of what the sample holds, by input name."""
        from app.samples import sample

        chosen = sample(key)
        ids = {}
        for name, artifact in chosen.load().items():
            file = next(f for f in chosen.files if name in (*f.inputs, f.name))
            ids[name] = self.bench.project.add(artifact, origin={"file": file.path.name}).id
        return ids

    def run(self, key: str, inputs: dict[str, str], preset: str = "standard") -> None:
        from app.window.workbench import Request

        method = self.bench.method(key)
        assert method is not None
        self.window.method_panel.open_request(Request(method, inputs, method.preset(preset), preset=preset))
        live(0.5)
        self.window.method_panel.run_current()
