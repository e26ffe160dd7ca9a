"""docs/bring-your-own.md: every piece of config there is resolved, on small files in the original formats."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.models import Recipe, build_classifier, build_for_dataset, load_converted
from freqmaps.models._pretrained import normalisation
from freqmaps.study.build import study
from tests import dataset_files as files
from tests.dataset_files import own_cache, whole  # noqa: F401
from tests.tiny_models import images
from tests.workflow import REPOSITORY

PAGE = (REPOSITORY / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
#: Blocks of the page as the config has them: kind of entry, name, entry.
ENTRIES = [
    (section, name, given)
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    for section, entries in yaml.safe_load(block).items()
    for name, given in entries.items()
]
DATASETS = {name: given for section, name, given in ENTRIES if section == "datasets"}
MODELS = {name: given for section, name, given in ENTRIES if section == "models"}
SHAPE = {"classes": 2, "channels": 3, "size": 32}
CODE = """
from torch import nn

def wide(*, classes, channels, size, width=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, width), nn.ReLU(), nn.Linear(width, classes))
"""


def _arrays(data):
    rng = np.random.default_rng(0)
    files.array_file(data / "toys.npz")
    np.savez(data / "scans.npz", images=rng.integers(0, 4096, (12, 8, 8), dtype=np.uint16), labels=np.arange(12) % 3)
    wide = [rng.integers(0, 4096, (8, 8), dtype=np.uint16) for _ in range(4)]
    files.as_folder(data / "scans", {f"{'ab'[i % 2]}/{i}.png": files.encoded(one) for i, one in enumerate(wide)})
    (data / "CIFAR-10-C").mkdir()
    np.save(data / "CIFAR-10-C" / "fog.npy", rng.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8))
    np.save(data / "CIFAR-10-C" / "labels.npy", np.arange(100) % 10)


def _hubs(data):
    files.hub(data / "toys-parquet")
    snapshot = data / "hub" / "datasets--someone--toys" / "snapshots" / "1"
    files.hub(snapshot, splits=("train", "validation"), label="fine_label")


def prepare(folder):
    """Make every file that the page names, below a folder."""
    data = folder / "data"
    data.mkdir()
    files.as_folder(data / "birds", files.tree(splits=("",), n=5, size=(12, 9)))
    for split in ("train", "test"):
        files.as_tar(data / f"photos-{split}.tar", files.tree(splits=("",), n=3))
    _arrays(data)
    files.mnist(data / "torchvision", "FashionMNIST")
    made = {f"{c}/{c}_{i}.jpg": files.picture(i, (64, 64), form="jpeg") for c in ("Forest", "River") for i in range(5)}
    files.as_folder(data / "torchvision" / "eurosat" / "2750", made)
    files.med_file(data / "bloodmnist.npz")
    files.shards(data / "shards")
    (folder / "my_networks.py").write_text(CODE)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_of_the_page(name, tmp_path, monkeypatch):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = dict(DATASETS[name])
    kind = given.pop("kind")
    if kind == "parquet":
        _hubs(tmp_path / "data")
    parameters = components.resolve("dataset", kind, given, where=name)
    description = components.load("dataset", kind)(**parameters)
    got = whole(components.load("dataset", kind, "read")(**parameters))
    assert {s: got.split.count(s) for s in ("train", "test")} == description.splits
    assert got.image.shape[1:] == (description.channels, description.size, description.size)
    assert len(set(got.sample)) == len(got.sample)
    assert len(np.unique(got.label)) > 1
    assert got.label.max() < len(description.classes)


def weights(folder, name, net):
    """Write the file that a model of the page names, made from a network, in the form that the page describes."""
    path = folder / MODELS[name].get("checkpoint", MODELS[name].get("pretrained", ""))
    path.parent.mkdir(exist_ok=True)
    state = dict(net.state_dict())
    if "rename" in MODELS[name]:
        back = {"conv.": "conv1.", "bn.": "bn1.", **{f"stages.{i}.": f"layer{i + 1}." for i in range(3)}}
        first = {n: next((old for old in back if n.startswith(old)), "") for n in state}
        state = {back.get(first[n], "") + n.removeprefix(first[n]): tensor for n, tensor in state.items()}
    if name == "robust":
        state = {f"model.{n}": tensor for n, tensor in state.items()}
        state |= {"normalize.mean": torch.tensor([0.4, 0.5, 0.6]), "normalize.std": torch.full((3,), 0.5)}
    save_file(state, path) if path.suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    return path


def built(name, given, seed):
    told = {"classes": ["a", "b"], "mean": [0.5] * 3, "std": [0.25] * 3, "size": 32}
    rest = {k: v for k, v in given.items() if k not in ("architecture", "normalise", "checkpoint", "rename")}
    parameters = components.resolve(
        "model", given["architecture"], rest, where=name, supplied=("classes", "channels", "size")
    )
    normalise = given.get("normalise", "dataset")
    if normalise == "pretrained":
        normalise = normalisation(Recipe(given["architecture"], parameters, **SHAPE))
    return build_for_dataset(given["architecture"], parameters, told, normalise, seed=seed)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_page(name, tmp_path, monkeypatch):
    given = MODELS[name]
    (tmp_path / "my_networks.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if given["architecture"] == "timm_model":
        import timm

        if "pretrained" in given:
            weights(tmp_path, name, timm.create_model(given["name"]))
    taken = built(name, given, seed=1).eval()
    assert taken(images(2, 3, 32)).shape == (2, 2)
    if "checkpoint" not in given:
        return
    source = built(name, {k: v for k, v in given.items() if k != "rename"}, seed=2).eval()
    path = weights(tmp_path, name, source.net)
    load_converted(path, taken, list(given.get("rename", {}).items()))
    batch = images(2, 3, 32)
    if name == "robust":
        mean = torch.tensor([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1)
        expected = source.net((batch - mean) / 0.5)
    else:
        expected = source(batch)
    assert torch.allclose(taken(batch), expected, atol=1e-5)


def given_study(folder, **model):
    return {
        "study": "own",
        "results": str(folder / "results"),
        "datasets": {"photos": DATASETS["photos"] | {"size": 32}},
        "models": {"theirs": {k: v for k, v in (MODELS["theirs"] | model).items() if v is not None}},
        "runs": [{"datasets": ["photos"], "models": ["theirs"], "trainings": ["given"]}],
    }


def test_the_rules_of_a_config_enter_the_key_in_their_order(tmp_path, monkeypatch):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    net = build_classifier("resnet_cifar", {"depth": 20}, **SHAPE).net
    weights(tmp_path, "theirs", net)
    with pytest.raises(
        ConfigError, match=r"models\.theirs\.checkpoint: .* give the model rename: \{'\^conv1"
    ) as caught:
        study(given_study(tmp_path, rename=None))
    offered = yaml.safe_load(re.search(r"rename: \{.*\}$", str(caught.value))[0])["rename"]
    keys = []
    for rules in (offered, MODELS["theirs"]["rename"], dict(reversed(offered.items()))):
        (node,) = [n for n in study(given_study(tmp_path, rename=rules)).graph.nodes.values() if n.stage == "training"]
        assert node.spec["parameters"]["checkpoint"]["rename"] == [list(rule) for rule in rules.items()]
        keys.append(node.key)
    assert keys[0] == keys[1] != keys[2]
    untrained = given_study(tmp_path, checkpoint=None, rename=offered) | {"trainings": {"standard": {"epochs": 1}}}
    untrained["runs"][0]["trainings"] = ["standard"]
    with pytest.raises(ConfigError, match=r"models\.theirs\.rename: there is no checkpoint"):
        study(untrained)
    with pytest.raises(ConfigError, match="matches no name"):
        study(given_study(tmp_path, rename={"^layre": "stages."}))


def test_links_of_the_page_lead_somewhere():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line[4:].lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("### ")
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (REPOSITORY / "docs" / target).is_file()
    kinds = {given["kind"] for given in DATASETS.values()}
    assert {
        "image_folder",
        "deep_image_folder",
        "arrays",
        "parquet",
        "torchvision_dataset",
        "medmnist",
        "webdataset",
    } == kinds
