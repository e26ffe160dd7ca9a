"""The published files of the corruption benchmarks, unpacked: their digests and their images.

CIFAR-10-C and CIFAR-100-C are arrays, ``<corruption>.npy`` of (50000, 32, 32, 3) bytes, five severities of the 10 000
test images one after the other, and ``labels.npy``. Tiny-ImageNet-C and ImageNet-C are folders of JPEG files,
``<corruption>/<severity>/<class>/``. A dry run imports this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _folders, _layout, _sources, _splits
from freqmaps.datasets._api import Block, in_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LABELS = "labels.npy"
#: Severities of an array, one after the other.
_SEVERITIES = 5


def identity(*, root: str | None, corruptions: Sequence[str] | None = None, **_: Any) -> dict[str, Any] | None:
    """Return digests of the files below a folder, without their paths, as JSON, for the key of results that read them.

    The first time every file is read and, if it is an image, checked; the answer is remembered while no file changes.

    Parameters
    ----------
    root
        The folder; None: no files are read.
    corruptions
        Which; None: all that are there.

    Raises
    ------
    ConfigError
        There is no such folder or corruption in it, or a file cannot be read.
    """
    if root is None:
        return None
    folder = _files.expanded(root)
    names = present(root) if corruptions is None else list(corruptions)
    if is_arrays(root):
        files = [f"{name}.npy" for name in names]
        return {"files": {file: _files.md5(_existing(folder / file)) for file in (*files, _LABELS)}}
    return {"folders": {name: _digests(folder / name) for name in names}}


def present(root: str) -> list[str]:
    """Return the corruptions whose files lie in a folder.

    Raises
    ------
    ConfigError
        It holds none.
    """
    folder = _files.expanded(root)
    names = [n for n in components.names("corruption") if (folder / n).is_dir() or (folder / f"{n}.npy").is_file()]
    if not names:
        raise ConfigError(
            f"root: '{folder}' holds no corruption, neither arrays such as fog.npy beside {_LABELS} nor folders such "
            "as fog/1/; unpack the benchmark's archives and give the folder that holds their files"
        )
    return names


def blocks(
    root: str, name: str, severity: int, *, channels: int, size: int, wanted: Collection[str] = ()
) -> Iterator[Block]:
    """Yield the images (uint8) of one corruption and severity.

    Parameters
    ----------
    root, name, severity
        Which.
    channels, size
        The shape that images shall have. JPEG files are scaled and cropped to it, arrays must have it.
    wanted
        Ids: only these samples, if the files hold all of them; else all that the files hold.

    Yields
    ------
    Block
        ``sample`` is ``test/00012`` for the test image of that number, or ``test/<class>/<file>``. ``label`` is as
        published in arrays; of folders the place of the class among all that are there, sorted by name.

    Raises
    ------
    ConfigError
        A file is missing, or not of the published format.
    """
    folder = _files.expanded(root)
    if is_arrays(root):
        yield from _from_arrays(folder, name, severity, (channels, size, size), wanted)
        return
    entries = _layout.entries(_splits.within(_sources.source(_existing(folder / name / str(severity)), "root")))
    chosen = _chosen([f"test/{entry.sample}" for entry in entries], wanted)
    classes = sorted({entry.folder for entry in entries})
    parts = [entries[i] for i in chosen]
    for block in _folders.blocks(parts, channels=channels, size=size, test_fraction=None, classes=classes):
        yield Block(block.image, block.label, ["test"] * len(block.label), [f"test/{s}" for s in block.sample])


def _from_arrays(
    folder: Path, name: str, severity: int, shape: tuple[int, int, int], wanted: Collection[str]
) -> Iterator[Block]:
    images, labels = (_array(_existing(folder / file)) for file in (f"{name}.npy", _LABELS))
    if images.dtype != "uint8" or images.ndim != 4 or images.shape[1:] != (*shape[1:], shape[0]):
        raise ConfigError(
            f"'{folder / name}.npy' is {images.dtype} {images.shape}, and the network sees {shape[0]} channels of "
            f"{shape[1]}x{shape[2]} pixels; give bytes (n, {shape[1]}, {shape[2]}, {shape[0]})"
        )
    each, rest = divmod(len(images), _SEVERITIES)
    if rest or labels.shape != (len(images),) or severity not in range(1, _SEVERITIES + 1):
        raise ConfigError(
            f"'{folder / name}.npy' has {len(images)} images, {_LABELS} is of shape {labels.shape}, and severity "
            f"{severity} of {_SEVERITIES} was asked for; give {_SEVERITIES} times the test images, each with a label"
        )
    part = slice((severity - 1) * each, severity * each)
    ids = [f"test/{i:05d}" for i in range(each)]
    labelled = [int(label) for label in labels[part]]
    yield from in_blocks(images[part].transpose(0, 3, 1, 2), labelled, ["test"] * each, ids, _chosen(ids, wanted))


def _chosen(ids: Sequence[str], wanted: Collection[str]) -> list[int]:
    """Return the positions of the wanted ids, or all where not every one is there, or none is wanted."""
    among = set(wanted)
    take_all = not among or not among <= set(ids)
    return [i for i, sample_id in enumerate(ids) if take_all or sample_id in among]


def _array(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"'{path}' is not a whole NumPy array ({type(error).__name__}); fetch it again") from error
    return array


def is_arrays(root: str) -> bool:
    """Return whether a folder holds arrays rather than folders of images."""
    return (_files.expanded(root) / _LABELS).is_file()


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of the images of each severity of a corruption."""
    severities = sorted(p.name for p in _existing(folder).iterdir() if p.is_dir() and p.name.isdecimal())
    if not severities:
        raise ConfigError(f"root: '{folder}' holds no folders of severities, 1 to 5; unpack the archive again")
    summaries = {name: _folders.summary(_splits.within(_sources.source(folder / name, "root"))) for name in severities}
    return {name: str(summary["digest"]) for name, summary in summaries.items()}


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"root: there is no '{path}'; unpack it there, or leave it out of 'corruptions'")
    return path
