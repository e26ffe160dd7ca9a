"""A pretended accelerator: tensors with values on the CPU that refuse to meet tensors of the CPU, as a GPU's do.

Device code can so be run, and compared with the CPU's numbers, on a machine without a GPU. The pretended device is
called ``meta``, whose name autograd needs no driver for; a tensor on it is a wrapper around a CPU tensor. Within
:func:`accelerator` an operation on both kinds of tensors raises what CUDA raises, ``.numpy()`` of a device's tensor
does too, a generator must be the device's own, and every wait for the device and every copy to it is counted.
"""

from __future__ import annotations

import collections
import contextlib
import traceback
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch._dynamo  # dispatch modes import it, which must not happen within one
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from freqmaps.core.components import PACKAGE

DEVICE = torch.device("meta")
_aten = torch.ops.aten
#: Operations of which some arguments may lie on the CPU: copies between devices, and places given as indices.
_CROSSING = {_aten._to_copy, _aten.copy_, _aten.index, _aten.index_put_, _aten.index_put, _aten._index_put_impl_}
#: Operations that wait until the device is done, since a value or a shape depends on it.
_WAITING = {
    _aten._local_scalar_dense: "item", _aten.nonzero: "nonzero", _aten.masked_select: "masked_select",
    _aten.equal: "equal", _aten.is_nonzero: "bool", _aten._unique2: "unique", _aten.unique_dim: "unique",
}  # fmt: skip
_INDEXING = {_aten.index, _aten.index_put_, _aten.index_put, _aten._index_put_impl_}
_TENSOR_FROM_DATA = (torch.tensor, torch.as_tensor, torch.asarray)


class Elsewhere(torch.Tensor):
    """A tensor of the pretended device, around one of the CPU."""

    @staticmethod
    def __new__(cls, real):
        return torch.Tensor._make_wrapper_subclass(
            cls, real.size(), strides=real.stride(), storage_offset=real.storage_offset(), dtype=real.dtype,
            layout=real.layout, device=DEVICE,
        )  # fmt: skip

    def __init__(self, real):
        self._held = real

    def __repr__(self, **_):
        return f"Elsewhere({self._held!r})"

    def __reduce_ex__(self, protocol):
        return self._held.__reduce_ex__(protocol)

    __torch_function__ = torch._C._disabled_torch_function_impl
    __module__ = "torch"  # eagerpy, below Foolbox, knows tensors by their module

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class Accelerator:
    """What was seen, by the line of the package that asked: waits for the device, and copies of tensors to it."""

    def __init__(self):
        self.waits = collections.Counter()
        self.copies = collections.Counter()

    def note(self, what, counter=None):
        # Not by the word in the path: a clone is called after the package, and its environment lies in it.
        frames = [f for f in traceback.extract_stack() if f.filename.startswith(f"{PACKAGE}/")]
        place = f"{Path(frames[-1].filename).relative_to(PACKAGE)}:{frames[-1].name}" if frames else "elsewhere"
        (self.waits if counter is None else counter)[place, what] += 1


class _Generator(torch.Generator):
    """A generator of the pretended device or of the CPU; either draws on the CPU."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls, "cpu")
        made.where = torch.device(device).type
        return made


_current: Accelerator | None = None


def _run(func, args, kwargs):
    flat, _ = tree_flatten((args, kwargs))
    tensors = [t for t in flat if isinstance(t, torch.Tensor)]
    there = [t for t in tensors if isinstance(t, Elsewhere)]
    if any(t.device.type == DEVICE.type for t in tensors if not isinstance(t, Elsewhere)):
        raise AssertionError(f"{func}: a tensor without values, which came about where this module does not look")
    asked = kwargs.get("device")
    asked = None if asked is None else torch.device(asked)
    packet = func.overloadpacket
    if there and packet not in _CROSSING and any(_here(t) and t.dim() for t in tensors):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, meta and cpu! ({func})"
        )
    result_there = bool(there) if asked is None else asked.type == DEVICE.type
    if packet is _aten.copy_:
        result_there = isinstance(args[0], Elsewhere)
    if _current is not None:
        _look(packet, args, there, result_there)
    wrappers = {id(t._held): t for t in there}
    plain_args, plain_kwargs = tree_map(lambda t: t._held if isinstance(t, Elsewhere) else t, (args, kwargs))
    if asked is not None and asked.type == DEVICE.type:
        plain_kwargs = plain_kwargs | {"device": torch.device("cpu")}
    out = func(*plain_args, **plain_kwargs)

    def wrapped(value):
        if not isinstance(value, torch.Tensor):
            return value
        # Marks that a tensor is to be read conjugated or negated are lost on the way through here: do it at once.
        if value.is_conj() or value.is_neg():
            value = torch.resolve_neg(torch.resolve_conj(value))
        return wrappers.get(id(value)) if id(value) in wrappers else Elsewhere(value) if result_there else value

    return tree_map(wrapped, out)


def _here(tensor):
    return not isinstance(tensor, Elsewhere)


def _comes_in(packet, args, result_there):
    """Return whether an operation copies a tensor of the CPU to the device, as places in an index are, too."""
    if packet in (_aten._to_copy, _aten.copy_):
        return result_there and _here(args[1 if packet is _aten.copy_ else 0])
    indices = args[1] if packet in _INDEXING and isinstance(args[0], Elsewhere) else ()
    return any(isinstance(i, torch.Tensor) and _here(i) for i in indices)


def _look(packet, args, there, result_there):
    if _comes_in(packet, args, result_there):
        _current.note("to the device", _current.copies)
    if not there:
        return
    if packet in _WAITING:
        _current.note(_WAITING[packet])
    elif packet in (_aten._to_copy, _aten.copy_) and not result_there:
        _current.note("to the CPU")
    elif packet in _INDEXING and any(
        isinstance(i, torch.Tensor) and i.dtype in (torch.bool, torch.uint8) for i in args[1]
    ):
        _current.note("mask")


class _Autocast(torch.autocast):
    """Autocast does not know the device ``meta``."""

    def __init__(self, device_type, *args, **kwargs):
        super().__init__("cpu" if device_type == DEVICE.type else device_type, *args, **kwargs)


_is_autocast_enabled = torch.is_autocast_enabled


def _autocast_enabled(device_type="cpu"):
    return _is_autocast_enabled("cpu" if device_type == DEVICE.type else device_type)


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _index(index):
    """Return an index whose lists and ranges are tensors: of those, too, the real ``meta`` would drop the values."""
    if isinstance(index, tuple):
        return tuple(_index(one) for one in index)
    return torch.tensor(list(index)) if isinstance(index, list | range | np.ndarray) else index


def _tolist(tensor):
    _current.note("to the CPU")
    return tensor._held.tolist()


class _Functions(TorchFunctionMode):
    """Look at generators, and make tensors from data on the CPU first: the real ``meta`` device drops the values."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        generator = kwargs.get("generator")
        if generator is not None:
            tensor = next((a for a in args if isinstance(a, torch.Tensor)), None)
            wanted = torch.device(device or "cpu").type if tensor is None else tensor.device.type
            if getattr(generator, "where", "cpu") != wanted:
                raise RuntimeError(f"Expected a '{wanted}' device type for generator ({func.__name__})")
        if func in _TENSOR_FROM_DATA and device is not None and torch.device(device).type == DEVICE.type:
            kwargs["device"] = "cpu"
            if isinstance(args[0], Elsewhere):
                return args[0]
            return func(*args, **kwargs).to(DEVICE)
        if args and isinstance(args[0], Elsewhere):
            if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
                args = (args[0], _index(args[1]), *args[2:])
            if func is torch.Tensor.new_tensor:
                return func(args[0]._held, *args[1:], **kwargs).to(DEVICE)
            if func is torch.Tensor.tolist:
                return _tolist(args[0])
            if func is torch.Tensor.numpy:
                raise TypeError("can't convert a tensor of the device to numpy; use Tensor.cpu() first")
        return func(*args, **kwargs)


@contextlib.contextmanager
def accelerator():
    """Pretend that there is a device; yield what is seen of it."""
    global _current
    before, _current = _current, Accelerator()
    try:
        with (
            mock.patch.object(torch, "Generator", _Generator),
            mock.patch.object(torch, "autocast", _Autocast),
            mock.patch.object(torch, "is_autocast_enabled", _autocast_enabled),
            _Functions(),
            _Dispatch(),
        ):
            yield _current
    finally:
        _current = before


def values(tensor):
    """Return the values of a tensor of the pretended device, on the CPU, without a wait that counts."""
    return tensor._held.detach() if isinstance(tensor, Elsewhere) else tensor.detach()
