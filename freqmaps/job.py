"""What every workflow script runs in: command line, log, lock, resumable folder, manifest, provenance.

A script defines ``run(job) -> headline`` and calls :func:`main`. One call makes one result or several, in order; those
of another stage by that stage's script, which lies beside it. The command line that Snakemake prints and logs is
complete, so it can be repeated by hand and in a debugger::

    python workflow_scripts/maps.py --root results --results '[{"path": ..., "spec": {...}}]' --inputs ...
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freqmaps.core import files, jsons
from freqmaps.core.allocator import keep_freed_memory
from freqmaps.core.errors import FreqmapsError, StoreError, one_sentence, own_line
from freqmaps.core.logs import log_file, out_of_memory, sentence_of, start_logging
from freqmaps.core.processor import limit_threads, peak_memory_mb, threads
from freqmaps.provenance import manifest as manifests
from freqmaps.provenance import shared_root, unfinished
from freqmaps.provenance.unfinished import Place
from freqmaps.stages import STORE
from freqmaps.study import doubts

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

#: Environment variable: when Snakemake was started, in seconds since 1970.
STARTED = "FREQMAPS_STARTED"
#: Environment variable: set where Snakemake was told to make again what stands.
FORCED = "FREQMAPS_FORCED"


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
        Where half-finished work is kept, for a later attempt to go on from; removed when the manifest stands.
    options
        What decides no number: ``device``, ``threads``, ``batch``, where raw data lie (``located``; ``unkeyed``, in the
        form of the parameters that it belongs to).
    together
        Spec and folder of each result that the same job makes.
    """

    spec: dict[str, Any]
    inputs: dict[str, Any]
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    together: Sequence[tuple[Mapping[str, Any], Path]] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The stage's resolved parameters, with those that decide no key put in their places."""
        return _with(self.spec["parameters"], self.options.get("unkeyed", {}))

    @property
    def seed(self) -> int:
        """The seed derived for this stage and place."""
        return int(self.spec["seed"])

    @property
    def partial(self) -> Place:
        """Where to keep half-finished work; a killed run of another user may have made the folder."""
        return self.partial_of(".")

    def partial_of(self, path: str) -> Place:
        """Return where another result of the same job keeps half-finished work, by its path from this one's folder."""
        folder = Path(os.path.normpath(self.folder / path))
        spec = next((spec for spec, beside in self.together if beside == folder), self.spec)
        return Place(shared_root.usable(folder / unfinished.FOLDER), key=folder.name, code=str(spec.get("code", "")))

    def input(self, role: str) -> Path:
        """Return the folder of the only input of a role."""
        return self.inputs[role]  # type: ignore[no-any-return]

    @property
    def due(self) -> list[Mapping[str, Any]]:
        """The specs of what the job has still to make of this result's stage, this one first."""
        beside = [(spec, folder) for spec, folder in self.together if folder != self.folder]
        due = [s for s, f in beside if s["stage"] == self.spec["stage"] and not _stands(f / manifests.NAME, s)]
        return [self.spec, *due]

    @property
    def all_inputs(self) -> list[Path]:
        """The folders of all inputs, each once, in the order of the spec."""
        flat = [f for role in self.inputs.values() for f in (role if isinstance(role, list) else [role])]
        return list(dict.fromkeys(flat))

    def attributes(self) -> dict[str, Any]:
        """Return provenance for the attributes of a store: version, commit, spec."""
        return {"spec": json.dumps(self.spec, sort_keys=True), **manifests.origin()}


def _with(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with the entries of another one put in, at any depth."""
    return dict(base) | {k: _with(base[k], v) if isinstance(v, Mapping) else v for k, v in more.items()}


def main(run: Callable[[Job], Mapping[str, Any]]) -> None:
    """Parse the command line, make each result under its lock, and write its manifest last.

    Exits with 1 and one sentence on a :class:`FreqmapsError`; any other error keeps its traceback.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True, type=Path, help="the results root")
    parser.add_argument("--results", required=True, type=json.loads,
                        help="what to make, in order, as JSON: path below the root, spec, options")  # fmt: skip
    parser.add_argument(
        "--inputs",
        nargs="*",
        default=[],
        help="folders of the inputs, below the root; found by their keys if none is given",
    )
    parser.add_argument("--logs", nargs="*", default=[], type=Path, help="a log for each result")
    entry_point(parser, lambda arguments: _make_all(run, arguments))


def _make_all(run: Callable[[Job], Mapping[str, Any]], arguments: argparse.Namespace) -> None:
    """Make the results that are missing, each with a log of its own."""
    folders = {Path(path).name: arguments.root / path for path in arguments.inputs or _all_below(arguments.root)}
    logs = [*arguments.logs, *[None] * len(arguments.results)]
    together = [(entry["spec"], arguments.root / entry["path"]) for entry in arguments.results]
    failed: dict[str, Exception] = {}
    for entry, path in zip(arguments.results, logs, strict=False):
        folder = arguments.root / entry["path"]
        try:
            with log_file(path, logs[0]):
                _refuse_lost(entry["spec"], failed)
                job = Job(entry["spec"], {}, folder, dict(entry.get("options", {})), together)
                _make(_of_stage(entry["spec"]["stage"], run), job, folders)
        except Exception as error:
            if len(arguments.results) == 1 or _ends_all(error):
                raise
            failed[folder.name] = error
        folders[folder.name] = folder
    errors = [error for error in failed.values() if not isinstance(error, _LostInputError)]
    for further in errors[1:]:
        log.error("%s", sentence_of(further) or one_sentence(further))
    if errors:
        raise errors[0]


class _LostInputError(FreqmapsError):
    """What a result reads was to be made before it by the same job, and failed."""


def _refuse_lost(spec: Mapping[str, Any], failed: Mapping[str, Exception]) -> None:
    for key in _keys(spec):
        if key in failed:
            raise _LostInputError(f"not made, since it reads the result of key {key}, which failed; see its log")


def _ends_all(error: Exception) -> bool:
    """Whether the job's other results would fail too: the disk or the memory does not suffice."""
    return isinstance(error, OSError) or (isinstance(error, RuntimeError | MemoryError) and out_of_memory(error))


def _keys(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a result's inputs."""
    for keys in spec.get("inputs", {}).values():
        yield from [keys] if isinstance(keys, str) else keys


def _all_below(root: Path) -> Iterator[str]:
    """Yield every keyed folder: for jobs that read more results than a command line can name."""
    from freqmaps.results.scan import walk

    return (path for path, keyed in walk(root) if keyed) if root.is_dir() else iter(())


def _of_stage(stage: str, run: Callable[[Job], Mapping[str, Any]]) -> Callable[[Job], Mapping[str, Any]]:
    """Return the function of a stage's script: the running one, or another in its folder."""
    called = Path(sys.argv[0])
    if called.stem == stage:
        return run
    spec = importlib.util.spec_from_file_location(f"_script_{stage}", called.with_name(f"{stage}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run  # type: ignore[no-any-return]


def entry_point(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Run a script: parse its command line, log, and turn bad input into one sentence."""
    arguments = parser.parse_args()
    start = time.time()
    signal.signal(signal.SIGTERM, _stop)
    keep_freed_memory()  # a step asks for the blocks of the step before
    # What imports have made lives as long as the process: looking through it for garbage, above all when the
    # interpreter ends, takes a job with torch a third of a second.
    gc.freeze()
    try:
        shared_root.open_to_group(arguments.root)
        start_logging(quiet=bool(arguments.logs))
        run(arguments)
        log.info("worked for %.2f s", time.time() - start)
    except _Stopped:
        log.warning("told to stop (SIGTERM); what is finished is kept, and the next attempt goes on from there")
        sys.exit(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        log.warning("interrupted (Ctrl-C); what is finished is kept, and the same command goes on from there")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None and arguments.logs and own_line(error):  # the log has the traceback
            traceback_log = arguments.logs[0]
            sentence = f"{one_sentence(error)}; the traceback is in {traceback_log} or in the log beside another result"
        if sentence is None:
            raise
        log.error("%s", sentence)
        sys.exit(1)
    finally:
        gc.freeze()  # and what the work has imported


class _Stopped(BaseException):
    """Somebody asked the job to end: a cluster that takes the node back, or whose time limit is reached."""


def _stop(*_: object) -> None:
    """Unwind on SIGTERM, so that finished work is written before the SIGKILL that follows; once is enough."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _make(run: Callable[[Job], Mapping[str, Any]], job: Job, folders: Mapping[str, Path]) -> None:
    spec, folder, output = job.spec, job.folder, job.folder / manifests.NAME
    folder.mkdir(parents=True, exist_ok=True)
    with shared_root.lock(folder) as alone:
        for half in (folder, folder / unfinished.FOLDER) if alone else ():
            files.clear_half_written(half)
        if _stands(output, spec):
            log.info("already made: %s", output)
        else:
            job.inputs = _roles(spec, folders)
            limit_threads(int(job.options.get("threads") or 0))
            output.unlink(missing_ok=True)
            _attempt(run, job, output)
        unfinished.discard(folder)


def _stands(output: Path, spec: Mapping[str, Any]) -> bool:
    """Whether a result stands: another run made it meanwhile, or it was there and the job makes others beside it.

    Only if it is asked for again although it stood before Snakemake started (``--forcerun``) is it made again.
    """
    if not (output.exists() and manifests.matches(output, spec)):
        return False
    return not os.environ.get(FORCED) or output.stat().st_mtime >= float(os.environ.get(STARTED, "-inf"))


def _attempt(run: Callable[[Job], Mapping[str, Any]], job: Job, output: Path) -> None:
    log.info("%s %s -> %s", job.spec["stage"], job.spec.get("names", ""), job.folder)
    wall, cpu = time.time(), time.process_time()
    resumes = any(job.folder.glob(f"{unfinished.FOLDER}/*"))
    try:
        headline = dict(run(job))
    except StoreError as error:
        if job.folder.is_dir():
            raise
        raise StoreError(
            f"{job.folder}: no such folder, or gone meanwhile; mount its disk again and run the same target again"
        ) from error
    seconds = {"wall_s": round(time.time() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}
    seconds["peak_mb"] = peak_memory_mb()
    _account(job)
    warnings = _warnings(job, headline)
    ran = {"device": job.options.get("device_used", "cpu"), "threads": threads()}
    if resumes:  # perhaps from what another processor, or another number of threads, has begun
        ran["resumed"] = True
    manifests.write(output, job.spec, headline, seconds | ran, warnings)
    log.info("done in %.1f s: %s", seconds["wall_s"], jsons.text(headline))


def _account(job: Job) -> None:
    """Log what a dataset has turned out to hold, before anything is trained on it."""
    if job.spec["stage"] != "datasets":
        return
    from freqmaps.stores import accounts

    for line in accounts.of_dataset(job.folder / STORE):
        log.info("%s", line)


def _warnings(job: Job, headline: Mapping[str, Any]) -> list[str]:
    """Return what makes the result doubtful, after saying so: loudly where it begins, later for the record."""
    own, inherited = doubts.of_result(job.spec, headline, [manifests.read(folder) for folder in job.all_inputs])
    if job.spec["stage"] == "datasets":
        from freqmaps.datasets import _dark

        dim = _dark.of_store(job.folder)
        own += [f"dataset '{job.spec['names']['dataset']}': {dim}"] if dim else []
    for sentence in own:
        log.warning("%s", sentence)
    for sentence in inherited:
        log.info("of an input: %s", sentence)
    return [*inherited, *own]


def _roles(spec: Mapping[str, Any], folders: Mapping[str, Path]) -> dict[str, Any]:
    """Find each input's folder by its key, and check that it is what its manifest says."""
    roles: dict[str, Any] = {}
    for role, keys in spec.get("inputs", {}).items():
        for key in [keys] if isinstance(keys, str) else keys:
            if key not in folders:
                raise FreqmapsError(f"--inputs lacks the result of key {key} (role '{role}')")
            manifests.check(folders[key])
        roles[role] = folders[keys] if isinstance(keys, str) else [folders[k] for k in keys]
    return roles
