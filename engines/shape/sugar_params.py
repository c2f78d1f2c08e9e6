"""Settings of SuGaR. The first phase takes those of Gaussian splatting as they are."""

from __future__ import annotations

from typing import Literal

from engines.core import Param
from engines.shape.gaussian_splatting import QUICK_GROWTH, SplattingParams

SHEET = "sheet 30"
INRIA = "reference implementation"


class SugarParams(SplattingParams):
    iterations: int = Param(
        1500, ge=1, le=1_000_000, source=f"own choice for small scenes; {INRIA} 7000",
        help="Steps of plain Gaussian splatting at first; none of them if a trained cloud is given",
    )  # fmt: skip
    sh_degree: int = Param(
        1, ge=0, le=3, source="own; paper 3", label="Colour degree", help="Of the spherical harmonics"
    )
    limit: int = Param(
        100_000,
        ge=100,
        le=20_000_000,
        log=True,
        source="own",
        label="Most Gaussians",
        help="Gaussians are never more than this",
    )
    degree_every: int = Param(
        500, ge=1, source="own; 1000", advanced=True, help="The harmonics' degree grows after so many steps"
    )
    densify_from: int = Param(200, ge=0, source="own; 500", advanced=True, help="First step of adding and removing")
    densify_until: int = Param(
        1000, ge=0, source="own; 15000", advanced=True, help="Last step of it, in the first phase"
    )
    reset_every: int = Param(
        0, ge=0, source="own; 3000", advanced=True, help="Classic: opacities are lowered after so many steps. 0: never"
    )
    growth: float = Param(
        QUICK_GROWTH, ge=0, le=1, source="own; Kheradmand et al. 2024 0.05", advanced=True,
        help="MCMC: there are more Gaussians by this share each time, up to the limit",
    )  # fmt: skip
    random_points: int = Param(
        5000, ge=10, le=2_000_000, source="own; 100000", advanced=True,
        help="Gaussians at the start where the dataset knows no points",
    )  # fmt: skip
    horizon: int = Param(
        6000, ge=1, le=1_000_000, source=f"own; {INRIA} 30000", advanced=True,
        help="Steps over which the means' learning rate decays, though training ends before",
    )  # fmt: skip
    regularisation: Literal["density", "sdf"] = Param(
        "density", source=f"{INRIA}; the paper's text has sdf",
        help="What is held against what it should be: the density (for single objects) or the distance (mixed scenes)",
    )  # fmt: skip
    entropy_steps: int = Param(
        200, ge=0, le=1_000_000, source=f"{SHEET}, acceptance 4; {INRIA} 2000",
        help="Steps that drive opacities to 0 or 1, before faint Gaussians are removed",
    )  # fmt: skip
    regularised_steps: int = Param(
        1000,
        ge=0,
        le=1_000_000,
        source=f"{SHEET}, acceptance 4; {INRIA} 6000",
        help="Steps that align Gaussians with the surface",
    )
    entropy_weight: float = Param(0.1, ge=0, le=100, source=INRIA, advanced=True, help="Of the opacities' entropy")
    estimation_weight: float = Param(0.2, ge=0, le=100, source=INRIA, help="Of the density or distance term")
    normal_weight: float = Param(0.2, ge=0, le=100, source=INRIA, help="Of the normal term")
    samples: int = Param(
        20_000,
        ge=10,
        le=10_000_000,
        log=True,
        source=f"{SHEET}, CPU; {INRIA} 1000000",
        help="Points of each step where the terms are taken",
    )
    spread: float = Param(
        1.5, gt=0, le=10, source=INRIA, advanced=True, help="How far points lie, in standard deviations"
    )
    neighbours: int = Param(
        16, ge=2, le=64, source=INRIA, advanced=True, help="Gaussians that the density is summed over"
    )
    refresh_every: int = Param(
        500, ge=1, source=INRIA, advanced=True, help="Neighbours are found anew after so many steps"
    )
    prune_opacity: float = Param(
        0.5, ge=0, lt=1, source=INRIA, help="Fainter Gaussians are removed before the alignment"
    )
    extraction: Literal["level set", "centres", "marching cubes"] = Param(
        "level set", source="paper, table 3", advanced=True,
        help="Where the mesh comes from: points on a level of the density; or, to compare, Poisson through the "
        "centres, or marching cubes of the density",
    )  # fmt: skip
    level: float = Param(0.3, gt=0, lt=1, source="paper", help="Of the density, where the surface lies (lambda)")
    depth_from: Literal["diamonds", "blended"] = Param(
        "diamonds", source=INRIA, advanced=True, help="Where rays start: nearest flat Gaussian, or the blended depth"
    )
    surface_points: int = Param(
        200_000,
        ge=100,
        le=100_000_000,
        log=True,
        source=f"own; {INRIA} 10000000",
        help="Points looked for on the level, over all photos",
    )
    ray_samples: int = Param(21, ge=3, le=201, source=INRIA, advanced=True, help="Densities taken along each ray")
    ray_range: float = Param(
        3.0, gt=0, le=10, source=INRIA, advanced=True, help="How far to each side, in standard deviations"
    )
    density_resolution: int = Param(
        64,
        ge=8,
        le=512,
        source="own",
        advanced=True,
        help="Nodes of the density's grid along its longest side, to look at",
    )
    box: tuple[float, ...] = Param(
        (),
        box=True,
        source="own",
        label="Foreground box",
        empty="around the cameras",
        help="What is meshed in full: lowest x, y, z, then highest",
    )
    surroundings: float = Param(
        4.0,
        ge=0,
        le=100,
        source=INRIA,
        advanced=True,
        help="What lies outside of the box is meshed up to so many extents. 0: it is left out",
    )
    poisson_depth: int = Param(
        7, ge=5, le=12, source=f"{SHEET}, small objects; {INRIA} 10", help="Of the octree: 2^depth cells along the box"
    )
    trimmed: float = Param(
        0.0,
        ge=0,
        lt=1,
        source=f"{SHEET}, small objects; {INRIA} 0.1",
        help="Share of the mesh, least supported by points, that is cut away",
    )
    reach: float = Param(
        3.0,
        ge=0,
        le=1000,
        source="own",
        unit="cells",
        label="Cut away beyond",
        help="What lies farther than so many cells of the octree from all surface points is cut away: "
        "there Poisson reconstruction guesses. 0: nothing",
    )
    target_vertices: int = Param(
        10_000,
        ge=50,
        le=10_000_000,
        log=True,
        source=f"{SHEET}, acceptance 4; {INRIA} 1000000",
        help="The mesh is simplified to about so many",
    )
    per_triangle: Literal["1", "3", "4", "6"] = Param(
        "6", source=f"{SHEET}, acceptance 4; {INRIA} 1 or 6", help="Gaussians on each triangle"
    )
    refine_steps: int = Param(
        500,
        ge=0,
        le=1_000_000,
        source=f"{SHEET}, acceptance 4; paper 2000, 7000 or 15000",
        help="Steps of the mesh with its Gaussians on the photos",
    )
    consistency_weight: float = Param(
        0.1, ge=0, le=100, source=INRIA, advanced=True, help="Of the angle between neighbouring triangles in refinement"
    )
    texture: bool = Param(
        False, source="reference implementation: optional",
        help="Bake a texture for the refined mesh at the end, from renders of its Gaussians",
    )  # fmt: skip
    texture_square: int = Param(
        10, ge=4, le=64, unit="pixels", source=INRIA, advanced=True,
        help="Side of the square in the texture that two triangles share",
    )  # fmt: skip

    @property
    def last_step(self) -> int:
        """Steps before the mesh."""
        return self.iterations + self.entropy_steps + self.regularised_steps

    def splatting(self) -> SplattingParams:
        """What the trainer of the cloud takes: its rates decay over the horizon, densification ends with phase one."""
        values = {name: getattr(self, name) for name in SplattingParams.model_fields}
        horizon = max(self.horizon, self.last_step)
        return SplattingParams(
            **values | {"iterations": horizon, "densify_until": min(self.densify_until, self.iterations)}
        )

    def corners(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Lowest and highest corner of the box that the user chose."""
        return (self.box[:3], self.box[3:]) if self.box else None


QUICK = {
    "iterations": 1000, "densify_from": 100, "densify_until": 700, "entropy_steps": 100, "regularised_steps": 400,
    "samples": 5000, "surface_points": 60_000, "target_vertices": 4000, "per_triangle": "6", "refine_steps": 250,
    "poisson_depth": 6,
}  # fmt: skip
PUBLISHED = {
    "iterations": 7000, "horizon": 30_000, "sh_degree": 3, "limit": 5_000_000, "degree_every": 1000,
    "densify_from": 500, "densify_until": 15_000, "reset_every": 3000, "random_points": 100_000, "growth": 0.05,
    "entropy_steps": 2000,
    "regularised_steps": 6000, "samples": 1_000_000, "surface_points": 10_000_000, "poisson_depth": 10, "trimmed": 0.1,
    "target_vertices": 1_000_000, "per_triangle": "1", "refine_steps": 15_000,
}  # fmt: skip
