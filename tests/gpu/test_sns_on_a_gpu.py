"""SNS on a CUDA device against the CPU, and the time of a Newton step in sweeps; skipped elsewhere."""

from __future__ import annotations

import pytest
import torch

from engines.blocks.transport.newton import plan_gradient
from engines.blocks.transport.posing import posed
from engines.core import Run
from engines.transport.random_assignment import assignment_of
from engines.transport.sns import solve
from engines.transport.sns_params import SnsParams

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize(
    ("eta", "hessian"), [(300.0, "sparse"), (1200.0, "sparse"), (5000.0, "sparse"), (1200.0, "full")]
)
def test_the_plan_is_that_of_the_cpu(eta, hessian):
    settings = SnsParams(inverse_regularisation=eta, hessian=hessian, scale="none")
    found = []
    for device in ("cpu", "cuda"):
        run = Run(device=device)
        stage = solve(posed(assignment_of(300)["source"], None, settings, run), settings, run, {})
        assert stage.error <= 1e-12
        gradient = plan_gradient(stage.plan, stage.plan.costs, 3000)
        found.append((stage.plan.part(slice(None)).cpu(), gradient.cpu()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-6)


def test_a_newton_step_at_8192_points_takes_few_sweeps():
    settings = SnsParams(inverse_regularisation=20_000, scale="none")
    run = Run(device="cuda")
    problem = posed(assignment_of(8192)["source"], None, settings, run)
    solve(problem, settings, run, {})
    stage = solve(problem, settings, run, {})
    seconds, newton = torch.tensor(stage.history.column("seconds")).diff(), torch.tensor(stage.history.newton[1:])
    step, sweep = seconds[newton].median(), seconds[~newton].median()
    inner = stage.history.column("iterations")
    print(
        f"Newton step {1e3 * step:.1f} ms, sweep {1e3 * sweep:.2f} ms, {step / sweep:.1f} sweeps a step; inner "
        f"iterations {inner[inner > 0].tolist()}; {torch.cuda.max_memory_allocated() / 1e9:.2f} GB at most"
    )
    assert stage.error <= 1e-12
