"""Textures through OBJ with MTL and PNG, and through glTF: other programs' files, several materials, broken parts."""

from __future__ import annotations

import json
import os

import numpy as np
import PIL.Image
import pytest

from engines.data import Mesh
from engines.files import read, write
from engines.files.textures import Material, joined
from tests.files import made

CORNERS = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def picture(seed=0, size=(8, 6), channels=3):
    return np.random.default_rng(seed).integers(0, 256, (*size, channels)).astype(np.uint8)


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def box():
    """A unit square in the plane as two triangles with the whole of a picture on it."""
    uv = CORNERS[[[0, 1, 2], [0, 2, 3]]].astype(np.float32)
    vertices = np.column_stack([CORNERS, np.zeros(4)])
    return Mesh(vertices=vertices, faces=[[0, 1, 2], [0, 2, 3]], uv=uv, texture=picture())


def same_look(a: Mesh, b: Mesh, atol=1.0):
    """Both meshes show the same colours at the same places of each face."""
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 50)
    for face in range(len(a.faces)):
        shown = [m.texture_at(weights @ m.uv[face].astype(float))[:, :3] for m in (a, b)]
        np.testing.assert_allclose(*shown, atol=atol)
        np.testing.assert_allclose(a.vertices[a.faces[face]], b.vertices[b.faces[face]], atol=1e-6)


# --- other programs ------------------------------------------------------------------------------


def test_open3d_reads_our_obj_and_glb(tmp_path):
    import open3d as o3d

    item = made.textured()
    write(item, tmp_path / "my mesh.obj")
    back = o3d.io.read_triangle_mesh(str(tmp_path / "my mesh.obj"), True)
    np.testing.assert_allclose(np.asarray(back.triangle_uvs).reshape(-1, 3, 2), item.uv, atol=1e-7)
    assert np.array_equal(np.asarray(back.textures[0])[::-1], item.texture)  # its rows run upwards
    write(item, tmp_path / "m.glb")
    model = o3d.io.read_triangle_model(str(tmp_path / "m.glb"))
    assert np.array_equal(np.asarray(model.materials[0].albedo_img), item.texture)
    assert len(model.meshes[0].mesh.triangles) == len(item.faces)


@pytest.mark.parametrize("extension", [".obj", ".glb"])
def test_trimesh_reads_our_textures(extension, tmp_path):
    import trimesh

    item = box()
    write(item, tmp_path / f"m{extension}")
    back = trimesh.load(tmp_path / f"m{extension}", force="mesh")
    material = back.visual.material
    image = material.image if extension == ".obj" else material.baseColorTexture
    assert np.array_equal(np.asarray(image.convert("RGB")), item.texture)
    for face in range(2):
        ends = back.vertices[back.faces[face]][:, :2]
        np.testing.assert_allclose(back.visual.uv[back.faces[face]], ends, atol=1e-6)  # this square is its own map


@pytest.mark.parametrize("extension", [".obj", ".glb"])
def test_we_read_textures_of_trimesh(extension, tmp_path):
    import trimesh

    ours = box()
    image = PIL.Image.fromarray(ours.texture)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image) if extension == ".glb" else None
    visual = trimesh.visual.TextureVisuals(uv=CORNERS, image=image, material=material)
    theirs = trimesh.Trimesh(ours.vertices, ours.faces, visual=visual, process=False)
    theirs.export(tmp_path / f"m{extension}")
    loaded = read(tmp_path / f"m{extension}")
    same_look(ours, loaded.artifacts[0])
    assert loaded.artifacts[0].texture.shape == (8, 6, 3)


def test_vtk_writes_obj_that_we_read(tmp_path):
    import pyvista
    import vtk

    plane = pyvista.Plane(i_resolution=2, j_resolution=2).triangulate()
    save(tmp_path / "p.png", picture())
    out = vtk.vtkOBJWriter()
    out.SetInputData(0, plane)
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(tmp_path / "p.png"))
    reader.Update()
    out.SetInputData(1, reader.GetOutput())
    out.SetFileName(str(tmp_path / "v.obj"))
    out.Write()
    back = read(tmp_path / "v.obj").artifacts[0]
    assert np.array_equal(back.texture[..., :3], picture())
    np.testing.assert_allclose(back.uv, back.vertices[back.faces][..., :2] + 0.5, atol=1e-5)


# --- OBJ ------------------------------------------------------------------------------------------

TWO = """mtllib m.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl first
f 1/1 2/2 3/3
usemtl second one
f 1/1 3/3 4/4
usemtl plain
f 1/1 2/2 3/3 4/4
"""


def test_several_materials_are_joined_in_one_picture(tmp_path):
    (tmp_path / "m.obj").write_text(TWO)
    (tmp_path / "m.mtl").write_text(
        "newmtl first\nKd 1 1 1\nmap_Kd -clamp on -s 1 1 1 -o 0 0 sub\\a b.png\n\nnewmtl second one\nmap_Kd b.jpg\n"
        "newmtl plain\nKd 1 0.5 0\n"
    )
    a, b = picture(1, (9, 4)), np.broadcast_to(np.uint8([10, 200, 90]), (5, 7, 3))
    save(tmp_path / "sub" / "a b.png", a)
    save(tmp_path / "b.jpg", np.ascontiguousarray(b))
    loaded = read(tmp_path / "m.obj")
    mesh = loaded.artifacts[0]
    assert loaded.problems == ("3 materials were joined in one texture.",)
    assert sorted(file.name for file in loaded.files) == ["a b.png", "b.jpg", "m.mtl"]
    assert len(mesh.faces) == 4
    alone = mesh.only(np.array([0])).replace(uv=CORNERS[[[0, 1, 2]]].astype(np.float32), texture=a)
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 100)
    weights = weights[weights.min(1) > 0.15]  # away from the rim, where the other side comes in
    shown = mesh.texture_at(weights @ mesh.uv[0].astype(float))
    inner = alone.texture_at(weights @ alone.uv[0].astype(float))
    np.testing.assert_allclose(shown, inner, atol=1.0)
    for face, colour in ((1, [10, 200, 90]), (2, [255, 128, 0]), (3, [255, 128, 0])):
        rim = np.concatenate([np.eye(3), weights])
        np.testing.assert_allclose(mesh.texture_at(rim @ mesh.uv[face].astype(float)), [colour] * len(rim), atol=4)


def test_faces_with_and_without_places_in_one_file(tmp_path):
    (tmp_path / "m.obj").write_text(
        TWO.split("usemtl second")[0] + "vn 0 0 1\nusemtl plain\nf 1//1 3//1 4//1\nf -4 -2 -1\n"
    )
    (tmp_path / "m.mtl").write_text("newmtl first\nmap_Kd p.png\nnewmtl plain\nKd 0 1 0\n")
    save(tmp_path / "p.png", picture())
    mesh = read(tmp_path / "m.obj").artifacts[0]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]]
    assert mesh.normals is None
    middle = np.full((1, 3), 1 / 3)
    for face in (1, 2):
        np.testing.assert_allclose(mesh.texture_at(middle @ mesh.uv[face].astype(float)), [[0, 255, 0]], atol=0.1)
    assert mesh.texture_at(middle @ mesh.uv[0].astype(float)).std() > 0


def test_repeated_pictures_are_shown_from_their_first_copy_and_cut_when_they_cross():
    a, b = Material(picture=picture(1)), Material(picture=picture(2))
    one = CORNERS[[[0, 1, 2]]]
    problems: list[str] = []
    uv, whole = joined([a, b], np.array([0, 1, 1]), np.concatenate([one, one + np.array([3, -2]), 2 * one]), problems)
    assert problems[0] == "1 faces show a texture more than once; they were cut to one copy."
    np.testing.assert_allclose(uv[1] - uv[0], [[0, -10 / 20]] * 3, atol=1e-6)
    assert (uv >= 0).all()
    assert (uv <= 1).all()
    assert whole.shape == (20, 8, 3)
    # One picture alone may repeat as it likes.
    uv, whole = joined([a], np.zeros(1, int), 5 * one, problems := [])
    assert (uv.max(), problems) == (5, [])
    assert joined([Material((1, 0, 0))], np.zeros(1, int), one, []) is None
    uv, _ = joined([a], np.zeros(2, int), np.concatenate([one, one * np.nan]), problems := [])
    assert "1 faces have no proper place" in problems[0]
    assert not uv[1].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "m.mtl").unlink(), "needs materials that is not there"),
        (lambda f: (f / "p.png").unlink(), "needs a texture that is not there"),
        (lambda f: (f / "p.png").write_bytes(b"junk"), "is not a readable texture file"),
        (lambda f: (f / "m.mtl").write_text("newmtl a\nmap_Kd ../secret.png\n"), "a texture outside its folder"),
        (lambda f: (f / "m.mtl").write_text("newmtl a\nmap_Kd /etc/passwd\n"), "a texture outside its folder"),
        (lambda f: (f / "m.mtl").write_text("newmtl a\nmap_Kd link.png\n"), "a texture outside its folder"),
        (lambda f: (f / "m.mtl").write_text("newmtl a\nmap_Kd http://x.y/z.png\n"), "a texture outside its folder"),
        (lambda f: (f / "m.mtl").write_text("newmtl other\nmap_Kd p.png\n"), "1 materials are not described"),
        (lambda f: (f / "m.mtl").write_bytes(b"\xff\xfe\0"), "is not a text file"),
        (lambda f: _swap(f / "m.obj", "mtllib m.mtl", "mtllib ../m.mtl"), "materials outside its folder"),
        (lambda f: _swap(f / "m.obj", "mtllib m.mtl", "mtllib " + "x" * 5000), "Materials are not loaded"),
        (lambda f: _swap(f / "m.obj", "f 1/1", "f 1/9"), "places in a texture that are not there"),
        (lambda f: _swap(f / "m.obj", "vt 1 1", "vt one"), "wrong 'vt' line"),
    ],
)
def test_what_is_wrong_with_a_material_is_told_and_the_shape_is_loaded(change, said, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    save(tmp_path / "secret.png", picture())
    save(folder / "p.png", picture())
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    (folder / "m.obj").write_text(TWO.split("usemtl second")[0].replace("first", "a"))
    (folder / "m.mtl").write_text("newmtl a\nmap_Kd p.png\n")
    assert np.array_equal(read(folder / "m.obj").artifacts[0].texture, picture())
    change(folder)
    loaded = read(folder / "m.obj")
    assert said in " ".join(loaded.problems)
    assert loaded.artifacts[0].texture is None
    assert len(loaded.artifacts[0].faces) == 1


def _swap(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_texture_bombs_are_refused(tmp_path):
    import struct
    import zlib

    write(box(), tmp_path / "m.obj")
    raw = bytearray((tmp_path / "m.png").read_bytes())
    raw[16:24] = struct.pack(">II", 100_000, 100_000)
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    (tmp_path / "m.png").write_bytes(raw)
    loaded = read(tmp_path / "m.obj")
    assert loaded.artifacts[0].texture is None
    assert "A texture is not loaded" in loaded.problems[0]


# --- glTF -----------------------------------------------------------------------------------------


def document_of(path):
    raw = path.read_bytes()
    size = int.from_bytes(raw[12:16], "little")
    return json.loads(raw[20 : 20 + size]), raw[28 + size :]


def as_gltf(folder, change):
    """Our GLB as a glTF file with its buffer beside it, and its document changed."""
    write(box(), folder / "m.glb")
    document, binary = document_of(folder / "m.glb")
    (folder / "m.bin").write_bytes(binary)
    document["buffers"] = [{"byteLength": len(binary), "uri": "m.bin"}]
    change(document)
    (folder / "m.gltf").write_text(json.dumps(document))
    return read(folder / "m.gltf")


def test_pictures_beside_and_in_a_gltf_file(tmp_path):
    import base64

    save(tmp_path / "in.png", picture())
    packed = "data:image/png;base64," + base64.b64encode((tmp_path / "in.png").read_bytes()).decode()
    for uri in ("in.png", packed):
        loaded = as_gltf(tmp_path, lambda d, uri=uri: d["images"].__setitem__(0, {"uri": uri}))
        same_look(box(), loaded.artifacts[0])
        assert loaded.problems == ()
        assert [file.name for file in loaded.files] == ["m.bin", "in.png"][: 1 + (uri == "in.png")]


def test_a_material_colours_its_picture_and_a_second_set_of_places_is_used(tmp_path):
    def change(document):
        surface = document["materials"][0]["pbrMetallicRoughness"]
        surface["baseColorFactor"] = [1, 0.2140411, 0, 1]  # half of 255 as displayed
        surface["baseColorTexture"]["texCoord"] = 3
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        attributes["TEXCOORD_3"] = attributes.pop("TEXCOORD_0")

    back = as_gltf(tmp_path, change).artifacts[0]
    np.testing.assert_allclose(back.texture, box().texture * [1, 0.5, 0], atol=1)


def test_parts_with_several_materials(tmp_path):
    def change(document):
        (first,) = document["meshes"][0]["primitives"]
        document["materials"].append({"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, 1]}})
        document["meshes"][0]["primitives"] += [
            first | {"material": 1},
            {k: first[k] for k in ("attributes", "indices")},
        ]

    loaded = as_gltf(tmp_path, change)
    mesh = loaded.artifacts[0]
    assert loaded.problems == ("3 parts were joined into one mesh.", "3 materials were joined in one texture.")
    same_look(box().only(np.array([0])), mesh.only(np.array([0])), atol=256)
    middle = np.full((1, 3), 1 / 3)
    shown = [mesh.texture_at(middle @ mesh.uv[f].astype(float))[0] for f in (2, 4)]
    np.testing.assert_allclose(shown, [[0, 0, 255], [255, 255, 255]], atol=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["images"].__setitem__(0, {"uri": "../secret.png"}), "a texture outside its folder"),
        (lambda d: d["images"].__setitem__(0, {"uri": "none.png"}), "needs a texture that is not there"),
        (lambda d: d["images"].__setitem__(0, {"uri": "data:image/png;base64,%%"}), "damaged texture"),
        (lambda d: d["images"].__setitem__(0, {"bufferView": 0}), "not a readable texture"),
        (lambda d: d["bufferViews"][-1].__setitem__("byteLength", 10**9), "shorter than its scene says"),
        (lambda d: d["textures"][0].pop("source"), "a kind that is not read"),
    ],
)
def test_pictures_of_gltf_that_cannot_be_read_are_told(change, said, tmp_path):
    loaded = as_gltf(tmp_path, change)
    assert said in " ".join(loaded.problems)
    assert loaded.artifacts[0].texture is None
    assert len(loaded.artifacts[0].faces) == 2


def test_a_texture_transform_is_told(tmp_path):
    def change(document):
        info = document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
        info["extensions"] = {"KHR_texture_transform": {"scale": [2, 2]}}

    assert "moved or scaled" in as_gltf(tmp_path, change).problems[0]
