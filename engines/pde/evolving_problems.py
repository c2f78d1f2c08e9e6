"""Problems in time: waves, flows, fronts and diffusion, with exact solutions where there are any."""

from __future__ import annotations

from engines.core import Paper, Param, Params, Run, method
from engines.data import Problem
from engines.pde.steady_problems import GP_HM, PIG

INSR = Paper(
    title="Implicit Neural Spatial Representations for Time-dependent PDEs",
    authors="Chen, Honglin and Wu, Rundi and Grinspun, Eitan and Zheng, Changxi and Chen, Peter Yichen",
    year=2023,
    venue="International Conference on Machine Learning",
    url="https://proceedings.mlr.press/v202/chen23af.html",
)


class AllenCahnParams(Params):
    diffusion: float = Param(1e-4, gt=0, le=1, log=True, help="How wide the fronts are: their width squared",
                             source="PIG, app. D")  # fmt: skip
    reaction: float = Param(5.0, ge=0, le=100, help="How fast the two phases part", source="PIG, app. D")


@method(
    key="allen-cahn", title="Allen–Cahn", family="pde", paper=PIG,
    job="Two phases that part into sharp fronts, periodic in x.",
    presets={"quick": {"diffusion": 1e-3}}, tags=("problem", "time"),
)  # fmt: skip
def allen_cahn(params: AllenCahnParams, run: Run) -> Problem:
    """u_t - d u_xx + r u³ - r u = 0 for x in [-1, 1], periodic, t in [0, 1]; u(0) = x² cos(π x)."""
    return Problem(
        name="Allen–Cahn", description="Two phases part", coordinates=("x", "t"), time="t", lower=[-1, 0], upper=[1, 1],
        equations=("u_t - d*u_xx + r*u^3 - r*u = 0",),
        definitions={"d": f"{params.diffusion!r}", "r": f"{params.reaction!r}"},
        conditions=("periodic in x", "u = x^2*cos(pi*x) at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class BurgersParams(Params):
    viscosity: float = Param(0.01, ge=1e-4, le=10, log=True, help="ν times π: the lower, the steeper the shock",
                             source="Raissi et al. 2019", label="Viscosity × π")  # fmt: skip


@method(
    key="burgers", title="Burgers", family="pde",
    job="A wave that steepens into a shock.",
    presets={"quick": {"viscosity": 0.1}}, tags=("problem", "time"),
)  # fmt: skip
def burgers(params: BurgersParams, run: Run) -> Problem:
    """u_t + u u_x = ν u_xx for x in [-1, 1], t in [0, 1]; u(0) = -sin(π x), u(±1) = 0."""
    return Problem(
        name="Burgers", description="A wave steepens", coordinates=("x", "t"), time="t", lower=[-1, 0], upper=[1, 1],
        equations=("u_t + u*u_x = nu*u_xx",), definitions={"nu": f"{params.viscosity!r}/pi"},
        conditions=("u = 0 on boundary", "u = -sin(pi*x) at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class KleinGordonParams(Params):
    frequency: float = Param(2.0, gt=0, le=50, help="k of the exact solution", source="PIG, app. D")
    seconds: float = Param(10.0, gt=0, le=100, help="End of time", source="PIG, app. D", label="End of time")


@method(
    key="klein-gordon", title="Klein–Gordon", family="pde", paper=PIG,
    job="Nonlinear waves on a square, with the exact solution.",
    presets={"quick": {"seconds": 2.0}}, tags=("problem", "time", "exact"),
)  # fmt: skip
def klein_gordon(params: KleinGordonParams, run: Run) -> Problem:
    """u_tt - Δu + u² = f on [-1, 1]², u = (x + y) cos(k t) + x y sin(k t).

    The rate u_t(0) is imposed with u(0): without it the problem has many solutions.
    """
    return Problem(
        name="Klein–Gordon", description="Nonlinear waves", coordinates=("x", "y", "t"), time="t",
        lower=[-1, -1, 0], upper=[1, 1, params.seconds], equations=("u_tt - lap(u) + u^2 = f",),
        definitions={"k": f"{params.frequency!r}", "f": "manufactured"},
        exact={"u": "(x + y)*cos(k*t) + x*y*sin(k*t)"},
        conditions=("u = exact on boundary", "u = exact at t = 0", "u_t = diff(exact, t) at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class FlowMixingParams(Params):
    seconds: float = Param(4.0, gt=0, le=40, help="End of time", source="PIG, app. D", label="End of time")


@method(
    key="flow-mixing", title="Flow mixing", family="pde", paper=PIG,
    job="A vortex winds up a front, with the exact solution.",
    presets={"quick": {"seconds": 1.0}}, tags=("problem", "time", "exact", "transport"),
)  # fmt: skip
def flow_mixing(params: FlowMixingParams, run: Run) -> Problem:
    """u_t + a u_x + b u_y = 0 on [-4, 4]²: a steady vortex whose speed is sech² r tanh r, 0.385 at the most."""
    return Problem(
        name="Flow mixing", description="A vortex winds up a front", coordinates=("x", "y", "t"), time="t",
        lower=[-4, -4, 0], upper=[4, 4, params.seconds], equations=("u_t + a*u_x + b*u_y = 0",),
        definitions={
            "r": "sqrt(x^2 + y^2 + 1e-16)", "w": "sech(r)^2*tanh(r)/(0.385*r)", "a": "-w*y", "b": "w*x",
        },
        exact={"u": "-tanh(y/2*cos(w*t) - x/2*sin(w*t))"},
        conditions=("u = exact on boundary", "u = exact at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class NonlinearDiffusionParams(Params):
    diffusivity: float = Param(0.05, gt=0, le=1, help="α of u_t = α (|∇u|² + u Δu)", source="PIG, app. D")


@method(
    key="nonlinear-diffusion", title="Nonlinear diffusion", family="pde", paper=PIG,
    job="Three hills that flatten faster where they are high.",
    presets={"quick": {}}, tags=("problem", "time"),
)  # fmt: skip
def nonlinear_diffusion(params: NonlinearDiffusionParams, run: Run) -> Problem:
    """u_t = α (|∇u|² + u Δu) on [-1, 1]², t in [0, 1], u = 0 on the boundary."""
    return Problem(
        name="Nonlinear diffusion", description="Three hills flatten", coordinates=("x", "y", "t"), time="t",
        lower=[-1, -1, 0], upper=[1, 1, 1], equations=("u_t = alpha*(u_x^2 + u_y^2 + u*lap(u))",),
        definitions={
            "alpha": f"{params.diffusivity!r}",
            "hills": "0.25*exp(-((x - 0.3)^2 + (y - 0.2)^2)/0.1) + 0.4*exp(-15*((x + 0.5)^2 + (y + 0.1)^2))"
            " + 0.3*exp(-20*(x^2 + (y + 0.5)^2))",
        },
        conditions=("u = 0 on boundary", "u = hills at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class AdvectionParams(Params):
    speed: float = Param(0.25, ge=-1e3, le=1e3, help="Velocity a", source="INSR, sec. 4")
    seconds: float = Param(12.0, gt=0, le=1e3, help="End of time", source="INSR, sec. 4", label="End of time")


@method(
    key="advection", title="Advection", family="pde", paper=INSR,
    job="A narrow pulse that travels and keeps its shape, with the exact solution.",
    presets={"quick": {"seconds": 1.2}},
    tags=("problem", "time", "exact", "transport"),
)  # fmt: skip
def advection(params: AdvectionParams, run: Run) -> Problem:
    """u_t + a u_x = 0 on [-2, 2]: exp(-((x + 1.5)/0.1)²/2), carried along; 0 at the ends."""
    return Problem(
        name="Advection of a pulse", description="A shape travels", coordinates=("x", "t"), time="t",
        lower=[-2, 0], upper=[2, params.seconds], equations=("u_t + a*u_x = 0",),
        definitions={"a": f"{params.speed!r}"}, exact={"u": "exp(-((x - a*t + 1.5)/0.1)^2/2)"},
        conditions=("u = 0 on boundary", "u = exact at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip


class TaylorGreenParams(Params):
    viscosity: float = Param(0.0, ge=0, le=10, help="Kinematic viscosity; 0 is an ideal fluid, whose vortices stay",
                             source="INSR, sec. 5")  # fmt: skip
    seconds: float = Param(5.0, gt=0, le=1e3, help="End of time", source="INSR, sec. 5", label="End of time")


@method(
    key="taylor-green", title="Taylor–Green flow", family="pde", paper=INSR,
    job="Vortices in a box with slippery walls, with the exact solution.",
    presets={"quick": {"seconds": 0.5}, "viscous": {"viscosity": 0.01}},
    tags=("problem", "time", "exact", "flow", "fluid", "incompressible"),
)  # fmt: skip
def taylor_green(params: TaylorGreenParams, run: Run) -> Problem:
    """Incompressible flow on [-1, 1]²: u = sin πx cos πy, v = -cos πx sin πy, times exp(-2π² ν t)."""
    return Problem(
        name="Taylor–Green flow", description="Vortices in a box", coordinates=("x", "y", "t"), time="t",
        lower=[-1, -1, 0], upper=[1, 1, params.seconds], unknowns=("u", "v", "p"),
        equations=(
            "u_t + u*u_x + v*u_y + p_x = nu*lap(u)", "v_t + u*v_x + v*v_y + p_y = nu*lap(v)", "u_x + v_y = 0",
        ),
        definitions={"nu": f"{params.viscosity!r}", "decay": "exp(-2*pi^2*nu*t)"},
        exact={
            "u": "sin(pi*x)*cos(pi*y)*decay", "v": "-cos(pi*x)*sin(pi*y)*decay",
            "p": "(cos(2*pi*x) + cos(2*pi*y))/4*decay^2",
        },
        conditions=(
            "u = 0 on x = -1, x = 1", "v = 0 on y = -1, y = 1", "u = exact at t = 0", "v = exact at t = 0",
        ),
    )  # type: ignore[arg-type]  # fmt: skip


class RapidWaveParams(Params):
    speed: float = Param(200.0, gt=0, le=1e4, help="Velocity a", source="GP-HM, sec. 6")


@method(
    key="rapid-wave", title="Rapid wave", family="pde", paper=GP_HM,
    job="A wave that travels fast: high frequency in time alone.",
    presets={"quick": {"speed": 20.0}}, tags=("problem", "time", "exact", "transport", "high frequency"),
)  # fmt: skip
def rapid_wave(params: RapidWaveParams, run: Run) -> Problem:
    """u_t + a u_x = 0 on [0, 1]², u = sin(x - a t)."""
    return Problem(
        name="Rapid wave", description="A fast wave", coordinates=("x", "t"), time="t", lower=[0, 0], upper=[1, 1],
        equations=("u_t + a*u_x = 0",), definitions={"a": f"{params.speed!r}"}, exact={"u": "sin(x - a*t)"},
        conditions=("u = exact on boundary", "u = exact at t = 0"),
    )  # type: ignore[arg-type]  # fmt: skip
