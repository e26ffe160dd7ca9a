"""The papers' values, put beside ours only where the same thing was measured, with what differs said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isnan
from typing import Any

from freqmaps.core import yamls
from freqmaps.core.components import PACKAGE
from freqmaps.results.reader import Inputs, Result

AS_PUBLISHED = "as published"


@cache
def published(item: str) -> dict[str, Any]:
    """Return an item's entry in ``published.yaml``: source, scope, tolerance, rows."""
    paper = item.split("-")[0].lower()
    return yamls.read(PACKAGE / "papers" / paper / "published.yaml")[item]  # type: ignore[no-any-return]


def attack_of(inputs: Inputs, names: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Return kind and parameters of the attack that these names stand for, from its result's spec."""
    attacks = inputs.related("attacks", names)
    return attacks[0].component("attack") if attacks else None


def beside(
    item: str,
    inputs: Inputs,
    names: Mapping[str, str],
    ours: Mapping[str, float],
    *,
    row: str | None = None,
    rank: int | None = None,
    differs: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the published columns of one row.

    Parameters
    ----------
    item
        Id of the item in ``published.yaml``.
    inputs, names
        The study's results, and the names of the result that the row is about: all results that contradict none of
        them are held against the paper's scope.
    ours
        Our values by the names used in ``published.yaml``, and where they are known ``n`` (images of a row that has a
        name) or ``n_attacked`` (images of a row that is known by its attack).
    row
        Which of the paper's rows, by its name in ``published.yaml``: ``N``, say. None finds it by the attack's kind,
        norm and budget.
    rank
        Where the paper has the same attack at several budgets and none is ours: which of them, counted from the
        smallest, stands beside this row. The scope then names both budgets.
    differs
        What else differs from the paper's setting, as the item found it.

    Returns
    -------
    dict
        ``published_<value>`` for each value (NaN where the paper has none), ``within_tolerance`` (``yes``, or ``no:``
        and which, or empty where the scope differs) and ``scope`` (``as published``, or what differs).
    """
    entry = published(item)
    columns: dict[str, Any] = {f"published_{key}": float("nan") for key in entry["tolerance"]}
    if row is None:
        theirs, what = _row(entry, inputs, names, rank), "attack"
    else:
        theirs, what = next((candidate for candidate in entry["rows"] if candidate["row"] == row), None), "row"
    if theirs is None:
        return columns | {"within_tolerance": "", "scope": f"no published value for this {what}"}
    columns |= {f"published_{key}": value for key, value in theirs["values"].items()}
    every = [
        *_scope(entry, theirs, inputs, names),
        *_attack(theirs, inputs, names),
        *_counts(entry, ours, row),
        *differs,
    ]
    if every:
        return columns | {"within_tolerance": "", "scope": "differs: " + "; ".join(every)}
    return columns | {"within_tolerance": verdict(entry["tolerance"], theirs["values"], ours), "scope": AS_PUBLISHED}


def same(ours: Any, theirs: Any) -> bool:
    """Whether two parameters are equal; floats to 1e-6, so that 8/255 typed as .0313725 is still 8/255."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (ours, theirs))
    return abs(ours - theirs) <= 1e-6 if numbers else bool(ours == theirs)


def _row(entry: Mapping[str, Any], inputs: Inputs, names: Mapping[str, str], rank: int | None) -> dict[str, Any] | None:
    """Return the published row of the same attack and budget, or of the same attack at the budget of the same rank."""
    models = inputs.related("training", names)
    model = models[0].component("model") if models else None
    attack = attack_of(inputs, names)
    rows = [row for row in entry["rows"] if "model" not in row or _fits(row["model"], model)]
    exact = [row for row in rows if _fits(row["match"], attack)]
    if exact:
        return exact[0]  # type: ignore[no-any-return]
    # A row that another attack of this study fits exactly stands beside that one only.
    others = [result.component("attack") for result in inputs.select("attacks")]
    alike = [
        row
        for row in rows
        if _fits(row["match"], attack, but="epsilon") and not any(_fits(row["match"], other) for other in others)
    ]
    if len(alike) == 1:
        return alike[0]  # type: ignore[no-any-return]
    return alike[rank] if rank is not None and rank < len(alike) else None


def _fits(wanted: Mapping[str, Any], component: tuple[str, dict[str, Any]] | None, but: str = "") -> bool:
    if component is None or component[0] != wanted["kind"]:
        return False
    return all(same(component[1].get(key), value) for key, value in wanted["parameters"].items() if key != but)


def _scope(entry: Mapping[str, Any], row: Mapping[str, Any], inputs: Inputs, names: Mapping[str, str]) -> list[str]:
    """Return what differs from the components that the paper used."""
    differences = []
    for wanted in [*entry["scope"], *row.get("scope", [])]:
        results = inputs.related(wanted["stage"], names)
        differences.append(difference(wanted, results[0] if results else None))
    return [text for text in differences if text]


def _attack(row: Mapping[str, Any], inputs: Inputs, names: Mapping[str, str]) -> list[str]:
    """Return what differs from the attack of a row that is known by it."""
    if "match" not in row:
        return []
    _, parameters = attack_of(inputs, names) or ("", {})
    return [
        f"attack {key} {_short(parameters.get(key, 'unknown'))} (published: {_short(value)})"
        for key, value in (row["match"]["parameters"] | row.get("also", {})).items()
        if not same(parameters.get(key), value)
    ]


def _counts(entry: Mapping[str, Any], ours: Mapping[str, float], row: str | None) -> list[str]:
    """Say if fewer images were taken than in the paper."""
    n, what = (ours.get("n_attacked"), "images attacked") if row is None else (ours.get("n"), "images")
    return [f"{n:g} {what} (published: {entry['samples']})"] if n is not None and n < entry["samples"] else []


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def difference(wanted: Mapping[str, Any], result: Result | None) -> str:
    """Return how a result's component differs from one of the scope's, or an empty text.

    A role without a kind is a plain mapping of parameters: ``settings``.
    """
    role, label = wanted["role"], wanted["label"]
    component = result.component(role) if result else None
    if "kind" not in wanted and result:
        component = "", result.manifest.get("spec", {}).get("parameters", {}).get(role, {})
    if component is None:
        return f"{role} unknown (published: {label})"
    kind, parameters = component
    if kind != wanted.get("kind", ""):
        return f"{role} {kind} (published: {label})"
    wrong = [f"{k} {parameters.get(k)}" for k, v in wanted["parameters"].items() if not same(parameters.get(k), v)]
    named = f"{role} {kind}".rstrip()
    return f"{named} with {', '.join(wrong)} (published: {label})" if wrong else ""


def verdict(tolerance: Mapping[str, float], theirs: Mapping[str, float], ours: Mapping[str, float]) -> str:
    """Return ``yes`` if our values lie within the tolerance of the published ones, else ``no:`` and which do not."""
    outside = [
        key
        for key, value in theirs.items()
        if isnan(ours.get(key, float("nan"))) or abs(ours[key] - value) > tolerance[key]
    ]
    return f"no: {', '.join(outside)}" if outside else "yes"
