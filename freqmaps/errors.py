"""The one exception that users see, and the sentence it prints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DECIDES_NUMBERS = False


class FreqmapsError(Exception):
    """Bad input: one clear sentence that names the place and the remedy."""


class ConfigError(FreqmapsError):
    """The config cannot be used as it stands; nothing has been started."""


class StoreError(FreqmapsError):
    """A store is missing, truncated, corrupt, or does not keep its contract."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest valid name and all valid ones.

    >>> nearest("pdg", ["pgd", "fmn"])
    "did you mean 'pgd'? Valid: fmn, pgd"
    """
    names = sorted(str(a) for a in allowed)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Valid: {', '.join(names) if names else '(none)'}"
