"""Checkpoints that users bring: counted once, loud where they know nothing, read in whatever form they come."""

import argparse
import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.models import build_classifier, check_classifier
from freqmaps.models._foreign import load_converted
from freqmaps.provenance import manifest
from freqmaps.study import doubts
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.small_study import STUDY
from tests.tiny_models import images, tiny
from tests.workflow import REPOSITORY, clone, snakemake


def given(path, **run):
    """The least study, of a checkpoint instead of a training."""
    found = copy.deepcopy(STUDY)
    found["models"] = {"ours": {"architecture": "small_cnn", "width": 4, "normalise": "none", "checkpoint": str(path)}}
    found["runs"][0] |= {"models": ["ours"], "trainings": ["given"], **run}
    return found


def write(folder, name, config):
    (folder / name).write_text(yaml.safe_dump(config))
    return folder / name


@pytest.fixture
def weights(tmp_path):
    torch.save(tiny().net.state_dict(), tmp_path / "ours.pt")
    return tmp_path / "ours.pt"


@pytest.mark.parametrize("runs", [[[0, 1]], [[0], [1]]])
def test_one_checkpoint_is_one_network_whatever_the_seeds(tmp_path, weights, runs):
    config = given(weights)
    config["runs"] = [config["runs"][0] | {"seeds": seeds} for seeds in runs]
    path = write(tmp_path, "given.yaml", config)
    with pytest.raises(ConfigError, match=r"^models\.ours: its checkpoint is one network.*seeds 0, 1"):
        study(read_files([REPOSITORY / "config.yaml", path]))


@pytest.mark.parametrize(("change", "warned"), [({}, True), ({"normalise": "imagenet"}, False)])
def test_one_checkpoint_under_two_names_is_warned_of(tmp_path, weights, change, warned):
    config = given(weights)
    config["models"]["again"] = config["models"]["ours"] | change
    config["runs"][0]["models"] = ["ours", "again"]
    found = study(read_files([REPOSITORY / "config.yaml", write(tmp_path, "given.yaml", config)])).warnings
    said = [sentence for sentence in found if sentence.startswith("models again, ours on 'digits' are one network")]
    assert len(said) == warned


def training(accuracy, n=100, classes=10, **parameters):
    spec = {
        "stage": "training",
        "names": {"model": "ours", "dataset": "d"},
        "parameters": {"checkpoint": {}} | parameters,
    }
    dataset = {"stage": "datasets", "headline": {"classes": classes}}
    return doubts.of_result(spec, {"test_accuracy": accuracy, "n_test": n}, [dataset])


@pytest.mark.parametrize(
    ("accuracy", "n", "classes", "doubted"),
    # 0.1 + 2 * sqrt(0.09 / 100) = 0.16; 0.5 + 2 * sqrt(0.25 / 10000) = 0.51
    [
        (0.0, 100, 10, True),
        (0.159, 100, 10, True),
        (0.161, 100, 10, False),
        (0.509, 10000, 2, True),
        (0.52, 10000, 2, False),
    ],
)
def test_an_accuracy_that_guessing_reaches_is_doubted(accuracy, n, classes, doubted):
    own, inherited = training(accuracy, n, classes)
    assert (len(own), inherited) == (doubted, [])


def test_a_network_trained_here_and_one_without_an_accuracy_are_not_doubted():
    spec = {"stage": "training", "names": {"model": "m", "dataset": "d"}, "parameters": {}}
    assert doubts.of_result(spec, {"test_accuracy": 0.0, "n_test": 9}, []) == ([], [])
    assert training(None) == ([], [])


def test_a_warning_goes_on_to_all_that_is_made_of_it_once():
    spec = {"stage": "maps", "names": {}, "parameters": {}}
    inputs = [{"warnings": ["a", "b"]}, {}, {"warnings": ["b"]}]
    assert doubts.of_result(spec, {}, inputs) == ([], ["a", "b"])


def test_a_checkpoint_that_knows_nothing_is_loud_in_log_table_and_report(tmp_path, weights):
    folder = clone(tmp_path / "lab")
    write(folder, "given.yaml", given(weights, samples={"first": 12}))
    done = snakemake(folder, "-c1", "all", "--configfile", "given.yaml")
    said = "the checkpoint classifies"
    assert said in done.stderr  # on the screen, once, where it was found
    (made,) = (folder / "results").glob("digits/ours/given/seed0/training/*/manifest.json")
    assert said in made.with_name("log.txt").read_text()
    assert said in manifest.read(made)["warnings"][0]
    assert said in (folder / "results" / "report.html").read_text()
    assert said in (folder / "results" / "tables" / "B25-T1.json").read_text()
    assert said in (folder / "results" / "tables" / "B25-T1.tex").read_text()


# --- in whatever form they come


def loaded(tmp_path, content, name="x.pt"):
    """Load a file into a network of other weights; return both, in eval mode."""
    theirs, ours = tiny(seed=1).eval(), tiny(seed=2).eval()
    torch.save(content(theirs.net.state_dict()), tmp_path / name)
    load_converted(tmp_path / name, ours)
    return theirs, ours


def optimiser(state):
    moments = {i: {"exp_avg": torch.rand(3), "step": torch.tensor(1.0)} for i in range(40)}
    return {"state": moments, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("content", "left_out"),
    [
        (lambda s: {"state_dict": s, "best_acc1": torch.tensor(0.9)}, "best_acc1"),
        (lambda s: {"epoch": 3, "optimizer": optimiser(s), "model": {f"module.{n}": t for n, t in s.items()}}, "epoch"),
        (lambda s: {"ema": {n: 2 * t for n, t in s.items()}, "state_dict": s}, "ema"),
        (lambda s: {"generator": {f"g.{i}": torch.rand(2) for i in range(99)}, "critic": s}, "generator"),
        (lambda s: {"checkpoint": {"weights_of_net": s}, "rng": torch.zeros(5)}, "rng"),
        (lambda s: {"state_dict": s, "args": argparse.Namespace(lr=0.1, out=Path("/x"))}, "args"),
        (lambda s: {"state_dict": s, "best": np.float64(0.9), "epoch": np.int64(3)}, "best, epoch"),
    ],
)
def test_weights_are_found_among_what_lies_beside_them(tmp_path, caplog, content, left_out):
    with caplog.at_level("INFO", logger="freqmaps"):
        theirs, ours = loaded(tmp_path, content)
    with torch.no_grad():
        assert torch.equal(ours(images()), theirs(images()))
    assert f"left out: {left_out}" in caplog.text


def test_a_plain_state_dict_says_nothing_of_parts(tmp_path, caplog):
    with caplog.at_level("INFO", logger="freqmaps"):
        loaded(tmp_path, dict)
    assert caplog.text == ""


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_weights_of_low_precision_become_float32(tmp_path, caplog, kind):
    with caplog.at_level("INFO", logger="freqmaps"):
        theirs, ours = loaded(tmp_path, lambda s: {n: t.to(kind) if t.is_floating_point() else t for n, t in s.items()})
    for name, tensor in theirs.net.state_dict().items():
        found = ours.net.state_dict()[name]
        assert found.dtype == tensor.dtype
        assert torch.equal(found, tensor.to(kind).to(tensor.dtype) if tensor.is_floating_point() else tensor)
    assert f"the weights are {str(kind).removeprefix('torch.')}" in caplog.text


def test_integers_in_the_place_of_floats_are_refused(tmp_path):
    with pytest.raises(FreqmapsError, match=r"'linear\.weight' is int8, expected floats"):
        loaded(tmp_path, lambda s: s | {"linear.weight": s["linear.weight"].to(torch.int8)})


def test_a_network_made_in_bfloat16_is_refused_with_the_remedy(tmp_path, monkeypatch):
    code = (
        "from torch import bfloat16, nn\n\n\ndef build(*, classes, channels, size):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes)).to(bfloat16)\n"
    )
    (tmp_path / "nets_low.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    net = build_classifier("nets_low:build", {}, classes=3, channels=1, size=8)
    with pytest.raises(FreqmapsError, match=r"^here: the network is in bfloat16; .* return net\.float\(\)"):
        check_classifier(net, torch.rand(2, 1, 8, 8), where="here", untrained=True)
