"""The contracts of all stores: code that reads or writes a store names one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.stores.contract import Contract, Variable

if TYPE_CHECKING:
    import xarray as xr

DECIDES_NUMBERS = False

_SAMPLE = ("sample",)
_IMAGE = ("sample", "channel", "y", "x")
_GROUP = ("group",)
_HISTORY = ("group", "epoch")
_INTEGER = ("int64", "int32", "int16")
_SHARE = Variable(_GROUP, ("float64",), finite=False, limits=(0.0, 1.0))

#: Images with labels. ``image``: uint8 in 0..255, or float32 in [0, 1]. ``split``: ``train`` or ``test``.
#: ``sample``: stable id. ``classes``: names in label order; ``mean``/``std``: per channel, of images in [0, 1].
DATASET = Contract(
    kind="dataset",
    variables={
        "image": Variable(_IMAGE, ("uint8", "float32")),
        "label": Variable(_SAMPLE, _INTEGER),
        "split": Variable(_SAMPLE, ("str",)),
        "sample": Variable(_SAMPLE, ("str",)),
    },
    attributes=("classes", "mean", "std", "source", "licence"),
    further=lambda ds: _labels_fit(ds) or _float_images_fit(ds),
)

#: What an attack made of a range of samples. ``label``: ground truth; ``prediction``: on the clean image;
#: ``success``: ``adversarial_prediction != label``, re-evaluated on the stored floats, and within the budget.
#: ``linf``, ``l2``: norms of ``adversarial - clean`` over all channels, images in [0, 1].
ADVERSARIAL = Contract(
    kind="adversarial",
    variables={
        "adversarial": Variable(_IMAGE, ("float32",), limits=(0.0, 1.0)),
        "label": Variable(_SAMPLE, _INTEGER),
        "prediction": Variable(_SAMPLE, _INTEGER),
        "adversarial_prediction": Variable(_SAMPLE, _INTEGER),
        "success": Variable(_SAMPLE, ("bool",)),
        "linf": Variable(_SAMPLE, ("float32",)),
        "l2": Variable(_SAMPLE, ("float32",)),
        "sample": Variable(_SAMPLE, ("str",)),
    },
    attributes=("attack", "parameters", "epsilon", "norm"),
)

_PLANE = {"ky": Variable(("ky",), _INTEGER[:2]), "kx": Variable(("kx",), _INTEGER[:2])}
_TABLE = ("row", "column")


def _layouts(each: str) -> dict[str, dict[str, Variable]]:
    """Return how the entries of maps may lie, by the attribute ``layout``; ``each`` is the axis of the maps.

    ``frequencies``, over the full plane of signed frequencies (``ky``, ``kx``, cycles per image), origin in the middle;
    ``complex_frequencies``, the same, with the real and the imaginary ``part``, of modulus at most 1;
    ``plane``, over the coefficients of another transform, neighbours beside each other (``row``, ``column``: their
    numbers); ``table``, over coefficients whose neighbours mean nothing, labelled one by one.
    """
    grid = Variable((each, "channel", "row", "column"), ("float32",), limits=(0.0, 1.0))
    return {
        "frequencies": {"map": Variable((each, "channel", "ky", "kx"), ("float32",), limits=(0.0, 1.0)), **_PLANE},
        "complex_frequencies": {
            "map": Variable((each, "part", "channel", "ky", "kx"), ("float32",), limits=(-1.0, 1.0)),
            "part": Variable(("part",), ("str",)),
            **_PLANE,
        },
        "plane": {"map": grid, "row": Variable(("row",), _INTEGER), "column": Variable(("column",), _INTEGER)},
        "table": {"map": grid, "level": Variable(_TABLE, _INTEGER), "orientation": Variable(_TABLE, ("str",))},
    }


#: One map per sample. ``target``: the class that the map must keep; ``steps``: optimisation steps; ``loss``: at the
#: last step. The attribute ``basis`` (and ``basis_parameters``) says what a map multiplies, ``fourier`` if absent;
#: ``layout`` says how its entries lie.
MAPS = Contract(
    kind="maps",
    variables={
        "target": Variable(_SAMPLE, _INTEGER),
        "label": Variable(_SAMPLE, _INTEGER),
        "steps": Variable(_SAMPLE, _INTEGER),
        "loss": Variable(_SAMPLE, ("float32", "float64"), finite=False),
        "converged": Variable(_SAMPLE, ("bool",)),
        "keeps_prediction": Variable(_SAMPLE, ("bool",)),
        "sample": Variable(_SAMPLE, ("str",)),
    },
    attributes=("images", "objective", "parameters"),
    further=lambda ds: _frequencies_fit(ds) or _in_the_disc(ds),
    layouts=_layouts("sample"),
)

#: One map per group of samples, ``basis`` and ``layout`` as in ``MAPS``. ``group``: ``all`` or ``class-3``, then
#: ``-start-1`` where there are several. ``label``: the class, or -1; ``n_images``, ``n_adversarial``: both 0 for an
#: empty group, whose map changes nothing. ``kept_epoch``: the epoch after which the map was as it is. Accuracies, of
#: clean and of adversarial images, without and with the map, are NaN where there are no such images. ``mean_of_map``:
#: of |M| over channels and coefficients; ``share_of_zeros``: of coefficients with |M| below 1e-8. ``history_*``: per
#: epoch, NaN after a map has stopped.
GROUP_MAPS = Contract(
    kind="group_maps",
    variables={
        "group": Variable(_GROUP, ("str",)),
        "label": Variable(_GROUP, _INTEGER),
        "start": Variable(_GROUP, _INTEGER),
        "n_images": Variable(_GROUP, _INTEGER),
        "n_adversarial": Variable(_GROUP, _INTEGER),
        "epochs": Variable(_GROUP, _INTEGER),
        "kept_epoch": Variable(_GROUP, _INTEGER),
        "converged": Variable(_GROUP, ("bool",)),
        "loss": Variable(_GROUP, ("float64",), finite=False),
        "accuracy": _SHARE,
        "filtered_accuracy": _SHARE,
        "adversarial_accuracy": _SHARE,
        "filtered_adversarial_accuracy": _SHARE,
        "mean_of_map": Variable(_GROUP, ("float64",), limits=(0.0, 1.0)),
        "share_of_zeros": Variable(_GROUP, ("float64",), limits=(0.0, 1.0)),
        "history_loss": Variable(_HISTORY, ("float64",), finite=False),
        "history_accuracy": Variable(_HISTORY, ("float64",), finite=False),
        "history_adversarial_accuracy": Variable(_HISTORY, ("float64",), finite=False),
        "history_mean_of_map": Variable(_HISTORY, ("float64",), finite=False),
        "history_share_of_zeros": Variable(_HISTORY, ("float64",), finite=False),
    },
    attributes=("images", "objective", "parameters"),
    further=lambda ds: _frequencies_fit(ds) or _in_the_disc(ds) or _groups_differ(ds),
    layouts=_layouts("group"),
)

#: Two sets of flattened, pooled maps, paired row by row; ``sample`` and ``label`` are those of the first. Attributes:
#: ``first_images`` and ``second_images`` say what either set holds maps of (``essential``, ``adversarial``, ...);
#: ``only_first`` and ``only_second``, how many samples the join left out on either side.
MATRICES = Contract(
    kind="matrices",
    variables={
        "first": Variable(("sample", "feature"), ("float32",)),
        "second": Variable(("sample", "feature"), ("float32",)),
        "label": Variable(_SAMPLE, _INTEGER),
        "sample": Variable(_SAMPLE, ("str",)),
    },
    attributes=("shape", "pool", "first_images", "second_images", "only_first", "only_second"),
)

#: Labelled arrays of an evaluation: any variables of numbers, each with dimensions of which one at least has a
#: coordinate. NaN and infinities are refused, but in a variable whose attribute ``missing`` says what NaN stands for.
#: An evaluation without arrays has a store without variables.
ARRAYS = Contract(kind="arrays", variables={}, further=lambda ds: _arrays_fit(ds))


def _labels_fit(ds: xr.Dataset) -> str | None:
    labels, n = ds["label"].values, len(ds.attrs["classes"])
    if labels.size and (labels.min() < 0 or labels.max() >= n):
        return f"labels span {labels.min()}..{labels.max()} but there are {n} classes"
    return None


def _float_images_fit(ds: xr.Dataset) -> str | None:
    if ds["image"].dtype != np.float32 or not ds["image"].size:
        return None
    low, high = float(ds["image"].min()), float(ds["image"].max())
    return None if low >= 0 and high <= 1 else f"float images span [{low:g}, {high:g}], expected [0, 1]"


def _frequencies_fit(ds: xr.Dataset) -> str | None:
    for axis in {"ky", "kx"} & set(ds.dims):
        n = ds.sizes[axis]
        if not np.array_equal(ds[axis].values, np.arange(n) - n // 2):
            return f"'{axis}' must run over the signed frequencies {-(n // 2)}..{(n - 1) // 2} in order"
    return None


def _arrays_fit(ds: xr.Dataset) -> str | None:
    for name, array in ds.data_vars.items():
        if array.dtype.kind not in "fiub":
            return f"'{name}' has dtype {array.dtype}; give numbers, and texts as coordinates"
        if not any(dim in ds.coords for dim in array.dims):
            return f"'{name}' has dims {array.dims} and no coordinate along any; label at least one"
        values = array.values
        if array.dtype.kind != "f":
            continue
        if np.isinf(values).any() or (np.isnan(values).any() and not array.attrs.get("missing")):
            return f"'{name}' holds NaN or infinity; say in its attribute 'missing' what NaN stands for"
    return None


def _groups_differ(ds: xr.Dataset) -> str | None:
    names = ds["group"].values
    return None if len(np.unique(names)) == len(names) else "groups are not unique"


def _in_the_disc(ds: xr.Dataset) -> str | None:
    if "part" not in ds.dims:
        return None
    if ds["part"].values.tolist() != ["real", "imaginary"]:
        return f"'part' must be real, imaginary; found {', '.join(map(str, ds['part'].values))}"
    values = ds["map"].values
    largest = float(np.hypot(values[:, 0], values[:, 1]).max(initial=0.0))
    return None if largest <= 1 + 1e-6 else f"'map' has entries of modulus {largest:g}, allowed is at most 1"
