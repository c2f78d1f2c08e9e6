"""LPIPS with random weights against the formula written out, and what is said without weights."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from engines.blocks import lpips
from engines.core import Run

CPU = torch.device("cpu")


def weights(folder, network, seed=0):
    """Files as torchvision and the package lpips write them."""
    draw = torch.Generator().manual_seed(seed)
    held, channels = {"classifier.0.bias": torch.zeros(3)}, 3
    for conv in network.convolutions:
        shape = (conv.channels, channels, conv.kernel, conv.kernel)
        held[f"features.{conv.number}.weight"] = torch.randn(shape, generator=draw) / np.sqrt(np.prod(shape[1:]) / 2)
        held[f"features.{conv.number}.bias"] = 0.1 * torch.randn(conv.channels, generator=draw)
        channels = conv.channels
    ends = [c.channels for c in network.convolutions if c.ends]
    shares = {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1, generator=draw) for i, n in enumerate(ends)}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(held, folder / network.files[0].replace("*", "-random"))
    torch.save(shares, folder / network.files[1])
    return held, shares


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(lpips.FOLDER, str(tmp_path / "weights"))
    return tmp_path / "weights"


def images(side=40):
    rng = np.random.default_rng(3)
    first = rng.uniform(size=(3, side, side + 3)).astype(np.float32)
    return torch.from_numpy(first), torch.from_numpy(np.clip(first + 0.1 * rng.normal(size=first.shape), 0, 1)).float()


def by_hand(network, held, shares, image):
    """Each convolution as a sum of correlations, each maximum by comparing pixels; float64."""
    x = ((2 * image.double().numpy() - 1) - np.array(lpips.SHIFT)[:, None, None]) / np.array(lpips.SCALE)[:, None, None]
    for conv in network.convolutions:
        if conv.number in network.pools:
            high = [(s - network.window) // 2 + 1 for s in x.shape[1:]]
            x = np.max([x[:, i : i + 2 * high[0] - 1 : 2, j : j + 2 * high[1] - 1 : 2]
                        for i in range(network.window) for j in range(network.window)], axis=0)  # fmt: skip
        weight = held[f"features.{conv.number}.weight"].double().numpy()
        padded = np.pad(x, [(0, 0), *[(conv.padding, conv.padding)] * 2])
        planes = [correlate(padded, kernel, "valid", "fft")[0] for kernel in weight]
        x = np.stack(planes)[:, :: conv.stride, :: conv.stride]
        x = np.maximum(x + held[f"features.{conv.number}.bias"].double().numpy()[:, None, None], 0)
        if conv.ends:
            yield x / (np.linalg.norm(x, axis=0) + 1e-10)


@pytest.mark.parametrize("network", lpips.NETWORKS[1:], ids=["AlexNet"])
def test_it_is_the_formula(network, folder):
    held, shares = weights(folder, network)
    found, said = lpips.find(CPU)
    assert said == ""
    assert found.title == f"LPIPS ({network.title})"
    image, truth = images()
    wanted = 0.0
    pairs = zip(by_hand(network, held, shares, image), by_hand(network, held, shares, truth), strict=True)
    for layer, (a, b) in enumerate(pairs):
        w = shares[f"lin{layer}.model.1.weight"].double().numpy().reshape(-1, 1, 1)
        wanted += (w * (a - b) ** 2).sum(0).mean()
    assert found(image, truth) == pytest.approx(wanted, rel=1e-4)
    assert found(image, image) == 0
    assert found(truth, image) == found(image, truth)
    assert found(image, truth) > found(image, 0.7 * image + 0.3 * truth) > 0
    assert np.isnan(found(image[:, :20], truth[:, :20])), "too small for the network"


def test_the_layers_of_vgg_are_those_before_each_pool(folder):
    weights(folder, lpips.NETWORKS[0])
    weights(folder, lpips.NETWORKS[1])
    found, _ = lpips.find(CPU)
    assert found.title == "LPIPS (VGG)", "it is what papers report"
    shapes = [tuple(f.shape) for f in found.features(images(32)[0])]
    assert shapes == [(64, 32, 35), (128, 16, 17), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    assert all(torch.allclose(f.norm(dim=0)[f.norm(dim=0) > 0], torch.tensor(1.0)) for f in found.features(images()[0]))


def test_without_weights_it_says_how_to_get_them(folder):
    found, said = lpips.find(CPU)
    assert found is None
    assert str(folder) in said
    assert "vgg16-397923af.pth" in said
    network = lpips.NETWORKS[0]
    folder.mkdir()
    (folder / "vgg.pth").write_bytes(b"no weights")
    (folder / "vgg16-x.pth").write_bytes(b"no weights")
    found, said = lpips.find(CPU)
    assert found is None
    assert "cannot be used" in said
    _, shares = weights(folder, network)
    torch.save({**shares, "lin2.model.1.weight": torch.zeros(1, 7, 1, 1)}, folder / "vgg.pth")
    (folder / "vgg16-x.pth").unlink()
    assert "'lin2.model.1.weight' of shape 1×256×1×1 is not in it" in lpips.find(CPU)[1]


def test_scores_of_splats_have_it_when_weights_are_there(folder):
    from engines.shape.gaussian_splatting import few_photos, train

    photos = few_photos(3, 48, 60)
    params = train.params(iterations=3, sh_degree=0, limit=500)
    noted = []

    class Ear:
        def emit(self, event):
            noted.append(getattr(event, "text", ""))

        def wants_preview(self):
            return False

    scores = train.run(photos, params, Run(listener=Ear()))["scores"]
    assert list(scores.columns) == ["Photo", "PSNR", "SSIM"]
    assert any("LPIPS is not computed" in text for text in noted)
    weights(folder, lpips.NETWORKS[1])
    noted.clear()
    scores = train.run(photos, params, Run(listener=Ear()))["scores"]
    assert (scores.columns["LPIPS (AlexNet)"] > 0).all()
    assert any("LPIPS (AlexNet) 0." in text or "LPIPS (AlexNet) " in text for text in noted)
    assert not any("not computed" in text for text in noted)


def test_scores_of_a_resumed_run_that_had_no_weights_at_first(folder):
    from engines.blocks.image_scores import ImageScores

    image, truth = images()
    before = ImageScores(Run())(image, truth)
    assert len(before) == 2
    weights(folder, lpips.NETWORKS[1])
    score = ImageScores(Run())
    held = score.table([before, score(image, truth)])
    assert score.kinds == ("PSNR", "SSIM", "LPIPS (AlexNet)")
    assert held.shape == (2, 3)
    assert np.isnan(held[0, 2])
    assert held[1, 2] > 0
    assert score.words(held[1]).startswith(f"PSNR {held[1, 0]:.2f} dB, SSIM 0.")
