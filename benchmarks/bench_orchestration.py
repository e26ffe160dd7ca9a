"""The default study from nothing, in a clone: seconds, jobs, and how much of the wall time their start-up takes.

A job's start-up is what Snakemake measured for it less what its results took, as their manifests say: the interpreter,
imports, the check of its inputs. Jobs overlap, so the sum is set against the wall time of the whole run, as promised.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import tempfile
import time
from pathlib import Path

from tests.workflow import clone, snakemake


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name))
        start = time.perf_counter()
        snakemake(folder, "-n", "--configfile", "studies/b25-cifar10.yaml")
        dry = time.perf_counter() - start
        start = time.perf_counter()
        snakemake(folder, "-c", str(os.cpu_count()), "all", timeout=3600)
        wall = time.perf_counter() - start
        startup, jobs, work = _jobs(folder / "results")
        start = time.perf_counter()
        again = snakemake(folder, "-c", str(os.cpu_count()), "all")
        nothing = time.perf_counter() - start
    assert "Nothing to be done" in again.stdout + again.stderr
    return {
        "default_study_seconds": wall,
        "default_study_jobs": jobs,
        "default_study_work_seconds": work,
        "orchestration_startup_seconds": startup,
        "orchestration_startup_share": startup / wall,
        "nothing_to_do_seconds": nothing,
        "dry_run_seconds": dry,
    }


def _jobs(results: Path) -> tuple[float, int, float]:
    """Return the seconds of start-up, the number of jobs and the seconds of work; a job has one benchmark."""
    startup, jobs, work = 0.0, 0, 0.0
    for path in results.rglob("benchmark.tsv"):
        with path.open() as handle:
            seconds = float(next(csv.DictReader(handle, delimiter="\t"))["s"])
        own = _work(path.parent, results)
        startup, jobs, work = startup + seconds - own, jobs + 1, work + own
    return startup, jobs, work


def _work(folder: Path, results: Path) -> float:
    """Return the seconds that a job worked on the results that its command names, by their manifests."""
    command = re.search(r"command: python (.*)", (folder / "log.txt").read_text())
    words = shlex.split(command[1]) if command else []
    told = json.loads(words[words.index("--results") + 1])
    manifests = (json.loads((results / one["path"] / "manifest.json").read_text()) for one in told)
    return sum(float(found["provenance"]["wall_s"]) for found in manifests)
