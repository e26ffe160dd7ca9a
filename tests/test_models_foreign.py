"""Weights of other projects: under other names, and with the normalisation of the images inside."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError
from freqmaps.models import build_classifier, load_converted, load_foreign
from tests.tiny_models import images


class TheirBlock(nn.Module):
    """A residual block with a shortcut of option A, in the names of the most used public CIFAR ResNets."""

    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride, self.added = stride, (planes - inputs) // 2

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        x = x[:, :, :: self.stride, :: self.stride]
        return F.relu(out + F.pad(x, (0, 0, 0, 0, self.added, self.added)))


class TheirResNet(nn.Module):
    def __init__(self, blocks=3, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        for i, (inputs, planes) in enumerate(((16, 16), (16, 32), (32, 64)), start=1):
            first = TheirBlock(inputs, planes, 1 if i == 1 else 2)
            rest = [TheirBlock(planes, planes, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{i}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def theirs():
    """A network of theirs whose batch norm has statistics, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = TheirResNet()
        net(images(8, 3, 16))
    return net.eval()


def ours(**more):
    parameters = {"depth": 20, "width": 16}
    return build_classifier("resnet_cifar", parameters, classes=10, channels=3, size=16, **more).eval()


def saved(path, state):
    torch.save(state, path)
    return path


def offered(error) -> list[tuple[str, str]]:
    """Read the line that a message offers, as YAML, as somebody who pastes it would."""
    line = re.search(r"give the model (rename: \{.*\})$", str(error))
    assert line, error
    return list(yaml.safe_load(line[1])["rename"].items())


@pytest.mark.parametrize("wrapped", ["", "module."])
def test_the_offer_of_a_message_loads_the_weights(wrapped, tmp_path):
    """The names of the public CIFAR ResNet-20 differ from ours, and nothing else does."""
    net, taken = theirs(), ours()
    state = {f"{wrapped}{name}": tensor for name, tensor in net.state_dict().items()}
    path = saved(tmp_path / "resnet20.th.pt", {"state_dict": state})
    before = {name: tensor.clone() for name, tensor in taken.state_dict().items()}
    with pytest.raises(FreqmapsError, match=r"do not fit.*shapes and order agree") as caught:
        load_converted(path, taken)
    assert all(torch.equal(tensor, before[name]) for name, tensor in taken.state_dict().items())
    rules = offered(caught.value)
    assert len(rules) <= 6
    load_converted(path, taken, rules)
    with torch.no_grad():
        assert torch.equal(taken(images(4, 3, 16)), net(images(4, 3, 16)))


def test_rules_written_by_hand_with_groups(tmp_path):
    net, taken = theirs(), ours()
    path = saved(tmp_path / "a.pt", net.state_dict())
    rules = [
        (r"^(conv|bn)1\.", r"\1."),
        *((rf"^layer{i + 1}\.", f"stages.{i}.") for i in range(3)),
    ]
    load_converted(path, taken, rules)
    with torch.no_grad():
        assert torch.equal(taken(images(4, 3, 16)), net(images(4, 3, 16)))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([("^layre1", "stages.0")], r"rename '\^layre1' matches no name; the first are conv1\.weight, bn1\.weight"),
        ([("(conv1", "conv")], "is not a regular expression"),
        ([("^conv1", r"\2")], "is not a regular expression with its replacement"),
        ([(r"^layer[12]\.", "stages.0.")], r"calls both 'layer1\.0\.conv1\.weight' and 'layer2\.0\.conv1\.weight'"),
    ],
)
def test_rules_with_mistakes_are_one_sentence(rules, message, tmp_path):
    path = saved(tmp_path / "a.pt", theirs().state_dict())
    with pytest.raises(FreqmapsError, match=message) as caught:
        load_converted(path, ours(), rules)
    assert "\n" not in str(caught.value)


def test_rules_are_applied_in_order(tmp_path):
    """Two layers that trade names need a third name in between, which shows the order."""
    given, taken = ours(seed=1), ours(seed=2)
    state = {}
    for name, tensor in given.net.state_dict().items():
        swapped = {"stages.0.1": "stages.0.2", "stages.0.2": "stages.0.1"}
        state[re.sub(r"stages\.0\.[12]", lambda m, swapped=swapped: swapped[m[0]], name)] = tensor
    rules = [(r"^stages\.0\.1\.", "aside."), (r"^stages\.0\.2\.", "stages.0.1."), (r"^aside\.", "stages.0.2.")]
    load_converted(saved(tmp_path / "a.pt", state), taken, rules)
    with torch.no_grad():
        assert torch.equal(taken(images(2, 3, 16)), given(images(2, 3, 16)))


def test_no_offer_where_shapes_or_order_disagree(tmp_path):
    deeper = TheirResNet(blocks=4).state_dict()
    reordered = dict(reversed(theirs().state_dict().items()))
    wider = {name: tensor for name, tensor in theirs().state_dict().items() if name != "linear.bias"}
    broken = ours().net.state_dict()
    broken["linear.bias"] = torch.full_like(broken["linear.bias"], torch.inf)
    for number, state in enumerate((deeper, reordered, wider, broken)):
        with pytest.raises(FreqmapsError) as caught:
            load_converted(saved(tmp_path / f"{number}.pt", state), ours())
        assert "rename" not in str(caught.value)


# --- normalisation inside -------------------------------------------------------------------------------------------

MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]


def moments(form):
    """Buffers as public robust networks keep them, and the prefix of the weights beside them."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    upright = {"mu": mean.reshape(3, 1, 1), "sigma": std.reshape(3, 1, 1)}
    if form == "beside":
        return upright, ""
    if form == "layer":
        return {"normalize.mean": mean.reshape(1, 3, 1, 1), "normalize.std": std.reshape(1, 3, 1, 1)}, "model."
    if form == "parallel":
        return {"module.normalizer.new_mean": mean, "module.normalizer.new_std": std}, "module.model."
    return {"mean": 255 * mean, "std": 255 * std}, "model."


@pytest.mark.parametrize("form", ["beside", "layer", "parallel", "bytes"])
@pytest.mark.parametrize("renamed", [False, True])
def test_normalisation_inside_a_robust_network(form, renamed, tmp_path):
    buffers, prefix = moments(form)
    net = theirs() if renamed else ours(seed=1).net
    state = buffers | {f"{prefix}{name}": tensor for name, tensor in net.state_dict().items()}
    taken = ours(mean=[0.1, 0.1, 0.1], std=[0.9, 0.9, 0.9])
    path = saved(tmp_path / "a.pt", state)
    rules = ()
    if renamed:
        with pytest.raises(FreqmapsError) as caught:
            load_converted(path, taken)
        rules = offered(caught.value)
    load_converted(path, taken, rules)
    batch = images(4, 3, 16)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        assert torch.allclose(taken(batch), net((batch - mean) / std), atol=1e-5)


def test_a_network_that_normalises_itself_keeps_its_buffers(tmp_path, monkeypatch):
    (tmp_path / "their_nets.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, classes, n):\n"
        "        super().__init__()\n"
        "        self.register_buffer('mu', torch.zeros(1, 3, 1, 1))\n"
        "        self.register_buffer('sigma', torch.ones(1, 3, 1, 1))\n"
        "        self.linear = nn.Linear(n, classes)\n"
        "    def forward(self, x):\n"
        "        return self.linear(((x - self.mu) / self.sigma).flatten(1))\n"
        "def net(*, classes, channels, size):\n"
        "    return Net(classes, channels * size**2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    shape = {"classes": 10, "channels": 3, "size": 8}
    given = build_classifier("their_nets:net", {}, **shape).eval()
    given.net.mu.fill_(0.4)
    taken = build_classifier("their_nets:net", {}, **shape, seed=5).eval()
    load_converted(saved(tmp_path / "a.pt", given.net.state_dict()), taken)
    assert not taken.normalises
    assert torch.equal(taken.net.mu, given.net.mu)


def test_a_deviation_of_zero_is_refused(tmp_path):
    state = ours().net.state_dict() | {"mu": torch.zeros(3), "sigma": torch.zeros(3)}
    with pytest.raises(FreqmapsError, match="'sigma', the standard deviation of the images, is not positive"):
        load_converted(saved(tmp_path / "a.pt", state), ours())


def test_the_process_that_checks_before_any_work_takes_the_rules(tmp_path):
    path = saved(tmp_path / "a.pt", theirs().state_dict())
    model = {"architecture": "resnet_cifar", "parameters": {"depth": 20, "width": 16}, "normalise": "none"}
    question = {"path": str(path), "model": model, "shape": {"classes": 10, "channels": 3, "size": 16}}

    def ask(**more):
        command = [sys.executable, "-m", "freqmaps.models._verify", json.dumps(question | more)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    refused = ask()
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    accepted = ask(rename=offered(refused.stderr.strip()), to=str(tmp_path / "there" / "b.safetensors"))
    assert (accepted.returncode, accepted.stdout) == (0, "converted\n"), accepted.stderr
    taken = ours()
    load_foreign(tmp_path / "there" / "b.safetensors", taken)
    with torch.no_grad():
        assert torch.equal(taken(images(2, 3, 16)), theirs()(images(2, 3, 16)))


@pytest.mark.parametrize("form", [None, "beside"])
@pytest.mark.parametrize("whole", [False, True])
def test_what_is_returned_loads_as_any_other_file(form, whole, tmp_path):
    """A file that has our names already is none to convert; a converted one keeps its normalisation."""
    given = ours(seed=1, mean=[0.3] * 3, std=[0.2] * 3)
    state = dict((given if whole else given.net).state_dict()) | (moments(form)[0] if form and not whole else {})
    taken, again = ours(seed=2), ours(seed=3)
    converted = load_converted(saved(tmp_path / "a.pt", state), taken)
    assert (converted is None) == (form is None or whole)
    load_foreign(saved(tmp_path / "b.pt", converted if converted is not None else state), again)
    with torch.no_grad():
        assert torch.equal(taken(images(2, 3, 16)), again(images(2, 3, 16)))
