"""What every workflow script runs in: command line, log, lock, resumable folder, manifest, provenance.

A script defines ``run(job) -> headline`` and calls :func:`main`. The command line that Snakemake prints and logs
is complete, so it can be repeated by hand and in a debugger::

    python workflow_scripts/maps.py --spec '{"stage": "maps", ...}' --output results/.../manifest.json --inputs ...
"""

from __future__ import annotations

import argparse
import json
import logging
import logging.handlers
import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freqmaps.core.errors import FreqmapsError, StoreError, storage_problem
from freqmaps.provenance import manifest as manifests
from freqmaps.provenance import shared_root

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

#: What files and stores are called before their rename: ``.name.<process>``, ``.writing-…``.
_TEMPORARY = re.compile(r"\.(writing-.+|.+\.\d+)")
#: Environment variable: when Snakemake was started, in seconds since 1970.
STARTED = "FREQMAPS_STARTED"


@dataclass
class Job:
    """One stage's work: its spec, its inputs by role, and the folder to fill.

    Attributes
    ----------
    spec
        The resolved parameters, under ``spec["parameters"]``; ``spec["seed"]`` where the stage draws numbers.
    inputs
        Folders of the input results by role. A role with several results (shards) maps to a list, in order.
    folder
        The keyed folder to write to. Only whole files, by rename.
    partial
        A folder for half-finished work that a later attempt may resume from; removed when the manifest stands.
    options
        What decides no number: ``device``, ``threads``, ``batch``, where raw data lie.
    """

    spec: dict[str, Any]
    inputs: dict[str, Any]
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """The stage's resolved parameters."""
        return self.spec["parameters"]  # type: ignore[no-any-return]

    @property
    def seed(self) -> int:
        """The seed derived for this stage and place."""
        return int(self.spec["seed"])

    @property
    def partial(self) -> Path:
        """Folder for resumable state, created on first use; a killed run of another user may have left it."""
        return shared_root.usable(self.folder / "partial")

    def input(self, role: str) -> Path:
        """Return the folder of the only input of a role."""
        return self.inputs[role]  # type: ignore[no-any-return]

    def attributes(self) -> dict[str, Any]:
        """Return provenance for the attributes of a store: version, commit, spec."""
        return {"spec": json.dumps(self.spec, sort_keys=True), **manifests.origin()}


def main(run: Callable[[Job], Mapping[str, Any]]) -> None:
    """Parse the command line, run the stage under its lock, and write the manifest last.

    Exits with 1 and one sentence on a :class:`FreqmapsError`; any other error keeps its traceback.
    """
    entry_point(_parser(), lambda arguments: _run_keyed(run, arguments))


def entry_point(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Run a script: parse its command line (with ``--log``), log, and turn bad input into one sentence."""
    parser.add_argument("--log", type=Path, help="also write the log here")
    arguments = parser.parse_args()
    shared_root.open_to_group(arguments.log or Path())
    start = time.time()
    signal.signal(signal.SIGTERM, _stop)
    try:
        _start_logging(arguments.log)
        run(arguments)
        log.info("worked for %.2f s", time.time() - start)
    except _Stopped:
        log.warning("told to stop (SIGTERM); what is finished is kept, and the next attempt goes on from there")
        sys.exit(128 + signal.SIGTERM)
    except FreqmapsError as error:
        log.error("%s", error)
        sys.exit(1)
    except (RuntimeError, MemoryError) as error:
        if not _out_of_memory(error):
            raise
        log.error("memory does not suffice (%s); use a machine or a device with more", " ".join(str(error).split()))
        sys.exit(1)
    except OSError as error:
        sentence = storage_problem(error)
        if sentence is None:
            raise
        log.error("%s", sentence)
        sys.exit(1)


class _Stopped(BaseException):
    """Somebody asked the job to end: a cluster that takes the node back, or whose time limit is reached."""


def _stop(*_: object) -> None:
    """Unwind on SIGTERM, so that finished work is written before the SIGKILL that follows; once is enough."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _out_of_memory(error: BaseException) -> bool:
    """Tell what no stage could help by taking less at once."""
    if "torch" not in sys.modules:  # nor imported for this question
        return isinstance(error, MemoryError)
    from freqmaps.core.device import is_out_of_memory

    return is_out_of_memory(error)


def _run_keyed(run: Callable[[Job], Mapping[str, Any]], arguments: argparse.Namespace) -> None:
    spec = json.loads(arguments.spec)
    folder = arguments.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(spec, _roles(spec, arguments.inputs), folder, json.loads(arguments.options))
    _limit_threads(int(job.options.get("threads") or 0))
    with shared_root.lock(folder):
        _clear(folder)
        if _made_meanwhile(arguments.output, spec):
            log.info("already made by another run: %s", arguments.output)
        else:
            arguments.output.unlink(missing_ok=True)
            _attempt(run, job, arguments.output)
        shutil.rmtree(folder / "partial", ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what a killed attempt was writing when it died. The lock must be held: nobody else writes here."""
    for path in folder.iterdir():
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _made_meanwhile(output: Path, spec: Mapping[str, Any]) -> bool:
    """Whether another run has made the result: by hand, at any time; under Snakemake, since that was started.

    Of what stood before, Snakemake knew: it asks for that again only if it is told to (``--forcerun``).
    """
    since = float(os.environ.get(STARTED, "-inf"))
    return output.exists() and output.stat().st_mtime >= since and manifests.matches(output, spec)


def _attempt(run: Callable[[Job], Mapping[str, Any]], job: Job, output: Path) -> None:
    log.info("%s %s -> %s", job.spec["stage"], job.spec.get("names", ""), job.folder)
    wall, cpu = time.time(), time.process_time()
    try:
        headline = dict(run(job))
    except StoreError as error:
        if job.folder.is_dir():
            raise
        raise StoreError(
            f"{job.folder}: no such folder, or gone meanwhile; mount its disk again and run the same target again"
        ) from error
    seconds = {"wall_s": round(time.time() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}
    manifests.write(output, job.spec, headline, seconds | {"device": job.options.get("device_used", "cpu")})
    log.info("done in %.1f s: %s", seconds["wall_s"], json.dumps(headline, default=str))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spec", required=True, help="the stage's spec, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="the manifest to write")
    parser.add_argument("--inputs", nargs="*", type=Path, default=[], help="manifests of the inputs")
    parser.add_argument("--options", default="{}", help="what decides no number (device, threads, ...), as JSON")
    return parser


def _roles(spec: Mapping[str, Any], paths: list[Path]) -> dict[str, Any]:
    """Find each input's folder: a role of the spec names keys, a key is the last folder of a path."""
    by_key = {p.parent.name: p.parent for p in paths}
    roles: dict[str, Any] = {}
    for role, keys in spec.get("inputs", {}).items():
        missing = [k for k in ([keys] if isinstance(keys, str) else keys) if k not in by_key]
        if missing:
            raise FreqmapsError(f"--inputs lacks the result of key {missing[0]} (role '{role}')")
        for one in [keys] if isinstance(keys, str) else keys:
            manifests.check(by_key[one])
        roles[role] = by_key[keys] if isinstance(keys, str) else [by_key[k] for k in keys]
    return roles


class _LogFile(logging.handlers.WatchedFileHandler):
    """A log that a full disk cuts short, without a traceback for each line that is lost.

    Watched: Snakemake removes the log of a run of another user when it starts a job for the same result.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; pass over it if the log's folder is gone."""
        try:
            super().emit(record)
        except OSError:
            return

    def handleError(self, record: logging.LogRecord) -> None:
        """Pass over what could not be written if the disk is why."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _start_logging(path: Path | None) -> None:
    shown = logging.StreamHandler(sys.stderr)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[shown])
    if path:
        shown.setLevel(logging.WARNING)  # several jobs share a terminal; each has its own log
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = _LogFile(path, encoding="utf-8")
        kept.setFormatter(logging.Formatter(form))
        logging.getLogger().addHandler(kept)
    log.info("command: python %s", shlex.join(sys.argv))


def _limit_threads(threads: int) -> None:
    """Bound the threads of BLAS, OpenMP, numba and torch; must run before those are imported."""
    if threads > 0:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[name] = str(threads)


class Progress:
    """Say at most every ``interval`` seconds how far a loop has come, with the time that is left.

    >>> progress = Progress("maps", 100)
    >>> progress(50, "loss 0.1")
    """

    def __init__(self, what: str, total: int, interval: float = 5.0) -> None:
        self.what, self.total, self.interval = what, total, interval
        self.start = self.last = time.monotonic()

    def __call__(self, done: int, note: str = "") -> None:
        """Report that ``done`` of the total is finished."""
        now = time.monotonic()
        if now - self.last < self.interval and done < self.total:
            return
        self.last = now
        left = (now - self.start) / max(done, 1) * (self.total - done)
        share = 100.0 * done / max(self.total, 1)
        log.info("%s %d/%d (%.0f %%), %.0f s left %s", self.what, done, self.total, share, left, note)
