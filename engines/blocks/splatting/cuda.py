"""The renderer for CUDA devices: kernels.cu behind the same functions as :mod:`.compiled`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks.cuda_kernels import THREADS, Kernels, Long
from engines.blocks.splatting.compiled import PROJECTED, TILE, CameraForC

SOURCE = Path(__file__).with_name("kernels.cu")
KERNELS = Kernels(SOURCE)
SHORT_TILES = 1 << 15
"""As many tiles have numbers of 16 bits, which halves the work of sorting."""
MOST_PAIRS = (1 << 31) - 1
BLUR_TILE = (32, 16)


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the kernels."""
    if not all(t.device.type == "cuda" and t.dtype == torch.float32 for t in tensors):
        return False
    return not KERNELS.missing(tensors[0].device)


def _blocks(count: int) -> int:
    return -(-count // THREADS)


def project(inputs: Sequence[Tensor], camera: CameraForC, degree: int) -> list[Tensor]:
    n = len(inputs[0])
    outputs = [inputs[0].new_empty(n, *shape) for shape in PROJECTED]
    KERNELS.launch("project", _blocks(n), Long(n), *inputs, inputs[4].shape[1], degree, camera, *outputs)
    return outputs


def project_backward(
    inputs: Sequence[Tensor], camera: CameraForC, degree: int, depths: Tensor, adjoints: Sequence[Tensor]
) -> list[Tensor]:
    n, results = len(depths), [torch.empty_like(t) for t in inputs]
    KERNELS.launch(
        "project_backward", _blocks(n), Long(n), *inputs, inputs[4].shape[1], degree, camera, depths, *adjoints,
        *results,
    )  # fmt: skip
    return results


def rasterise(
    means: Tensor, conics: Tensor, opacities: Tensor, features: Tensor, depths: Tensor, width: int, height: int,
    widest: int = 0,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:  # fmt: skip
    n, channels, tiles = len(means), features.shape[1], -(-width // TILE) * -(-height // TILE)
    counts, keys = means.new_empty(n, dtype=torch.int32), means.new_empty(n)
    records = means.new_empty(n, -(-(6 + channels) // 4) * 4)
    KERNELS.launch(
        f"count_{channels}", _blocks(n), Long(n), means, conics, opacities, features, depths, width, height, counts,
        keys, records,
    )  # fmt: skip
    order = keys.argsort(stable=True)
    ends, slot_ends = counts[order].cumsum(0), counts.cumsum(0)
    pairs = int(ends[-1]) if n else 0  # the one time that the CPU waits for the GPU
    if pairs > MOST_PAIRS:
        raise torch.cuda.OutOfMemoryError(f"{pairs:,} pairs of tiles and Gaussians are too many.")
    starts = counts.new_zeros(tiles + 1)
    ids, slots = counts.new_empty(pairs), counts.new_empty(pairs)
    if pairs:
        bits, kind = (16, torch.int16) if tiles <= SHORT_TILES else (32, torch.int32)
        of_tile, owners = counts.new_empty(pairs, dtype=kind), counts.new_empty(pairs)
        shifts = torch.empty_like(counts)
        KERNELS.launch(
            f"emit_{bits}", _blocks(n), Long(n), means, conics, opacities, counts, order, ends, slot_ends, width,
            height, of_tile, owners, shifts,
        )  # fmt: skip
        of_tile, places = of_tile.sort(stable=True)
        KERNELS.launch(
            f"begin_{bits}", _blocks(pairs), Long(pairs), tiles, of_tile, places, owners, shifts, starts, ids, slots
        )
    image, clear = means.new_empty(channels, height, width), means.new_empty(height, width)
    last = counts.new_empty(height, width)
    KERNELS.launch(f"forward_{channels}", tiles, records, width, height, starts, ids, image, clear, last)
    return image, clear, counts, [records, counts, slot_ends, starts, ids, slots, last]


def rasterise_backward(
    given: Sequence[Tensor], lists: Sequence[Tensor], clear: Tensor, d_image: Tensor, d_clear: Tensor, widest: int = 0
) -> list[Tensor]:
    records, counts, slot_ends, starts, ids, slots, last = lists
    n, channels, (height, width) = len(counts), given[3].shape[1], clear.shape
    sums = clear.new_zeros(len(ids), 6 + channels)
    KERNELS.launch(
        f"backward_{channels}", len(starts) - 1, records, width, height, starts, ids, slots, clear, last, d_image,
        d_clear, sums,
    )  # fmt: skip
    results = [torch.empty_like(t) for t in given]
    KERNELS.launch(
        f"gather_{channels}", _blocks(16 * n), Long(n), given[1], given[2], counts, slot_ends, sums, *results
    )
    return results


def blur(planes: Tensor, weights: Tensor) -> Tensor:
    result = torch.empty_like(planes)
    KERNELS.launch("blur", _window_grid(planes), planes, result, *planes.shape[1:], weights)
    return result


def ssim(image: Tensor, truth: Tensor, weights: Tensor, with_slopes: bool) -> tuple[Tensor, Tensor]:
    """The mean similarity of (C, H, W), and what :func:`ssim_backward` needs."""
    planes, height, width = image.shape
    grid = _window_grid(image)
    sums = image.new_empty(grid[0] * grid[1] * grid[2])
    slopes = image.new_empty(3, planes, height, width) if with_slopes else sums
    KERNELS.launch("ssim", grid, image, truth, height, width, planes, weights, sums, slopes, int(with_slopes))
    return sums.sum() / image.numel(), slopes


def ssim_backward(image: Tensor, truth: Tensor, weights: Tensor, slopes: Tensor, adjoint: Tensor) -> Tensor:
    result = torch.empty_like(image)
    planes, height, width = image.shape
    scale = adjoint / image.numel()
    KERNELS.launch(
        "ssim_backward", _window_grid(image), image, truth, slopes, height, width, planes, weights, scale, result
    )
    return result


def _window_grid(planes: Tensor) -> tuple[int, int, int]:
    count, height, width = planes.shape
    return -(-width // BLUR_TILE[0]), -(-height // BLUR_TILE[1]), count
