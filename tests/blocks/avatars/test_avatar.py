"""The parts of a hand avatar: embeddings, renderer, pictures and losses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engines.blocks.avatars.avatar import FIRST_LIGHT, Avatar, Build, capture_camera
from engines.blocks.avatars.drawing import Cameras, show
from engines.blocks.avatars.embedding import FeatureEmbedding, FrozenEmbedding, log_weights
from engines.blocks.avatars.losses import Likeness, Smoothing, mean_albedo
from engines.blocks.avatars.refinement import subdivided
from engines.blocks.avatars.renderer import NeuralRenderer, Seen
from engines.blocks.cameras import Camera, look_at
from engines.blocks.meshes.encoding import positional_encoding
from engines.blocks.meshes.shading import harmonics
from engines.core import UserError
from engines.data import PoseSequence
from engines.files.rigged_glb import the_open_hand

BUILD = Build(16, 8, 8, 8, 5, 16, 20, start="at the mean", stage="renderer")


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def embedding(**changes) -> FeatureEmbedding:
    mean = torch.randn(50, 3, generator=draw(1))
    return FeatureEmbedding(mean, 48, 32, 8, draw(), **changes)


def avatar(build: Build = BUILD, side: str = "right") -> Avatar:
    made = Avatar(the_open_hand(side), 2, build, draw())
    with torch.no_grad():
        for parameter in made.parameters():  # as if it had learned
            parameter += 0.02 * torch.randn(parameter.shape, generator=draw(2))
    return made


def camera(size: int = 64) -> Camera:
    middle = the_open_hand().vertices.mean(0)
    return Camera(look_at(middle + np.array([0, 0.5, 0.1]), middle), 2 * size, 2 * size, size / 2, size / 2, size, size)


def artifact(made: Avatar):
    names = made.template.joint_names
    return made.artifact(PoseSequence.of(np.zeros((1, len(names), 3)), names), [camera(), camera(32)])


# Embeddings


def test_with_z_of_zero_an_embedding_gives_exactly_its_mean():
    made = embedding()
    values, z = made.values(torch.zeros(50, 10))
    assert torch.equal(values, made.mean)
    assert torch.equal(z, torch.zeros(50, 10))
    made.active = False
    assert torch.equal(made(torch.ones(48))[0], made.mean)


def test_the_mixing_goes_down_the_columns():
    made = embedding()
    with torch.no_grad():
        made.mixing.copy_(torch.randn(10, 3, generator=draw(4)))
    z = torch.randn(50, 10, generator=draw(5))
    shares = np.exp(made.mixing.detach().numpy())
    expected = made.mean.numpy() + z.numpy() @ (shares / shares.sum(0))
    np.testing.assert_allclose(made.values(z)[0].detach(), expected, atol=1e-5)


def test_an_embedding_is_the_network_that_its_formula_says():
    made = embedding()
    with torch.no_grad():
        made.codes.copy_(torch.randn(50, 10, generator=draw(6)))
    condition = torch.randn(48, generator=draw(7))
    x = torch.cat([condition.expand(50, -1), made.codes], dim=1).double()
    for number, layer in enumerate(made.layers):
        v = layer.direction.double()
        weight = layer.length.double()[:, None] * v / v.norm(dim=1, keepdim=True)
        x = x @ weight.T + layer.bias.double()
        x = torch.nn.functional.softplus(x, 100) if number < len(made.layers) - 1 else x
    np.testing.assert_allclose(made(condition)[1].detach(), x.detach(), atol=2e-5)


def test_the_published_start_is_one_and_the_other_is_nothing():
    published, (last,) = embedding(), embedding().layers[-1:]
    assert last.direction.mean().item() == pytest.approx(-np.sqrt(np.pi / 32), abs=1e-4)
    assert published(torch.zeros(48))[1].mean().item() == pytest.approx(1, abs=0.5)
    assert embedding(start="at the mean")(torch.ones(48) / 4)[1].abs().max() < 1e-3


def test_the_start_says_the_template_s_weights_again():
    weights = torch.from_numpy(np.array(the_open_hand().weights)).float()
    made = FeatureEmbedding(log_weights(weights), 48, 16, 5, draw())
    values, _ = made.values(torch.zeros(len(weights), 10))
    assert (values.softmax(1) - weights).abs().max() < 2e-5
    exact = log_weights(weights.double()).softmax(1)
    assert (exact - (weights.double() + 1e-6) / (1 + 16e-6)).abs().max() < 1e-7


def test_a_frozen_embedding_says_the_same():
    made = embedding()
    with torch.no_grad():
        made.codes.copy_(torch.randn(50, 10, generator=draw(6)))
    condition = torch.randn(48, generator=draw(7))
    for one, other in zip(FrozenEmbedding(made)(condition), made(condition), strict=True):
        np.testing.assert_allclose(one, other.detach(), atol=1e-5)


# The renderer


def seen(pixels: int = 7, grad: bool = False) -> Seen:
    sizes = (3, 3, 3, 3, 40, 3)
    parts = [torch.rand(pixels, n, generator=draw(n), requires_grad=grad) for n in sizes]
    return Seen(*parts, torch.rand(48, generator=draw(9)))


def test_the_renderer_takes_271_numbers_of_which_an_encoding_has_87():
    made = NeuralRenderer(40, 48, 256, draw())
    assert made.inputs == 271
    assert positional_encoding(torch.zeros(1, 3)).shape == (1, 87)
    assert [tuple(w.shape) for w in made.weights] == [
        (256, 271), (256, 256), (256, 256), (256, 527), (256, 256), (256, 256), (256, 256), (3, 256)
    ]  # fmt: skip
    assert made(seen()).shape == (7, 3)


def test_the_renderer_is_the_network_that_its_formula_says():
    made, given = NeuralRenderer(40, 48, 24, draw()), seen()
    whole = torch.cat([given.features(), given.pose.expand(7, -1)], dim=1)
    x = whole
    for layer, (weight, bias) in enumerate(zip(made.weights, made.biases, strict=True)):
        x = torch.cat([x, whole], dim=1) if layer == 3 else x
        x = x @ weight.T + bias
        x = x.relu() if layer < 7 else x.sigmoid()
    np.testing.assert_allclose(made(given).detach(), x.detach(), atol=1e-6)


# The whole


def test_the_renderer_bends_no_geometry():
    made = avatar()
    turned = torch.zeros(16, 3, requires_grad=True)
    posed = made(turned, torch.zeros(3), 1.0)
    shown = show(posed, made.faces, made.edges, Cameras.of([camera()], "cpu"))
    made.paint(posed, shown, shown.shaded(made.gammas()[:1])).sum().backward()
    touched = {name for name, p in made.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert turned.grad is None
    assert {name.split(".")[0] for name in touched} == {"renderer", "render_codes"}


def test_shading_bends_geometry_and_lights():
    made = avatar()
    posed = made(torch.zeros(16, 3), torch.zeros(3), 1.0)
    shown = show(posed, made.faces, made.edges, Cameras.of([camera()], "cpu"))
    shown.picture(shown.shaded(made.gammas()[:1])).pow(2).sum().backward()
    touched = {name.split(".")[0] for name, p in made.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert {"displacement", "albedo", "weights", "lights"} <= touched


def test_an_untrained_avatar_is_the_template_in_grey():
    template = the_open_hand()
    made = Avatar(template, 1, dataclasses.replace(BUILD, stage=""), draw())
    posed = made.freeze().pose(np.zeros((16, 3)), translation=(1, 2, 3), scale=2.0)
    np.testing.assert_allclose(posed.vertices, 2 * template.vertices + [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(posed.albedo, 0.5)
    light = made.gammas()[0]
    assert torch.equal(light[0], torch.full((3,), FIRST_LIGHT))
    assert not light[1:].any()
    picture = made.shaded(camera(), light)
    inside = picture[..., 3] == 1
    expected = 0.5 * FIRST_LIGHT * float(harmonics(torch.tensor([0.0, 0, 1]))[0])
    np.testing.assert_allclose(picture[inside][:, :3], min(expected, 1), atol=1e-5)


def test_an_avatar_comes_back_from_its_artifact_as_it_was():
    made = avatar()
    again = Avatar.of(artifact(made))
    turned = 0.3 * np.random.default_rng(0).normal(size=(16, 3))
    before = made(torch.from_numpy(turned).float(), torch.zeros(3), 1.0)
    after = again.pose(turned)
    np.testing.assert_allclose(after.vertices, before.vertices.detach(), atol=1e-6)
    np.testing.assert_allclose(after.albedo, before.albedo.detach(), atol=1e-5)
    assert again.has_renderer
    assert capture_camera(artifact(made), 1).pixels(made.template.vertices)[0] == pytest.approx(
        camera(32).pixels(made.template.vertices)[0]
    )


def test_pictures_follow_pose_camera_and_light_and_are_kept_while_they_stay():
    made = Avatar.of(artifact(avatar()))
    first = made.pose(np.zeros((16, 3)))
    assert made.pose(np.zeros((16, 3))) is first
    shown = made.shown(camera())
    assert made.shown(camera()) is shown
    before = made.shaded(camera())
    assert torch.equal(made.shaded(camera()), before)
    assert not torch.equal(made.shaded(camera(), 2 * np.asarray(made.common_light())), before)
    assert made.shaded(camera(32)).shape == (32, 32, 4)
    bent = np.zeros((16, 3))
    bent[1:, 0] = 0.5
    assert made.pose(bent) is not first
    assert not torch.equal(made.shaded(camera()), before)


def test_the_neural_picture_is_the_renderer_s_where_the_hand_is():
    made = Avatar.of(artifact(avatar()))
    picture = made.neural(camera())
    assert not picture[picture[..., 3] == 0].any()
    shown, posed = made.shown(camera()), made.pose(np.zeros((16, 3)))
    with torch.no_grad():
        colours = made.paint(posed, shown, made.shaded_seen(shown))
    np.testing.assert_allclose(picture, shown.picture(colours)[0], atol=1e-6)
    away = (picture.flatten(0, 1)[shown.pixels][:, :3] - colours).abs().amax(1)
    assert (away < 1e-6).float().mean() > 0.6, "only pixels at silhouettes are blended"


def test_rays_go_through_the_pixels():
    cam = camera(16)
    pixels = torch.tensor([0, 17, 255])
    expected = cam.rays()[0].reshape(-1, 3)[pixels]
    np.testing.assert_allclose(Cameras.of([cam], "cpu").rays(pixels), expected, atol=1e-6)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a.replace(config='{"levels": 1}'),
        lambda a: a.replace(config='{"renderer_width": -3}'),
        lambda a: a.replace(weights={k: v for k, v in a.weights.items() if k != "lights"}),
        lambda a: a.replace(weights={**a.weights, "lights": np.zeros((3, 9, 3), np.float32)}),
    ],
)
def test_a_damaged_avatar_is_refused_in_words(spoil):
    with pytest.raises(UserError, match="avatar"):
        Avatar.of(spoil(artifact(avatar())))


@pytest.mark.parametrize("pose", [np.zeros((15, 3)), np.zeros((16, 3, 3)), np.full((16, 3), np.nan)])
def test_a_pose_of_other_joints_is_refused(pose):
    with pytest.raises(UserError, match="pose"):
        Avatar.of(artifact(avatar())).pose(pose)


# Losses


def test_smoothing_by_parts_leaves_the_smooth_quarter_alone():
    template = subdivided(the_open_hand(), 0)
    values = torch.randn(len(template.vertices), 3, generator=draw(3))
    parts = Smoothing(template.faces, template.vertices, "by parts", 0.25)
    alike = Smoothing(template.faces, template.vertices, "uniform", 0.25)
    whole = parts.all_of(values)
    torch.testing.assert_close(parts.rough(values) + parts.fine(values), whole, rtol=1e-3, atol=0)
    assert 0.75 * whole < parts.rough(values) < whole
    assert alike.rough(values) == alike.fine(values) == whole
    none = Smoothing(template.faces, template.vertices, "by parts", 0.25, torch.zeros(len(template.vertices)))
    assert none.rough(values) == 0


def test_likeness_grows_with_noise_and_with_blur():
    distance = Likeness(torch.device("cpu"))
    truth = torch.rand(1, 4, 4, 3, generator=draw(8)).permute(0, 3, 1, 2)
    truth = torch.nn.functional.interpolate(truth, size=(32, 32), mode="nearest").permute(0, 2, 3, 1)
    noise = torch.randn(truth.shape, generator=draw(9))
    assert distance(truth, truth) == pytest.approx(0, abs=1e-6)
    found = [distance((truth + s * noise).clamp(0, 1), truth).item() for s in (0.02, 0.1, 0.3)]
    assert 0 < found[0] < found[1] < found[2]
    asking = (truth + 0.1 * noise).requires_grad_()
    distance(asking, truth).backward()
    assert torch.isfinite(asking.grad).all()


def test_mean_albedo_is_of_red_green_and_blue_in_this_order():
    assert mean_albedo(torch.tensor([[0.44126652, 0.36127372, 0.31996773]])) == 0
    assert mean_albedo(torch.tensor([[0.31996773, 0.36127372, 0.44126652]])) > 1e-3
