"""The networks of C22 as its items read them: how each was trained, its Jacobians' spectra, what trainings recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.results.reader import Inputs, Result

KIND = "jacobian_spectra"
PLACE = ("dataset", "model", "training", "seed")
#: The paper's networks, in the order of its tables.
STANDARD, FGSM_AT, PGD_AT = "Standard", "FGSM AT", "PGD AT"
ORDER = (STANDARD, "JaFR", FGSM_AT, f"{FGSM_AT} + JaFR(-)", f"{FGSM_AT} + JaFR", f"{FGSM_AT} + GradAlign", PGD_AT)
Values = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """The Jacobians of one finished network.

    Attributes
    ----------
<<<<<<<< HEAD:freqmaps/papers/c22/_networks.py
    evaluation, training
        Its results; a checkpoint that was given has a training result, too.
    """

    evaluation: Result
    training: Result | None
========
    row
        The paper's name of the training, among those of ``_training.CALLED``; empty if it is none of them.
    called
        What to call the training: the paper's name, with the config's where several have the same, or the config's.
    results
        The evaluations, one per seed.
    rows
        ``evaluation.csv`` of each.
    """

    row: str
    called: str
    results: Sequence[Result]
    rows: Sequence[pd.DataFrame]
>>>>>>>> robust:freqmaps/papers/c22/_evaluated.py

    @property
    def names(self) -> dict[str, str]:
        """The names of the network."""
        return {name: self.evaluation.names[name] for name in PLACE}

    @property
    def group(self) -> tuple[str, ...]:
        """What networks that differ by their seed alone share."""
        return tuple(self.evaluation.names[name] for name in PLACE if name != "seed")

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the evaluation."""
        return (self.evaluation.component("evaluation") or ("", {}))[1]

<<<<<<<< HEAD:freqmaps/papers/c22/_networks.py
    @property
    def regularisers(self) -> list[tuple[str, dict[str, Any]]]:
        """Kinds and parameters, as the training's spec has them."""
        spec = {} if self.training is None else self.training.manifest.get("spec", {}).get("parameters", {})
        return [(one["kind"], dict(one["parameters"])) for one in spec.get("regularisers", [])]

    @property
    def paper(self) -> str:
        """Which of the paper's networks it is, by regime and regularisers; empty if none."""
        regime = (self.training.component("regime") if self.training else None) or ("", {})
        name = named(regime, self.regularisers)
        return name if name in ORDER else ""
========
    def counts(self, attack: str) -> list[tuple[int, int]]:
        """Return how many images are right under an attack, and of how many, network by network."""
        found = [rows[(rows["attack"] == attack) & (rows["measure"] == "accuracy")] for rows in self.rows]
        return [(round(r["value"] * r["n"]), int(r["n"])) for f in found for r in f.to_dict("records") if r["n"]]
>>>>>>>> robust:freqmaps/papers/c22/_evaluated.py

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows of the evaluation."""
        return Inputs([self.evaluation]).evaluations(KIND)

    @cached_property
    def arrays(self) -> xr.Dataset:
        """Mean spectra and examples."""
        return Inputs([self.evaluation]).arrays()

    def row(self, averaged: str, of: str = "jacobians") -> dict[str, Any]:
        """Return the row of log B_low in one of its readings, ``gradients``, ``magnitudes`` or ``none``."""
        rows = self.rows
        chosen = rows[(rows["of"] == of) & (rows["averaged"] == averaged) & (rows["measure"] == "log_low_bias")]
        return {str(key): value for key, value in chosen.iloc[0].items()}

    @cached_property
    def history(self) -> pd.DataFrame:
        """The training's records, one per epoch; empty of a checkpoint that was given."""
        path = self.training.folder / "history.csv" if self.training else None
        return pd.read_csv(path) if path and path.is_file() and path.stat().st_size > 1 else pd.DataFrame()


def named(regime: tuple[str, Mapping[str, Any]], regularisers: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return what the paper would call a training.

    >>> named(("fgsm", {}), [("jafr", {"weight": -0.001})])
    'FGSM AT + JaFR(-)'
    >>> named(("standard", {}), []), named(("standard", {}), [("jafr", {"weight": 0.001})])
    ('Standard', 'JaFR')
    """
    kind, parameters = regime
    attacks = {"fgsm": FGSM_AT, "adversarial": FGSM_AT if parameters.get("steps") == 1 else PGD_AT, "standard": ""}
    base = attacks.get(kind, kind)
    terms = [_term(name, given) for name, given in regularisers]
    return " + ".join([base, *terms] if base else terms) or STANDARD


def _term(kind: str, parameters: Mapping[str, Any]) -> str:
    if kind == "jafr":
        return "JaFR" if parameters["weight"] > 0 else "JaFR(-)"
    return {"grad_align": "GradAlign"}.get(kind, kind)


def cases(inputs: Inputs) -> list[Case]:
    """Return the finished networks whose Jacobians were measured: the paper's in its order, then others by name.

    Raises
    ------
    FreqmapsError
        There is none.
    """
<<<<<<<< HEAD:freqmaps/papers/c22/_networks.py
    found = []
    for result in inputs.select("evaluation"):
        if (result.component("evaluation") or ("",))[0] == KIND:
            trained = inputs.related("training", {name: result.names[name] for name in PLACE})
            case = Case(result, trained[0] if trained else None)
            if case.rows["step"].isna().all():
                found.append(case)
    if not found:
        raise FreqmapsError(f"there is no evaluation of kind {KIND} of a finished network; add one to a run")
    rank = {name: number for number, name in enumerate(ORDER)}
    return sorted(found, key=lambda case: (case.group[:2], rank.get(case.paper, len(ORDER)), case.group, _seed(case)))


def grouped(every: Sequence[Case]) -> list[list[Case]]:
    """Return the cases by training: networks of several seeds are together."""
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in every:
        groups.setdefault(case.group, []).append(case)
    return list(groups.values())


def label(every: Sequence[Case], one: Case) -> str:
    """Return what to call a training among others: the paper's name; the config's where several have it, or none."""
    own = one.names["training"]
    alike = {case.names["training"] for case in every if case.paper == one.paper}
    text = own if not one.paper else one.paper if len(alike) == 1 else f"{one.paper} ({own})"
    more = [one.names[k] for k in ("dataset", "model") if len({case.names[k] for case in every}) > 1]
    return ", ".join([text, *more])


def _seed(case: Case) -> tuple[int, str]:
    seed = case.names["seed"]
    return (int(seed) if seed.isdigit() else -1, seed)
========
    groups: dict[tuple[str, ...], list[Result]] = {}
    every = [r for r in inputs.select("evaluation") if (r.component("evaluation") or ("",))[0] == kind]
    chosen = [r for r in every if _kind_of_data(inputs, r) == dataset] or every
    for result in chosen:
        groups.setdefault(tuple(result.names[name] for name in NAMES), []).append(result)
    if not groups:
        raise FreqmapsError(f"there is no evaluation of kind {kind}; add one to a run")
    rows = {names: training_row(inputs, results[0].names) for names, results in groups.items()}
    found = [
        Trained(
            rows[names],
            _called(rows[names], names[2], [row for other, row in rows.items() if _apart(other) == _apart(names)]),
            results,
            [Inputs([r]).evaluations(kind) for r in results],
        )
        for names, results in groups.items()
    ]
    order = [*CALLED, ""]
    return sorted(found, key=lambda one: (one.names["dataset"], one.names["model"], order.index(one.row)))


def _apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without the training's."""
    return tuple(name for key, name in zip(NAMES, names, strict=True) if key != "training")


def _called(row: str, training: str, beside: Sequence[str]) -> str:
    """Return what to call a training of a row, given the rows of all trainings of the same model and data."""
    if not row:
        return training
    return CALLED[row] if beside.count(row) == 1 else f"{CALLED[row]} ({training})"


def _kind_of_data(inputs: Inputs, result: Result) -> str:
    data = inputs.related("datasets", result.names)
    return (data[0].component("dataset") or ("",))[0] if data else ""
>>>>>>>> robust:freqmaps/papers/c22/_evaluated.py
