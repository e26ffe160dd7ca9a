"""Rules: thin, complete, and in step with the layout; the environment in step with pyproject.toml."""

import logging
import re
import tomllib
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from freqmaps.study.graph import PATHS
from tests.workflow import REPOSITORY

RULES = sorted((REPOSITORY / "rules").glob("*.smk"))
COMPUTING = ("message", "input", "output", "params", "log", "benchmark", "threads", "resources", "conda", "shell")


def rules():
    for file in RULES:
        for block in re.split(r"^ *rule(?=[ :])", file.read_text(), flags=re.MULTILINE)[1:]:
            if "shell:" in block and "script('stamp')" not in block:
                yield f"{file.name}:{block.split(':')[0].strip() or 'item'}", block


@pytest.mark.parametrize(("name", "block"), list(rules()), ids=lambda v: v if "\n" not in v else "")
def test_every_computing_rule_is_complete(name, block):
    missing = [d for d in COMPUTING if not re.search(rf"^\s+{d}:", block, flags=re.MULTILINE)]
    assert not missing, f"{name} lacks {missing}"
    assert "mem_mb" in block
    assert "runtime" in block
    assert "run:" not in block
    assert "script:" not in block


GROWING = re.compile(r"(mem_mb|runtime)=growing\((\d+)\)")
ON_GPUS = {"training", "attacks", "maps", "group_maps", "evaluation", "atlas"}
PROFILE = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())


def submitted():
    """Rules that a cluster runs: their names and blocks."""
    return [(name.split(":")[1], block) for name, block in rules() if "localrule: True" not in block]


def test_time_and_memory_grow_with_each_attempt():
    for name, block in submitted():
        assert {found[1] for found in GROWING.finditer(block)} == {"mem_mb", "runtime"}, name


def test_gpu_rules_ask_for_a_gpu_of_the_kind_that_the_profile_names():
    asking = {name for name, block in submitted() if "gpu=gpus," in block}
    assert asking == ON_GPUS
    for name, block in submitted():
        assert ("gpu_model=gpu_model," in block) == (name in asking)
        assert "group:" not in block  # a group asks for the sum of its jobs' GPUs


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_each_job_fits_a_partition_of_its_kind_at_every_attempt(device):
    partitions = read_partition_file(REPOSITORY / "slurm" / PROFILE["slurm-partition-config"])
    assert [p.name for p in partitions] == list(PROFILE["partitions"])
    for name, block in submitted():
        on_gpu = name in ON_GPUS and device == "auto"
        for attempt in range(1, PROFILE["retries"] + 2):
            resources = {key: int(first) * 2 ** (attempt - 1) for key, first in GROWING.findall(block)}
            job = SimpleNamespace(name=name, threads=2, resources=resources | {"gpu": int(on_gpu)})
            assert get_best_partition(partitions, job, logging.getLogger()) == ("gpu" if on_gpu else "cpu")


def test_the_profile_names_no_rule_and_puts_what_a_site_edits_first():
    assert list(PROFILE)[:2] == ["partitions", "default-resources"]
    assert "set-resources" not in PROFILE


def test_one_stage_one_name_everywhere():
    for stage in [*PATHS, "items", "report", "atlas"]:
        assert (REPOSITORY / "rules" / f"{stage}.smk").exists()
        assert (REPOSITORY / "workflow_scripts" / f"{stage}.py").exists()
        assert (REPOSITORY / "freqmaps" / stage / "__init__.py").exists()


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
    assert "http" not in lock
    for environment in ("cpu", "gpu"):
        content = yaml.safe_load((REPOSITORY / "envs" / f"{environment}.yaml").read_text())
        assert content["dependencies"][-1] == {"pip": ["-r requirements.lock"]}


def test_torch_and_torchvision_are_a_pair():
    lock = (REPOSITORY / "envs" / "requirements.lock").read_text()
    torch = re.search(r"^torch==2\.(\d+)", lock, flags=re.MULTILINE)
    vision = re.search(r"^torchvision==0\.(\d+)", lock, flags=re.MULTILINE)
    assert int(torch[1]) - int(vision[1]) == -15
