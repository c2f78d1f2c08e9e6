"""Pictures of transport: a coupling with its links, a digit that becomes another, and a learned map."""

from __future__ import annotations

from photographer import Photographer, live, wait


def _begin(at: Photographer) -> None:
    """An empty project, without being asked about the one of the scene before."""
    from app.project import Project

    at.bench.replace(Project.new())
    at.window.show_workspace()
    live(1)


def _take(at: Photographer, name: str) -> None:
    for box in at.window.notices.boxes():
        box.dismiss()
    live(1)
    at.take(name)


def _ended(at: Photographer, key: str, inputs: dict[str, str], preset: str = "standard") -> dict[str, str]:
    """Ids of what a run gave, by output."""
    count = len(at.bench.project.runs)
    at.run(key, inputs, preset)
    wait(lambda: len(at.bench.project.runs) > count and at.ended(count + 1), 300)
    live(1)
    return dict(list(at.bench.project.runs.values())[-1].outputs)


def _show(at: Photographer, ids: list[str], viewer: str = "", side: str = "", **state: object) -> None:
    """In a tab of its own, or beside what is on show, in this state."""
    frame = at.window.views.show_artifacts(ids, viewer, side=side)
    wait(lambda: bool(frame.viewers()))
    view = frame.viewers()[0]
    live(2)
    view.restore(state)
    live(0.5)
    wait(lambda: view.is_settled)
    live(1)


def shoot_plan(at: Photographer) -> None:
    """Links between two clouds beside the plan, sorted."""
    _begin(at)
    clouds = _ended(at, "cloud-to-ring", {}, "quick")
    made = _ended(at, "sns", {k: clouds[k] for k in ("source", "target")})
    at.window.views.close_all()
    _show(at, [made["coupling"]], time=0.35, most=1000)
    _show(at, [made["coupling"]], "coupling", "right", sorted=True)
    _take(at, "plan")


def shoot_digits(at: Photographer) -> None:
    _begin(at)
    pair = _ended(at, "digit-pair", {})
    made = _ended(at, "sns", {"source": pair["first"], "target": pair["second"]})
    at.window.views.close_all()
    _show(at, [made["coupling"]], time=0.5)
    _take(at, "digits")


def shoot_monge(at: Photographer) -> None:
    _begin(at)
    clouds = _ended(at, "moons-to-curve", {})
    made = _ended(at, "monge-gap", {k: clouds[k] for k in ("source", "target")})
    at.window.views.close_all()
    _show(at, [made["moved"]], time=0.5, most=500)
    _take(at, "map")


SHOTS = {"plan": shoot_plan, "digits": shoot_digits, "monge": shoot_monge}
