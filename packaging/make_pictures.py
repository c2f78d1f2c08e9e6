"""Make the pictures of the README anew: the real window, driven through its own actions, in light and dark.

xvfb-run -a -s "-screen 0 1600x1000x24" python packaging/make_pictures.py light
xvfb-run -a -s "-screen 0 1600x1000x24" python packaging/make_pictures.py dark
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import transport_scenes  # noqa: E402 - they lie beside this script
from photographer import Photographer, live, wait  # noqa: E402

FOLDER = ROOT / "assets" / "pictures"
RING = (-0.9, -0.9, -0.22, 0.9, 0.9, 0.32)
"""Around the ring of the photos' sample, above its table: lowest x, y and z, then the highest."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("theme", choices=("light", "dark"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--only", choices=SHOTS, nargs="*")
    chosen = parser.parse_args()
    os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # nobody's settings, nobody's recent projects
    at = Photographer(chosen.theme, chosen.folder)
    for name, shoot in SHOTS.items():
        if not chosen.only or name in chosen.only:
            shoot(at)
    at.window.leave()
    live(1)


def shoot_home(at: Photographer) -> None:
    from PySide6.QtGui import QCursor

    QCursor.setPos(2, 2)  # the card below the pointer looks as if it were chosen
    live(1.5)
    at.take("home")


def shoot_import(at: Photographer) -> None:
    from app.samples import sample

    mesh = next(f.path for f in sample("cortex").files if "reference" in f.inputs)
    at.window.file_acts.new_project()
    live(1.5)
    at.window.file_acts.dropped([str(mesh)])
    live(6)
    at.take("import")
    for dialog in at.app.topLevelWidgets():
        if dialog is not at.window and dialog.isVisible():
            dialog.close()
    live(1.5)


def shoot_slices(at: Photographer) -> None:
    at.window.file_acts.open_sample("cortex", run=True)
    wait(lambda: bool(at.bench.project.runs))
    live(14)
    at.take("training")
    wait(lambda: at.ended(1), 300)
    live(8)
    at.take("results")
    at.window.method_panel.show_gallery()
    live(1.5)
    at.take("gallery")
    inputs = {name: i for r in at.bench.project.runs.values() for name, i in r.inputs.items()}
    at.run("poisson-contours", inputs)
    wait(lambda: at.ended(2), 120)
    live(2)
    at.window.run_acts.compare(list(at.bench.project.runs))
    live(10)
    at.take("comparison")


def shoot_splats(at: Photographer) -> None:
    from app.project import Project

    at.bench.replace(Project.new())
    live(1)
    at.window.file_acts.open_sample("photos", run=True)
    wait(lambda: any(job.progress and job.progress.fraction > 0.25 for job in at.bench.queue.jobs), 400)
    at.take("splats-training")
    wait(lambda: at.ended(1), 400)
    live(8)
    at.take("splats")


def photos_and_splats(at: Photographer) -> tuple[str, str]:
    """Their ids, from the shot of splats."""
    if not any(entry.type == "GaussianCloud" for entry in at.bench.project.entries.values()):
        shoot_splats(at)
    first = {entry.type: entry.id for entry in reversed(at.bench.project.entries.values())}
    return first["Photos"], first["GaussianCloud"]


def shoot_box(at: Photographer) -> None:
    """The box in SuGaR's form, about the ring."""
    from PySide6.QtWidgets import QPushButton, QScrollArea

    photos, cloud = photos_and_splats(at)
    at.window.show_panel("method")
    page = at.window.method_panel.open_method("sugar")
    page.inputs.set_ids({"photos": photos, "cloud": cloud})
    pick = next(b for b in page.findChildren(QPushButton) if b.accessibleName() == "Pick Foreground box in view")
    pick.click()
    wait(lambda: at.window.views.current.viewers() and at.window.views.current.viewers()[0].box.is_active)
    view = at.window.views.current.viewers()[0]
    live(4)
    view.set_shown(photos, False)
    page.form.set_value("box", RING)
    field = page.form.editor("box")
    area = field.parentWidget()
    while not isinstance(area, QScrollArea):
        area = area.parentWidget()
    area.ensureWidgetVisible(field, 0, 200)
    view.set_pose(view.pose.orbited(0.4, -0.1).zoomed(0.68))
    live(6)
    at.take("box")
    pick.click()


def shoot_sugar(at: Photographer) -> None:
    """SuGaR's mesh with its splats, and the ring of it moved with its Gaussians."""
    photos, cloud = photos_and_splats(at)
    at.run("sugar", {"photos": photos, "cloud": cloud}, "quick")
    wait(lambda: any(e.type == "BoundGaussians" for e in at.bench.project.entries.values()), 900)
    live(8)
    at.take("sugar")


def shoot_edit(at: Photographer) -> None:
    """The ring of SuGaR's mesh on its way, with its Gaussians."""
    from dataclasses import replace

    import numpy as np

    if not any(entry.type == "BoundGaussians" for entry in at.bench.project.entries.values()):
        shoot_sugar(at)
    bound = next(e.id for e in at.bench.project.entries.values() if e.type == "BoundGaussians")
    at.window.view_acts.show_artifacts([bound])
    wait(lambda: bool(at.window.views.current.viewers()))
    view = at.window.views.current.viewers()[0]
    view.start_editing()
    editor = view.editing.editor
    wait(lambda: editor.topology is not None)
    x, y, z = at.bench.project.artifact(bound).vertices.T
    editor.choose((np.hypot(x, y) < 0.84) & (z > -0.16))
    editor.set_kind("move")
    editor.set_placement(replace(editor.state.placement, move=np.array([0.0, 0.0, 0.35])))
    view.set_pose(view.pose.orbited(0.3, -0.1))
    for box in at.window.notices.boxes():
        box.dismiss()
    live(8)
    at.take("edit")


def shoot_path(at: Photographer) -> None:
    """An orbit about the splats of the shot before this one."""
    photos, _ = photos_and_splats(at)
    at.run("orbit-path", {"photos": photos})
    wait(lambda: any(e.type == "CameraPath" for e in at.bench.project.entries.values()))
    path = next(e.id for e in at.bench.project.entries.values() if e.type == "CameraPath")
    at.window.view_acts.show_artifacts([path])
    wait(lambda: bool(at.window.views.current.viewers()))
    view = at.window.views.current.viewers()[0]
    live(4)
    view.path.choose(3)
    live(2)
    view.set_pose(view.pose.orbited(0.5, -0.35).zoomed(0.33))
    view.path.render_video()
    for box in at.window.notices.boxes():
        box.dismiss()
    live(6)
    at.take("path")


def shoot_problem(at: Photographer) -> None:
    """A problem that is typed, and how it looks as mathematics."""
    from app.dialogs.new_dataset import NewDatasetDialog
    from app.project import Project

    at.bench.replace(Project.new())
    at.window.show_workspace()
    live(1)
    dialog = NewDatasetDialog(at.bench.project, at.window, source="typed-problem")
    dialog.resize(1200, 760)
    dialog.open()
    wait(dialog.add_button_.isEnabled)
    dialog.form.set_preset("in time")
    live(0.5)
    wait(dialog.add_button_.isEnabled)
    live(3)
    at.take("problem")
    dialog.reject()
    live(1)


def solve(at: Photographer, key: str, inputs: dict[str, str], preset: str = "standard", *, shot: str = "") -> str:
    """Run a method to its end, with a picture in the middle; the id of the run."""
    before = set(at.bench.project.runs)
    at.run(key, inputs, preset)
    wait(lambda: set(at.bench.project.runs) - before)
    (run,) = set(at.bench.project.runs) - before
    if shot:
        wait(lambda: any(job.progress and job.progress.fraction > 0.5 for job in at.bench.queue.jobs), 600)
        live(2)
        at.take(shot)
    wait(lambda: at.bench.project.runs[run].status in ("finished", "failed", "cancelled"), 900)
    live(4)
    return run


def shoot_waves(at: Photographer) -> None:
    """PIG at work on waves, and beside what solves them otherwise."""
    from app.project import Project

    at.bench.replace(Project.new())
    live(1)
    problem = at.add_sample("waves")
    at.window.show_workspace()
    at.window.show_panel("method")
    runs = [solve(at, "pig", problem, "quick", shot="equation")]
    runs.append(solve(at, "pinn", problem, "quick"))
    runs += [solve(at, key, problem) for key in ("finite-differences", "chebyshev")]
    at.window.run_acts.compare(runs)
    live(8)
    at.window.panels.docks["jobs"].hide()
    at.window.views.current.viewers()[0].show_maps("fields")
    live(4)
    for box in at.window.notices.boxes():
        box.dismiss()
    live(1)
    at.take("fields")
    at.window.panels.docks["jobs"].show()


def shoot_flow(at: Photographer) -> None:
    """Vortices by INSR-PDE, with streamlines."""
    from engines.core import Run

    source = at.bench.method("taylor-green")
    problem = next(iter(source.run({}, source.params(), Run()).values()))
    solve(at, "insr-flow", {"problem": at.bench.project.add(problem).id}, "quick")
    view = at.window.views.current.viewers()[0]
    view.choose_quantity("vorticity") if "vorticity" in [q.key for q in view.sources[0].quantities] else None
    view.stream_action.setChecked(True)
    for box in at.window.notices.boxes():
        box.dismiss()
    live(4)
    at.take("flow")


def shoot_spectrum(at: Photographer) -> None:
    """What GP-HM learns of rapid oscillations."""
    solve(at, "gp-hm", at.add_sample("oscillations"), "quick")
    for box in at.window.notices.boxes():
        box.dismiss()
    live(4)
    at.take("spectrum")


def shoot_body(at: Photographer) -> None:
    """A body that has fallen on a plane."""
    from engines.core import Run

    source = at.bench.method("dropped-body")
    body = next(iter(source.run({}, source.preset("sphere"), Run()).values()))
    solve(at, "insr-elastic", {"body": at.bench.project.add(body).id}, "quick")
    for box in at.window.notices.boxes():
        box.dismiss()
    live(4)
    at.take("body")


def shoot_hand(at: Photographer) -> None:
    """An avatar that was learned from photos, in a pose of its own, with a motion below."""
    from app.project import Project
    from engines.core import Run

    at.bench.replace(Project.new())
    live(1)
    at.window.show_workspace()
    source = at.bench.method("made-hand")
    capture = next(iter(source.run({}, source.preset("quick"), Run()).values()))
    run = solve(at, "xhand", {"capture": at.bench.project.add(capture).id}, "quick")
    avatar = next(i for i in at.bench.project.runs[run].outputs.values() if at.bench.entry(i).type == "HandAvatar")
    at.window.view_acts.show_artifacts([avatar])
    wait(lambda: at.window.views.current.viewers() and at.window.views.current.viewers()[0].choice)
    for box in at.window.notices.boxes():
        box.dismiss()
    view = at.window.views.current.viewers()[0]
    for key in ("open", "relaxed", "pinch", "victory"):
        view.posing.set_preset(key, key)
        view.strip.add_key()
    for key in ("index", "middle"):
        next(row for row in view.panel.rows if row.finger.key == key).fold.setChecked(True)
    view.frame()
    live(1)
    wait(lambda: view.drawing.is_settled)
    at.take("hand")


SHOTS = {
    "home": shoot_home, "import": shoot_import, "slices": shoot_slices, "splats": shoot_splats, "path": shoot_path,
    "box": shoot_box, "sugar": shoot_sugar, "edit": shoot_edit, "problem": shoot_problem, "waves": shoot_waves,
    "flow": shoot_flow, "spectrum": shoot_spectrum, "body": shoot_body, "hand": shoot_hand,
    **transport_scenes.SHOTS,
}  # fmt: skip


if __name__ == "__main__":
    main()
