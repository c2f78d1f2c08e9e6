"""MANO files give their hand, and a pickle that wants anything else is refused by name."""

from __future__ import annotations

import os
import pickle
import struct

import numpy as np
import pytest

from engines.blocks.hand_anatomy import MANO_NAMES
from engines.core import UserError
from engines.files import read
from engines.files.mano import ManoOptions, mano_model
from engines.files.pickled import unpickled
from engines.files.rigged_glb import the_open_hand
from tests.files import mano_files


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_the_model_of_all_protocols(protocol, tmp_path):
    given = mano_files.contents("left")
    path = mano_files.write(tmp_path / "MANO_LEFT.pkl", given, protocol)
    loaded = read(path)
    hand, mean = loaded.artifacts
    true = the_open_hand("left")
    assert loaded.problems == ()
    assert hand.side == "left"
    assert hand.joint_names == MANO_NAMES
    assert np.array_equal(hand.vertices, true.vertices)
    assert np.array_equal(hand.faces, true.faces)
    np.testing.assert_allclose(hand.joints, true.joints, atol=1e-9)
    np.testing.assert_allclose(hand.weights, true.weights, atol=1e-12)
    assert np.degrees(np.arccos(np.clip((hand.axes * true.axes).sum(2), -1, 1))).max() < 15
    assert np.array_equal(mean.rotations[0, 1:].reshape(-1), given["hands_mean"])
    assert not mean.rotations[0, 0].any()


def test_shapes_move_the_vertices_and_the_joints(tmp_path):
    given = mano_files.contents()
    path = mano_files.write(tmp_path / "hand.pkl", given)
    betas = np.array([1.5, -2.0, 0.5])
    hand = read(path, ManoOptions(shape=tuple(betas))).artifacts[0]
    expected = given["v_template"] + given["shapedirs"][:, :, :3] @ betas
    np.testing.assert_allclose(hand.vertices, expected, atol=1e-12)
    np.testing.assert_allclose(hand.joints, given["J_regressor"] @ expected, atol=1e-12)
    assert hand.side == "right"  # by its shape
    with pytest.raises(UserError, match="11 weights of shapes"):
        read(path, ManoOptions(shape=(0.0,) * 11))


def test_the_wrong_sign_of_a_left_hand_is_turned_if_the_right_one_tells(tmp_path):
    right, left = mano_files.contents(), mano_files.contents("left")
    path = mano_files.write(tmp_path / "MANO_LEFT.pkl", left)
    found = read(path, ManoOptions(shape=(1.0,)))
    assert "cannot be told" in found.problems[0]
    plain = found.artifacts[0].vertices
    mano_files.write(tmp_path / "MANO_RIGHT.pkl", right)  # with the same shapes
    found = read(path, ManoOptions(shape=(1.0,)))
    assert "sign of x was turned" in found.problems[0]
    moved = found.artifacts[0].vertices - left["v_template"]
    np.testing.assert_allclose(moved, (plain - left["v_template"]) * [-1, 1, 1], atol=1e-12)
    good = left["shapedirs"] * np.array([-1.0, 1, 1])[:, None] * 10
    found = read(mano_files.write(path, left | {"shapedirs": good}), ManoOptions(shape=(1.0,)))
    assert found.problems == ()
    np.testing.assert_allclose(found.artifacts[0].vertices - left["v_template"], good[:, :, 0], atol=1e-12)


class _Runs:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "system"), (eval, "eval"), (getattr, "getattr"), (np.load, "numpy.load"), (open, "open")],
)
def test_hostile_pickles_are_refused_by_name_and_run_nothing(function, name, protocol, tmp_path):
    marker = tmp_path / "ran"
    argument = {"system": f"touch {marker}", "eval": f"open({str(marker)!r}, 'w')"}.get(name, str(marker))
    given = mano_files.small() | {"hands_mean": _Runs(function, argument, *(["w"] if name == "open" else []))}
    path = mano_files.write(tmp_path / "MANO_RIGHT.pkl", given, protocol)
    with pytest.raises(UserError, match=f"asks for '[a-z_.]*{name}'") as refused:
        read(path)
    assert "nothing was executed" in refused.value.why
    assert not marker.exists()


HOSTILE = {
    "a class of the program": b"cengines.core\nMethod\n.",
    "by the stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "an instance": b"(S'ls'\nios\nsystem\n.",
    "attributes of a class": b"cnumpy\nndarray\n}(X\x04\x00\x00\x00makecnumpy\ndtype\nub.",
    "calling a list": b"](K\x01a)R.",
    "a memory of four billion": b"\x80\x02]r" + struct.pack("<I", 2**32 - 1) + b".",
    "a bytearray of a terabyte": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    "a text of a terabyte": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b".",
    "a key that is nested deeply": b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.",
    "a set": b"\x80\x04\x8f(K\x01\x90.",
    "someone else's object": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an extension": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_programs_that_only_look_like_numbers(name, tmp_path):
    (tmp_path / "x.pkl").write_bytes(HOSTILE[name])
    with pytest.raises(UserError) as refused:
        read(tmp_path / "x.pkl")
    assert refused.value.mend


def test_arrays_that_do_not_fit_their_bytes(tmp_path):
    for shape in ((10**9, 10**9), (-1, 3), (3,)):
        blob = pickle.dumps(np.arange(2.0), protocol=2).replace(b"K\x02\x85", _tuple(shape), 1)
        given = b"\x80\x02}X\x0a\x00\x00\x00v_template" + blob[2:-1] + b"s."
        (tmp_path / "x.pkl").write_bytes(given)
        assert "v_template" in unpickled(tmp_path / "x.pkl")
        with pytest.raises(UserError, match="is no hand model"):
            read(tmp_path / "x.pkl")


def _tuple(numbers):
    return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in numbers) + b"t"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("weights", np.ones((3, 16)), "'weights' is 3×16"),
        ("J_regressor", np.ones((16, 5)), "'J_regressor' is 16×5"),
        ("v_template", np.full((1159, 3), np.nan), "not finite"),
        ("f", np.full((4, 3), 5000), "does not exist"),
        ("kintree_table", np.zeros((2, 16)), "no tree"),
        ("kintree_table", np.full((2, 16), 99), "no tree"),
        ("v_template", None, "v_template"),
    ],
)
def test_wrong_models_are_refused_in_words(key, value, words, tmp_path):
    path = mano_files.write(tmp_path / "m.pkl", mano_files.contents() | {key: value})
    with pytest.raises(UserError, match=words) as refused:
        mano_model(path, "automatic", []).template()
    assert refused.value.mend


def test_weights_that_miss_one_are_normalised_and_told(tmp_path):
    given = mano_files.contents()
    loaded = read(mano_files.write(tmp_path / "m.pkl", given | {"weights": given["weights"] * 1.5}))
    assert "miss 1" in loaded.problems[0]
    np.testing.assert_allclose(loaded.artifacts[0].weights, given["weights"], atol=1e-12)
