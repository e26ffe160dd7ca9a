"""The profile ``slurm`` on a real cluster of one node: where jobs go, what they hold, and that stopped ones go on.

One run is disturbed, on a cluster that keeps no accounts: there, SLURM's controller says what jobs did. The same study
is made on this machine without a cluster. Of that, results of several stages are taken away and made again on a
cluster with accounts, other partitions and GPUs of a type, after an edit of the profile's first lines. A third run is
the whole default study, which takes a quarter of an hour even if its jobs have few steps: it runs where
FREQMAPS_DEFAULT_STUDY is `few`, or `full` for the study as it stands.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from datetime import datetime
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import yaml

import freqmaps
from freqmaps.core.errors import ConfigError
from freqmaps.stores import MAPS, read
from freqmaps.study import cluster
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from freqmaps.study.jobs import is_light
from tests.slurm_cluster import Cluster, jobs, needed, slurm, wait_for, working
from tests.workflow import REPOSITORY, SNAKEMAKE, clone, due, snakemake

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

STUDY = ("--configfile", "tests/slurm.yaml")
# Looks at jobs suited to jobs of seconds; everything else is the profile's.
QUICK = ("--slurm-init-seconds-before-status-checks", "2")
ON_GPUS = {"training", "attacks", "maps", "group_maps", "evaluation", "atlas"}
ON_CPUS = {"datasets", "matrices", "correlation", "simulation", "items"}
LENGTH = os.environ.get("FREQMAPS_DEFAULT_STUDY", "")
PATIENCE = 900.0  # seconds, for a machine that is busy with other things

#: Few steps for each job of the default study, where a setting has these keys.
FEW = {
    "trainings": {"epochs": 3},
    "attacks": {"steps": 5},
    "maps": {"min_steps": 5, "max_steps": 20},
    "group_maps": {"epochs": 2},
    "metrics": {"permutations": 9},
}

#: Which job meets what: its stage, its place among the stage's results, and what shows that it has something to lose.
DISTURBED = {
    "cancelled": ("training", "", "partial/training-*.part"),
    "requeued": ("maps", "ce/essential/none/self/test-0-32", "log.txt"),
    "killed": ("maps", "ce/essential/none/self/test-32-60", "log.txt"),
    "late": ("maps", "ce/adversarial/fgsm/self/test-0-32", "log.txt"),
}
#: What is made anew at another site, none of which waits for another, and what follows from it.
AT_A_SITE = {"simulation", "correlation", "group_maps", "evaluation"}
FOLLOWING = {"items", "atlas"}
#: What a site puts into the first lines of the profile.
SITE = {
    "  cpu:": "  normal:",
    "  gpu:": "  accelerated:",
    "# slurm_account: my-account": "slurm_account: lab",
    "# gpu_type: a100": "gpu_type: toy",
}


def result(folder, how):
    """The folder of a disturbed job's result, None before there is one."""
    stage, place, _ = DISTURBED[how]
    # No `**`: a folder that a job is writing may go while it is looked into.
    return next((folder / "results").glob(f"digits/*/*/seed*/{stage}/{place}/*"), None)


def has_something_to_lose(folder, how):
    sign = result(folder, how) and next(result(folder, how).glob(DISTURBED[how][2]), None)
    if not sign or sign.name != "log.txt":
        return sign
    counts = re.findall(r"maps (\d+)/(\d+)", sign.read_text())
    return any(0 < int(done) < int(total) for done, total in counts[-1:])


def disturb(folder, how):
    """Freeze a job's process in the middle of its work, then do to the job what happens to jobs."""
    stage, place, _ = DISTURBED[how]
    process = working(folder, stage, str(result(folder, how).relative_to(folder)))
    os.kill(process.pid, signal.SIGSTOP)
    number = next(j["JobId"] for j in jobs(Stage=stage, JobState="RUNNING") if place.replace("/", "_") in j["Comment"])
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
    waiting = sorted(DISTURBED)

    def ended():
        for how in [h for h in waiting if has_something_to_lose(folder, h)]:
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
def disturbed(tmp_path_factory):
    """A clone after the disturbed run, and SLURM's records of it."""
    needed()
    folder = clone(tmp_path_factory.mktemp("disturbed"))
    with Cluster(tmp_path_factory.mktemp("slurm")):
        run_disturbed(folder)
        return folder, jobs()


def few_steps(config):
    """Return an overlay that keeps all runs and items of a config, with little to do for each."""
    return {
        section: {
            name: {key: value for key, value in few.items() if key in settings}
            for name, settings in config[section].items()
        }
        for section, few in FEW.items()
    }


@pytest.fixture(scope="module")
def default_study(tmp_path_factory):
    """A clone after the literal command made the default study, SLURM's records, and the config's overlay."""
    if LENGTH not in ("few", "full"):
        pytest.skip("takes a quarter of an hour: FREQMAPS_DEFAULT_STUDY=few, or full for the study as it stands")
    needed()
    folder = clone(tmp_path_factory.mktemp("default"))
    overlay, files = (), [REPOSITORY / "config.yaml"]
    if LENGTH == "few":
        files.append(folder / "few.yaml")
        files[1].write_text(yaml.safe_dump(few_steps(read_files(files[:1]))))
        overlay = ("--configfile", "few.yaml")
    # Jobs of few steps mostly start and stop, so more at once than there are cores; not many more, others work here.
    with Cluster(tmp_path_factory.mktemp("slurm"), gpus=3, cpus=4):
        snakemake(folder, "--profile", "slurm", "all", *overlay, *QUICK, timeout=4 * PATIENCE)
        return folder, jobs(), overlay, study(read_files(files))


def all_ended():
    """Return state, account, partition and resources of each job, nothing while one has not ended."""
    lines = slurm("sacct", "-X", "--parsable2", "--noheader", "--format=JobID,State,Account,Partition,AllocTRES")
    found = {line.split("|")[0]: line.split("|")[1:] for line in lines.splitlines()}
    return {} if {"PENDING", "RUNNING", "COMPLETING"} & {state for state, *_ in found.values()} else found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A clone in which the study was made without a cluster."""
    folder = clone(tmp_path_factory.mktemp("local"))
    snakemake(folder, "-c2", "all", *STUDY)
    return folder


@pytest.fixture(scope="module")
def at_a_site(undisturbed, tmp_path_factory):
    """SLURM's records of the run at another site, and those of its accounts by job."""
    needed(accounting=True)
    folder = clone(tmp_path_factory.mktemp("site"), of=undisturbed, results=True)
    for manifest in [m for stage in AT_A_SITE for m in (folder / "results").rglob(f"*{stage}/**/manifest.json")]:
        shutil.rmtree(manifest.parent)
    profile = folder / "slurm" / "config.yaml"
    text = profile.read_text()
    for ours, theirs in SITE.items():
        assert text.count(ours) == 1
        text = text.replace(ours, theirs)
    profile.write_text(text)
    with Cluster(tmp_path_factory.mktemp("slurm"), partitions=("normal", "accelerated"), account="lab"):
        words = ("--slurm-status-command", "sacct", *STUDY, *QUICK)
        snakemake(folder, "--profile", "slurm", "stores", *words, timeout=PATIENCE)
        # The database hears of the end of a job a moment after the controller.
        accounts = wait_for("the accounts of jobs that have ended", all_ended)
        return jobs(), accounts


def test_the_literal_command_makes_everything_from_a_clone(disturbed):
    folder, records = disturbed
    assert (folder / "results" / "report.html").stat().st_size > 10_000
    assert freqmaps.open(folder / "results").problems() == []
    assert {j["Stage"] for j in records} == ON_GPUS | ON_CPUS  # the report is made locally


def test_gpu_jobs_held_a_gpu_in_the_gpu_partition_and_the_others_did_not(disturbed):
    for job in disturbed[1]:
        if job["Stage"] in ON_GPUS:
            assert (job["Partition"], job.get("TresPerJob")) == ("gpu", "gres:gpu:1"), job
        else:
            assert (job["Partition"], job.get("TresPerJob")) == ("cpu", None), job


def test_shards_ran_side_by_side(disturbed):
    def time_of(job):
        return [datetime.fromisoformat(job[k]) for k in ("StartTime", "EndTime")]

    shards = [j for j in disturbed[1] if j["Stage"] == "maps"]
    pairs = [(time_of(a), time_of(b)) for a, b in combinations(shards, 2) if a["Comment"] != b["Comment"]]
    assert any(max(a[0], b[0]) < min(a[1], b[1]) for a, b in pairs)


def test_cancelled_killed_and_late_jobs_were_tried_again_with_more_time_and_memory(disturbed):
    _, records = disturbed
    assert Counter(j["JobState"] for j in records if j["Stage"] == "training") == {"CANCELLED": 1, "COMPLETED": 1}
    states = Counter(j["JobState"] for j in records if j["Stage"] == "maps")
    assert states == {"FAILED": 1, "TIMEOUT": 1, "COMPLETED": 4}
    first, second = sorted((j for j in records if j["Stage"] == "training"), key=lambda j: int(j["JobId"]))
    assert [j["TimeLimit"] for j in (first, second)] == ["04:00:00", "08:00:00"]
    assert [j["MinMemoryNode"] for j in (first, second)] == ["8000M", "16000M"]


def test_a_preempted_job_goes_back_into_the_queue(disturbed):
    restarted = [j for j in disturbed[1] if j["Restarts"] != "0"]
    assert [j["JobState"] for j in restarted] == ["COMPLETED"]
    assert "essential_none_self_test-0-32" in restarted[0]["Comment"]


@pytest.mark.parametrize("how", ["cancelled", "requeued", "late"])
def test_a_job_that_is_stopped_goes_on_from_what_it_had_finished(disturbed, how):
    assert "going on after" in (result(disturbed[0], how) / "log.txt").read_text()


def test_a_failed_job_shows_why(disturbed):
    assert "told to stop (SIGTERM); what is finished is kept" in (disturbed[0] / "snakemake.log").read_text()


def test_an_edit_of_the_first_lines_of_the_profile_is_all_that_a_site_needs(at_a_site):
    records, accounts = at_a_site
    assert {j["Stage"] for j in records} == AT_A_SITE | FOLLOWING
    for job in records:
        state, account, partition, allocated = accounts[job["JobId"]]
        on_gpu = job["Stage"] in ON_GPUS
        assert (state, account) == ("COMPLETED", "lab")
        assert partition == ("accelerated" if on_gpu else "normal")
        assert ("gres/gpu=1" in allocated) == on_gpu
        assert job.get("TresPerJob") == ("gres:gpu:toy:1" if on_gpu else None)


def test_the_whole_default_study_is_made_by_the_literal_command(default_study):
    folder, records, overlay, made = default_study
    wanted = Counter(batch.stage for batch in made.batches if not is_light(batch))
    assert Counter(job["Stage"] for job in records) == wanted
    assert {job["JobState"] for job in records} == {"COMPLETED"}
    for job in records:
        on_gpu = job["Stage"] in ON_GPUS
        assert (job["Partition"], job.get("TresPerJob")) == (("gpu", "gres:gpu:1") if on_gpu else ("cpu", None)), job
    files = [file for item in made.items.values() for file in item.files.values()]
    assert len(made.items) > 15 and all((folder / "results" / file).exists() for file in files)
    assert freqmaps.open(folder / "results").problems() == []
    assert due(folder, "all", *overlay) == set()


def test_a_controller_is_found_while_it_is_up_and_missed_when_it_is_not(tmp_path):
    needed()
    with Cluster(tmp_path) as one:
        cluster.check()
        one.stop("slurmctld")
        with pytest.raises(ConfigError, match=r"SLURM's controller cannot be reached from this machine .*DOWN"):
            cluster.check()


def test_numbers_do_not_depend_on_what_happened_to_the_jobs(disturbed, undisturbed):
    folder, other = disturbed[0], undisturbed
    stores = sorted((folder / "results").glob("digits/**/maps/**/store.zarr.zip"))
    assert len(stores) == 4
    for one in stores:
        ours, theirs = (read(f, MAPS) for f in (one, other / one.relative_to(folder)))
        assert (ours["sample"] == theirs["sample"]).all()
        # What a stopped job goes on with is another batch, and rounding may end a map at another step.
        same = (ours["steps"] == theirs["steps"]).values
        assert (~same).sum() <= max(2, 0.1 * same.size)
        assert np.allclose(ours["map"].values[same], theirs["map"].values[same], atol=1e-4)
        assert np.allclose(ours["map"], theirs["map"], atol=0.01)  # one step's size
    a, b = (pd.read_csv(d / "results" / "tables" / "B25-T1.csv").select_dtypes("number") for d in (folder, other))
    assert np.allclose(a, b, atol=1e-4, equal_nan=True)
