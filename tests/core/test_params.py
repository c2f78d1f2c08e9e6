"""Settings: one declaration that checks, explains itself and survives text."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.core import Params, UserError
from engines.core.params import Param


class Settings(Params):
    count: int = Param(10, ge=1, le=100, help="How many", source="paper, sec. 2")
    rate: float = Param(1e-3, gt=0, lt=1, unit="1/s", help="How fast", log=True)
    kind: Literal["slow", "fast"] = Param("slow", help="Which kind")
    levels: tuple[int, ...] = Param((1, 2), ge=0, le=8, help="Levels")
    box: tuple[float, float] = Param((0.0, 1.0), help="Interval", advanced=True)
    verbose: bool = Param(False, help="Say more")
    label: str = Param("", help="A word", label="Name tag")
    limit: float | None = Param(None, help="Stop there")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count": 0}, "≥ 1, ≤ 100"),
        ({"count": "many"}, "'count' cannot be 'many'"),
        ({"count": 2.5}, "'count' cannot be 2.5"),
        ({"rate": 0.0}, "> 0, < 1"),
        ({"rate": float("nan")}, "'rate' cannot be nan"),
        ({"rate": "inf"}, "'rate'"),
        ({"kind": "medium"}, "slow | fast"),
        ({"levels": "1, 9"}, "'levels' cannot contain 9"),
        ({"levels": "1 x"}, "'levels'"),
        ({"box": "1"}, "'box'"),
        ({"box": (0.0, float("inf"))}, "'box'"),
        ({"speed": 1}, "There is no setting 'speed'."),
    ],
)
def test_what_does_not_fit_is_refused_in_words(values, said):
    with pytest.raises(UserError) as refused:
        Settings.parse(values)
    assert said in str(refused.value)


def test_typed_text_is_read():
    read = Settings.parse(
        {"count": "20", "rate": "5e-2", "levels": "3, 4 5", "box": "-1,2", "verbose": "yes", "limit": "none"}
    )
    assert read == Settings(count=20, rate=0.05, levels=(3, 4, 5), box=(-1.0, 2.0), verbose=True)


def test_values_go_over_a_base():
    base = Settings(count=50, rate=0.1)
    assert Settings.parse({"rate": "0.2"}, base) == Settings(count=50, rate=0.2)


def test_params_cannot_be_changed_or_extended():
    with pytest.raises(ValueError):
        Settings().count = 3
    with pytest.raises(ValueError):
        Settings(unknown=1)


def test_bounds_hold_for_each_element_however_it_is_made():
    with pytest.raises(UserError):
        Settings(levels=(1, 9))


@given(
    st.builds(
        Settings,
        count=st.integers(1, 100),
        rate=st.floats(0, 1, exclude_min=True, exclude_max=True),
        kind=st.sampled_from(["slow", "fast"]),
        levels=st.lists(st.integers(0, 8), max_size=4).map(tuple),
        box=st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1, 1)),
        verbose=st.booleans(),
        limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        label=st.text(),
    )
)
def test_text_round_trip_is_exact(params):
    assert Settings.parse(params.texts()) == params
    assert Settings.parse(params.model_dump(mode="json")) == params


def test_texts_hold_only_what_differs():
    assert Settings().texts() == {}
    assert Settings(count=3, levels=(4,)).texts() == {"count": "3", "levels": "4"}
    assert Settings(count=3).texts(Settings(count=3, verbose=True)) == {"verbose": "false"}


def test_specs_say_what_a_form_needs():
    specs = {s.name: s for s in Settings.specs()}
    assert [s.kind for s in specs.values()] == ["int", "float", "choice", "ints", "floats", "bool", "text", "float"]
    count, rate = specs["count"], specs["rate"]
    assert (count.minimum, count.maximum, count.source, count.default) == (1, 100, "paper, sec. 2", 10)
    assert (rate.exclusive_minimum, rate.exclusive_maximum, rate.unit, rate.log) == (True, True, "1/s", True)
    assert specs["label"].label == "Name tag"
    assert specs["limit"].optional
    assert specs["box"].advanced


def test_a_field_without_a_control_is_refused():
    class Odd(Params):
        table: dict[str, int] = Param({}, help="No control for this")

    with pytest.raises(TypeError, match="no form control"):
        Odd.specs()

    class Numbers(Params):
        choice: Literal[1, 2] = Param(1, help="Choices are text")

    with pytest.raises(TypeError, match="choices must be text"):
        Numbers.specs()


def test_a_box_has_six_numbers_or_none_and_some_room():
    class Boxed(Params):
        where: tuple[float, ...] = Param((), box=True, help="A box", label="Work box")

    assert Boxed.specs()[0].kind == "box"
    assert Boxed.parse({"where": "0 0 0 1,2,3"}).where == (0, 0, 0, 1, 2, 3)
    assert Boxed.parse({"where": ""}).where == ()
    for wrong in ("1", "0 0 0 1 1 0", "1 1 1 0 0 0", "0 0 0 1 1 1 1"):
        with pytest.raises(UserError, match=r"work box .* is empty"):
            Boxed.parse({"where": wrong})


def test_a_field_says_what_holds_where_nothing_is_given():
    class Sized(Params):
        width: int | None = Param(None, help="Of a picture", empty="as the path")
        height: int | None = Param(None, help="Of a picture")

    assert [spec.empty for spec in Sized.specs()] == ["as the path", "none"]
