"""Exactly what a change touches is made again: a table of edits and the jobs that each makes due.

The study is run once. Each edit is then made in a clone that has the results but not Snakemake's records, with
scrambled file times; every sixth one also in a clone with the records.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from freqmaps.stores import MAPS, read
from tests import starter
from tests.edits import EDITS, append, config, text
from tests.workflow import clone, due, scramble_times, snakemake

pytestmark = pytest.mark.slow

TINY = ("--configfile", "tests/tiny.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone in which the tiny study has been run."""
    folder = clone(tmp_path_factory.mktemp("finished"))
    snakemake(folder, "-c2", "all", *TINY)
    return folder


def test_each_job_runs_the_script_of_its_stage(finished):
    for path in (finished / "results").rglob("manifest.json"):
        script = re.search(r"command: python \S*/(\w+)\.py ", path.with_name("log.txt").read_text())[1]
        stage = json.loads(path.read_text())["stage"]
        assert script == {"matrices": "correlation"}.get(stage, stage), path


def test_a_second_run_finds_nothing_to_do(finished):
    assert due(finished, "all", *TINY) == set()


@pytest.mark.parametrize("edit", EDITS)
def test_exactly_what_an_edit_touches(finished, tmp_path, edit):
    """Whatever the times of files are, and without Snakemake's own records."""
    change, expected = EDITS[edit]
    first = clone(tmp_path / "first", of=finished, results=True)
    change(first)
    scramble_times(first)
    assert due(first, "all", *TINY) == expected


@pytest.mark.parametrize("edit", list(EDITS)[::6])
def test_the_same_with_the_records_of_snakemake(finished, tmp_path, edit):
    change, expected = EDITS[edit]
    first = clone(tmp_path / "first", of=finished, results=True, metadata=True)
    change(first)
    assert due(first, "all", *TINY) == expected


def test_a_fresh_clone_beside_shared_results_makes_nothing_and_lays_its_tables(finished, tmp_path):
    other = clone(tmp_path / "other", of=finished)
    scramble_times(other)
    shared = ("--config", f"results={finished}/results")
    assert due(other, "all", *TINY, *shared) == set()
    snakemake(other, "-c1", "all", *TINY, *shared)
    table = "results/tables/B25-T1.csv"
    assert (other / table).read_bytes() == (finished / table).read_bytes()
    done = snakemake(other, "-n", "all", *TINY, *shared)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_going_back_is_free(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)
    before = (folder / "results" / "tables" / "B25-T1.csv").read_text()
    other = ("--config", 'metrics={"idcor": {"kind": "idcor", "permutations": 20}}')
    snakemake(folder, "-c2", "all", *TINY, *other)
    assert (folder / "results" / "tables" / "B25-T1.csv").read_text() != before
    assert due(folder, "all", *TINY) == set()
    snakemake(folder, "-c2", "all", *TINY)
    assert (folder / "results" / "tables" / "B25-T1.csv").read_text() == before
    assert due(folder, "all", *TINY) == set()


def test_a_lost_result_is_made_again_and_is_the_same(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True, metadata=True)
    store = next((folder / "results").glob("digits/*/*/seed0/maps/ce/essential/none/self/*/*/store.zarr.zip"))
    before = store.read_bytes()
    shutil.rmtree(store.parent)
    name = str(store.with_name("manifest.json").relative_to(folder))
    assert due(folder, name, *TINY) == {"maps/0/essential"}
    snakemake(folder, "-c2", name, *TINY)
    (tmp_path / "before.zip").write_bytes(before)
    assert read(store, MAPS)["map"].equals(read(tmp_path / "before.zip", MAPS)["map"])


def command(folder, *words, code=0, config=True):
    line = [starter.python(), "-m", "freqmaps.cli", *words, *(TINY if config else ())]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


NEUTRAL_SETTING = (
    text("freqmaps/maps/settings.py", "    patience: int = 300\n", "    patience: int = 300\n    restarts: int = 0\n"),
    text("freqmaps/maps/settings.py", '{"settling": 0}', '{"settling": 0, "restarts": 0}'),
)
NEUTRAL_ARGUMENT = (
    text("freqmaps/attacks/pgd.py", "def build(\n    *,\n", "def build(\n    *,\n    averaged: bool = False,\n"),
    append("freqmaps/attacks/pgd.py", '\nNEUTRAL = {"averaged": False}\n'),
)


@pytest.mark.parametrize(
    ("edits", "stages"),
    [(NEUTRAL_SETTING, {"maps"}), (NEUTRAL_ARGUMENT, {"attacks"})],
    ids=["a setting with a neutral default", "an argument with a neutral default"],
)
def test_a_refactoring_is_proved_by_recomputation(finished, tmp_path, edits, stages):
    folder = clone(tmp_path / "c", of=finished, results=True)
    for edit in edits:
        edit(folder)
    assert {one.split("/")[0] for one in due(folder, "all", *TINY)} >= stages
    said = command(folder, "accept", "--why", "a parameter that changes nothing by default", "--results", "1")
    assert f"{len(stages)} declared" in said
    assert due(folder, "all", *TINY) == set()
    declared = yaml.safe_load((folder / "freqmaps" / "provenance" / "equivalent.yaml").read_text())
    assert {entry["stage"] for entry in declared} == stages
    assert all(told["compared"] == "bit for bit" for entry in declared for told in entry["evidence"]["remade"])
    assert "nothing to accept" in command(folder, "accept", "--why", "again")


def test_code_that_gives_other_numbers_is_not_accepted(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)
    text("freqmaps/correlation/metrics/cosine.py", "return", "seed += 1\n    return")(folder)
    path = folder / "freqmaps" / "maps" / "_slots.py"
    content = path.read_text()
    assert "scratch, cfg.learning_rate * slots" in content
    path.write_text(content.replace("scratch, cfg.learning_rate * slots", "scratch, 2 * cfg.learning_rate * slots"))
    before = (folder / "freqmaps" / "provenance" / "equivalent.yaml").read_text()
    said = command(folder, "accept", "--why", "faster", code=1)
    assert "the new code gives other numbers" in said and "store.zarr.zip:" in said and "differs by" in said
    assert "nothing is declared for maps" in said
    assert (folder / "freqmaps" / "provenance" / "equivalent.yaml").read_text() == before
    assert "maps/0/essential" in due(folder, "all", *TINY)


def test_why_names_the_field_that_changed(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)
    config("maps", "ce", "penalty", to=0.3)(folder)
    assert "objective.parameters.penalty: 0.1 -> 0.3" in command(folder, "why", "B25-T1")
    assert "digits/small-cnn/standard/seed0/training" not in command(folder, "why", "B25-T1")
    assert "up to date" in command(folder, "why", "digits/small-cnn/standard/seed0/training")
    assert "results it reads are others now" in command(folder, "why", "atlas").splitlines()[-1]
    lines = command(folder, "why", "all").splitlines()
    assert {"atlas", "report", "B25-T1"} <= {line.split(":")[0] for line in lines}


def test_why_says_so_when_only_a_page_is_due(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)
    assert command(folder, "why") == "all: up to date\n"
    style = folder / "report" / "atlas" / "style.css"
    style.write_text(style.read_text() + "/* wider */\n")
    (folder / "results" / "report.html").unlink()
    atlas, report = command(folder, "why").splitlines()
    assert atlas.startswith("atlas: its templates changed (was ")
    assert report == "report: made, but not laid in results/"
    assert command(folder, "why", "B25-T1") == "B25-T1: up to date\n"


def test_why_of_no_target_is_one_line_with_the_nearest(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)
    said = command(folder, "why", "atlass", code=1)
    assert "did you mean 'atlas'? Valid: B25-" in said and len(said) < 300


def test_gc_lists_what_no_study_refers_to_and_deletes_only_when_told(finished, tmp_path):
    folder = clone(tmp_path / "c", of=finished, results=True)

    assert "0 results" in command(folder, "gc")
    config("maps", "ce", "penalty", to=0.3)(folder)
    listed = command(folder, "gc")
    assert "13 results" in listed
    assert len(list((folder / "results").glob("digits/**/manifest.json"))) == 4 + 3 + 2 + 4
    assert "deleted" in command(folder, "gc", "--delete").splitlines()[-1]
    assert len(list((folder / "results").glob("digits/**/manifest.json"))) == 4
    assert "0 results" in command(folder, "gc")


def test_a_repeated_job_that_fails_leaves_no_manifest_beside_other_files(finished, tmp_path):
    """Snakemake puts the manifests of all results of a failed job back, also of those that were made anew."""
    folder = clone(tmp_path / "c", of=finished, results=True)
    planned = snakemake(folder, "-n", "stores", "--forceall", *TINY)
    job = re.search(r"attacks_digits_small-cnn_standard_0_\S+", planned.stdout + planned.stderr)[0]
    job_runner = (folder / "freqmaps" / "job.py").read_text()
    fails = (
        'headline = dict(run(job))\n        if "pgd" in str(job.folder):\n            raise FreqmapsError("no more")'
    )
    text("freqmaps/job.py", "headline = dict(run(job))", fails)(folder)
    text("freqmaps/stores/zarrfile.py", "CHUNK_BYTES = 1 << 20", "CHUNK_BYTES = 1 << 10")(folder)  # other files
    done = snakemake(folder, "-c1", "stores", "--forcerun", job, *TINY, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "no more" in said
    withdrawn = re.findall(r"(\S+manifest\.json): withdrawn, since it was put back", said)
    assert any("/fgsm/" in path for path in withdrawn) and not any((folder / path).exists() for path in withdrawn)
    assert "content differs" not in command(folder, "verify", "results", code=1, config=False)
    (folder / "freqmaps" / "job.py").write_text(job_runner)
    snakemake(folder, "-c1", "stores", *TINY)
    *problems, summary = command(folder, "verify", "results", code=1, config=False).splitlines()
    assert all(line.endswith("its provenance has no 'commit'") for line in problems)  # the clone is no repository
    assert "unfinished" not in summary
