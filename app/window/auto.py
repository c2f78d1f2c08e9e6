"""``fieldwright --sample KEY --auto FOLDER``: the sample from start to export, before the user's eyes."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.background import run_in_background
from app.window.requests import Note

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

log = logging.getLogger("fieldwright.window")
PATIENCE_S = 900
LOOK_MS = 1500


class AutoRun(QObject):
    """Opens the sample, runs its method, saves project, mesh and picture as ``<key>.*``, and quits."""

    def __init__(self, window: MainWindow, key: str, folder: Path) -> None:
        super().__init__(window)
        self.window, self.key, self.folder = window, key, folder
        self.code = 1
        self._limit = QTimer(self, singleShot=True, interval=PATIENCE_S * 1000)
        self._limit.timeout.connect(lambda: self._give_up("it took too long"))
        window.bench.project_changed.connect(self._look)
        window.bench.noticed.connect(self._heed)
        self._saving = False

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._limit.start()
        self.window.file_acts.open_sample(self.key, run=True)

    def _heed(self, note: Note) -> None:
        if note.tone == "bad":
            self._give_up(f"{note.text} {note.detail}")

    def _look(self, kind: str, ids: object) -> None:
        if kind not in ("runs", "artifacts") or self._saving:
            return
        for record in self.window.bench.project.runs.values():
            if record.status == "finished" and record.outputs:
                self._saving = True
                mesh = record.outputs.get("mesh") or next(iter(record.outputs.values()))
                QTimer.singleShot(LOOK_MS, lambda mesh=mesh: self._export(mesh))
                return
            if record.status in ("failed", "cancelled"):
                self._give_up(record.error or record.status)
                return

    def _export(self, mesh_id: str) -> None:
        project, target = self.window.bench.project, self.folder / f"{self.key}.ply"

        def work() -> None:
            from engines.files import write

            write(project.artifact(mesh_id), target)

        run_in_background(work, done=lambda _: self._picture(), failed=lambda e: self._give_up(str(e)), owner=self)

    def _picture(self) -> None:
        self.window.repaint()
        QApplication.processEvents()
        self.window.grab().save(str(self.folder / f"{self.key}.png"))
        self.window.file_acts.save_to(self.folder / f"{self.key}.fieldwright", self._leave)

    def _leave(self) -> None:
        self.code = 0
        print(f"saved {self.key}.fieldwright, {self.key}.ply and {self.key}.png in {self.folder}", flush=True)
        self._limit.stop()
        self.window.close()

    def _give_up(self, why: str) -> None:
        log.error("the sample could not be run: %s", why)
        print(f"the sample could not be run: {why}", file=sys.stderr, flush=True)
        self._limit.stop()
        self.window.leave()
