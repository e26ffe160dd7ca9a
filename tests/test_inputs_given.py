"""Checkpoints that users bring: counted once, loud where they know nothing, read in whatever form they come."""

import copy

import numpy as np
import pytest
import torch
import yaml

from freqmaps.core.errors import ConfigError
from freqmaps.models import load_classifier
from freqmaps.provenance import manifest
from freqmaps.study import doubts
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.small_study import STUDY
from tests.tiny_models import tiny
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


def training(accuracy, n=100, classes=10, **parameters):
    spec = {"stage": "training", "names": {"model": "ours", "dataset": "d"}, "parameters": {"checkpoint": {}} | parameters}
    dataset = {"stage": "datasets", "headline": {"classes": classes}}
    return doubts.of_result(spec, {"test_accuracy": accuracy, "n_test": n}, [dataset])


@pytest.mark.parametrize(
    ("accuracy", "n", "classes", "doubted"),
    # 0.1 + 2 * sqrt(0.09 / 100) = 0.16; 0.5 + 2 * sqrt(0.25 / 10000) = 0.51
    [(0.0, 100, 10, True), (0.159, 100, 10, True), (0.161, 100, 10, False), (0.509, 10000, 2, True), (0.52, 10000, 2, False)],
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
