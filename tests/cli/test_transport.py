"""Transport on the command line: the same file as points or as costs."""

from __future__ import annotations

import numpy as np

from engines.files import read


def test_a_table_is_read_as_points_or_as_costs(fieldwright, tmp_path):
    draw = np.random.default_rng(0)
    np.savetxt(tmp_path / "costs.csv", draw.random((5, 4)), delimiter=",")
    np.savetxt(tmp_path / "a.csv", draw.normal(size=(6, 2)), delimiter=",", header="x,y", comments="")
    np.savetxt(tmp_path / "b.csv", draw.normal(size=(7, 2)), delimiter=",", header="x,y", comments="")
    plan, table = tmp_path / "plan.csv", str(tmp_path / "costs.csv")
    code, _, err = fieldwright("run", "exact-transport", "-i", f"source={table}")
    assert code == 3
    assert f"--input source=csv-costs:{table}" in err.replace("\n", "")
    code, _, _ = fieldwright("run", "exact-transport", "-i", f"source=csv-costs:{table}", "-e", f"coupling={plan}")
    assert code == 0
    assert read(plan, format="csv").artifacts[0].columns["mass"].sum() == 1
    points = ("-i", f"source={tmp_path / 'a.csv'}", "-i", f"target={tmp_path / 'b.csv'}")
    assert fieldwright("run", "exact-transport", *points, "-e", f"coupling={plan}")[0] == 0
    assert read(plan, format="csv").artifacts[0].rows == 6 + 7 - 1
