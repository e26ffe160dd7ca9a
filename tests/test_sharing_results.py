"""One small study, run as a workflow: planned before, listed, checked, handed to another lab that goes on from it."""

import csv
import os
import subprocess

import pytest
import torch
import yaml

import freqmaps
from benchmarks.bench_throughput import NETWORKS, time_network
from freqmaps.plan import plan, table
from freqmaps.plan.estimate import START_SECONDS
from freqmaps.results import scan
from freqmaps.stages import PUBLISHED
from freqmaps.stages.work import Network, Shape
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import starter
from tests.workflow import REPOSITORY, clone, due, snakemake

pytestmark = pytest.mark.slow

#: Estimates are to be within this factor of what it took on the machine that the table of throughputs is from.
FACTOR = 3.0
SMALL = ("--configfile", "tests/tiny.yaml", "small.yaml")
OVERLAY = {
    "study": "small",
    "atlas": {"samples": 0},
    "simulations": {"f21-theorems": None},  # half a minute that nothing here reads
    "threads": {"training": 1},  # threads that wait for a busy core count as work
    "datasets": {"digits": {"test_fraction": 0.4}},
    "trainings": {"standard": {"epochs": 20}},
    "maps": {"ce": {"min_steps": 150, "max_steps": 160}},
    "runs": [
        {
            "datasets": ["digits"], "models": ["small-cnn"], "trainings": ["standard"], "seeds": [0],
            "samples": {"split": "test", "first": 300}, "attacks": ["pgd-4_16"], "maps": ["ce"], "metrics": ["cosine"],
        }
    ],
    "items": [{"item": "B25-F3", "attack": "pgd-4_16"}],
}  # fmt: skip


def small_clone(folder):
    """A clone as another person has it: with a commit, so that results know theirs."""
    clone(folder)
    (folder / "small.yaml").write_text(yaml.safe_dump(OVERLAY))
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def planned(folder, **changes):
    config = read_files([folder / "config.yaml", folder / "tests" / "tiny.yaml", folder / "small.yaml"]) | changes
    return plan(study(config | {"results": str(folder / "results")}), device="cpu")


def command(folder, *words, check=True):
    line = [starter.python(), "-m", "freqmaps.cli", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A finished study, with the plan that was made before."""
    folder = small_clone(tmp_path_factory.mktemp("lab") / "a")
    before = planned(folder)
    snakemake(folder, "-c2", "all", *SMALL, anew=True)  # what it takes is compared
    return folder, before


def measured(folder):
    """Processor seconds of every keyed job, start-up left out: others may be using the machine too; and bytes."""
    made = [one for one in scan(folder / "results") if one.manifest["stage"] not in PUBLISHED]
    seconds = {one.path: one.manifest["provenance"]["cpu_s"] for one in made}
    return seconds, sum(sum(one.sizes.values()) for one in made)


def work(lines):
    """Estimated seconds without start-up."""
    return sum(line.seconds - START_SECONDS * line.starts for line in lines)


def slowness():
    """Return how many times longer than in the table of throughputs this machine takes for the study's network."""
    network = NETWORKS[0]
    listed = table.gradient_seconds(Network(*network[:2]), Shape(*network[2:4]), "cpu").value
    return time_network(*network, torch.device("cpu"))[1]["gradient_s"] / listed


def test_the_plan_before_is_what_it_took(lab):
    folder, before = lab
    seconds, size = measured(folder)
    lines = [line for line in before.lines if line.path in seconds]
    assert len(lines) == len(seconds) == len([line for line in before.lines if line.stage not in PUBLISHED])
    assert not any(line.made for line in before.lines)
    assert 1 / FACTOR < work(lines) * slowness() / sum(seconds.values()) < FACTOR
    assert 1 / FACTOR < sum(line.bytes for line in lines) / size < FACTOR


def test_the_plan_after_knows_what_is_there_and_learns_from_it(lab):
    folder, _ = lab
    assert all(line.made for line in planned(folder).lines)
    runs = [OVERLAY["runs"][0] | {"seeds": [1]}]
    of_network = {one.path for one in planned(folder).lines if one.stage not in ("datasets", "simulation", *PUBLISHED)}
    again = planned(folder, runs=runs, items=[])
    due_lines = [line for line in again.lines if not line.made and line.stage != "report"]
    assert {line.stage for line in due_lines} == {"training", "attacks", "maps", "matrices", "correlation"}
    assert {line.source for line in due_lines} == {"results here, same setting"}
    wall = sum(one.manifest["provenance"]["wall_s"] for one in scan(folder / "results") if one.path in of_network)
    assert work(due_lines) == pytest.approx(wall, rel=0.15)


def test_the_catalog_lies_beside_the_report_and_makes_nothing_due(lab):
    folder, _ = lab
    shown = folder / "results"
    assert 'href="catalog.html"' in (shown / "report.html").read_text()
    with (shown / "catalog.csv").open(newline="") as handle:
        listed = list(csv.DictReader(handle))
    assert {row["folder"] for row in listed} == {line.path for line in planned(folder).lines}
    assert {row["complete"] for row in listed} == {"True"}
    command(folder, "catalog")
    assert due(folder, "all", *SMALL) == set()


def test_others_results_are_listed_at_the_end_of_the_next_run(lab, tmp_path):
    folder = clone(tmp_path / "c", of=lab[0], results=True, metadata=True)
    other = next((folder / "results").glob("digits/datasets/*"))
    (folder / "results" / "theirs" / "datasets").mkdir(parents=True)
    other.rename(folder / "results" / "theirs" / "datasets" / other.name)
    assert "theirs" not in (folder / "results" / "catalog.csv").read_text()
    dataset = str(other.relative_to(folder) / "manifest.json")
    snakemake(folder, "-c1", dataset, *SMALL)
    assert "theirs/datasets" in (folder / "results" / "catalog.csv").read_text()


def test_every_result_of_a_run_is_in_order(lab):
    assert "0 problems" in command(lab[0], "verify", "results")


def test_another_lab_imports_and_goes_on(lab, tmp_path):
    archive = tmp_path / "ours.zip"
    told = command(lab[0], "export", archive, "--items", "B25-F3", *SMALL)
    assert "results and" in told
    other = small_clone(tmp_path / "b")
    command(other, "import", archive, "results")
    assert "0 problems" in command(other, "verify", "results")
    left = due(other, "all", *SMALL)
    assert {s.split("/")[0] for s in left} == {"matrices", "correlation", "simulation", "report"}
    snakemake(other, "-c2", "B25-F3", *SMALL)
    a, b = (d / "results" / "figures" / "B25-F3.svg" for d in (lab[0], other))
    assert a.read_text() == b.read_text()
    overlay = OVERLAY | {"maps": {"ce": OVERLAY["maps"]["ce"] | {"penalty": 0.3}}}
    (other / "small.yaml").write_text(yaml.safe_dump(overlay))
    after = due(other, "all", *SMALL)
    assert {s.split("/")[0] for s in after} == {"maps", "matrices", "correlation", "simulation", "B25-F3", "report"}
    maps = freqmaps.open(str(other / "results")).list("maps")
    assert len(maps) == 2


def test_make_plan_prints_the_table():
    makefile = (REPOSITORY / "Makefile").read_text()
    assert "\nplan: $(READY)\n\t@$(BIN)/freqmaps plan $(CONFIG)\n" in makefile
