"""What the workbench remembers between starts, in one small text file.

Whatever stands in the file, reading it never fails: a value that is broken or of the wrong kind is its
default. ``FIELDWRIGHT_CONFIG`` names another file (tests use it).
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

log = logging.getLogger(__name__)

DEFAULTS: dict[str, Any] = {
    "theme": "system",  # system, light, dark
    "threads": 0,  # for torch; 0 leaves one core to the window
    "device": "auto",
    "isolated": False,  # run jobs in a process of their own
    "autosave_minutes": 5,  # 0 is off
    "confirm_quit_with_jobs": True,
    "live_preview": True,
    "link_cameras": True,
    "motion_quality": "balanced",  # detail of large meshes while the camera moves: smooth, balanced, full
    "last_folder": "",
    "recent": [],  # paths of projects, the latest first
    "window/geometry": b"",
    "window/state": b"",
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "theme": ("system", "light", "dark"),
    "motion_quality": ("smooth", "balanced", "full"),
}
RECENT_LIMIT = 12


def config_path() -> Path:
    """Where the settings file stands."""
    given = os.environ.get("FIELDWRIGHT_CONFIG")
    if given:
        path = Path(given)
        return path / "fieldwright.ini" if path.is_dir() else path
    return Path(platformdirs.user_config_dir("fieldwright")) / "fieldwright.ini"


class Settings(QObject):
    """Typed, tolerant access to the settings file. ``changed(key)`` tells of each change."""

    changed = Signal(str)

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.path = path or config_path()
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._store = QSettings(str(self.path), QSettings.Format.IniFormat)
        if self._store.status() != QSettings.Status.NoError:
            log.warning("the settings file %s could not be read; defaults are used", self.path)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, or its default when it is missing, broken or of another kind."""
        fallback = DEFAULTS.get(key) if default is None else default
        try:
            text = self._store.value(key)
            if text is None:
                return fallback
            value = json.loads(text)
            if isinstance(fallback, bytes):
                return base64.b64decode(value["bytes"], validate=True)
            if isinstance(fallback, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if fallback is not None and type(value) is not type(fallback):
                raise TypeError(f"{type(value).__name__} where {type(fallback).__name__} was expected")
            if key in CHOICES and value not in CHOICES[key]:
                raise ValueError(f"{value!r} is not one of {CHOICES[key]}")
            return value
        except Exception as error:
            log.warning("the setting '%s' is broken (%s); its default is used", key, error)
            return fallback

    def set(self, key: str, value: Any) -> None:
        """Store plain values (what JSON holds), bytes or a QByteArray."""
        if isinstance(value, QByteArray):
            value = value.data()
        stored = {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        self._store.setValue(key, json.dumps(stored))
        self.changed.emit(key)

    def reset(self) -> None:
        """Forget everything."""
        self._store.clear()
        self._store.sync()
        for key in DEFAULTS:
            self.changed.emit(key)

    def sync(self) -> None:
        self._store.sync()

    def recent(self) -> list[str]:
        return [p for p in self.get("recent") if isinstance(p, str)]

    def add_recent(self, path: str | Path) -> None:
        where = str(Path(path).absolute())
        self.set("recent", [where, *(p for p in self.recent() if p != where)][:RECENT_LIMIT])

    def forget_recent(self, path: str | Path) -> None:
        self.set("recent", [p for p in self.recent() if p != str(path)])

    def folder(self) -> str:
        """The folder that a file dialog opens in."""
        last = self.get("last_folder")
        return last if last and Path(last).is_dir() else str(Path.home())

    def remember_folder(self, path: str | Path) -> None:
        where = Path(path)
        self.set("last_folder", str(where if where.is_dir() else where.parent))

    def on_change(self, key: str, act: Callable[[Any], None]) -> None:
        """Call ``act(value)`` whenever ``key`` changes."""
        self.changed.connect(lambda changed: act(self.get(key)) if changed == key else None)


_settings: Settings | None = None


def settings() -> Settings:
    """The settings of this process (made anew when ``FIELDWRIGHT_CONFIG`` changed)."""
    global _settings
    if _settings is None or _settings.path != config_path():
        _settings = Settings()
    return _settings
