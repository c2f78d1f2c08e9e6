"""Where icons, samples, templates and cards lie: in a checkout, in a frozen application, or where the user says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def asset_path(name: str) -> Path:
    """The path of ``name`` (such as ``"samples/samples.json"``) below the first assets folder that has it.

    Looked at in turn: the environment's FIELDWRIGHT_ASSETS, the folder that a frozen application unpacks to, the
    checkout, and ``share/fieldwright`` of the installation. When none has it, the path in the first folder that
    exists is returned, so that opening it says what is missing.
    """
    folders = [folder for folder in _folders() if folder.is_dir()]
    return next((f / name for f in folders if (f / name).exists()), (folders or [_checkout()])[0] / name)


def _checkout() -> Path:
    return Path(__file__).resolve().parent.parent / "assets"


def _folders() -> Iterator[Path]:
    if chosen := os.environ.get("FIELDWRIGHT_ASSETS"):
        yield Path(chosen)
    if frozen := getattr(sys, "_MEIPASS", None):
        yield Path(frozen) / "assets"
    yield _checkout()
    yield Path(sys.prefix) / "share" / "fieldwright" / "assets"
