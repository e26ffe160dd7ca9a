"""Pairings in a study: what is made for each, and what is refused before work starts."""

import pytest

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.core.images import called
from freqmaps.study.build import study as resolve
from freqmaps.study.config import read_files
from tests.workflow import REPOSITORY

ALL = {
    "matched": {"kind": "matched"},
    "same": {"kind": "same_class"},
    "other": {"kind": "other_class"},
    "seed-1": {"kind": "other_network", "network_seed": 1},
    "noise": {"kind": "noise"},
    "rings": {"kind": "random_bands", "width": 2},
}
OF_ATTACKS = ("fgsm", "pgd-4_16")


def study(defined=ALL, base=None, **run):
    """The tiny study with two seeds and all pairings."""
    given = read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"])
    given |= {"pairings": defined, "evaluations": {}} | (base or {})
    given["runs"][0] |= {"seeds": [0, 1], "images": ["essential", "adversarial", "noise"], "pairings": [*defined]}
    given["runs"][0] |= run
    return resolve(given)


def matrices(found):
    """The matrices of a study, by seed, attack and pairing."""
    nodes = [n for n in found.graph.nodes.values() if n.stage == "matrices"]
    return {(n.names["seed"], n.names["attack"], n.names["pairing"]): n for n in nodes}


def sides(node):
    """The networks and kinds of the maps that matrices read: first and second set."""
    return [(m.names["seed"], called(m.names)) for m in node.inputs]


def test_every_pairing_is_in_the_study_tested_here():
    assert {entry["kind"] for entry in ALL.values()} == set(components.names("pairing"))


def test_each_pairing_reads_the_maps_that_it_compares():
    found = matrices(study())
    expected = {(seed, a, p) for seed in "01" for a in OF_ATTACKS for p in ALL if p != "seed-1"}
    # The other network is compared on clean images, once; with itself it is not compared.
    assert set(found) == expected | {("0", "none", "seed-1")}
    for (seed, attack, pairing), node in found.items():
        second = {"seed-1": ("1", "essential"), "noise": (seed, f"noise of {attack}")}.get(pairing, (seed, attack))
        assert sides(node) == [(seed, "essential"), second]
        assert node.spec["parameters"]["pairing"]["kind"] == ALL[pairing]["kind"]
    assert found["0", "fgsm", "rings"].spec["parameters"]["pairing"]["parameters"] == {"width": 2.0}
    assert len({node.path for node in found.values()}) == len(found)


def test_every_metric_is_computed_of_every_pairing():
    graph = study(metrics=["cosine", "svcca"]).graph
    found = {(n.names["attack"], n.names["pairing"], n.names["metric"]) for n in graph.nodes.values()
             if n.stage == "correlation" and n.names["seed"] == "0"}  # fmt: skip
    assert len(found) == 2 * (2 * 5 + 1)


def test_a_width_of_rings_changes_the_key_of_what_reads_it_and_no_other():
    one = {k: n.key for k, n in matrices(study()).items()}
    other = {k: n.key for k, n in matrices(study(ALL | {"rings": {"kind": "random_bands"}})).items()}
    assert {k[2] for k in one if one[k] != other[k]} == {"rings"}


def test_items_about_matched_pairs_read_no_controls():
    table = study().items["B25-T1"]
    correlations = [n for n in table.inputs if n.stage == "correlation"]
    assert correlations and {n.names["pairing"] for n in correlations} == {"matched"}
    assert {called(n.names) for n in table.inputs if n.stage == "maps"} == {"essential", "pgd-4_16"}


def only(name, **entry):
    """The definition of one pairing alone, changed, as arguments of a study."""
    return {"defined": {name: ALL[name] | entry}}


DCT = {"maps": {"ce": {"objective": "cross_entropy", "basis": "dct"}}, "items": []}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": ["essential", "adversarial"]}, "pairing 'noise' needs maps of 'noise'; add it to the list"),
        ({"pairings": ["sames"]}, "no pairing named 'sames' in the config; did you mean 'same'"),
        ({"defined": {"x": {"kind": "same_clas"}}}, r"pairings\.x: no pairing named 'same_clas'.*same_class"),
        (only("rings", width=0), r"pairings\.rings\.width"),
        (only("seed-1", network_seed=None), "seed-1: it does not say which other network; give training"),
        (only("seed-1", network_seed=7), "no run makes essential maps 'ce' of small-cnn/standard, seed 7; add it"),
        (only("seed-1", training="rotate"), "no run makes essential maps 'ce' of small-cnn/rotate, seed 1; add it"),
        (only("rings") | {"base": DCT}, "rings: maps 'ce' have basis 'dct', and this pairing reads fourier or phase;"),
    ],
)
def test_what_cannot_be_paired_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        study(**changes)


def two_runs(first, second):
    """A study whose networks 0 and 1 are mapped on different numbers of samples, by two runs."""
    run = read_files([REPOSITORY / "tests" / "tiny.yaml"])["runs"][0] | {"pairings": ["seed-1"]}
    runs = [
        run | {"seeds": [0], "samples": {"split": "test", "first": first}},
        *(run | {"seeds": [1], "samples": {"split": "test", "first": n}, "pairings": []} for n in second),
    ]
    return study(base={"runs": runs, "items": []}, **runs[0])


def test_networks_are_compared_on_the_same_samples():
    node = matrices(two_runs(40, [60, 40]))["0", "none", "seed-1"]
    assert [(m.names["seed"], m.names["range"]) for m in node.inputs[:2]] == [("0", "test-0-40"), ("1", "test-0-60")]
    assert node.spec["parameters"]["samples"] == {"split": "test", "start": 0, "stop": 40}
    assert "samples" not in matrices(two_runs(40, [40]))["0", "none", "seed-1"].spec["parameters"]
    with pytest.raises(ConfigError, match="seed 1 are of other samples than those of runs"):
        two_runs(60, [40])
