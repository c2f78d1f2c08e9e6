"""Pictures of Gaussian clouds for the splat view: what the worker thread does. No Qt in here.

A cloud is sorted once by what its Gaussians cover, so that the first few stand for the whole while the camera moves.
A picture that takes long is drawn in bands, between which it can be given up.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from app.viewers import colour_maps
from app.viewers.camera import Pose
from app.viewers.live_evaluator import Stale
from app.viewers.pinhole import LENS, camera_of
from app.viewers.splat_edit import Follower, PartEdit, Posed, drawn_over
from engines.blocks.splatting import Gaussians, Projection, project, rasterise, without_fast_renderer
from engines.blocks.splatting.bound_gaussians import to_cloud
from engines.core import limit_threads
from engines.data import BoundGaussians, GaussianCloud

Splats = GaussianCloud | BoundGaussians
TILE = 16
BAND_SECONDS = 0.12
CHANCE = 0.8
"""Logarithm of how much less a Gaussian may cover than another and yet come before it."""
SURE = 13.0
"""Logarithm of the opacity that makes a Gaussian solid: within q < 26, and gone at q > 37 of its stretched square."""
RADIUS = 1.6
"""Standard deviations at which an ellipsoid ends."""
SEEN_ALPHA = 0.05
"""Where less is covered, there is no depth."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What is drawn besides the splats, in as many pixels as they."""

    paint: np.ndarray  # (h, w, 3) from 0 to 1
    cover: np.ndarray  # (h, w) from 0 to 1
    depth: np.ndarray  # (h, w) z of the camera's frame, infinite where there is nothing


@dataclass(frozen=True)
class Look:
    """How a cloud is drawn. ``degree``: of the harmonics that count; ``size``: factor on the standard deviations."""

    mode: str = "colour"
    degree: int = 3
    size: float = 1.0
    dot: float = 1.5
    """Radius of a centre, in pixels of the full picture."""


@dataclass(frozen=True, eq=False)
class Request:
    clouds: tuple[Splats, ...]
    pose: Pose
    width: int
    height: int
    look: Look = field(default_factory=Look)
    lens: float = LENS
    background: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    """RGB at the top and at the bottom, from 0 to 1."""
    scale: float = 1.0
    """Pixels drawn for one of the width."""
    share: float = 1.0
    """Of the Gaussians, those that cover most first."""
    depth_range: tuple[float, float] | None = None
    """What the colours of a depth picture stand for; None: what fits it."""
    surfaces: Surfaces | None = None
    edit: PartEdit | None = None
    """Of one of the clouds: where a part of it is shown now."""

    @property
    def drawn_size(self) -> tuple[int, int]:
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    @property
    def is_fine(self) -> bool:
        """Whether it wants full detail."""
        return self.scale == 1.0 and self.share == 1.0


@dataclass(frozen=True, eq=False)
class Blend:
    """Splats without what is behind them."""

    colours: np.ndarray  # (h, w, 3) float32, over black
    alpha: np.ndarray  # (h, w) float32
    depth: np.ndarray  # (h, w) float32, z of the camera's frame; 0 for none


@dataclass(frozen=True, eq=False)
class Frame:
    request: Request
    every: Blend
    before: Blend | None
    """Of those before the surfaces, where there are any."""
    seen: int
    total: int
    seconds: float
    depth_range: tuple[float, float] = (0.0, 1.0)
    picture: np.ndarray | None = None  # (h, w, 3) uint8, as it is shown

    @property
    def depth(self) -> np.ndarray:
        return self.every.depth

    @property
    def is_fine(self) -> bool:
        return self.request.is_fine


@dataclass(frozen=True, eq=False)
class Prepared:
    """Sorted by what each covers, the largest first."""

    gaussians: Gaussians
    size: float
    """Diagonal of the scene, in world units."""
    order: np.ndarray
    """(N,) what number each had."""

    def __len__(self) -> int:
        return len(self.gaussians)


def prepare(splats: tuple[Splats, ...]) -> Prepared:
    """One cloud of all, of the highest degree among them."""
    clouds = [to_cloud(one) if isinstance(one, BoundGaussians) else one for one in splats]
    width = max(cloud.sh.shape[1] for cloud in clouds)
    means, quaternions, log_scales, logits = (
        np.concatenate([getattr(c, name) for c in clouds])
        for name in ("means", "quaternions", "log_scales", "opacity_logits")
    )
    sh = [np.pad(c.sh, ((0, 0), (0, width - c.sh.shape[1]), (0, 0))) for c in clouds]
    two_largest = log_scales.sum(1) - log_scales.min(1)
    cover = np.logaddexp(0, -logits) - two_largest  # -log of opacity times area
    # A little by chance: where size goes with place, as on a mesh, the first few would leave whole regions out.
    order = np.argsort(cover + np.random.default_rng(0).uniform(0, CHANCE, len(cover)), kind="stable")
    arrays = (means, quaternions, log_scales, logits, sh[0] if len(sh) == 1 else np.concatenate(sh))
    some = means[:: max(1, len(means) // 50_000)]
    ends = np.quantile(some, (0.02, 0.98), axis=0) if len(some) else np.zeros((2, 3))
    size = float(np.linalg.norm(ends[1] - ends[0])) or 1.0
    return Prepared(Gaussians(*(torch.from_numpy(np.take(a, order, axis=0)) for a in arrays)), size, order)


class SplatRenderer:
    """Draws requests. The last cloud stays prepared; may be used from several threads.

    ``device``: where; None: on the first GPU that has a fast renderer, or else on the CPU.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._for: tuple[Splats, ...] = ()
        self._prepared: Prepared | None = None
        self._band_rate = 4e6  # pixels a second, at first
        self._follower = Follower()

    def prepared(self, clouds: tuple[Splats, ...]) -> Prepared:
        with self._lock:
            same = len(self._for) == len(clouds) and all(a is b for a, b in zip(self._for, clouds, strict=True))
            if self._prepared is None or not same:
                self._for, self._prepared = (), None  # not two of them in memory
                if self._device is None:
                    self._device = best_device()
                ready = prepare(clouds)
                self._prepared = replace(ready, gaussians=ready.gaussians.map(lambda t: t.to(self._device)))
                self._for = clouds
            return self._prepared

    def forget(self) -> None:
        with self._lock:
            self._for, self._prepared = (), None
            self._follower.forget()

    def _posed(self, request: Request, ready: Prepared) -> Posed | None:
        """What is edited, where it is now."""
        edit = request.edit
        numbers = [i for i, cloud in enumerate(request.clouds) if edit is not None and cloud is edit.bound]
        if edit is None or not numbers:
            return None
        first = sum(map(len, request.clouds[: numbers[0]]))
        with self._lock:
            count = _count(ready, request)
            return self._follower.follow(edit, ready.gaussians, ready.order, first, count, request.is_fine)

    def draw(self, request: Request, stale: Callable[[], bool] = lambda: False) -> Frame:
        """The picture. Raises :class:`Stale` once it is not wanted any more."""
        try:
            return self._draw(request, stale)
        except torch.OutOfMemoryError:  # a run may need all of the GPU: from now on the CPU draws
            if self._device is None or self._device.type == "cpu":
                raise
        self.forget()
        self._device = torch.device("cpu")
        return self._draw(request, stale)

    @torch.no_grad()
    def _draw(self, request: Request, stale: Callable[[], bool]) -> Frame:
        ready = self.prepared(request.clouds)
        posed = self._posed(request, ready)
        ready = ready if posed is None else replace(ready, gaussians=posed.gaussians)
        if torch.get_num_threads() >= max(2, os.cpu_count() or 2):
            limit_threads()  # the window keeps a core, as while methods run
        start = time.perf_counter()
        width, height = request.drawn_size
        count = _count(ready, request)
        found = _projected(ready, request, count, width, height)
        if stale():
            raise Stale
        features = torch.cat([found.colours, found.depths[:, None]], 1)
        every, seen = self._blended(found, features, width, height, stale)
        before = None
        if request.surfaces is not None:
            shown = _before(ready, request, found, count)
            seen_there = replace(
                found, opacities=torch.where(shown, found.opacities, torch.zeros_like(found.opacities))
            )
            before, _ = self._blended(seen_there, features, width, height, stale)
        found_range = request.depth_range or _depth_range(every.depth)
        frame = Frame(request, every, before, seen, len(ready), 0.0, found_range)
        picture = compose(frame)
        if request.edit is not None and posed is not None:
            camera = camera_of(request.pose, width, height, request.lens)
            picture = drawn_over(picture, every.depth, request.edit, posed, camera, ready.size)
        return replace(frame, picture=picture, seconds=time.perf_counter() - start)

    def _blended(
        self, found: Projection, features: torch.Tensor, width: int, height: int, stale: Callable[[], bool]
    ) -> tuple[Blend, int]:
        image, alpha, seen = self._rasterised(found, features, width, height, stale)
        alpha = alpha.clamp(0, 1)
        depth = torch.where(alpha > SEEN_ALPHA, image[3] / alpha.clamp_min(SEEN_ALPHA), torch.zeros_like(alpha))
        colours = image[:3].permute(1, 2, 0).contiguous().cpu().numpy()
        return Blend(colours, alpha.cpu().numpy(), depth.cpu().numpy()), seen

    def _rasterised(
        self, found: Projection, features: torch.Tensor, width: int, height: int, stale: Callable[[], bool]
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        rows = int(self._band_rate * BAND_SECONDS / max(width, 1)) // TILE * TILE
        start = time.perf_counter()
        if rows >= height:
            image, alpha, touched = rasterise(found, features, width, height)
            seen = int((touched > 0).sum())
        else:
            rows = max(rows, 2 * TILE)
            reach = _reach(found)
            low, high = found.means[:, 1] - reach, found.means[:, 1] + reach
            image, alpha = features.new_empty(4, height, width), features.new_empty(height, width)
            was_seen = torch.zeros(len(features), dtype=torch.bool, device=features.device)
            for top in range(0, height, rows):
                if stale():
                    raise Stale
                bottom = min(top + rows, height)
                inside = torch.nonzero((low < bottom) & (high > top)).squeeze(1)
                shift = found.means.new_tensor([0.0, float(top)])
                band = Projection(
                    found.means[inside] - shift, *(t[inside] for t in (found.conics, found.opacities)),
                    found.colours[inside], found.depths[inside],
                )  # fmt: skip
                image[:, top:bottom], alpha[top:bottom], touched = rasterise(
                    band, features[inside], width, bottom - top
                )
                was_seen[inside[touched > 0]] = True
            seen = int(was_seen.sum())
        spent = max(time.perf_counter() - start, 1e-4)
        self._band_rate = 0.5 * self._band_rate + 0.5 * min(width * height / spent, 1e8)
        return image, alpha, seen


@functools.cache
def best_device() -> torch.device:
    """The first GPU, if the kernels can be used there, or the CPU. The first call may compile them."""
    if torch.cuda.is_available() and not without_fast_renderer(torch.device("cuda", 0)):
        return torch.device("cuda", 0)
    return torch.device("cpu")


def _count(ready: Prepared, request: Request) -> int:
    """How many Gaussians are drawn."""
    return max(min(len(ready), 1), round(request.share * len(ready)))


def _projected(ready: Prepared, request: Request, count: int, width: int, height: int) -> Projection:
    look, g = request.look, ready.gaussians
    part = g if count == len(g) else g.map(lambda t: t[:count])
    # Fewer ones grow, so that they still cover what all cover.
    grow = look.size * min(request.share**-0.3, 2.5)
    if grow != 1.0:
        part = Gaussians(
            part.means, part.quaternions, part.log_scales + float(np.log(grow)), part.opacity_logits, part.sh
        )
    camera = camera_of(request.pose, width, height, request.lens)
    distance = float(np.linalg.norm(camera.centre - request.pose.focal))
    near = 1e-3 * min(ready.size, distance)
    found = project(part, camera, degree=look.degree if look.mode != "ellipsoids" else 0, near=near)
    if look.mode not in ("ellipsoids", "centres"):
        return found
    there = found.depths > 0
    solid = torch.where(there & (found.opacities > 1 / 255), float(np.exp(SURE)), 0.0)
    if look.mode == "ellipsoids":
        conics = found.conics * (2 * SURE / RADIUS**2)
    else:
        radius = max(look.dot * request.scale, 0.8)
        round_ = found.conics.new_tensor([1.0, 0.0, 1.0]) * (2 * SURE / radius**2)
        conics = torch.where(there[:, None], round_, torch.zeros_like(found.conics))
    return Projection(found.means, conics, solid, found.colours, found.depths)


def _before(ready: Prepared, request: Request, found: Projection, count: int) -> torch.Tensor:
    """(N,) which Gaussians lie before the surface at their middle, or reach through it to the front.

    One that lies in a surface is seen: half of it is before it.
    """
    assert request.surfaces is not None
    depth = torch.from_numpy(np.ascontiguousarray(request.surfaces.depth, np.float32)).to(found.depths.device)
    height, width = depth.shape
    x, y = (found.means[:, k].floor().clamp(0, size - 1).long() for k, size in ((0, width), (1, height)))
    inside = ((found.means >= 0) & (found.means < found.means.new_tensor([width, height]))).all(1)
    there = torch.where(inside, depth[y, x], torch.full_like(found.depths, float("inf")))
    # The standard deviation along the line of sight: of R^T times the camera's axis, stretched by the scales.
    q = torch.nn.functional.normalize(ready.gaussians.quaternions[:count], dim=1)
    w, v = q[:, :1], -q[:, 1:]
    axis = q.new_tensor(np.array(request.pose.back)).expand(len(q), 3)
    turned = axis + 2 * torch.linalg.cross(v, torch.linalg.cross(v, axis) + w * axis)
    reach = (turned * (ready.gaussians.log_scales[:count]).exp()).norm(dim=1) * request.look.size
    return found.depths - reach <= there


def _reach(found: Projection) -> torch.Tensor:
    """(N,) rows above and below a mean beyond which a Gaussian is under 1/255; nothing for those not seen."""
    a, b, c = found.conics.unbind(1)
    det = (a * c - b * b).clamp_min(1e-30)
    reach = 2 * torch.log((255 * found.opacities).clamp_min(1e-30))
    tall = (reach.clamp_min(0) * a / det).sqrt() + 1.0
    return torch.where((found.depths > 0) & (reach > 0), tall, torch.full_like(tall, -1e9))


def middle_of(splats: Splats) -> np.ndarray:
    """Some centres (n, 3) that span a cloud, without its strays and a far background."""
    centres = splats.vertices if isinstance(splats, BoundGaussians) else splats.means
    some = centres[:: max(1, len(centres) // 20_000)].astype(float)
    if len(some) < 20:
        return some
    low, inner_low, inner_high, high = np.quantile(some, (0.001, 0.02, 0.98, 0.999), axis=0)
    if np.linalg.norm(high - low) > 1.8 * np.linalg.norm(inner_high - inner_low):
        low, high = inner_low, inner_high
    inside = some[((some >= low) & (some <= high)).all(1)]
    ends = np.concatenate([inside.argmin(0), inside.argmax(0)])
    return np.concatenate([inside[:: max(1, len(inside) // 4000)], inside[ends]])


def _depth_range(depth: np.ndarray) -> tuple[float, float]:
    there = depth[depth > 0]
    if not there.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(there[:: max(1, there.size // 20_000)], (0.5, 99.5)))
    return (low, high) if high > low else (low, low + 1e-6 + 1e-3 * abs(low))


def backdrop(request: Request, height: int) -> np.ndarray:
    """(height, 1, 3) float32: the background from top to bottom."""
    top, bottom = (np.asarray(c, np.float32) for c in request.background)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    return (top * (1 - down) + bottom * down)[:, None, :]


def compose(frame: Frame) -> np.ndarray:
    """(h, w, 3) uint8: splats over the background; where there are surfaces, those before them over the surfaces."""
    request = frame.request
    shown = _over(frame, frame.every, backdrop(request, frame.depth.shape[0]))
    surfaces, before = request.surfaces, frame.before
    if surfaces is not None and before is not None and request.look.mode != "opacity":
        cover = surfaces.cover[..., None]
        shown = shown * (1 - cover) + _over(frame, before, surfaces.paint) * cover
    return (np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)


def _over(frame: Frame, blend: Blend, behind: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 of splats before something, in the way that was asked for."""
    mode = frame.request.look.mode
    if mode == "opacity":
        return colour_maps.coloured(blend.alpha, "viridis", 0.0, 1.0).astype(np.float32) / 255
    if mode == "depth":
        colours = colour_maps.coloured(blend.depth, "viridis", *frame.depth_range).astype(np.float32) / 255
        return np.where((blend.depth > 0)[..., None], colours, behind)
    return blend.colours + (1 - blend.alpha[..., None]) * behind
