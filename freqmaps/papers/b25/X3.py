"""Metric by basis: how essential and adversarial maps correlate when they multiply something else than amplitudes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL
from freqmaps.papers.b25._readings import OTHERS, READINGS, reading_columns, readings, sentences
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import number
from freqmaps.publish.pairings import difference, per_image
from freqmaps.publish.tables import NAMES, NAN, naming_columns, settings
from freqmaps.results.reader import Inputs, Result

TITLE = "Correlation between essential and adversarial maps, by the basis that maps multiply (not in the paper)"
CAPTION = (
    "Each row compares, image by image, essential and adversarial maps as B25-T1 does, for maps of one basis: "
    "amplitudes of the Fourier transform (the paper's), complex factors of it, its phases, cosines, wavelets, or "
    "amplitudes of what a layer of the network sees. IdCor: of maps as made, of cleaned ones and with the constant of "
    "the authors' code. Kept: share of the maps whose filtered image is classified as the "
    "map's target. Size: mean of |M| over all entries, 1 before the optimisation. Steps: median. ± is the sampling "
    "error. Entries of two bases are different things: maps with many equal entries are alike in any basis."
)
KIND = "table"
NEEDS = ("correlation", "maps")
METRICS = ("cosine", "svcca", "idcor", "idcor_cleaned", "idcor_released")

_FLAGS = ("keeps_prediction", "converged", "steps")
_COLUMNS = (
    Column("cosine_mean", "mean", "Cosine", ".3f", error="cosine_error"),
    Column("cosine_std", "s.d.", "Cosine", ".3f"),
    Column("svcca", "SVCCA", "", ".3f", error="svcca_error"),
    Column("idcor", READINGS["idcor"], "IdCor", ".3f", error="idcor_error"),
    Column("p_value", "p", "IdCor", ".2g"),
    *reading_columns("error"),
    Column("n", "Pairs", "", "d"),
    Column("entries", "Entries", "", "d"),
    *(
        Column(f"{side}_{name}", label, f"{side.capitalize()} maps", form, scale=scale)
        for side in (ESSENTIAL, ADVERSARIAL)
        for name, label, form, scale in (
            ("kept", "kept, %", ".0f", 100),
            ("size", "size, %", ".2f", 100),
            ("steps", "steps", ".0f", 1),
        )
    ),
)
#: What the report calls the bases.
LABELS = {
    "fourier": "Fourier amplitudes",
    "fourier_normalised": "Fourier amplitudes, normalised image",
    "fourier_complex": "Fourier, complex",
    "phase": "Fourier phases",
    "dct": "cosines",
    "wavelet": "wavelets",
    "features": "features",
}


def build(inputs: Inputs, *, attacks: list[str] | None = None) -> Table:
    """Build the table, one row per setting, attack and basis.

    Parameters
    ----------
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows all.

    Returns
    -------
    Table
        ``basis`` and ``basis_parameters``; ``entries`` of one map; for ``essential`` and ``adversarial`` maps ``_kept``
        and ``_converged`` (shares), ``_size`` (mean of |M|), ``_steps`` (median), ``_n``; ``cosine_change`` with
        ``_low`` and ``_high``: what the cosine has more than with Fourier amplitudes, over the images of both.

    Raises
    ------
    FreqmapsError
        A row's maps are not among the inputs.
    """
    records = settings(inputs, METRICS, attacks)
    rows = [_row(inputs, record) for record in records]
    for record, row in zip(records, rows, strict=True):
        row |= _change(inputs, record, [r for r in records if _place(r) == _place(record)])
    frame = pd.DataFrame(rows)
    columns, notes = naming_columns(frame)
    columns = [c for c in columns if c.name != "maps"]
    return Table(
        frame,
        [*notes, *_sentences(frame), *sentences(_called(frame))],
        [*columns, Column("label", "Basis"), *(c for c in _COLUMNS if not frame[c.name].isna().all())],
        finding=_finding(frame),
    )


def _row(inputs: Inputs, record: Mapping[str, Any]) -> dict[str, Any]:
    sides = {images: _maps(inputs, record, images) for images in (ESSENTIAL, ADVERSARIAL)}
    kind, parameters = sides[ESSENTIAL][0].component("basis") or ("fourier", {})
    described = ", ".join(str(value) for value in parameters.values())
    row = {key: record[key] for key in NAMES}
    row |= {"basis": kind, "basis_parameters": described}
    row["label"] = LABELS.get(kind, kind) + (f" ({described})" if described else "")
    for metric, column in (("cosine", "cosine_mean"), ("svcca", "svcca"), ("idcor", "idcor")):
        row |= {column: record.get(f"{metric}_value", NAN), f"{metric}_error": record.get(f"{metric}_error", NAN)}
    row |= {"cosine_std": record.get("cosine_std", NAN), "p_value": record.get("idcor_p_value", NAN)}
    row |= readings(record) | {f"{metric}_error": record.get(f"{metric}_error", NAN) for metric in OTHERS}
    row["n"] = next(record[f"{m}_n"] for m in METRICS if f"{m}_n" in record)
    row["entries"] = _entries(inputs, sides[ESSENTIAL])
    for side, results in sides.items():
        row |= {f"{side}_{name}": value for name, value in _about(results).items()}
    return row


def _maps(inputs: Inputs, record: Mapping[str, Any], images: str) -> list[Result]:
    names = {key: str(record[key]) for key in NAMES if (key != "attack" or images != ESSENTIAL) and record[key]}
    results = inputs.select("maps", **names, images=images)
    if not results:
        raise FreqmapsError(f"no maps of {images} with setting '{record['maps']}'; run the target that makes them")
    return results


def _entries(inputs: Inputs, results: list[Result]) -> int:
    """Return how many numbers one map has."""
    for result in results:
        own = Inputs([result])
        some = own.maps(variables=["steps"])["sample"].values.tolist()[:1]
        if some:
            return int(own.maps(samples=some, variables=["map"], basis=None)["map"].size)
    return 0


def _about(results: list[Result]) -> dict[str, Any]:
    """Return how maps ended, all ranges together; their mean size from the manifests, so that no map is read."""
    stores = [Inputs([result]).maps(variables=_FLAGS) for result in results]
    counts = [store.sizes["sample"] for store in stores]
    kept, converged, steps = (np.concatenate([store[name].values for store in stores]) for name in _FLAGS)
    sizes = [result.manifest.get("headline", {}).get("mean_of_map") for result in results]
    known = [(size, n) for size, n in zip(sizes, counts, strict=True) if size is not None and n]
    n = sum(counts)
    return {
        "n": n,
        "kept": float(kept.mean()) if n else NAN,
        "converged": float(converged.mean()) if n else NAN,
        "steps": float(np.median(steps)) if n else NAN,
        "size": sum(size * m for size, m in known) / sum(m for _, m in known) if known else NAN,
    }


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Everything but the map setting: rows of one place differ by their basis."""
    return tuple(record[key] for key in NAMES if key != "maps")


def _change(inputs: Inputs, record: Mapping[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the cosines with those of the first setting of Fourier amplitudes, image by image."""
    names = ("cosine_change", "cosine_change_low", "cosine_change_high", "cosine_change_n")
    fourier = next((o for o in others if _basis(inputs, o) == "fourier"), None)
    if fourier is None or fourier["maps"] == record["maps"]:
        return dict.fromkeys(names, NAN)
    paired = difference(*(per_image(inputs, {**r, "pairing": ""}, "cosine") for r in (record, fourier)))
    if paired is None:
        return dict.fromkeys(names, NAN)
    return dict(zip(names, (paired.value, paired.low, paired.high, paired.n), strict=True))


def _basis(inputs: Inputs, record: Mapping[str, Any]) -> str:
    return (_maps(inputs, record, ESSENTIAL)[0].component("basis") or ("fourier", {}))[0]


def _called(frame: pd.DataFrame) -> list[tuple[str, dict[Any, Any]]]:
    """Return the rows with what to call each: its basis, and what else tells it from the others."""
    varying = [key for key in NAMES if key != "maps" and frame[key].nunique() > 1]
    rows = frame.to_dict("records")
    return [(", ".join([str(row["label"]), *(f"{key} {row[key]}" for key in varying)]), row) for row in rows]


def _sentences(frame: pd.DataFrame) -> Iterator[str]:
    """Say which basis's cosines differ from those of Fourier amplitudes, by the interval of the paired differences."""
    varying = [key for key in NAMES if key != "maps" and frame[key].nunique() > 1]
    for names, group in frame.groupby(varying, sort=False) if varying else [((), frame)]:
        before = ", ".join(f"{k} {v}" for k, v in zip(varying, names, strict=True))
        compared = []
        for row in group[group["cosine_change"].notna()].to_dict("records"):
            change, *bounds = (number(row[f"cosine_change{end}"], "+.3f") for end in ("", "_low", "_high"))
            compared.append(f"{row['label']}, {_verdict(row)} ({change}, {' to '.join(bounds)})")
        if compared:
            counts = group["cosine_change_n"].dropna().astype(int)
            n = f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"
            start = f"{before}: c" if before else "C"
            yield (
                f"{start}osines against those of Fourier amplitudes on the same {n} images (mean difference and its "
                f"95 % interval): {'; '.join(compared)}."
            )


def _verdict(row: Mapping[Any, Any]) -> str:
    """Say on which side of 0 the interval of a paired difference lies."""
    larger, smaller = row["cosine_change_low"] > 0, row["cosine_change_high"] < 0
    return "larger" if larger else "smaller" if smaller else "not clearly different"


def _finding(frame: pd.DataFrame) -> str:
    """Say in one sentence in which bases cosines differ from those of Fourier amplitudes."""
    by_verdict: dict[str, list[str]] = {}
    for row in frame[frame["cosine_change"].notna()].to_dict("records"):
        by_verdict.setdefault(_verdict(row), []).append(str(row["label"]))
    if not by_verdict:
        return "No other basis can be compared with Fourier amplitudes here."
    told = [f"{verdict} in {', '.join(dict.fromkeys(labels))}" for verdict, labels in by_verdict.items()]
    return f"Beside those of Fourier amplitudes on the same images, cosines are {'; '.join(told)}."
