"""``fieldwright --selftest``: is this installation whole? One line for each check."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

COMPILED = ".kernels"
"""Plain libraries that are loaded through ctypes: they lie where a module could, but are none."""


def selftest() -> int:
    """Returns 0 when every check passed, else 1."""
    with tempfile.TemporaryDirectory(prefix="fieldwright-") as folder:
        os.environ.setdefault("FIELDWRIGHT_STATE", str(Path(folder) / "state"))
        os.environ.setdefault("FIELDWRIGHT_CONFIG", str(Path(folder) / "settings.ini"))
        checks = [
            ("imports", _imports),
            ("renderer of Gaussians", _renderer),
            ("rasteriser of meshes", _rasteriser),
            ("solvers of transport", _transport),
            ("catalog", _catalog),
            ("smoke run", _run),
            ("isolated run", lambda: _run(isolated=True)),
            ("project and export", lambda: _project(Path(folder))),
            ("window", _window),
        ]
        results = [_check(name, check) for name, check in checks]
    return 0 if all(results) else 1


def _check(name: str, check: Callable[[], str]) -> bool:
    try:
        print(f"ok    {name}: {check()}", flush=True)
        return True
    except Exception:
        print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
        return False


def _imports() -> str:
    import app
    import engines

    names = []
    for package in (engines, app):
        names += [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    for name in names:
        if not name.endswith("__main__") and not name.endswith(COMPILED):
            importlib.import_module(name)
    return f"{len(names)} modules"


def _renderer() -> str:
    import torch

    from engines.blocks.splatting import compiled, without_fast_renderer
    from engines.core import devices

    width = compiled.vector_width()
    found = [f"compiled, vectors of {width} bits" if width else "not compiled here: its plain stand-in is used"]
    for device in devices()[1:]:
        found.append(f"{device.title}: {without_fast_renderer(torch.device(device.key)) or 'compiled for it'}")
    return "; ".join(found)


def _rasteriser() -> str:
    import torch

    from engines.blocks.meshes.rasterising import without_fast_rasteriser
    from engines.core import devices

    found = ["compiled" if not (reason := without_fast_rasteriser(torch.device("cpu"))) else reason]
    for device in devices()[1:]:
        found.append(f"{device.title}: {without_fast_rasteriser(torch.device(device.key)) or 'compiled for it'}")
    return "; ".join(found)


def _transport() -> str:
    import numpy as np

    from engines.blocks.transport.exact import exact_cost
    from engines.blocks.transport.largest import library

    weights = np.full(3, 1 / 3)
    if abs(exact_cost(1 - np.eye(3)[[2, 0, 1]], weights, weights)) > 1e-15:
        raise RuntimeError("an assignment that costs nothing was not found")
    found = "compiled" if library() is not None else "not compiled here: a plain stand-in is used"
    return f"exact by POT; largest entries {found}"


def _catalog() -> str:
    from engines.core import catalog
    from engines.files import READERS, WRITERS

    if catalog().broken or not len(catalog()):
        raise RuntimeError("\n".join(f"{b.name}: {b.report}" for b in catalog().broken) or "no methods")
    return f"{len(catalog())} methods, {len(READERS)} readers, {len(WRITERS)} writers"


def _run(isolated: bool = False) -> str:
    from app.jobs import JobQueue, JobSpec
    from engines.core import catalog

    method = next((m for m in catalog() if m.role == "source"), next(iter(catalog())))
    queue = JobQueue()
    params = method.params.parse(method.smoke.params)
    job = queue.submit(JobSpec(method.key, method.smoke.inputs(), params, device="cpu", isolated=isolated))
    job.wait(120)
    queue.shutdown()
    if job.status != "finished":
        raise RuntimeError(f"{method.key} {job.status}: {job.error}")
    return f"{method.key} in {job.seconds:.1f} s"


def _project(folder: Path) -> str:
    import numpy as np

    from app.project import Project
    from engines.data import Mesh
    from engines.files import read, write

    mesh = Mesh(vertices=np.eye(4, 3), faces=np.array([[0, 1, 2], [0, 2, 3]]), name="Selftest")
    project = Project.new()
    entry = project.add(mesh)
    project.save(folder / "selftest.fieldwright")
    project.close()
    again = Project.open(folder / "selftest.fieldwright")
    same = again.artifact(entry.id).content_hash() == mesh.content_hash()
    write(again.artifact(entry.id), folder / "selftest.ply")
    again.close()
    found = read(folder / "selftest.ply").artifacts[0]
    if not same or not isinstance(found, Mesh) or len(found.faces) != 2:
        raise RuntimeError("what was saved is not what was read back")
    return "saved, opened, exported, read back"


def _window() -> str:
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "no display, left out"
    from PySide6.QtWidgets import QApplication

    from app.window.main_window import MainWindow

    application = QApplication.instance() or QApplication(["fieldwright"])
    window = MainWindow(None)
    window.show()
    application.processEvents()
    size = f"{window.width()}×{window.height()}"
    window.close()
    application.processEvents()
    return size
