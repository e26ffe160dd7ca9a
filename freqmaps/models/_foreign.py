"""Checkpoints of other projects: tensors by other names, and a normalisation of their own.

They are converted once, before any work starts; jobs load the converted file as they do any other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.models import _reading
from freqmaps.models._checkpoint import load_foreign
from freqmaps.models._classifier import Classifier
from freqmaps.models._offers import bare, offer
from freqmaps.models._weights import fit, read_weights, unwrapped

_log = logging.getLogger("freqmaps")
#: Last parts of the names under which wrappers keep the mean and the standard deviation of the images.
_MOMENTS = (("mean", "std"), ("mu", "sigma"), ("new_mean", "new_std"))


def load_converted(
    path: Path | str, classifier: Classifier, rename: Iterable[Sequence[str]] = ()
) -> dict[str, Tensor] | None:
    """Load weights that a user brings, whatever their names and wherever their normalisation.

    Parameters
    ----------
    path
        ``.safetensors``, ``.pt`` or ``.pth``.
    classifier
        Changed in place. Its normalisation stays, unless the file brings its own: ``mean`` and ``std``, or ``mu`` and
        ``sigma``, at the top or in a layer such as ``normalize``.
    rename
        Pairs of a regular expression and its replacement, applied to the names of the tensors in this order.

    Returns
    -------
    dict or None
        What :func:`freqmaps.models.load_foreign` loads in place of the file; None if that loads the file itself.

    Raises
    ------
    FreqmapsError
        Not such a file, or weights of another architecture: names the first tensors that do not fit, and the
        ``rename`` with which they do if shapes and order determine it.
    """
    rules = list(rename)
    what = f"{path} for architecture {classifier.recipe.architecture}"
    read, as_is = _reading.read(Path(path), classifier.net)
    if not as_is and any(names.keys() >= classifier.state_dict().keys() for names in unwrapped(read)):
        fit(classifier, read, what)
        classifier.normalises = True
        return dict(classifier.state_dict())
    weights, moments = without_moments(read, classifier.net, classifier.recipe.channels, what)
    try:
        if as_is and not rules and (moments is None or _is_whole(path, classifier)):
            if moments is not None:
                _tell(path, classifier, moments)
            load_foreign(path, classifier)
            return None
        fit(classifier.net, renamed(weights, rules, what) if rules else weights, what)
    except FreqmapsError as error:
        part = None if rules else _reading.among_others(weights, classifier.net, str(path))
        if part is None:
            raise _with_offer(error, weights, classifier.net) from error
        fit(classifier.net, part, what)
    if moments is None:
        return dict(classifier.net.state_dict())
    _tell(path, classifier, moments)
    classifier.mean.copy_(moments.mean)
    classifier.std.copy_(moments.std)
    classifier.normalises = True
    return dict(classifier.state_dict())


def _tell(path: Path | str, classifier: Classifier, moments: Moments) -> None:
    """Say that a file brings another normalisation than the config has."""
    if torch.equal(moments.mean, classifier.mean) and torch.equal(moments.std, classifier.std):
        return
    mean, std = ([round(float(value), 4) for value in numbers.flatten()] for numbers in moments)
    _log.info("%s: its own mean %s and std %s take the place of what 'normalise' says", path, mean, std)


def _is_whole(path: Path | str, classifier: Classifier) -> bool:
    """Tell whether a file holds a whole :class:`Classifier`, whose own normalisation is no other project's."""
    whole = classifier.state_dict().keys()
    return any(names.keys() >= whole for names in unwrapped(read_weights(Path(path))))


def _with_offer(error: FreqmapsError, weights: Mapping[str, Tensor], net: nn.Module) -> FreqmapsError:
    rules = offer(weights, net)
    if not rules:
        return error
    return FreqmapsError(
        f"{error}; shapes and order agree, so if it is the same network under other names, give the model {rules}"
    )


class Moments(NamedTuple):
    """Mean and standard deviation per channel, of images in [0, 1]; each (1, channels, 1, 1) float32."""

    mean: Tensor
    std: Tensor


def renamed(weights: Mapping[str, Tensor], rules: Iterable[Sequence[str]], what: str) -> dict[str, Tensor]:
    r"""Return the weights under other names.

    Parameters
    ----------
    weights
        By name; prefixes that all names share (``module.``, ``model.``) are dropped first.
    rules
        Pairs of a regular expression and its replacement (``\1`` stands for the first group), applied in this order,
        each to what the ones before have made of a name, wherever in the name it matches.
    what
        What messages call the pair of file and architecture.

    Raises
    ------
    FreqmapsError
        A rule that is no regular expression or matches no name, or rules that give two tensors one name.
    """
    names = {name: name for name in bare(weights)}
    for pattern, replacement in rules:
        try:
            replaced = {old: re.subn(pattern, replacement, new) for old, new in names.items()}
        except (re.error, IndexError) as error:
            raise FreqmapsError(
                f"{what}: rename '{pattern}' to '{replacement}' is not a regular expression with its replacement "
                f"({error}); correct it"
            ) from error
        if not any(count for _, count in replaced.values()):
            first = ", ".join(list(names.values())[:3])
            raise FreqmapsError(f"{what}: rename '{pattern}' matches no name; the first are {first}")
        names = {old: new for old, (new, _) in replaced.items()}
    _check_distinct(names, what)
    return {names[name]: tensor for name, tensor in bare(weights).items()}


def _check_distinct(names: Mapping[str, str], what: str) -> None:
    taken: dict[str, str] = {}
    for old, new in names.items():
        if new in taken:
            raise FreqmapsError(f"{what}: rename calls both '{taken[new]}' and '{old}' '{new}'; make the rules differ")
        taken[new] = old


def without_moments(
    weights: Mapping[str, Tensor], net: nn.Module, channels: int, what: str
) -> tuple[dict[str, Tensor], Moments | None]:
    """Take the normalisation of the images out of the weights of a network that holds it inside.

    RobustBench's networks, among others, take images in [0, 1] and keep ``mu`` and ``sigma``, or ``mean`` and ``std``
    in a layer ``normalize``, as buffers beside the weights.

    Parameters
    ----------
    weights
        By name.
    net
        The network that the other weights are for. Buffers that it has itself stay.
    channels
        Of the images.
    what
        What messages call the pair of file and architecture.

    Returns
    -------
    weights, moments
        The other weights; mean and standard deviation, or None if the file holds none. Numbers for images in 0..255
        are divided by 255.

    Raises
    ------
    FreqmapsError
        The standard deviation is not positive.
    """
    own = tuple(f".{name}" for name in net.state_dict())
    for mean_name, std_name in _MOMENTS:
        for name in weights:
            head, _, leaf = name.rpartition(".")
            beside = f"{head}.{std_name}" if head else std_name
            if leaf != mean_name or beside not in weights or f".{name}".endswith(own):
                continue
            pair = [weights[name].detach().float(), weights[beside].detach().float()]
            if all(tensor.numel() == channels for tensor in pair):
                rest = {n: tensor for n, tensor in weights.items() if n not in (name, beside)}
                return rest, _moments(pair[0].reshape(1, -1, 1, 1), pair[1].reshape(1, -1, 1, 1), f"{what}: '{beside}'")
    return dict(weights), None


def _moments(mean: Tensor, std: Tensor, where: str) -> Moments:
    if not bool((std > 0).all()):
        raise FreqmapsError(f"{where}, the standard deviation of the images, is not positive; correct or remove it")
    scale = 255.0 if float(mean.max()) > 1 else 1.0
    return Moments(mean / scale, std / scale)
