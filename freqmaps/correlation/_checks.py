"""Whether parameters of metrics are right, asked before any work: what ``CHECK`` of their files names."""

from __future__ import annotations

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.correlation._dimensions import estimator_names

DECIDES_NUMBERS = False


def idcor(*, estimator: str, **_: object) -> None:
    """Check that there is such an estimator.

    Raises
    ------
    FreqmapsError
        There is none; with the nearest name.
    """
    known = ["twonn", *estimator_names()]
    if estimator not in known:
        raise FreqmapsError(f"idcor: no estimator named '{estimator}'; {nearest(estimator, known)}")
