"""Weights that come from elsewhere: read without running code, and fitted to a network with clear complaints."""

from __future__ import annotations

import argparse
import logging
import pickle
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError

#: Names under which training scripts keep the weights beside optimiser, epoch and the like.
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
#: What training scripts pickle beside the weights and what cannot run any code: arguments, paths, NumPy's numbers.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    PosixPath,
    np.dtype,
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "b1")),
]
_log = logging.getLogger("freqmaps")
#: What wrappers (data parallel, compiled, Lightning) put before every name.
_PREFIX = re.compile(r"^(module|_orig_mod|model|net)\.")


def read_weights(path: Path, wanted: Collection[str] = ()) -> dict[str, Tensor]:
    """Read tensors by name from a ``.safetensors``, ``.pt`` or ``.pth`` file. Pickled code is never run.

    Parameters
    ----------
    path
        The file. A ``.pt`` may hold the state dict itself or nest it under ``state_dict``, ``model`` and the like,
        beside other tensors (``best_acc1``) and other parts (an optimiser's state, averaged weights).
    wanted
        Names of the network's tensors: they tell which part of the file is meant.

    Returns
    -------
    dict
        On the CPU, names as in the file.

    Raises
    ------
    FreqmapsError
        No such file, unknown ending, not such a file, pickled objects other than tensors, or no tensors in it.
    """
    path = Path(path)
    if not path.is_file():
        raise FreqmapsError(f"{path}: no such file of weights")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise FreqmapsError(f"{path}: not a whole safetensors file ({error})") from error
    if path.suffix not in (".pt", ".pth"):
        raise FreqmapsError(f"{path}: weights must be .safetensors, .pt or .pth, not '{path.suffix}'")
    return _tensors(_unpickle(path), path, wanted)


def _unpickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FreqmapsError(
            f"{path}: holds pickled objects other than tensors, which could run any code and are refused; "
            "save it again with torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise FreqmapsError(f"{path}: not a whole torch file ({' '.join(str(error).split())[:200]})") from error


def _tensors(content: Any, path: Path, wanted: Collection[str] = ()) -> dict[str, Tensor]:
    """Return the part of a file's content that is the weights: of those that hold tensors, the one that fits best."""
    parts = list(_parts(content, ()))
    if not parts:
        raise FreqmapsError(f"{path}: holds no tensors by name; save it with torch.save(model.state_dict(), path)")
    place, chosen = max(parts, key=lambda part: _fitness(part, wanted))
    if place or len(chosen) < len(content):
        top = {place[0]} if place else set(chosen)
        others = [str(name) for name in content if str(name) not in top]
        _log.info(
            "%s: %d tensors taken from %s%s", path, len(chosen), f"'{'.'.join(place)}'" if place else "its top level",
            f"; left out: {', '.join(others[:8])}{' and more' if len(others) > 8 else ''}" if others else "",
        )  # fmt: skip
    return chosen


def _parts(content: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield every mapping of a file that holds tensors by name, with its place; three levels deep."""
    if not isinstance(content, Mapping):
        return
    found = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    if found:
        yield place, found
    if len(place) < 3:
        for name, inside in content.items():
            yield from _parts(inside, (*place, str(name)))


def _fitness(part: tuple[tuple[str, ...], dict[str, Tensor]], wanted: Collection[str]) -> tuple[int, int, int]:
    """Order parts of a file: by how many names the network has, by a usual name, by the number of tensors."""
    place, tensors = part
    fitting = max(len(names.keys() & set(wanted)) for names in unwrapped(tensors))
    usual = _NESTED[::-1].index(place[-1]) + 1 if place and place[-1] in _NESTED else 0
    return fitting, usual if len(tensors) > 1 else 0, len(tensors)


def fit(net: nn.Module, weights: Mapping[str, Tensor], what: str, *, ignore: tuple[str, ...] = ()) -> None:
    """Load weights into a network, all of them or none.

    Parameters
    ----------
    net
        Changed in place.
    weights
        By name; a prefix common to all names (``module.``) is dropped where that makes them fit.
    what
        What messages call the pair: ``resnet.pt for architecture resnet_cifar``.
    ignore
        Starts of names that are neither loaded nor missed.

    Raises
    ------
    FreqmapsError
        Naming the first tensors that are missing, unexpected, of another shape, or not finite.
    """
    wanted = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith(ignore or "\0")}
    given = max(unwrapped(weights), key=lambda names: len(names.keys() & wanted.keys()))
    given = {name: tensor for name, tensor in given.items() if not name.startswith(ignore or "\0")}
    # Files from before 2018 do not count batches; nothing but a cumulative average reads the counter.
    missing = [n for n in wanted if n not in given and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in given if n not in wanted]
    shapes = [
        f"{n} is {tuple(given[n].shape)}, expected {tuple(w.shape)}"
        for n, w in wanted.items()
        if n in given and given[n].shape != w.shape
    ]
    whole = [
        f"{n} is {str(given[n].dtype).removeprefix('torch.')}, expected floats"
        for n, w in wanted.items()
        if n in given and w.is_floating_point() and not given[n].is_floating_point()
    ]
    problems = [_list("missing", missing), _list("unexpected", unexpected), _list("of another shape", shapes)]
    problems.append(_list("of another type", whole))
    if any(problems):
        raise FreqmapsError(f"{what}: the weights do not fit: {'; '.join(p for p in problems if p)}")
    given = _as_wanted(given, wanted, what)
    broken = [n for n, t in given.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if broken:
        raise FreqmapsError(f"{what}: {_list('with NaN or infinity', broken)}; take a checkpoint of an earlier epoch")
    net.load_state_dict(given, strict=False)


def _as_wanted(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Return floats in the network's precision; says so of weights that were kept in a lower one."""
    floats = {n: w.dtype for n, w in wanted.items() if w.is_floating_point() and n in given}
    lower = {given[n].dtype for n, kind in floats.items() if given[n].dtype.itemsize < kind.itemsize}
    if lower:
        kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in lower))
        _log.info("%s: the weights are %s and are computed with as float32", what, kinds)
    return {n: t.to(floats[n]) if n in floats else t for n, t in given.items()}


def unwrapped(weights: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the weights with no, one, two, ... common prefixes dropped."""
    names = dict(weights)
    while True:
        yield names
        heads = {match.group() if (match := _PREFIX.match(n)) else "" for n in names}
        if len(heads) != 1 or "" in heads:
            return
        names = {n[len(next(iter(heads))) :]: t for n, t in names.items()}


def _list(kind: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{kind}: {', '.join(names[:3])}{more}"
