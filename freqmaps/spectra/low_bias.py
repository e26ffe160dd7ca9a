"""B_low, the low-frequency bias of a spectrum (C22, section 3.1), in logarithms, of arrays and tensors.

Of magnitudes M_ij, with rows i and columns j from the lowest to the highest frequency,

    B_low = sum over j of prod over i of M_ij^(α_i)  +  sum over i of prod over j of M_ij^(α_j)     (equation 10)

with exponents α that fall evenly from 1 at the lowest to -1 at the highest frequency of an axis (equation 9). A product
of dozens of magnitudes leaves the range of floats, so only log B_low is ever computed, from sums of logarithms. It is
also what the paper's tables call B_low: its released code reports the logarithm.

What the paper leaves open, or its code does otherwise, is a choice here:

* *Whose spectrum.* The text takes B_low of each image's Jacobian. The code averages magnitudes over channels and over
  the batch first, and takes one B_low of the mean: ``batch="mean"``, the default; ``batch="each"`` is the text's.
* *Which half of each axis.* The frequencies with ky >= 0 and kx >= 0 are only half of those that a real image has to
  itself: (ky, -kx) is no mirror image of (ky, kx). The code takes ky, kx = 0 ... n // 2, the ``first`` quadrant;
  ``second`` is that of (ky, -kx), ``mean`` the mean of the two magnitudes, which treats both diagonals alike.
* *Small numbers.* The code adds 1e-5 to magnitudes and to exponents. The former bounds the logarithm where a frequency
  is absent; it also makes B_low depend on the scale of the magnitudes where these are small. With the latter the
  exponents do not sum to 0: a factor c in all magnitudes moves the logarithm of each product by n · 1e-5 · log c.
  Without both, B_low does not depend on the scale at all, and is NaN or infinite where a magnitude is 0.

The transform is not normalised. Everything is in float64, on Apple's GPUs, which have none, in float32.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, is_tensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Quadrant = Literal["first", "second", "mean"]
Batch = Literal["mean", "each"]

#: What the released code adds to magnitudes and to exponents.
EPSILON = 1e-5


def exponents(n: int, epsilon: float = EPSILON) -> NDArray[np.float64]:
    """Return the exponents α of an axis of n frequencies, from the lowest to the highest (C22, equations 8 and 9).

    Parameters
    ----------
    n
        Number of frequencies, at least 2.
    epsilon
        What is added to all of them.

    Returns
    -------
    ndarray of float64, shape (n,)
        Evenly spaced from ``1 + epsilon`` to ``-1 + epsilon``.

    Raises
    ------
    FreqmapsError
        ``n`` is below 2: one frequency has no low and high end.

    Examples
    --------
    >>> exponents(5, epsilon=0.0).tolist()
    [1.0, 0.5, 0.0, -0.5, -1.0]
    """
    if n < 2:
        raise FreqmapsError(
            f"B_low needs at least 2 frequencies per axis, there is {n}; give images of 2 pixels or more"
        )
    return np.linspace(1.0, -1.0, n) + epsilon


@overload
def low_quadrant(x: Tensor, quadrant: Quadrant = "first") -> Tensor: ...


@overload
def low_quadrant(x: ArrayLike, quadrant: Quadrant = "first") -> NDArray[np.float64]: ...


def low_quadrant(x: Any, quadrant: Quadrant = "first") -> Any:
    """Return ``|F x|`` at the frequencies 0 ... n // 2 of both axes, lowest first.

    Parameters
    ----------
    x
        Real images, perturbations or gradients, shape (..., h, w).
    quadrant
        ``first``: at (ky, kx); ``second``: at (ky, -kx); ``mean``: the mean of both.

    Returns
    -------
    ndarray or Tensor of float64, shape (..., h // 2 + 1, w // 2 + 1)
        Of the unnormalised transform: entry ``[..., 0, 0]`` is the size of the sum over pixels. 17×17 at 32×32.
    """
    values = _wide(x)
    if values.ndim < 2:
        raise FreqmapsError(f"B_low: an array of {values.ndim} axes; give at least height and width")
    xp = array_module(values)
    plane = xp.abs(xp.fft.rfft2(values))
    height = values.shape[-2]
    first = plane[..., : height // 2 + 1, :]
    if quadrant == "first":
        return first
    # Of a real image |F(ky, -kx)| = |F(-ky, kx)|: row n - ky of the same half plane.
    # By slices: a list of rows would be copied to a GPU, which waits for it.
    others = xp.flip(plane[..., height - height // 2 :, :], (-2,))
    second = xp.concatenate((plane[..., :1, :], others), -2)
    return second if quadrant == "second" else (first + second) / 2


def first_quadrant(plane: ArrayLike) -> NDArray[Any]:
    """Return the part of a full plane with ky, kx = 0 ... n // 2, lowest frequency first.

    Parameters
    ----------
    plane
        Magnitudes, shape (..., h, w), the origin in the middle.

    Returns
    -------
    ndarray, shape (..., h // 2 + 1, w // 2 + 1)
        Of the spectrum of a real image what :func:`low_quadrant` returns.

    Examples
    --------
    >>> first_quadrant(np.arange(16).reshape(4, 4)).tolist()
    [[10, 11, 8], [14, 15, 12], [2, 3, 0]]
    """
    values = np.asarray(plane)
    rows, columns = ([(n // 2 + k) % n for k in range(n // 2 + 1)] for n in values.shape[-2:])
    return values[..., rows, :][..., columns]


@overload
def log_products(
    magnitudes: Tensor, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON
) -> tuple[Tensor, Tensor]: ...


@overload
def log_products(
    magnitudes: ArrayLike, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


def log_products(
    magnitudes: Any, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON
) -> tuple[Any, Any]:
    """Return the logarithm of each product whose sum is B_low (C22, equation 7, along each axis).

    Parameters
    ----------
    magnitudes
        Shape (..., rows, columns), not negative, lowest frequency first: see :func:`low_quadrant`.
    magnitude_epsilon, exponent_epsilon
        What is added to magnitudes and to exponents.

    Returns
    -------
    columns, rows
        float64, shapes (..., columns) and (..., rows): for each column j the sum over i of α_i log M_ij, for each row i
        the sum over j of α_j log M_ij.
    """
    values = _wide(magnitudes)
    if values.ndim < 2:
        raise FreqmapsError(f"B_low: magnitudes of {values.ndim} axes; give at least rows and columns")
    logs = array_module(values).log(values + magnitude_epsilon)
    down, across = (_exponents(n, exponent_epsilon, logs) for n in logs.shape[-2:])
    return (logs * down[:, None]).sum(-2), (logs * across).sum(-1)


@overload
def log_low_bias(
    magnitudes: Tensor, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON
) -> Tensor: ...


@overload
def log_low_bias(
    magnitudes: ArrayLike, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON
) -> NDArray[np.float64]: ...


def log_low_bias(magnitudes: Any, *, magnitude_epsilon: float = EPSILON, exponent_epsilon: float = EPSILON) -> Any:
    """Return log B_low of magnitudes (C22, equation 10), natural logarithm.

    Parameters
    ----------
    magnitudes
        Shape (..., rows, columns), not negative, lowest frequency first: see :func:`low_quadrant`.
    magnitude_epsilon, exponent_epsilon
        What is added to magnitudes and to exponents; the module says why.

    Returns
    -------
    ndarray or Tensor of float64, shape (...)
        Log of the number of rows and columns for a flat spectrum of ones; larger the more the low frequencies have.

    Raises
    ------
    FreqmapsError
        Fewer than 2 rows or columns.
    """
    columns, rows = log_products(magnitudes, magnitude_epsilon=magnitude_epsilon, exponent_epsilon=exponent_epsilon)
    xp = array_module(columns)
    logs = xp.concatenate((columns, rows), axis=-1)
    # The largest is taken out of the sum, so that no exponential overflows; where it is not finite, nothing is.
    top = xp.amax(logs, axis=-1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    return xp.log(xp.exp(logs - top).sum(-1)) + top[..., 0]


@overload
def image_low_bias(
    images: Tensor,
    *,
    batch: Batch = "mean",
    quadrant: Quadrant = "first",
    magnitude_epsilon: float = EPSILON,
    exponent_epsilon: float = EPSILON,
) -> Tensor: ...


@overload
def image_low_bias(
    images: ArrayLike,
    *,
    batch: Batch = "mean",
    quadrant: Quadrant = "first",
    magnitude_epsilon: float = EPSILON,
    exponent_epsilon: float = EPSILON,
) -> NDArray[np.float64]: ...


def image_low_bias(
    images: Any,
    *,
    batch: Batch = "mean",
    quadrant: Quadrant = "first",
    magnitude_epsilon: float = EPSILON,
    exponent_epsilon: float = EPSILON,
) -> Any:
    """Return log B_low of images, perturbations or Jacobians, their magnitudes averaged over channels first.

    Parameters
    ----------
    images
        (n, c, h, w), real.
    batch
        ``mean``: magnitudes are averaged over the n images as well, and there is one B_low; ``each``: one per image.
    quadrant, magnitude_epsilon, exponent_epsilon
        As for :func:`low_quadrant` and :func:`log_low_bias`.

    Returns
    -------
    ndarray or Tensor of float64
        Shape () or (n,).
    """
    magnitudes = low_quadrant(images, quadrant)
    if magnitudes.ndim != 4:
        raise FreqmapsError(f"B_low: images of {magnitudes.ndim} axes; give samples, channels, height and width")
    averaged = magnitudes.mean((0, 1) if batch == "mean" else 1)
    return log_low_bias(averaged, magnitude_epsilon=magnitude_epsilon, exponent_epsilon=exponent_epsilon)


def _wide(values: Any) -> Any:
    return values.float() if is_tensor(values) and values.device.type == "mps" else doubles(values)


def _exponents(n: int, epsilon: float, values: Any) -> Any:
    return _on_device(n, epsilon, values.device) if is_tensor(values) else exponents(n, epsilon)


@cache
def _on_device(n: int, epsilon: float, device: torch.device) -> Tensor:
    """Return the exponents on a device, kept there: copied in every step of a training, they would make it wait."""
    import torch  # has been imported by whoever has a tensor

    array = exponents(n, epsilon)
    # Cast before it moves: Apple's GPUs hold no float64.
    return torch.from_numpy(array.astype(np.float32) if device.type == "mps" else array).to(device)
