"""What the items of Karantzas et al. share: the five regimes, their published values, and verdicts on their trends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any, Literal

from freqmaps.core.errors import FreqmapsError
from freqmaps.publish.published import AS_PUBLISHED, difference, published, verdict
from freqmaps.results.reader import Inputs

#: The paper's letter for each kind of regime, in the paper's order.
LETTERS = {"standard": "N", "adversarial": "A", "scale": "S", "translate": "T", "rotate": "R"}
#: What a letter stands for.
TRAINED = {"N": "natural", "A": "adversarial", "S": "random scales", "T": "random shifts", "R": "random rotations"}
_ORDER = "".join(LETTERS.values())

Interval = tuple[float, float]
Finding = Literal["holds", "does not hold", "cannot be told here"]


@dataclass(frozen=True)
class Regime:
    """How a network was trained, read from its training's spec: names in a config are the user's and say nothing.

    Attributes
    ----------
    letter
        ``N``, ``A``, ``S``, ``T`` or ``R``; empty for any other regime, and for a checkpoint that was given.
    kind, parameters
        Of the regime; empty where the spec has none.
    training
        The config's name of the training.
    """

    letter: str
    kind: str
    parameters: Mapping[str, Any]
    training: str

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands among others: the paper's order, then the rest by name."""
        return (_ORDER.index(self.letter) if self.letter else len(_ORDER), self.training)


def regime(inputs: Inputs, names: Mapping[str, str]) -> Regime:
    """Return the regime of the network that these names stand for.

    Parameters
    ----------
    inputs
        The study's results, those of stage ``training`` among them.
    names
        Names of any result of the network: ``dataset``, ``model``, ``training``, ``seed`` and whatever else.

    Raises
    ------
    FreqmapsError
        The training's result is not among the inputs.
    """
    found = inputs.related("training", names)
    if not found:
        raise FreqmapsError(f"no training result of '{names['training']}' among the inputs; add stage 'training'")
    kind, parameters = found[0].component("regime") or ("", {})
    letter = "N" if _changes_nothing(kind, parameters) else LETTERS.get(kind, "")
    return Regime(letter, kind, parameters, names["training"])


def regimes(inputs: Inputs, stage: str) -> dict[str, Regime]:
    """Return the regimes of all trainings that a stage has results of, in the paper's order, by the training's name."""
    found = {r.names["training"]: regime(inputs, r.names) for r in inputs.select(stage)}
    return dict(sorted(found.items(), key=lambda entry: entry[1].rank))


def labels(found: Mapping[str, Regime]) -> dict[str, str]:
    """Return what to call each training: its letter, with the config's name where several have the same or none.

    >>> one = Regime("A", "adversarial", {}, "pgd")
    >>> labels({"pgd": one}), labels({"pgd": one, "weak": Regime("A", "adversarial", {}, "weak")})
    ({'pgd': 'A'}, {'pgd': 'A (pgd)', 'weak': 'A (weak)'})
    """
    letters = [r.letter for r in found.values()]
    return {
        name: (r.letter if letters.count(r.letter) == 1 else f"{r.letter} ({name})") if r.letter else name
        for name, r in found.items()
    }


def described(found: Mapping[str, Regime]) -> str:
    """Return a sentence that says what the labels stand for."""
    named = labels(found)
    parts = [f"{named[name]} {_described(r)}" for name, r in found.items()]
    return f"Training: {'; '.join(parts)}."


def beside(item: str, row: str, inputs: Inputs, names: Mapping[str, str], ours: Mapping[str, float]) -> dict[str, Any]:
    """Return the published columns of one row, as :func:`freqmaps.publish.published.beside` does for attacks.

    Parameters
    ----------
    item, row
        Id of the item in ``published.yaml``, and which of its rows: ``N``, say. A row that is not there has no values.
    inputs, names
        The study's results, and the names of the result that the row is about: all results that contradict none of
        them are held against the paper's scope.
    ours
        Our values by the names used in ``published.yaml``, and ``n`` (images) where it is known.

    Returns
    -------
    dict
        ``published_<value>`` (NaN where the paper has none), ``within_tolerance`` (``yes``, or ``no:`` and which, or
        empty where the scope differs) and ``scope`` (``as published``, or what differs).
    """
    entry = published(item)
    columns: dict[str, Any] = {f"published_{key}": nan for key in entry["tolerance"]}
    rows = [one for one in entry["rows"] if one["row"] == row]
    if not rows:
        return columns | {"within_tolerance": "", "scope": "no published value for this row"}
    columns |= {f"published_{key}": value for key, value in rows[0]["values"].items()}
    differs = []
    for wanted in [*entry["scope"], *rows[0].get("scope", [])]:
        results = inputs.related(wanted["stage"], names)
        differs.append(difference(wanted, results[0] if results else None))
    n = ours.get("n", nan)
    differs.append(f"{n:g} images (published: {entry['samples']})" if n < entry["samples"] else "")
    told = "; ".join(d for d in differs if d)
    if told:
        return columns | {"within_tolerance": "", "scope": f"differs: {told}"}
    return columns | {
        "within_tolerance": verdict(entry["tolerance"], rows[0]["values"], ours),
        "scope": AS_PUBLISHED,
    }


def finding(intervals: Iterable[Interval], region: Interval) -> Finding:
    """Hold intervals against the region that a published trend says they lie in.

    Parameters
    ----------
    intervals
        One, or several if the trend speaks of several things at once. A bound of NaN knows nothing.
    region
        From where to where the trend says; ends may be infinite.

    Returns
    -------
    str
        ``holds`` if every interval lies inside, ``does not hold`` if one lies outside, else ``cannot be told here``;
        the last also if there is none.

    Examples
    --------
    >>> finding([(0.01, 0.03)], (0, inf)), finding([(-0.01, 0.03)], (0, inf))
    ('holds', 'cannot be told here')
    """
    every = list(intervals)
    if any(high < region[0] or low > region[1] for low, high in every):
        return "does not hold"
    if not every or any(isnan(low) or isnan(high) for low, high in every):
        return "cannot be told here"
    inside = all(region[0] <= low and high <= region[1] for low, high in every)
    return "holds" if inside else "cannot be told here"


def trend(claim: str, intervals: Iterable[Interval], evidence: str, *, region: Interval = (0, inf)) -> str:
    """Return a sentence on a published trend.

    Parameters
    ----------
    claim
        What the paper says, without a full stop.
    intervals, region
        See :func:`finding`.
    evidence
        The numbers that decide it, without a full stop.

    Examples
    --------
    >>> trend("M rises", [(0.01, 0.03)], "by 0.02")
    'The published trend (M rises) holds: by 0.02.'
    """
    found = finding(intervals, region)
    return f"The published trend ({claim}) {found}: {evidence}."


def _changes_nothing(kind: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a regime with these parameters leaves every image as it is."""
    ends = (parameters.get("low"), parameters.get("high"))
    return (kind, *ends) in (("scale", 1, 1), ("rotate", 0, 0)) or (kind, parameters.get("fraction")) == (
        "translate",
        0,
    )


def _described(found: Regime) -> str:
    p = found.parameters
    if found.letter in ("", "N"):
        return TRAINED.get(found.letter, f"regime {found.kind or 'unknown'}")
    amounts = {
        "A": lambda: f"PGD, ε = {p['epsilon']:.4g} in pixels of [0, 1], {p['steps']} steps",
        "S": lambda: f"{p['low']:g} to {p['high']:g}",
        "T": lambda: f"up to {p['fraction']:g} of the side",
        "R": lambda: f"{p['low']:g} to {p['high']:g} degrees",
    }
    return f"{TRAINED[found.letter]} ({amounts[found.letter]()})"
