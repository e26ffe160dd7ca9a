"""Convolution and batch norm whose input gradients are cheap to differentiate again.

PyTorch differentiates the backward pass of batch norm in some thirty passes over the activations, and the weight
gradient of a convolution's backward pass by a convolution whose kernel is as large as the image. On a CPU a step with a
regulariser of the input gradient then takes five times as long as one without. The same derivatives are written here in
few passes, for what a network calls while :func:`cheap` is open; everything else is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_PIXELS = (0, 2, 3)
#: Whether the gradient that is being computed is that of the images alone: weight gradients are then left out.
_images_alone = [False]


@contextmanager
def of_images_alone() -> Iterator[None]:
    """Leave weight gradients out of the backward passes in a block, whose graph :func:`cheap` has recorded."""
    before = _images_alone[0]
    _images_alone[0] = True
    try:
        yield
    finally:
        _images_alone[0] = before


class cheap(TorchFunctionMode):
    """Within this block networks record their 2-D convolutions and batch norms so that second derivatives are cheap."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Take over the calls that are known, and leave all others alone."""
        keywords = dict(kwargs or {})
        if func is torch.conv2d and len(args) == 7 and _known(args[0]) and not isinstance(args[4], str):
            return _Convolution.apply(*args)
        if func is F.batch_norm and _known(args[0]):
            return _batch_norm(*args, **keywords)
        return func(*args, **keywords)


def _known(x: Any) -> bool:
    """Whether x is a batch of images in full precision: under autocast PyTorch casts what is computed with."""
    full = isinstance(x, Tensor) and x.ndim == 4 and x.dtype in (torch.float32, torch.float64)
    return full and not torch.is_autocast_enabled(x.device.type)


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return what ``torch.nn.functional.batch_norm`` does, whose arguments these are."""
    if not training or weight is None or bias is None or x.numel() == x.shape[1]:
        return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    normalised: Tensor = _BatchNorm.apply(x, weight, bias, running_mean, running_var, momentum, eps)
    return normalised


class _Convolution(Function):
    """``torch.conv2d``."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias, ctx.geometry = bias is not None, (stride, padding, dilation, groups)
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (dy,), (x, weight) = gradients, ctx.saved_tensors
        dx = _ConvolutionInput.apply(dy, x.detach(), weight, ctx.geometry) if ctx.needs_input_grad[0] else None
        if _images_alone[0]:
            return dx, *[None] * 6
        masks = [False, ctx.needs_input_grad[1], ctx.bias and ctx.needs_input_grad[2]]
        _, dw, db = _backward(dy, x, weight, ctx.geometry, masks)
        return dx, dw, db, None, None, None, None


class _ConvolutionInput(Function):
    """The gradient of a convolution in its input, which is linear in ``dy`` and in the weights."""

    @staticmethod
    def forward(ctx: Any, dy: Tensor, x: Tensor, weight: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(dy, weight)
        ctx.geometry = geometry
        dx: Tensor = _backward(dy, x, weight, geometry, [True, False, False])[0]
        return dx

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (v,), (dy, weight) = gradients, ctx.saved_tensors
        gdy = torch.conv2d(v, weight, None, *ctx.geometry) if ctx.needs_input_grad[0] else None
        gw = _backward(dy, v, weight, ctx.geometry, [False, True, False])[1] if ctx.needs_input_grad[2] else None
        return gdy, None, gw, None


def _backward(dy: Tensor, x: Tensor, weight: Tensor, geometry: tuple[Any, ...], masks: list[bool]) -> Any:
    stride, padding, dilation, groups = geometry
    pairs = [[n, n] if isinstance(n, int) else list(n) for n in (stride, padding, dilation)]
    return torch.ops.aten.convolution_backward(dy, x, weight, [weight.shape[0]], *pairs, False, [0, 0], groups, masks)


class _BatchNorm(Function):
    """``torch.batch_norm`` of (n, c, h, w) with the batch's own statistics and a weight."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Any, variance: Any, momentum: float, epsilon: float
    ) -> Tensor:
        y, own_mean, inverse = torch.native_batch_norm(x, weight, bias, mean, variance, True, momentum, epsilon)
        ctx.save_for_backward(x, weight, own_mean, inverse)
        ctx.epsilon = epsilon
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        input_gradients = _BatchNormBackward.apply(*gradients, *ctx.saved_tensors, ctx.epsilon)
        return *input_gradients, None, None, None, None


class _BatchNormBackward(Function):
    """Its backward pass: with x̂ = (x - mean) s and a = weight · s, dx = a (dy - mean of dy - x̂ · mean of dy x̂)."""

    @staticmethod
    def forward(ctx: Any, dy: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, epsilon: float) -> Any:
        gradients = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, None, None, mean, inverse, True, epsilon, [True, True, True]
        )
        ctx.save_for_backward(dy, x, weight, mean, inverse, gradients[1], gradients[2])
        return gradients

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (v, gw, gb), (dy, x, weight, mean, s, dw, db) = gradients, ctx.saved_tensors
        n = x.numel() / x.shape[1]
        normal = (x - _channels(mean)).mul_(_channels(s))
        sums, products = v.sum(_PIXELS), (v * normal).sum(_PIXELS)
        # Of v and dx / a, by channel: the derivative of a.
        along = (v * dy).sum(_PIXELS) - (sums * db + products * dw) / n
        a = weight * s
        of_normal, of_one = gw - a * products / n, gb - a * sums / n
        gdy = torch.addcmul(_channels(of_one), normal, _channels(of_normal)).addcmul_(v, _channels(a))
        # The derivative in x̂ is by_v · v + of_normal · dy; from there to x, and through s, which depends on x too.
        by_v = -a * dw / n
        mean_of, mean_with = (by_v * sums + of_normal * db) / n, (by_v * products + of_normal * dw) / n
        gx = torch.addcmul(
            _channels(-s * mean_of), normal, _channels(-s * mean_with - weight * along * s**2 / n)
        ).addcmul_(v, _channels(s * by_v)).addcmul_(dy, _channels(s * of_normal))  # fmt: skip
        return gdy, gx, s * along, None, None, None


def _channels(values: Tensor) -> Tensor:
    return values[None, :, None, None]
