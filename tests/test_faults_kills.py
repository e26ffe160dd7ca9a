"""SIGKILL at any moment of any stage, and of Snakemake: what is run again ends in the same numbers, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import freqmaps
from freqmaps.provenance import manifest
from freqmaps.stages import STAGES
from freqmaps.stores import ADVERSARIAL, MAPS, read
from tests import fault_injections as injections
from tests.fault_numbers import same
from tests.fault_tally import survived
from tests.faults import Workshop, lab, undo
from tests.workflow import SNAKEMAKE, due, snakemake

pytestmark = pytest.mark.slow

#: So many of a job's moments before and after a rename are drawn; those of the last two renames are always tried.
MOMENTS = 2


def check_nothing_passes_as_whole(shop, command):
    """After a kill: a result has a manifest and is whole, or has none."""
    if command.folder and (shop.path(command) / manifest.NAME).exists():
        manifest.check(shop.path(command))


def test_the_study_of_faults_has_every_stage(undisturbed):
    shop, _, _ = undisturbed
    assert {c.stage for c in shop.commands} == set(STAGES), "add what is missing to STUDY in tests/faults.py"


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_killed_at_random_moments(undisturbed, tmp_path, stage):
    done, seconds, numbers = undisturbed
    shop, draw, kills = done.elsewhere(tmp_path / "c"), random.Random(f"faults {stage}"), 0
    commands = [c for c in shop.commands if c.stage == stage]
    for command in commands:
        pace = seconds[command]
        undo(shop, command)
        for _ in range(max(2, 4 // len(commands))):
            outcome = shop.run(command, kill_after=draw.uniform(0.02, 0.95) * pace)
            kills += outcome.killed
            assert outcome.killed or outcome.code == 0, outcome.text
            check_nothing_passes_as_whole(shop, command)
            if not outcome.killed:  # it was quicker than before
                pace *= 0.5
                undo(shop, command)
        shop.finish([command])
    same(numbers, shop.numbers())
    assert kills >= 2
    survived("SIGKILL at a random moment of a stage", kills)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_killed_before_and_after_each_rename(undisturbed, tmp_path, stage):
    """Renames and removals are the moments at which something becomes visible: each is tried, before and after."""
    done, _, numbers = undisturbed
    shop, kills = done.elsewhere(tmp_path / "c"), 0
    for command in one_of_each_kind(shop, stage):
        undo(shop, command)
        note = tmp_path / "note"
        note.unlink(missing_ok=True)
        assert shop.run(command, fault=injections.watch, given=(note,)).code == 0
        for moment in chosen_moments(note.read_text().splitlines()):
            undo(shop, command)
            outcome = shop.run(command, fault=injections.die_at, given=(moment,))
            assert outcome.killed, outcome.text
            kills += 1
            check_nothing_passes_as_whole(shop, command)
            shop.finish([command])
        same(numbers, shop.numbers())
    survived("SIGKILL just before or after a rename", kills)


def one_of_each_kind(shop, stage):
    """Shards of one kind run through the same moments: take one job of each."""
    commands = [c for c in shop.commands if c.stage == stage]
    return commands if stage in ("items", "correlation") else commands[:1]


def chosen_moments(lines):
    """Some moments before or after a rename, and the last four."""
    early, last = range(max(0, 2 * len(lines) - 4)), range(max(0, 2 * len(lines) - 4), 2 * len(lines))
    return [*sorted(random.Random(len(lines)).sample(early, min(MOMENTS, len(early)))), *last]


@pytest.mark.parametrize(("stage", "contract"), [("attacks", ADVERSARIAL), ("maps", MAPS)])
def test_half_finished_work_is_used(undisturbed, tmp_path, stage, contract):
    """Killed after a batch, a job goes on from it; other batches than those of an undisturbed run agree to rounding."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    undo(shop, command)
    assert shop.run(command, fault=injections.save_often_and_die_at, given=(5, 5)).killed
    kept = {path: path.stat().st_mtime_ns for path in (shop.path(command) / "partial").glob("*.part")}
    assert kept
    assert shop.run(command, fault=injections.save_often_and_die_at, given=(5, 1)).killed
    assert kept.items() <= {p: p.stat().st_mtime_ns for p in (shop.path(command) / "partial").glob("*.part")}.items()
    assert shop.run(command, fault=injections.save_often, given=(5,)).code == 0
    one, other = (read(w.path(command) / "store.zarr.zip", contract) for w in (done, shop))
    for name in one.variables:
        if one[name].dtype.kind == "f":
            assert np.allclose(one[name], other[name], atol=1e-5), name
        else:
            assert (one[name].values == other[name].values).all(), name
    survived("SIGKILL in the middle of a job's batches", 2)


class Killer:
    """Kills every job of a Snakemake once, at a random moment of its first attempt, if it lasts that long."""

    def __init__(self, folder: Path, longest: float) -> None:
        self.marks = (f"{folder}/workflow_scripts/", "python")
        self.draw, self.longest, self.kills = random.Random("Snakemake's jobs"), longest, 0
        self.due: dict[str, tuple[int, float]] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Killer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.ended.wait(0.02):
            for process, line in processes():
                # The script comes first, or third where Python runs the client of a starter, whose job ends with it.
                if line[0].endswith(self.marks[1]) and any(word.startswith(self.marks[0]) for word in line[1:4]):
                    job = " ".join(line[1:])
                    self.due.setdefault(job, (process, time.monotonic() + self.draw.uniform(0, self.longest)))
            for job, (process, moment) in list(self.due.items()):
                if process and time.monotonic() > moment:
                    self.due[job] = (0, 0.0)
                    self.kills += kill(process, job)


def processes():
    """Yield the process number and command line of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                line = (folder / "cmdline").read_text().rstrip("\0").split("\0")
            except OSError:
                continue
            yield int(folder.name), line


def kill(process: int, job: str) -> bool:
    """Kill a process if it still is that job."""
    try:
        if " ".join(Path(f"/proc/{process}/cmdline").read_text().rstrip("\0").split("\0")[1:]) != job:
            return False
        os.kill(process, signal.SIGKILL)
    except OSError:
        return False
    return True


def test_snakemake_and_its_jobs_killed(undisturbed, tmp_path):
    """Jobs are killed once each; Snakemake is killed alone, while its jobs go on, and then with its jobs."""
    _, _, numbers = undisturbed
    folder = lab(tmp_path / "lab")
    line = [*SNAKEMAKE, "-c2", "all", "--configfile", "ours.yaml", "--retries", "5"]
    with Killer(folder, 1.5) as killer:
        for group in (False, True):
            before = killer.kills
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(line, cwd=folder, start_new_session=True, **quiet)
            while killer.kills < before + 2:
                assert process.poll() is None, "Snakemake ended before two of its jobs were killed"
                time.sleep(0.05)
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
            snakemake(folder, "--unlock", "--configfile", "ours.yaml")
        snakemake(folder, *line[3:], anew=True)
    same(numbers, Workshop(folder).numbers())
    assert due(folder, "all", "--configfile", "ours.yaml") == set()
    assert freqmaps.open(folder / "results").problems() == []
    assert killer.kills >= 5
    survived("SIGKILL of a job under Snakemake, which tries again", killer.kills)
    survived("SIGKILL of Snakemake, with and without its jobs", 2)
