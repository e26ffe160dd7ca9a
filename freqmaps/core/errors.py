"""The one exception that users see, and the sentence it prints."""

from __future__ import annotations

import difflib
import errno
import linecache
import sys
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path

DECIDES_NUMBERS = False


class FreqmapsError(Exception):
    """Bad input: one clear sentence that names the place and the remedy."""


class ConfigError(FreqmapsError):
    """The config cannot be used as it stands; nothing has been started."""


class NotHereError(ConfigError):
    """A file or folder that the config names is not on this machine; it may be on another one."""


class StoreError(FreqmapsError):
    """A store is missing, truncated, corrupt, or does not keep its contract."""


#: Words that people use for one thing; of those that are allowed the first is meant, if none is spelt nearly alike.
_SAME = (
    ("epsilon", "eps", "epsilons", "budget", "radius", "max_norm"),
    ("steps", "max_steps", "iterations", "epochs", "num_steps", "n_steps", "nb_iter", "n_iter", "num_iter", "max_iter"),
    ("step", "step_size", "stepsize", "alpha", "eps_step", "eps_iter"),
    ("learning_rate", "lr"),
    ("weight_decay", "wd"),
    ("optimizer", "optimiser", "opt"),
    ("batch", "batch_size", "bs"),
    (
        *("pretrained", "checkpoint", "weights", "ckpt", "weights_path", "checkpoint_path", "model_path", "state_dict"),
        *("path", "file"),
    ),
    ("root", "path", "dir", "folder", "directory", "data_dir", "data_path", "file", "filename"),
    ("architecture", "arch", "network", "model"),
    ("normalise", "normalize", "mean", "std", "normalization", "normalisation"),
    ("classes", "num_classes", "n_classes", "nb_classes"),
    ("channels", "in_channels", "num_channels", "in_chans", "input_channels"),
    ("size", "image_size", "img_size", "resolution", "input_size"),
    ("seed", "random_state", "random_seed"),
    ("norm", "distance", "ord", "lp", "p"),
    ("restarts", "n_restarts", "num_restarts"),
    ("queries", "n_queries", "max_queries"),
)
#: A list of names longer than this is shown in part.
_LONGEST = 400


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest valid name and all valid ones, or the nearest of many.

    >>> nearest("pdg", ["pgd", "fmn"])
    "did you mean 'pgd'? Valid: fmn, pgd"
    >>> nearest("lr", ["learning_rate", "layer"])
    "did you mean 'learning_rate'? Valid: layer, learning_rate"
    """
    names = sorted(str(a) for a in allowed)
    close = meant(str(name), names) or difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    valid = ", ".join(names) if names else "(none)"
    if len(valid) > _LONGEST:
        few = difflib.get_close_matches(str(name), names, n=8, cutoff=0.0)
        valid = f"{', '.join(few)} and {len(names) - len(few)} more (docs/bring-your-own.md says how to list them)"
    return f"{hint}Valid: {valid}"


def meant(name: str, allowed: Collection[str]) -> list[str]:
    """Return the valid names that a name surely stands for: one that is spelt nearly alike, or another word for it."""
    return difflib.get_close_matches(name, allowed, n=1, cutoff=0.8) or [word for word in same(name) if word in allowed]


def same(name: str) -> list[str]:
    """Return the words that stand for the same thing as a name, the usual one first, itself among them.

    >>> same("lr")
    ['learning_rate', 'lr']
    """
    return [word for words in _SAME if name.lower() in words for word in words] or [name]


def one_sentence(error: BaseException, longest: int = 300) -> str:
    """Return an exception in one sentence: its type, what it says, its notes, and the user's own file and line.

    Where it says nothing, as an assertion does, the source line that raised it stands for that.
    """
    text = " ".join(str(error).split()) or _source_line(error)
    text = text if len(text) <= longest else f"{text[:longest]}..."
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    place = own_line(error)
    return f"{sentence}{notes} ({place})" if place else f"{sentence}{notes}"


def _source_line(error: BaseException) -> str:
    """Return the source that raised an exception, such as the condition of an assertion; empty if it is not known."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    lines = [linecache.getline(last.filename, n) for n in range(last.lineno or 0, (last.end_lineno or 0) + 1)]
    text = " ".join(" ".join(lines).split())
    return "" if text.startswith("raise") else text


def own_line(error: BaseException) -> str | None:
    """Return ``file, line 12, in forward`` of the innermost line that the user wrote; None if there is none.

    The user's is what belongs neither to this package, nor to a library, nor to the script that runs.
    """
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_file() and not _is_a_librarys(path.resolve()):
            line = f"{_short(path)}, line {frame.lineno}, in {frame.name}"
    return line


def _is_a_librarys(path: Path) -> bool:
    package = Path(__file__).resolve().parent.parent
    script = Path(sys.argv[0]).resolve().parent if sys.argv[0] else package
    folders = [package, *(Path(prefix).resolve() for prefix in {sys.prefix, sys.base_prefix})]
    within = any(path.is_relative_to(folder) for folder in folders)
    return within or path.parent == script or "site-packages" in path.parts


def _short(path: Path) -> str:
    """Return a path from the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


#: What the system says when there is no room left; a limit on file sizes or a quota is no room either.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_AWAY = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.ETIMEDOUT}
_ABSENT, _IN_THE_WAY = {errno.ENOENT}, {errno.EEXIST, errno.ENOTDIR}


def storage_problem(error: OSError) -> str | None:
    """Return the sentence for a disk that is full, refuses, does not answer or is gone; None for any other error.

    >>> storage_problem(OSError(28, "No space left on device"))
    'disk full ([Errno 28] No space left on device); free some space and run the same target again'
    """
    if error.errno in _FULL:
        return f"disk full ({error}); free some space and run the same target again"
    if error.errno in _REFUSED:
        return f"not permitted ({error}); give yourself the right to read and write there, or name another 'results'"
    if error.errno in _AWAY:
        return f"the storage does not answer ({error}); see that it is mounted and run the same target again"
    folder = Path(error.filename or "").parent
    if error.errno in _ABSENT and error.filename and not folder.is_dir():
        return (
            f"{folder}: no such folder, or gone meanwhile ({error}); mount its disk again and run the same target again"
        )
    if error.errno in _IN_THE_WAY:
        return f"{error.filename}: a file, or a link to nothing, where a folder is needed; is its disk mounted?"
    return None
