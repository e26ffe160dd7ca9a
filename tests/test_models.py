"""Models: sizes as published, one contract for all, normalisation inside."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as zoo

from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.models import (
    Classifier,
    Recipe,
    build_classifier,
    build_for_dataset,
    check_classifier,
    head,
    load_classifier,
    predict,
    save_classifier,
)
from tests.tiny_models import images, tiny


def count(model):
    return sum(p.numel() for p in model.parameters())


# --- sizes


@pytest.mark.parametrize(("depth", "published"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)])
def test_resnet_has_the_published_number_of_parameters(depth, published):
    """He et al., table 6: 0.27 M, 0.46 M, 0.66 M, 0.85 M."""
    build = components.load("model", "resnet_cifar")
    assert count(build(classes=10, channels=3, size=32, depth=depth)) == published


def test_preact_resnet18_has_as_many_parameters_as_its_layers():
    expected, inputs = 3 * 64 * 9, 64
    for out in (64, 128, 256, 512):
        expected += 9 * inputs * out + 3 * 9 * out * out + 2 * inputs + 6 * out
        expected += inputs * out if inputs != out else 0
        inputs = out
    expected += 2 * 512 + 512 * 10 + 10
    build = components.load("model", "preact_resnet18")
    assert count(build(classes=10, channels=3, size=32)) == expected == 11_172_170


def test_vgg11_equals_torchvisions():
    """Same layers in the same order: torchvision's weights fit and give the same logits."""
    build = components.load("model", "vgg11_bn")
    with torch.device("meta"):
        assert count(build(classes=1000, channels=3, size=224)) == count(zoo.vgg11_bn()) == 132_868_840
    ours = build(classes=10, channels=3, size=32, hidden=0, grid=1)
    theirs = zoo.vgg11_bn(init_weights=False).features
    ours.features.load_state_dict(theirs.state_dict(), strict=True)
    batch = images(2, 3, 64)
    with torch.no_grad():
        expected = nn.functional.adaptive_avg_pool2d(theirs.eval()(batch), 1)
        assert torch.allclose(ours.eval().features(batch), expected, atol=1e-6)


def test_resnet_shortcut_takes_every_second_pixel_and_adds_zero_channels():
    net = components.load("model", "resnet_cifar")(classes=3, channels=1, size=8, depth=8, width=4)
    block = net.stages[1][0].eval()
    nn.init.zeros_(block.conv2.weight)
    features = images(2, 4, 8)
    out = block(features)
    assert out.shape == (2, 8, 4, 4)
    expected = torch.zeros(2, 8, 4, 4)
    for y in range(4):
        for x in range(4):
            expected[:, 2:6, y, x] = features[:, :, 2 * y, 2 * x]
    assert torch.equal(out, expected)


def test_wrong_sizes_are_refused():
    with pytest.raises(FreqmapsError, match="depth 21 is not 6n"):
        components.load("model", "resnet_cifar")(classes=10, channels=3, size=32, depth=21)
    with pytest.raises(FreqmapsError, match="8×8 are too small"):
        components.load("model", "vgg11_bn")(classes=10, channels=1, size=8)


# --- the contract of all models


@pytest.mark.parametrize("name", components.names("model"))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_model_keeps_the_contract(name, channels, tmp_path):
    size = 32
    first = tiny(name, classes=7, channels=channels, size=size)
    state = torch.get_rng_state()
    again = tiny(name, classes=7, channels=channels, size=size)
    assert torch.equal(state, torch.get_rng_state())
    for (key, a), b in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), f"{key} differs between two builds with one seed"
    with torch.no_grad():
        assert first(images(3, channels, size)).shape == (3, 7)
    check_classifier(first.eval(), images(4, channels, size), where=name)
    assert head(first).out_features == 7
    save_classifier(tmp_path, first)
    loaded = load_classifier(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(images(3, channels, size)), first(images(3, channels, size)))


@pytest.mark.parametrize("name", [n for n in components.names("model") if n not in ("torchvision_model", "timm_model")])
def test_every_models_defaults_keep_their_ranges(name):
    resolved = components.resolve("model", name, {}, where="here", supplied=("classes", "channels", "size"))
    assert resolved


def test_own_factory_by_import_path(tmp_path, monkeypatch):
    (tmp_path / "mylab_nets.py").write_text(
        "from torch import nn\n"
        "def flat(*, classes, channels, size, hidden=5):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, hidden), nn.Linear(hidden, classes))\n"
        "def nothing(*, classes, channels, size):\n"
        "    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    classifier = build_classifier("mylab_nets:flat", {"hidden": 6}, classes=3, channels=1, size=4)
    assert head(classifier).in_features == 6
    save_classifier(tmp_path, classifier)
    assert torch.equal(head(load_classifier(tmp_path)).weight, head(classifier).weight)
    with pytest.raises(FreqmapsError, match="returned int"):
        build_classifier("mylab_nets:nothing", {}, classes=3, channels=1, size=4)


# --- normalisation


def test_normalisation_inside_equals_outside():
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]
    inside = tiny(channels=3, mean=mean, std=std).eval()
    batch = images(4, 3)
    outside = (batch.numpy() - np.reshape(mean, (1, 3, 1, 1))) / np.reshape(std, (1, 3, 1, 1))
    with torch.no_grad():
        assert torch.allclose(inside(batch), inside.net(torch.tensor(outside, dtype=torch.float32)), atol=1e-5)
    assert inside.mean.shape == (1, 3, 1, 1)


def test_normalisation_for_a_dataset():
    attributes = {"classes": ["a", "b"], "mean": [0.3], "std": [0.2], "size": 8}

    def built(normalise, attributes=attributes):
        return build_for_dataset("small_cnn", {"width": 2}, attributes, normalise, seed=1)

    assert built("dataset").mean.item() == pytest.approx(0.3)
    assert built("imagenet").std.item() == pytest.approx(0.226)
    assert not built("none").normalises
    assert built({"mean": [0.1], "std": [0.9]}).std.item() == pytest.approx(0.9)
    assert head(built("none")).out_features == 2
    with pytest.raises(FreqmapsError, match="2 numbers for 'mean' of 1 channels"):
        built({"mean": [0.1, 0.2], "std": [0.9]})
    with pytest.raises(FreqmapsError, match="must be positive"):
        built("dataset", attributes | {"std": [0.0]})
    with pytest.raises(FreqmapsError, match="imagenet"):
        built("imagenet", attributes | {"mean": [0.3] * 2, "std": [0.2] * 2})
    with pytest.raises(FreqmapsError, match="'size'"):
        built("none", {"classes": ["a"], "mean": [0.1], "std": [0.1]})


# --- torchvision


def test_torchvision_from_scratch_has_its_number_of_parameters():
    build = components.load("model", "torchvision_model")
    resnet = build(classes=10, channels=3, size=64, name="resnet18")
    assert count(resnet) == 11_689_512 - 1000 * 513 + 10 * 513
    with torch.device("meta"):
        vit = build(classes=10, channels=3, size=224, name="vit_b_16")
        small = build(classes=10, channels=3, size=32, name="vit_b_16")
    assert count(vit) == 86_567_656 - 1000 * 769 + 10 * 769
    assert small.encoder.pos_embedding.shape == (1, 5, 768)


def test_torchvision_pretrained_from_a_file_takes_all_but_the_head(tmp_path):
    theirs = zoo.shufflenet_v2_x0_5(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    parameters = {"name": "shufflenet_v2_x0_5", "pretrained": str(tmp_path / "w.pth")}
    gray = build_classifier("torchvision_model", parameters, classes=4, channels=1, size=32).eval()
    top = head(gray)
    top.weight.data, top.bias.data = theirs.fc.weight.data[:4], theirs.fc.bias.data[:4]
    batch = images(2, 1, 32)
    with torch.no_grad():
        assert torch.allclose(gray(batch), theirs(batch.expand(-1, 3, -1, -1))[:, :4], atol=1e-4)
    # The checkpoint is rebuilt without the file that training started from.
    save_classifier(tmp_path, gray)
    (tmp_path / "w.pth").unlink()
    assert load_classifier(tmp_path).recipe.parameters["pretrained"] is None


def test_torchvision_position_embeddings_are_interpolated():
    from freqmaps.models.torchvision_model import _resized

    net = nn.Module()
    net.patch_size = 16
    net.encoder = nn.Module()
    net.encoder.pos_embedding = nn.Parameter(torch.zeros(1, 1 + 4, 2))
    ramp = torch.arange(4.0).repeat(4, 1).reshape(1, 16, 1).expand(1, 16, 2)
    given = {"encoder.pos_embedding": torch.cat([torch.full((1, 1, 2), 9.0), ramp], dim=1)}
    found = _resized(given, net, 32)["encoder.pos_embedding"]
    assert found.shape == (1, 5, 2)
    assert found[0, 0, 0] == 9
    assert found[0, 1:, 0].tolist() == pytest.approx([0, 3, 0, 3], abs=1e-5)


def test_torchvision_errors():
    build = components.load("model", "torchvision_model")

    def make(name="resnet18", pretrained=None, size=32):
        return build(classes=2, channels=3, size=size, name=name, pretrained=pretrained)

    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        make("resnet81")
    with pytest.raises(FreqmapsError, match="no linear layer"):
        make("squeezenet1_1")
    with pytest.raises(ConfigError, match="no weights 'imagnet'; did you mean 'imagenet'"):
        make(pretrained="imagnet")
    with pytest.raises(FreqmapsError, match="no such file of weights"):
        make(pretrained="/nowhere/w.pth")
    with torch.device("meta"), pytest.raises(FreqmapsError, match="vit_b_16"):
        make("vit_b_16", size=40)


def test_torchvision_download_that_fails_names_the_remedy(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(FreqmapsError, match=r"could not download .*no route.*https://.*'pretrained'"):
        components.load("model", "torchvision_model")(
            classes=2, channels=3, size=32, name="shufflenet_v2_x0_5", pretrained="imagenet"
        )


# --- checks


def wrapped(function):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 3)
            self.function = function

        def forward(self, x):
            return self.function(self.linear, x.flatten(1))

    torch.manual_seed(0)
    return Classifier(Net(), Recipe("small_cnn", {}, 3, 1, 4))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda f, x: f(x).softmax(1), "probabilities"),
        (lambda f, x: f(x)[:, :2], r"returns \(4, 2\), expected logits of shape \(4, 3\)"),
        (lambda f, x: (f(x), x), "returns tuple"),
        (lambda f, x: f(x) / 0, "NaN or infinity"),
        (lambda f, x: f(x.round().detach()), "zero gradient"),
        (lambda f, x: f(torch.zeros_like(x)), "zero gradient"),
        (lambda f, x: f((x - x).sqrt() + x), "gradient with respect to the images is NaN"),
        (lambda f, x: nn.functional.dropout(f(x), 0.5, training=True), "from one call to the next"),
        (lambda f, x: f(x - x.mean(0)), "rest of its batch"),
    ],
)
def test_unusable_networks_are_named(function, message):
    with pytest.raises(FreqmapsError, match=f"^here: .*{message}"):
        check_classifier(wrapped(function), images(4, 1, 4), where="here")


def test_check_takes_bytes_and_puts_the_mode_back():
    classifier = tiny().train()
    check_classifier(classifier, (images() * 255).to(torch.uint8).numpy(), where="here")
    assert classifier.training


@pytest.mark.parametrize(("size", "batch"), [(128, 64), (129, 16)])
def test_large_images_are_asked_about_few_at_a_time(size, batch):
    given = []

    class Bright(torch.nn.Module):
        def forward(self, images):
            given.append(len(images))
            return torch.stack([images.mean((1, 2, 3)), images.new_full((len(images),), 0.5)], dim=1)

    images = torch.linspace(0, 1, 66)[:, None, None, None].expand(66, 1, size, size)
    assert predict(Bright(), images).tolist() == [1] * 33 + [0] * 33
    assert given == [batch] * -(-66 // batch)


def test_predictions_do_not_depend_on_how_many_are_asked():
    classifier = tiny().train()
    batch = images(150).numpy()
    found = predict(classifier, batch)
    assert classifier.training
    with torch.no_grad():
        expected = classifier.eval()(torch.from_numpy(batch)).argmax(1).numpy()
    assert np.array_equal(found, expected)
    assert found.dtype == np.int64
    assert np.array_equal(predict(classifier, batch[70:71]), found[70:71])
    assert predict(classifier, batch[:0]).shape == (0,)


def test_device():
    assert pick("cpu") == torch.device("cpu")
    assert pick(torch.device("cpu")) == torch.device("cpu")
    assert pick("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(FreqmapsError, match="no such device"):
        pick("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(FreqmapsError, match="none that torch can use"):
            pick("cuda")


@pytest.mark.gpu
def test_predictions_on_the_gpu_equal_the_cpus():
    classifier = tiny("resnet_cifar", channels=3, size=32).eval()
    batch = images(100, 3, 32)
    expected = predict(classifier, batch)
    assert (predict(classifier, batch, device="cuda") == expected).mean() > 0.98
