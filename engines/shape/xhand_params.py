"""Settings of XHand, and its presets."""

from __future__ import annotations

from typing import Any, Literal

from engines.blocks.avatars.avatar import Build
from engines.blocks.avatars.embedding import Start
from engines.blocks.avatars.losses import Parts
from engines.core import Param, Params

CODE = "reference implementation"


class HandTrainingParams(Params):
    """What the first stage takes, which the baseline shares."""

    levels: int = Param(
        2, ge=0, le=3, source=f"sheet 14, desk; {CODE} 3", label="Subdivision",
        help="Times that each triangle of the template becomes four (Loop)",
    )  # fmt: skip
    side_length: int = Param(
        256, ge=16, le=4096, unit="pixels", source=f"sheet 14, desk; {CODE} 512", label="Photos, longer side",
        help="Photos are scaled down to this before training",
    )  # fmt: skip
    batch: int = Param(8, ge=1, le=256, source=CODE, label="Photos a step", help="All of one frame")
    albedo_epochs: int = Param(
        150, ge=0, le=100_000, source=CODE, help="Epochs on the first frame: colours, lights, and the pose of it"
    )
    image_weight: float = Param(30.0, ge=0, source=CODE, advanced=True, help="Of the difference from the photos")
    albedo_rate: float = Param(5e-3, gt=0, le=1, log=True, source=CODE, advanced=True, help="Learning rate of colours")
    light_rate: float = Param(5e-3, gt=0, le=1, log=True, source=CODE, advanced=True, help="Of the lights")
    pose_rate: float = Param(
        5e-4, ge=0, le=1, source=CODE, advanced=True, help="Of the first frame's pose, in the first stage alone"
    )
    mask_weight: float = Param(
        0.0, ge=0, source=CODE, advanced=True, help="Of the difference between the hand's outline and the mask"
    )
    cut_out: bool = Param(
        True, label="Cut out by the template", source="paper, for InterHand2.6M", advanced=True,
        help="Photos without masks: the posed template's outline stands for one. Off: what is behind the hand stays",
    )  # fmt: skip


class XhandParams(HandTrainingParams):
    shape_epochs: int = Param(
        200, ge=0, le=100_000, source=CODE,
        help="Epochs on the first frame after that: a displacement for each vertex as well",
    )  # fmt: skip
    main_epochs: int = Param(
        200, ge=0, le=100_000, source=f"sheet 14, desk; {CODE} 1000",
        help="Epochs on all frames: detail that follows the pose; from half of them on the neural renderer, too",
    )  # fmt: skip
    conditioning: bool = Param(
        True, label="Detail follows the pose", source="paper",
        help="By a code for each vertex. Off: the surface and its colours are the same in each pose",
    )  # fmt: skip
    smoothing: Parts = Param(
        "by parts", source=CODE, help="Only what is rougher than the quantile is smoothed, or everything alike"
    )
    neural: bool = Param(True, label="Neural renderer", source="paper", help="Off: the surface is only shaded")
    quantile: float = Param(0.25, ge=0, lt=1, source=CODE, advanced=True, help="Of the smoothing by parts")
    displacement_rate: float = Param(
        1e-4, gt=0, le=1, log=True, unit="m", source=f"own; {CODE} 5e-4", advanced=True,
        help="Learning rate of the displacements on the first frame: about how far a vertex goes in a step",
    )  # fmt: skip
    rate: float = Param(5e-4, gt=0, le=1, log=True, source=CODE, help="Learning rate of the embeddings")
    renderer_rate: float = Param(5e-4, gt=0, le=1, log=True, source=CODE, help="Learning rate of the renderer")
    decay: float = Param(
        0.1, gt=0, le=1, log=True, source=f"own; {CODE} 1", advanced=True,
        help="What is left of these two rates at the end of training on all frames",
    )  # fmt: skip
    perceptual: float = Param(
        0.2, ge=0, le=1, source=CODE, advanced=True,
        help="Share of LPIPS in the difference from the photos, or of what stands for it where its weights are missing",
    )  # fmt: skip
    lap_weight: float = Param(
        500.0, ge=0, source=CODE, advanced=True, label="Weight of smoothness",
        help="Of the surface; ten times as much from the middle of the shape's epochs on",
    )  # fmt: skip
    edge_weight: float = Param(5e5, ge=0, source=CODE, advanced=True, help="Against longer edges, per squared metre")
    albedo_weight: float = Param(0.1, ge=0, source=CODE, advanced=True, help="Of the albedo's smoothness, at first")
    refresh_every: int = Param(
        50, ge=0, source=CODE, advanced=True, label="Means anew every",
        help="Epochs after which the means become the average over the frames, once the renderer learns. 0: never",
    )  # fmt: skip
    start: Start = Param(
        "at the mean", source=f"own; {CODE} published", advanced=True,
        help="Of the networks. As published, they displace everything by up to a metre at first",
    )  # fmt: skip
    renderer_codes: Literal["learned", "fixed"] = Param(
        "learned", source=f"paper; {CODE} fixed", advanced=True,
        help="Numbers of each vertex that only the renderer sees; fixed ones stay at zero",
    )  # fmt: skip
    displacement_width: int = Param(
        256, ge=4, le=4096, source=f"sheet 14, desk; {CODE} 512", advanced=True, help="Neurons in each of its 8 layers"
    )
    albedo_width: int = Param(
        64, ge=4, le=4096, source=f"sheet 14, desk; {CODE} 128", advanced=True, help="Neurons in each of its 5 layers"
    )
    weights_width: int = Param(
        64, ge=4, le=4096, source=f"sheet 14, desk; {CODE} 128", advanced=True, label="Width for the skinning weights",
        help="Neurons in each of its 5 layers",
    )  # fmt: skip
    renderer_width: int = Param(256, ge=4, le=4096, source=CODE, advanced=True, help="Neurons in each of its 8 layers")
    latent: int = Param(
        20, ge=1, le=1000, source=CODE, advanced=True, label="Renderer's codes",
        help="Numbers of each vertex that only the renderer sees",
    )  # fmt: skip


PUBLISHED: dict[str, Any] = {
    "levels": 3, "side_length": 512, "main_epochs": 1000, "displacement_width": 512, "albedo_width": 128,
    "weights_width": 128, "start": "published", "renderer_codes": "fixed", "displacement_rate": 5e-4,
    "decay": 1.0,
}  # fmt: skip
CPU_DEMO: dict[str, Any] = {
    "levels": 1, "side_length": 96, "albedo_epochs": 30, "shape_epochs": 100, "main_epochs": 60,
    "displacement_width": 128, "albedo_width": 64, "weights_width": 64, "renderer_width": 128, "rate": 1e-3,
    "displacement_rate": 1e-4, "renderer_rate": 4e-3, "albedo_rate": 3e-2, "light_rate": 2e-2, "pose_rate": 1e-4,
    "mask_weight": 100.0, "edge_weight": 3e4,  # two levels coarser: edges are 4 times as long, squares 16 times
}  # fmt: skip
QUICK: dict[str, Any] = {
    **CPU_DEMO, "side_length": 96, "batch": 4, "albedo_epochs": 20, "shape_epochs": 30, "main_epochs": 16,
    "renderer_rate": 5e-3, "displacement_width": 64, "albedo_width": 32, "weights_width": 32, "renderer_width": 64,
}  # fmt: skip


def build_of(params: XhandParams) -> Build:
    """What the avatar of a run is made of, before it has learned anything."""
    return Build(
        displacement_width=params.displacement_width, albedo_width=params.albedo_width,
        weights_width=params.weights_width, renderer_width=params.renderer_width, latent=params.latent,
        start=params.start, embedding=params.conditioning, neural=params.neural,
    )  # fmt: skip


def colours_alone(params: HandTrainingParams) -> XhandParams:
    """The same training without all that comes after the first stage."""
    return XhandParams(
        **params.model_dump(), shape_epochs=0, main_epochs=0, conditioning=False, neural=False, displacement_width=4,
        albedo_width=4, weights_width=4, renderer_width=4, latent=1,
    )  # fmt: skip
