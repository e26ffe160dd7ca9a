"""What the items of Karantzas et al. share: the five regimes, and what to call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freqmaps.core.errors import FreqmapsError
from freqmaps.results.reader import Inputs

#: The paper's letter for each kind of regime, in the paper's order.
LETTERS = {"standard": "N", "adversarial": "A", "scale": "S", "translate": "T", "rotate": "R"}
#: What a letter stands for.
TRAINED = {"N": "natural", "A": "adversarial", "S": "random scales", "T": "random shifts", "R": "random rotations"}
_ORDER = "".join(LETTERS.values())


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
    results = inputs.related("training", names)
    if not results:
        raise FreqmapsError(f"no training result of '{names['training']}' among the inputs; add stage 'training'")
    kind, parameters = results[0].component("regime") or ("", {})
    letter = "N" if _changes_nothing(kind, parameters) else LETTERS.get(kind, "")
    return Regime(letter, kind, parameters, names["training"])


def regimes(inputs: Inputs, stage: str) -> dict[str, Regime]:
    """Return the regimes of all trainings that a stage has results of, in the paper's order, by the training's name."""
    by_training = {r.names["training"]: regime(inputs, r.names) for r in inputs.select(stage)}
    return dict(sorted(by_training.items(), key=lambda entry: entry[1].rank))


def labels(by_training: Mapping[str, Regime]) -> dict[str, str]:
    """Return what to call each training: its letter, with the config's name where several have the same or none.

    >>> one = Regime("A", "adversarial", {}, "pgd")
    >>> labels({"pgd": one}), labels({"pgd": one, "weak": Regime("A", "adversarial", {}, "weak")})
    ({'pgd': 'A'}, {'pgd': 'A (pgd)', 'weak': 'A (weak)'})
    """
    letters = [r.letter for r in by_training.values()]
    return {
        name: (r.letter if letters.count(r.letter) == 1 else f"{r.letter} ({name})") if r.letter else name
        for name, r in by_training.items()
    }


def described(by_training: Mapping[str, Regime]) -> str:
    """Return a sentence that says what the labels stand for."""
    named = labels(by_training)
    parts = [f"{named[name]} {_described(r)}" for name, r in by_training.items()]
    return f"Training: {'; '.join(parts)}."


def _changes_nothing(kind: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a regime with these parameters leaves every image as it is."""
    ends = (parameters.get("low"), parameters.get("high"))
    return (kind, *ends) in (("scale", 1, 1), ("rotate", 0, 0)) or (kind, parameters.get("fraction")) == (
        "translate",
        0,
    )


def _described(trained: Regime) -> str:
    p = trained.parameters
    if trained.letter in ("", "N"):
        return TRAINED.get(trained.letter, f"regime {trained.kind or 'unknown'}")
    amounts = {
        "A": lambda: f"PGD, ε = {p['epsilon']:.4g} in pixels of [0, 1], {p['steps']} steps",
        "S": lambda: f"{p['low']:g} to {p['high']:g}",
        "T": lambda: f"up to {p['fraction']:g} of the side",
        "R": lambda: f"{p['low']:g} to {p['high']:g} degrees",
    }
    return f"{TRAINED[trained.letter]} ({amounts[trained.letter]()})"
