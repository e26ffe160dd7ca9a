"""The claim of K22 that masks are stable: decided by an interval over regimes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.papers.k22 import X2

NOISE = {"N": 0.01, "A": 0.0, "S": -0.02}


def similarities(gap):
    """The mean similarity of masks by what they differ in, a row for all and one for each regime."""
    seed = [("seed", regime, 1, 0.5 + noise) for regime, noise in {"all": 0.0, **NOISE}.items()]
    start = [("initial value", regime, 2, 0.5 + gap) for regime in ("all", *NOISE)]
    return pd.DataFrame([*start, *seed], columns=["differ", "regime", "pearson_pairs", "pearson"])


@pytest.mark.parametrize(("gap", "verdict"), [(0.1, "holds"), (-0.1, "does not hold"), (0.0, "cannot be told here")])
def test_the_stability_of_masks_is_decided_over_regimes(gap, verdict):
    (claim,) = X2._claims(similarities(gap))
    assert (claim.verdict, claim.n, claim.section) == (verdict, 2, "2.1")
    assert claim.claim.startswith("masks are stable") and "different runs" in claim.reported
    gaps = [gap - noise for noise in NOISE.values()]
    half = stats.t.ppf(0.975, 2) * np.std(gaps, ddof=1) / np.sqrt(3)
    assert (claim.low, claim.high) == pytest.approx((np.mean(gaps) - half, np.mean(gaps) + half))
    assert "over 3 regimes" in claim


def test_without_two_regimes_of_several_seeds_there_is_no_interval():
    frame = similarities(0.1)
    (alone,) = X2._claims(frame[frame["differ"] == "initial value"])
    assert alone.verdict == "cannot be told here" and "with another initial value, no interval" in alone
    (one,) = X2._claims(frame[frame["regime"].isin(["all", "N"])])
    assert one.verdict == "cannot be told here" and "with another training seed, no interval" in one
    assert X2._claims(frame[frame["differ"] == "seed"]) == [] and X2._claims(frame[:0]) == []
    constant = frame.assign(pearson=frame["pearson"].where(frame["differ"] == "seed"))  # no correlation is defined
    assert X2._claims(constant) == []
