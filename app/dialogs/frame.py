"""What all dialogs share: a title, remembered size, one primary button, Escape, accessible names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app import theme
from app.settings import settings

Kind = Literal["primary", "plain", "quiet"]


class Dialog(QDialog):
    """A dialog with a body and a row of buttons; its size comes back the next time."""

    def __init__(
        self, name: str, title: str, parent: QWidget | None = None, size: tuple[int, int] = (640, 480)
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.setSizeGripEnabled(True)
        self._size_key = f"dialogs/{name}/size"
        self.body = QVBoxLayout()
        self.body.setContentsMargins(16, 16, 16, 16)
        self.body.setSpacing(theme.GRID)
        line = QFrame()
        line.setProperty("kind", "line")
        self._left, self._right = QHBoxLayout(), QHBoxLayout()
        for side in (self._left, self._right):
            side.setSpacing(theme.GRID)
        row = QHBoxLayout()
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(theme.GRID)
        row.addLayout(self._left)
        row.addStretch(1)
        row.addLayout(self._right)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self.body, 1)
        whole.addWidget(line)
        whole.addLayout(row)
        self._come_back(size)

    def _come_back(self, size: tuple[int, int]) -> None:
        saved = settings().get(self._size_key, list(size))
        fits = len(saved) == 2 and all(isinstance(n, int) for n in saved)
        width, height = saved if fits else size
        screen = QGuiApplication.primaryScreen()
        if screen is not None:
            room = screen.availableGeometry()
            width, height = min(width, room.width() - 48), min(height, room.height() - 64)
        self.resize(max(width, 320), max(height, 160))

    def done(self, result: int) -> None:
        self._remember()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._remember()
        super().closeEvent(event)

    def _remember(self) -> None:
        if not self.isMaximized():
            settings().set(self._size_key, [self.width(), self.height()])

    def add_button(
        self, text: str, slot: Callable[[], object], kind: Kind = "plain", *, left: bool = False, icon: str = ""
    ) -> QPushButton:
        """A button in the row; the primary one is the default, in the accent colour."""
        name = text.replace("&", "").rstrip("…").strip()
        button = QPushButton(text, objectName=f"{self.objectName()}_{name.lower().replace(' ', '_')}")
        button.setAccessibleName(name)
        button.setAutoDefault(False)
        if kind == "primary":
            button.setAutoDefault(True)
            button.setDefault(True)
        elif kind == "quiet":
            button.setProperty("kind", "quiet")
        if icon:
            button.setIcon(theme.icon(icon, "on_accent" if kind == "primary" else "muted"))
        button.clicked.connect(lambda _=False: slot())
        (self._left if left else self._right).addWidget(button)
        return button

    def heading(self, text: str, detail: str = "", icon: str = "", role: str = "accent") -> QLabel:
        """The sentence at the top that says what the dialog is about. Returns the detail label."""
        row = QHBoxLayout()
        row.setSpacing(16)
        if icon:
            picture = QLabel()
            picture.setPixmap(theme.pixmap(icon, 32, role))
            picture.setAlignment(Qt.AlignmentFlag.AlignTop)
            picture.setFixedWidth(36)
            row.addWidget(picture)
        words = QVBoxLayout()
        words.setSpacing(4)
        title = QLabel(text, objectName=f"{self.objectName()}_heading", wordWrap=True)
        title.setFont(theme.font(1.2, bold=True))
        title.setTextFormat(Qt.TextFormat.PlainText)
        words.addWidget(title)
        below = muted(detail)
        below.setObjectName(f"{self.objectName()}_detail")
        below.setVisible(bool(detail))
        words.addWidget(below)
        row.addLayout(words, 1)
        self.body.addLayout(row)
        self.body.addSpacing(theme.GRID)
        return below


def muted(text: str, name: str = "") -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("tone", "muted")
    label.setObjectName(name)
    return label


def heading(text: str, above: int = 0) -> QLabel:
    label = QLabel(text)
    label.setContentsMargins(0, above, 0, 0)
    label.setProperty("kind", "heading")
    return label


def column(title: str, widget: QWidget) -> QFrame:
    """A panel of a dialog in columns, with its heading."""
    frame = QFrame()
    frame.setProperty("kind", "panel")
    inner = QVBoxLayout(frame)
    inner.setContentsMargins(16, 16, 16, 16)
    inner.setSpacing(theme.GRID)
    if title:
        inner.addWidget(heading(title))
    inner.addWidget(widget, 1)
    return frame


def size_text(count: float) -> str:
    """Bytes as a person says them, such as ``"1.3 GB"``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if round(count) < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"


def ask_open_paths(parent: QWidget, title: str, filters: str) -> list[str]:
    paths, _ = QFileDialog.getOpenFileNames(parent, title, settings().folder(), filters)
    if paths:
        settings().remember_folder(paths[0])
    return paths


def ask_open_folder(parent: QWidget, title: str) -> list[str]:
    """The chosen folder, or nothing."""
    path = QFileDialog.getExistingDirectory(parent, title, settings().folder())
    if path:
        settings().remember_folder(path)
    return [path] if path else []


def ask_save_path(parent: QWidget, title: str, suggested: str, filters: str) -> str:
    """A path, or "". The caller asks before overwriting, inline, so this does not."""
    start = suggested if Path(suggested).is_absolute() else str(Path(settings().folder()) / suggested)
    option = QFileDialog.Option.DontConfirmOverwrite
    path, _ = QFileDialog.getSaveFileName(parent, title, start, filters, options=option)
    if path:
        settings().remember_folder(path)
    return path


def show_in_folder(path: Path) -> None:
    """Open the file manager with the file selected where the system can do that."""
    if sys.platform == "darwin":
        subprocess.Popen(["open", "-R", str(path)])
    elif sys.platform == "win32":
        subprocess.Popen(["explorer", f"/select,{path}"])
    else:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def copy_text(text: str) -> None:
    QGuiApplication.clipboard().setText(text)
