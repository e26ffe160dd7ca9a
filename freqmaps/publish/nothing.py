"""The placeholder for a table or figure without any sample left to show: a sentence in its place, not an error."""

from __future__ import annotations

import textwrap

from freqmaps.core.errors import FreqmapsError
from freqmaps.publish.api import Figure, Table


class NothingToShow(FreqmapsError):
    """No sample is left for an item: an attack that never succeeds, say. The sentence says why."""


def blank(kind: str, reason: str) -> Table | Figure:
    """Return what stands in place of an item that has nothing to show.

    Parameters
    ----------
    kind
        ``table`` or ``figure``.
    reason
        The sentence to show.
    """
    sentence = f"Nothing to show: {reason}."
    if kind == "table":
        import pandas as pd

        return Table(pd.DataFrame({"nothing to show": [reason]}), [sentence], finding=sentence)
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(4.0, 1.0))
    figure.text(0.5, 0.5, textwrap.fill(sentence, 60), ha="center", va="center", fontsize=8)
    return Figure(figure, [sentence], sentence, finding=sentence)
