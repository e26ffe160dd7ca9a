"""Simulations: what can be drawn and computed without any dataset or network, kept as keyed results.

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
    """What a simulation found: rows, and labelled arrays, which are kept in ``arrays.zarr.zip``."""

    rows: Sequence[Mapping[str, Any]]
    arrays: xr.Dataset | None = None
