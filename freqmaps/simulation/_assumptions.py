"""Which of the assumptions of F21 hold in a draw: those that the paper states, and those that its formulas need."""

from __future__ import annotations

import numpy as np

from freqmaps.simulation import _two_layer as two
from freqmaps.simulation._pgd_path import Attack
from freqmaps.simulation._theorems import ends
from freqmaps.simulation._training_path import Path
from freqmaps.simulation._two_layer import Flags

#: The stated assumptions under which each theorem is looked at. ``start``: the paper always studies networks whose
#: gradients have, before training, a smaller share at low frequencies than the signal.
OF_THEOREM = {
    "1": ("assumption 1", "assumption 3", "assumption 4", "condition 2", "start"),
    "2": ("assumption 1", "assumption 3", "assumption 4"),
    "3": ("assumption 1", "assumption 3", "assumption 4", "condition 2", "start"),
    "4": ("assumption 2", "assumption 3", "assumption 4"),
}
_ALWAYS = "the gradient never vanishes"
_IN_TRAINING = (_ALWAYS, "1 - η_r > 0", "1 - 2η > 0", "no unit switches in training")
#: What equations 8 to 14, and 20 to 23, need without saying so.
UNSAID = {"1": _IN_TRAINING, "2": _IN_TRAINING, "3": _IN_TRAINING, "4": (_ALWAYS, "no unit switches under attack")}


def assumptions(path: Path, attack: Attack) -> dict[str, Flags]:
    """Return for each assumption whether it holds in each of n draws.

    Returns
    -------
    dict
        (n,) each. Stated by the paper:

        * ``assumption 1``: ``∂ℓ/∂f`` stays finite and keeps its sign until the minimum is reached, so that its modulus
          has a lower and an upper bound until then;
        * ``assumption 2``: in the state that is attacked, ``|∂ℓ/∂f| = ε^(1 + ν)`` with ν between 0 and 1;
        * ``assumption 3``: no hidden unit has ``σ'' < 0`` at any step (the bounds λ and γ exist for all activations);
        * ``assumption 4``: training has left the outer layer as it was (it is drawn independently by construction);
        * ``condition 2`` and ``start``: see the paper and ``OF_THEOREM``.

        Needed by its formulas:

        * ``the gradient never vanishes``: else τ has no value, as when all ReLUs are off;
        * ``1 - η_r > 0`` for every unit and step, and ``1 - 2η > 0`` for the mean of the η_r (equation 13);
        * no unit switches on or off between the first and the last step, or between x and any x + δ: ReLU's σ' is then
          the same.
    """
    steps = np.arange(len(path.residual))[:, None]
    same = (np.sign(path.residual) == path.sign) | (steps > ends(path))
    nu = attack.exponent()
    low, high = two.bands(np.abs(path.signal) ** 2, path.cutoff, as_printed=True)
    return {
        "assumption 1": np.isfinite(path.residual).all(axis=0) & same.all(axis=0),
        "assumption 2": (nu > 0) & (nu < 1),
        "assumption 3": (path.concave == 0).all(axis=0),
        "assumption 4": path.fixed,
        "condition 2": low > high,
        "start": path.share[0] < path.share_of_signal,
        _ALWAYS: alive(path),
        "1 - η_r > 0": (path.fastest < 1).all(axis=0),
        "1 - 2η > 0": (2 * path.decay < 1).all(axis=0),
        "no unit switches in training": path.switched == 0,
        "no unit switches under attack": ~attack.switched,
    }


def alive(path: Path) -> Flags:
    """Return (n,) whether the gradient is finite and not 0 at every step."""
    size = np.abs(path.gradient).max(axis=2)
    return np.asarray((np.isfinite(size) & (size > 0)).all(axis=0))


def stated_hold(holds: dict[str, Flags], theorem: str) -> Flags:
    """Return (n,) whether all assumptions that a theorem states hold."""
    return np.asarray(np.logical_and.reduce([holds[name] for name in OF_THEOREM[theorem]]))


def needed_hold(holds: dict[str, Flags], theorem: str) -> Flags:
    """Return (n,) whether also what the formulas of a theorem need without stating it holds."""
    needed = [holds[name] for name in UNSAID[theorem]]
    return np.asarray(np.logical_and.reduce([stated_hold(holds, theorem), *needed]))
