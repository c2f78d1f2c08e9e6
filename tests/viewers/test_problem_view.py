import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QLabel

from app import typeset
from app.typeset import EM, MathText, parts
from app.viewers.problem_domain import faces_of
from app.viewers.registry import Shown
from engines.data import Problem


def burgers(**more) -> Problem:
    given = {
        "coordinates": ("x", "t"), "lower": np.array([-1.0, 0.0]), "upper": np.array([1.0, 2.0]), "time": "t",
        "equations": ("u_t + u*u_x = nu*u_xx",), "definitions": {"nu": "0.01/pi"},
        "conditions": ("u = -sin(pi*x) at t = 0", "u = 0 on boundary"),
    }  # fmt: skip
    return Problem(**(given | more))


def settle(qtbot, *formulas):
    for formula in formulas:
        typeset.shape(formula)
    qtbot.waitUntil(lambda: all(typeset.is_settled(f) for f in formulas), timeout=30_000)


def test_formulas_become_shapes_and_what_cannot_be_set_none(app, qtbot):
    good, bad = r"\frac{u_{x}}{2} + \sqrt{\nu}", r"\begin{cases} 1 \end{cases}"
    settle(qtbot, good, bad)
    shape = typeset.shape(good)
    assert typeset.shape(bad) is None
    box = shape.path.boundingRect()
    assert box.width() == pytest.approx(shape.width, rel=0.1)
    assert -box.top() == pytest.approx(shape.ascent, abs=0.1 * EM)
    assert box.bottom() == pytest.approx(shape.descent, abs=0.1 * EM)
    assert not shape.path.contains(QPointF(-5, 0))


def test_long_formulas_are_broken_at_their_outer_signs():
    formula = r"u_{t} + \left(a + b\right)\,u_{x} - \frac{c + d}{2} = f"
    assert parts(formula) == [
        r"u_{t}", r"+\ \left(a + b\right)\,u_{x}", r"-\ \frac{c + d}{2}", r"=\ f",
    ]  # fmt: skip
    assert parts("u = -1") == ["u", r"=\ -1"]


def test_a_formula_is_as_high_as_the_lines_it_needs(app, qtbot):
    formula = "u_{t} + a\\,u_{x} + b\\,u_{y} + c\\,u_{xx} + d\\,u_{yy} = f + g"
    settle(qtbot, formula, *parts(formula))
    text = MathText(None, formula, "typed", 22.0)
    text.resize(900, text.height())
    text.show()
    QApplication.processEvents()
    high = text.height()
    text.resize(150, text.height())
    QApplication.processEvents()
    assert text.height() > 1.8 * high
    assert text.accessibleName() == "typed"
    text.close()


def test_every_face_says_what_holds_there():
    faces = faces_of(burgers())
    assert sorted(faces) == [(0, 0), (0, 1), (1, 0)]
    assert faces[1, 0][0].latex == r"u = -\sin \left(\pi\,x\right)"
    periodic = faces_of(burgers(conditions=("periodic in x", "u = x at t = 0")))
    assert [periodic[0, side][0].plain for side in (0, 1)] == ["periodic", "periodic"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_problems_of_one_to_four_coordinates_are_drawn(show, qtbot, count):
    view = show("problem", 900, 600)
    names = ("x", "y", "z", "t")[:count] if count < 4 else ("x", "y", "z", "t")
    problem = Problem(
        coordinates=names, lower=np.zeros(count), upper=np.ones(count), equations=("u_xx = 1",),
        conditions=("u = x on boundary",), description="A test",
    )  # fmt: skip
    view.show_artifacts([Shown("p", "Problem", problem)])
    qtbot.waitUntil(lambda: len(view.domain.faces) == 2 * count, timeout=20_000)
    assert view.domain.isVisible() == (count < 4)
    settle(qtbot, *(w.latex for w in view.findChildren(MathText) if w.latex))
    told = [w.accessibleName() for w in view.findChildren(MathText)]
    assert "u_xx = 1" in told
    assert "u = x on boundary" in told
    assert len(np.unique(view.screenshot(600, 400).reshape(-1, 3), axis=0)) > 20


def test_all_parts_of_a_problem_are_written_down(show, qtbot):
    view = show("problem", 640, 500)
    whole = burgers(
        exact={"u": "x*t"}, estimated={"k": 0.5}, definitions={"nu": "0.01/pi", "f": "manufactured"},
        equations=("u_t + k*u_x = nu*u_xx + f",), description="A wave",
    )  # fmt: skip
    view.show_artifacts([Shown("a", "Waves", whole), Shown("b", "Burgers", burgers())])
    QApplication.processEvents()
    headings = [w.text() for w in view.formulas.findChildren(QLabel) if w.isVisibleTo(view.formulas)]
    for heading in ("Waves", "A wave", "Equation", "Domain", "Conditions", "Where", "Exact solution"):
        assert heading in headings
    assert "f: made so that the exact solution fulfils the equation" in headings
    view.choose("b")
    assert view.shown.name == "Burgers"
    state = view.state()
    view.choose("a")
    view.restore(state)
    assert view.shown.name == "Burgers"


def test_a_problem_that_cannot_be_read_is_shown_as_it_was_typed(show, qtbot):
    view = show("problem", 640, 500)
    bad = burgers(equations=("u_t + = 3",), conditions=("u is 3",))
    view.show_artifacts([Shown("a", "Broken", bad)])
    qtbot.waitUntil(lambda: view.notice.isVisible(), timeout=20_000)
    assert "u_t + = 3" in [w.plain for w in view.findChildren(MathText)]
    view.screenshot(300, 200)
