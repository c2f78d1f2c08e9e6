"""What the import dialog says of an artifact."""

import numpy as np
import pytest

from app.dialogs.facts import describe, label_counts
from engines.data import GaussianCloud, GridField, Image, Photos, PointCloud, Slices, Table, Volume


def rows(artifact):
    return dict(describe(artifact).rows)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32])
def test_labels_are_counted_largest_first(dtype):
    values = np.zeros((6, 6, 6), dtype)
    values[0, 0, :5] = 3
    values[1] = 7
    volume = Volume(values=values, affine=np.diag([1.0, 2, 0.5, 1]), is_label=True)
    found = label_counts(volume)
    assert [(c.label, c.voxels, c.size) for c in found] == [(7, 36, 36.0), (3, 5, 5.0)]
    assert rows(volume)["Labels"] == "2"


def test_a_scan_has_a_threshold_and_no_labels():
    rng = np.random.default_rng(0)
    values = rng.normal(100, 5, (20, 20, 20)).astype(np.float32)
    values[5:15, 5:15, 5:15] += 900
    values[0, 0, 0] = np.nan
    facts = describe(Volume(values=values, affine=np.eye(4)))
    assert facts.labels == ()
    assert 150 < facts.threshold < 950
    assert "1 not finite" in dict(facts.rows)["Range"]


def test_negative_and_wide_values():
    wide = np.array([[[-5, 2**40, 0]]])
    assert [c.label for c in label_counts(Volume(values=wide, affine=np.eye(4), is_label=True))] == [-5, 2**40]
    narrow = np.array([[[-5, -5, 3, 0]]], np.int16)
    assert [c.voxels for c in label_counts(Volume(values=narrow, affine=np.eye(4), is_label=True))] == [2, 1]


@pytest.mark.parametrize("values", [np.full((2, 2, 2), np.nan), np.ones((1, 1, 1)), np.ones((2, 2, 2), complex)])
def test_odd_volumes(values):
    assert rows(Volume(values=values, affine=np.eye(4)))["Voxels"]


def test_slices():
    around = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(around), np.sin(around), 0 * around], 1)
    slices = Slices(
        normals=np.array([[0.0, 0, 1], [0, 0, 1], [1, 0, 0]]),
        offsets=np.zeros(3),
        vertices=np.concatenate([ring, 0.5 * ring]),
        loop_starts=[0, 8],
        loop_planes=[0, 0],
        loop_labels=[1, 1],
        loop_parents=[-1, 0],
        unit="mm",
    )
    shown = rows(slices)
    assert shown["Planes"] == "3 (oblique)"
    assert shown["Holes"] == "1"
    assert shown["Empty planes"].startswith("2 ")
    assert shown["Extent"] == "2 × 2 × 0 mm"
    assert rows(slices.replace(vertices=slices.vertices * 61_750.0))["Extent"] == "123,500 × 123,500 × 0 mm"


def test_the_others():
    assert rows(PointCloud(points=np.zeros((4, 3))))["Points"] == "4"
    field = GridField(values=np.arange(8.0).reshape(2, 2, 2), origin=np.zeros(3), spacing=np.ones(3))
    assert rows(field)["Range"] == "0 to 7"
    assert "2×3" in rows(Image(pixels=np.zeros((3, 2, 3), np.uint8)))["Size"]
    assert rows(Table(columns={"a": np.arange(3)}))["Holds"] == "3 rows × 1 columns"


def test_photos_and_splats():
    photos = Photos.of(
        [np.zeros((8, 12, 3), np.uint8)] * 3,
        world_to_camera=np.tile(np.eye(4), (3, 1, 1)),
        intrinsics=np.tile([10.0, 10, 6, 4], (3, 1)),
        held_out=np.array([False, True, False]),
        points=np.array([[0.0, 0, 0], [1, 2, 3]]),
        unit="m",
    )
    rows = dict(describe(photos).rows)
    assert rows["Photos"] == "3"
    assert rows["Pixels"] == "12×8"
    assert rows["Held out"] == "1"
    assert rows["Known points"] == "2"
    assert rows["Extent"] == "1 × 2 × 3 m"
    cloud = GaussianCloud(
        means=np.zeros((5, 3)), quaternions=np.ones((5, 4)), log_scales=np.zeros((5, 3)), opacity_logits=np.zeros(5),
        sh=np.zeros((5, 4, 3)),
    )  # fmt: skip
    assert dict(describe(cloud).rows)["Gaussians"] == "5"
    assert dict(describe(cloud).rows)["Colour degree"] == "1"


def test_facts_of_a_camera_path():
    from tests.files import made

    rows = dict(describe(made.camera_path()).rows)
    assert rows["Key views"] == "5"
    assert rows["Length"] == "4 s, closed"
    assert rows["Pictures"] == "160×90 pixels, 12.5 a second"
    assert rows["Field of view"] == "30° to 60°"
    assert rows["Extent"].endswith(" m")
