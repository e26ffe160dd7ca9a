"""freqmaps: which frequencies an image classifier needs, which an attack uses, and how the two are related.

>>> import freqmaps
>>> results = freqmaps.open("results")          # doctest: +SKIP
>>> results.list()                               # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

DECIDES_NUMBERS = False

__version__ = "0.1.0"
__all__ = ["__version__", "open"]

if TYPE_CHECKING:
    from freqmaps.catalog import Results


def open(root: str = "results") -> Results:
    """List and open the stores under a results root.

    Parameters
    ----------
    root
        A results root: the folder that the config names ``results``.
    """
    from freqmaps.catalog import Results

    return Results(root)
