"""LPIPS: how different two images look, by the features of a network trained to name objects (Zhang et al. 2018).

With F_l the features of layer l, each pixel's vector of channels brought to length 1, and w_l weights fitted to human
judgements,

    d(x, y) = sum_l mean over pixels of  sum_c w_lc (F_lc(x) - F_lc(y))²

Its weights are not ours to give: they are read from files that the user puts into a folder.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

FOLDER = "FIELDWRIGHT_WEIGHTS"
"""Environment variable that names the folder; without it, it is ``.fieldwright/weights`` at the user's home."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""The mean and the spread of colours, of images in [-1, 1], with which the networks were trained."""


@dataclass(frozen=True)
class Conv:
    """``number`` is its place in the network's list ``features``; ``ends``: a layer that is compared ends here."""

    number: int
    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    ends: bool = False


@dataclass(frozen=True)
class Network:
    """``pools``: before which convolutions the maximum over windows of ``window``, two pixels apart, is taken."""

    title: str
    convolutions: tuple[Conv, ...]
    pools: tuple[int, ...]
    window: int
    least: int
    files: tuple[str, str]
    """Patterns of the files of the network and of w."""


NETWORKS = (
    Network(
        "VGG",
        (
            Conv(0, 64), Conv(2, 64, ends=True), Conv(5, 128), Conv(7, 128, ends=True),
            Conv(10, 256), Conv(12, 256), Conv(14, 256, ends=True), Conv(17, 512), Conv(19, 512),
            Conv(21, 512, ends=True), Conv(24, 512), Conv(26, 512), Conv(28, 512, ends=True),
        ),
        (5, 10, 17, 24), 2, 16, ("vgg16*.pth", "vgg.pth"),
    ),
    Network(
        "AlexNet",
        (
            Conv(0, 64, 11, 4, 2, ends=True), Conv(3, 192, 5, 1, 2, ends=True), Conv(6, 384, ends=True),
            Conv(8, 256, ends=True), Conv(10, 256, ends=True),
        ),
        (3, 6), 3, 31, ("alexnet*.pth", "alex.pth"),
    ),
)  # fmt: skip
"""The one that papers on novel views report comes first."""


class Lpips:
    """The distance by one network: weight and bias of each convolution, and ``shares`` w_l (C,) of each layer."""

    def __init__(self, network: Network, convolutions: list[tuple[Tensor, Tensor]], shares: list[Tensor]) -> None:
        self.network, self.convolutions, self.shares = network, convolutions, shares

    @property
    def title(self) -> str:
        return f"LPIPS ({self.network.title})"

    @torch.no_grad()
    def __call__(self, image: Tensor, truth: Tensor, check: Callable[[], object] = lambda: None) -> float:
        """Of two images (3, H, W) in [0, 1]; NaN where a side has fewer pixels than the network can take.

        ``check`` is called between convolutions, each of which takes a while for a large image.
        """
        if min(image.shape[1:]) < self.network.least:
            return float("nan")
        ours, theirs = self.features(image, check), self.features(truth, check)
        parts = [
            (w[:, None, None] * (a - b) ** 2).sum(0).mean() for w, a, b in zip(self.shares, ours, theirs, strict=True)
        ]
        return float(torch.stack(parts).sum())

    def features(self, image: Tensor, check: Callable[[], object] = lambda: None) -> list[Tensor]:
        """Of each compared layer, (C, h, w), of length 1 along C."""
        shift, scale = (image.new_tensor(v)[:, None, None] for v in (SHIFT, SCALE))
        x = (((2 * image - 1) - shift) / scale)[None]
        found = []
        for conv, (weight, bias) in zip(self.network.convolutions, self.convolutions, strict=True):
            check()
            if conv.number in self.network.pools:
                x = functional.max_pool2d(x, self.network.window, 2)
            x = functional.conv2d(x, weight, bias, conv.stride, conv.padding).relu()
            if conv.ends:
                found.append(x[0] / (x[0].square().sum(0, keepdim=True).sqrt() + 1e-10))
        return found


def weights_folder() -> Path:
    return Path(os.environ.get(FOLDER) or Path.home() / ".fieldwright" / "weights")


def find(device: torch.device) -> tuple[Lpips | None, str]:
    """The distance if a network's weights are there, and else what to say to the user."""
    folder = weights_folder()
    for network in NETWORKS:
        files = [next(iter(sorted(folder.glob(pattern))), None) for pattern in network.files]
        if files[0] is None or files[1] is None:
            continue
        try:
            return _load(network, files[0], files[1], device), ""
        except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
            detail = f"{error}".split("\n")[0][:160]
            return None, f"LPIPS is not computed: its weights in '{folder}' cannot be used ({detail})."
    return None, (
        "LPIPS is not computed: its weights are not here. Put those of VGG16 (vgg16-397923af.pth, of torchvision) and "
        f"of LPIPS 0.1 (vgg.pth, of the package lpips) into '{folder}'."
    )


def _load(network: Network, features: Path, shares: Path, device: torch.device) -> Lpips:
    """Raises ValueError when an array is missing or has another shape."""
    held = torch.load(features, map_location=device, weights_only=True)
    convolutions = []
    channels = 3
    for conv in network.convolutions:
        shape = (conv.channels, channels, conv.kernel, conv.kernel)
        weight = _array(held, f"features.{conv.number}.weight", shape)
        convolutions.append((weight, _array(held, f"features.{conv.number}.bias", (conv.channels,))))
        channels = conv.channels
    held = torch.load(shares, map_location=device, weights_only=True)
    ends = [conv.channels for conv in network.convolutions if conv.ends]
    found = [_array(held, f"lin{i}.model.1.weight", (1, count, 1, 1)).reshape(-1) for i, count in enumerate(ends)]
    return Lpips(network, convolutions, found)


def _array(held: object, name: str, shape: tuple[int, ...]) -> Tensor:
    value = held.get(name) if isinstance(held, dict) else None
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or not torch.isfinite(value).all():
        raise ValueError(f"'{name}' of shape {'×'.join(map(str, shape))} is not in it")
    return value.float()
