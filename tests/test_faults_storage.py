"""Disks that are full, refuse or vanish; files that are damaged, lost, swapped, edited or from the future."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager

import pytest

import freqmaps
from freqmaps.core.errors import ConfigError
from freqmaps.provenance import manifest
from freqmaps.stages import STAGES
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import fault_injections as injections
from tests.fault_numbers import content, same
from tests.fault_tally import survived
from tests.faults import main_file, undo
from tests.workflow import REPOSITORY

pytestmark = pytest.mark.slow

SCRIPTS = sorted(STAGES)


# --- room


@pytest.mark.parametrize("stage", SCRIPTS)
def test_no_room_for_a_file(undisturbed, tmp_path, stage):
    """The system refuses to let a file grow: early, and near the end of the largest file."""
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    largest = max(path.stat().st_size for path in shop.made_by(command))
    for size in (1000, int(0.8 * largest)):
        undo(shop, command)
        outcome = shop.run(command, fault=injections.limit_files, given=(size,))
        sentence = outcome.sentence("File too large")
        assert "disk full" in sentence or "could not be written" in sentence
        nothing_half_written(shop, done, command)
        survived("no room for a file")
    shop.finish([command])
    same(numbers, shop.numbers())


def nothing_half_written(shop, done, command):
    """What stands is whole, and there is no manifest to say that all of it stands."""
    for path in shop.made_by(command):
        assert path.name != manifest.NAME
        assert not path.name.startswith("."), path
        if path.parent.name != "partial":
            assert content(path) == content(done.folder / path.relative_to(shop.folder))


@contextmanager
def small_disk(folder, size):
    """Mount a file system of this size at a folder; say whether that is allowed here."""
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(line, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("share", [0.15, 0.6])
def test_the_disk_fills_up_in_the_middle_of_a_study(undisturbed, tmp_path, share):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    shutil.rmtree(shop.folder / "results")
    (shop.folder / "results").mkdir()
    whole = sum(path.stat().st_size for path in (done.folder / "results").rglob("*") if path.is_file())
    size = int(share * whole) // 4096 * 4096
    with small_disk(shop.folder / "results", size) as mounted:
        # Where nothing may be mounted, a limit on the size of each file stands in for the disk's.
        given = {} if mounted else {"fault": injections.limit_files, "given": (int(2e4 * share),)}
        outcomes = (shop.run(command, **given) for command in shop.commands)
        failed = next(outcome for outcome in outcomes if outcome.code != 0)
        sentence = failed.sentence()
        assert "disk full" in sentence or "could not be written" in sentence
        for problem in freqmaps.open(shop.folder / "results").problems():
            raise AssertionError(problem)
        if mounted:
            line = ["mount", "-o", "remount,size=256m", str(shop.folder / "results")]
            subprocess.run(line, check=True)
        shop.finish()
        same(numbers, shop.numbers())
    survived("disk full in the middle of a study")


# --- permission, and presence


@pytest.mark.parametrize("stage", SCRIPTS)
def test_a_results_root_that_may_only_be_read(undisturbed, tmp_path, stage):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    undo(shop, command)
    root = shop.folder / "results"
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    outcome = shop.run(command, fault=injections.obey_permissions)
    for folder in folders:
        folder.chmod(0o755)
    outcome.sentence("not permitted", "Permission denied")
    shop.finish([command])
    same(numbers, shop.numbers())
    survived("results that may not be written")


def test_an_input_that_may_not_be_read(undisturbed, tmp_path):
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("matrices")
    undo(shop, command)
    store = main_file(shop, shop.first("maps"))
    store.chmod(0)
    shop.run(command, fault=injections.obey_permissions).sentence("not permitted", str(store.relative_to(shop.folder)))
    survived("results that may not be written")


@pytest.mark.parametrize("stage", SCRIPTS)
def test_a_results_root_that_vanishes(undisturbed, tmp_path, stage):
    """As by unmounting: at the first rename that a job makes, its results are gone; mounted again, all is well."""
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command, root, away = shop.first(stage), shop.folder / "results", shop.folder / "away"
    undo(shop, command)
    outcome = shop.run(command, fault=injections.lose, given=(root, away, 0))
    sentence = outcome.sentence("results/")
    assert "no such folder, or gone meanwhile" in sentence
    assert "delete" not in sentence
    if root.exists():
        shutil.rmtree(root)
    away.rename(root)
    shop.finish([command])
    same(numbers, shop.numbers())
    survived("a results root that vanishes")


@pytest.mark.parametrize("kind", ["a link to nothing", "a file", "below a folder that is not there"])
def test_a_results_root_that_is_not_mounted(tmp_path, kind):
    root = tmp_path / "root"
    if kind == "a file":
        root.touch()
    elif kind == "a link to nothing":
        root.symlink_to(tmp_path / "absent")
    else:
        root = tmp_path / "absent" / "root"
    with pytest.raises(ConfigError, match=r"^results: .*mount"):
        study(read_files([REPOSITORY / "config.yaml"]) | {"results": str(root)})
    survived("a results root that is not mounted")
