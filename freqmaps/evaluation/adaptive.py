"""The two-pass classifier, attacked by one who knows its maps: what Basile et al. (IV-G) leave open.

The attacker differentiates the whole model: through the map that the first prediction chooses, and through the choice
itself (its soft version's gradient: BPDA). He has PGD and AutoAttack's parts, one without gradients among them, and
what he makes against the bare network; what counts of each image is the worst that any of them does to it
(``_adaptive``, where the checks for masked gradients are, too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.evaluation._adaptive import adaptive_rows
from freqmaps.evaluation._api import Network, Row
from freqmaps.evaluation._attackers import Attacker, Budget, Target, bare, defended
from freqmaps.evaluation._defences import BARE, defences

if TYPE_CHECKING:
    from freqmaps.results.reader import Inputs

NEEDS = ("group_maps",)
BASES = ("fourier",)
UNSEEN = True
GROUPS = "class"
LIBRARIES = ("foolbox", "eagerpy", "pyautoattack")
RANGES = {
    "epsilon": {"norm": {"linf": "(0, 1)", "l2": "(0, 1000)"}},
    "images": "[1, 1e9)",
    "steps": "[1, 1e6)",
    "targets": "[1, 1e6)",
    "queries": "[1, 1e9)",
    "temperature": "(0, 1e6)",
    "block": "[1, 1e6)",
}
TINY = {"group_maps": "tiny", "epsilon": 0.1, "images": 9, "steps": 2, "targets": 2, "queries": 5}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    group_maps: str,
    defended_by: list[str] | None = None,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    images: int | None = 128,
    steps: int = 100,
    targets: int = 9,
    queries: int = 1000,
    temperature: float = 1.0,
    block: int = 64,
) -> list[Row]:
    """Return the accuracy under each attack, of the bare network and with each set of maps, and the checks.

    Parameters
    ----------
    inputs, network
        The results; the network.
    seed
        Of random starts and squares.
    group_maps, defended_by
        A setting with ``groups: class``, and which of its sets of maps defend (``essential``, or names of attacks);
        None: all.
    norm, epsilon
        The budget of all attacks, for images in [0, 1]; the default is 8/255.
    images
        How many of the run's samples, from the first; None: all.
    steps
        Of PGD, APGD and FAB; ``pgd-long`` makes three times as many.
    targets
        Wrong classes that targeted attacks aim at.
    queries
        Of Square; AutoAttack has 5000.
    temperature
        Of the soft choice whose gradient stands for the hard one's.
    block
        Images that AutoAttack's parts take together.

    Returns
    -------
    list of dict
        Columns ``maps`` (``none``: the bare network), ``attack`` (``clean``; ``pgd``, ``pgd-long``, ``apgd-ce``,
        ``apgd-dlr``, ``apgd-t``, ``fab-t``, ``square``; ``transfer``, what was made against the bare network, and for
        it what was made against the others; ``worst``, right under all of these), ``gradient`` (``network``, ``chosen
        map``, ``choice`` or ``none``); those of every evaluation; ``lost`` and ``gained``, against the bare network
        under the same attack; ``limit``. ``measure`` is ``accuracy`` or ``check``: of a check, ``value`` is 1 if it
        is passed, ``attack`` its name, ``limit`` the accuracy that the attack should reach or fall below, ``reached``
        the one that it has, and ``lost`` and ``gained`` lead from the former to the latter.
    """
    n = len(network.samples.ids) if images is None else min(images, len(network.samples.ids))
    attacker = Attacker(network.samples.at(np.arange(n)), seed, network.device)
    budget = Budget(norm, epsilon, steps, targets, queries, block)
    maps = defences(inputs, network, group_maps, defended_by)
    plain = bare(network.classifier, len(next(iter(maps.values()))))
    models = {name: defended(network.classifier, half, temperature) for name, half in maps.items()}
    return rows_of(attacker, budget, plain, models)


def rows_of(attacker: Attacker, budget: Budget, plain: Target, models: dict[str, Target]) -> list[Row]:
    """Return the rows of :func:`compute` for a bare network and two-pass networks."""
    return [{"maps": maps or BARE} | row for maps, row in adaptive_rows(attacker, budget, plain, models)]
