"""Rules: thin, complete, and in step with the layout; the environment in step with pyproject.toml."""

import copy
import logging
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from freqmaps.stages import STAGES
from freqmaps.study import jobs
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.workflow import REPOSITORY, clone, snakemake

RULES = sorted((REPOSITORY / "rules").glob("*.smk"))
COMPUTING = ("message", "input", "output", "params", "log", "threads", "resources", "conda", "shell")
PROFILE = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())


def rules():
    for file in RULES:
        for block in re.split(r"^ *rule(?=[ :])", file.read_text(), flags=re.MULTILINE)[1:]:
            yield file.name, block


def test_every_rule_has_one_line_that_says_what_it_does():
    found = list(rules())
    assert len(found) == 4
    for file, block in found:
        assert re.search(r"^\s+message:", block, flags=re.MULTILINE), file
        assert not re.search(r"^\s+(run|script):", block, flags=re.MULTILINE), file


def test_the_rule_of_all_results_is_complete():
    (block,) = [block for file, block in rules() if file == "results.smk"]
    assert not [d for d in COMPUTING if not re.search(rf"^\s+{d}:", block, flags=re.MULTILINE)]
    assert "mem_mb=growing(MEMORY)" in block and "runtime=growing(MINUTES)" in block
    assert "group:" not in block  # a group asks for the sum of its jobs' GPUs


@pytest.fixture(scope="module")
def default():
    return study(read_files([REPOSITORY / "config.yaml"]))


def test_jobs_that_run_a_network_may_use_a_gpu_and_no_others(default):
    for batch in default.batches:
        assert jobs.on_device(batch) == any("device" in node.options for node in batch.nodes), batch.name


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_each_job_fits_a_partition_of_its_kind_at_every_attempt(default, device):
    partitions = read_partition_file(REPOSITORY / "slurm" / PROFILE["slurm-partition-config"])
    assert [p.name for p in partitions] == list(PROFILE["partitions"])
    for batch in default.batches:
        on_gpu = jobs.on_device(batch) and device == "auto"
        memory, minutes = jobs.resources(batch, default.config)
        for attempt in range(1, PROFILE["retries"] + 2):
            asked = {"mem_mb": memory * 2 ** (attempt - 1), "runtime": minutes * 2 ** (attempt - 1)}
            job = SimpleNamespace(name=batch.name, threads=2, resources=asked | {"gpu": int(on_gpu)})
            assert get_best_partition(partitions, job, logging.getLogger()) == ("gpu" if on_gpu else "cpu")


def test_the_config_goes_before_what_stages_ask_for(default):
    batch = next(b for b in default.batches if b.stage == "maps")
    assert jobs.resources(batch, {"resources": {}}) == (8000, 240)
    assert jobs.resources(batch, {"resources": {"maps": {"mem_mb": 1}}}) == (1, 240)


def test_who_needs_a_result_needs_all_of_its_job(default):
    """Else asking for one table would train networks that it does not show."""
    readers = {node: set() for node in default.graph.nodes.values()}
    job_of = {node: batch for batch in default.batches for node in batch.nodes}
    for node in readers:
        for read in node.inputs:
            readers[read].add(job_of[node])
    joined = 0
    for batch in default.batches:
        by_inputs = {}
        for node in batch.nodes:
            by_inputs.setdefault(frozenset(set(node.inputs) - set(batch.nodes)), set()).update(readers[node] - {batch})
        if batch.stage in ("snapshots", "correlation"):
            continue  # a run of a training, and all metrics of a pair of map sets
        if len({n.names.get("step") for n in batch.nodes}) > 1:
            continue  # the same of all snapshots
        assert len({frozenset(found) for found in by_inputs.values()}) == 1, batch.name
        joined += len(by_inputs) > 1
    assert joined >= 5


def test_no_job_waits_for_itself_and_names_are_the_same_in_every_process(default):
    job_of = {node: batch for batch in default.batches for node in batch.nodes}
    waits = {batch.name: {job_of[node].name for node in batch.inputs} for batch in default.batches}
    list(TopologicalSorter(waits).static_order())
    ask = "from tests.test_rules import *; default = study(read_files([REPOSITORY / 'config.yaml']))"
    ask += "; print(*(batch.name for batch in default.batches))"
    again = subprocess.run([sys.executable, "-c", ask], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert again.stdout.split() == [batch.name for batch in default.batches]


def test_every_result_is_made_by_one_job_and_after_its_inputs(default):
    made = [node.path for batch in default.batches for node in batch.nodes]
    assert sorted(made) == sorted(default.graph.nodes)
    assert len({batch.name for batch in default.batches}) == len(default.batches)
    for batch in default.batches:
        for place, node in enumerate(batch.nodes):
            later = set(batch.nodes[place:])
            assert not later & set(node.inputs)


def test_what_reads_maps_is_a_job_of_the_cluster_and_a_plain_table_is_not(default):
    light = {node.names.get("item", node.stage) for b in default.batches if jobs.is_light(b) for node in b.nodes}
    assert {"report", "K22-F1"} <= light and not light & {"B25-F1", "K22-F5", "B25-T1", "atlas"}


def test_without_together_each_result_has_a_job_of_its_own(default):
    alone = jobs.batches(default.graph, 0)
    # One run of a training makes it and all its snapshots.
    shared = [batch for batch in alone if len(batch.nodes) > 1]
    assert {batch.stage for batch in shared} == {"snapshots"} and len(shared) == 2
    together = sum(len(batch.nodes) - 1 for batch in shared)
    assert len(alone) == len(default.graph.nodes) - together > len(default.batches)


def _training_threads(config):
    return {n.options["threads"] for n in study(config).graph.nodes.values() if n.stage in ("training", "snapshots")}


def test_trainings_take_a_second_thread_where_they_are_long(default):
    assert _training_threads(default.config) == {1}
    long = copy.deepcopy(default.config)
    for training in long["trainings"].values():
        training["epochs"] = 20_000
    assert _training_threads(long) == {2}
    assert _training_threads(long | {"threads": long["threads"] | {"training": 3}}) == {3}


def test_the_default_study_takes_few_jobs_as_many_as_the_docs_say(default):
    results, made = len(default.graph.nodes), len(default.batches)
    assert made + 1 <= 150
    sentence = f"The default study has {results} results, made by {made + 1} jobs: {made}, and one step that copies"
    assert sentence in (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_profile_names_no_rule_and_puts_what_a_site_edits_first():
    assert list(PROFILE)[:2] == ["partitions", "default-resources"]
    assert "set-resources" not in PROFILE


def test_one_stage_one_name_everywhere():
    for stage in STAGES:
        assert (REPOSITORY / "workflow_scripts" / f"{stage}.py").exists()
        folder = {"items": "papers", "report": "publish/report", "snapshots": "training"}.get(stage, stage)
        assert (REPOSITORY / "freqmaps" / folder / "__init__.py").exists()


def test_files_stay_small():
    assert len((REPOSITORY / "Snakefile").read_text().splitlines()) <= 60
    for script in (REPOSITORY / "workflow_scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) <= 80, script.name


def test_the_default_profile_overlaps_with_no_site_profile():
    default = yaml.safe_load((REPOSITORY / "profiles" / "default" / "config.yaml").read_text())
    slurm = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())
    assert not set(default) & set(slurm)


def test_environments_follow_the_lock_file_and_the_lock_file_follows_pyproject():
    lock = (REPOSITORY / "envs" / "requirements.lock").read_text()
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, flags=re.MULTILINE)}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.match(r"[A-Za-z0-9_.-]+", w)[0].lower().replace("_", "-") for w in wanted}
    assert not names - pinned
    assert "://" not in lock  # names, versions and hashes: no address of a registry
    for environment in ("cpu", "gpu"):
        content = yaml.safe_load((REPOSITORY / "envs" / f"{environment}.yaml").read_text())
        assert content["dependencies"][-1] == {"pip": ["-r requirements.lock"]}


def test_torch_and_torchvision_are_a_pair():
    lock = (REPOSITORY / "envs" / "requirements.lock").read_text()
    torch = re.search(r"^torch==2\.(\d+)", lock, flags=re.MULTILINE)
    vision = re.search(r"^torchvision==0\.(\d+)", lock, flags=re.MULTILINE)
    assert int(torch[1]) - int(vision[1]) == -15


def test_without_a_target_everything_is_made(tmp_path):
    done = snakemake(clone(tmp_path / "clone"), "-n")
    assert "Nothing to be done" not in done.stdout + done.stderr
    assert re.search(r"^all +1$", done.stdout, flags=re.MULTILINE)
