"""The samples that ship: all there, loadable, what they say they are, and made by the script that says so."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import engines.assets
from app.samples import Sample, sample, samples
from engines.assets import asset_path
from engines.blocks import analytic_shapes as shapes
from engines.blocks.mesh_topology import euler_characteristic, is_watertight
from engines.core import Run, UserError, catalog
from engines.data import Mesh, Slices, Volume
from engines.files import READERS, read, readers_for, write
from engines.shape.analytic import torus_slices
from engines.shape.shape_interpolation import shape_interpolation
from engines.shape.slicing import slice_volume

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    "cortex", "torus", "two-holes", "photos", "avocado", "waves", "pulse", "oscillations", "hand", "digits", "moons",
    "cells", "colours", "experts",
]  # fmt: skip


def test_the_samples_are_listed_in_order_with_everything_a_card_needs():
    assert [s.key for s in samples()] == KEYS
    for one in samples():
        assert isinstance(one, Sample)
        assert one.title
        assert 10 < len(one.description) < 80
        assert one.licence
        assert one.source
        assert 200 < one.nbytes < 1_500_000


@pytest.mark.parametrize("key", KEYS)
def test_a_sample_fits_the_method_it_suggests(key):
    found = sample(key).load()
    chosen = catalog().get(sample(key).method)
    chosen.check({name: found[name] for name in sample(key).inputs}, sample(key).settings())
    assert all(artifact.name for artifact in found.values())


def test_a_sample_changes_its_preset_where_it_says_so():
    chosen = catalog().get("orex")
    cortex, torus = sample("cortex"), sample("torus")
    assert torus.params == {}
    assert torus.settings() == chosen.preset("quick")
    changed = {k: v for k, v in cortex.settings().model_dump().items() if v != chosen.preset("quick").model_dump()[k]}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in changed.items()} == cortex.params


@pytest.mark.parametrize("key", KEYS)
def test_pictures_have_their_size_and_a_clear_background(key):
    for suffix, size in (("", (480, 320)), ("@2x", (960, 640))):
        picture = sample(key).picture
        image = Image.open(picture.with_name(f"{picture.stem}{suffix}.png"))
        assert image.size == size
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        assert alpha[0].max() == 0  # nothing is cut off at the top
        assert 0.1 < (alpha > 128).mean() < 0.7


def test_the_samples_are_small():
    assert sum(f.stat().st_size for f in asset_path("samples").rglob("*") if f.is_file()) < 6_000_000


def test_cortex_is_sliced_from_front_to_back_and_scored_against_a_closed_surface():
    found = sample("cortex").load()
    slices, reference = found["slices"], found["reference"]
    assert isinstance(slices, Slices)
    assert isinstance(reference, Mesh)
    assert slices.unit == reference.unit == "mm"
    assert slices.plane_count == 32
    assert np.allclose(np.abs(slices.normals), [0, 1, 0])
    assert is_watertight(reference.faces)
    assert euler_characteristic(reference.faces) == 2
    assert (slices.bounds[0] > reference.bounds[0] - 1e-3).all()
    folder = asset_path("samples/cortex")
    assert "BSD" in sample("cortex").licence
    assert "Redistribution and use" in (folder / "LICENSE-nilearn.txt").read_text()
    assert "fsaverage5" in (folder / "SOURCE.md").read_text()


@pytest.mark.parametrize(
    ("key", "solid", "euler"), [("torus", shapes.Torus(), 0), ("two-holes", shapes.TwoHoles(), -2)]
)
def test_analytic_samples_lie_on_their_formula(key, solid, euler):
    found = sample(key).load()
    assert np.abs(solid.value(found["slices"].vertices)).max() < 1e-6
    assert np.abs(solid.value(found["reference"].vertices)).max() < 1e-6
    assert euler_characteristic(found["reference"].faces) == euler


def test_reading_the_samples_finds_no_problem():
    for one in samples():
        for file in one.files:
            able = READERS[file.format] if file.format else readers_for(file.path)[0]
            assert read(file.path, able.options.parse(file.options), able.key).problems == ()


def test_the_avocado_has_two_labels_and_can_be_sliced():
    volume = sample("avocado").load()["volume"]
    assert isinstance(volume, Volume)
    assert volume.is_label
    assert volume.labels.tolist() == [1, 2]
    assert volume.spacing == pytest.approx([1.25, 1.25, 1.1])
    slices = slice_volume.run({"volume": volume}, slice_volume.params(every=8), Run())["slices"]
    assert slices.labels.tolist() == [1, 2]


def test_interpolating_the_cortex_gives_a_recognisable_one():
    found = sample("cortex").load()
    made = shape_interpolation.run(found, shape_interpolation.preset("quick"), Run())
    assert made["scores"].columns["IoU"][0] > 0.9


def script():
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "packaging" / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_same_files(tmp_path, monkeypatch):
    made = script()
    monkeypatch.setattr(made, "FOLDER", tmp_path)
    torus = torus_slices.run({}, torus_slices.params(), Run(seed=3))
    made._keep("torus", torus["slices"], torus["reference"])
    write(made.avocado(), tmp_path / "avocado.nii.gz")
    shipped = sample("torus").load()
    again = read(tmp_path / "torus" / "slices.csl", READERS["csl"].options()).artifacts[0]
    # Other machines may round the last digit differently.
    assert np.allclose(again.vertices, shipped["slices"].vertices, atol=1e-6)
    assert again.loop_parents.tolist() == shipped["slices"].loop_parents.tolist()
    volume = read(tmp_path / "avocado.nii.gz").artifacts[0]
    assert np.array_equal(volume.values, sample("avocado").load()["volume"].values)
    for path, problem in made.problems().items():
        write(problem, tmp_path / "made.problem")
        shipped = asset_path(f"samples/{path}").read_text(encoding="utf-8")
        assert (tmp_path / "made.problem").read_text(encoding="utf-8") == shipped


def test_measures_are_what_the_script_makes_of_them():
    for path, measure in script().measures().items():
        shipped = read(asset_path(f"samples/{path}")).artifacts[0]
        np.testing.assert_allclose(shipped.points, measure.points, atol=1e-9)
        np.testing.assert_allclose(shipped.mass, measure.mass, atol=1e-9)
        assert shipped.grid == measure.grid


def test_the_cells_are_those_that_were_drawn_and_the_drug_acts(tmp_path):
    found = sample("cells").load()
    assert [m.name for m in found.values()] == ["Cells, control", "Cells, treated"]
    made = script()
    made.write_cells(tmp_path / "cells.h5ad")
    again = Sample(
        **{**vars(sample("cells")), "files": (replace(sample("cells").files[0], path=tmp_path / "cells.h5ad"),)}
    )
    for name, measure in again.load().items():
        np.testing.assert_allclose(measure.points, found[name].points, atol=1e-6)
    import transport_samples  # it lies beside the script, which has put it on the way

    counts, treated, kind = transport_samples.cells()
    rise = np.log(counts[treated, :12].mean() / counts[~treated, :12].mean())
    assert 1.4 < rise < 1.9
    fall = np.log(counts[treated & kind, 12:20].mean() / counts[~treated & kind, 12:20].mean())
    assert -2.2 < fall < -1.3


def test_what_others_made_says_whose_it_is_beside_it():
    for one in samples():
        if one.source.endswith(".md"):
            text = asset_path(f"samples/{one.source}").read_text(encoding="utf-8")
            assert any(licence in text for licence in ("BSD", "CC BY 4.0", "CC0", "MIT")), one.key
    for key in ("digits", "experts"):
        assert "Alpaydin" in (asset_path("samples") / key / "SOURCE.md").read_text(encoding="utf-8")
        assert "Redistribution and use" in (asset_path("samples") / key / "LICENSE-scikit-learn.txt").read_text()


@pytest.mark.claim
@pytest.mark.timeout(600)
@pytest.mark.parametrize("key", ["digits", "moons", "cells", "colours", "experts"])
def test_a_sample_of_transport_ends_within_a_minute(key):
    import time

    from engines.core import limit_threads

    limit_threads(2)
    one = sample(key)
    found = one.load()
    began, work = time.monotonic(), time.process_time()
    made = catalog().get(one.method).run({name: found[name] for name in one.inputs}, one.settings(), Run(seed=0))
    took, work = time.monotonic() - began, time.process_time() - work
    print(f"{key}: {one.method} in {took:.1f} s ({work:.1f} core-seconds), {next(iter(made.values())).summary()}")
    assert took < 60


def test_a_damaged_sample_is_a_user_error(tmp_path):
    whole = sample("torus").files[0]
    broken = tmp_path / "slices.csl"
    broken.write_bytes(whole.path.read_bytes()[:5000])
    damaged = Sample(
        **{**vars(sample("torus")), "files": (type(whole)(whole.inputs, broken, whole.name, whole.options),)}
    )
    with pytest.raises(UserError):
        damaged.load()


def test_assets_are_found_where_the_environment_or_a_frozen_build_says(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "only.txt").write_text("here")
    monkeypatch.setenv("FIELDWRIGHT_ASSETS", str(tmp_path / "mine"))
    assert asset_path("only.txt").read_text() == "here"
    assert asset_path("samples/samples.json").exists()  # what the folder lacks comes from the next one
    monkeypatch.delenv("FIELDWRIGHT_ASSETS")
    frozen = tmp_path / "frozen" / "assets"
    frozen.mkdir(parents=True)
    (frozen / "only.txt").write_text("packed")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "frozen"), raising=False)
    assert asset_path("only.txt").read_text() == "packed"
    assert asset_path("nowhere.txt").parent == frozen
    assert engines.assets.asset_path is asset_path


def test_listing_the_samples_imports_neither_qt_nor_what_computes():
    code = (
        f"import sys; from app.samples import samples; assert len(samples()) == {len(KEYS)}; "
        "bad = {m.split('.')[0] for m in sys.modules} & {'PySide6', 'torch', 'numpy'}; assert not bad, bad; "
        "bad = {m for m in sys.modules if m.startswith('engines.')} - {'engines.assets'}; assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
