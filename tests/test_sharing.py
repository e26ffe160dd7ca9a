"""Several users on one results root: modes, locks, finished results re-used, nothing lost and nothing made twice."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from freqmaps.core import files
from freqmaps.core.errors import StoreError
from freqmaps.provenance import manifest, shared_root
from freqmaps.results.gc import Garbage, delete
from freqmaps.results.scan import scan
from tests import keyed_results
from tests.small_study import write_studies
from tests.test_job import SCRIPT, Runner
from tests.users import GROUP, finish, members, needed_users, stop
from tests.workflow import SNAKEMAKE, clone, due_in, scramble_times

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("root_mode", "umask", "expected"),
    [(0o755, 0o077, 0o027), (0o755, 0o022, 0o022), (0o2770, 0o077, 0o007), (0o2770, 0o022, 0o002), (0o755, 0, 0o002)],
)
def test_the_umask_opens_to_the_group_and_never_to_others(tmp_path, root_mode, umask, expected):
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(root_mode)
    before = os.umask(umask)
    try:
        shared_root.open_to_group(root / "not" / "made" / "yet")
        assert os.umask(0) == expected
    finally:
        os.umask(before)


def test_a_lock_deleted_while_it_is_held_is_not_the_lock_of_the_next(tmp_path):
    with shared_root.lock(tmp_path):
        first = (tmp_path / ".lock").stat().st_ino
        (tmp_path / ".lock").unlink()
        with shared_root.lock(tmp_path):
            assert (tmp_path / ".lock").stat().st_ino != first
            with (tmp_path / ".lock").open() as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert shared_root.is_locked(tmp_path)
    assert not shared_root.is_locked(tmp_path) and not shared_root.is_locked(tmp_path / "nowhere")


def test_garbage_goes_with_the_empty_folders_above_it_and_the_root_stays(tmp_path):
    root = tmp_path / "lab" / "results"
    folder = root / "digits" / "datasets" / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    delete([Garbage(root, folder, 2, True, 1.0, True, False)])
    assert list(root.iterdir()) == []
    delete([Garbage(root, root / "0123456789ab", 0, False, 1.0, True, False)])  # somebody else was faster
    assert root.is_dir()


def test_a_manifest_lists_nothing_that_another_maker_is_writing(tmp_path):
    (tmp_path / "store.csv").write_text("a\n1\n")
    with files.beside(tmp_path / "store.csv") as half:
        half.write_text("a\n")
        manifest.write(tmp_path / manifest.NAME, {"stage": "evaluation"}, {}, {})
    assert set(manifest.read(tmp_path)["files"]) == {"store.csv"}


def test_a_root_is_scanned_while_jobs_write_in_it(tmp_path, monkeypatch):
    keyed_results.make(tmp_path / "root")
    root, keyed = tmp_path / "root", scan(tmp_path / "root")
    scandir = os.scandir

    def vanishing(place):
        half = Path(place) / ".writing-store.zarr.zip.00ff"
        half.write_text("")
        listed = list(scandir(place))
        half.unlink()
        return nullcontext(listed)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert [folder.path for folder in scan(root)] == [folder.path for folder in keyed]


def test_a_file_system_without_locks_is_worked_on_without(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with shared_root.lock(tmp_path) as held:
        assert "no lock (No locks available)" in caplog.text and not held
    assert shared_root.is_locked(tmp_path)  # for what it can tell: something changed there today
    os.utime(tmp_path, (1, 1))
    assert not shared_root.is_locked(tmp_path)


def test_a_job_told_to_repeat_repeats_and_one_made_meanwhile_is_taken(tmp_path, monkeypatch):
    runner = Runner(tmp_path, mode="good")
    runner.run()
    first = runner.output.stat().st_mtime_ns
    monkeypatch.setenv("FREQMAPS_STARTED", str(time.time() - 60))
    runner.run()
    assert runner.output.stat().st_mtime_ns == first
    monkeypatch.setenv("FREQMAPS_FORCED", "1")
    runner.run()
    assert runner.output.stat().st_mtime_ns == first
    monkeypatch.setenv("FREQMAPS_STARTED", str(time.time() + 60))
    runner.run()
    assert runner.output.stat().st_mtime_ns != first


def modes(root):
    """Every folder and file below a root, with its mode and group."""
    return {p: p.lstat() for p in [root, *root.rglob("*")]}


def keyed(root):
    """What every finished result holds, and when it was made."""
    return {p.parent: (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob(manifest.NAME)}


class Lab:
    """Two members with different umasks, their clones, and a root that belongs to their group."""

    def __init__(self, base: Path, users) -> None:
        self.base, (self.anna, self.bert) = base, users
        self.clones = {user: self.clone(user, number) for number, user in enumerate(users)}

    def clone(self, user, number):
        folder = clone(self.base / f"clone-{user.name}")
        job = folder / "freqmaps" / "job.py"  # decides no number, so it can tell which jobs ran without changing a key
        line = "    wall, cpu = time.time(), time.process_time()\n"
        assert line in job.read_text()
        job.write_text(job.read_text().replace(line, f'    open("made", "a").write(f"{{job.folder}}\\n")\n{line}'))
        write_studies(folder)
        scramble_times(folder, seed=number)
        user.owns(folder)
        return folder

    def root(self, name, mode=0o2770):
        folder = self.base / name
        folder.mkdir()
        shutil.chown(folder, group=GROUP)
        folder.chmod(mode)
        return folder

    def words(self, root, *words, study="small", config=()):
        given = ["--configfile", f"{study}.yaml", "--config", f"results={root}", *config]
        return [*SNAKEMAKE, "-c1", *words, *given]

    def snakemake(self, user, root, *words, check=True, **given):
        return user.run(self.clones[user], *self.words(root, *words, **given), check=check)

    def made(self, user):
        """The folders of the results that jobs of this user made, since the last call."""
        path = self.clones[user] / "made"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture(scope="module")
def lab():
    needed_users()
    with members(anna="077", bert="022") as (base, users):
        yield Lab(base, users)


@pytest.fixture(scope="module")
def shared(lab):
    """A root on which anna has run the tiny study."""
    root = lab.root("root")
    lab.snakemake(lab.anna, root, "all")
    assert len(lab.made(lab.anna)) == len(keyed(root))
    return root


@pytest.mark.users
def test_what_one_made_the_other_takes_and_adds_to(lab, shared):
    before = keyed(shared)
    lab.snakemake(lab.bert, shared, "all", study="more")
    every = lab.made(lab.bert)
    made = [path for path in every if "/_" not in path]
    shown = len(every) - 1  # the table and the report, which show the new metric
    assert len(made) == 1 and shown == 2
    assert "/correlation/" in made[0]
    assert "/cosine/" in made[0]
    after = keyed(shared)
    # Snakemake may touch what stands beside what a job made; its content is anna's.
    assert {p: after[p][0] for p in before} == {p: content for p, (content, _) in before.items()}
    assert len(after) == len(before) + 1 + shown
    # Told to repeat, a job repeats.
    cosine = f"{made[0]}/{manifest.NAME}"
    lab.snakemake(lab.bert, shared, "--force", cosine, study="more")
    assert made[0] in lab.made(lab.bert)
    # And back: anna's study is still whole, and what bert added is there for her too.
    assert due_in(lab.snakemake(lab.anna, shared, "-n", "-p", "all")[1]) == set()
    assert due_in(lab.snakemake(lab.anna, shared, "-n", "-p", "all", study="more")[1]) == set()


@pytest.mark.users
def test_all_that_is_made_is_open_to_the_group_and_closed_to_others(lab, shared):
    group = shared.stat().st_gid
    for path, status in modes(shared).items():
        wanted = 0o2770 if path.is_dir() else 0o660
        assert stat.S_IMODE(status.st_mode) & wanted == wanted, path
        assert not status.st_mode & stat.S_IWOTH, path
        assert status.st_gid == group, path
    assert not list(shared.rglob(".writing-*"))


@pytest.mark.users
def test_both_at_once_make_each_result_once(lab):
    root = lab.root("both")
    running = [user.start(lab.clones[user], *lab.words(root, "stores")) for user in (lab.anna, lab.bert)]
    texts = [finish(process) for process in running]
    assert [p.returncode for p in running] == [0, 0], "\n".join(texts)
    made = lab.made(lab.anna) + lab.made(lab.bert)
    assert len(made) == len(set(made)) == len(keyed(root)), made
    assert [p for f in keyed(root) for p in manifest.problems(f, manifest.read(f))] == []
    assert not any(p.name == "partial" for p in root.rglob("*"))


def script(lab, root, user, **parameters):
    """A small stage below a shared root, run by hand."""
    (lab.base / "test.py").write_text(SCRIPT)
    runner = Runner(lab.base, **parameters)
    output = root / runner.output.parent.name / "manifest.json"
    results = json.dumps([{"path": output.parent.name, "spec": runner.spec}])
    line = [sys.executable, lab.base / "test.py", "--root", root, "--results", results]
    return output, user.start(
        lab.clones[user], *line, "--logs", output.with_name("log.txt"), PYTHONPATH=str(lab.clones[user])
    )


def until(condition, running, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or running.poll() is not None:
            raise AssertionError(stop(running))
        time.sleep(0.05)


@pytest.mark.users
def test_a_run_that_one_left_half_made_the_other_goes_on_with(lab):
    root = lab.root("killed")
    output, running = script(lab, root, lab.anna, mode="good", seconds=2)
    until((output.parent / "partial" / "half.txt").exists, running)
    time.sleep(0.3)
    stop(running)
    _, running = script(lab, root, lab.bert, mode="good", seconds=2)
    text = finish(running)
    assert running.returncode == 0, text
    assert manifest.read(output)["headline"] == {"n": 2}  # one x was anna's
    assert not (output.parent / "partial").exists()


@pytest.mark.users
@pytest.mark.parametrize("mode", [0o660, 0o640], ids=["a lock that all may write", "a lock that its owner may write"])
def test_one_waits_for_the_other(lab, mode):
    root = lab.root(f"waiting{mode:o}")
    output, first = script(lab, root, lab.anna, mode="good", seconds=3)
    until((output.parent / "partial" / "half.txt").exists, first)
    (output.parent / ".lock").chmod(mode)
    _, second = script(lab, root, lab.bert, mode="good", seconds=3)
    finish(first)
    text = finish(second)
    assert (first.returncode, second.returncode) == (0, 0), text
    assert manifest.read(output)["headline"] == {"n": 1}
    log = output.with_name("log.txt").read_text()
    assert "waiting for it" in log
    assert "already made" in log


class Other:
    """Somebody who is making the dataset on a root of its own, and holds its lock; played by the test."""

    def __init__(self, lab, shared, name) -> None:
        self.shared, self.root = shared, lab.root(name)
        self.dataset = next(p for p in keyed(shared) if "/datasets/" in str(p)).relative_to(shared)
        self.folder(self.dataset)

    def folder(self, place):
        for part in reversed([place, *place.parents][:-1]):
            (self.root / part).mkdir(exist_ok=True)
            (self.root / part).chmod(0o2770)
        return self.root / place

    def finish(self, place):
        """Make a result whole, as it is on the other root."""
        folder = self.folder(place)
        for path in sorted((self.shared / place).iterdir(), key=lambda p: p.name == manifest.NAME):
            if path.name not in (".lock", "log.txt", "benchmark.tsv"):
                shutil.copyfile(path, folder / path.name)
                (folder / path.name).chmod(0o660)
                shutil.chown(folder / path.name, group=GROUP)
        assert manifest.problems(folder, manifest.read(folder)) == []
        return folder / manifest.NAME

    def waited_for(self):
        log = self.root / self.dataset / "log.txt"
        return log.exists() and "waiting for it" in log.read_text()


@pytest.mark.users
def test_a_job_that_dies_waiting_takes_nothing_away(lab, shared):
    other = Other(lab, shared, "died")
    target = other.root / other.dataset
    with shared_root.lock(target):
        (target / ".lock").chmod(0o666)
        waiting = lab.bert.start(lab.clones[lab.bert], *lab.words(other.root, target / manifest.NAME))
        until(other.waited_for, waiting)
        made = other.finish(other.dataset)
        # Of a process that has just ended there is no command line.
        lines = {p: " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])}
        jobs = [p for p, line in lines.items() if "workflow_scripts/datasets.py" in line and str(target) in line]
        for job in jobs:
            job.kill()
        text = finish(waiting)
    assert jobs
    assert waiting.returncode != 0, text
    assert made.exists(), text


@pytest.mark.users
def test_what_another_made_since_this_run_started_is_not_made_again(lab, shared):
    lab.made(lab.bert)
    other = Other(lab, shared, "meanwhile")
    target = next(p for p in keyed(shared) if "/training/" in str(p)).relative_to(shared)
    with shared_root.lock(other.root / other.dataset):
        (other.root / other.dataset / ".lock").chmod(0o666)
        waiting = lab.bert.start(lab.clones[lab.bert], *lab.words(other.root, other.root / target / manifest.NAME))
        until(other.waited_for, waiting)
        before = [other.finish(place).read_bytes() for place in (other.dataset, target)]
    text = finish(waiting)
    assert waiting.returncode == 0, text
    assert lab.made(lab.bert) == []
    assert [(other.root / place / manifest.NAME).read_bytes() for place in (other.dataset, target)] == before


@pytest.mark.users
def test_who_may_only_read_makes_tables_from_what_is_there_and_is_told_of_what_is_not(lab, shared):
    closed = {p: s.st_mode for p, s in modes(shared).items()}
    for path, mode in closed.items():
        path.chmod(stat.S_IMODE(mode) & ~0o020)
    lab.made(lab.bert)
    try:
        lab.snakemake(lab.bert, shared, "all")
        assert lab.made(lab.bert) == []
        assert (lab.clones[lab.bert] / "results" / "report.html").stat().st_size > 1000
        status, text = lab.snakemake(lab.bert, shared, "all", check=False, config=["seed=5"])
        assert status != 0
        assert re.search(rf"\d files cannot be written: folder {shared}\S* belongs to {lab.anna.name}:{GROUP}", text)
        assert f"you are {lab.bert.name}; ask its owner for `chmod g+rwxs`" in text
        assert "Traceback" not in text
        assert "rule training" not in text
    finally:
        for path, mode in closed.items():
            path.chmod(stat.S_IMODE(mode))


@pytest.mark.users
def test_gc_takes_only_what_one_made_oneself_and_nothing_that_is_being_made(lab, shared):
    def gc(user, *words):
        line = [sys.executable, "-m", "freqmaps.cli", "gc", "--configfile", "gc.yaml", *words]
        return user.run(lab.clones[user], *line, PYTHONPATH=str(lab.clones[user]))[1]

    for user in (lab.anna, lab.bert):
        other = (lab.clones[user] / "small.yaml").read_text() + f"results: {shared}\nseed: 9\n"
        (lab.clones[user] / "gc.yaml").write_text(other)
        user.owns(lab.clones[user] / "gc.yaml")
    mine = len([f for f in keyed(shared) if f.owner() == lab.bert.name])
    everyones = len(keyed(shared))
    assert 0 < mine < everyones
    assert f"\n{mine} results" in gc(lab.bert)
    assert f"\n{everyones - 1} results" in gc(lab.bert, "--others")  # all but the dataset, which has no seed
    with shared_root.lock(next(f for f in keyed(shared) if f.owner() == lab.bert.name)):
        assert f"{mine - 1} results" in gc(lab.bert)
    gc(lab.bert, "--delete")
    assert len(keyed(shared)) == everyones - mine


def test_a_result_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a" / "b" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreError, match=r"cannot be read: it belongs to .* ask its owner for `chmod g\+r`"):
        shared_root.check([], [str(path)])
