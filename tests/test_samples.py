"""Runs that take different numbers of samples share ranges: no image is attacked or mapped twice in one study."""

from __future__ import annotations

import numpy as np
import pytest

from freqmaps.job import Job
from freqmaps.results.reader import Results
from freqmaps.stores import MATRICES, read
from freqmaps.study.build import study as resolve
from freqmaps.study.config import read_files
from tests import synthetic_study, tiny_results
from tests.workflow import REPOSITORY


def study(*runs, shard=50):
    given = read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"])
    given |= {"runs": [given["runs"][0] | run for run in runs], "items": [], "shard": shard}
    return resolve(given).graph


def first(n, **run):
    return {"samples": {"split": "test", "first": n}} | run


def ranges(graph, stage, **names):
    found = [n for n in graph.nodes.values() if n.stage == stage and names.items() <= n.names.items()]
    return sorted({n.names["range"] for n in found})


def test_a_run_alone_has_its_own_range():
    graph = study(first(30))
    assert ranges(graph, "attacks") == ranges(graph, "maps") == ["test-0-30"]
    assert not any("samples" in n.spec["parameters"] for n in graph.nodes.values() if n.stage == "matrices")


def test_seeds_may_be_split_over_runs():
    given = read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"])
    run = given["runs"][0]
    together, apart = ([run | {"seeds": [0, 1]}], [run | {"seeds": [0]}, run | {"seeds": [1]}])
    one, two = (resolve(given | {"runs": runs}) for runs in (together, apart))
    results = [{path for path, node in s.graph.nodes.items() if node.stage != "report"} for s in (one, two)]
    assert results[0] == results[1]  # the table over both seeds, too; only the report lists the runs
    read = {n.names["seed"] for n in two.items["B25-T1"].node.inputs if n.stage == "correlation"}
    assert read == {"0", "1"}


@pytest.mark.parametrize("order", [1, -1])
def test_a_run_reads_a_part_of_what_another_makes(order):
    graph = study(*[first(30, metrics=["cosine"]), first(120, metrics=["idcor"])][::order])
    assert ranges(graph, "attacks") == ranges(graph, "maps") == ["test-0-50", "test-100-120", "test-50-100"]
    few, many = (n for n in _matrices(graph, "fgsm", order))
    assert few.spec["parameters"]["samples"] == {"split": "test", "start": 0, "stop": 30}
    assert [n.stage for n in few.inputs] == ["maps", "maps", "datasets"]
    assert "samples" not in many.spec["parameters"] and len(many.inputs) == 6


def _matrices(graph, attack, order):
    return [n for n in graph.nodes.values() if n.stage == "matrices" and n.names["attack"] == attack][::order]


def test_maps_may_reach_less_far_than_their_attack():
    graph = study(first(30, attacks=["fgsm"]), first(120, attacks=["fgsm"], maps=[], metrics=[]))
    assert ranges(graph, "attacks") == ["test-0-50", "test-100-120", "test-50-100"]
    assert ranges(graph, "maps") == ["test-0-30"]
    (adversarial,) = [n for n in graph.nodes.values() if n.names.get("images") == "adversarial"]
    assert "test-0-50" in [n.names.get("range") for n in adversarial.inputs]
    # Another network's ranges are its own.
    other = study(first(30), first(120, seeds=[1]))
    assert ranges(other, "maps", seed="0") == ["test-0-30"]


def test_maps_of_a_part_of_an_attack_are_those_of_the_part_alone(tmp_path):
    """The script of maps takes the samples of its range from a store that holds more."""
    made = tiny_results.make(tmp_path / "a")
    attack = "/".join(["attacks", *tiny_results.PLAIN.values(), "fgsm", tiny_results.RANGE])
    whole = made.inputs.maps(**tiny_results.ROBUST, images="transferred", maps="tiny")
    (maps,) = made.inputs.select("maps", **tiny_results.ROBUST, images="transferred")
    parameters = maps.manifest["spec"]["parameters"] | {"samples": tiny_results.SAMPLES | {"stop": 20}}
    names = dict(maps.names) | {"range": "test-0-20"}
    inputs = tiny_results.network(tiny_results.ROBUST) | {"adversarial": attack}
    folder = tiny_results.stage(made, "maps", names, parameters, inputs)
    part = Results.from_folders([folder]).maps()
    ids = made.inputs.adversarial(variables=["success"])["sample"].values[:20].tolist()
    assert part["sample"].values.tolist() == [s for s in whole["sample"].values.tolist() if s in ids]
    same = whole.sel(sample=part["sample"].values)
    assert np.allclose(part["map"].values, same["map"].values, atol=1e-4)


def test_matrices_of_a_part_hold_its_samples_alone(tmp_path):
    made = {r.stage: r for r in synthetic_study.make(tmp_path)}
    found = Results(synthetic_study.make(tmp_path / "again"))
    first_maps = [r.folder for r in found.select("maps", images="essential")]
    second = [r.folder for r in found.select("maps", attack="strong")]
    samples = {"split": "all", "start": 0, "stop": 15}
    settings = tiny_results.filled("freqmaps.matrices.settings", "MatrixSettings")
    parameters = {"settings": settings, "pairing": {"kind": "matched", "parameters": {}}}
    stores = []
    for name, given in (("whole", {}), ("part", {"samples": samples})):
        folder = tmp_path / name
        folder.mkdir()
        inputs = {"first": first_maps, "second": second, "dataset": made["datasets"].folder}
        spec = {"stage": "matrices", "names": {}, "parameters": parameters | given, "inputs": {}, "seed": 0}
        tiny_results.script("matrices").run(Job(spec, inputs, folder, {}))
        stores.append(read(folder / "store.zarr.zip", MATRICES))
    whole, part = stores
    kept = [s for s in whole["sample"].values.tolist() if int(s[1:]) < 15]
    assert 0 < len(kept) < whole.sizes["sample"] and part["sample"].values.tolist() == kept
    assert np.array_equal(part["first"].values, whole["first"].sel(sample=kept).values)


def test_an_evaluation_sees_the_samples_of_its_run_alone(tmp_path):
    results = synthetic_study.make(tmp_path)
    ids = [f"s{i:03d}" for i in range(10)]
    few = Results(results, within=ids)
    assert few.adversarial(attack="strong")["sample"].values.tolist() == ids
    assert set(few.maps(images="essential")["sample"].values.tolist()) < set(ids)
    assert few.dataset("toy").sizes["sample"] == Results(results).dataset("toy").sizes["sample"]
