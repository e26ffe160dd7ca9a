"""Rules: thin, complete, and in step with the layout; the environment in step with pyproject.toml."""

import re
import tomllib

import pytest
import yaml

from freqmaps.study.graph import PATHS
from tests.workflow import REPOSITORY

RULES = sorted((REPOSITORY / "rules").glob("*.smk"))
COMPUTING = ("message", "input", "output", "params", "log", "benchmark", "threads", "resources", "conda", "shell")


def rules():
    for file in RULES:
        for block in re.split(r"^ *rule(?=[ :])", file.read_text(), flags=re.MULTILINE)[1:]:
            if "localrule: True" not in block:
                yield f"{file.name}:{block.split(':')[0].strip() or 'item'}", block


@pytest.mark.parametrize(("name", "block"), list(rules()), ids=lambda v: v if "\n" not in v else "")
def test_every_computing_rule_is_complete(name, block):
    missing = [d for d in COMPUTING if not re.search(rf"^\s+{d}:", block, flags=re.MULTILINE)]
    assert not missing, f"{name} lacks {missing}"
    assert "mem_mb" in block
    assert "runtime" in block
    assert "run:" not in block
    assert "script:" not in block


def test_gpu_rules_ask_for_a_gpu():
    for stage in ("training", "attacks", "maps"):
        assert "gpu=gpus" in (REPOSITORY / "rules" / f"{stage}.smk").read_text()


def test_one_stage_one_name_everywhere():
    for stage in [*PATHS, "items", "report"]:
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
