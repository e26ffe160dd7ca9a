"""Theorems 1 to 4 of F21, checked on two-layer networks with random weights and random signals of power-law spectra.

The theorems follow how the share τ of the low frequencies in adversarial perturbations changes along training and along
PGD. Here networks are trained and attacked, each claim is looked up in each draw, and the assumptions are tested, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import nan, sqrt
from typing import Any

import numpy as np

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.estimates import Z95
from freqmaps.inference.proportions import wilson
from freqmaps.simulation import Simulated
from freqmaps.simulation import _pgd_path as pgd
from freqmaps.simulation import _training_path as training
from freqmaps.simulation import _two_layer as two
from freqmaps.simulation._assumptions import OF_THEOREM, alive, assumptions, needed_hold, stated_hold
from freqmaps.simulation._picture import arrays, picture
from freqmaps.simulation._theorems import Claim, theorem_1, theorem_2, theorem_3, theorem_4
from freqmaps.simulation._two_layer import Flags, Reals

TINY = {"draws": 6, "dimension": 11, "cutoff": 2, "scales": [1.0], "alphas": [1.0], "widths": [8], "rates": [0.2],
        "steps": 20, "iterations": 8}  # fmt: skip
RANGES = {
    "draws": "[2, 1e5]", "dimension": "[5, 1001]", "cutoff": "[1, 500)", "scales": "(0, 1e6)", "alphas": "[0, 100]",
    "mean": "[0, 1000)", "widths": "[1, 1e5)", "rates": "(0, 2)", "steps": "[4, 1e5]", "epsilon": "(0, 1)",
    "pace": "(0, 1]", "iterations": "[4, 1e5]",
}  # fmt: skip
COST = 12.0
ASKED = ("dimension", "cutoff", "scales", "alphas", "widths", "rates")
CHECK = "freqmaps.simulation._checks:two_layer_theorems"

#: Tells this stream of random numbers from others of the same seed.
_STREAM = 219
#: Factors of ε, start and pace at which that of equation 20 is measured.
_FACTORS = tuple(0.5**i for i in range(4, 10))
#: Settings and draws together, in the rows.
ALL = "all"


@dataclass(frozen=True)
class Setting:
    """The setting of a group of draws."""

    activation: str
    scale: float
    alpha: float
    width: int
    rate: float


@dataclass(frozen=True)
class Plan:
    """The parameters of all groups; see :func:`compute`."""

    draws: int
    dimension: int
    cutoff: int
    mean: float
    steps: int
    epsilon: float
    pace: float
    iterations: int


@dataclass(frozen=True)
class GroupOutcome:
    """Outcome of a group of draws: claims, in which draws each assumption holds, and the arrays of a figure."""

    claims: list[Claim]
    holds: dict[str, Flags]
    picture: dict[str, Reals]


def compute(
    *, seed: int, draws: int = 60, dimension: int = 31, cutoff: int = 5, scales: Sequence[float] = (1.0, 8.0),
    alphas: Sequence[float] = (1.0, 2.0), mean: float = 1.0, widths: Sequence[int] = (50, 400),
    rates: Sequence[float] = (0.05, 0.2, 1.5), steps: int = 150, epsilon: float = 0.05, pace: float = 0.1,
    iterations: int = 60,
) -> Simulated:  # fmt: skip
    """Train and attack networks in every combination of activation, scale, alpha, width and rate.

    Parameters
    ----------
    seed
        Of signals, networks, labels and starts.
    draws
        Networks per combination, each with a signal of its own.
    dimension
        d, odd: entries of a signal.
    cutoff
        k_c: frequencies up to it are low.
    scales
        Factors of the signals, whose modulus at frequency k is ``scale k^-alpha``; the paper says "proportional".
    alphas
        Exponents; the paper has α >= 1.
    mean
        α_0, the modulus at frequency 0, before the factor.
    widths
        m: hidden units.
    rates
        Learning rates, as the largest part of ``∂ℓ/∂f`` that a step may remove: ``η = rate / (λ² ‖a‖² ‖x‖²)``, in
        (0, 2).
    steps
        Of training.
    epsilon
        Radius of PGD's ball, as a part of the signal's norm. The state that is attacked is the first one with
        ``|∂ℓ/∂f| <= ε^1.5``, or the last.
    pace
        Longest step of PGD as a part of ε.
    iterations
        Of PGD.

    Returns
    -------
    Simulated
        One row per claim or assumption, combination (and all of an activation together, ``all``), and ``among``:
        ``all`` draws, those in which the theorem's stated ``assumptions`` hold, or those in which also what is
        ``unsaid`` but needed holds. ``value`` is a proportion with
        Wilson's interval where ``truth`` is 1, else a mean ± 1.96 standard errors; ``n`` draws have a value;
        ``predicted`` is what the theorem says. The arrays have paths and errors for a figure, of the first alpha,
        the last width and the first rate.

    Raises
    ------
    FreqmapsError
        An even dimension, a cutoff that leaves no high frequency, an empty list, or no network with a gradient.
    """
    _check(dimension, cutoff, {"scales": scales, "alphas": alphas, "widths": widths, "rates": rates})
    plan = Plan(draws, dimension, cutoff, mean, steps, epsilon, pace, iterations)
    settings = [Setting(*setting) for setting in product(two.ACTIVATIONS, scales, alphas, widths, rates)]
    groups = [_simulate(np.random.default_rng([seed, _STREAM, i]), setting, plan) for i, setting in enumerate(settings)]
    rows = [row for setting, outcome in zip(settings, groups, strict=True) for row in _rows(vars(setting), [outcome])]
    for activation in two.ACTIVATIONS:
        place = {"activation": activation} | dict.fromkeys(("scale", "alpha", "width", "rate"), ALL)
        own = [outcome for setting, outcome in zip(settings, groups, strict=True) if setting.activation == activation]
        rows += _rows(place, own)
    shown = Setting("", 0.0, alphas[0], widths[-1], rates[0])
    pictures = [
        f.picture for s, f in zip(settings, groups, strict=True) if replace(s, activation="", scale=0.0) == shown
    ]
    return Simulated(rows, arrays(pictures, scales))


def _check(dimension: int, cutoff: int, lists: dict[str, Sequence[float]]) -> None:
    where = "two_layer_theorems"
    if dimension % 2 == 0:
        raise FreqmapsError(f"{where}: dimension {dimension} is even; the paper's formulas are of odd ones, add 1")
    if cutoff >= (dimension - 1) // 2:
        raise FreqmapsError(f"{where}: cutoff {cutoff} leaves no high frequency; set it below {(dimension - 1) // 2}")
    for name, values in lists.items():
        if not values:
            raise FreqmapsError(f"{where}: {name} is empty; give one or more numbers")


def _simulate(rng: np.random.Generator, setting: Setting, plan: Plan) -> GroupOutcome:
    """Draw, train and attack the networks of one setting, and check every claim.

    Of networks whose gradient vanishes there is nothing to tell: their values become NaN.
    """
    x = setting.scale * two.draw_signals(rng, plan.draws, plan.dimension, setting.alpha, plan.mean)
    nets = two.draw_networks(rng, x, setting.width, setting.activation)
    radius = plan.epsilon * np.sqrt(nets.square)
    path = training.train(nets, setting.rate, plan.steps, plan.cutoff, radius**1.5)
    living = alive(path)
    if not living.any():
        what = f"{setting.activation}, width {setting.width} and scale {setting.scale:g}"
        raise FreqmapsError(f"two_layer_theorems: no network of {what} keeps a gradient; give larger widths")
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = pgd.start(rng, x.shape, radius)
        attack = pgd.attack(nets, path.well_trained, delta, radius, plan.pace, plan.iterations, plan.cutoff)
        errors = np.stack([training.errors_of_change(nets, plan.cutoff, training.RATES, r) for r in training.READINGS])
        of_attack = pgd.errors_of_change(nets, path.well_trained, delta, radius, plan.pace, _FACTORS, plan.cutoff)
        all_claims = _claims(path, attack, errors, of_attack)
        claims = [replace(claim, values=np.where(living, claim.values, np.nan)) for claim in all_claims]
        return GroupOutcome(claims, assumptions(path, attack), picture(rng, path, attack, errors, living))


def _claims(path: training.Path, attack: pgd.Attack, errors: Reals, of_attack: Reals) -> Iterator[Claim]:
    for reading, error in zip(training.READINGS, errors, strict=True):
        yield Claim("1", f"order of the error, {reading}", 2.0, training.slopes(training.RATES, error))
    yield from (*theorem_1(path), *theorem_2(path), *theorem_3(path))
    yield Claim("4", "order of the error, equation 20", 2.0, training.slopes(_FACTORS, of_attack))
    yield from theorem_4(attack)
    yield Claim("units", "share with σ'' < 0", nan, path.concave.mean(axis=0))
    yield Claim("units", "share that switches on or off in training", nan, path.switched)


def _rows(place: Mapping[str, Any], groups: Sequence[GroupOutcome]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one setting, or of several together."""

    def joined(values: Callable[[GroupOutcome], Any]) -> Any:
        return np.concatenate([values(outcome) for outcome in groups])

    for i, claim in enumerate(groups[0].claims):
        values: Reals = joined(lambda outcome, i=i: outcome.claims[i].values)  # type: ignore[misc]
        yield _row(place, claim, ALL, values)
        if claim.theorem in OF_THEOREM:
            among_all = place["scale"] == ALL
            for among, chosen in (("assumptions", stated_hold), *((("unsaid", needed_hold),) if among_all else ())):
                selected: Flags = joined(lambda outcome, t=claim.theorem, c=chosen: c(outcome.holds, t))  # type: ignore[misc]
                yield _row(place, claim, among, values[selected])
    for name in groups[0].holds:
        kind = "assumptions" if any(name in names for names in OF_THEOREM.values()) else "unsaid"
        flags = joined(lambda outcome, name=name: outcome.holds[name]).astype(np.float64)  # type: ignore[misc]
        yield _row(place, Claim(kind, name, nan, flags, truth=True), ALL, flags)


def _row(place: Mapping[str, Any], claim: Claim, among: str, values: Reals) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    n, value = len(known), float(known.mean()) if len(known) else nan
    low, high = nan, nan
    if claim.truth:
        low, high = wilson(int(known.sum()), n)
    elif n > 1:
        half = Z95 * float(known.std(ddof=1)) / sqrt(n)
        low, high = value - half, value + half
    return {
        "theorem": claim.theorem, "measure": claim.measure, **place, "among": among, "predicted": claim.predicted,
        "value": value, "n": n, "low": low, "high": high, "truth": int(claim.truth),
    }  # fmt: skip
