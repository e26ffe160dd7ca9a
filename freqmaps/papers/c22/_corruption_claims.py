"""What the paper claims of JaFR under common corruptions, held against ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isnan
from typing import Any

from freqmaps.inference.estimates import Estimate
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.c22._corruptions import Setting, change, error_change, images
from freqmaps.papers.c22._evaluated import Trained
from freqmaps.papers.c22._networks import FGSM_AT, PGD_AT, STANDARD
from freqmaps.publish.numbers import with_interval

JAFR = "JaFR"
_LOSES = (-inf, 0.0)


def claims(setting: Setting, entry: Mapping[str, Any]) -> Iterator[str]:
    """Say of each claim whether it holds here; claims on trainings that the study lacks are left out.

    Parameters
    ----------
    setting
        The networks of one dataset and model.
    entry
        The published table: ``wins``, under how many corruptions JaFR is better than standard training (``jafr``), and
        FGSM AT + JaFR than PGD AT (``adversarial``), ``of`` how many; ``section`` and ``reported``, by claim, where
        the paper says so and with what numbers.
    """
    wins, reported = entry["wins"], entry["reported"]
    section = entry["section"]
    for first, second in _pair(setting, JAFR, STANDARD):
        estimate = error_change(setting, first, second)
        evidence = f"mCE changes by {shown(estimate, 1)} points"
        yield trend(
            "JaFR lowers the mCE of standard training", [(estimate.low, estimate.high)], evidence, region=_LOSES,
            section=section, reported=reported["mce"], n=_images(first, second),
        )  # fmt: skip
        yield _wins(setting, first, second, wins["jafr"], wins["of"], section)
    for first, second in _pair(setting, f"{FGSM_AT} + {JAFR}", FGSM_AT):
        claim = "JaFR makes FGSM AT better under high-frequency corruptions and worse under low-frequency ones"
        yield from _tradeoff(setting, first, second, claim, 1, section, reported["jafr"])
    for first, second in _pair(setting, f"{FGSM_AT} + {JAFR}(-)", FGSM_AT):
        claim = "JaFR(-) makes FGSM AT worse under high-frequency corruptions and better under low-frequency ones"
        yield from _tradeoff(setting, first, second, claim, -1, section, reported["jafr_minus"])
    for first, second in _pair(setting, f"{FGSM_AT} + {JAFR}", PGD_AT):
        yield _wins(setting, first, second, wins["adversarial"], wins["of"], section)


def thirds(setting: Setting) -> tuple[list[str], list[str]]:
    """Return the third of the corruptions with the largest log B_low, and that with the smallest; empty below three.

    ASSUME: these are what the paper calls low-frequency and high-frequency corruptions; it names two of each.
    """
    names = [name for name, value in setting.low_bias.items() if not isnan(value)]
    size = len(names) // 3
    return (names[:size], names[-size:]) if size else ([], [])


def shown(estimate: Estimate, scale: float = 100) -> str:
    """Return a change with its interval, signed.

    >>> shown(Estimate(0.012, -0.001, 0.025))
    '+1.2 (−0.1 to +2.5)'
    """
    return with_interval(scale * estimate.value, scale * estimate.low, scale * estimate.high, "+.1f")


def _pair(setting: Setting, first: str, second: str) -> Iterator[tuple[Trained, Trained]]:
    trained, other = setting.of(first), setting.of(second)
    if trained is not None and other is not None:
        yield trained, other


def _images(first: Trained, second: Trained) -> int:
    """Return how many images both trainings' networks were looked at on."""
    return min(images(first), images(second))


def _tradeoff(
    setting: Setting, first: Trained, second: Trained, claim: str, sign: int, section: str, reported: str
) -> Iterator[str]:
    low, high = thirds(setting)
    if not low:
        return
    gains = [change(first, second, high), change(first, second, low)]
    ends = ((gains[0].low, gains[0].high), (-gains[1].high, -gains[1].low))
    intervals = ends if sign > 0 else tuple((-b, -a) for a, b in ends)
    evidence = (
        f"accuracy changes by {shown(gains[0])} points under {_listed(high)} and by {shown(gains[1])} points under "
        f"{_listed(low)}"
    )
    yield trend(claim, intervals, evidence, section=section, reported=reported, n=_images(first, second))


def _wins(setting: Setting, first: Trained, second: Trained, least: int, of: int, section: str) -> Claim:
    """Say under how many corruptions one training is better: surely, at the estimates, and at most."""
    names = setting.compared
    changes = [change(first, second, [name]) for name in names]
    better, worse = sum(f.low > 0 for f in changes), sum(f.high < 0 for f in changes)
    most = len(changes) - worse if not any(isnan(f.low) for f in changes) else len(changes)
    claim = f"{first.called} is better than {second.called} under {least} of {of} corruptions"
    ahead = sum(f.value > 0 for f in changes)
    evidence = (
        f"it is better under {ahead} of {len(changes)}; the interval leaves out 0 under {better} of these, and under "
        f"{worse} of those where it is worse"
    )
    return trend(
        claim, [(better / len(changes), most / len(changes))], evidence, region=(least / of, 1.0),
        section=section, reported=f"better under {least} of {of} corruptions", n=len(changes),
    )  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    words = [name.replace("_", " ") for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
