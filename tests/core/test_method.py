"""The signature is the declaration; the catalog finds what is declared."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from engines.core import Catalog, Params, Run, UserError, catalog, method
from engines.core import catalog as discover
from engines.core.params import Param
from engines.data import Curve, GridField, Mesh, PointCloud, Table
from tests.toys import TOYS, SpinParams, WalkParams, _cloud, spin, walk


class NoParams(Params):
    pass


def declare(function, **more):
    return method(**{"key": "toy", "title": "Toy", "family": "shape", "job": "Be a toy."} | more)(function)


def test_inputs_params_and_outputs_are_read_from_the_signature():
    assert [(s.name, s.type, s.optional, s.help) for s in walk.inputs] == [
        ("points", PointCloud, False, "where to start")
    ]
    assert walk.params is WalkParams
    assert [(s.name, s.type, s.optional, s.many) for s in walk.outputs] == [
        ("path", PointCloud, False, False),
        ("steps", Table, False, True),
        ("mesh", Mesh, True, False),
    ]
    assert (walk.role, spin.role) == ("method", "source")
    assert walk.description.startswith("A random walk")
    assert walk.accepts(PointCloud) == "points"
    assert walk.accepts(Mesh) is None


def test_presets_are_params():
    assert walk.preset("quick") == WalkParams(iterations=5)
    assert walk.preset(None) == walk.preset("standard") == WalkParams()
    with pytest.raises(UserError, match="no preset 'slow'"):
        walk.preset("slow")


def test_a_preset_that_does_not_fit_is_found_at_once():
    with pytest.raises(UserError, match="'seconds'"):
        declare(spin.function, presets={"quick": {"seconds": -1}})


def bad_return(params: NoParams, run: Run) -> int: ...
def bad_input(x: int, params: NoParams, run: Run) -> Mesh: ...
def no_run(params: NoParams) -> Mesh: ...
def no_params(run: Run) -> Mesh: ...


@pytest.mark.parametrize("function", [bad_return, bad_input, no_run, no_params])
def test_a_signature_that_does_not_fit_is_refused(function):
    with pytest.raises(TypeError):
        declare(function)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "Toy walk needs an input 'points' (Point cloud)."),
        ({"points": Curve(x=[0.0])}, "The input 'points' of Toy walk is a Curve. It takes a Point cloud."),
        (_cloud() | {"extra": Curve(x=[0.0])}, "Toy walk has no input 'extra'."),
    ],
)
def test_what_cannot_work_is_refused_before_it_starts(inputs, said):
    with pytest.raises(UserError) as refused:
        walk.check(inputs, WalkParams())
    assert said in str(refused.value)


def test_foreign_params_are_a_bug():
    with pytest.raises(TypeError):
        walk.check(_cloud(), SpinParams())


def test_too_much_memory_is_refused_with_numbers():
    huge = declare(spin.function, memory=lambda inputs, params: 10**15)
    with pytest.raises(UserError, match=r"would need about 1000000\.0 GB"):
        huge.check({}, SpinParams())


@dataclass(frozen=True)
class Many:
    mesh: tuple[Mesh, ...]
    scores: Table | None
    field: GridField | None = None


def test_several_outputs_are_numbered_and_missing_ones_left_out():
    triangle = Mesh(vertices=np.eye(3), faces=[[0, 1, 2]])

    class CountParams(Params):
        count: int = Param(1, ge=0, help="How many")

    def give(params: CountParams, run: Run) -> Many:
        return Many((triangle,) * params.count, Table(columns={}) if params.count else None)

    give.__annotations__ |= {"params": CountParams}
    many = declare(give)
    found = [sorted(many.run({}, CountParams(count=n), Run())) for n in range(3)]
    assert found == [[], ["mesh", "scores"], ["mesh/1", "mesh/2", "scores"]]


def test_the_catalog_searches_suggests_and_filters():
    toys = Catalog(TOYS.values())
    assert len(toys) == 2
    assert "toy-walk" in toys
    assert toys.search("RANDOM walk") == [walk]
    assert toys.search("nothing like it") == []
    with pytest.raises(UserError, match="Did you mean: toy-walk"):
        toys.get("toy-wolk")


def test_a_second_method_of_the_same_key_is_reported_not_taken():
    other = declare(spin.function, key="toy-walk")
    toys = Catalog([walk, other])
    assert toys.get("toy-walk") is walk
    assert "'toy-walk' is taken" in toys.broken[0].report


def test_a_family_package_that_cannot_be_imported_is_reported_not_fatal(tmp_path, monkeypatch):
    import engines.pde

    (tmp_path / "fieldwright_test_bad").mkdir()
    (tmp_path / "fieldwright_test_bad" / "__init__.py").write_text("raise RuntimeError('no')")
    (tmp_path / "fieldwright_test_quits.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(engines.pde, "__path__", [*engines.pde.__path__, str(tmp_path)])
    discover.cache_clear()
    try:
        broken = {b.name: b.report for b in catalog().broken}
    finally:
        discover.cache_clear()
        for name in [n for n in sys.modules if "fieldwright_test_" in n]:
            del sys.modules[name]
    assert "RuntimeError: no" in broken["engines.pde.fieldwright_test_bad"]
    assert "SystemExit" in broken["engines.pde.fieldwright_test_quits"]


def test_bibtex_names_the_paper():
    from engines.core import Paper

    text = Paper("Lines in space", "Ada Byron and Bo Li", 2024, "SIGGRAPH", "https://example.org").bibtex
    assert text.startswith("@inproceedings{byron2024lines,")
    assert "author = {Ada Byron and Bo Li}" in text
