"""Accuracy of the two-pass classifier, on images and attacks that its maps have not seen (Basile et al., IV-G).

The attacks are those of the run, made against the network itself: they know nothing of the maps. ``adaptive`` has the
attacker who does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.evaluation._api import Network, Row
from freqmaps.evaluation._defences import BARE, attacked, compared, defences
from freqmaps.group_maps.two_pass import TwoPass
from freqmaps.models import predict

if TYPE_CHECKING:
    from freqmaps.results.reader import Inputs

NEEDS = ("attacks", "group_maps")
UNSEEN = True
GROUPS = "class"
BASES = ("fourier",)
TINY = {"group_maps": "tiny"}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    group_maps: str,
    attacks: list[str] | None = None,
) -> list[Row]:
    """Return the accuracy without maps and with each set of class maps, on clean images and under each attack.

    Every image counts, those that an attack failed on too, as in the paper's Table IV.

    Parameters
    ----------
    inputs, network
        The results; the network.
    seed
        Not used: nothing is random here.
    group_maps
        A setting with ``groups: class``; all sets of maps made from it defend in turn.
    attacks
        Names of attacks; None takes all that the evaluation was given.

    Returns
    -------
    list of dict
        Columns ``data`` (``clean``, or the attack); ``against``, the training whose network was attacked (empty for
        clean images); ``maps`` (``none``, or what the maps were made from: ``essential`` for clean images alone, else
        the attack); those of every evaluation; ``lost`` and ``gained``: how many images are right without maps and
        wrong with them, and the other way round.
    """
    del seed
    maps = defences(inputs, network, group_maps)
    models = {BARE: network.classifier} | {name: TwoPass(network.classifier, half) for name, half in maps.items()}
    labels = network.samples.labels
    images = {("clean", ""): network.samples.images} | attacked(inputs, network, attacks)
    rows = []
    for (data, whose), pictures in images.items():
        right = {name: predict(model, pictures, device=network.device) == labels for name, model in models.items()}
        rows += [compared(right[BARE], right[name], data=data, against=whose, maps=name) for name in models]
    return rows
