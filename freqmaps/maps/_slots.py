"""The state of the maps that are being optimised together, and one step of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from freqmaps.maps.objectives._api import Objective
from freqmaps.maps.planes import own_mirror
from freqmaps.maps.settings import MapSettings

BETAS = (0.9, 0.999)
EPSILON = 1e-8
#: The one-cycle schedule of torch's OneCycleLR: the share of rising steps, the first and the last rate, of the largest.
RISE, FIRST, LAST = 0.3, 1 / 25, 1 / 25 / 1e4


def wide_float(device: torch.device) -> torch.dtype:
    """Return the dtype for losses: float64, but for Apple's GPUs, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass
class Slots:
    """b images in progress, one per row of every tensor.

    Attributes
    ----------
    spectrum
        (b, c, h, w // 2 + 1) complex64: F x.
    target, context
        (b,) and (b, ...): what the objective needs.
    map, first, second
        Like ``spectrum``, float32: the map M, and Adam's moments of its gradient.
    steps
        (b,) int64: steps made.
    quiet
        (b,) int64: how many steps running the loss has been settled; counted only if the stopping rule asks.
    losses
        (b, window): the last losses, as a ring; 0 where there is none yet.
    loss
        (b,): the last loss.
    active
        (b,) bool: still to be optimised. The map of an inactive row does not change.
    converged, finite
        (b,) bool: how it ended; whether every loss was a number.
    """

    spectrum: Tensor
    target: Tensor
    context: Tensor
    map: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor
    quiet: Tensor
    losses: Tensor
    loss: Tensor
    active: Tensor
    converged: Tensor
    finite: Tensor

    @classmethod
    def start(cls, images: Tensor, target: Tensor, context: Tensor, window: int) -> Slots:
        """Return the state before the first step: M = 1."""
        spectrum = torch.fft.rfft2(images)
        b, device = len(images), images.device
        ones = torch.ones_like(spectrum.real, memory_format=torch.contiguous_format)
        loss = torch.zeros(b, dtype=wide_float(device), device=device)
        true = torch.ones(b, dtype=torch.bool, device=device)
        return cls(
            spectrum=spectrum,
            target=target,
            context=context,
            map=ones,
            first=torch.zeros_like(ones),
            second=torch.zeros_like(ones),
            steps=torch.zeros(b, dtype=torch.int64, device=device),
            quiet=torch.zeros(b, dtype=torch.int64, device=device),
            losses=loss.new_zeros(b, window),
            loss=loss,
            active=true,
            converged=~true,
            finite=true.clone(),
        )

    def __len__(self) -> int:
        return len(self.target)

    def select(self, rows: Tensor) -> Slots:
        """Return a copy of some rows."""
        return Slots(**{f.name: getattr(self, f.name).index_select(0, rows) for f in fields(self)})

    def write(self, rows: Tensor, other: Slots) -> None:
        """Put the rows of another state in place of some of these."""
        for field in fields(self):
            getattr(self, field.name).index_copy_(0, rows, getattr(other, field.name))


def filtered(slots: Slots, width: int) -> Tensor:
    """Return x_F = Re F⁻¹(M ⊙ F x) (Basile et al., eq. 1), shape (b, c, h, width)."""
    image: Tensor = torch.fft.irfft2(slots.spectrum * slots.map, s=(slots.map.shape[-2], width))
    return image


def advance(slots: Slots, net: nn.Module, objective: Objective, weight: Tensor, width: int, cfg: MapSettings) -> None:
    """Make one step of every active row: losses, gradient, Adam, clamp, stopping rule.

    A row whose quiet steps are enough stops before its step if the network gives the target on its map as it stands.

    Memory is asked for before anything is changed, so that a state survives running out of it.
    """
    with torch.no_grad():
        image = filtered(slots, width)
    with torch.enable_grad():
        logits = net(image.requires_grad_())
        data = objective.loss(logits, slots.target, slots.context)
        (towards_image,) = torch.autograd.grad(data.sum(), image)
    with torch.no_grad():
        penalty, gradient = objective.penalty(slots.map, weight)
        gradient += _towards_map(towards_image, slots.spectrum, width)
        scratch = torch.empty_like(gradient)
        _stop_quiet(slots, logits, cfg)
        _record(slots, data.detach().to(slots.loss.dtype) + penalty.to(slots.loss.dtype), cfg)
        _adam(slots, gradient, scratch, cfg)
        _stop(slots, cfg)


def _towards_map(towards_image: Tensor, spectrum: Tensor, width: int) -> Tensor:
    """Return dL/dM per full-plane entry, Re(conj(F x) ⊙ F(dL/dx_F)) / (h w), on the half plane.

    x_F[n] = Re Σ_k M[k] X[k] exp(iω·kn) / (h w), so dL/dM[k] = Σ_n g[n] Re(X[k] exp(iω·kn)) / (h w).
    """
    gradient = torch.fft.rfft2(towards_image, norm="forward")
    a, b = torch.view_as_real(spectrum), torch.view_as_real(gradient)
    result = (a[..., 0] * b[..., 0]).addcmul_(a[..., 1], b[..., 1])
    # These columns hold ky and -ky. Their gradients are equal but for rounding, which Adam blows up where the
    # gradient vanishes; equal to the last bit, they keep the map symmetric and its transform real.
    for column in own_mirror(width):
        part = result[..., column]
        part.copy_((part + part.flip(-1).roll(1, -1)).mul_(0.5))
    return result


def _record(slots: Slots, loss: Tensor, cfg: MapSettings) -> None:
    slots.losses.scatter_(1, (slots.steps % cfg.window)[:, None], loss[:, None])
    slots.loss.copy_(torch.where(slots.active, loss, slots.loss))
    slots.finite.logical_and_(torch.isfinite(loss) | ~slots.active)
    slots.steps.add_(slots.active)


def _adam(slots: Slots, gradient: Tensor, scratch: Tensor, cfg: MapSettings) -> None:
    """Adam (Kingma & Ba, algorithm 1) with each row's own step number, then the projection on [0, 1]."""
    t = slots.steps.to(slots.loss.dtype)
    step_size = (
        cfg.learning_rate * slots.active * (one_cycle(t, cfg.max_steps + 1) if cfg.schedule == "one_cycle" else 1)
    )
    rate = (step_size / (1 - BETAS[0] ** t)).to(gradient.dtype)[:, None, None, None]
    root = (1 - BETAS[1] ** t).sqrt().to(gradient.dtype)[:, None, None, None]
    slots.first.lerp_(gradient, 1 - BETAS[0])
    slots.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    torch.sqrt(slots.second, out=scratch).div_(root).add_(EPSILON)
    torch.div(slots.first, scratch, out=scratch)
    slots.map.addcmul_(scratch, rate, value=-1).clamp_(0, 1)


def one_cycle(step: Tensor, steps: int) -> Tensor:
    """Return the learning rate of each row's step, 1 to ``steps``, as a share of the largest (torch's OneCycleLR)."""
    peak = RISE * steps - 1
    rising = (step - 1) / peak if peak > 0 else torch.full_like(step, 2.0)
    falling = (step - 1 - peak) / (steps - 1 - peak)
    up = 1 + (FIRST - 1) / 2 * (1 + torch.cos(math.pi * rising))
    down = LAST + (1 - LAST) / 2 * (1 + torch.cos(math.pi * falling))
    return torch.where(rising <= 1, up, down)


def _stop_quiet(slots: Slots, logits: Tensor, cfg: MapSettings) -> None:
    if cfg.stop == "quiet":
        kept = logits.argmax(dim=1) == slots.target
        stopped = slots.active & kept & (slots.quiet >= cfg.patience) & (slots.steps > cfg.min_steps)
        slots.converged.logical_or_(stopped)
        slots.active.logical_and_(~stopped)


def _stop(slots: Slots, cfg: MapSettings) -> None:
    mean = slots.losses.sum(dim=1) / slots.steps.clamp(max=cfg.window)
    settled = (slots.loss - mean).abs() < cfg.tolerance
    if cfg.stop == "quiet":
        slots.quiet.add_(1).mul_(settled)
    else:
        converged = slots.active & settled & (slots.steps > cfg.min_steps)
        slots.converged.logical_or_(converged)
        slots.active.logical_and_(~converged)
    slots.active.logical_and_(~((slots.steps > cfg.max_steps) | ~slots.finite))
