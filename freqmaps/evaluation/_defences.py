"""What evaluations of defences share: class maps (Basile et al., IV-G), the run's attacks, compared accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.core.images import ESSENTIAL
from freqmaps.evaluation._api import Row, accuracy
from freqmaps.group_maps import class_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.evaluation._api import Network
    from freqmaps.results.reader import Inputs

#: What rows say where no map is applied.
BARE = "none"


def defences(
    inputs: Inputs, network: Network, setting: str, names: list[str] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return the network's class maps of a setting by what they were made from: ``essential``, or the attack.

    Parameters
    ----------
    inputs, network
        The results; the network.
    setting
        A group map setting with ``groups: class``.
    names
        Which; None: all there are, in the study's order.

    Returns
    -------
    dict
        (classes, c, h, w // 2 + 1) float32 half planes each.

    Raises
    ------
    FreqmapsError
        A name that has no maps, or maps that are not of classes.
    """
    results = inputs.select("group_maps", **network.names, group_maps=setting)
    # Of a network's group maps only those of clean images have no attack of their own.
    by_name = {ESSENTIAL if r.names["images"] == ESSENTIAL else r.names["attack"]: r for r in results}
    for name in names or []:
        if name not in by_name:
            raise FreqmapsError(f"no group maps '{setting}' were made from '{name}'; {nearest(name, by_name)}")
    wanted = list(by_name) if names is None else names
    return {name: class_maps(inputs.group_maps(**by_name[name].names)) for name in wanted}


def attacked(
    inputs: Inputs, network: Network, names: list[str] | None = None
) -> dict[tuple[str, str], NDArray[np.float32]]:
    """Return the network's samples under each attack of the run, by the attack and the training whose network it hit.

    Parameters
    ----------
    inputs, network
        The results; the network.
    names
        Names of attacks; None: all there are, in the study's order.

    Returns
    -------
    dict
        (n, c, h, w) float32 in [0, 1] each.
    """
    against = {r.names["attack"]: r.names["training"] for r in inputs.select("attacks")}
    images = {}
    for attack in list(against) if names is None else names:
        place = dict(network.names) | {"training": against[attack]}
        store = inputs.adversarial(samples=network.samples.ids, variables=["adversarial"], **place, attack=attack)
        images[attack, against[attack]] = store["adversarial"].values
    return images


def compared(before: NDArray[np.bool_], after: NDArray[np.bool_], **what: Any) -> Row:
    """Return a row of accuracy with ``lost`` and ``gained``.

    Parameters
    ----------
    before, after
        (n,) bool: which images are right without the defence, and which here.
    **what
        Columns that say what was measured on.
    """
    changed = {"lost": int((before & ~after).sum()), "gained": int((after & ~before).sum())}
    return accuracy(after, **what) | changed
