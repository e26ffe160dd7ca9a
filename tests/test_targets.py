"""Words that Snakemake takes for targets: those that a study cannot make are told before anything is planned."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.study import targets
from freqmaps.study.build import study
from freqmaps.study.config import merge, read_files
from tests.workflow import REPOSITORY, SNAKEMAKE

SHOWN = Path("results")


@pytest.fixture(scope="module")
def small():
    """The default study with two items, one of them of a paper of its own."""
    config = read_files([REPOSITORY / "config.yaml"])
    merge(config, {"items": ["B25-T1", "B25-T3"], "atlas": {"samples": 0}})
    return study(config)


def refused(small, word):
    with pytest.raises(ConfigError) as error:
        targets.check(small, SHOWN, [word], set(small.targets()).__contains__)
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-n K22-T99 --config x=y a=b -c 1", ["K22-T99"]),
        ("all --configfile a.yaml b.yaml", ["all"]),
        ("-c all all -j 4 --rerun-triggers mtime code", ["all"]),
        ("--profile slurm b25 --set-resources training:mem_mb=1", ["b25"]),
        ("--configfile a.yaml -- B25-T1 -x", ["-x", "B25-T1"]),
        ("all --until maps --omit-from report -R atlas -P stores", ["all", "maps", "report", "atlas", "stores"]),
        ("-np all --slurm-status-command sacct", ["all"]),
        ("--unlock", []),
        ("--cores", []),
    ],
)
def test_a_word_is_a_target_where_snakemake_takes_it_for_one(line, words, capsys):
    for program in ("/somewhere/bin/snakemake", "/lib/snakemake/__main__.py"):
        assert list(targets.command([program, *shlex.split(line)]).words) == words
    assert targets.command(["/bin/pytest", *shlex.split(line)]) == targets.Command()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("word", "near"),
    [("repot", "'report'"), ("b52", "'b25'"), ("al", "'all'"), ("b25-t1", "'B25-T1'"), ("B25-T4x", "'B25-T4'")],
)
def test_a_typo_is_told_with_the_nearest_targets(small, word, near):
    sentence = refused(small, word)
    assert sentence.startswith(f"no target '{word}': did you mean ")
    assert near in sentence


def test_a_word_like_no_target_is_told_with_all_of_the_study(small):
    assert refused(small, "qqq") == (
        "no target 'qqq'; targets of this study: all, B25-T1, B25-T3, report, b25, stores, or a result's path"
    )


@pytest.mark.parametrize("paper", ["k22", "c22", "f21", "y19"])
def test_a_paper_of_which_the_config_lists_no_item_is_told_with_its_items(small, paper):
    sentence = refused(small, paper)
    assert sentence.startswith(f"the config lists no item of {paper.upper()}: add some to 'items' (")
    assert f"{paper.upper()}-F1, " in sentence or f"({paper.upper()}-F1)" in sentence


def test_an_item_and_an_atlas_that_are_not_there_are_told_with_what_to_add(small):
    assert "the config lists no item 'K22-T1': add it to 'items'" in refused(small, "K22-T1")
    assert "no atlas" in refused(small, "atlas") and "atlas.samples" in refused(small, "atlas")


def test_a_plain_name_is_a_copy_and_the_item_is_its_target(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in ("results/tables/B25-T1.csv", "./results/tables/B25-T1.csv"):
        assert refused(small, word) == f"target '{word}' is a copy, which 'B25-T1' lays: give 'B25-T1' as the target"
    assert "give 'report' as the target" in refused(small, "results/report.html")


def test_what_snakemake_can_make_or_finds_is_not_judged(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "here.txt").touch()
    words = [*small.targets(), "here.txt", "below/here.txt", f"{_dataset(small)}/manifest.json"]
    targets.check(small, SHOWN, words, set(small.targets()).__contains__)


def _dataset(small):
    return next(f"results/{node.path}" for node in small.graph.nodes.values() if node.stage == "datasets")


def test_a_path_that_no_job_makes_is_told_with_what_to_give(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = _dataset(small)
    Path(folder).mkdir(parents=True)
    for word in (folder, f"{folder}/", f"{folder}/store.zarr.zip", f"{tmp_path}/{folder}/manifest.json", f"./{folder}"):
        assert refused(small, word).endswith(f"give its manifest, '{folder}/manifest.json'")
    other = f"{folder.rpartition('/')[0]}/000000000000"
    Path(other).mkdir()
    for word in (f"{other}/manifest.json", "results/dgits/x/manifest.json", "/lab/x/manifest.json"):
        assert refused(small, word).startswith(f"no job of this config makes '{word}': give a target (all, stores, ")


@pytest.mark.parametrize(("line", "executor", "dry"), [("all", "", False), ("-n --executor slurm all", "slurm", True),
                                                       ("--profile slurm", "slurm", False)])  # fmt: skip
def test_who_is_to_run_the_jobs(monkeypatch, line, executor, dry):
    monkeypatch.chdir(REPOSITORY)
    asked = targets.command(["snakemake", *shlex.split(line)])
    assert (asked.executor, asked.dry) == (executor, dry)


@pytest.mark.parametrize("words", [["repot"], ["all", "--until", "repot"]])
def test_snakemake_shows_a_typo_as_one_sentence_and_plans_nothing(words):
    line = [*SNAKEMAKE, "-n", *words]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = [text for text in (done.stdout + done.stderr).splitlines() if not text.startswith("Using workflow specific")]
    assert told == ["Error: no target 'repot': did you mean 'report'?"]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("--target-jobs training_a:x=1 --allowed-rules training_a maps_b --cores 1", {"training_a", "maps_b"}),
        ("--mode remote --allowed-rules training_a", {"training_a"}),
        ("--allowed-rules --cores 1", None),
        ("all --cores 1", None),
    ],
)
def test_a_job_is_told_its_rules(line, rules):
    assert targets.allowed(["snakemake", *shlex.split(line)]) == rules


def test_a_job_of_a_cluster_defines_its_own_rule_and_no_other_job():
    names = [batch.name for batch in study(read_files([REPOSITORY / "config.yaml"])).batches]

    def defined(*words):
        line = [*SNAKEMAKE, "--list-rules", *words]
        done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return [name for name in done.stdout.split() if name in names]

    assert sorted(defined()) == sorted(names)
    assert defined("--mode", "remote", "--allowed-rules", names[3]) == [names[3]]
