"""SuGaR on small photos: phases, both modes, a given cloud, and everything it must refuse (sheet 30, "Bad input")."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch

from engines.blocks.analytic_shapes import Torus
from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians
from engines.core import Cancelled, Checkpointed, Control, Logged, Noted, Run, UserError
from engines.data import GaussianCloud, Mesh
from engines.shape.gaussian_splatting import few_photos
from engines.shape.sugar import SMOKE, sugar
from engines.shape.sugar_coarse import flatness, from_cloud
from engines.shape.sugar_mesh import Oriented, level_points, surface_through
from engines.shape.sugar_params import SugarParams
from engines.shape.sugar_refine import bind, edge_neighbours, sound


class Ear:
    def __init__(self, act=None) -> None:
        self.events, self.act = [], act

    def emit(self, event) -> None:
        self.events.append(event)
        if self.act:
            self.act(self)

    def wants_preview(self) -> bool:
        return False

    def of(self, kind) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.of(Noted) if event.level == "warning"]


@functools.cache
def photos():
    return few_photos(6, 48, 300)["photos"]


def go(ear=None, inputs=None, run=None, **changes):
    params = sugar.params.parse({**SMOKE, **changes})
    return sugar.run({"photos": photos(), **(inputs or {})}, params, run or Run(seed=3, listener=ear or Ear()))


@functools.cache
def trained() -> GaussianCloud:
    return go(refine_steps=0, entropy_steps=0, regularised_steps=0, prune_opacity=0.0)["coarse"]


@pytest.mark.parametrize("mode", ["density", "sdf"])
def test_both_modes_log_their_terms_and_give_a_mesh_near_the_torus(mode):
    ear = Ear()
    outputs = go(ear, regularisation=mode)
    names = set().union(*(event.values for event in ear.of(Logged)))
    assert {mode, "normals", "entropy", "bends", "loss"} <= names
    middle = outputs["mesh"].vertices[outputs["mesh"].faces].mean((0, 1))
    assert np.abs(middle).max() < 0.3
    assert outputs["bound"].vertices.shape == outputs["refined"].vertices.shape
    assert outputs["stages"].columns["Stage"].tolist()[-1] == "Bound, refined"


def test_refinement_brings_renders_nearer_to_photos():
    levels = go(refine_steps=60)["stages"].columns["PSNR"]
    assert levels[3] > levels[2] + 0.5


def test_a_given_cloud_takes_the_place_of_the_first_phase():
    ear = Ear()
    outputs = go(ear, {"cloud": trained()})
    assert min(event.step for event in ear.of(Logged)) >= SMOKE["iterations"]
    assert outputs["stages"].columns["Gaussians"][0] == len(trained())
    assert not [w for w in ear.warnings if "degree" in w]


def test_a_given_mesh_is_bound_and_refined_alone():
    mesh = reference()["refined"]
    broken = mesh.replace(faces=np.concatenate([mesh.faces, [[0, 0, 1]]]))
    ear = Ear()
    outputs = go(ear, {"mesh": broken})
    assert {"coarse", "density", "points", "flatness", "opacities"}.isdisjoint(outputs)
    assert "1 of 301 triangles have no area" in ear.warnings[0]
    assert len(outputs["mesh"].faces) == len(mesh.faces)
    assert outputs["stages"].columns["Stage"].tolist() == ["Bound, unrefined", "Bound, refined"]
    control = Control()
    cut = Ear(lambda ear: control.cancel() if len(ear.of(Logged)) >= 1 else None)
    with pytest.raises(Cancelled):
        go(inputs={"mesh": broken}, run=Run(seed=3, listener=cut, control=control))
    checkpoint = cut.of(Checkpointed)[-1].checkpoint
    again = go(inputs={"mesh": broken}, run=Run(seed=3, listener=Ear(), checkpoint=checkpoint))
    assert again["bound"].content_hash() == outputs["bound"].content_hash()


def test_a_texture_is_baked_at_the_end_if_one_is_wanted():
    given = {"mesh": reference()["refined"]}
    outputs = go(inputs=given, texture=True, texture_square=6)
    mesh, refined = outputs["textured"], outputs["refined"]
    assert np.array_equal(mesh.vertices, refined.vertices)
    assert 0.5 * len(refined.faces) < len(mesh.faces) <= len(refined.faces)
    assert mesh.texture.shape[0] % 6 == 0
    assert mesh.texture.std() > 10
    stages = outputs["stages"].columns
    assert stages["Stage"].tolist()[-1] == "Textured mesh"
    assert stages["PSNR"][-1] > 8
    assert "textured" not in go(inputs=given)


@pytest.mark.parametrize(("degree", "words"), [(0, "left out"), (2, "begin at 0")])
def test_a_cloud_with_colours_of_another_degree_is_taken_with_a_word(degree, words):
    ear = Ear()
    found = from_cloud(trained(), degree, Run(listener=ear))
    assert found.degree == degree
    assert any(words in w for w in ear.warnings)
    shared = min(found.sh.shape[1], trained().sh.shape[1])
    np.testing.assert_array_equal(found.sh[:, :shared].numpy(), trained().sh[:, :shared])


@pytest.mark.parametrize("extraction", ["centres", "marching cubes"])
def test_the_other_ways_to_a_mesh(extraction):
    outputs = go(extraction=extraction, refine_steps=0)
    assert len(outputs["mesh"].faces) > 50
    assert ("points" in outputs) == (extraction == "centres")
    corners = outputs["mesh"].vertices[outputs["mesh"].faces]
    outward = (np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum()
    assert outward > 0


def test_the_density_on_its_grid_is_high_in_the_torus_and_nothing_outside():
    field = reference()["density"]
    assert field.level == SMOKE["level"]
    axes = (o + s * np.arange(n) for o, s, n in zip(field.origin, field.spacing, field.values.shape, strict=True))
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    depth = Torus().value(nodes)
    values = field.values.ravel()
    assert values[np.abs(depth) < 0.03].mean() > 10 * values[depth > 0.15].mean()


def test_blended_depth_is_another_start_for_the_rays():
    assert len(go(depth_from="blended", refine_steps=0)["points"].points) > 100


def cancelled_after(count: int, checkpoint):
    control = Control()
    ear = Ear(lambda ear: control.cancel() if len(ear.of(Logged)) >= count else None)
    with pytest.raises(Cancelled):
        go(run=Run(seed=3, listener=ear, control=control, checkpoint=checkpoint))
    return ear.of(Checkpointed)[-1].checkpoint


def test_a_run_goes_on_in_every_phase_to_the_same_result():
    """60 steps of training, 10 of clearing, 20 of aligning and 20 of refinement log 6, 1, 2 and 2 times.

    Interrupted after 2, 6, 7, 9 and 10 of these: in each phase and between them.
    """
    checkpoint = None
    for more in (2, 4, 1, 2, 1):
        checkpoint = cancelled_after(more, checkpoint)
    rest = Ear()
    again = go(run=Run(seed=3, listener=rest, checkpoint=checkpoint))
    assert len(rest.of(Logged)) == 1
    whole = {name: a.content_hash() for name, a in reference().items()}
    assert {name: a.content_hash() for name, a in again.items()} == whole


@functools.cache
def reference():
    return go()


# Bad input


def test_everything_pruned_is_told_with_a_way_out():
    with pytest.raises(UserError, match=r"None of the .* Gaussians has an opacity of") as refused:
        go(prune_opacity=0.999)
    assert "Train longer in the first phase" in refused.value.mend


def small_cloud(count: int) -> GaussianCloud:
    rng = np.random.default_rng(0)
    return GaussianCloud(
        means=rng.uniform(-0.5, 0.5, (count, 3)), quaternions=rng.normal(size=(count, 4)),
        log_scales=np.full((count, 3), -2.5), opacity_logits=np.full(count, 3.0), sh=np.zeros((count, 4, 3)),
    )  # fmt: skip


def test_fewer_gaussians_than_neighbours_are_refused():
    with pytest.raises(UserError, match="Only 16 of 16 Gaussians are left"):
        go(inputs={"cloud": small_cloud(16)})


def test_a_level_that_is_never_crossed_names_the_largest_density():
    gaussians = from_cloud(small_cloud(40), 1, Run())
    faint = Gaussians(
        gaussians.means * 20,
        gaussians.quaternions,
        gaussians.log_scales - 1,
        gaussians.opacity_logits * 0,
        gaussians.sh,
    )
    params = SugarParams(level=0.9)
    camera = Camera(look_at([0, -30, 0], [0, 0, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    with pytest.raises(UserError, match="along no ray") as refused:
        level_points(faint, [camera] * 3, torch.zeros(3), params, Run(), 1.0)
    assert "largest value met was 0." in refused.value.why
    away = Camera(look_at([0, -30, 0], [0, -60, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    with pytest.raises(UserError) as refused:
        level_points(faint, [away] * 3, torch.zeros(3), params, Run(), 1.0)
    assert "in view" in refused.value.why


def test_a_box_without_points_says_where_the_points_are():
    with pytest.raises(UserError, match="surface points lie in the foreground box") as refused:
        go(box=(50, 50, 50, 60, 60, 60))
    assert "(50, 50, 50)" in refused.value.why


@pytest.mark.parametrize("box", [(0, 0, 0, 1, 1, 0), (0, 0, 0), (1, 1, 1, 0, 0, 0)])
def test_a_box_without_room_is_refused_before_anything_starts(box):
    ear = Ear()
    with pytest.raises(UserError, match=r"foreground box .* is empty"):
        go(ear, box=box)
    assert not ear.of(Logged)


def sphere(count: int, radius: float = 0.4) -> Oriented:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Oriented(radius * normals, normals, np.full((count, 3), 0.5))


def test_poisson_that_finds_nothing_is_told(monkeypatch):
    from engines.blocks.poisson_surface import ColouredSurface
    from engines.shape import sugar_mesh

    nothing = ColouredSurface(np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((0, 3)))
    monkeypatch.setattr(sugar_mesh, "poisson_surface", lambda *args: nothing)
    camera = Camera(look_at([0, -3, 0], [0, 0, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    with pytest.raises(UserError, match="Poisson reconstruction found no surface"):
        surface_through(sphere(2000), [camera], 5.0, SugarParams(poisson_depth=5), Run())


def test_a_surface_through_a_sphere_and_what_surrounds_it():
    camera = Camera(look_at([0, 0, 0], [0, 1, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    near, far = sphere(4000), sphere(4000, 3.0)
    both = Oriented(*(np.concatenate(pair) for pair in zip(near, far, strict=True)))
    params = SugarParams(poisson_depth=5, target_vertices=1000)
    found = surface_through(both, [camera], 1.0, params, Run())
    away = np.linalg.norm(found.vertices, axis=1)
    for radius in (0.4, 3.0):
        assert (np.abs(away - radius) < 0.05 * radius).sum() > 200
    assert len(found.faces) <= 2000
    alone = surface_through(both, [camera], 1.0, SugarParams(poisson_depth=5, surroundings=0), Run())
    assert np.linalg.norm(alone.vertices, axis=1).max() < 1


def test_a_table_ends_at_its_edge_unless_guesses_are_wanted():
    rng = np.random.default_rng(0)
    away, angle = np.sqrt(rng.uniform(size=20_000)), rng.uniform(0, 2 * np.pi, 20_000)
    points = np.stack([away * np.cos(angle), away * np.sin(angle), np.zeros(len(away))], axis=1)
    table = Oriented(points, np.tile([0.0, 0.0, 1.0], (len(points), 1)), np.full(points.shape, 0.5))
    camera = Camera(look_at([0, -3, 1], [0, 0, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    reaches = []
    ears = Ear(), Ear()
    for ear, changes in zip(ears, ({}, {"reach": 0}), strict=True):
        found = surface_through(table, [camera], 5.0, SugarParams(poisson_depth=5, **changes), Run(listener=ear))
        reaches.append(np.linalg.norm(found.vertices, axis=1).max())
    assert reaches[0] < 1.25 < 1.35 < reaches[1]
    (note,) = ears[0].of(Noted)
    assert "was cut away" in note.text
    assert not ears[1].of(Noted)


@pytest.mark.timeout(120)
def test_deep_octrees_are_computed_apart_and_cancelled_at_once():
    camera = Camera(look_at([0, -3, 0], [0, 0, 0]), 60.0, 60.0, 24.0, 24.0, 48, 48)
    here = surface_through(sphere(2000), [camera], 5.0, SugarParams(poisson_depth=7), Run())
    assert np.abs(np.linalg.norm(here.vertices, axis=1) - 0.4).max() < 0.02
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        surface_through(sphere(2000), [camera], 5.0, SugarParams(poisson_depth=7), Run(control=control))


def test_fewer_than_three_photos_and_cameras_in_one_place_are_refused():
    some = photos()
    with pytest.raises(UserError, match="2 photos are left"):
        go(inputs={"photos": some.replace(held_out=np.arange(len(some)) >= 2)})
    poses = np.array(some.world_to_camera)
    poses[:, :3, 3] = 0
    with pytest.raises(UserError, match="All cameras stand in one place"):
        go(inputs={"photos": some.replace(world_to_camera=poses)})


def test_triangles_without_area_are_left_out_and_told():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0.0]])
    ear = Ear()
    kept = sound(Mesh(vertices=vertices, faces=np.array([[0, 1, 2], [0, 1, 3]])), Run(listener=ear))
    assert kept.faces.tolist() == [[0, 1, 2]]
    assert "1 of 2 triangles have no area" in ear.warnings[0]
    with pytest.raises(UserError, match="no triangle with an area"):
        sound(Mesh(vertices=vertices, faces=np.array([[0, 1, 3]])), Run())


# Parts


def test_faces_beside_each_inner_edge():
    faces = np.array([[0, 1, 2], [2, 1, 3], [3, 1, 4]])
    assert {tuple(sorted(pair)) for pair in edge_neighbours(faces).tolist()} == {(0, 1), (1, 2)}


def test_flatness_is_the_smallest_scale_in_parts_of_the_middle():
    scales = torch.tensor([[0.1, 1.0, 0.5], [0.3, 0.3, 0.3]]).log()
    one = torch.zeros(2, 4)
    found = flatness(Gaussians(torch.zeros(2, 3), one, scales, torch.zeros(2), torch.zeros(2, 1, 3)))
    np.testing.assert_allclose(found, [0.2, 1.0], rtol=1e-5)


def test_bound_colours_come_from_the_mesh():
    colours = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]], np.uint8)
    mesh = Mesh(vertices=np.eye(3), faces=np.array([[0, 1, 2]]), colors=colours)
    bound = bind(mesh, 1, 0, 1e-6)
    np.testing.assert_allclose(0.5 + 0.28209479177387814 * bound.sh[0, 0], 1 / 3, atol=1e-6)


def test_settings_are_data():
    assert json.loads(json.dumps(SugarParams(box=(0, 0, 0, 1, 1, 1)).model_dump(mode="json")))["box"] == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]
    published = sugar.preset("paper")
    assert published.last_step == 15_000
    assert published.splatting().iterations == 30_000
    assert published.splatting().densify_until == 7000


@pytest.mark.parametrize(
    ("photos", "expected"),
    [("Photos of a ring", "Splats of a ring"), ("castle", "castle, splats"), ("", "Splats")],
)
def test_what_is_made_of_photos_is_told_apart_by_name(photos, expected):
    assert few_photos(3, 16, 10)["photos"].replace(name=photos).name_for("Splats") == expected
