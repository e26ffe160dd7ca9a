"""Checkpoints as training scripts leave them: weights among other tensors and parts of a file, in any precision.

What the jobs' own reader takes for something else is read here, before any work starts, and converted for them.
"""

from __future__ import annotations

import argparse
import json
import logging
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.models._weights import _NESTED, _unpickle, read_weights, unwrapped

DECIDES_NUMBERS = False

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
#: Endings that training scripts give to torch's files beside the two that jobs load: these are converted.
_TORCH = (".ckpt", ".bin", ".tar", ".th")
#: Names under which most scripts keep the network among others.
_USUAL = ("", "model.", "module.", "net.", "network.", "backbone.")


def read(path: Path, net: nn.Module) -> tuple[dict[str, Tensor], bool]:
    """Read the weights of a network from a file.

    Parameters
    ----------
    path
        ``.safetensors``, or a torch file (``.pt``, ``.pth``, ``.ckpt``, ``.bin``, ``.pth.tar``), which may hold them
        beside other tensors and parts.
    net
        The network: the names of its tensors tell which part of the file is meant.

    Returns
    -------
    weights, as_is
        By name, floats in float32 or above; whether ``read_weights``, which jobs load with, reads the same.

    Raises
    ------
    FreqmapsError
        Not such a file, no tensors in it, or integers in the place of floats.
    """
    wanted = net.state_dict()
    check_kind(path)
    if path.suffix not in (".pt", ".pth", *_TORCH):
        tensors, plain = read_weights(path), True
    else:
        with torch.serialization.safe_globals(_HARMLESS):
            tensors = _tensors(_unpickle(path), path, wanted.keys())
        try:
            plain = read_weights(path).keys() == tensors.keys()
        except FreqmapsError:
            plain = False
    weights = _as_wanted(tensors, wanted, str(path))
    return weights, plain and all(weights[name] is tensor for name, tensor in tensors.items())


def check_kind(path: Path) -> None:
    """Refuse what is no file of weights although it lies where one was to be, and what holds a program beside them.

    Raises
    ------
    FreqmapsError
        Nothing there, a folder, an empty or truncated file, a web page, a pointer of Git LFS, an archive of other
        things, or a program; with what to do.
    """
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix in (".safetensors", ".pt", ".pth", *_TORCH))
        which = f"name one of its files, such as {inside[0]}" if inside else "name the file of weights"
        raise FreqmapsError(f"{path}: is a folder and not a file of weights; {which}")
    if not path.exists():
        raise FreqmapsError(f"{path}: no such file of weights; correct the path, or bring the file there")
    with path.open("rb") as handle:
        head = handle.read(512)
    if not head:
        raise FreqmapsError(f"{path}: is empty (0 bytes); copy or download the file again")
    if path.suffix == ".safetensors":
        _check_safetensors(path, head)
    head = head.lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        raise FreqmapsError(f"{path}: is a pointer of Git LFS and not the file itself; run git lfs pull where it lies")
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise FreqmapsError(f"{path}: is a web page and not a file of weights; download the file itself")
    if not zipfile.is_zipfile(path):
        if head.startswith(b"pk\x03\x04"):
            raise FreqmapsError(
                f"{path}: is cut short ({path.stat().st_size} bytes, its end is missing); copy or download it again"
            )
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        raise FreqmapsError(
            f"{path}: is a TorchScript program, which could run any code and is refused; save its weights with "
            "torch.save(torch.jit.load(path).state_dict(), 'weights.pt')"
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise FreqmapsError(
            f"{path}: is an archive without weights of torch (it holds {', '.join(names[:3]) or 'nothing'}); unpack "
            "it and name the file of weights that it holds"
        )


def _check_safetensors(path: Path, head: bytes) -> None:
    """Refuse a file whose first 8 bytes are no length of a header that fits into it, or which is shorter than it says.

    Files of safetensors begin with that length as a little-endian integer, and a header of JSON.
    """
    size, length = path.stat().st_size, int.from_bytes(head[:8], "little")
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        raise FreqmapsError(f"{path}: is a file of torch and not of safetensors; let its name end in .pt")
    if head[8:9] != b"{":
        return  # a web page, a pointer of Git LFS or other text is told below, the rest by who reads it
    if 8 + length > size:
        raise FreqmapsError(f"{path}: is cut short ({size} bytes, its header alone has {length}); copy it again")
    with path.open("rb") as handle:
        try:
            entries = json.loads(handle.read(8 + length)[8:])
        except ValueError:
            return
    ends = [e["data_offsets"][1] for e in entries.values() if isinstance(e, dict) and "data_offsets" in e]
    if ends and 8 + length + max(ends) > size:
        raise FreqmapsError(
            f"{path}: is cut short ({size} bytes of {8 + length + max(ends)}); copy or download it again"
        )


def among_others(weights: Mapping[str, Tensor], net: nn.Module, what: str) -> dict[str, Tensor] | None:
    """Return a network's own tensors where others lie beside them: those of a loss, or of another network.

    Parameters
    ----------
    weights
        By names that all have one prefix, such as ``model.`` of a module of Lightning, where they are the network's.
    net
        The network.
    what
        What messages call the file.

    Returns
    -------
    dict or None
        By the network's names; None if no prefix has all of them.

    Raises
    ------
    FreqmapsError
        Several prefixes have, none of them a usual one.
    """
    wanted = {n: t.shape for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")}
    first = next(iter(wanted), "")
    prefixes = [n.removesuffix(first) for n in weights if n == first or n.endswith(f".{first}")]
    fitting = [p for p in prefixes if all(p + n in weights and weights[p + n].shape == s for n, s in wanted.items())]
    if not fitting:
        return None
    usual = [prefix for prefix in _USUAL if prefix in fitting]
    if not usual and len(fitting) > 1:
        raise FreqmapsError(f"{what}: holds several networks that fit ({', '.join(fitting)}); save the weights of one")
    prefix = (usual or fitting)[0]
    own = {n: weights[prefix + n] for n in net.state_dict() if prefix + n in weights}
    others = [n for n in weights if not n.startswith(prefix) or n.removeprefix(prefix) not in own]
    _log.info(
        "%s: %d tensors taken from '%s'; left out: %s%s", what, len(own), prefix.rstrip(".") or "its top level",
        ", ".join(others[:8]), " and more" if len(others) > 8 else "",
    )  # fmt: skip
    return own


def _tensors(content: Any, path: Path, wanted: Collection[str]) -> dict[str, Tensor]:
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
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    if tensors:
        yield place, tensors
    if len(place) < 3:
        for name, inside in content.items():
            yield from _parts(inside, (*place, str(name)))


def _fitness(part: tuple[tuple[str, ...], dict[str, Tensor]], wanted: Collection[str]) -> tuple[int, int, int]:
    """Order parts of a file: by how many names the network has, by a usual name, by the number of tensors."""
    place, tensors = part
    fitting = max(len(names.keys() & set(wanted)) for names in unwrapped(tensors))
    usual = _NESTED[::-1].index(place[-1]) + 1 if place and place[-1] in _NESTED else 0
    return fitting, usual if len(tensors) > 1 else 0, len(tensors)


def _as_wanted(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Return floats of low precision as float32, and say so; refuse integers in the place of floats."""
    names = {name: next((n for n in (name, name.partition(".")[2]) if n in wanted), "") for name in weights}
    floats = {n for n, own in names.items() if own and wanted[own].is_floating_point()}
    whole = [n for n in sorted(floats) if not weights[n].is_floating_point()]
    if whole:
        kind = str(weights[whole[0]].dtype).removeprefix("torch.")
        raise FreqmapsError(f"{what}: '{whole[0]}' is {kind}, expected floats; save the weights before quantising them")
    lower = {weights[n].dtype for n in weights if weights[n].is_floating_point() and weights[n].dtype.itemsize < 4}
    if lower:
        kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in lower))
        _log.info("%s: the weights are %s and are computed with as float32", what, kinds)
    return {n: t.float() if t.dtype in lower else t for n, t in weights.items()}
