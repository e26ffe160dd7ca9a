"""Table III of Basile et al.: how the correlation changes with the strength of PGD."""

from __future__ import annotations

from typing import Any

import pandas as pd

from freqmaps.errors import FreqmapsError
from freqmaps.items._api import Column, Table
from freqmaps.items._published import attack_of, beside, published
from freqmaps.items._tables import NAMES, NAN, names_of, naming_columns, scope_notes, settings
from freqmaps.results import Inputs
from freqmaps.statistics import wilson

TITLE = "Correlation and success of PGD at several budgets"
CAPTION = (
    "PGD within an ℓ∞ ball of radius ε. Success: share of the correctly classified images that the attack turned into "
    "another class, with its 95 % Wilson interval. IdCor: intrinsic-dimension correlation between essential and "
    "adversarial maps, ± its sampling error, and the p-value of its permutation test."
)
KIND = "table"
NEEDS = ("correlation", "attacks", "maps", "training", "datasets")
METRICS = ("idcor",)
DATA = ("published.yaml",)

_COLUMNS = (
    Column("epsilon_text", "ε"),
    Column("success_rate", "ours", "Success, %", ".2f", scale=100),
    Column("success_low", "from", "Success, %", ".2f", scale=100),
    Column("success_high", "to", "Success, %", ".2f", scale=100),
    Column("published_success_rate", "paper", "Success, %", ".2f", published=True, scale=100),
    Column("idcor", "ours", "IdCor", ".3f", error="idcor_error"),
    Column("published_idcor", "paper", "IdCor", ".2f", published=True),
    Column("p_value", "ours", "p", ".2g"),
    Column("published_p_value", "paper", "p", ".2g", published=True),
    Column("n_correct", "attacked", "Images", "d"),
    Column("n", "in IdCor", "Images", "d"),
    Column("n_dropped", "dropped", "Images", "d"),
)


def build(inputs: Inputs, *, attacks: list[str] | None = None) -> Table:
    """Build the table, one row per setting and PGD attack, ascending in ε within a setting.

    Parameters
    ----------
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows every attack of kind ``pgd`` in the ℓ∞ norm.

    Returns
    -------
    Table
        ``success_rate`` and its interval ``success_low``, ``success_high`` in [0, 1], shown in percent.

    Raises
    ------
    FreqmapsError
        A named attack has no budget, or there is no ℓ∞ PGD.
    """
    found = [(row, _epsilon(inputs, row, chosen=attacks is not None)) for row in settings(inputs, METRICS, attacks)]
    budgets = {(_place(row), epsilon) for row, epsilon in found if epsilon is not None}
    rows = [
        _row(inputs, row, epsilon, rank=sum(place == _place(row) and other < epsilon for place, other in budgets))
        for row, epsilon in found
        if epsilon is not None
    ]
    if not rows:
        raise FreqmapsError("no attack of kind 'pgd' in the linf norm has correlation results; add one to the config")
    order = {_place(row): i for i, row in reversed(list(enumerate(rows)))}
    rows.sort(key=lambda row: (order[_place(row)], row["epsilon"]))
    frame = pd.DataFrame(rows)
    columns, notes = naming_columns(frame)
    return Table(frame, notes + scope_notes(frame, published("B25-T3")["source"]), [*columns, *_COLUMNS])


def epsilon_text(epsilon: float) -> str:
    """Write a budget in pixel steps where it is a whole number of them.

    >>> epsilon_text(8 / 255), epsilon_text(0.05)
    ('8/255', '0.05')
    """
    steps = epsilon * 255
    return f"{round(steps)}/255" if abs(steps - round(steps)) < 1e-4 else f"{epsilon:.4g}"


def _epsilon(inputs: Inputs, row: dict[str, Any], *, chosen: bool) -> float | None:
    """Return the budget of a row's attack, or None if the row does not belong here."""
    kind, parameters = attack_of(inputs, names_of(row)) or ("unknown", {})
    epsilon = parameters.get("epsilon")
    if chosen:
        if epsilon is None:
            raise FreqmapsError(f"attack '{row['attack']}' ({kind}) has no epsilon; name attacks with a budget")
        return float(epsilon)
    return float(epsilon) if kind == "pgd" and parameters.get("norm") == "linf" and epsilon is not None else None


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Everything but the attack: rows of one place differ by their budgets only."""
    return tuple(row[key] for key in NAMES[:-1])


def _row(inputs: Inputs, row: dict[str, Any], epsilon: float, rank: int) -> dict[str, Any]:
    names = names_of(row)
    keys = {k: v for k, v in inputs.related("attacks", names)[0].names.items() if k != "range"}
    store = inputs.adversarial(variables=["label", "prediction", "success"], **keys)
    correct = store["prediction"].values == store["label"].values
    hits, n = int((store["success"].values & correct).sum()), int(correct.sum())
    low, high = wilson(hits, n)
    rate = hits / n if n else NAN
    values = {
        "success_rate": rate,
        "idcor": row.get("idcor_value", NAN),
        "p_value": row.get("idcor_p_value", NAN),
    }
    return (
        {key: row[key] for key in NAMES}
        | {"epsilon": epsilon, "epsilon_text": epsilon_text(epsilon), "success_rate": rate}
        | {"success_low": low, "success_high": high, "n_correct": n, "n_success": hits}
        | {"idcor": values["idcor"], "idcor_error": row.get("idcor_error", NAN), "p_value": values["p_value"]}
        | {"n": row.get("idcor_n", NAN), "n_dropped": row.get("idcor_n_dropped", NAN)}
        | beside("B25-T3", inputs, names, values | {"n_attacked": float(store.sizes["sample"])}, rank=rank)
    )
