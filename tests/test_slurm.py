"""The profile ``slurm`` on a real cluster of one node: where jobs go, what they hold, and that killed ones go on.

This cluster keeps no accounts: what is said of jobs here is what SLURM's controller recorded.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import freqmaps
from freqmaps.stores import MAPS, read
from tests.slurm_cluster import Cluster, jobs, needed, slurm, wait_for, working
from tests.workflow import SNAKEMAKE, clone, snakemake

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

STUDY = ("--configfile", "tests/slurm.yaml")
# Status polls suited to jobs of seconds; everything else is the profile's.
QUICK = ("--slurm-init-seconds-before-status-checks", "8")
ON_GPUS = {"training", "attacks", "maps"}
ON_CPUS = {"datasets", "matrices", "correlation"}
PATIENCE = 900.0  # seconds, for a machine that is busy with other things

#: What is done to which job: stage, a part of its results' path, and what shows that it has something to lose.
DISTURBED = {
    "cancelled": ("training", "seed0/training", "partial/state.pt"),
    "requeued": ("maps", "maps/ce/essential/test-0-32", "log.txt"),
    "killed": ("maps", "maps/ce/essential/test-32-60", "log.txt"),
    "late": ("maps", "maps/ce/fgsm/test-0-32", "log.txt"),
}


def has_begun(folder, path, sign):
    found = next((folder / "results").glob(f"digits/**/{path}/*/{sign}"), None)
    return found and (sign != "log.txt" or re.search(r"maps [1-9]\d*/", found.read_text()))


def disturb(folder, how):
    """Freeze a job's process in the middle of its work, then do to the job what happens to jobs."""
    name, path, _ = DISTURBED[how]
    process = working(folder, name, path)
    os.kill(process.pid, signal.SIGSTOP)
    number = next(j["JobId"] for j in jobs(Stage=name, JobState="RUNNING") if path.split("/")[-1] in j["Comment"]
                  and path.split("/")[-2] in j["Comment"] or name == "training")  # fmt: skip
    if how == "cancelled":
        slurm("scancel", number)
    elif how == "requeued":
        slurm("scontrol", "requeue", number)
    elif how == "killed":
        process.kill()
    else:
        slurm("scontrol", "update", f"JobId={number}", "EndTime=now")


def run_disturbed(folder):
    """Run the literal command, with somebody who cancels, kills, requeues and times out its jobs."""
    with (folder / "snakemake.log").open("w") as log:
        line = [*SNAKEMAKE, "--profile", "slurm", "all", *STUDY, *QUICK]
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=log)
    waiting = set(DISTURBED)

    def ended():
        for how in sorted(waiting):
            if has_begun(folder, *DISTURBED[how][1:]):
                disturb(folder, how)
                waiting.remove(how)
        return process.poll() is not None

    try:
        wait_for("the end of Snakemake", ended, PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, (folder / "snakemake.log").read_text()[-8000:]
    assert not waiting


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    needed()
    folder = clone(tmp_path_factory.mktemp("local"))
    snakemake(folder, "-c2", "all", *STUDY)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A clone after the disturbed run, and SLURM's records of it."""
    needed()
    folder = clone(tmp_path_factory.mktemp("cluster"))
    with Cluster(tmp_path_factory.mktemp("slurm")):
        run_disturbed(folder)
        records = jobs()
    return folder, records


def test_the_literal_command_makes_everything_from_a_clone(run):
    folder, records = run
    assert (folder / "results" / "report.html").stat().st_size > 10_000
    assert freqmaps.open(folder / "results").problems() == []
    assert {j["Stage"] for j in records} == ON_GPUS | ON_CPUS  # tables, figures and the report were made locally


def test_gpu_jobs_held_a_gpu_in_the_gpu_partition_and_the_others_did_not(run):
    for job in run[1]:
        if job["Stage"] in ON_GPUS:
            assert (job["Partition"], job.get("TresPerJob")) == ("gpu", "gres:gpu:1"), job
        else:
            assert (job["Partition"], job.get("TresPerJob")) == ("cpu", None), job


def test_shards_ran_side_by_side(run):
    def time_of(job):
        return [datetime.fromisoformat(job[k]) for k in ("StartTime", "EndTime")]

    shards = [j for j in run[1] if j["Stage"] == "maps"]
    pairs = [(time_of(a), time_of(b)) for a, b in combinations(shards, 2) if a["Comment"] != b["Comment"]]
    assert any(max(a[0], b[0]) < min(a[1], b[1]) for a, b in pairs)


def test_cancelled_killed_and_late_jobs_were_tried_again_with_more_time_and_memory(run):
    _, records = run
    assert Counter(j["JobState"] for j in records if j["Stage"] == "training") == {"CANCELLED": 1, "COMPLETED": 1}
    states = Counter(j["JobState"] for j in records if j["Stage"] == "maps")
    assert states == {"FAILED": 1, "TIMEOUT": 1, "COMPLETED": 4}
    first, second = sorted((j for j in records if j["Stage"] == "training"), key=lambda j: int(j["JobId"]))
    assert [j["TimeLimit"] for j in (first, second)] == ["04:00:00", "08:00:00"]
    assert [j["MinMemoryNode"] for j in (first, second)] == ["8000M", "16000M"]


def test_a_preempted_job_goes_back_into_the_queue(run):
    restarted = [j for j in run[1] if j["Restarts"] != "0"]
    assert [j["JobState"] for j in restarted] == ["COMPLETED"]
    assert "essential_test-0-32" in restarted[0]["Comment"]


@pytest.mark.parametrize("how", ["cancelled", "requeued", "late"])
def test_a_job_that_is_stopped_goes_on_from_what_it_had_finished(run, how):
    _, path, _ = DISTURBED[how]
    log = next((run[0] / "results").glob(f"digits/**/{path}/*/log.txt")).read_text()
    assert log.count("command: python") == 2
    assert "told to stop (SIGTERM)" in log
    assert "going on after" in log


def test_numbers_equal_those_of_an_undisturbed_run(run, undisturbed):
    stores = sorted((undisturbed / "results").glob("digits/**/maps/**/store.zarr.zip"))
    assert len(stores) == 4
    for one in stores:
        ours, theirs = (read(f, MAPS) for f in (one, run[0] / one.relative_to(undisturbed)))
        assert (ours["sample"] == theirs["sample"]).all()
        assert np.allclose(ours["map"], theirs["map"], atol=1e-4)
    a, b = (pd.read_csv(d / "results" / "tables" / "B25-T1.csv").select_dtypes("number") for d in (undisturbed, run[0]))
    assert np.allclose(a, b, atol=1e-4, equal_nan=True)
