"""freqmaps: which frequencies an image classifier needs, which an attack uses, and how the two are related.

>>> import freqmaps
>>> results = freqmaps.open("results")          # doctest: +SKIP
>>> results.list()                               # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from freqmaps.core.version import __version__

DECIDES_NUMBERS = False


__all__ = ["__version__", "open"]

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from freqmaps.results import Results


def open(root: str | Path = "results", study: str | Path | Sequence[str | Path] | None = None) -> Results:
    """List and open the stores under a results root.

    Parameters
    ----------
    root
        A results root: the folder that the config names ``results``.
    study
        A config file, or several, later ones over earlier ones: only the results of that study. As for Snakemake's
        ``--configfile`` they lie over the ``config.yaml`` of the working directory; where there is none, give it with
        its path, first. Without a study: all that lie under the root, those of earlier settings too.

    Raises
    ------
    FreqmapsError
        There is no such root, a manifest under it cannot be read, or the files are no config of a study.
    """
    from freqmaps.results.notebook import open_results

    return open_results(root, [study] if isinstance(study, str | os.PathLike) else study)
