"""Pictures of hands, as the renderer makes them."""

from dataclasses import replace

import numpy as np

from app.viewers.hand_content import HandChoice
from app.viewers.hand_render import HandRenderer, HandRequest, Light
from engines.blocks.avatars.avatar import Avatar
from engines.blocks.avatars.hand_poses import hand_frame
from engines.blocks.avatars.key_poses import HandPose
from tests.viewers.hands.made import open_hand, pose_of, request, small_avatar, small_capture

# ---- templates --------------------------------------------------------------------------------------------


def test_the_hand_is_drawn_over_its_background():
    black = HandRenderer().draw(request(size=80))
    covered = black.depth > 0
    assert 0.1 < covered.mean() < 0.6
    assert (black.picture[~covered].max(1) < 200).all()
    assert black.picture[covered].astype(int).max(1).mean() > 60
    white = HandRenderer().draw(request(size=80, background=((1.0,) * 3,) * 2))
    outside = ~covered & ~np.roll(covered, 1, 0) & ~np.roll(covered, -1, 0) & ~np.roll(covered, 1, 1)
    outside &= ~np.roll(covered, -1, 1)
    assert (white.picture[outside] > 250).mean() > 0.99


def test_the_lamp_lights_the_side_that_it_is_on():
    def brightness(direction):
        light = Light(direction, strength=1.0, ambient=0.1)
        return HandRenderer().draw(request(light=light)).picture.astype(float).sum(2)

    left, right = brightness((-1.0, 0.0, 0.1)), brightness((1.0, 0.0, 0.1))
    # The palm bulges: what faces to the left is brighter in light from the left.
    normals = HandRenderer().draw(request(mode="normals")).picture[..., 0].astype(float)
    there = left + right > 0
    assert np.corrcoef((right - left)[there], normals[there])[0, 1] > 0.9


def test_a_mirrored_hand_is_that_of_the_mirrored_template():
    hand = open_hand()
    frame = hand_frame(hand)
    mirror = np.eye(3) - 2 * np.outer(frame.across, frame.across)

    def reflected(points):
        return (points - hand.joints[0]) @ mirror + hand.joints[0]

    other = hand.replace(
        vertices=reflected(hand.vertices), joints=reflected(hand.joints), faces=hand.faces[:, ::-1].copy(),
        axes=-hand.axes @ mirror, side="left",
    )  # fmt: skip
    wanted = request(hand, "pinch", size=72, mode="normals")
    turned_about = HandPose.of(-wanted.pose.rotations @ mirror)
    found = HandRenderer().draw(replace(wanted, mirrored=True)).picture.astype(int)
    truth = HandRenderer().draw(replace(wanted, hand=other, pose=turned_about)).picture.astype(int)
    assert (np.abs(found - truth).max(2) <= 2).mean() > 0.995
    plain = HandRenderer().draw(wanted).picture.astype(int)
    assert (np.abs(plain - truth).max(2) > 20).mean() > 0.1


def test_weights_are_shown_in_the_colours_of_the_map():
    hand = open_hand()
    frame = HandRenderer().draw(request(mode="weight", joint=hand.joint_names.index("index2")))
    yellow = (frame.picture[..., 0] > 120) & (frame.picture[..., 2] < 90) & (frame.depth > 0)
    assert 5 < yellow.sum() < 0.1 * (frame.depth > 0).sum()
    assert frame.value_range == (0.0, 1.0)


# ---- avatars ----------------------------------------------------------------------------------------------


def test_an_avatar_is_drawn_as_its_networks_say_neural_and_shaded():
    avatar, renderer = small_avatar(), HandRenderer()
    wanted = replace(request(size=72), hand=avatar, pose=pose_of("open"), light=Light(captured=True))
    live = Avatar.of(avatar)
    live.pose(pose_of("open").rotations)
    for mode, truth in (("neural", live.neural), ("shaded", live.shaded)):
        found = renderer.draw(replace(wanted, mode=mode)).layer
        expected = truth(wanted.camera).numpy()
        inside = (expected[..., 3] > 0.999) & (found[..., 3] > 0.999)
        assert inside.sum() > 500
        # The neural picture is the same; the shaded one is the mean of four samples of each pixel.
        limit = 1e-4 if mode == "neural" else 0.25
        assert np.abs(found - expected)[inside].max() < limit
        assert np.abs(found - expected)[inside].mean() < 0.02
    renderer._pixel_rate = 1.0  # as on a slow machine: in bands
    bands = renderer.draw(replace(wanted, mode="neural"))
    assert np.abs(bands.layer - live.neural(wanted.camera).numpy()).max() < 1e-4


def test_the_light_of_a_camera_is_known_where_it_stood():
    avatar, renderer = small_avatar(), HandRenderer()
    seen = {}
    for view in (0, 1):
        choice = HandChoice("a", "", avatar, small_capture())
        wanted = HandRequest(avatar, choice.home, choice.camera(0, view), "shaded", light=Light(captured=True))
        gammas = renderer.body(avatar).gammas(wanted.camera)
        assert np.allclose(gammas, Avatar.of(avatar).gammas()[view])
        seen[view] = renderer.draw(wanted).layer[..., :3].max()
    assert seen[1] > seen[0]


def test_a_drag_keeps_detail_for_a_moment_and_then_finds_it():
    avatar, renderer = small_avatar(), HandRenderer()
    body = renderer.body(avatar)
    first = renderer.surface(avatar, pose_of("open"), ())
    assert first.exact
    body._seconds = 60.0  # as of a large network
    quick = renderer.surface(avatar, pose_of("fist"), (), quick=True)
    assert not quick.exact
    exact = renderer.surface(avatar, pose_of("fist"), ())
    assert exact.exact
    assert float((quick.vertices - exact.vertices).norm(dim=1).max()) < 0.002  # the detail alone differs
    assert float((exact.vertices - first.vertices).norm(dim=1).max()) > 0.05
