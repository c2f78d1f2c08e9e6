"""The renderer in plain torch: the reference of the compiled one, and its stand-in. Any dtype, any device."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.quaternions import rotation_matrices
from engines.blocks.splatting.gaussians import Gaussians

LEAST_ALPHA, MOST_ALPHA, LEAST_TRANSMITTANCE = 1 / 255, 0.99, 1e-4
LEAST_COMPENSATION = 2.5e-5
TILE = 16
LARGEST = 40.0
"""A log-scale above this is no Gaussian."""
C1 = 0.4886025119029199
C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
C3 = (
    -0.5900435899266435, 2.890611442640554, -0.4570457994644658, 0.3731763325901154,
    -0.4570457994644658, 1.445305721320277, -0.5900435899266435,
)  # fmt: skip


def harmonics(directions: Tensor, degree: int) -> Tensor:
    """Real spherical harmonics (N, (degree + 1)^2) with the Condon-Shortley phase at unit vectors (N, 3)."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    found = [torch.full_like(x, 0.28209479177387814)]
    if degree >= 1:
        found += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        found += [C2[0] * x * y, C2[1] * y * z, C2[2] * (2 * zz - xx - yy), C2[3] * x * z, C2[4] * (xx - yy)]
    if degree >= 3:
        found += [
            C3[0] * y * (3 * xx - yy), C3[1] * x * y * z, C3[2] * y * (4 * zz - xx - yy),
            C3[3] * z * (2 * zz - 3 * xx - 3 * yy), C3[4] * x * (4 * zz - xx - yy), C3[5] * z * (xx - yy),
            C3[6] * x * (xx - 3 * yy),
        ]  # fmt: skip
    return torch.stack(found, dim=-1)


def project(
    gaussians: Gaussians, camera: Camera, degree: int, near: float, blur: float, anti_aliased: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Means (N, 2), conics (N, 3), opacities (N,), colours (N, 3), depths (N,): 0 where nothing is to be seen.

    EWA splatting: C = J W Sigma W^T J^T + blur I, with the slope in J limited a little outside of the view.
    """
    like = gaussians.means
    W = torch.as_tensor(camera.rotation, dtype=like.dtype, device=like.device)
    eye = torch.as_tensor(camera.centre, dtype=like.dtype, device=like.device)
    with torch.no_grad():
        usable = torch.stack([_finite(part) for part in (like, gaussians.log_scales, gaussians.quaternions)]).all(0)
        usable &= torch.isfinite(gaussians.opacity_logits) & ((like - eye) @ W[2] > near)
        usable &= (gaussians.quaternions.norm(dim=-1) > 0) & (gaussians.log_scales < LARGEST).all(-1)
    # Others are replaced before anything is computed of them: 0 times a derivative that is not finite is not 0.
    kept = usable[:, None]
    means = torch.where(kept, like, eye + W[2])
    log_scales = torch.where(kept, gaussians.log_scales, 0.0)
    turns = rotation_matrices(torch.where(kept, gaussians.quaternions, 1.0))
    p = (means - eye) @ W.T
    z = p[:, 2]
    focal = like.new_tensor([camera.fx, camera.fy])
    size, centre = like.new_tensor([camera.width, camera.height]), like.new_tensor([camera.cx, camera.cy])
    slope = p[:, :2] / z[:, None]
    limited = slope.clamp(-centre / focal - 0.15 * size / focal, (size - centre) / focal + 0.15 * size / focal)
    M = (focal / z[:, None])[..., None] * (W[:2] - limited[..., None] * W[2])
    B = M @ (turns * log_scales.exp()[:, None, :])
    sharp = B @ B.transpose(1, 2)
    det_sharp = sharp[:, 0, 0] * sharp[:, 1, 1] - sharp[:, 0, 1] ** 2
    xx, xy, yy = sharp[:, 0, 0] + blur, sharp[:, 0, 1], sharp[:, 1, 1] + blur
    det = xx * yy - xy * xy
    conics = torch.stack([yy, -xy, xx], dim=-1) / det[:, None]
    opacities = torch.where(usable, gaussians.opacity_logits, 0.0).sigmoid()
    if anti_aliased:
        opacities = opacities * (det_sharp / det).clamp_min(LEAST_COMPENSATION).sqrt()
    Y = harmonics(torch.nn.functional.normalize(means - eye, dim=-1), degree)
    colours = (0.5 + (Y[..., None] * gaussians.sh[:, : Y.shape[1]]).sum(1)).clamp_min(0)
    shown = usable & torch.isfinite(det) & (det > 0)
    parts = (slope * focal + centre, conics, opacities, colours, z)
    return tuple(torch.where(shown.view(-1, *[1] * (part.dim() - 1)), part, 0.0) for part in parts)  # type: ignore[return-value]


def _finite(rows: Tensor) -> Tensor:
    return torch.isfinite(rows).all(-1)


def rasterise(
    means: Tensor, conics: Tensor, opacities: Tensor, features: Tensor, depths: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Image (C, H, W), transmittance (H, W) and how many tiles each Gaussian touches (N,).

    A pixel sees alpha_i = min(0.99, o_i exp(-q_i / 2)), leaves out what is below 1/255, and stops before the product
    of the (1 - alpha_i) would fall below 1e-4.
    """
    with torch.no_grad():
        reach = 2 * torch.log(255 * opacities)
        det = conics[:, 0] * conics[:, 2] - conics[:, 1] ** 2
        seen = (depths > 0) & (reach > 0) & (det > 0)
        half = torch.stack([conics[:, 2], conics[:, 0]], dim=-1) / det[:, None] * reach[:, None]
        half = torch.where(seen[:, None], half, torch.zeros_like(half)).sqrt()
        low, high = means - half, means + half
        order = torch.argsort(depths, stable=True)
        order = order[seen[order]]
    touched = torch.zeros(len(means), dtype=torch.int32, device=means.device)
    rows, transmittance = [], []
    for top in range(0, height, TILE):
        bottom = min(top + TILE, height)
        in_row = order[(low[order, 1] < bottom) & (high[order, 1] > top)]
        tiles, clear = [], []
        for left in range(0, width, TILE):
            right = min(left + TILE, width)
            ids = in_row[(low[in_row, 0] < right) & (high[in_row, 0] > left)]
            touched[ids] += 1
            image, T = _tile(means[ids], conics[ids], opacities[ids], features[ids], (left, right), (top, bottom))
            tiles.append(image)
            clear.append(T)
        rows.append(torch.cat(tiles, dim=2))
        transmittance.append(torch.cat(clear, dim=1))
    return torch.cat(rows, dim=1), torch.cat(transmittance, dim=0), touched


def _tile(
    means: Tensor, conics: Tensor, opacities: Tensor, features: Tensor, columns: tuple[int, int], rows: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """One tile: features (C, h, w) and transmittance (h, w) from its Gaussians, nearest first."""
    x = torch.arange(*columns, dtype=means.dtype, device=means.device) + 0.5
    y = torch.arange(*rows, dtype=means.dtype, device=means.device) + 0.5
    dx = means[:, 0, None, None] - x[None, None, :]
    dy = means[:, 1, None, None] - y[None, :, None]
    a, b, c = (conics[:, k, None, None] for k in range(3))
    power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
    raw = opacities[:, None, None] * power.clamp_max(0).exp()
    alpha = torch.where((power <= 0) & (raw >= LEAST_ALPHA), raw.clamp_max(MOST_ALPHA), 0.0)
    after = torch.cumprod(1 - alpha, dim=0)
    ended = (after < LEAST_TRANSMITTANCE).cummax(dim=0).values if len(alpha) else after > 1
    alpha = torch.where(ended, 0.0, alpha)
    after = torch.cumprod(torch.cat([torch.ones_like(x.expand(1, len(y), -1)), 1 - alpha]), dim=0)
    return torch.einsum("nhw,nc->chw", alpha * after[:-1], features), after[-1]
