"""Table III of Basile et al.: how the correlation changes with the strength of PGD."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.papers.b25._claims import correlated
from freqmaps.papers.b25._readings import OTHERS, reading_columns, readings, sentences
from freqmaps.publish.api import Column, Table
from freqmaps.publish.networks import fewer_columns, names_of_each, over_networks, resampled
from freqmaps.publish.networks import notes as network_notes
from freqmaps.publish.published import attack_of, beside, published
from freqmaps.publish.tables import NAMES, NAN, naming_columns, scope_notes, settings
from freqmaps.results.reader import Inputs

TITLE = "Correlation and success of PGD at several budgets"
CAPTION = (
    "PGD within an ℓ∞ ball of radius ε. Success: share of the correctly classified images that the attack turned into "
    "another class, with its 95 % Wilson interval. IdCor: intrinsic-dimension correlation between essential and "
    "adversarial maps, ± its sampling error or, of several networks, their standard deviation, and the p-value of its "
    "permutation test; beside it those of cleaned maps and with the constant of the authors' code. At n/2 and n/4: on "
    "halves and quarters of the images."
)
KIND = "table"
NEEDS = ("correlation", "attacks", "maps", "training", "datasets")
METRICS = ("idcor", "idcor_cleaned", "idcor_released")
DATA = ("published.yaml",)

_COLUMNS = (
    Column("epsilon_text", "ε"),
    Column("success_rate", "ours", "Success, %", ".2f", scale=100),
    Column("success_low", "from", "Success, %", ".2f", scale=100),
    Column("success_high", "to", "Success, %", ".2f", scale=100),
    Column("published_success_rate", "paper", "Success, %", ".2f", published=True, scale=100),
    Column("idcor", "ours", "IdCor", ".3f", error="idcor_spread"),
    *fewer_columns("idcor", "IdCor"),
    Column("published_idcor", "paper", "IdCor", ".2f", published=True),
    Column("p_value", "ours", "p", ".2g"),
    Column("published_p_value", "paper", "p", ".2g", published=True),
    *reading_columns(),
    Column("n_correct", "attacked", "Images", "d"),
    Column("n", "in IdCor", "Images", "d"),
    Column("n_dropped", "dropped", "Images", "d"),
)


_OPTIONAL = [column.name for column in (*fewer_columns("idcor", "IdCor"), *reading_columns())]


def build(inputs: Inputs, *, attacks: list[str] | None = None) -> Table:
    """Build the table, one row per setting and PGD attack, ascending in ε within a setting; seeds share a row.

    Parameters
    ----------
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows every attack of kind ``pgd`` in the ℓ∞ norm.

    Returns
    -------
    Table
        ``success_rate`` and its interval ``success_low``, ``success_high`` in [0, 1], shown in percent; of several
        networks, means of each, and ``success_networks_sd``. The rest as in B25-T1.

    Raises
    ------
    FreqmapsError
        A named attack has no budget, or there is no ℓ∞ PGD.
    """
    networks = over_networks(settings(inputs, METRICS, attacks), METRICS)
    budgeted = [(row, _epsilon(inputs, row, chosen=attacks is not None)) for row in networks]
    budgets = {(_place(row), epsilon) for row, epsilon in budgeted if epsilon is not None}
    rows = [
        _row(inputs, row, epsilon, rank=sum(place == _place(row) and other < epsilon for place, other in budgets))
        for row, epsilon in budgeted
        if epsilon is not None
    ]
    if not rows:
        raise FreqmapsError("no attack of kind 'pgd' in the linf norm has correlation results; add one to the config")
    order = {_place(row): i for i, row in reversed(list(enumerate(rows)))}
    rows.sort(key=lambda row: (order[_place(row)], row["epsilon"]))
    frame = pd.DataFrame(rows)
    columns, notes = naming_columns(frame)
    notes += [*network_notes(frame), *scope_notes(frame, published("B25-T3")["source"])]
    named = [(str(row["attack"]), row) for row in frame.to_dict("records")]
    notes += [*sentences(named), *correlated(named, "IV-F, table III", ", for subtle attacks, too")]
    shown = [c for c in _COLUMNS if c.name not in _OPTIONAL or not frame[c.name].isna().all()]
    return Table(frame, notes, [*columns, *shown])


def epsilon_text(epsilon: float) -> str:
    """Write a budget in pixel steps where it is a whole number of them.

    >>> epsilon_text(8 / 255), epsilon_text(0.05)
    ('8/255', '0.05')
    """
    steps = epsilon * 255
    return f"{round(steps)}/255" if abs(steps - round(steps)) < 1e-4 else f"{epsilon:.4g}"


def _epsilon(inputs: Inputs, row: dict[str, Any], *, chosen: bool) -> float | None:
    """Return the budget of a row's attack, or None if the row does not belong here."""
    kind, parameters = attack_of(inputs, names_of_each(row)[0]) or ("unknown", {})
    epsilon = parameters.get("epsilon")
    if chosen:
        if epsilon is None:
            raise FreqmapsError(f"attack '{row['attack']}' ({kind}) has no epsilon; name attacks with a budget")
        return float(epsilon)
    return float(epsilon) if kind == "pgd" and parameters.get("norm") == "linf" and epsilon is not None else None


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Everything but seeds and attack: rows of one place differ by their budgets only."""
    return tuple(row[key] for key in NAMES[:-1] if key != "seed")


def _row(inputs: Inputs, row: dict[str, Any], epsilon: float, rank: int) -> dict[str, Any]:
    each = names_of_each(row)
    success = _success(inputs, each)
    values = {
        "success_rate": success["success_rate"],
        "idcor": row.get("idcor_value", NAN),
        "p_value": row.get("idcor_p_value", NAN),
    }
    theirs = beside("B25-T3", inputs, each[0], values | {"n_attacked": success.pop("n_attacked")}, rank=rank)
    return (
        {key: row[key] for key in NAMES}
        | {"epsilon": epsilon, "epsilon_text": epsilon_text(epsilon), "networks": row["networks"]}
        | success
        | values
        | resampled(row, "idcor")
        | readings(row)
        | {f"{m}_{field}": row.get(f"{m}_{field}", NAN) for m in OTHERS for field in ("spread", "error", "networks_sd")}
        | {"n": row.get("idcor_n", NAN), "n_dropped": row.get("idcor_n_dropped", NAN)}
        | theirs
    )


def _success(inputs: Inputs, networks: list[dict[str, str]]) -> dict[str, float]:
    """Return an attack's success, means over the networks of rate and bounds; the smallest of their counts."""
    counts = [_counts(inputs, names) for names in networks]
    rates = [hits / n if n else NAN for hits, n, _ in counts]
    bounds = [wilson(hits, n) for hits, n, _ in counts]
    return {
        "success_rate": fmean(rates),
        "success_low": fmean(low for low, _ in bounds),
        "success_high": fmean(high for _, high in bounds),
        "success_networks_sd": stdev(rates) if len(rates) > 1 else NAN,
        "n_correct": min(n for _, n, _ in counts),
        "n_success": min(hits for hits, _, _ in counts),
        "n_attacked": float(min(n for _, _, n in counts)),
    }


def _counts(inputs: Inputs, names: dict[str, str]) -> tuple[int, int, int]:
    """Return the successes on correctly classified images, how many of these there are, and how many images."""
    keys = {k: v for k, v in inputs.related("attacks", names)[0].names.items() if k != "range"}
    store = inputs.adversarial(variables=["label", "prediction", "success"], **keys)
    correct = store["prediction"].values == store["label"].values
    return int((store["success"].values & correct).sum()), int(correct.sum()), int(store.sizes["sample"])
