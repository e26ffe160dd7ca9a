"""What a job says: its logs, how far it has come, and errors in one sentence."""

from __future__ import annotations

import logging
import logging.handlers
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from freqmaps.core.errors import FreqmapsError, one_sentence, storage_problem

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

_FORM = "%(asctime)s %(levelname)s %(message)s"


def sentence_of(error: BaseException) -> str | None:
    """Return what bad input, a disk or a lack of memory is told as; None for any other error."""
    if isinstance(error, FreqmapsError):
        return str(error)
    if isinstance(error, RuntimeError | MemoryError) and out_of_memory(error):
        return f"memory does not suffice ({' '.join(str(error).split())}); use a machine or a device with more"
    return storage_problem(error) if isinstance(error, OSError) else None


def out_of_memory(error: BaseException) -> bool:
    """Tell what no stage could help by taking less at once."""
    if "torch" not in sys.modules:  # nor imported for this question
        return isinstance(error, MemoryError)
    from freqmaps.core.device import is_out_of_memory

    return is_out_of_memory(error)


#: So many failures are told at the end of a run.
_TOLD = 10


def failures(logs: Iterable[Path]) -> list[str]:
    """Return the sentences with which logs of failed results end, each once and with its log: ten, and how many more.

    >>> failures([Path("/nowhere/log.txt")])
    []
    """
    by_sentence: dict[str, Path] = {}
    for path in logs:
        with suppress(OSError):
            lines = Path(path).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            ending = re.fullmatch(r"[-\d]+ [:,\d]+ ERROR (.*)", lines[-1]) if lines else None
            if ending:
                by_sentence.setdefault(ending[1], path)
    sentences = [f"{sentence}; its log: {path}" for sentence, path in by_sentence.items()]
    more = [f"and {len(sentences) - _TOLD} more"] if len(sentences) > _TOLD else []
    return sentences[:_TOLD] + more


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


def start_logging(*, quiet: bool) -> None:
    """Log to the terminal; where each result has a log of its own, only what is amiss: several jobs share it."""
    shown = logging.StreamHandler(sys.stderr)
    logging.basicConfig(level=logging.INFO, format=_FORM, handlers=[shown])
    if quiet:
        shown.setLevel(logging.WARNING)


@contextmanager
def log_file(path: Path | None, first: Path | None = None) -> Iterator[None]:
    """Also log to a file, which starts with the command, or says where it stands: the first log of the job has it."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORM))
    logging.getLogger().addHandler(handler)
    try:
        command = shlex.join(sys.argv) if first in (None, path) else f"{sys.argv[0]} ... (all of it in {first})"
        log.info("command: python %s", command)
        yield
    except BaseException as error:
        # The terminal hears of it once, when the job ends.
        sentence = sentence_of(error)
        if not isinstance(error, Exception):  # Snakemake shows the log, and where a job stood helps nobody
            log.info("stopped before it was finished")
        elif sentence is None:
            log.info("%s: %s", type(error).__name__, error, exc_info=True)
        if isinstance(error, Exception):  # last, where it is looked for; a job that is told to stop has not failed
            text = sentence or one_sentence(error)
            handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, "levelname": "ERROR", "msg": text}))
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


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
        left = f", {(now - self.start) / done * (self.total - done):.0f} s left" if done else ""
        share = 100.0 * done / max(self.total, 1)
        log.info("%s %d/%d (%.0f %%)%s %s", self.what, done, self.total, share, left, note)
