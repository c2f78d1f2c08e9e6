"""How far a field is from the exact solution of its problem, or from a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from engines.blocks.pde.comparison import error_over_time, exact_field, shared_parts
from engines.blocks.pde.field_metrics import difference, score_table
from engines.core import Example, Params, Run, UserError, method
from engines.data import Curve, Problem, SampledField, Table


class CompareFieldsParams(Params):
    pass


@dataclass(frozen=True)
class FieldComparison:
    error: Annotated[SampledField, "the field minus the truth, at the field's nodes"]
    scores: Annotated[Table, "relative L2, largest and mean squared error of each component"]
    over_time: Annotated[Curve | None, "the error at each time, where there are several"]


def _pair() -> dict[str, SampledField]:
    x, y = np.linspace(-1, 1, 41), np.linspace(-1, 1, 61)
    fine = SampledField.of(np.sin(np.pi * x)[:, None] * np.cos(y), x, y, name="Reference")
    rough = SampledField.of(np.sin(np.pi * x[::2])[:, None] * np.cos(y[::2]) + 0.01, x[::2], y[::2], name="Field")
    return {"field": rough, "reference": fine}


def _apart() -> dict[str, SampledField]:
    whole = _pair()
    return whole | {"reference": whole["reference"].replace(x=np.linspace(5, 6, 41))}


@method(
    key="compare-fields", title="Compare fields", family="pde", role="preparation",
    job="Measure how far a field is from the exact solution, or from a reference.",
    sample=Example(inputs=_pair, title="A field that is off by 0.01"),
    degenerate=(
        Example(inputs=lambda: {"field": _pair()["field"]}, title="Nothing to compare with"),
        Example(inputs=_apart, title="Fields that do not overlap"),
    ),
    tags=("error", "difference", "relative L2", "scores"),
)  # fmt: skip
def compare_fields(
    field: Annotated[SampledField, "the field to judge"],
    problem: Annotated[Problem | None, "the problem that it solves, if its exact solution is known"],
    reference: Annotated[SampledField | None, "a field that is trusted more; taken before the exact solution"],
    params: CompareFieldsParams,
    run: Run,
) -> FieldComparison:
    """A reference on other nodes is brought to the field's by cubic splines; where it ends, nothing is compared."""
    truth = reference if reference is not None else exact_field(field, problem) if problem is not None else None
    if truth is None:
        raise UserError(
            "There is nothing to compare the field with.",
            "Neither a reference is given nor a problem whose exact solution is known.",
            "Choose a reference field, or the problem.",
        )
    for _ in run.steps(1, "Comparing"):
        mine, theirs = shared_parts(field, truth)
        if np.isnan(theirs.values).all():
            raise UserError(
                "The field and the reference do not overlap.",
                "No node of the field lies within the reference, in space and time.",
                "Choose a reference over the same domain.",
            )
        error = difference(mine, theirs)
        scores = score_table(mine, theirs)
        curve = error_over_time(mine, theirs) if len(field.times) > 1 else None
    return FieldComparison(error, scores, curve)
