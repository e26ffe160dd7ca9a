"""Jobs: the manifest last, one maker at a time, one sentence for bad input, the command repeatable by hand."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from freqmaps.core import logs
from freqmaps.core.errors import StoreError
from freqmaps.provenance import keys, manifest
from freqmaps.results.refactoring import _same_machine

SCRIPT = """
import sys, time
from pathlib import Path
from freqmaps.core.errors import FreqmapsError
from freqmaps.job import Job, main
if '"mode": "threads"' in " ".join(sys.argv):
    import numpy, threadpoolctl, torch  # as scripts do, before the job says how many threads it has

def run(job):
    mode = job.parameters["mode"]
    made = job.partial.folder / "half.txt"
    before = made.read_text() if made.exists() else ""
    made.write_text(before + "x")
    if mode == "threads":
        pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        return {"torch": torch.get_num_threads(), "pools": max(pools)}
    if mode == "bad":
        raise FreqmapsError("datasets.a.root: no such folder: /nowhere; name the folder that holds train/ and test/")
    if mode == "theirs":
        sys.path.insert(0, job.parameters["lab"])
        import their_metric
        their_metric.compute()
    if mode == "crash":
        raise ValueError("surprise")
    if mode == "full":
        raise OSError(28, "No space left on device")
    try:
        time.sleep(float(job.parameters.get("seconds", 0)))
    finally:
        (job.partial.folder / "flushed.txt").write_text("what was finished")
    (job.folder / "out.txt").write_text(str(len(before) + 1))
    return {"n": len(before) + 1}

if __name__ == "__main__":
    main(run)
"""


class Runner:
    def __init__(self, folder, **parameters):
        self.options, self.environment = {}, None
        self.script = folder / "test.py"
        self.script.write_text(SCRIPT)
        self.spec = {"stage": "test", "names": {"a": "b"}, "parameters": parameters, "inputs": {}}
        self.output = folder / "results" / keys.key(self.spec) / "manifest.json"

    def start(self):
        folder = self.output.parent
        results = json.dumps([{"path": folder.name, "spec": self.spec, "options": self.options}])
        line = [sys.executable, self.script, "--root", folder.parent, "--results", results]
        line += ["--logs", folder / "log.txt"]
        return subprocess.Popen(
            list(map(str, line)), stderr=subprocess.PIPE, text=True, env=self.environment,
            # Where the tests themselves run in the background, a shell has told them to ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def log(self):
        return (self.output.parent / "log.txt").read_text()

    def run(self):
        process = self.start()
        _, text = process.communicate(timeout=60)
        return process.returncode, text


def test_a_finished_job_leaves_a_manifest_that_fits_its_files(tmp_path):
    runner = Runner(tmp_path, mode="good")
    code, _ = runner.run()
    found = manifest.read(runner.output)
    assert code == 0
    assert found["spec"] == runner.spec
    assert found["headline"] == {"n": 1}
    assert set(found["files"]) == {"out.txt"}
    assert manifest.problems(runner.output.parent, found) == []
    assert {"commit", "dirty", "freqmaps", "libraries", "wall_s", "device", "date"} <= set(found["provenance"])
    assert not (runner.output.parent / "partial").exists()


def test_a_result_that_goes_on_from_half_finished_work_says_so(tmp_path):
    runner = Runner(tmp_path, mode="good")
    runner.run()
    fresh = manifest.read(runner.output)
    runner.output.unlink()
    (runner.output.parent / "partial").mkdir()
    (runner.output.parent / "partial" / "good-0-state.part").write_text("begun elsewhere")
    runner.run()
    resumed = manifest.read(runner.output)
    assert "resumed" not in fresh["provenance"] and resumed["provenance"]["resumed"]
    assert _same_machine(fresh, fresh) and not _same_machine(fresh, resumed)


@pytest.mark.parametrize(("allowed", "threads", "count"), [(None, 1, 1), ("2", 1, 1), ("1", 2, 1)])
def test_a_job_keeps_to_its_threads_whoever_starts_it(tmp_path, allowed, threads, count):
    """Numbers that depend on the order of a sum are the same under Snakemake, which bounds threads, and by hand."""
    runner = Runner(tmp_path, mode="threads")
    runner.options = {"threads": threads}
    runner.environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    runner.environment |= {"OMP_NUM_THREADS": allowed} if allowed else {}
    code, _ = runner.run()
    made = manifest.read(runner.output)
    assert code == 0 and made["provenance"]["threads"] == count
    assert made["headline"] == {"torch": count, "pools": count}


def test_a_second_run_of_the_same_result_does_nothing(tmp_path):
    runner = Runner(tmp_path, mode="good")
    runner.run()
    before = runner.output.stat().st_mtime_ns
    runner.run()
    assert "already made" in runner.log()
    assert runner.output.stat().st_mtime_ns == before


@pytest.mark.parametrize(("mode", "sentence"), [("bad", "datasets.a.root: no such folder"), ("full", "disk full")])
def test_bad_input_is_one_sentence_and_no_manifest(tmp_path, mode, sentence):
    runner = Runner(tmp_path, mode=mode)
    code, text = runner.run()
    assert code == 1
    assert sentence in text.splitlines()[-1]
    assert "Traceback" not in text
    assert not runner.output.exists()
    assert sentence in runner.log()


def test_an_error_in_a_user_s_own_file_is_one_sentence_and_its_traceback_is_in_the_log(tmp_path):
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "their_metric.py").write_text("def compute():\n    return {}['accuracy']\n")
    runner = Runner(tmp_path, mode="theirs", lab=str(lab))
    code, text = runner.run()
    assert code == 1
    assert "KeyError: 'accuracy'" in text and "their_metric.py, line 2, in compute" in text
    assert "Traceback" not in text and len(text.splitlines()) == 1
    assert "Traceback (most recent call last)" in runner.log() and "return {}['accuracy']" in runner.log()
    # Below the traceback, where Snakemake's last words find it.
    log = runner.output.parent / "log.txt"
    (told,) = logs.failures([log, log, tmp_path / "absent.txt"])
    assert told.startswith("KeyError: 'accuracy' (") and told.endswith(f"compute); its log: {log}")


def test_failures_are_those_of_logs_that_end_with_one(tmp_path):
    endings = ["INFO done in 1.0 s: {}", "ERROR disk full", "WARNING told to stop (SIGTERM)", "ERROR disk full", ""]
    for number, ending in enumerate(endings):
        line = f"2026-01-01 00:00:00,000 {ending}\n" if ending else ""
        (tmp_path / f"{number}.txt").write_text(f"2026-01-01 00:00:00,000 ERROR and it went on\n{line}")
    told = logs.failures([tmp_path / f"{number}.txt" for number in range(5)])
    assert told == [f"disk full; its log: {tmp_path}/1.txt", f"and it went on; its log: {tmp_path}/4.txt"]
    for number in range(13):
        (tmp_path / f"{number}.txt").write_text(f"2026-01-01 00:00:00,000 ERROR number {number}\n")
    told = logs.failures([tmp_path / f"{number}.txt" for number in range(13)])
    assert len(told) == 11 and told[-1] == "and 3 more"


def test_a_programming_error_keeps_its_traceback(tmp_path):
    code, text = Runner(tmp_path, mode="crash").run()
    assert code == 1
    assert "Traceback" in text


def test_a_killed_job_leaves_no_manifest_no_lock_and_its_partial_work(tmp_path):
    runner = Runner(tmp_path, mode="good", seconds=30)
    process = runner.start()
    half = runner.output.parent / "partial" / "half.txt"
    deadline = time.time() + 120
    while not half.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not runner.output.exists()
    with pytest.raises(StoreError, match="not finished"):
        manifest.read(runner.output)
    runner.script.write_text(SCRIPT.replace("time.sleep(", "float("))
    code, _ = runner.run()
    assert code == 0
    assert manifest.read(runner.output)["headline"] == {"n": 2}


@pytest.mark.parametrize(("told", "says"), [(signal.SIGTERM, "told to stop"), (signal.SIGINT, "interrupted (Ctrl-C)")])
def test_a_job_that_is_told_to_stop_writes_what_it_has_finished_and_says_so(tmp_path, told, says):
    runner = Runner(tmp_path, mode="good", seconds=30)
    process = runner.start()
    partial = runner.output.parent / "partial"
    deadline = time.time() + 120
    while not (partial / "half.txt").exists() and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(told)
    _, text = process.communicate(timeout=10)
    assert process.returncode == 128 + told
    assert says in text.splitlines()[-1]
    assert "Traceback" not in text + runner.log() and "stopped before it was finished" in runner.log()
    assert (partial / "flushed.txt").exists()
    assert not runner.output.exists()


def test_two_at_once_make_it_once(tmp_path):
    runner = Runner(tmp_path, mode="good", seconds=1)
    first, second = runner.start(), runner.start()
    for process in (first, second):
        process.communicate(timeout=60)
    assert first.returncode == second.returncode == 0
    assert runner.log().count("already made") == 1
    assert manifest.read(runner.output)["headline"] == {"n": 1}


def test_one_job_makes_several_results_each_with_its_log_and_only_those_that_are_missing(tmp_path):
    one, two = Runner(tmp_path, mode="good"), Runner(tmp_path, mode="good", seconds=0)
    two.spec |= {"inputs": {"before": one.output.parent.name}}
    two.output = tmp_path / "results" / keys.key(two.spec) / "manifest.json"
    assert one.run()[0] == 0
    before = one.output.stat().st_mtime_ns
    results = json.dumps([{"path": r.output.parent.name, "spec": r.spec} for r in (one, two)])
    logs = [r.output.parent / "log.txt" for r in (one, two)]
    line = [sys.executable, one.script, "--root", tmp_path / "results", "--results", results, "--logs", *logs]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert one.output.stat().st_mtime_ns == before and "already made" in one.log()
    assert manifest.read(two.output)["headline"] == {"n": 1} and "done in" in two.log()
    assert "done in" in one.log() and one.log().count("done in") == 1


def test_a_result_whose_input_is_damaged_is_not_made(tmp_path):
    one, two = Runner(tmp_path, mode="good"), Runner(tmp_path, mode="good")
    one.run()
    two.spec = two.spec | {"inputs": {"before": one.output.parent.name}}
    two.output = tmp_path / "results" / keys.key(two.spec) / "manifest.json"
    (one.output.parent / "out.txt").write_text("changed")
    code, text = two.run()
    assert code == 1 and "out.txt" in text.splitlines()[-1] and not two.output.exists()


def test_a_changed_file_and_a_missing_file_are_found(tmp_path):
    runner = Runner(tmp_path, mode="good")
    runner.run()
    found, out = manifest.read(runner.output), runner.output.parent / "out.txt"
    out.write_text("2")
    assert "SHA-256" in manifest.problems(out.parent, found)[0]
    out.write_text("22")
    assert "bytes" in manifest.problems(out.parent, found)[0]
    out.unlink()
    assert "missing" in manifest.problems(out.parent, found)[0]
    assert not manifest.matches(runner.output, runner.spec)


def test_keys_do_not_depend_on_order_or_names_but_on_values_and_their_names():
    spec = {"stage": "maps", "parameters": {"a": 1.0, "b": 2.0}, "names": {"dataset": "x"}}
    assert keys.key(spec) == keys.key({"parameters": {"b": 2.0, "a": 1.0}, "stage": "maps", "names": {"dataset": "y"}})
    assert keys.key(spec) != keys.key(spec | {"parameters": {"a": 2.0, "b": 1.0}})
    assert keys.key(spec) != keys.key(spec | {"parameters": {"a": 1, "b": 2.0}})


def test_seeds_differ_by_place_and_study():
    seeds = {keys.seed(s, "training", m, n) for s in (0, 1) for m in ("a", "b") for n in ("0", "1")}
    assert len(seeds) == 8
    assert all(0 <= s < 2**31 for s in seeds)


def several(folder, *modes, reading=None):
    """Run one job of several results; ``reading`` maps the place of a result to that of the one it reads."""
    (folder / "test.py").write_text(SCRIPT)
    specs = []
    for place, mode in enumerate(modes):
        read = (reading or {}).get(place)
        inputs = {} if read is None else {"other": keys.key(specs[read])}
        specs.append({"stage": "test", "names": {"place": str(place)}, "parameters": {"mode": mode}, "inputs": inputs})
    results = [{"path": keys.key(spec), "spec": spec} for spec in specs]
    line = [sys.executable, folder / "test.py", "--root", folder / "results", "--results", json.dumps(results)]
    line += ["--logs", *(folder / f"{place}.txt" for place in range(len(specs)))]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=60, check=False)
    stands = [(folder / "results" / result["path"] / "manifest.json").exists() for result in results]
    logs = [folder / f"{place}.txt" for place in range(len(specs))]
    return done, stands, [log.read_text() if log.exists() else "" for log in logs]


def test_one_result_that_fails_keeps_no_other_of_its_job_from_being_made(tmp_path):
    done, stands, logs = several(tmp_path, "good", "bad", "good", "good", reading={2: 1, 3: 0})
    assert done.returncode == 1
    assert stands == [True, False, False, True]
    assert done.stderr.count("datasets.a.root: no such folder") == 1 and "Traceback" not in done.stderr
    assert "which failed" in logs[2] and "done in" in logs[3]


def test_every_result_that_fails_is_told_of(tmp_path):
    done, stands, logs = several(tmp_path, "bad", "crash", "good")
    assert (done.returncode, stands) == (1, [False, False, True])
    assert "datasets.a.root" in done.stderr and "ValueError: surprise" in done.stderr
    assert "Traceback" in logs[1]


def test_a_full_disk_ends_a_job_at_once(tmp_path):
    done, stands, _ = several(tmp_path, "full", "good")
    assert (done.returncode, stands) == (1, [False, False])
    assert "disk full" in done.stderr
