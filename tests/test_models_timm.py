"""Networks of timm: its own weights and adaptations, local files, sizes, normalisation, and messages."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import timm
import torch
from torch.nn import functional as F

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.models import Recipe, build_classifier, load_classifier, load_foreign, save_classifier
from freqmaps.models._pretrained import normalisation
from tests.tiny_models import images

SHAPE = {"classes": 7, "channels": 3, "size": 32}


def build(name, *, shape=SHAPE, **parameters):
    return build_classifier("timm_model", {"name": name, **parameters}, **shape).eval()


def weights_of(tmp_path, name):
    torch.manual_seed(4)
    net = timm.create_model(name).eval()
    path = tmp_path / f"{name}.pth"
    torch.save(net.state_dict(), path)
    return net, str(path)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_local_weights_are_those_of_timms_own_network(name, tmp_path):
    net, path = weights_of(tmp_path, name)
    ours = build(name, pretrained=path)
    batch = images(2, 3, 32)
    with torch.no_grad():
        assert torch.allclose(ours.net.forward_features(batch), net.forward_features(batch), atol=1e-5)
        assert ours(batch).shape == (2, 7)


def test_a_grey_image_gives_what_three_equal_channels_give(tmp_path):
    net, path = weights_of(tmp_path, "test_resnet")
    ours = build("test_resnet", shape=SHAPE | {"channels": 1}, pretrained=path)
    batch = images(2, 1, 32)
    with torch.no_grad():
        expected = net.forward_features(batch.expand(-1, 3, -1, -1))
        assert torch.allclose(ours.net.forward_features(batch), expected, atol=1e-4)


def test_images_are_scaled_to_the_size_of_the_weights(tmp_path):
    net, path = weights_of(tmp_path, "test_vit")
    ours = build("test_vit", pretrained=path, scale=True)
    side = net.pretrained_cfg["input_size"][-1]
    batch = images(2, 3, 32)
    large = F.interpolate(batch, (side, side), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = net.forward_head(net.forward_features(large), pre_logits=True)
        found = ours.net.forward_head(ours.net.forward_features(large), pre_logits=True)
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.allclose(ours(batch), ours.net.head(expected), atol=1e-4)
    small = build("test_vit", pretrained=path)  # position embeddings for the images' own size
    assert small.net.pos_embed.shape[1] < net.pos_embed.shape[1]


def test_normalisation_of_the_pretrained_configuration():
    recipe = Recipe("timm_model", {"name": "test_efficientnet", "scale": True, "pretrained": "absent.pth"}, **SHAPE)
    cfg = timm.get_pretrained_cfg("test_efficientnet")
    assert normalisation(recipe) == {"mean": pytest.approx(cfg.mean), "std": pytest.approx(cfg.std)}
    grey = normalisation(replace(recipe, channels=1))
    assert grey == {"mean": [pytest.approx(sum(cfg.mean) / 3)], "std": [pytest.approx(sum(cfg.std) / 3)]}
    with pytest.raises(FreqmapsError, match="'pretrained' needs an architecture that says how its weights"):
        normalisation(Recipe("small_cnn", {}, **SHAPE))


def test_a_saved_network_scales_its_images_again(tmp_path):
    ours = build("test_vit", scale=True)
    save_classifier(tmp_path, ours)
    with torch.no_grad():
        assert torch.equal(load_classifier(tmp_path)(images(2, 3, 32)), ours(images(2, 3, 32)))


def test_a_checkpoint_of_a_network_that_timm_made(tmp_path):
    net = timm.create_model("test_resnet", num_classes=7).eval()
    torch.save({"state_dict": net.state_dict()}, tmp_path / "a.pth")
    ours = build("test_resnet")
    load_foreign(tmp_path / "a.pth", ours)
    with torch.no_grad():
        assert torch.equal(ours(images(2, 3, 32)), net(images(2, 3, 32)))


def test_mistakes_are_one_sentence(tmp_path):
    _, other = weights_of(tmp_path, "test_vit")
    broken = tmp_path / "broken.pth"
    state = timm.create_model("test_resnet").state_dict()
    torch.save(state | {"fc.bias": torch.full_like(state["fc.bias"], torch.nan)}, broken)
    cases = [
        ("test_resnt", {}, "no model named 'test_resnt'; the nearest are test_resnet"),
        ("test_resnet.nope", {}, "timm knows no weights 'test_resnet.nope'"),
        ("test_resnet", {"pretrained": str(tmp_path / "absent.pth")}, "no such file of weights"),
        ("test_resnet", {"pretrained": other}, "cannot be made for images of side 32"),
        ("test_resnet", {"pretrained": str(broken)}, "'fc.bias' holds NaN or infinity"),
    ]
    for name, given, message in cases:
        with pytest.raises(FreqmapsError, match=message) as caught:
            build(name, **given)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_without_timm_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match="the package timm is not installed; run pip install"):
        build("test_resnet")
