"""Images in a NumPy file: ``.npz`` with ``images`` and ``labels`` (and ``split``, ``classes``), or two ``.npy``."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _labels, _order, _white
from freqmaps.datasets._api import Block, Description, in_blocks, rows_per_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKEYED = ("path", "labels")
RANGES = {"test_fraction": "(0, 1)", "white": "(0, 1e10)"}
NEUTRAL = {"white": None}  # before there was one, images were bytes or lay in [0, 1]

_NAMES = ("images", "labels", "split", "classes")


def describe(
    *, path: str, labels: str | None = None, test_fraction: float = 0.2, white: float | None = None
) -> Description:
    """Describe the images after checking, once, all of their values.

    Parameters
    ----------
    path
        A ``.npz`` file with ``images``: (n, h, w), (n, c, h, w) or (n, h, w, c), h = w, c 1 or 3, uint8 or
        floats in [0, 1]; ``labels``: (n,) or (n, 1) integers 0..k-1, (n, k) one-hot rows, or (n,) names;
        optionally ``split``: (n,) ``train`` or ``test``; and ``classes``: (k,) names. Or a ``.npy`` file with the
        images only.
    labels
        With a ``.npy`` file: the one that holds the labels.
    test_fraction
        Share of each class for testing, where there is no ``split``.
    white
        The value of white, by which images are divided: 4095 for 12 bits, 65535 for 16 bits, 255 for floats in
        [0, 255]. None: bytes and floats are taken as above, and other integers as bytes if they lie in 0..255.

    Raises
    ------
    ConfigError
        A missing file or array, a wrong shape or dtype, NaN, values outside [0, 1], or labels with gaps.
    """
    known = _summary(path, labels, white)
    counts = known["counts"]
    if "" in counts:
        test = sum(_order.test_count(n, test_fraction) for n in counts[""].values())
        splits = {"train": sum(counts[""].values()) - test, "test": test}
    else:
        splits = {split: sum(counts[split].values()) for split in ("train", "test")}
    identity = {"images": sum(splits.values()), "shape": known["shape"], "digest": known["digest"]}
    classes = tuple(known["classes"])
    return Description(
        identity, splits, classes, known["shape"][0], known["shape"][1], "arrays", "as given by their owner"
    )


def read(
    *, path: str, labels: str | None = None, test_fraction: float = 0.2, white: float | None = None
) -> Iterator[Block]:
    """Yield the images (uint8, or float32 in [0, 1]) in store order; parameters and errors as :func:`describe`."""
    known = _summary(path, labels, white)
    with _opened(path, labels) as arrays:
        images, numbers = _scaled(arrays["images"], known.get("white"), path), arrays["labels"].tolist()
        samples = [f"{i:06d}" for i in range(len(images))]
        if "split" in arrays:
            split = [str(s) for s in arrays["split"]]
        else:
            split = _order.made_split(samples, numbers, test_fraction)
        yield from in_blocks(images, numbers, split, samples, _order.interleave(split, numbers))


def _summary(path: str, labels: str | None, white: float | None) -> dict[str, Any]:
    """Return shape, classes, counts by split and class, and digest; checked once and remembered."""
    files = [_files.expanded(p) for p in (path, labels) if p is not None]
    signature = [_files.stamp(f) for f in files] + ([white] if white is not None else [])
    return _files.remembered("arrays, names checked", signature, lambda: _check(path, labels, white))


def _scaled(images: NDArray[Any], white: float | None, path: str) -> Any:
    view = _channel_first(images, path)
    return view if white is None else _white.Scaled(view, white, f"'{path}': 'images'")


def _check(path: str, labels: str | None, white: float | None) -> dict[str, Any]:
    with _opened(path, labels) as arrays:
        white = white or _white.white_of(_channel_first(arrays["images"], path), path)
        images = _scaled(arrays["images"], white, path)
        classes = _classes(arrays, len(images), path)
        split = arrays.get("split")
        counts: dict[str, dict[str, int]] = {}
        for i, label in enumerate(arrays["labels"].tolist()):
            of_split = counts.setdefault("" if split is None else str(split[i]), {})
            of_split[classes[label]] = of_split.get(classes[label], 0) + 1
        if split is not None:
            _check_split(counts, path)
        elif min(counts[""].values()) < 2:
            rare = min(counts[""], key=counts[""].__getitem__)
            raise ConfigError(f"'{path}': class '{rare}' has one image, too few for train and test; add some")
        digest = hashlib.sha256(_digest_images(images, path).encode())
        for name in _NAMES[1:]:
            digest.update(f"{name} {arrays[name].tolist() if name in arrays else None}".encode())
        return {
            "shape": list(images.shape[1:]), "classes": classes, "counts": counts, "digest": digest.hexdigest(),
            "white": white,
        }  # fmt: skip


def _check_split(counts: Mapping[str, Mapping[str, int]], path: str) -> None:
    for name in counts:
        if name not in ("train", "test"):
            raise ConfigError(f"'{path}': 'split' holds '{name}'; only 'train' and 'test' are known")
    _order.check_classes(counts, f"correct 'split' in '{path}'")


def _classes(arrays: Mapping[str, NDArray[Any]], n: int, path: str) -> list[str]:
    """Check labels, split and class names against each other, and return the names."""
    labels = arrays["labels"]
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise ConfigError(
            f"'{path}': 'labels' is {labels.dtype} {labels.shape}; expected one class per image: integers "
            f"of shape ({n},), one-hot rows, or names"
        )
    if "split" in arrays and (arrays["split"].shape != (n,) or arrays["split"].dtype.kind != "U"):
        raise ConfigError(f"'{path}': 'split' must hold 'train' or 'test' for each of the {n} images")
    present = sorted(set(labels.tolist()))
    names = (
        [str(c) for c in arrays["classes"].ravel()] if "classes" in arrays else [str(i) for i in range(len(present))]
    )
    if len(set(names)) != len(names):
        raise ConfigError(f"'{path}': 'classes' names a class twice; give each its own name")
    k = len(names)
    gap = next((i for i in range(k) if i not in present), None)
    if "classes" in arrays and present[0] >= 0 and (present[-1] >= k or gap is not None):
        raise ConfigError(_misfit(names, present, gap, path))
    if present[0] < 0 or present[-1] >= k or gap is not None:
        lack = "" if gap is None else f", but no {gap}"
        raise ConfigError(
            f"'{path}': 'labels' must be 0..{k - 1} without gaps; found {present[0]}..{present[-1]}{lack}; "
            + (
                "subtract 1 from all"
                if present == [*range(1, k + 1)]
                else "number the classes anew, or save their names"
            )
        )
    if k < 2:
        raise ConfigError(f"'{path}': all images are of one class; a classifier needs at least two")
    return names


def _misfit(names: list[str], present: list[int], gap: int | None, path: str) -> str:
    """Return how numbers of classes and the names in ``classes`` disagree."""
    if present[-1] >= len(names):
        return (
            f"'{path}': 'labels' holds {present[-1]}, but 'classes' has {len(names)} names, for 0..{len(names) - 1}; "
            f"name all classes in 'classes', or correct the labels"
        )
    return f"'{path}': no image is of class {gap}, '{names[gap or 0]}'; remove it from 'classes', or add images"


def _channel_first(images: NDArray[Any], path: str) -> NDArray[Any]:
    """Return a view (n, c, h, w); where both fit, as in (n, 3, 3, 3), the second axis is the channels."""
    shape = images.shape
    if images.dtype.kind not in "uifb":
        raise ConfigError(f"'{path}': 'images' is {images.dtype}; save it as uint8 in 0..255 or as floats in [0, 1]")
    if images.ndim == 3 and shape[0] and shape[1] == shape[2]:
        return images[:, None]
    if images.ndim == 4 and shape[0]:
        if shape[1] in (1, 3) and shape[2] == shape[3]:
            return images
        if shape[3] in (1, 3) and shape[1] == shape[2]:
            return images.transpose(0, 3, 1, 2)
    raise ConfigError(
        f"'{path}': 'images' has shape {shape}; expected (n, h, w), (n, c, h, w) or (n, h, w, c), square, c 1 or 3"
    )


def _digest_images(images: NDArray[Any], path: str) -> str:
    """Return the SHA-256 of the images as the store will hold them, checking floats on the way."""
    import numpy as np

    digest = hashlib.sha256(str(images.shape).encode())
    kept = np.uint8 if images.dtype == np.uint8 else np.float32
    patience = _files.Patience("checking the images", len(images))
    rows = rows_per_block(int(np.prod(images.shape[1:])) * images.dtype.itemsize)
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        if part.dtype.kind == "f":
            _check_floats(part, start, path)
        digest.update(np.ascontiguousarray(part, dtype=kept).tobytes())
        for _ in range(len(part)):
            patience.step()
    return f"{np.dtype(kept).name} {digest.hexdigest()}"


def _check_floats(part: NDArray[Any], start: int, path: str) -> None:
    import numpy as np

    finite = np.isfinite(part).reshape(len(part), -1).all(axis=1)
    if not finite.all():
        raise ConfigError(
            f"'{path}': image {start + int(np.argmin(finite))} holds NaN or infinity; replace or remove it"
        )
    low, high = float(part.min()), float(part.max())
    if low < 0 or high > 1:
        raise ConfigError(
            f"'{path}': float images span [{low:g}, {high:g}]; scale them to [0, 1], save them as uint8, or set "
            "'white' to the value of white, such as 255"
        )


@contextmanager
def _opened(path: str, labels: str | None) -> Iterator[dict[str, NDArray[Any]]]:
    """Open the arrays, the images memory-mapped, so that a block at a time is in memory."""
    file = _files.expanded(path)
    with ExitStack() as stack:
        if labels is not None:
            yield _labels.as_numbers({"images": _load(file), "labels": _load(_files.expanded(labels))}, labels)
            return
        if not zipfile.is_zipfile(file):
            raise ConfigError(f"'{file}' is not a .npz file; give one, or set 'labels' to the .npy file of the labels")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield _labels.as_numbers(_members(file, folder), path)


def _members(file: Path, folder: Path) -> dict[str, NDArray[Any]]:
    """Load the arrays of a ``.npz``, each copied out to a ``.npy`` first, since zip members cannot be mapped."""
    arrays = {}
    try:
        with zipfile.ZipFile(file) as archive:
            there = set(archive.namelist())
            for name in _NAMES:
                if f"{name}.npy" in there:
                    with archive.open(f"{name}.npy") as source, (folder / f"{name}.npy").open("wb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise ConfigError(f"'{file}' is not a whole .npz file ({error}); save it again") from error
    for name in _NAMES:
        if (folder / f"{name}.npy").exists():
            arrays[name] = _load(folder / f"{name}.npy", f"'{name}' of '{file}'")
        elif name in _NAMES[:2]:
            raise ConfigError(f"'{file}' holds no '{name}'; found: {', '.join(sorted(there)) or 'nothing'}")
    return arrays


def _load(file: Path, name: str | None = None) -> NDArray[Any]:
    import numpy as np

    shown = name or f"'{file}'"
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:  # an object array, a damaged one, or none at all
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{shown} is not a whole array of plain numbers or strings ({reason}); save it anew"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"{shown} is not a .npy file; give a .npz file without 'labels', or two .npy files")
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} holds bytes that are not UTF-8 ({error.reason}); save it as strings") from error
