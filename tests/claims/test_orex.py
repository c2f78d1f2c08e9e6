"""OReX's claims (sheet 12, acceptance 3 to 5, and the Quick preset), against its baselines."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.blocks.analytic_shapes import Torus, TwoHoles
from engines.blocks.mesh_topology import face_areas, face_normals
from engines.core import Run, catalog
from engines.data import Mesh, Slices
from engines.files import read
from engines.shape.orex import prepare, reconstruct
from engines.shape.sample_field import from_model

pytestmark = [pytest.mark.claim, pytest.mark.timeout(7200)]

DATA = Path(os.environ.get("FIELDWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "slices"
ENDS = "Reconstructs better than its baselines and its own ablations"
SHEET = {"resolution": 64}  # the sheet's CPU preset is the Standard one, meshed at 64^3
SINGLE = {"epochs": (650,), "samples": (5,), "radius_exponents": (7,)}
SEEDS = (0, 1, 2)
EACH_SEED = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{s}" for s in SEEDS])


@functools.cache
def dataset(name: str, seed: int) -> tuple[Slices, Mesh]:
    """Slices with their true surface."""
    if name == "torus":
        made = catalog().get("torus-slices").run({}, catalog().get("torus-slices").params(), Run(seed=seed))
        return made["slices"], made["reference"]
    if name == "two-hole":
        made = catalog().get("two-hole-slices").run({}, catalog().get("two-hole-slices").params(), Run(seed=seed))
        return made["slices"], made["reference"]
    if not (DATA / "eight_15.csl").is_file():
        pytest.skip(f"no contour data in {DATA}")
    (reference,) = read(DATA / "eight_15_scaled.stl").artifacts
    if name == "eight_15":
        (slices,) = read(DATA / "eight_15.csl").artifacts
        return slices, reference
    slicer = catalog().get("slice-mesh")
    params = slicer.params.parse({"arrangement": "random", "count": 20})
    return slicer.run({"mesh": reference}, params, Run(seed=seed))["slices"], reference


def solid(name: str):
    return {"torus": Torus(0.55, 0.22), "two-hole": TwoHoles(0.36, 0.15, 0.12)}.get(name)


def figures(name: str, seed: int, key: str, preset: str | None, changes: dict) -> dict[str, float]:
    """Scores of one run of a method."""
    slices, reference = dataset(name, seed)
    method = catalog().get(key)
    params = method.params.parse(changes, method.preset(preset))
    outputs = method.run({"slices": slices, "reference": reference}, params, Run(seed=seed))
    scores = {k: float(v[0]) for k, v in outputs["scores"].columns.items() if k != "Surface"}
    found = {k: scores[k] for k in ("IoU", "Chamfer distance", "Hausdorff distance", "Normal error")}
    if exact := solid(name):
        found["normal RMS"] = normal_rms(outputs["mesh"], exact)
    if "crossings" in outputs:
        density = outputs["crossings"].series["density"]
        found["crossings near ends"] = float(density[[0, -1]].sum() / density.sum())
        found["right signs"] = right_signs(outputs["model"], slices, seed)
    return found


def normal_rms(mesh: Mesh, exact) -> float:
    """RMS angle in degrees between the faces' normals and those of the solid, weighted by area."""
    centres = mesh.vertices[mesh.faces].mean(1)
    slope = exact.gradient(centres)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    cosine = (face_normals(mesh.vertices, mesh.faces) * slope).sum(1)
    squares = np.arccos(np.clip(cosine, -1, 1)) ** 2
    return float(np.degrees(np.sqrt(np.average(squares, weights=face_areas(mesh.vertices, mesh.faces)))))


def right_signs(model, slices: Slices, seed: int, distance: float = 0.02, per_edge: int = 4) -> float:
    """Share of fresh points at ``distance`` from contours, within their planes, that get the right sign."""
    field, _, _ = from_model(model)
    (subject,) = prepare(slices, reconstruct.params(labels="together"), Run())
    rng = np.random.default_rng((seed, 99))
    right = total = 0
    for plane in subject.planes:
        if not len(plane.segments):
            continue
        start, run = plane.segments[:, 0], plane.segments[:, 1] - plane.segments[:, 0]
        edge = np.repeat(np.arange(len(run)), per_edge)
        normal = run[:, ::-1] * [1.0, -1.0] / np.linalg.norm(run, axis=1, keepdims=True)
        side = rng.choice([-1.0, 1.0], (len(edge), 1))
        flat = start[edge] + rng.uniform(size=(len(edge), 1)) * run[edge] + side * distance * normal[edge]
        outside = field.logits(torch.from_numpy(plane.lift(flat).astype(np.float32))).numpy() > 0
        right += int((outside == (plane.labels(flat) > 0.5)).sum())
        total += len(flat)
    return right / total


@EACH_SEED
@pytest.mark.parametrize("name", ["eight_15", "torus", "eight, 20 oblique planes"])
def test_the_quick_preset_reaches_093_within_a_minute(claim, name, seed):
    row = claim("orex", "Quick preset: IoU of 0.93 within a minute on two cores", name, seed)
    found = row.measure(lambda: figures(name, seed, "orex", "quick", {}))
    row.conclude(
        found["IoU"] >= 0.93 and found["core seconds"] < 60,
        f"IoU {found['IoU']:.3f} in {found['core seconds']:.0f} core-seconds, {found['seconds']:.0f} s on this machine",
    )


def ablations(row, name: str, seed: int) -> dict[str, dict[str, float]]:
    measured = {"OReX": row.measure(lambda: figures(name, seed, "orex", None, SHEET))}
    others = {
        "Poisson": ("poisson-contours", {}),
        "shape-based interpolation": ("shape-interpolation", {}),
        "N = 1": ("orex", {**SHEET, "iterations": 1}),
        "single level": ("orex", {**SHEET, **SINGLE}),
        "plain MLP": ("plain-mlp", SHEET),
        "no hinge": ("orex", {**SHEET, "hinge_weight": 0.0}),
    }
    for label, (key, changes) in others.items():
        if key == "shape-interpolation" and name == "torus":
            continue  # it needs parallel planes

        def make(key=key, changes=changes):
            return figures(name, seed, key, None, changes)

        measured[label] = row.measure(make, label)
    return measured


@EACH_SEED
@pytest.mark.parametrize("name", ["torus", "two-hole"])
def test_end_to_end(claim, name, seed):
    """Acceptance 3. Not below N = 1 and single level is asked of 2 of 3 seeds: see the summary."""
    row = claim("orex", ENDS, name, seed)
    found = {label: values["IoU"] for label, values in ablations(row, name, seed).items()}
    own = found["OReX"]
    holds = own >= 0.95 and own > found.get("shape-based interpolation", 0)
    row.conclude(holds, "IoU " + ", ".join(f"{label} {value:.3f}" for label, value in found.items()))


@pytest.mark.parametrize("name", ["torus", "two-hole"])
def test_ablations_in_two_of_three_seeds(claim, name):
    row = claim("orex", "Not below one iteration or a single level in 2 of 3 seeds", name, -1)
    wins = {}
    for label in ("N = 1", "single level"):
        pairs = []
        for seed in SEEDS:
            measured = ablations(claim("orex", ENDS, name, seed), name, seed)
            pairs.append(measured["OReX"]["IoU"] >= measured[label]["IoU"])
        wins[label] = sum(pairs)
    row.measure(lambda: {f"seeds not below {label}": n for label, n in wins.items()}, derived=True)
    row.conclude(min(wins.values()) >= 2, ", ".join(f"not below {k} in {n} of 3" for k, n in wins.items()))


@EACH_SEED
@pytest.mark.parametrize("name", ["torus", "two-hole"])
def test_the_hinge_against_ripples(claim, name, seed):
    """Acceptance 4, from the runs of acceptance 3."""
    measured = ablations(claim("orex", ENDS, name, seed), name, seed)
    row = claim("orex", "The hinge lessens ripples", name, seed)
    wanted = ("normal RMS", "crossings near ends", "IoU")
    own = row.measure(lambda: {k: measured["OReX"][k] for k in wanted}, derived=True)
    without = row.measure(lambda: {k: measured["no hinge"][k] for k in wanted}, "no hinge", derived=True)
    row.conclude(
        own["normal RMS"] <= without["normal RMS"] and own["crossings near ends"] < without["crossings near ends"],
        f"normals off by {own['normal RMS']:.2f}° instead of {without['normal RMS']:.2f}°; crossings near the ends "
        f"of edges {own['crossings near ends']:.4f} instead of {without['crossings near ends']:.4f}",
    )


@EACH_SEED
@pytest.mark.parametrize("name", ["torus", "two-hole"])
def test_it_keeps_to_its_input(claim, name, seed):
    """Acceptance 5, from the runs of acceptance 3."""
    measured = ablations(claim("orex", ENDS, name, seed), name, seed)
    row = claim("orex", "99 % of points 0.02 from the contours get the right sign", name, seed)
    own = row.measure(lambda: {"right signs": measured["OReX"]["right signs"]}, derived=True)
    row.conclude(own["right signs"] >= 0.99, f"{100 * own['right signs']:.2f} % have the right sign")
