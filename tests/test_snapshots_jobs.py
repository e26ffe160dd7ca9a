"""The job of a training and its snapshots: run once, killed and repeated, extended; always the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from freqmaps.models import build_classifier, load_classifier
from tests.short_training import equal, weights
from tests.snapshot_study import STEPS, STUDY, changed, command, problems, resolved, run, training_job, weights_below

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The dataset, the training and its snapshots, made by the command line of their job."""
    root = tmp_path_factory.mktemp("trained") / "results"
    for batch in resolved(root).batches:
        if {n.stage for n in batch.nodes} <= {"datasets", "training", "snapshots"}:
            run(batch, root)
    return root


def start(root, overlay=STUDY):
    return subprocess.Popen(
        command(training_job(root, overlay), root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def with_dataset(trained, root):
    """Return a root that has the dataset only."""
    shutil.copytree(trained / "digits" / "datasets", root / "digits" / "datasets")
    return root


MOMENTS = {
    "an early snapshot is kept": "digits/net/short/seed0/step*/snapshots/*/partial/snapshots-*-step0.part",
    "an epoch is done": "digits/net/short/seed0/training/*/partial/*.part",
    "the last snapshot is kept": f"digits/net/short/seed0/step*/snapshots/*/partial/snapshots-*-step{STEPS}.part",
    "the training is finished": "digits/net/short/seed0/training/*/manifest.json",
    "a snapshot is finished": "digits/net/short/seed0/step0/snapshots/*/manifest.json",
}

#: Where the weights of a snapshot are kept until all are made.
KEPT = "digits/net/short/seed0/step*/snapshots/*/partial/snapshots-*-step{}.part"


def flip(path):
    """Change a bit of the last weight."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def of_another_step(path):
    (other,) = path.parent.glob("snapshots-*-step0.part")
    shutil.copyfile(other, path)


def of_another_training(path):
    """The same weights, under another mark."""
    first, header, content = path.read_bytes().split(b"\n", 2)
    told = json.loads(header) | {"work": "0" * 64}
    path.write_bytes(b"\n".join([first, json.dumps(told).encode(), content]))


DAMAGE = {
    "a flipped bit": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "bare weights": lambda path: path.write_bytes(path.read_bytes().split(b"\n", 2)[2]),
    "gone": lambda path: path.unlink(),
    "of another step": of_another_step,
    "of another training": of_another_training,
}


def kill_when(root, found):
    """Start the job, and kill it as soon as a file is there."""
    process = start(root)
    while process.poll() is None and not list(root.glob(found)):
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def killed(trained, tmp_path_factory):
    """Roots of jobs that were killed: in the training, after an epoch; and after it, before a snapshot was made."""
    roots = {}
    for done, moment in (("nothing", "an epoch is done"), ("the training", "the training is finished")):
        roots[done] = with_dataset(trained, tmp_path_factory.mktemp("killed") / "results")
        kill_when(roots[done], MOMENTS[moment])
        assert list(roots[done].glob(KEPT.format(2))) and not list(roots[done].glob("**/step0/**/manifest.json"))
    return roots


class TestJobs:
    """The job of a training and its snapshots, by its command line."""

    def test_the_last_snapshot_is_the_training_and_the_first_is_untrained(self, trained):
        nodes = {(n.stage, n.names.get("step")): n for n in training_job(trained).nodes}
        last, finished = (
            load_classifier(trained / nodes[stage].path)
            for stage in (("snapshots", str(STEPS)), ("training", None))
        )  # fmt: skip
        assert equal(weights(last), weights(finished))
        seed = nodes["training", None].spec["seed"]
        fresh = build_classifier("small_cnn", {"width": 8}, classes=10, channels=1, size=8, seed=seed)
        assert equal(weights(load_classifier(trained / nodes["snapshots", "0"].path)), weights(fresh))
        middle = load_classifier(trained / nodes["snapshots", "2"].path)
        assert not equal(weights(middle), weights(fresh))
        assert not equal(weights(middle), weights(finished))

    def test_no_half_finished_work_is_left(self, trained):
        assert not list(trained.rglob("partial"))

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(self, trained, tmp_path, moment):
        root = with_dataset(trained, tmp_path / "results")
        kill_when(root, MOMENTS[moment])
        assert problems(root)[0] == []  # what is there is whole
        run(training_job(root), root)
        assert weights_below(root) == weights_below(trained)
        assert not list(root.rglob("partial"))

    @pytest.mark.parametrize("damage", DAMAGE)
    @pytest.mark.parametrize("done", ["nothing", "the training"])
    def test_a_kept_snapshot_that_is_damaged_is_made_again(self, trained, killed, tmp_path, done, damage):
        """Also where the training was past it: it then begins anew, and all ends in the same bytes."""
        root = tmp_path / "results"
        shutil.copytree(killed[done], root)
        (path,) = root.glob(KEPT.format(2))
        DAMAGE[damage](path)
        run(training_job(root), root)
        assert weights_below(root) == weights_below(trained)
        assert not list(root.rglob("partial"))

    def test_kept_snapshots_are_taken_up(self, trained, killed, tmp_path):
        """Without damage nothing is trained again: the weights are those of the files."""
        root = tmp_path / "results"
        shutil.copytree(killed["the training"], root)
        before = (root / next(p for p in weights_below(root) if "/training/" in p)).stat().st_mtime_ns
        run(training_job(root), root)
        told = [json.loads(p.read_text())["headline"] for p in root.rglob("step*/**/manifest.json")]
        assert told == [{"trained_steps": 0}] * 3
        assert (root / next(p for p in weights_below(root) if "/training/" in p)).stat().st_mtime_ns == before
        assert weights_below(root) == weights_below(trained)

    def test_one_more_snapshot_trains_up_to_it_and_leaves_the_others(self, trained, tmp_path):
        root = tmp_path / "results"
        shutil.copytree(trained, root)
        before = {p: p.stat().st_mtime_ns for p in root.rglob("manifest.json")}
        more = changed({}, {"snapshots": [0, 2, 4, "last"]})
        run(training_job(root, more), root)
        after = {p: p.stat().st_mtime_ns for p in root.rglob("manifest.json")}
        assert {p: after[p] for p in before} == before
        (new,) = after.keys() - before.keys()
        assert "/step4/snapshots/" in str(new)
        assert json.loads(new.read_text())["headline"] == {"trained_steps": 4}
        other = with_dataset(trained, tmp_path / "other")
        run(training_job(other, more), other)
        assert weights_below(root) == weights_below(other)

    def test_snapshots_without_the_training_are_the_same(self, trained, tmp_path):
        root = with_dataset(trained, tmp_path / "results")
        only = changed() | {"runs": STUDY["runs"][1:], "items": []}
        run(training_job(root, only), root)
        assert not list(root.glob("digits/net/short/seed0/training"))
        made = weights_below(root)
        assert made == {path: content for path, content in weights_below(trained).items() if path in made}
        told = [json.loads(p.read_text())["headline"] for p in sorted(root.rglob("step*/**/manifest.json"))]
        assert [one["trained_steps"] for one in told] == [STEPS, 0, 0]
