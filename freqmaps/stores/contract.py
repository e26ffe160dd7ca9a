"""Contracts of stores: the dims, dtypes, coordinates and attributes that are checked on write and on open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.core.errors import StoreError, nearest

if TYPE_CHECKING:
    import xarray as xr

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Variable:
    """One array of a store.

    Parameters
    ----------
    dims
        Names of its dimensions, in order.
    dtypes
        NumPy dtype names it may have; ``"str"`` for text.
    finite
        Whether NaN and infinities are refused.
    limits
        Closed interval that all values lie in, or None.
    """

    dims: tuple[str, ...]
    dtypes: tuple[str, ...]
    finite: bool = True
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Contract:
    """A kind of store: its variables and coordinates, required attributes, and any further check.

    Where a kind has several layouts, ``layouts`` has, by the value of the attribute ``layout``, the variables that only
    that layout has, or has otherwise than ``variables`` says. A store without the attribute has the first one.
    """

    kind: str
    variables: Mapping[str, Variable]
    attributes: tuple[str, ...] = ()
    optional: Mapping[str, Variable] = field(default_factory=dict)
    further: Callable[[xr.Dataset], str | None] | None = None
    layouts: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)

    def expected(self, attributes: Mapping[str, Any], where: str) -> Mapping[str, Variable]:
        """Return the variables that a store with these attributes must have.

        Raises
        ------
        StoreError
            Its layout is not one of this kind.
        """
        if not self.layouts:
            return self.variables
        name = attributes.get("layout", next(iter(self.layouts)))
        if name not in self.layouts:
            raise StoreError(f"{where}: no layout '{name}' of {self.kind} stores; {nearest(str(name), self.layouts)}")
        return {**self.variables, **self.layouts[name]}

    def validate(self, dataset: xr.Dataset, where: str, *, values: bool = True) -> None:
        """Check a dataset against the contract.

        Parameters
        ----------
        dataset
            The store's content.
        where
            The place to name in messages.
        values
            Also read the values (finite, within limits); without, only names, dims, dtypes and attributes.

        Raises
        ------
        StoreError
            Naming the first breach.
        """
        kind = dataset.attrs.get("kind")
        if kind != self.kind:
            raise StoreError(f"{where}: expected a {self.kind} store, found {kind!r}")
        missing = [a for a in self.attributes if a not in dataset.attrs]
        if missing:
            raise StoreError(f"{where}: attributes missing: {', '.join(missing)}")
        for name, variable in self.expected(dataset.attrs, where).items():
            if name not in dataset.variables:
                raise StoreError(f"{where}: variable '{name}' is missing from this {self.kind} store")
            self._check(dataset[name], variable, f"{where}: '{name}'", values)
        for name, variable in self.optional.items():
            if name in dataset.variables:
                self._check(dataset[name], variable, f"{where}: '{name}'", values)
        if "sample" in dataset.coords:
            ids = dataset["sample"].values
            if len(np.unique(ids)) != len(ids):
                raise StoreError(f"{where}: sample ids are not unique")
        problem = self.further(dataset) if self.further and values else None
        if problem:
            raise StoreError(f"{where}: {problem}")

    @staticmethod
    def _check(array: xr.DataArray, variable: Variable, where: str, values: bool) -> None:
        if array.dims != variable.dims:
            raise StoreError(f"{where} has dims {array.dims}, expected {variable.dims}")
        name = "str" if array.dtype.kind in "OUT" else array.dtype.name
        if name not in variable.dtypes:
            raise StoreError(f"{where} has dtype {name}, expected {' or '.join(variable.dtypes)}")
        if not values or array.size == 0 or array.dtype.kind not in "fiu":
            return
        block = _rows_per_block(array)
        for start in range(0, array.shape[0] if array.ndim else 1, block):
            _check_values(array[start : start + block] if array.ndim else array, variable, where, start)


def _rows_per_block(array: xr.DataArray) -> int:
    per_row = max(1, array.size // max(1, array.shape[0])) if array.ndim else 1
    return int(max(1, 2**24 // per_row))


def _check_values(part: xr.DataArray, variable: Variable, where: str, start: int) -> None:
    data: Any = part.values
    if variable.finite and data.dtype.kind == "f" and not np.isfinite(data).all():
        first = np.argwhere(~np.isfinite(data))[0]
        place = (int(first[0]) + start, *map(int, first[1:])) if len(first) else ()
        raise StoreError(f"{where} holds NaN or infinity, first at index {place}")
    known = data[~np.isnan(data)] if data.dtype.kind == "f" else data
    if variable.limits and known.size:
        low, high = float(known.min()), float(known.max())
        if low < variable.limits[0] or high > variable.limits[1]:
            raise StoreError(f"{where} spans [{low:g}, {high:g}], allowed is {list(variable.limits)}")
