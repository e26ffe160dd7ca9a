"""Shared fixtures."""

import os
import shutil
import sys

# Small networks and matrices: one thread each is faster than a pool, and tests stay reproducible. Of numba too: with a
# pool of its own it raises that of torch, whose threads then wait for cores that other tests are using.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import hypothesis
import pytest

from freqmaps.study import questions
from tests import asking, fault_tally
from tests.faults import undisturbed  # noqa: F401 - a fixture

# How long an example takes tells of the machine and of what else runs on it, not of the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

BROWSER = [f"--{flag}" for flag in (
    "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync",
)]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep the user's cache of fingerprints out of tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def _threads():
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_num_threads()


@pytest.fixture(autouse=True)
def _as_many_threads_as_before():
    """Fail a test that leaves torch with other threads: those that follow would be slow, and nobody would see why."""
    before = _threads()
    yield
    assert before in (None, _threads()), f"torch had {before} threads before this test, and has {_threads()} now"


@pytest.fixture(autouse=True)
def _asked_quickly(monkeypatch, request):
    """Answer the questions of studies in forks of one process, unless a test is about their processes."""
    if request.node.get_closest_marker("asks_anew") is None:
        monkeypatch.setattr(questions, "_start", asking.start_forked)


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "no chromium: install it with apt-get install chromium"
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=executable, args=BROWSER)
        yield instance
        instance.close()


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no process is left alone with one; skip GPU tests without one."""
    slurm = {item.path for item in items if item.get_closest_marker("slurm")}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slurm, item.path not in slow))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))


def pytest_sessionfinish(session):
    """Where the tests are spread over processes, send what this one survived to the first."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = dict(fault_tally.tally)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Add up what the processes survived."""
    fault_tally.tally.update(getattr(node, "workeroutput", {}).get("faults", {}))


def pytest_terminal_summary(terminalreporter, exitstatus):
    """Show the faults that were tried; with WRITE_FAULTS=1, write them into docs/nothing-lost.md if all survived."""
    if not fault_tally.tally:
        return
    terminalreporter.section(f"faults tried and survived: {fault_tally.tally.total()}")
    for fault, count in fault_tally.tally.items():
        terminalreporter.write_line(f"{count:5d}  {fault}")
    if os.environ.get("WRITE_FAULTS") and exitstatus == 0:
        fault_tally.write()
