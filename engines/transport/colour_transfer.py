"""One image in the colours of another, by a coupling of their palettes.

Each colour x_i of the first palette moves to the mean of where its mass goes, y_i = sum_j T_ij y_j / sum_j T_ij, which
is the barycentric map of the coupling (Ferradans et al. 2014). A pixel keeps what it differs from the palette colours
next to it: it moves by the mean of their moves, weighted by 1/distance^2. With one neighbour that is the move of the
nearest; several are an own choice, which leaves no edges between pixels of neighbouring palette colours.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.transport.barycentric import barycentres
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Coupling, Image, Measure
from engines.transport.palette import NAMES, Space, colours_of, rgb_of, sunset, two_pictures

PIXELS = 50_000
"""So many pixels are moved between two looks at whether to stop."""


class ColourTransferParams(Params):
    strength: float = Param(1.0, ge=0, le=1, help="Share of the way to the other colours", source="own choice")
    neighbours: int = Param(
        8, ge=1, le=64, label="Palette colours for a pixel", source="own choice",
        help="Each pixel moves as those next to it do; with 1 there may be edges where there were none",
    )  # fmt: skip


def moves(coupling: Coupling) -> tuple[np.ndarray, np.ndarray, Space]:
    """Colours (N, 3) of the first palette, their moves (N, 3), and the colour space. Refuses what has no colours."""
    source, target = coupling.source, coupling.target
    space = next((s for s, names in NAMES.items() if source is not None and source.dimensions == names), None)
    if source is None or target is None or space is None or target.dimensions != source.dimensions:
        raise UserError(
            "The coupling is not one of two palettes in one colour space.",
            "Colours are moved along a coupling of the colours of two images.",
            "Make a palette of each image, in the same colour space, and couple these.",
        )
    held, ends = barycentres(coupling)
    if not len(held):
        raise UserError("The coupling holds no mass.", mend="Compute it again.")
    return source.points[held], ends - source.points[held], space


def stripes() -> Image:
    return Image(pixels=np.ascontiguousarray(sunset(16).pixels[:, :, ::-1]), name="Stripes")


def small() -> dict[str, Image | Coupling]:
    """Two palettes of three colours each, one to one."""
    points = np.array([[0.9, 0.1, 0.7], [0.8, 0.3, 0.4], [0.7, 0.6, 0.3]])
    colours = {"points": points, "dimensions": NAMES["RGB"]}
    target = Measure(**(colours | {"points": points[:, ::-1]}))  # type: ignore[arg-type]
    third = np.full(3, 1 / 3)
    coupling = Coupling(rows=[0, 1, 2], columns=[0, 1, 2], mass=third, source_weights=third, target_weights=third,
                        source=Measure(**colours), target=target)  # type: ignore[arg-type]  # fmt: skip
    return {"image": sunset(), "coupling": coupling}


def coffee_cat() -> dict[str, Image | Coupling]:
    """A cat, and the exact coupling of its palette with that of a cup of coffee."""
    from engines.blocks.transport.costs import squared_distances
    from engines.blocks.transport.exact import exact
    from engines.transport.palette import PaletteParams, palette

    pictures = two_pictures()
    cat, coffee = (palette(pictures[name], PaletteParams(), Run()) for name in ("cat", "coffee"))
    import torch

    costs = squared_distances(torch.from_numpy(np.array(cat.points)), torch.from_numpy(np.array(coffee.points)))
    found = exact(costs.numpy(), cat.mass, coffee.mass)
    coupling = Coupling(rows=found.rows, columns=found.columns, mass=found.mass, source_weights=cat.mass,
                        target_weights=coffee.mass, source=cat, target=coffee, kind="exact")  # fmt: skip
    return {"image": pictures["cat"], "coupling": coupling}


@method(
    key="colour-transfer", title="Colour transfer", family="transport", role="preparation",
    job="Give an image the colours of another, along a coupling of their palettes.",
    sample=Example(coffee_cat, title="A cat in the colours of coffee"),
    smoke=Example(small),
    degenerate=(
        Example(lambda: small() | {"coupling": small()["coupling"].replace(source=None)}, title="Not of palettes"),
    ),
    tags=("colours", "photo", "palette", "barycentric"),
)  # fmt: skip
def colour_transfer(image: Image, coupling: Coupling, params: ColourTransferParams, run: Run) -> Image:
    """The coupling's first side must be the palette of this image. Transparency stays as it is."""
    colours, by, space = moves(coupling)
    before = colours_of(image.pixels, space)
    after = np.empty_like(before)
    tree, count = cKDTree(colours), min(params.neighbours, len(colours))
    for step in run.steps(-(-len(before) // PIXELS), "Moving colours"):
        part = slice(step * PIXELS, (step + 1) * PIXELS)
        distance, near = tree.query(before[part], k=[*range(1, count + 1)])
        weights = 1 / np.maximum(distance, 1e-9) ** 2
        weights /= weights.sum(1, keepdims=True)
        after[part] = before[part] + params.strength * np.einsum("pn,pnd->pd", weights, by[near])
    rgb = rgb_of(after, space).reshape(*image.pixels.shape[:2], 3)
    whole = np.uint8 if image.pixels.dtype == np.uint8 else np.float32
    pixels = (np.rint(255 * rgb) if whole is np.uint8 else rgb).astype(whole)
    if image.pixels.shape[2] in (2, 4):
        pixels = np.concatenate([pixels, image.pixels[..., -1:]], 2)
    return Image(pixels=pixels, name=f"{image.name or 'Image'}, colours transferred")


__all__ = ["ColourTransferParams", "colour_transfer", "moves"]
