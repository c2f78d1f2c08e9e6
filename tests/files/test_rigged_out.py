"""Rigged hands go out so that other programs pose them as we do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engines.core import UserError
from engines.data import PoseSequence, RiggedTemplate
from engines.files import read, write
from engines.files.gltf_document import open_document
from engines.files.hand_bodies import body_of
from engines.files.posed_meshes import HandMeshOptions
from engines.files.rigged_glb import the_open_hand
from engines.files.rigged_glb_writer import RiggedGlbWriteOptions
from tests import hands


def hand() -> RiggedTemplate:
    colors = np.random.default_rng(0).integers(0, 256, (1159, 4)).astype(np.uint8)
    return the_open_hand().replace(colors=colors)


def poses(count=3) -> PoseSequence:
    draw = np.random.default_rng(4)
    return PoseSequence.of(
        draw.uniform(-1, 1, (count, 16, 3)),
        the_open_hand().joint_names,
        translations=draw.normal(size=(count, 3)),
        scales=draw.uniform(0.5, 1.5, count),
    )


@pytest.fixture
def sequence(tmp_path):
    write(poses(), tmp_path / "poses.csv", format="poses-csv")
    return str(tmp_path / "poses.csv")


def as_vtk_sees(path, at=None):
    """Vertices (V, 3) as VTK skins them, in the order of the file."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOGeometry import vtkGLTFReader

    reader = vtkGLTFReader()
    reader.SetFileName(str(path))
    reader.ApplyDeformationsToGeometryOn()
    reader.UpdateInformation()
    if at is not None:
        reader.EnableAnimation(0)
        reader.UpdateTimeStep(at)
    else:
        reader.Update()
    blocks = reader.GetOutput().NewTreeIterator()
    blocks.InitTraversal()
    return vtk_to_numpy(blocks.GetCurrentDataObject().GetPoints().GetData()).astype(float)


def test_a_posed_hand_stands_in_vtk_as_it_does_here(tmp_path, sequence):
    for number in (1, 3):
        write(
            hand(),
            tmp_path / "h.glb",
            RiggedGlbWriteOptions(pose=number, poses=sequence, animation=False),
            "rigged-glb",
        )
        ours = body_of(hand()).mesh(poses(), number - 1).vertices
        assert np.abs(as_vtk_sees(tmp_path / "h.glb") - ours).max() < 1e-6
    assert np.abs(ours - hand().vertices).max() > 0.1


def test_the_animation_goes_through_the_poses_in_vtk(tmp_path, sequence):
    write(hand(), tmp_path / "h.glb", RiggedGlbWriteOptions(poses=sequence), "rigged-glb")
    for number in (0, 1, 2):
        ours = body_of(hand()).mesh(poses(), number).vertices
        assert np.abs(as_vtk_sees(tmp_path / "h.glb", number / poses().rate) - ours).max() < 1e-6


@pytest.mark.parametrize("reader", ["trimesh", "open3d"])
def test_readers_that_know_no_skins_get_the_pose_as_a_mesh(reader, tmp_path, sequence):
    write(hand(), tmp_path / "h.glb", RiggedGlbWriteOptions(content="as posed", pose=2, poses=sequence), "rigged-glb")
    if reader == "trimesh":
        import trimesh

        found = trimesh.load(tmp_path / "h.glb", force="mesh", process=False)
        np.testing.assert_array_equal(found.visual.vertex_colors, hand().colors)
        points = np.asarray(found.vertices)
    else:
        import open3d

        points = np.asarray(open3d.io.read_triangle_mesh(str(tmp_path / "h.glb")).vertices)
    ours = body_of(hand()).mesh(poses(), 1).vertices
    assert np.abs(points - ours).max() < 1e-6


def test_trimesh_reads_the_rigged_one_at_rest(tmp_path):
    import trimesh

    write(hand(), tmp_path / "h.glb", format="rigged-glb")
    found = trimesh.load(tmp_path / "h.glb", force="mesh", process=False)
    assert np.abs(found.vertices - hand().vertices).max() < 1e-7
    np.testing.assert_array_equal(found.visual.vertex_colors, hand().colors)


@pytest.mark.parametrize("options", [{}, {"pose": 1}])
def test_it_comes_back_as_it_was(options, tmp_path, sequence):
    if options:
        options = {"pose": 1, "poses": sequence}
    write(hand(), tmp_path / "right hand.glb", RiggedGlbWriteOptions(**options), "rigged-glb")
    loaded = read(tmp_path / "right hand.glb", format="rigged-glb")
    (back,) = loaded.artifacts
    assert back.joint_names == hand().joint_names
    assert back.side == "right"
    assert np.array_equal(back.faces, hand().faces)
    assert np.array_equal(back.colors, hand().colors)
    assert np.array_equal(back.parents, hand().parents)
    scale = poses().scales[0] if options else 1  # what stands scaled is read so
    np.testing.assert_allclose(back.vertices, scale * hand().vertices, atol=1e-6)
    np.testing.assert_allclose(back.joints, scale * hand().joints, atol=1e-6)
    np.testing.assert_allclose(back.weights, hand().weights, atol=1e-6)
    assert bool(loaded.problems) == bool(options)


def test_many_influences_are_cut_to_four_or_kept(tmp_path):
    weights = np.random.default_rng(2).dirichlet(np.ones(16), 1159)
    many = hand().replace(weights=weights)
    write(many, tmp_path / "all.glb", RiggedGlbWriteOptions(influences="all"), "rigged-glb")
    back = read(tmp_path / "all.glb", format="rigged-glb").artifacts[0]
    np.testing.assert_allclose(back.weights, weights, atol=1e-6)
    write(many, tmp_path / "four.glb", format="rigged-glb")
    back = read(tmp_path / "four.glb", format="rigged-glb").artifacts[0]
    assert ((back.weights > 0).sum(1) == 4).all()
    assert (np.take_along_axis(weights, back.weights.argmax(1)[:, None], 1)[:, 0] == weights.max(1)).all()


def test_a_capture_brings_its_poses(tmp_path):
    write(hands.capture(), tmp_path / "c.glb", format="rigged-glb")
    document, _ = open_document(tmp_path / "c.glb")
    assert {c["target"]["path"] for c in document["animations"][0]["channels"]} == {"rotation", "translation", "scale"}
    write(hands.capture(), tmp_path / "c.glb", RiggedGlbWriteOptions(animation=False), "rigged-glb")
    assert "animations" not in open_document(tmp_path / "c.glb")[0]


def test_poses_that_are_not_there_are_named(tmp_path, sequence):
    for options, words in (({"pose": 2}, "has no poses"), ({"pose": 9, "poses": sequence}, "There are 3")):
        with pytest.raises(UserError, match=words):
            write(hand(), tmp_path / "h.glb", RiggedGlbWriteOptions(**options), "rigged-glb")
    strange = hands.template(joint_names=("wrist", "nose", "ear"))
    with pytest.raises(UserError, match="no joint called nose, ear"):
        write(strange, tmp_path / "h.glb", RiggedGlbWriteOptions(poses=sequence), "rigged-glb")


@pytest.mark.parametrize("kind", ["ply", "obj"])
def test_a_mesh_for_each_pose(kind, tmp_path, sequence):
    write(hand(), tmp_path / "h.meshes.json", HandMeshOptions(format=kind, poses=sequence))
    index = json.loads((tmp_path / "h.meshes.json").read_text())
    assert index["rate"] == poses().rate
    assert len(index["meshes"]) == 3
    back = read(tmp_path / index["meshes"][2]).artifacts[0]
    assert np.abs(back.vertices - body_of(hand()).mesh(poses(), 2).vertices).max() < 1e-6
    assert np.array_equal(back.colors[:, :3], hand().colors[:, :3])
    with pytest.raises(UserError, match="no poses"):
        write(hand(), tmp_path / "i.meshes.json")


@pytest.fixture(scope="module")
def avatar():
    """One that has learned nothing, but has displacements, colours and weights of its own."""
    import torch

    from engines.blocks.avatars.avatar import Avatar, Build
    from engines.blocks.cameras import Camera

    template = the_open_hand()
    build = Build(
        displacement_width=8, albedo_width=8, weights_width=8, renderer_width=8, start="at the mean", stage="mesh"
    )
    made = Avatar(template, 1, build, torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    made.displacement.mean += 2e-3 * torch.randn(made.displacement.mean.shape, generator=draw)
    made.albedo.mean += torch.randn(made.albedo.mean.shape, generator=draw)
    camera = Camera(np.eye(4), 10.0, 10.0, 4.0, 4.0, 8, 8)
    return made.artifact(poses(), [camera])


def test_an_avatar_is_rigged_with_its_mean_surface_and_colours(avatar, tmp_path):
    write(avatar, tmp_path / "right.glb", RiggedGlbWriteOptions(influences="all"), "rigged-glb")
    back = read(tmp_path / "right.glb", format="rigged-glb").artifacts[0]
    moved = back.vertices - avatar.template.vertices
    np.testing.assert_allclose(moved, avatar.weights["displacement.mean"], atol=1e-6)
    albedo = 255 / (1 + np.exp(-avatar.weights["albedo.mean"].astype(float)))
    np.testing.assert_allclose(back.colors[:, :3], albedo, atol=0.51)
    np.testing.assert_allclose(back.weights, avatar.template.weights, atol=2e-5)
    document, _ = open_document(tmp_path / "right.glb")
    assert len(document["animations"][0]["channels"]) == 18


def test_an_avatar_frozen_in_a_pose_is_what_it_is_there(avatar, tmp_path):
    import trimesh

    from engines.blocks.avatars.avatar import Avatar

    own = avatar.poses
    posed = Avatar.of(avatar).pose(own.rotations[1], own.translations[1], own.scales[1])
    write(avatar, tmp_path / "h.glb", RiggedGlbWriteOptions(content="as posed", pose=2), "rigged-glb")
    found = trimesh.load(tmp_path / "h.glb", force="mesh", process=False)
    assert np.abs(found.vertices - posed.vertices.numpy()).max() < 1e-6
    assert np.abs(found.visual.vertex_colors[:, :3] - 255 * posed.albedo.numpy()).max() < 0.51
    write(avatar, tmp_path / "h.meshes.json")
    back = read(tmp_path / "h_meshes" / "00001.ply").artifacts[0]
    np.testing.assert_allclose(back.vertices, posed.vertices.numpy(), atol=1e-6)
