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
    evaluation, training
        Its results; a checkpoint that was given has a training result, too.
    """

    evaluation: Result
    training: Result | None

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

    @property
    def regularisers(self) -> list[tuple[str, dict[str, Any]]]:
        """Kinds and parameters, as the training's spec has them."""
        spec = {} if self.training is None else self.training.manifest.get("spec", {}).get("parameters", {})
        return [(term["kind"], dict(term["parameters"])) for term in spec.get("regularisers", [])]

    @property
    def paper(self) -> str:
        """Which of the paper's networks it is, by regime and regularisers; empty if none."""
        regime = (self.training.component("regime") if self.training else None) or ("", {})
        name = named(regime, self.regularisers)
        return name if name in ORDER else ""

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows of the evaluation."""
        return Inputs([self.evaluation]).evaluations(KIND)

    @cached_property
    def arrays(self) -> xr.Dataset:
        """Mean spectra and examples."""
        return Inputs([self.evaluation]).arrays()

    def row(self, averaged: str, spectra_of: str = "jacobians") -> dict[str, Any]:
        """Return the row of log B_low in one of its readings, ``gradients``, ``magnitudes`` or ``none``."""
        rows = self.rows
        chosen = rows[rows["measure"] == "log_low_bias"]
        chosen = chosen[(chosen["spectra_of"] == spectra_of) & (chosen["averaged"] == averaged)]
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
    terms = [_term(name, options) for name, options in regularisers]
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
    networks = []
    for result in inputs.select("evaluation"):
        if (result.component("evaluation") or ("",))[0] == KIND:
            trained = inputs.related("training", {name: result.names[name] for name in PLACE})
            case = Case(result, trained[0] if trained else None)
            if case.rows["step"].isna().all():
                networks.append(case)
    if not networks:
        raise FreqmapsError(f"there is no evaluation of kind {KIND} of a finished network; add one to a run")
    rank = {name: number for number, name in enumerate(ORDER)}
    return sorted(
        networks, key=lambda case: (case.group[:2], rank.get(case.paper, len(ORDER)), case.group, _seed(case))
    )


def grouped(every: Sequence[Case]) -> list[list[Case]]:
    """Return the cases by training: networks of several seeds are together."""
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in every:
        groups.setdefault(case.group, []).append(case)
    return list(groups.values())


def label(every: Sequence[Case], network: Case) -> str:
    """Return what to call a training among others: the paper's name; the config's where several have it, or none."""
    own = network.names["training"]
    alike = {case.names["training"] for case in every if case.paper == network.paper}
    text = own if not network.paper else network.paper if len(alike) == 1 else f"{network.paper} ({own})"
    more = [network.names[k] for k in ("dataset", "model") if len({case.names[k] for case in every}) > 1]
    return ", ".join([text, *more])


def _seed(case: Case) -> tuple[int, str]:
    seed = case.names["seed"]
    return (int(seed) if seed.isdigit() else -1, seed)
