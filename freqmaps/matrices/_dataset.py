"""Pair, pool and flatten the maps of two map stores into the two matrices of one matrix store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.matrices._join import join
from freqmaps.matrices._pool import pool
from freqmaps.matrices.settings import MatrixSettings

if TYPE_CHECKING:
    import xarray as xr


def concatenate(shards: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the shards of a map store together along ``sample``, in the order given.

    Raises
    ------
    FreqmapsError
        There is none, or shards differ in their basis, their axes, or in what they are maps of.
    """
    import xarray as xr

    if not shards:
        raise FreqmapsError("matrices: no map store to read; run the maps stage first")
    for number, shard in enumerate(shards):
        _check_same(shards[0], shard, f"shard {number}", "shard 0")
        if shard.attrs.get("images") != shards[0].attrs.get("images"):
            raise FreqmapsError(
                f"matrices: shard {number} holds {shard.attrs.get('images')} maps and shard 0 "
                f"{shards[0].attrs.get('images')} ones; give shards of one kind"
            )
    return xr.concat(
        list(shards), dim="sample", data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip


def pooled(store: xr.Dataset, settings: MatrixSettings) -> xr.Dataset:
    """Put the rows that maps become in place of the maps; a dataset that has rows already is returned as it is.

    Parameters
    ----------
    store
        Some maps (contract ``freqmaps.stores.MAPS``): a shard, or a part of one, so that full planes of all samples
        need never be in memory together.
    settings
        Pooling.

    Returns
    -------
    xr.Dataset
        ``row`` (sample, feature) float32 instead of ``map``; all else as it was. :func:`concatenate` and
        :func:`matrix_dataset` take it as they take maps.

    Raises
    ------
    FreqmapsError
        The maps cannot be pooled as asked for.
    """
    if "row_of_map" in store:
        return store
    maps = store["map"]
    about = {"axes": list(maps.dims[1:]), "sizes": list(maps.shape[1:]), "shape": _shape(maps.shape[1:], settings)}
    rows = (("sample", "feature"), _rows(store, settings), about)
    return store.drop_vars("map").assign(row_of_map=rows)


def matrix_dataset(first: xr.Dataset, second: xr.Dataset, settings: MatrixSettings) -> xr.Dataset:
    """Join two sets of maps on their samples, pool and flatten them.

    Parameters
    ----------
    first
        Map store (contract ``freqmaps.stores.MAPS``) of clean images: essential maps; or what :func:`pooled` made of
        it, as for ``second``.
    second
        What a pairing made of another map store: each map carries the sample and the label of the map of ``first``
        that it is compared with.
    settings
        Pooling, and which samples to leave out.

    Returns
    -------
    xr.Dataset
        Keeps the contract ``freqmaps.stores.MATRICES``; samples in the order of ``first``. ``first_images`` and
        ``second_images`` say what the maps are of. What was left out is counted in ``only_first`` and ``only_second``
        (samples that the other set lacks) and, of the samples that both have, ``not_kept`` and ``not_converged`` (0
        unless the settings ask for it; a sample that fails on both counts is counted under ``not_kept``). With no
        sample in common the matrices are empty, not an error.

    Raises
    ------
    FreqmapsError
        The first maps are not essential ones, or the two differ in basis, shape or in a sample's label, or cannot be
        pooled as asked for.
    """
    import xarray as xr

    _check_sides(first, second)
    first, second = (pooled(store, settings) for store in (first, second))
    first_rows, second_rows, only_first, only_second = join(first["sample"].values, second["sample"].values)
    labels = first["label"].values[first_rows]
    _check_labels(first["sample"].values[first_rows], labels, second["label"].values[second_rows])
    usable, not_kept, not_converged = _chosen(first, second, first_rows, second_rows, settings)
    first_rows, second_rows = first_rows[usable], second_rows[usable]
    columns = {"first": first["row_of_map"].values[first_rows], "second": second["row_of_map"].values[second_rows]}
    return xr.Dataset(
        {name: (("sample", "feature"), matrix) for name, matrix in columns.items()}
        | {"label": ("sample", labels[usable].astype(np.int64))},
        coords={"sample": ("sample", np.array([str(s) for s in first["sample"].values[first_rows]], dtype=object))},
        attrs={
            "kind": "matrices",
            "shape": list(first["row_of_map"].attrs["shape"]),
            "pool": settings.pool,
            "basis": first.attrs.get("basis", "fourier"),
            "first_images": first.attrs["images"],
            "second_images": second.attrs["images"],
            "only_first": len(only_first),
            "only_second": len(only_second),
            "not_kept": not_kept,
            "not_converged": not_converged,
        },
    )


def _check_sides(first: xr.Dataset, second: xr.Dataset) -> None:
    if first.attrs.get("images") != "essential":
        raise FreqmapsError(
            f"matrices: the first set holds {first.attrs.get('images')} maps; give the essential maps first"
        )
    _check_same(first, second, f"the second ({second.attrs.get('images')}) maps", "the first (essential) ones")


def _check_same(first: xr.Dataset, second: xr.Dataset, second_name: str, first_name: str) -> None:
    bases = [_basis(store) for store in (first, second)]
    if bases[0] != bases[1]:
        raise FreqmapsError(
            f"matrices: {second_name} are of basis {bases[1]}, {first_name} of {bases[0]}; give maps of one setting"
        )
    (axes, first_shape), (_, second_shape) = _axes(first), _axes(second)
    shapes = [first_shape, second_shape]
    labels = [axis for axis in axes if axis in first.coords]
    if shapes[0] != shapes[1] or not all(np.array_equal(first[k].values, second[k].values) for k in labels):
        raise FreqmapsError(
            f"matrices: {second_name} have shape {shapes[1]} ({', '.join(map(str, axes))}), "
            f"{first_name} {shapes[0]}, or other frequencies; give maps of one dataset and model"
        )


def _axes(store: xr.Dataset) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names and the sizes of the axes of one map, also where only its row is left."""
    if "row_of_map" in store:
        about = store["row_of_map"].attrs
        return tuple(about["axes"]), tuple(about["sizes"])
    return tuple(map(str, store["map"].dims[1:])), store["map"].shape[1:]


def _basis(store: xr.Dataset) -> str:
    """Name a store's basis and its parameters."""
    parameters = store.attrs.get("basis_parameters", {})
    listed = ", ".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return f"{store.attrs.get('basis', 'fourier')}{f' ({listed})' if listed else ''}"


def _check_labels(
    samples: NDArray[np.object_], first_labels: NDArray[np.int64], second_labels: NDArray[np.int64]
) -> None:
    wrong = np.flatnonzero(first_labels != second_labels)
    if len(wrong):
        row = wrong[0]
        raise FreqmapsError(
            f"matrices: sample '{samples[row]}' has label {first_labels[row]} in the first set of maps and "
            f"{second_labels[row]} in the second; give maps of one dataset"
        )


def _chosen(
    first: xr.Dataset,
    second: xr.Dataset,
    first_rows: NDArray[np.int64],
    second_rows: NDArray[np.int64],
    settings: MatrixSettings,
) -> tuple[NDArray[np.bool_], int, int]:
    """Which joined samples to use, and how many fail on either count."""
    kept = np.ones(len(first_rows), dtype=bool)
    if settings.only_kept:
        kept &= first["keeps_prediction"].values[first_rows] & second["keeps_prediction"].values[second_rows]
    converged = np.ones(len(first_rows), dtype=bool)
    if settings.only_converged:
        converged &= first["converged"].values[first_rows] & second["converged"].values[second_rows]
    return kept & converged, int((~kept).sum()), int((kept & ~converged).sum())


def _rows(store: xr.Dataset, settings: MatrixSettings) -> NDArray[np.float32]:
    maps = store["map"].values
    if settings.pool == "none":
        return pool(maps, None, "mean")
    layout = store.attrs.get("layout")
    if layout == "table" or (layout == "complex_frequencies" and settings.pool == "max"):
        why = "neighbours in them mean nothing" if layout == "table" else "complex numbers have no largest one"
        raise FreqmapsError(
            f"matrices.pool: maps of basis '{store.attrs.get('basis')}' cannot be pooled by {settings.pool}, as {why}; "
            f"set pool to {'none' if layout == 'table' else 'none or mean'}"
        )
    return pool(maps, settings.size, settings.pool)


def _shape(shape: Sequence[int], settings: MatrixSettings) -> list[int]:
    """Sizes of the axes of what a row holds: for amplitudes (channel, ky, kx)."""
    return list(shape) if settings.pool == "none" else [*shape[:-2], settings.size, settings.size]
