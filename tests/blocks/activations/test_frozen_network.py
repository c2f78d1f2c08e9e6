"""Networks worked off at once against their layers one by one, in double precision."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from engines.blocks import compiled_library
from engines.blocks.activations.frozen_network import FrozenNetwork

AFTER = {
    "nothing": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": lambda x: torch.logaddexp(100 * x, torch.zeros_like(x)) / 100,
}


def network(sizes: list[int], joined: int | None = None, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for layer, (before, after) in enumerate(pairwise(sizes)):
        fan = before + (sizes[0] if layer == joined else 0)
        weights.append(torch.randn(after, fan, generator=draw) * (2 / fan) ** 0.5)
        biases.append(0.3 * torch.randn(after, generator=draw))
    return weights, biases


def one_by_one(x: Tensor, weights: list[Tensor], biases: list[Tensor], between: str, last: str, joined: int | None):
    start = x = x.double()
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = (torch.cat([x, start], dim=1) if layer == joined else x) @ weight.double().T + bias.double()
        name = last if layer == len(weights) - 1 else between
        x = AFTER[name](x)
    return x


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("sizes", "between", "last", "joined"),
    [
        ([10, 64, 64, 10], "softplus", "nothing", None),
        ([223, 48, 48, 48, 3], "relu", "sigmoid", 2),
        ([5, 17, 300, 33, 1], "relu", "nothing", 1),
        ([300, 20], "relu", "softplus", None),
        ([7, 16, 16], "nothing", "relu", None),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 5, 48, 1001])
def test_it_is_its_layers_one_by_one(sizes, between, last, joined, rows, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(compiled_library, "load", lambda *_: None)
    weights, biases = network(sizes, joined)
    found = FrozenNetwork(weights, between, last, beta=100.0, joined=joined)
    assert found.serves == compiled
    x = torch.randn(rows, sizes[0], generator=torch.Generator().manual_seed(1))
    expected = one_by_one(x, weights, biases, between, last, joined)
    torch.testing.assert_close(found(x, biases).double(), expected, atol=2e-5, rtol=1e-5)


def test_rows_of_any_layout_and_other_biases():
    weights, biases = network([6, 32, 4])
    found = FrozenNetwork(weights, "relu")
    x = torch.randn(6, 200, generator=torch.Generator().manual_seed(1)).T
    others = [bias + 1 for bias in biases]
    for given in (biases, others):
        expected = one_by_one(x, weights, given, "relu", "nothing", None)
        torch.testing.assert_close(found(x, given).double(), expected, atol=1e-5, rtol=1e-5)
    weights[0].zero_()  # it keeps what it was made of
    torch.testing.assert_close(found(x, others).double(), expected, atol=1e-5, rtol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    weights, biases = network([10, 64, 64, 10])
    found = FrozenNetwork(weights, "softplus", beta=100.0)
    x = torch.randn(2000, 10, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        answers = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(found(x, biases))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


def test_double_precision_goes_by_torch():
    weights, biases = ([part.double() for part in parts] for parts in network([4, 8, 2]))
    found = FrozenNetwork(weights, "softplus", beta=100.0)
    assert not found.serves
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(
        found(x, biases), one_by_one(x, weights, biases, "softplus", "nothing", None), atol=1e-9, rtol=1e-9
    )
