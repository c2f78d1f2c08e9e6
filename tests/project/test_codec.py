"""Every artifact comes back as it was, through a saved and reopened file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.project import Project
from app.project.codec import describe
from engines.core import Artifact, UserError
from engines.data import Mesh
from tests.project.samples import Odd, samples


def through_file(artifact: Artifact, path) -> Artifact:
    with Project.new() as project:
        key = project.add(artifact).id
        project.save(path)
    with Project.open(path) as project:
        assert project.problems == ()
        return project.artifact(key)


def assert_same(a: Artifact, b: Artifact) -> None:
    assert type(a) is type(b)
    assert a.content_hash() == b.content_hash()
    left, right = a.parts(), b.parts()
    assert list(left) == list(right)  # the order of columns and series too
    for key, values in left.items():
        assert values.dtype == right[key].dtype, key
        np.testing.assert_array_equal(values, right[key])
        assert not right[key].flags.writeable


@pytest.mark.parametrize("name", samples())
def test_each_type_comes_back_unchanged(name, tmp_path):
    artifact = samples()[name]
    assert_same(artifact, through_file(artifact, tmp_path / "p.fieldwright"))


def test_there_is_a_sample_of_every_registered_type():
    known = {key for key, cls in Artifact.registry.items() if cls.__module__.startswith("engines.")}
    assert known <= {key.split(",")[0] for key in samples()}


def test_each_field_comes_back_with_its_own_type(tmp_path):
    odd = samples()["Odd"]
    back = through_file(odd, tmp_path / "p.fieldwright")
    for key in ("labels", "pairs", "words", "text", "count", "ratio", "flag", "level"):
        assert getattr(back, key) == getattr(odd, key)
        assert type(getattr(back, key)) is type(getattr(odd, key))
    assert back.inner.name == "nested name"


dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(max_len=5),
    hnp.byte_string_dtypes(max_len=5),
    hnp.datetime64_dtypes(endianness="="),
)
any_array = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=5))


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    data=any_array,
    parts=st.dictionaries(st.text(max_size=300), any_array, max_size=4),
    text=st.text(),
    words=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    labels=st.lists(st.text(max_size=9), max_size=4),
    count=st.integers(),
    ratio=st.floats(allow_nan=False),
)
def test_any_content_comes_back(tmp_path_factory, data, parts, text, words, labels, count, ratio):
    odd = Odd(data=data, parts_by_name=parts, text=text, words=words, labels=tuple(labels), count=count, ratio=ratio)
    back = through_file(odd, tmp_path_factory.mktemp("any") / "p.fieldwright")
    for key in ("text", "words", "labels", "count", "ratio"):
        assert getattr(back, key) == getattr(odd, key)
    for key, values in odd.parts().items():
        assert back.parts()[key].dtype == values.dtype
        np.testing.assert_array_equal(back.parts()[key], values)


@pytest.mark.parametrize(
    "shape", [(300_000,), (1, 300_000), (300_000, 1), (70, 80, 90), (3, 5, 7, 9, 301), (2, 1, 0, 4)]
)
def test_large_arrays_of_any_shape(shape, tmp_path):
    draw = np.random.default_rng(0)
    for values in (draw.normal(size=shape), np.broadcast_to(np.float32(2.5), shape), draw.integers(0, 3, shape)):
        odd = Odd(data=values)
        assert_same(odd, through_file(odd, tmp_path / "p.fieldwright"))


def test_objects_are_refused(tmp_path):
    with Project.new() as project:
        project.add(Odd(data=np.zeros(3), words={"a": object()}))
        with pytest.raises(UserError, match="cannot be saved"):
            project.save(tmp_path / "p.fieldwright")


def test_layout_follows_from_the_declaration():
    rows = {row.name: row for row in describe(Mesh)}
    assert rows["vertices"].kind == "array"
    assert rows["vertices"].shape == "V 3"
    assert rows["scalars"].kind == "arrays"
    assert rows["normals"].optional
    assert rows["unit"].kind == "value"
