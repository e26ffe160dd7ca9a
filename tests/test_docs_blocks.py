"""Every fenced block of README.md and docs/*.md holds: configs are resolved, Python is run, commands are parsed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import snakemake.cli
import torch
import yaml
from snakemake_executor_plugin_slurm.partitions import read_partition_file

import freqmaps
from freqmaps.cli import parser
from freqmaps.core import components
from freqmaps.group_maps import to_dataset
from freqmaps.group_maps.two_pass import ThroughChoice, TwoPass
from freqmaps.provenance import code as provenance
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import docs_blocks as docs
from tests import keyed_results
from tests.group_map_cases import make, pictures, settings
from tests.map_cases import small_net
from tests.workflow import REPOSITORY

#: Blocks of YAML that are no config of a study, and what checks them.
OTHER_YAML = {
    ("bring-your-own.md", None): "tests/test_bring_your_own.py",
    ("cluster.md", 0): "test_the_partitions_of_the_page_are_read_by_the_plugin",
    ("exact-recomputation.md", 0): "test_an_entry_of_the_page_is_one_that_the_package_reads",
}
#: Every block of Python, and the test that runs it or holds it against the code.
PYTHON = {
    ("README.md", 0): "tests/test_results.py",
    ("add-a-basis.md", 0): "tests/test_inputs_docs.py",
    ("add-a-corruption.md", 0): "tests/test_corruptions.py",
    ("add-a-dataset.md", 0): "here",
    ("add-a-metric.md", 0): "tests/test_inputs_docs.py",
    ("add-a-model.md", 0): "tests/test_inputs_docs.py",
    ("add-a-model.md", 1): "tests/test_inputs_docs.py",
    ("add-a-pairing.md", 0): "tests/test_pairings.py",
    ("add-a-regime.md", 0): "tests/test_training_regularisers.py",
    ("add-a-regime.md", 1): "tests/test_training_regularisers.py",
    ("add-a-regulariser.md", 0): "tests/test_training_regularisers.py",
    ("add-a-simulation.md", 0): "here",
    ("add-an-attack.md", 0): "tests/test_attacks.py",
    ("add-an-evaluation.md", 0): "tests/test_evaluation.py",
    ("add-an-evaluation.md", 1): "tests/test_evaluation.py",
    ("add-an-evaluation.md", 2): "tests/test_evaluation.py",
    ("add-an-item.md", 0): "tests/test_inputs_docs.py",
    ("add-an-objective.md", 0): "tests/test_inputs_docs.py",
    ("analysis.md", 0): "tests/test_inputs_docs.py",
    ("exact-recomputation.md", 0): "here",
    ("exact-recomputation.md", 1): "here",
    ("group-maps.md", 0): "here",
    ("shared-roots.md", 0): "here",
    ("snapshots.md", 0): "tests/test_snapshots_study.py",
}
CONFIGS = [
    one for one in docs.blocks("yaml") if (one.page, one.number) not in OTHER_YAML and one.page != "bring-your-own.md"
]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """A user's folder with all that the configs of the pages name."""
    folder = tmp_path_factory.mktemp("laboratory")
    docs.prepare(folder)
    return folder


@pytest.mark.parametrize("block", CONFIGS, ids=lambda one: f"{one.page}-{one.number}")
def test_every_config_of_the_pages_is_resolved(block, laboratory, monkeypatch):
    monkeypatch.chdir(laboratory)
    monkeypatch.setenv("HOME", str(laboratory))
    earlier = [one for one in CONFIGS if one.page == block.page and one.number < block.number]
    given = docs.config(block.text)
    if block.page == "group-maps.md" and "evaluations" in given:  # its group maps are those of the first block
        given["group_maps"] = docs.config(earlier[0].text)["group_maps"]
    if "results" in given:
        assert given["results"].startswith("/lab/")
        given["results"] = str(laboratory / "lab")
    path = laboratory / f"{block.page}-{block.number}.yaml"
    path.write_text(yaml.safe_dump(docs.overlay(given), sort_keys=False))
    found = study(read_files([REPOSITORY / "config.yaml", path]))
    names = {name for node in found.graph.nodes.values() for name in node.names.values()}
    for section in ("datasets", "models", "trainings", "attacks", "maps", "group_maps", "metrics", "evaluations"):
        assert set(given.get(section, {})) <= names, section


def test_every_block_of_python_is_run_by_a_test():
    assert {(one.page, one.number) for one in docs.blocks("python")} == set(PYTHON)
    for (page, _), where in PYTHON.items():
        text = (
            Path(__file__).read_text(encoding="utf-8") if where == "here" else (REPOSITORY / where).read_text("utf-8")
        )
        assert page in text, f"{where} says nothing of {page}"


def test_every_fence_has_a_language_that_a_test_knows():
    known = {"python", "yaml", "bash", "latex", "mermaid", ""}
    for page in docs.PAGES:
        fences = re.findall(r"^ *```(\S*)$", page.read_text(encoding="utf-8"), re.M)
        assert len(fences) % 2 == 0 and set(fences[::2]) <= known and set(fences[1::2]) <= {""}, page.name


# --- YAML that is no config


def test_the_partitions_of_the_page_are_read_by_the_plugin(tmp_path):
    text = docs.block("cluster.md", "yaml", 0)
    (tmp_path / "config.yaml").write_text(text)
    assert [one.name for one in read_partition_file(tmp_path / "config.yaml")] == ["cpu", "gpu"]
    lines = [line.split("#")[0].strip() for line in text.splitlines() if not line.strip().startswith("#")]
    profile = [line.split("#")[0].strip() for line in (REPOSITORY / "slurm" / "config.yaml").read_text().splitlines()]
    assert set(lines) <= set(profile)


def test_an_entry_of_the_page_is_one_that_the_package_reads(tmp_path, monkeypatch):
    (tmp_path / "equivalent.yaml").write_text(docs.block("exact-recomputation.md", "yaml", 0))
    (entry,) = yaml.safe_load((tmp_path / "equivalent.yaml").read_text())
    monkeypatch.setattr(provenance, "EQUIVALENT", tmp_path / "equivalent.yaml")
    provenance._equivalences.cache_clear()
    try:
        assert provenance.accepted(entry["new"]) == entry["old"]
    finally:
        provenance._equivalences.cache_clear()


# --- Python that no other test runs


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Make a component of a page's block, by its kind and function."""

    def made(page, number, kind, function):
        name = f"of_the_page_{page.split('.')[0].replace('-', '_')}_{number}"
        (tmp_path / f"{name}.py").write_text(docs.block(page, "python", number))
        monkeypatch.chdir(tmp_path)
        return components.find(kind, f"{name}:{function}")

    return made


def test_the_outline_of_a_dataset_is_one(own):
    found = own("add-a-dataset.md", 0, "dataset", "describe")
    read = own("add-a-dataset.md", 0, "dataset", "read")
    assert found.parameters == read.parameters and found.unkeyed == ("root",)
    assert components.fill(found, found.constants["TINY"], where="x") == {"root": "data", "test_fraction": 0.5}
    with pytest.raises(freqmaps.core.errors.ConfigError, match="outside"):
        components.fill(found, {"test_fraction": 1}, where="x")


def test_the_outline_of_a_simulation_is_one(own):
    found = own("add-a-simulation.md", 0, "simulation", "compute")
    assert components.fill(found, found.constants["TINY"], where="x", supplied=("seed",)) == {"draws": 20}


def test_neutral_and_former_parameters_of_the_page_leave_keys_alone(own, tmp_path):
    neutral = own("exact-recomputation.md", 0, "attack", "build")
    assert components.fill(neutral, {}, where="x") == {"epsilon": 0.03, "steps": 10}
    assert components.fill(neutral, {"restarts": 2}, where="x")["restarts"] == 2
    text = docs.block("exact-recomputation.md", "python", 1)
    (tmp_path / "renamed.py").write_text(f"{text}\n\ndef build(*, epsilon: float = 0.1): ...\n")
    former = components.find("attack", "renamed:build")
    assert components.fill(former, {}, where="x") == {"eps": 0.1, "clip": True}
    assert components.current(former, {"eps": 0.1, "clip": True}) == {"epsilon": 0.1}


def test_the_two_pass_classifiers_of_the_page_answer():
    given, network = pictures(20, 2, (8, 8)), small_net(2)
    made = make(network, given, settings(groups="class", epochs=1))
    attributes = {"images": "essential", "objective": "cross_entropy", "parameters": "{}"}
    store, images = to_dataset(made, attributes), torch.from_numpy(given.images)
    told = {"network": network, "store": store}
    exec(compile(docs.block("group-maps.md", "python", 0), "docs/group-maps.md", "exec"), told)
    maps = told["class_maps"](store)
    torch.testing.assert_close(told["twice"](images), TwoPass(network, maps)(images))
    torch.testing.assert_close(told["choice"](images), ThroughChoice(network, maps)(images))
    assert told["soft"](images).shape == told["twice"](images).shape


def test_a_shared_root_is_read_as_the_page_says(tmp_path):
    keyed_results.make(tmp_path / "results", dataset="digits")
    line = docs.block("shared-roots.md", "python", 0).replace("/lab/freqmaps", str(tmp_path / "results"))
    maps = eval(line.strip(), {"freqmaps": freqmaps})
    assert maps.sizes["sample"] == 2 * keyed_results.N and np.isfinite(maps["map"].values).all()


# --- commands


def commands():
    """Return each command line of a page, without its comment: those whose program the clone has."""
    found = []
    for one in [*docs.blocks(""), *docs.blocks("bash")]:
        for line in one.text.replace("\\\n", " ").splitlines():
            if line.removeprefix(".venv/bin/").startswith(("snakemake ", "freqmaps ", "make ")):
                found.append(pytest.param(shlex.split(line, comments=True), id=f"{one.page}: {line[:60].strip()}"))
    return found


@pytest.mark.parametrize("words", commands())
def test_every_command_of_the_pages_is_one(words, tmp_path):
    program, *arguments = words
    for word in arguments:
        path = word.partition("=")[2] if program == "make" else word
        if path.startswith("studies/"):
            assert (REPOSITORY / path).is_file()
    if program == "make":
        targets = re.findall(r"^([\w -]+):", (REPOSITORY / "Makefile").read_text(), re.M)
        wanted = {word for word in arguments if "=" not in word}
        assert wanted and wanted <= set(" ".join(targets).split())
    elif program.endswith("freqmaps"):
        assert parser().parse_args(arguments).run
    else:
        given = snakemake.cli.get_argument_parser().parse_args(arguments)
        for changed in given.config or []:
            key, _, value = changed.partition("=")
            assert key in read_files([REPOSITORY / "config.yaml"]) and (not value.startswith("{") or json.loads(value))


def test_the_tables_of_the_pages_name_kinds_that_there_are():
    found = set()
    for page in docs.PAGES:
        if page.name.startswith("add-a") and page.name != "add-an-item.md":
            found |= set(re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.M))
    kinds = {name for kind in components.kinds() for name in components.names(kind)}
    assert found - kinds <= {"kind", "first_of"}, found - kinds
