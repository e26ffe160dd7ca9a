"""Tables I and II of Basile et al.: one row per setting and attack, the metrics beside the published ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from freqmaps.papers.b25._claims import correlated, nonlinear
from freqmaps.papers.b25._readings import OTHERS, reading_columns, readings, sentences
from freqmaps.publish.api import Column, Table
from freqmaps.publish.networks import fewer_columns, names_of_each, over_networks, resampled
from freqmaps.publish.networks import notes as network_notes
from freqmaps.publish.published import beside, published
from freqmaps.publish.tables import NAMES, NAN, attacked, naming_columns, scope_notes, settings
from freqmaps.results.reader import Inputs

METRICS = ("svcca", "cosine", "idcor", "linear_cka", "distance_correlation", *OTHERS, "svcca_released")
VALUES = ("svcca", "cosine_mean", "idcor", "linear_cka", "distance_correlation", *OTHERS, "svcca_released")
_COUNTS = ("n", "n_dropped")
_COLUMNS = (
    Column("svcca", "ours", "SVCCA", ".3f", error="svcca_spread"),
    *fewer_columns("svcca", "SVCCA"),
    Column("svcca_released", "as released", "SVCCA", ".3f", error="svcca_released_spread", paper=False),
    Column("published_svcca", "paper", "SVCCA", ".2f", published=True),
    Column("cosine_mean", "mean", "Cosine", ".3f", error="cosine_spread"),
    Column("cosine_std", "s.d.", "Cosine", ".3f"),
    Column("published_cosine_mean", "paper ± s.d.", "Cosine", ".2f", error="published_cosine_std", published=True),
    Column("idcor", "ours", "IdCor", ".3f", error="idcor_spread"),
    *fewer_columns("idcor", "IdCor"),
    Column("published_idcor", "paper", "IdCor", ".2f", published=True),
    Column("p_value", "ours", "p", ".2g"),
    Column("published_p_value", "paper", "p", ".2g", published=True),
    *reading_columns(),
    Column("n", "used", "Images", "d"),
    Column("n_dropped", "dropped", "Images", "d"),
    Column("linear_cka", "ours", "CKA", ".3f", error="linear_cka_spread"),
    *fewer_columns("linear_cka", "CKA"),
    Column("distance_correlation", "ours", "dCor", ".3f", error="distance_correlation_spread"),
    *fewer_columns("distance_correlation", "dCor"),
)

#: Where the paper says what its tables show.
_SECTIONS = {"B25-T1": "IV-E, table I", "B25-T2": "IV-E, table II"}

Differs = Callable[[Inputs, Mapping[str, str]], list[str]]


def table(item: str, inputs: Inputs, attacks: list[str] | None, differs: Differs | None = None) -> Table:
    """Build the table, one row per dataset, model, training, map setting and attack; several seeds share a row.

    Parameters
    ----------
    item
        Id of the item in ``published.yaml``.
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows all.
    differs
        Given the names of a row, what differs from the paper's setting that ``published.yaml`` cannot say.

    Returns
    -------
    Table
        ``n`` and ``n_dropped`` are those of IdCor (rows used, and rows dropped for tied or zero distances);
        ``<metric>_n`` and ``<metric>_n_dropped`` those of each metric. ``<metric>_low`` and ``_high``: 95 % over
        images; ``_half`` and ``_quarter`` with ``_sd``: on parts of the images; ``_networks_sd`` and ``_each``: over
        ``networks``, see :func:`freqmaps.publish.networks.over_networks`. Published columns are filled by the attack's
        kind, norm and budget; ``scope`` says what else differs from the paper's setting.
    """
    rows = over_networks(settings(inputs, METRICS, attacks), METRICS)
    frame = pd.DataFrame([_row(item, inputs, row, differs) for row in rows])
    columns, notes = naming_columns(frame)
    notes += network_notes(frame)
    notes += scope_notes(frame, published(item)["source"])
    named = [(str(row["attack"]), row) for row in frame.to_dict("records")]
    notes += [*sentences(named), *correlated(named, _SECTIONS[item]), *nonlinear(named, _SECTIONS[item])]
    absent = [metric for metric, column in zip(METRICS, VALUES, strict=True) if frame[column].isna().all()]
    if absent:
        notes.append(f"Not computed: {', '.join(absent)}.")
    return Table(frame, notes, [*columns, *(c for c in _COLUMNS if not frame[c.name].isna().all())])


def _row(item: str, inputs: Inputs, row: dict[str, Any], differs: Differs | None) -> dict[str, Any]:
    names = names_of_each(row)[0]
    values = {column: row.get(f"{metric}_value", NAN) for metric, column in zip(METRICS, VALUES, strict=True)}
    values |= {"cosine_std": row.get("cosine_std", NAN), "p_value": row.get("idcor_p_value", NAN)}
    values |= readings(row)
    counts: dict[str, Any] = {"n": _count(row, "n"), "n_dropped": _count(row, "n_dropped")}
    counts["n_attacked"] = attacked(inputs, names)
    counts |= {f"{metric}_{field}": row.get(f"{metric}_{field}", NAN) for metric in METRICS for field in _COUNTS}
    trust = {"networks": row["networks"]}
    for metric in METRICS:
        trust |= resampled(row, metric)
    further = differs(inputs, names) if differs else []
    place = {key: row[key] for key in NAMES}
    return place | values | trust | counts | beside(item, inputs, names, values | counts, differs=further)


def _count(row: dict[str, Any], field: str) -> Any:
    """Return IdCor's count, or that of the first metric there is."""
    return next((row[f"{m}_{field}"] for m in ("idcor", *METRICS) if f"{m}_{field}" in row), NAN)
