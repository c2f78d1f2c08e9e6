"""The open hand: the rigged hand that comes with the workbench, so that hands can be made without anybody's licence.

One closed surface of 1,159 vertices and 2,314 triangles in metres, about 0.21 m long. Of the 25 joints of the WebXR
hand the 16 are kept that MANO has (Romero et al. 2017), under MANO's names and in its order.
"""

from __future__ import annotations

from typing import Literal

from engines.core import Example, Param, Params, Run, method
from engines.data import RiggedTemplate
from engines.files.rigged_glb import the_open_hand


class OpenHandParams(Params):
    side: Literal["right", "left"] = Param("right", help="Which hand", source="own choice")


@method(
    key="open-hand",
    title="Open hand",
    family="shape",
    job="Take the rigged hand that comes along, as a template for poses.",
    presets={"left": {"side": "left"}},
    smoke=Example(),
    tags=("hand", "template", "rigged", "skinning", "avatar"),
)
def open_hand(params: OpenHandParams, run: Run) -> RiggedTemplate:
    """The two hands are mirror images but for a few millimetres: each is read from a file of its own."""
    for _ in run.steps(1, "Reading the hand"):
        found = the_open_hand(params.side)
    return found
