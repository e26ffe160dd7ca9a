"""What Theorems 1 to 4 of F21 and their remarks claim, as sentences, by the measure that tests each.

τ is the share of low frequencies in the energy of a perturbation, as everywhere in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TheoremClaim:
    """One claim.

    Attributes
    ----------
    theorem, measure
        As in the simulation's rows.
    claim, reported
        What the paper says, in our words, and how it says it.
    section
        Where.
    relu_alone
        Whether the paper says it of ReLU alone.
    """

    theorem: str
    measure: str
    claim: str
    reported: str
    section: str
    relu_alone: bool = False


_1, _REMARK_1 = "3.1, theorem 1", "3.1, remark to theorem 1"
_4, _REMARK_4 = "appendix B, theorem 4", "appendix B, remark to theorem 4"
_PROVED = "proved for two-layer networks"

CLAIMS = (
    TheoremClaim(
        "1", "order of the error, equation 9",
        "equation 9 gives the change of τ in a training step up to terms of second order in the learning rate",
        "proved; the terms left out are called O(η²)", _1,
    ),
    TheoremClaim(
        "1", "equation 9: share of steps whose sign is right",
        "equation 9 tells in every training step whether τ rises or falls", "stated as an equation for every step", _1,
    ),
    TheoremClaim(
        "1", "equation 10: τ rises at every step from some t1 on",
        "from some training step on, τ rises at every step (equation 10)", _PROVED, _1,
    ),
    TheoremClaim(
        "1", "Δτ_l > Δτ_h from some step t0 on",
        "from some training step t0 on, the input gradient gains more at low frequencies than at high (Δτ_l > Δτ_h)",
        "said to follow from theorem 1 for networks at random weights and inputs of low frequency", _REMARK_1,
    ),
    TheoremClaim(
        "1", "t0 is at most the printed number",
        "with ReLU, t0 is reached within the number of training steps that the remark gives",
        "a formula for t0, said of ReLU alone", _REMARK_1, relu_alone=True,
    ),
    TheoremClaim(
        "1", "τ rises after t0 while it is below 1/2",
        "after t0, τ rises at every training step at which it is below one half", "said to follow from theorem 1",
        _REMARK_1,
    ),
    TheoremClaim(
        "1", "above 1/2 after t0, τ stays there",
        "once τ is above one half after t0, it stays above", "said to follow from theorem 1", _REMARK_1,
    ),
    TheoremClaim(
        "2", "equation 11: share of pairs that keep their order until t0",
        "with ReLU, where the input gradient is larger relative to the signal at the higher of two frequencies, it "
        "stays so until the training step that equation 11 gives",
        "proved, with the step said of ReLU alone", "3.2, theorem 2", relu_alone=True,
    ),
    TheoremClaim(
        "2", "share of pairs that keep their order throughout where t0 is infinite",
        "with ReLU, where equation 11 gives no such step, the input gradient stays larger relative to the signal at "
        "the higher of two frequencies throughout the training",
        "proved, said of ReLU alone", "3.2, theorem 2", relu_alone=True,
    ),
    TheoremClaim(
        "3", "with condition 12, τ(δ) < τ(x) throughout",
        "under condition 12, perturbations have a smaller share of low frequencies than the signal throughout the "
        "training", _PROVED, "3.3, theorem 3",
    ),
    TheoremClaim(
        "4", "order of the error, equation 20",
        "equation 20 gives the change of τ in an iteration of PGD up to terms of second order in the radius",
        "proved; terms of second order in the perturbation are dropped", _4,
    ),
    TheoremClaim(
        "4", "equation 20: share of steps whose sign is right",
        "equation 20 tells in every iteration of PGD whether τ rises or falls", "stated as an equation for every step",
        _4,
    ),
    TheoremClaim(
        "4", "lemma 1: β keeps its sign",
        "the slope of the loss along the input gradient keeps its sign throughout PGD", "proved (lemma 1)",
        "appendix B, lemma 1",
    ),
    TheoremClaim(
        "4", "where τ(∇f) > 1/2, τ rises in the end while below",
        "where most of the input gradient's energy is at low frequencies, τ rises in the last iterations of PGD while "
        "it is below one half", "said to follow from theorem 4 for networks trained long enough", _REMARK_4,
    ),
)  # fmt: skip
