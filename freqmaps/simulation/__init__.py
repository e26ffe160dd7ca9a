"""Simulations: random experiments that need neither dataset nor network; their results are keyed.

A component of this folder is a module with ``compute(*, seed, ...)``. It returns rows, plain mappings that all have the
same keys, ``measure``, ``value``, ``n``, ``low`` and ``high`` among them, as evaluations do; or a :class:`Simulated`
that also has labelled arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Simulated:
    """The result of a simulation: rows, and labelled arrays, which are stored in ``arrays.zarr.zip``."""

    rows: Sequence[Mapping[str, Any]]
    arrays: xr.Dataset | None = None
