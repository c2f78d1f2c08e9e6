"""How files of older versions become current: a chain of steps, each on a copy, never in place.

A step takes an open, writable file of version ``n`` and makes it version ``n + 1``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py

from app.project.hdf5 import LIBVER, LOCK, attribute, damaged, members, put_attribute, subgroup
from app.project.store import VERSION
from engines.core import UserError

Step = Callable[[h5py.File], None]
STEPS: dict[int, Step] = {}


def migration(version: int) -> Callable[[Step], Step]:
    """Register the step from ``version`` to the next."""

    def register(step: Step) -> Step:
        if version in STEPS:
            raise ValueError(f"there is already a step from version {version}")
        STEPS[version] = step
        return step

    return register


def migrated_copy(path: Path, version: int, steps: dict[int, Step] | None = None, target: int = VERSION) -> Path:
    """A temporary copy of the file in the current version. Raises :class:`UserError` when the chain has a gap."""
    chain = STEPS if steps is None else steps
    missing = [number for number in range(version, target) if number not in chain]
    if missing:
        raise UserError(
            f"'{path.name}' is of file version {version}.",
            f"There is no way from version {missing[0]} to {missing[0] + 1}.",
            "Open and save it with an older Fieldwright first.",
        )
    folder = Path(tempfile.mkdtemp(prefix="fieldwright-migration-"))
    copy = folder / "migrated.h5"
    try:
        shutil.copyfile(path, copy)
        with LOCK, damaged(f"'{path.name}'"), h5py.File(copy, "r+", libver=LIBVER) as file:
            for number in range(version, target):
                chain[number](file)
                put_attribute(file, "version", number + 1)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return copy


@migration(0)
def _first_release(file: h5py.File) -> None:
    """Version 0 (before the first release): ``/items`` for ``/artifacts``, attribute ``kind`` for ``type``, no roles,
    runs' texts as attributes."""
    if "items" in file and "artifacts" not in file:
        file.move("items", "artifacts")
    for name in ("artifacts", "runs", "view"):
        file.require_group(name)
    artifacts = file["artifacts"]
    for key in members(artifacts):
        group = subgroup(artifacts, key)
        if group is None:
            continue
        kind = attribute(group, "kind")
        if isinstance(kind, str):
            put_attribute(group, "type", kind)
            del group.attrs["kind"]
        put_attribute(group, "role", "result" if attribute(group, "run") else "dataset")
    runs = file["runs"]
    for key in members(runs):
        group = subgroup(runs, key)
        for name in ("params", "versions", "inputs", "input_hashes", "outputs", "log", "command", "error", "note"):
            if group is None:
                break
            value = attribute(group, name)
            if isinstance(value, str):
                del group.attrs[name]
                if name not in group:
                    group.create_dataset(name, data=value.encode() or b"\0", dtype=f"S{max(len(value.encode()), 1)}")


__all__ = ["STEPS", "migrated_copy", "migration"]
