"""Data sets that lie in numbered files: which file belongs to which split, by the names that hubs give them."""

from __future__ import annotations

import re
from pathlib import Path

from freqmaps.core.errors import ConfigError, NotHereError, nearest
from freqmaps.datasets import _files

#: ``train-00000-of-00002.parquet``, ``test.parquet``, ``train/0000.parquet``, ``imagenet-val-000001.tar``
_WORD = re.compile(r"(?:^|[-_.])(train|training|test|testing|validation|valid|val)(?=$|[-_.\d])")
_MEANS = {"training": "train", "testing": "test", "valid": "validation", "val": "validation"}


def chosen(path: str, ending: str, train: str, test: str | None) -> list[tuple[str, Path]]:
    """Return the files of the two splits, each with ``train`` or ``test``; or all with ``""`` where none names one.

    Parameters
    ----------
    path
        One file; a folder, searched with what lies in it; or a repository in the cache of Hugging Face
        (``datasets--owner--name``), of which the current snapshot is searched.
    ending
        ``.parquet``, say.
    train, test
        What the splits are called: the word in the names of files, or of folders below the path. Without ``test``,
        files called ``test`` are taken, or else those called ``validation``. Where only the files of ``train`` are
        named, they are returned with ``""``, too.

    Raises
    ------
    ConfigError
        Nothing is there, or no such file; a split without files, or one whose files lie in several folders, as those
        of several configurations of a data set do.
    """
    base = _snapshot(_files.expanded(path))
    if base.is_file():
        return [("", base)]
    files = _files_of(base, ending)
    names = [_split(file, base) for file in files]
    there = sorted({name for name in names if name})
    if not there or (there == [train] and test is None):
        return [("", file) for file, name in zip(files, names, strict=True) if name or not there]
    fallback = "validation" if "validation" in there and "test" not in there else "test"
    split_files = []
    for split, wanted in (("train", train), ("test", test or fallback)):
        if wanted not in there:
            raise ConfigError(
                f"root: no files of a split '{wanted}' in '{base}', which is to be {split}; {nearest(wanted, there)}"
            )
        of_split = [file for file, name in zip(files, names, strict=True) if name == wanted]
        folders = sorted({file.parent for file in of_split})
        if len(folders) > 1:
            raise ConfigError(
                f"root: files of '{wanted}' lie in '{folders[0]}' and '{folders[1]}'; give the folder of one data set"
            )
        split_files += [(split, file) for file in of_split]
    return split_files


def _files_of(base: Path, ending: str) -> list[Path]:
    """Return the files with an ending in a folder, in order of name."""
    if not base.is_dir():
        raise NotHereError(f"root: no such file or folder: '{base}'; correct the path")
    files = sorted(p for p in base.rglob(f"*{ending}") if not p.name.startswith(".") and p.is_file())
    if not files:
        raise ConfigError(f"root: '{base}' holds no {ending} files; give the folder that holds them")
    return files


def _snapshot(folder: Path) -> Path:
    """Return the current snapshot of a repository in the cache of Hugging Face, and any other folder as it is."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    reference = folder / "refs" / "main"
    if reference.is_file() and (snapshots / reference.read_text().strip()).is_dir():
        return snapshots / reference.read_text().strip()
    there = sorted(p for p in snapshots.iterdir() if p.is_dir())
    if len(there) != 1:
        raise ConfigError(f"root: '{snapshots}' has {len(there)} snapshots and no current one; give the folder of one")
    return there[0]


def _split(file: Path, base: Path) -> str:
    """Return the split that a file's name means, or else that of its folder below the base; empty if neither says one.

    >>> base = Path("test-data")
    >>> [_split(base / name, base) for name in ("train-00000-of-00002.parquet", "val/0000.parquet", "x.parquet")]
    ['train', 'validation', '']
    """
    for name in (file.stem, file.parent.name if file.parent != base else ""):
        match = _WORD.search(name.lower())
        if match:
            return _MEANS.get(match[1], match[1])
    return ""
