"""Problems as text files that people write themselves."""

from __future__ import annotations

import pytest

from engines.core import UserError
from engines.files import read, write
from tests.files import made

TYPED = """
equations = ["lap(u) = f"]
conditions = ["u = 0 on boundary"]
[domain]
x = [0, 1]
y = [-1.5, 2]
[definitions]
f = "sin(pi*x)"
k = 4
"""


def test_a_typed_problem(tmp_path):
    (tmp_path / "poisson.problem").write_text(TYPED)
    problem = read(tmp_path / "poisson.problem").artifacts[0]
    assert problem.coordinates == ("x", "y")
    assert (problem.lower.tolist(), problem.upper.tolist()) == ([0, -1.5], [1, 2])
    assert problem.unknowns == ("u",)
    assert problem.definitions == {"f": "sin(pi*x)", "k": "4"}
    assert problem.name == "poisson"


def test_what_is_written_can_be_read_by_people(tmp_path):
    write(made.problem(), tmp_path / "p.problem")
    text = (tmp_path / "p.problem").read_text(encoding="utf-8")
    assert 'equations = ["u_t - nu*u_xx + u*u_x = 0"]' in text
    assert "x = [-1.0, 1.0]" in text
    assert "新" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("x = [0, 1]", "x = [1, 0]"), "range of x is empty"),
        (("x = [0, 1]", "x = 3"), "wrong 'domain.x'"),
        (("x = [0, 1]", "x = [0, inf]"), "wrong 'domain.x'"),
        (('["lap(u) = f"]', "[3]"), "wrong 'equations'"),
        (('["lap(u) = f"]', "[]"), "no unknown or no equation"),
        (("[domain]", "time = 's'\n[domain]"), "time 's' is not a coordinate"),
        (("y = [-1.5, 2]", ""), None),
        (("[domain]", "[domain"), "TOML"),
        (("k = 4", "k = [1]"), "wrong 'definitions.k'"),
    ],
)
def test_wrong_problems(change, words, tmp_path):
    (tmp_path / "p.problem").write_text(TYPED.replace(*change))
    if words is None:
        assert read(tmp_path / "p.problem").artifacts[0].coordinates == ("x",)
        return
    with pytest.raises(UserError, match=r".+") as caught:
        read(tmp_path / "p.problem")
    assert words in str(caught.value)
    assert caught.value.mend


def test_what_is_not_known_is_said(tmp_path):
    (tmp_path / "p.problem").write_text("colour = 'red'\n" + TYPED)
    assert "colour" in read(tmp_path / "p.problem").problems[0]


def test_a_formula_that_cannot_be_read_is_said_and_the_problem_opened(tmp_path):
    (tmp_path / "p.problem").write_text(TYPED.replace("lap(u) = f", "lap(u) = g"))
    loaded = read(tmp_path / "p.problem")
    assert loaded.artifacts[0].equations == ("lap(u) = g",)
    assert "'g' is not known" in loaded.problems[0]
