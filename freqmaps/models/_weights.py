"""Weights that come from elsewhere: read without running code, and fitted to a network with clear complaints."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError

#: Names under which training scripts keep the weights beside optimiser, epoch and the like.
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
#: What wrappers (data parallel, compiled, Lightning) put before every name.
_PREFIX = re.compile(r"^(module|_orig_mod|model|net)\.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a ``.safetensors``, ``.pt`` or ``.pth`` file. Pickled code is never run.

    Parameters
    ----------
    path
        The file. A ``.pt`` may hold the state dict itself or nest it under ``state_dict``, ``model`` and the like.

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
    return _tensors(_unpickle(path), path)


def _unpickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FreqmapsError(
            f"{path}: holds pickled objects other than tensors, which could run any code and are refused; "
            "save it again with torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise FreqmapsError(f"{path}: not a whole torch file ({' '.join(str(error).split())[:200]})") from error


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if tensors:
            return tensors
        content = next((content[name] for name in _NESTED if name in content), None)
    raise FreqmapsError(f"{path}: holds no tensors by name; save it with torch.save(model.state_dict(), path)")


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
    held = max(unwrapped(weights), key=lambda names: len(names.keys() & wanted.keys()))
    held = {name: tensor for name, tensor in held.items() if not name.startswith(ignore or "\0")}
    # Files from before 2018 do not count batches; nothing but a cumulative average reads the counter.
    missing = [n for n in wanted if n not in held and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in held if n not in wanted]
    shapes = [
        f"{n} is {tuple(held[n].shape)}, expected {tuple(w.shape)}"
        for n, w in wanted.items()
        if n in held and held[n].shape != w.shape
    ]
    problems = [_list("missing", missing), _list("unexpected", unexpected), _list("of another shape", shapes)]
    if any(problems):
        raise FreqmapsError(f"{what}: the weights do not fit: {'; '.join(p for p in problems if p)}")
    broken = [n for n, t in held.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if broken:
        raise FreqmapsError(f"{what}: {_list('with NaN or infinity', broken)}; take a checkpoint of an earlier epoch")
    net.load_state_dict(held, strict=False)


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
