"""What the paper claims of the robustness of networks trained with JaFR, held against ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import exp, log

from freqmaps.inference.intervals import difference_interval, mean_interval
from freqmaps.inference.proportions import difference_bounds, wilson
from freqmaps.inference.verdicts import Interval, trend
from freqmaps.papers.c22._evaluated import Trained
from freqmaps.papers.c22._networks import FGSM_AT, PGD_AT
from freqmaps.publish.numbers import percent

WITH_JAFR = f"{FGSM_AT} + JaFR"
#: Says something of networks, in the paper's order.
Claim = Callable[[Sequence[Trained]], Iterator[str]]
#: The attacks of table 7; ``worst`` is not in the paper.
STRONGER = {"clean": "No attack", "pgd": "PGD", "cw": "CW", "autoattack": "AutoAttack", "worst": "Worst"}


def overfitting(every: Sequence[Trained]) -> Iterator[str]:
    """Say for each dataset and model whether JaFR keeps FGSM training from overfitting catastrophically.

    ASSUME: a network has overfitted catastrophically whose accuracy under PGD is below a tenth of that without attack.
    In the paper FGSM AT keeps 0 to 0.6 % of it, FGSM AT + JaFR 23 to 58 %.
    """
    for place, plain, regular in _pairs(every, "pgd"):
        evidence = "; ".join(
            f"{trained.called} has {_shown(trained, 'pgd')} under PGD and {_shown(trained, 'clean')} without"
            for trained in (plain, regular)
        )
        low, high = _above_a_tenth(plain)
        if low > 0:
            evidence = f"FGSM AT did not overfit, which leaves nothing for JaFR to prevent: {evidence}"
        yield trend(
            "FGSM AT overfits catastrophically, FGSM AT + JaFR does not",
            [(-high, -low), _above_a_tenth(regular)], f"{place}: {evidence}", section="4.2, tables 3 to 6",
            reported="under PGD FGSM AT keeps 0 to 0.52 %, FGSM AT + JaFR 18.86 to 46.32 %",
            n=_images(plain, regular, attacks=["clean", "pgd"]),
        )  # fmt: skip


def resists(every: Sequence[Trained]) -> Iterator[str]:
    """Say whether FGSM AT + JaFR is more robust than FGSM AT under the stronger attacks, too."""
    for place, plain, regular in _pairs(every, "autoattack"):
        attacks = [attack for attack in ("cw", "autoattack") if plain.counts(attack) and regular.counts(attack)]
        claim = "the gain in robustness that JaFR brings to FGSM training resists stronger attacks"
        evidence = "; ".join(
            f"{STRONGER[attack]}: {_shown(regular, attack)} with JaFR, {_shown(plain, attack)} without"
            for attack in attacks
        )
        yield trend(
            claim, [_gain(regular, plain, attack) for attack in attacks], f"{place}, under {evidence}",
            section="4.2, table 7", reported="the order of the networks is kept under CW and AutoAttack",
            n=_images(regular, plain, attacks=attacks),
        )  # fmt: skip


def costs(steps: Sequence[tuple[Trained, Sequence[float]]]) -> Iterator[str]:
    """Say for each dataset and model whether FGSM AT + JaFR takes less computation than PGD AT.

    Parameters
    ----------
    steps
        The trainings, and for each the seconds of a training step, one number per epoch.
    """
    for place in dict.fromkeys(_place(trained) for trained, _ in steps):
        here = {trained.row: seconds for trained, seconds in steps if _place(trained) == place}
        own, other = here.get(WITH_JAFR, ()), here.get(PGD_AT, ())
        if len(own) < 2 or len(other) < 2:
            continue
        ratio = difference_interval([log(s) for s in own], [log(s) for s in other])
        value, low, high = (exp(bound) for bound in (ratio.mean, ratio.low, ratio.high))
        evidence = (
            f"{', '.join(place)}: a step takes {value:.2f} times as long ({low:.2f} to {high:.2f}, over "
            f"{len(own)} and {len(other)} epochs)"
        )
        yield trend(
            "FGSM AT + JaFR takes less computation than PGD AT", [(low, high)], evidence, region=(0.0, 1.0),
            section="4.2, table 6", reported=".6027 s per iteration against 1.34 s, .45 times", n=len(own),
        )  # fmt: skip


def _images(*every: Trained, attacks: Sequence[str]) -> int:
    """Return how many images each network was looked at on, at least."""
    return min(n for trained in every for attack in attacks for _, n in trained.counts(attack))


def _place(trained: Trained) -> tuple[str, str]:
    return trained.names["dataset"], trained.names["model"]


def _pairs(every: Sequence[Trained], attack: str) -> Iterator[tuple[str, Trained, Trained]]:
    """Yield FGSM AT and FGSM AT + JaFR of each dataset and model that have both under an attack, and where they are."""
    for place in dict.fromkeys(_place(trained) for trained in every):
        here = {trained.row: trained for trained in every if _place(trained) == place}
        pair = [here[row] for row in (FGSM_AT, WITH_JAFR) if row in here and here[row].counts(attack)]
        if len(pair) == 2:
            yield ", ".join(place), pair[0], pair[1]


def _gain(trained: Trained, other: Trained, attack: str) -> Interval:
    """Return the interval of the difference of two accuracies: Welch's over networks, of one of each Newcombe's."""
    if len(trained.counts(attack)) == len(other.counts(attack)) == 1:
        return difference_bounds(trained.counts(attack)[0], other.counts(attack)[0])
    welch = difference_interval(trained.accuracies(attack), other.accuracies(attack))
    return welch.low, welch.high


def _above_a_tenth(trained: Trained) -> Interval:
    """Return the interval of the accuracy under PGD less a tenth of that without attack."""
    clean, counts = trained.accuracies("clean"), trained.counts("pgd")
    if len(counts) == 1:
        low, high = wilson(*counts[0])
        return low - clean[0] / 10, high - clean[0] / 10
    interval = mean_interval([right / n - whole / 10 for (right, n), whole in zip(counts, clean, strict=True)])
    return interval.low, interval.high


def _shown(trained: Trained, attack: str) -> str:
    values = trained.accuracies(attack)
    interval = mean_interval(values)
    if interval.n > 1:
        return f"{100 * interval.mean:.1f} ± {100 * interval.sd:.1f} %"
    low, high = wilson(*trained.counts(attack)[0])
    return percent(interval.mean, low, high)
