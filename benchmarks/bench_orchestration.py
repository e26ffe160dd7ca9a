"""The default study from nothing, in a clone: seconds, jobs, and how much of the wall time their start-up takes.

A job's start-up is the time between its start and its end in Snakemake's records less what its results took, as their
manifests say: the interpreter, imports, the check of its inputs. Jobs overlap, so the sum is set against the wall time
of the whole run, as promised.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from pathlib import Path

from tests.workflow import clone, snakemake


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name))
        start = time.perf_counter()
        snakemake(folder, "-n", "--configfile", "studies/b25-cifar10.yaml", anew=True)
        dry = time.perf_counter() - start
        start = time.perf_counter()
        snakemake(folder, "-c", str(os.cpu_count()), "all", timeout=3600, anew=True)
        wall = time.perf_counter() - start
        startup, jobs, work = _jobs(folder)
        start = time.perf_counter()
        again = snakemake(folder, "-c", str(os.cpu_count()), "all", anew=True)
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


def _jobs(folder: Path) -> tuple[float, int, float]:
    """Return the seconds of start-up, the number of jobs and the seconds of work."""
    records = [
        json.loads(path.read_text()) for path in (folder / ".snakemake" / "metadata").rglob("*") if path.is_file()
    ]
    jobs = {record["shellcmd"]: record for record in records if "--inputs" in str(record.get("shellcmd"))}
    work = {command: _work(command, folder / "results") for command in jobs}
    lasted = sum(float(record["endtime"]) - float(record["starttime"]) for record in jobs.values())
    return lasted - sum(work.values()), len(jobs), sum(work.values())


def _work(command: str, results: Path) -> float:
    """Return the seconds that a job worked on the results that its command names, by their manifests."""
    words = shlex.split(command)
    told = json.loads(words[words.index("--results") + 1])
    manifests = (json.loads((results / one["path"] / "manifest.json").read_text()) for one in told)
    return sum(float(found["provenance"]["wall_s"]) for found in manifests)
