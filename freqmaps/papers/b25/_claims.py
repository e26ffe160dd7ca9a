"""What Basile et al. claim of the correlation between essential and adversarial maps, held against ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import hypot, nan
from typing import Any

from freqmaps.inference.estimates import half_width
from freqmaps.inference.verdicts import Claim, Interval, trend
from freqmaps.papers.b25._readings import READINGS, signed

Row = Mapping[Any, Any]

#: The level of the permutation test below which the paper speaks of high confidence.
_LEVEL = 0.05


def correlated(rows: Iterable[tuple[str, Row]], section: str, said: str = "") -> Iterator[Claim]:
    """Say of each row whether essential and adversarial maps correlate, in every reading of IdCor that there is.

    A reading supports the claim if its interval lies above 0 and its permutation test finds a correlation (p ≤ 0.05);
    it contradicts it if its interval lies below 0.

    Parameters
    ----------
    rows
        What to call each, and its values: ``idcor``, ``idcor_cleaned`` and ``idcor_released``, each with its sampling
        error in ``<reading>_error``, its standard deviation over ``networks`` in ``<reading>_networks_sd`` and its
        p-value, and ``n``.
    section
        Of the paper.
    said
        What the claim adds, after a comma.
    """
    claim = "essential and adversarial maps of the same images correlate (IdCor above 0" + f"{said})"
    for name, row in rows:
        known = [metric for metric in READINGS if row[metric] == row[metric]]
        if not known:
            continue
        shown = (f"{READINGS[m]} {signed(row[m])} ± {_half(row, m):.2f} (p {_p(row, m):.2g})" for m in known)
        yield trend(
            claim, [_interval(row, m) for m in known], f"IdCor, 95 %: {', '.join(shown)}", section=section,
            n=_count(row), networks=row["networks"], reported=_theirs(row, "idcor", "p_value"),
            deciding=_deciding(row, known),
        ).at(name)  # fmt: skip


def nonlinear(rows: Iterable[tuple[str, Row]], section: str) -> Iterator[Claim]:
    """Say of each row whether IdCor finds more than the linear SVCCA, in every reading of it."""
    for name, row in rows:
        known = [metric for metric in READINGS if row[metric] == row[metric]]
        if not known or row["svcca"] != row["svcca"]:
            continue
        gaps = []
        for metric in known:
            gap = row[metric] - row["svcca"]
            half = hypot(_half(row, metric), _half(row, "svcca"))
            gaps.append((gap - half, gap + half))
        readings = ", ".join(f"{READINGS[m]} {signed(row[m])} ± {_half(row, m):.2f}" for m in known)
        yield trend(
            "the correlation is nonlinear in part: IdCor exceeds SVCCA", gaps,
            f"SVCCA, 95 %: {signed(row['svcca'])} ± {_half(row, 'svcca'):.2f}; IdCor {readings}", section=section,
            n=_count(row), networks=row["networks"], reported=_theirs(row, "idcor", "svcca"),
        ).at(name)  # fmt: skip


def _interval(row: Row, metric: str) -> Interval:
    low, high = _bounds(row, metric)
    # An interval above 0 is no correlation yet: permuted maps may have one as large.
    return (low, high) if high < 0 or _p(row, metric) <= _LEVEL else (nan, nan)


def _deciding(row: Row, known: Sequence[str]) -> Interval:
    """Return the interval of the reading that decides: the lowest, of those that do not support the claim if any."""
    bounds = {metric: _bounds(row, metric) for metric in known}
    below = [metric for metric in known if bounds[metric][1] < 0]
    doubtful = below or [metric for metric in known if not _p(row, metric) <= _LEVEL] or known
    return min(bounds[metric] for metric in doubtful)


def _bounds(row: Row, metric: str) -> Interval:
    return row[metric] - _half(row, metric), row[metric] + _half(row, metric)


def _half(row: Row, metric: str) -> float:
    """Return half the width of the 95 % interval of a value: of one network over images, of several over both."""
    error, sd = (float(row.get(f"{metric}_{field}", nan)) for field in ("error", "networks_sd"))
    return half_width(error, sd, row["networks"])


def _p(row: Row, metric: str) -> float:
    return float(row["p_value" if metric == "idcor" else f"{metric}_p_value"])


def _count(row: Row) -> int | None:
    return int(row["n"]) if row["n"] == row["n"] else None


def _theirs(row: Row, *columns: str) -> str:
    names = {"idcor": "IdCor", "p_value": "p", "svcca": "SVCCA"}
    known = [(names[c], row.get(f"published_{c}", nan)) for c in columns]
    told = ", ".join(f"{name} {value:g}" for name, value in known if value == value)
    return told or "no value for this attack and network"
